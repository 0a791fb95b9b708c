use super::*;

const IMAGE: &str = "registry.example.com/cortenlb:1";

fn manifest() -> Vec<Value> {
    let files = files(IMAGE).unwrap();
    let text = &files[&PathBuf::from("deploy/manifests/cortenlb.yaml")];
    text.split("---\n")
        .skip(1)
        .map(|document| serde_saphyr::from_str(document).unwrap())
        .collect()
}

fn find<'a>(documents: &'a [Value], kind: &str, name: &str) -> &'a Value {
    let found = documents
        .iter()
        .find(|one| one["kind"] == kind && one["metadata"]["name"] == name);
    found.unwrap_or_else(|| panic!("no {kind} {name}"))
}

#[test]
fn the_same_every_time() {
    assert_eq!(files(IMAGE).unwrap(), files(IMAGE).unwrap());
}

#[test]
fn yaml_says_what_the_objects_say() {
    let written = manifest();
    let mut meant = vec![json(&manifests::namespace())];
    meant.extend(cortenlb_crds::definitions::all().iter().map(json));
    meant.extend(
        manifests::parts(Naming::Plain, IMAGE)
            .into_iter()
            .flat_map(|(_, documents)| documents),
    );
    let written = written.into_iter().map(|mut document| {
        if document["metadata"]["name"] == "bgppeers.metallb.io" {
            let conversion = document["spec"]["conversion"].as_object_mut().unwrap();
            assert_eq!(conversion.remove("webhook"), Some(Value::Null));
        }
        document
    });
    assert_eq!(written.collect::<Vec<_>>(), meant);
}

#[test]
fn what_is_namespaced_is_in_our_namespace() {
    for document in manifest() {
        let kind = document["kind"].as_str().unwrap();
        let cluster =
            kind.starts_with("Cluster") || kind.starts_with("ValidatingAdmission") || kind == "Namespace";
        let expected = if cluster || kind == "CustomResourceDefinition" {
            json!(null)
        } else {
            json!("metallb-system")
        };
        assert_eq!(document["metadata"]["namespace"], expected, "{kind}");
    }
}

/// MetalLB's selectors cannot be changed on an object that exists, so ours must be the same, and must select our pods.
#[test]
fn selects_pods_as_metallb() {
    let manifest = manifest();
    for (kind, name) in [("Deployment", "controller"), ("DaemonSet", "speaker")] {
        let workload = find(&manifest, kind, name);
        let labels = json!({ "app": "metallb", "component": name });
        assert_eq!(workload["metadata"]["labels"], labels);
        assert_eq!(workload["spec"]["selector"], json!({ "matchLabels": labels }));
        let pod = &workload["spec"]["template"]["metadata"]["labels"];
        assert_eq!(
            *pod,
            json!({ "app": "metallb", "component": name, "cortenlb.io/component": name })
        );
    }
}

#[test]
fn both_run_our_image_with_priority_and_without_limits() {
    let manifest = manifest();
    for (kind, name, priority, grace, host_network) in [
        (
            "Deployment",
            "controller",
            "system-cluster-critical",
            5,
            Value::Null,
        ),
        ("DaemonSet", "speaker", "system-node-critical", 2, json!(true)),
    ] {
        let pod = &find(&manifest, kind, name)["spec"]["template"]["spec"];
        let container = &pod["containers"][0];
        assert_eq!(container["image"], IMAGE, "{name}");
        assert_eq!(container["resources"]["limits"], Value::Null, "{name}");
        assert_eq!(pod["priorityClassName"], priority, "{name}");
        assert_eq!(pod["terminationGracePeriodSeconds"], grace, "{name}");
        assert_eq!(pod["hostNetwork"], host_network, "{name}");
    }
}

/// To the letter, so that what is added shows here too. What a container says goes before what its pod does.
#[test]
fn the_controller_has_no_right_on_its_node_and_the_speaker_one_capability() {
    let manifest = manifest();
    let security = |kind: &str, name: &str| {
        let pod = &find(&manifest, kind, name)["spec"]["template"]["spec"];
        let containers = pod["containers"].as_array().unwrap();
        assert_eq!(containers.len(), 1, "{name}");
        assert_eq!(pod["initContainers"], Value::Null, "{name}");
        for shared in ["hostPID", "hostIPC"] {
            assert_eq!(pod[shared], Value::Null, "{name}: {shared}");
        }
        (
            pod["securityContext"].clone(),
            containers[0]["securityContext"].clone(),
        )
    };
    assert_eq!(
        security("Deployment", "controller"),
        (
            json!({
                "runAsNonRoot": true,
                "runAsUser": 65534,
                "runAsGroup": 65534,
                "fsGroup": 65534,
                "seccompProfile": { "type": "RuntimeDefault" },
            }),
            json!({
                "allowPrivilegeEscalation": false,
                "readOnlyRootFilesystem": true,
                "capabilities": { "drop": ["ALL"] },
            })
        )
    );
    assert_eq!(
        security("DaemonSet", "speaker"),
        (
            json!({ "seccompProfile": { "type": "RuntimeDefault" } }),
            json!({
                "allowPrivilegeEscalation": false,
                "readOnlyRootFilesystem": true,
                // The one that it has counts only for root.
                "runAsUser": 0,
                "runAsGroup": 0,
                "capabilities": { "drop": ["ALL"], "add": ["NET_RAW"] },
            })
        )
    );
}

