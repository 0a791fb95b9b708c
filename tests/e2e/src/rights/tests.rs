use serde_json::{Value, json};

use super::*;

/// Small roles: of the cluster, of our namespace, of one name, and one that nobody has.
const MANIFEST: &str = r#"
apiVersion: v1
kind: Namespace
metadata: { name: metallb-system }
---
kind: ClusterRole
metadata: { name: "metallb-system:controller" }
rules:
- { apiGroups: [""], resources: [services], verbs: [list, watch] }
- { apiGroups: [""], resources: [services/status], verbs: [patch] }
---
kind: ClusterRoleBinding
metadata: { name: "metallb-system:controller" }
roleRef: { kind: ClusterRole, name: "metallb-system:controller", apiGroup: rbac.authorization.k8s.io }
subjects: [{ kind: ServiceAccount, name: controller, namespace: metallb-system }]
---
kind: ClusterRole
metadata: { name: "metallb-system:metrics-reader" }
rules: [{ nonResourceURLs: [/metrics], verbs: [get] }]
---
kind: Role
metadata: { name: controller, namespace: metallb-system }
rules:
- { apiGroups: [coordination.k8s.io], resources: [leases], resourceNames: [metallb-controller], verbs: [get] }
- { apiGroups: [metallb.io], resources: [configurationstates], verbs: [create, patch] }
---
kind: RoleBinding
metadata: { name: controller, namespace: metallb-system }
roleRef: { kind: Role, name: controller, apiGroup: rbac.authorization.k8s.io }
subjects: [{ kind: ServiceAccount, name: controller, namespace: metallb-system }]
"#;

fn event(verb: &str, object: Value, code: u16) -> Value {
    json!({
        "kind": "Event", "apiVersion": "audit.k8s.io/v1", "level": "Metadata", "stage": "ResponseComplete",
        "requestURI": "/of/no/interest?watch=true",
        "verb": verb,
        "user": { "username": ACCOUNTS[0], "groups": ["system:serviceaccounts"] },
        "objectRef": object,
        "responseStatus": { "metadata": {}, "code": code },
        "annotations": {
            "authorization.k8s.io/decision": "allow",
            "authorization.k8s.io/reason":
                "RBAC: allowed by RoleBinding \"controller\" of Role \"controller\" to ServiceAccount \"controller/metallb-system\"",
        },
    })
}

fn services(verb: &str) -> Value {
    event(verb, json!({ "resource": "services", "apiVersion": "v1" }), 200)
}

fn status(namespace: &str) -> Value {
    let object =
        json!({ "resource": "services", "subresource": "status", "namespace": namespace, "name": "web" });
    event("patch", object, 200)
}

fn lease(name: &str) -> Value {
    let object = json!({
        "resource": "leases", "apiGroup": "coordination.k8s.io", "namespace": "metallb-system", "name": name,
    });
    event("get", object, 200)
}

fn state(code: u16) -> Value {
    let object = json!({
        "resource": "configurationstates", "apiGroup": "metallb.io", "namespace": "metallb-system", "name": "controller",
    });
    event("patch", object, code)
}

/// A run that uses every right.
fn run() -> Vec<Value> {
    vec![
        services("list"),
        services("watch"),
        status("shop"),
        lease("metallb-controller"),
        state(201),
    ]
}

fn findings(events: &[Value]) -> Vec<String> {
    let log: String = events.iter().map(|event| format!("{event}\n")).collect();
    let findings = compare(&granted::read(MANIFEST).unwrap(), &audit::read(&log).unwrap());
    findings.iter().map(Finding::to_string).collect()
}

#[test]
fn a_run_that_uses_every_right_has_none_missing_and_none_spare() {
    assert_eq!(findings(&run()), Vec::<String>::new());
}

#[test]
fn a_right_that_no_request_needs_is_spare() {
    for (spared, expected) in [
        (
            1,
            "granted and never used: controller: watch services in the whole cluster",
        ),
        (
            3,
            "granted and never used: controller: get leases of coordination.k8s.io in namespace metallb-system, name metallb-controller",
        ),
    ] {
        let mut events = run();
        events.remove(spared);
        assert_eq!(findings(&events), [expected]);
    }
}

/// The object of the apply was there already: nobody needed the right to create it.
#[test]
fn only_a_patch_that_makes_its_object_needs_the_creation() {
    let mut events = run();
    events[4] = state(200);
    assert_eq!(
        findings(&events),
        [
            "granted and never used: controller: create configurationstates of metallb.io in namespace metallb-system"
        ]
    );
}

#[test]
fn a_right_to_the_whole_cluster_is_needed_outside_our_namespace() {
    let mut events = run();
    events[2] = status("metallb-system");
    assert_eq!(
        findings(&events),
        ["used in metallb-system alone: controller: patch services/status in the whole cluster"]
    );
}

