use super::*;

fn find<'a>(objects: &'a [Value], kind: &str, name: &str) -> &'a Value {
    let found = objects.iter().find(|object| object["kind"] == kind && object["metadata"]["name"] == name);
    found.unwrap_or_else(|| panic!("no {kind} {name}"))
}

#[test]
fn selectors_are_metallbs() {
    let objects = objects("example.org/image:1");
    for (kind, name) in [("Deployment", "controller"), ("DaemonSet", "speaker")] {
        let workload = find(&objects, kind, name);
        let selector = &workload["spec"]["selector"]["matchLabels"];
        assert_eq!(*selector, json!({ "app": "metallb", "component": name }));
        for (key, value) in selector.as_object().unwrap() {
            assert_eq!(workload["spec"]["template"]["metadata"]["labels"][key], *value);
        }
    }
}

#[test]
fn the_speaker_has_net_raw_and_nothing_else() {
    let objects = objects("example.org/image:1");
    let pod = &find(&objects, "DaemonSet", "speaker")["spec"]["template"]["spec"];
    assert_eq!(pod["containers"][0]["securityContext"]["capabilities"], json!({ "drop": ["ALL"], "add": ["NET_RAW"] }));
    assert_eq!(pod["containers"][0]["securityContext"]["runAsUser"], 0);
    assert_eq!(pod["containers"][0]["securityContext"]["readOnlyRootFilesystem"], true);
    assert!(pod["containers"][0]["resources"].get("limits").is_none());
}

#[test]
fn no_rule_has_a_wildcard() {
    let text = serde_json::to_string(&rbac::objects()).unwrap();
    assert!(!text.contains("\"*\""), "{text}");
}

#[test]
fn both_workloads_run_the_image_that_was_asked_for() {
    let objects = objects("example.org/image:1");
    for (kind, name) in [("Deployment", "controller"), ("DaemonSet", "speaker")] {
        let container = &find(&objects, kind, name)["spec"]["template"]["spec"]["containers"][0];
        assert_eq!(container["image"], "example.org/image:1");
    }
}