#[test]
fn the_page_of_kinds_has_fields_with_their_types_defaults_and_meanings() {
    let definition = json!({ "spec": {
        "group": "example.org",
        "names": { "kind": "Thing", "plural": "things" },
        "versions": [
            { "name": "v1", "served": true, "storage": true, "schema": { "openAPIV3Schema": {
                "description": "A thing.",
                "properties": { "spec": { "required": ["a"], "properties": {
                    "a": { "type": "array", "items": { "type": "object", "properties": {
                        "b": { "type": "integer", "format": "int32", "default": 7, "description": "One |\nof two." },
                    } } },
                    "c": { "type": "object", "properties": { "matchLabels": {} } },
                    "d": { "type": "string", "enum": ["x", "y"] },
                } } },
            } } },
            { "name": "v1alpha1", "served": true, "storage": false },
        ],
    } });
    let page = kinds::page(&[definition]);
    for line in [
        "## Thing",
        "A thing. `example.org/v1` and `example.org/v1alpha1`; `kubectl get things`.",
        "| **`spec.a`** | list of object | – |  |",
        "| `spec.a[].b` | integer (int32) | `7` | One \\| of two. |",
        "| `spec.c` | label selector | – |  |",
        "| `spec.d` | `x`, `y` | – |  |",
    ] {
        assert!(page.lines().any(|printed| printed == line), "{line}\n{page}");
    }
    assert!(!page.contains("matchLabels"));
}

/// Least privilege, held to the letter: whoever adds a verb names here what needs it.
#[test]
fn roles_allow_what_is_needed() {
    let manifest = manifest();
    let roles = manifest
        .iter()
        .filter(|one| one["kind"] == "Role" || one["kind"] == "ClusterRole");
    let words = |rule: &Value, field: &str| -> String {
        let words = rule[field].as_array().into_iter().flatten();
        words
            .map(|word| word.as_str().unwrap())
            .collect::<Vec<_>>()
            .join(",")
    };
    let mut allowed: Vec<String> = roles
        .flat_map(|role| {
            let name = role["metadata"]["name"].as_str().unwrap();
            let rules = role["rules"].as_array().unwrap();
            rules.iter().map(move |rule| {
                let names = words(rule, "resourceNames");
                let only = if names.is_empty() {
                    names
                } else {
                    format!(" {names}")
                };
                format!(
                    "{name}: {}{}{only}: {}",
                    words(rule, "resources"),
                    words(rule, "nonResourceURLs"),
                    words(rule, "verbs")
                )
            })
        })
        .collect();
    allowed.sort();
    let expected = [
        "controller: bgppeers,servicel2statuses: list,watch",
        "controller: deployments controller: get",
        "controller: ipaddresspools/status: patch",
        "controller: leases metallb-controller: get,list,watch,patch",
        "controller: leases: create",
        "controller: secrets memberlist: list,watch",
        "controller: secrets: create",
        "metallb-system:controller: addressreservations/status: patch",
        "metallb-system:controller: addressreservations: list,watch",
        "metallb-system:controller: endpointslices: list,watch",
        "metallb-system:controller: events: create,patch",
        "metallb-system:controller: namespaces: list,watch",
        "metallb-system:controller: services,nodes: list,watch",
        "metallb-system:controller: services/status: patch",
        "metallb-system:controller: subjectaccessreviews: create",
        "metallb-system:controller: tokenreviews: create",
        "metallb-system:controller: validatingwebhookconfigurations metallb-webhook-configuration: delete",
        "metallb-system:metrics-reader: /metrics: get",
        "metallb-system:speaker: endpointslices: list,watch",
        "metallb-system:speaker: events: create,patch",
        "metallb-system:speaker: services,nodes: list,watch",
        "metallb-system:speaker: subjectaccessreviews: create",
        "metallb-system:speaker: tokenreviews: create",
        "pod-lister: configurationstates/status: patch",
        "pod-lister: configurationstates: list,watch,create,patch",
        "pod-lister: ipaddresspools,l2advertisements: list,watch",
        "pod-lister: pods: list,watch",
        "speaker: secrets memberlist: get",
        "speaker: servicel2statuses/status: patch",
        "speaker: servicel2statuses: list,watch,create,patch,delete",
    ];
    assert_eq!(allowed, expected);
}

#[test]
fn controllers_stand_by_for_one_another() {
    let manifest = manifest();
    let controller = &find(&manifest, "Deployment", "controller")["spec"];
    assert_eq!(controller["replicas"], 2);
    let spread = &controller["template"]["spec"]["topologySpreadConstraints"][0];
    assert_eq!(spread["topologyKey"], "kubernetes.io/hostname");
    assert_eq!(spread["whenUnsatisfiable"], "ScheduleAnyway");
    let budget = &find(&manifest, "PodDisruptionBudget", "controller")["spec"];
    assert_eq!(
        (&budget["maxUnavailable"], &budget["selector"]),
        (&json!(1), &controller["selector"])
    );
}