#[test]
fn a_refusal_is_a_missing_right() {
    let mut secret = event(
        "get",
        json!({ "resource": "secrets", "namespace": "shop", "name": "a" }),
        403,
    );
    secret["annotations"]["authorization.k8s.io/decision"] = json!("forbid");
    secret["annotations"]["authorization.k8s.io/reason"] = json!("");
    let mut other = secret.clone();
    other["objectRef"]["name"] = json!("b");
    let expected = ["missing: controller: get secrets in namespace shop, name a"];
    assert_eq!(findings(&[run(), vec![secret, other]].concat()), expected);
}

/// A role that an earlier install has left allows it, say.
#[test]
fn what_the_manifest_does_not_grant_is_missing_even_if_it_is_allowed() {
    assert_eq!(
        findings(&[run(), vec![lease("another")]].concat()),
        ["missing: controller: get leases of coordination.k8s.io in namespace metallb-system, name another"]
    );
    let mut speaker = lease("metallb-controller");
    speaker["user"]["username"] = json!(ACCOUNTS[1]);
    assert_eq!(
        findings(&[run(), vec![speaker]].concat()),
        [
            "missing: speaker: get leases of coordination.k8s.io in namespace metallb-system, name metallb-controller"
        ]
    );
}

#[test]
fn a_creation_that_is_refused_within_a_patch_is_a_missing_right() {
    let object = json!({ "resource": "pods", "namespace": "shop", "name": "a" });
    let mut patch = event("patch", object, 403);
    patch["responseStatus"]["message"] =
        json!("pods \"a\" is forbidden: User \"x\" cannot create resource \"pods\" in API group \"\"");
    let found = findings(&[run(), vec![patch]].concat());
    assert!(
        found.contains(&"missing: controller: create pods in namespace shop, name a".to_owned()),
        "{found:?}"
    );
}

/// While the manifest is deleted its pods live on without roles.
#[test]
fn a_right_that_the_manifest_grants_is_not_missing_because_it_is_away() {
    let mut refused = services("list");
    refused["annotations"]["authorization.k8s.io/decision"] = json!("forbid");
    assert_eq!(
        findings(&[run(), vec![refused.clone()]].concat()),
        Vec::<String>::new()
    );
    // Nor is a refusal a use.
    let mut events = run();
    events[0] = refused;
    assert_eq!(
        findings(&events),
        ["granted and never used: controller: list services in the whole cluster"]
    );
}

#[test]
fn what_everybody_may_is_no_right_of_ours() {
    let mut version = event("get", Value::Null, 200);
    version["requestURI"] = json!("/version");
    let asked = [run(), vec![version.clone()]].concat();
    assert_eq!(
        findings(&asked),
        ["missing: controller: get /version in the whole cluster"]
    );
    version["annotations"]["authorization.k8s.io/reason"] = json!(
        "RBAC: allowed by ClusterRoleBinding \"system:discovery\" of ClusterRole \"system:discovery\" to Group \"system:authenticated\""
    );
    assert_eq!(findings(&[run(), vec![version]].concat()), Vec::<String>::new());
}

#[test]
fn a_request_that_was_turned_away_before_is_nothing() {
    let mut throttled = lease("another");
    throttled.as_object_mut().unwrap().remove("annotations");
    assert_eq!(findings(&[run(), vec![throttled]].concat()), Vec::<String>::new());
}

#[test]
fn the_same_right_twice_is_once_too_often() {
    let granted = granted::read(MANIFEST).unwrap();
    let narrow = Access {
        namespace: Some("shop".to_owned()),
        ..granted[0].clone()
    };
    let twice = [granted.clone(), vec![granted[1].clone(), narrow]].concat();
    let log: String = run().iter().map(|event| format!("{event}\n")).collect();
    let found: Vec<String> = compare(&twice, &audit::read(&log).unwrap())
        .iter()
        .map(Finding::to_string)
        .collect();
    assert_eq!(
        found,
        [
            "granted twice: controller: watch services in the whole cluster",
            "granted twice: controller: list services in namespace shop"
        ]
    );
}

#[test]
fn the_last_line_may_not_be_whole() {
    let log = format!("{}\n{{\"kind\":\"Ev", services("list"));
    assert_eq!(audit::read(&log).unwrap().len(), 1);
    let broken = format!("{{\"kind\":\"Ev\n{}\n", services("list"));
    assert!(audit::read(&broken).is_err());
}

#[test]
fn the_manifests_roles_are_read() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/manifests/cortenlb.yaml");
    let granted = granted::read(&fs::read_to_string(path).unwrap()).unwrap();
    for account in ACCOUNTS {
        assert!(granted.iter().any(|right| right.account == account), "{account}");
    }
    assert!(
        granted
            .iter()
            .all(|right| ACCOUNTS.contains(&right.account.as_str()))
    );
}
