use super::*;
use crate::facts::tests::{from, has, mk_facts, mk_pool, mk_served, mk_service};
use crate::page::tests::{lines, shown, wide_lines};
use k8s_openapi::api::apps::v1::{DaemonSet, Deployment};
use serde_json::{Value, json};

fn workload(namespace: &str, name: &str, container: &str) -> Value {
    json!({
        "metadata": { "name": name, "namespace": namespace },
        "spec": {
            "selector": {},
            "template": {
                "metadata": { "labels": { "app": "metallb", "component": name } },
                "spec": { "containers": [{ "name": container }] },
            },
        },
    })
}

/// A cluster as MetalLB's plain manifests leave it: `web` has an address.
fn mk_cluster() -> (Facts, Around) {
    let mut facts = mk_facts();
    facts.pods.clear();
    facts.services = vec![mk_service("web", 1, |object| {
        has(object, "172.21.5.240", "default");
        object["metadata"]["annotations"] = json!({});
    })];
    let around = Around {
        deployments: vec![from::<Deployment>(workload(
            "metallb-system",
            "controller",
            "controller",
        ))],
        daemon_sets: vec![from::<DaemonSet>(workload(
            "metallb-system",
            "speaker",
            "speaker",
        ))],
        webhooks: vec![from(
            json!({ "metadata": { "name": "metallb-webhook-configuration" } }),
        )],
        ..Around::default()
    };
    (facts, around)
}

#[test]
fn what_metallbs_manifests_leave_is_kept() {
    let (facts, around) = mk_cluster();
    let check = check(&facts, &around);
    assert_eq!(wide_lines(&check), lines(&check), "as the help says");
    assert_eq!(
        shown(&check),
        "\
Objects
KIND                             NAME                            VERDICT     HOW
IPAddressPool                    default                         kept        same addresses, same order
L2Advertisement                  all                             kept        same meaning
Deployment                       metallb-system/controller       kept        replaced by ours of the same name; nothing is \
announced by both
DaemonSet                        metallb-system/speaker          kept        replaced by ours of the same name; nothing is \
announced by both
ValidatingWebhookConfiguration   metallb-webhook-configuration   different   our controller deletes it when it starts; the \
API server checks the rules itself

Addresses
SERVICE    BEFORE         AFTER          VERDICT   HOW
shop/web   172.21.5.240   172.21.5.240   kept      same address; another node may come to answer for it, once

docs/differences.md lists what differs for everybody
"
    );
    assert!(!check.has_findings());
}

#[test]
fn what_could_not_be_read_is_a_finding() {
    let (facts, mut around) = mk_cluster();
    around.unread = vec!["bgppeers (metallb.io/v1beta2) may not be listed".to_owned()];
    let check = check(&facts, &around);
    let said = "not judged: bgppeers (metallb.io/v1beta2) may not be listed";
    let lines = lines(&check);
    assert!(lines.contains(&said.to_owned()), "{lines:#?}");
    assert!(check.has_findings(), "BGP may be in use");
}

#[test]
fn bgp_is_not_supported() {
    let (facts, mut around) = mk_cluster();
    around.peers = vec![from(json!({
        "apiVersion": "metallb.io/v1beta2", "kind": "BGPPeer", "metadata": { "name": "router" },
        "spec": { "myASN": 64512, "peerASN": 64513, "peerAddress": "172.21.5.1" },
    }))];
    around.bgp_advertisements = vec![from(json!({
        "apiVersion": "metallb.io/v1beta1", "kind": "BGPAdvertisement", "metadata": { "name": "all" }, "spec": {},
    }))];
    let check = check(&facts, &around);
    let lines = lines(&check);
    let peer =
        "BGPPeer router not supported BGP is not supported: the object is kept, and no session is opened";
    assert!(lines.contains(&peer.to_owned()), "{lines:#?}");
    assert!(
        lines
            .iter()
            .any(|line| line.starts_with("BGPAdvertisement all not supported")),
        "{lines:#?}"
    );
    assert!(check.has_findings());
}

#[test]
fn a_pool_that_bgp_alone_announces_is_silent_afterwards() {
    let (mut facts, around) = mk_cluster();
    facts.advertisements.clear();
    let check = check(&facts, &around);
    let lines = lines(&check);
    assert!(
        lines
            .iter()
            .any(|line| line.starts_with("IPAddressPool default not supported")),
        "{lines:#?}"
    );
    assert!(
        lines
            .iter()
            .any(|line| line.starts_with("shop/web 172.21.5.240 172.21.5.240 not supported")),
        "{lines:#?}"
    );
    assert!(check.has_findings());
}