/// The controller makes the Secret that the speakers mount, and its owner is the controller's Deployment.
#[test]
fn the_speakers_mount_what_the_controller_makes() {
    let manifest = manifest();
    let controller = find(&manifest, "Deployment", "controller");
    let secret = json!("memberlist");
    let pod = &controller["spec"]["template"]["spec"];
    assert_eq!(value_of(pod, "METALLB_ML_SECRET_NAME")["value"], secret);
    assert_eq!(
        value_of(pod, "METALLB_DEPLOYMENT")["value"],
        controller["metadata"]["name"]
    );

    let speaker = find(&manifest, "DaemonSet", "speaker");
    let pod = &speaker["spec"]["template"]["spec"];
    let volumes = pod["volumes"].as_array().unwrap();
    let volume = |name: &str| volumes.iter().find(|volume| volume["name"] == name).unwrap();
    // Without it the pod starts all the same, and says what is missing. The mode: root reads it without a capability.
    assert_eq!(
        volume("memberlist")["secret"],
        json!({ "secretName": secret, "optional": true, "defaultMode": 0o400 })
    );
    assert_eq!(volume("state")["emptyDir"], json!({ "sizeLimit": "64Mi" }));
    let container = &pod["containers"][0];
    let mounts = container["volumeMounts"].as_array().unwrap();
    let mount = |name: &str| mounts.iter().find(|mount| mount["name"] == name).unwrap();
    assert_eq!(
        mount("memberlist"),
        &json!({ "name": "memberlist", "mountPath": "/etc/ml_secret_key", "readOnly": true })
    );
    assert_eq!(
        mount("state"),
        &json!({ "name": "state", "mountPath": "/var/lib/cortenlb" })
    );
    assert_eq!(
        value_of(pod, "METALLB_ML_SECRET_KEY_PATH")["value"],
        mount("memberlist")["mountPath"]
    );
    let address = &value_of(pod, "METALLB_ML_BIND_ADDR")["valueFrom"]["fieldRef"]["fieldPath"];
    assert_eq!(*address, "status.podIP");
    let selector = &speaker["spec"]["selector"]["matchLabels"];
    let labels = value_of(pod, "METALLB_ML_LABELS")["value"].as_str().unwrap();
    let labels = labels.split(',').map(|label| label.split_once('=').unwrap());
    assert_eq!(json!(labels.collect::<BTreeMap<_, _>>()), *selector);
    assert_eq!(value_of(pod, "METALLB_ML_SECRET_NAME")["value"], secret);
    let controllers = &controller["spec"]["template"]["spec"];
    assert_eq!(
        value_of(controllers, "METALLB_ML_LABELS"),
        value_of(pod, "METALLB_ML_LABELS")
    );
}

/// Helm reads the chart's files as templates, and then as YAML, which may have put what it reads into quotes.
#[test]
fn expressions_of_the_chart_outlive_quotes() {
    let files = files(IMAGE).unwrap();
    let mut expressions = 0;
    for (path, text) in &files {
        // Those that hold no names are not read as templates.
        let is_plain = ["crds.yaml", "alerts.yaml"]
            .iter()
            .any(|name| path.ends_with(name));
        let is_template = path.starts_with(chart::FILES) && !is_plain;
        for part in text.split("{{").skip(1).filter(|_| is_template) {
            let (expression, _) = part.split_once("}}").unwrap();
            assert!(
                !expression.contains(['"', '\'', '\\']),
                "{}: {expression}",
                path.display()
            );
            expressions += 1;
        }
    }
    assert!(expressions > 50, "{expressions}");
}

/// Two ports of one number: `kubectl apply` knows ports by the number alone. Over MetalLB's manifest it leaves the two as
/// they are if ours has the same two in the same order, and takes both away if it has one.
#[test]
fn the_speakers_ports_are_metallbs() {
    let manifest = manifest();
    let speaker = &find(&manifest, "DaemonSet", "speaker")["spec"];
    assert_eq!(
        speaker["template"]["spec"]["containers"][0]["ports"],
        json!([
            { "name": "metricshttps", "containerPort": 9120 },
            { "name": "memberlist-tcp", "containerPort": 7946 },
            { "name": "memberlist-udp", "containerPort": 7946, "protocol": "UDP" },
        ])
    );
    let port = value_of(&speaker["template"]["spec"], "METALLB_ML_BIND_PORT");
    assert_eq!(port["value"], "7946");
    assert_eq!(
        speaker["updateStrategy"],
        json!({ "type": "RollingUpdate", "rollingUpdate": { "maxUnavailable": 1 } })
    );
}

/// An environment variable of the pod's first container.
fn value_of<'a>(pod: &'a Value, name: &str) -> &'a Value {
    let variables = pod["containers"][0]["env"].as_array().unwrap();
    let found = variables.iter().find(|variable| variable["name"] == name);
    found.unwrap_or_else(|| panic!("no variable {name}"))
}