#[test]
fn workloads_of_other_names_and_places_and_frr() {
    let (facts, mut around) = mk_cluster();
    around.deployments = vec![
        from(workload("metallb-system", "metallb-controller", "controller")),
        from(workload("elsewhere", "controller", "controller")),
    ];
    around.daemon_sets = vec![from(workload("metallb-system", "speaker", "frr"))];
    let check = check(&facts, &around);
    let lines = lines(&check);
    let has = |start: &str, part: &str| {
        assert!(
            lines
                .iter()
                .any(|line| line.starts_with(start) && line.contains(part)),
            "{start} … {part}: {lines:#?}"
        );
    };
    has(
        "Deployment metallb-system/metallb-controller different",
        "kubectl delete deployment -n metallb-system metallb-controller",
    );
    has(
        "Deployment elsewhere/controller different",
        "delete it before ours is applied",
    );
    has("DaemonSet metallb-system/speaker not supported", "FRR");
    assert!(check.has_findings());
}

#[test]
fn what_has_to_be_deleted_first_in_another_namespace_is_a_step() {
    let (facts, mut around) = mk_cluster();
    around.deployments = vec![from(workload("elsewhere", "controller", "controller"))];
    around.daemon_sets = vec![from(workload("elsewhere", "speaker", "speaker"))];
    let told = check(&facts, &around);
    assert_eq!(
        told.steps,
        [
            "kubectl delete deployment -n elsewhere controller",
            "kubectl delete daemonset -n elsewhere speaker",
        ]
    );
    assert!(
        told.has_findings(),
        "both would give addresses and answer for them"
    );

    around.deployments = vec![from(workload(
        "metallb-system",
        "metallb-controller",
        "controller",
    ))];
    around.daemon_sets.clear();
    let told = check(&facts, &around);
    assert!(told.steps.is_empty(), "ours waits for it: {:?}", told.steps);
}

/// A workload of a release's, made by the chart of this name.
fn released(release: &str, chart: &str, namespace: &str, name: &str, container: &str) -> Value {
    let mut object = workload(namespace, name, container);
    object["metadata"]["annotations"] = json!({
        "meta.helm.sh/release-name": release, "meta.helm.sh/release-namespace": namespace,
    });
    object["spec"]["template"]["metadata"]["labels"] = json!({ "app.kubernetes.io/name": chart });
    object
}

#[test]
fn a_release_that_holds_more_than_metallb_is_not_to_be_upgraded_to_our_chart() {
    let (facts, mut around) = mk_cluster();
    let speaker = released(
        "platform",
        "metallb",
        "infra",
        "platform-metallb-speaker",
        "speaker",
    );
    let controller = released(
        "platform",
        "metallb",
        "infra",
        "platform-metallb-controller",
        "controller",
    );
    let mut told = |others: &[Value]| {
        let deployments = [&controller].into_iter().chain(others);
        around.deployments = deployments.map(|object| from(object.clone())).collect();
        around.daemon_sets = vec![from(speaker.clone())];
        check(&facts, &around)
    };
    let step = "helm get manifest platform -n infra";

    let shared = told(&[released(
        "platform",
        "grafana",
        "infra",
        "platform-grafana",
        "grafana",
    )]);
    let lines_shared = lines(&shared);
    for (start, part) in [
        (
            "Deployment infra/platform-metallb-controller different",
            "(Deployment infra/platform-grafana), which an upgrade of it to deploy/chart would delete",
        ),
        (
            "DaemonSet infra/platform-metallb-speaker different",
            "put deploy/chart in the place of MetalLB's",
        ),
    ] {
        assert!(
            lines_shared
                .iter()
                .any(|line| line.starts_with(start) && line.contains(part)),
            "{start} … {part}: {lines_shared:#?}"
        );
    }
    assert!(
        !shown(&shared).contains("helm upgrade platform"),
        "{lines_shared:#?}"
    );
    assert_eq!(shared.steps, [step], "once for the release");
    assert!(shared.has_findings());

    for (other, why) in [
        (
            released("platform", "frr-k8s", "infra", "platform-frr-k8s", "controller"),
            "FRR-K8s is a part of MetalLB's chart",
        ),
        (
            released("other", "grafana", "infra", "other-grafana", "grafana"),
            "another release",
        ),
        (
            released("platform", "grafana", "elsewhere", "platform-grafana", "grafana"),
            "a release of the same name in another namespace",
        ),
    ] {
        let alone = told(&[other]);
        assert!(alone.steps.is_empty(), "{why}: {:?}", alone.steps);
        assert!(
            shown(&alone).contains("`helm upgrade platform deploy/chart -n infra`"),
            "{why}"
        );
    }
}

#[test]
fn what_helm_has_installed_is_kept_by_an_upgrade_of_the_release() {
    let (facts, mut around) = mk_cluster();
    let released = |namespace: &str, name: &str, container: &str| {
        released("metallb", "metallb", namespace, name, container)
    };
    around.deployments = vec![from(released(
        "metallb-system",
        "metallb-controller",
        "controller",
    ))];
    around.daemon_sets = vec![from(released("lb", "metallb-speaker", "speaker"))];
    let told = check(&facts, &around);
    let lines_told = lines(&told);
    let has = |start: &str, part: &str| {
        assert!(
            lines_told
                .iter()
                .any(|line| line.starts_with(start) && line.contains(part)),
            "{start} … {part}: {lines_told:#?}"
        );
    };
    has(
        "Deployment metallb-system/metallb-controller kept",
        "`helm upgrade metallb deploy/chart -n metallb-system`",
    );
    has(
        "DaemonSet lb/metallb-speaker kept",
        "`helm upgrade metallb deploy/chart -n lb` with the values that it has (docs/install-helm.md), if the release holds \
         MetalLB alone (`helm get manifest metallb -n lb`); do not apply the manifest; its pools are judged with `-n lb`",
    );
    assert!(!told.has_findings());

    let mut rendered = released("metallb-system", "metallb-controller", "controller");
    rendered["metadata"]["annotations"] = Value::Null;
    rendered["metadata"]["labels"] = json!({ "app.kubernetes.io/managed-by": "Helm" });
    around.deployments = vec![from(rendered)];
    around.daemon_sets = vec![from(released("metallb-system", "metallb-speaker", "frr"))];
    let told = check(&facts, &around);
    let lines = lines(&told);
    for start in [
        "Deployment metallb-system/metallb-controller different",
        "DaemonSet metallb-system/metallb-speaker not supported",
    ] {
        assert!(
            lines.iter().any(|line| line.starts_with(start)),
            "without a release there is nothing to upgrade, and FRR is nowhere supported: {start}: {lines:#?}"
        );
    }
}

/// MetalLB's definition of `BGPPeer`, whose webhook's fields were written by this operation; the certificate in it always
/// is by MetalLB's controller.
fn mk_converted(operation: &str) -> CustomResourceDefinition {
    let webhook = |field: &str| {
        let client = json!({ "f:clientConfig": { field: {} } });
        json!({ "f:spec": { "f:conversion": { "f:webhook": client } } })
    };
    from(json!({
        "metadata": {
            "name": "bgppeers.metallb.io",
            "managedFields": [
                { "manager": "kubectl", "operation": operation, "fieldsV1": webhook("f:service") },
                { "manager": "MetalLB", "operation": "Update", "fieldsV1": webhook("f:caBundle") },
                { "manager": "labels", "operation": "Apply", "fieldsV1": { "f:metadata": {} } },
            ],
        },
        "spec": {
            "group": "metallb.io", "names": { "kind": "BGPPeer", "plural": "bgppeers" }, "scope": "Namespaced",
            "versions": [], "conversion": { "strategy": "Webhook" },
        },
    }))
}

const STEP: &str = r#"kubectl patch crd bgppeers.metallb.io --type merge -p '{"spec": {"conversion": {"strategy": "None", "webhook": null}}}'"#;

#[test]
fn a_conversion_webhook_that_was_applied_server_side_has_to_be_taken_out_first() {
    let (facts, mut around) = mk_cluster();
    around.definitions = Some(vec![mk_converted("Apply")]);
    let check = check(&facts, &around);
    assert_eq!(check.steps, [STEP]);
    assert!(check.has_findings());
}

#[test]
fn any_other_conversion_webhook_goes_by_itself_and_is_no_finding() {
    let (facts, mut around) = mk_cluster();
    around.definitions = Some(vec![mk_converted("Update")]);
    let check = check(&facts, &around);
    assert!(check.steps.is_empty(), "{:?}", check.steps);
    assert!(!check.has_findings());
    let lines = lines(&check);
    let note = lines
        .iter()
        .find(|line| line.starts_with("CustomResourceDefinition bgppeers.metallb.io different"));
    let note = note.unwrap_or_else(|| panic!("{lines:#?}"));
    assert!(
        note.ends_with(&format!(
            "before `kubectl apply --server-side` it has to be: {STEP}"
        )),
        "{note}"
    );
}

#[test]
fn an_address_that_would_not_stay_is_told() {
    let (mut facts, around) = mk_cluster();
    facts.pools.push(mk_pool("twice", &["172.21.5.250-172.21.5.251"]));
    facts.services.push(mk_service("foreign", 2, |object| {
        has(object, "192.0.2.1", "x");
        object["metadata"]["annotations"] = json!({});
    }));
    facts.services.push(mk_service("new", 3, |_| {}));
    facts.services.push(mk_served("gone", 4, "10.9.9.9", "deleted"));
    let check = check(&facts, &around);
    let lines = lines(&check);
    let starts = |start: &str| {
        assert!(
            lines.iter().any(|line| line.starts_with(start)),
            "{start}: {lines:#?}"
        );
    };
    starts("IPAddressPool twice different it would be ignored: ");
    starts("shop/foreign 192.0.2.1 172.21.5.241 different");
    starts("shop/new - 172.21.5.242 different it has none now, and gets one");
    starts("shop/gone 10.9.9.9 10.9.9.9 kept");
    assert!(check.has_findings());
}
