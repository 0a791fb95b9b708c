//! What our values do, and what is refused.

use serde_json::{Value, json};

use crate::helm;

const CONTROLLER: (&str, &str) = ("Deployment", "metallb-controller");
const SPEAKER: (&str, &str) = ("DaemonSet", "metallb-speaker");

fn pod(documents: &[Value], (kind, name): (&str, &str)) -> Value {
    helm::pod(documents, kind, name).clone()
}

#[test]
fn helm_finds_no_fault() {
    let chart = helm::chart();
    let output = helm::run(&["lint", "--strict", chart.to_str().unwrap()]);
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stdout)
    );
}

/// The image of both, of one, and MetalLB's, which is not started.
#[test]
fn image() {
    let image = |component, arguments: &[&str]| {
        let pod = pod(&helm::ours(arguments), component);
        pod["containers"][0]["image"].as_str().unwrap().to_owned()
    };
    let made = image(CONTROLLER, &[]);
    let (repository, version) = made.rsplit_once(':').unwrap();
    let own = "--set=controller.image.repository=own.example/c,controller.image.tag=2.0.0";
    let metallbs = "--set=speaker.image.repository=mirror.example/metallb/speaker,speaker.image.tag=v0.16.2";
    for (arguments, controller, speaker) in [
        (&[] as &[&str], made.clone(), made.clone()),
        (
            &["--set=image.tag=0.2.0"],
            format!("{repository}:0.2.0"),
            format!("{repository}:0.2.0"),
        ),
        (
            &["--set=image.repository=mirror.example:5000/c"],
            format!("mirror.example:5000/c:{version}"),
            format!("mirror.example:5000/c:{version}"),
        ),
        (&[own], "own.example/c:2.0.0".to_owned(), made.clone()),
        (&[metallbs], made.clone(), made.clone()),
        (
            &["--set=controller.image.tag=v0.16.2"],
            made.clone(),
            made.clone(),
        ),
    ] {
        assert_eq!(image(CONTROLLER, arguments), controller, "{arguments:?}");
        assert_eq!(image(SPEAKER, arguments), speaker, "{arguments:?}");
    }
}

/// A flag of a program for each value that is one.
#[test]
fn flags() {
    for (value, component, flag) in [
        ("loadBalancerClass=ours", CONTROLLER, "--lb-class=ours"),
        ("loadBalancerClass=ours", SPEAKER, "--lb-class=ours"),
        ("controller.logLevel=debug", CONTROLLER, "--log-level=debug"),
        ("speaker.logLevel=none", SPEAKER, "--log-level=none"),
        ("prometheus.metricsPort=0", CONTROLLER, "--port=0"),
        ("prometheus.metricsPort=19120", SPEAKER, "--port=19120"),
        (
            "controller.livenessProbe.port=8080",
            CONTROLLER,
            "--health-probe-port=8080",
        ),
        (
            "controller.reassignOnPoolChange=true",
            CONTROLLER,
            "--reassign-on-pool-change=true",
        ),
        (
            "speaker.ignoreExcludeLB=true",
            SPEAKER,
            "--ignore-exclude-lb=true",
        ),
        ("speaker.rebalance=true", SPEAKER, "--rebalance=true"),
        ("speaker.standIn=false", SPEAKER, "--stand-in=false"),
        ("speaker.drainCordoned=true", SPEAKER, "--drain-cordoned=true"),
        (
            "speaker.gratuitousARPInterval=0",
            SPEAKER,
            "--gratuitous-arp-interval=0",
        ),
    ] {
        let set = format!("--set={value}");
        let pod = pod(&helm::ours(&[&set]), component);
        assert!(
            helm::arguments(&pod).contains(&flag),
            "{value}: {:?}",
            helm::arguments(&pod)
        );
        let default = self::pod(&helm::ours(&[]), component);
        assert!(
            !helm::arguments(&default).contains(&flag),
            "{value} is no default"
        );
    }
}

/// Without memberlist the speakers have no address to hear one another on, and nobody makes a key.
#[test]
fn without_memberlist() {
    let documents = helm::ours(&["--set=speaker.memberlist.enabled=false"]);
    let speaker = pod(&documents, SPEAKER);
    for variable in [
        "METALLB_ML_BIND_PORT",
        "METALLB_ML_SECRET_KEY_PATH",
        "METALLB_ML_SECRET_NAME",
    ] {
        assert_eq!(helm::variable(&speaker, variable), None, "{variable}");
    }
    assert!(!speaker.to_string().contains("METALLB_ML_BIND_ADDR"));
    assert!(!speaker.to_string().contains("memberlist"));
    let labels = helm::variable(&speaker, "METALLB_ML_LABELS");
    assert!(labels.is_some(), "the speakers still look for one another's pods");
    let controller = pod(&documents, CONTROLLER);
    assert_eq!(helm::variable(&controller, "METALLB_ML_SECRET_NAME"), None);
}

/// The port, the folder and the Secret of the speakers, wherever they are written.
#[test]
fn memberlist() {
    let documents = helm::ours(&[
        "--set=speaker.memberlist.mlBindPort=7947,speaker.memberlist.mlSecretKeyPath=/etc/key",
        "--set=speaker.memberlist.mlBindAddrOverride=192.0.2.1,speaker.secretName=own",
    ]);
    let speaker = pod(&documents, SPEAKER);
    assert_eq!(helm::variable(&speaker, "METALLB_ML_BIND_PORT"), Some("7947"));
    assert_eq!(
        helm::variable(&speaker, "METALLB_ML_BIND_ADDR"),
        Some("192.0.2.1")
    );
    assert_eq!(
        helm::variable(&speaker, "METALLB_ML_SECRET_KEY_PATH"),
        Some("/etc/key")
    );
    assert_eq!(helm::variable(&speaker, "METALLB_ML_SECRET_NAME"), Some("own"));
    assert_eq!(
        speaker["containers"][0]["ports"],
        json!([
            { "name": "metricshttps", "containerPort": 9120 },
            { "name": "memberlist-tcp", "containerPort": 7947 },
            { "name": "memberlist-udp", "containerPort": 7947, "protocol": "UDP" },
        ])
    );
    let mounts = speaker["containers"][0]["volumeMounts"].as_array().unwrap();
    assert!(mounts.contains(&json!({ "name": "memberlist", "mountPath": "/etc/key", "readOnly": true })));
    assert_eq!(
        helm::variable(&pod(&documents, CONTROLLER), "METALLB_ML_SECRET_NAME"),
        Some("own")
    );
    for role in ["metallb-controller", "metallb-speaker"] {
        let rules = helm::find(&documents, "Role", role)["rules"].to_string();
        assert!(rules.contains(r#""resourceNames":["own"]"#), "{role}: {rules}");
    }
}

/// What is given is added to what a pod has, and what is said anew is taken.
#[test]
fn pods_are_added_to() {
    let documents = helm::ours(&[
        "--set=controller.securityContext.runAsNonRoot=false,controller.nodeSelector.role=lb",
        r#"--set-json=controller.tolerations=[{"key":"own"}]"#,
        r#"--set-json=controller.extraContainers=[{"name":"beside"}]"#,
        r#"--set-json=controller.extraEnv=[{"name":"MORE","value":"1"}]"#,
        "--set=speaker.tolerateMaster=false,controller.readinessProbe.initialDelaySeconds=0",
    ]);
    let controller = pod(&documents, CONTROLLER);
    let security = &controller["securityContext"];
    assert_eq!(
        (&security["runAsNonRoot"], &security["runAsUser"]),
        (&json!(false), &json!(65534))
    );
    assert_eq!(
        controller["nodeSelector"],
        json!({ "kubernetes.io/os": "linux", "role": "lb" })
    );
    let tolerations = controller["tolerations"].as_array().unwrap();
    assert!(tolerations.len() > 1 && tolerations.contains(&json!({ "key": "own" })));
    assert_eq!(controller["containers"][1], json!({ "name": "beside" }));
    assert_eq!(helm::variable(&controller, "MORE"), Some("1"));
    assert_eq!(
        controller["containers"][0]["readinessProbe"]["initialDelaySeconds"],
        0
    );
    let speaker = pod(&documents, SPEAKER);
    assert!(
        !speaker["tolerations"]
            .to_string()
            .contains("node-role.kubernetes.io")
    );
    assert!(speaker["tolerations"].to_string().contains("CriticalAddonsOnly"));
}

/// Without metrics, controllers, speakers, rules or accounts: nothing of them is left.
#[test]
fn what_is_turned_off_is_gone() {
    for (value, gone) in [
        (
            "controller.enabled=false",
            &[("Deployment", ""), ("PodDisruptionBudget", "")] as &[_],
        ),
        ("speaker.enabled=false", &[("DaemonSet", ""), ("ConfigMap", "")]),
        ("speaker.excludeInterfaces.enabled=false", &[("ConfigMap", "")]),
        (
            "controller.podDisruptionBudget.enabled=false",
            &[("PodDisruptionBudget", "")],
        ),
        (
            "rbac.create=false",
            &[
                ("Role", ""),
                ("RoleBinding", ""),
                ("ClusterRole", ""),
                ("ClusterRoleBinding", ""),
            ],
        ),
        ("crds.enabled=false", &[("CustomResourceDefinition", "")]),
        (
            "speaker.serviceAccount.create=false",
            &[("ServiceAccount", "metallb-speaker")],
        ),
    ] {
        let count = |documents: &[Value], kind: &str, name: &str| {
            let found = documents.iter().filter(|one| {
                one["kind"] == kind && one["metadata"]["name"].as_str().unwrap().starts_with(name)
            });
            found.count()
        };
        let documents = helm::ours(&[&format!("--set={value}")]);
        for (kind, name) in gone {
            assert_eq!(count(&documents, kind, name), 0, "{value}: {kind}");
            assert_ne!(
                count(&helm::ours(&[]), kind, name),
                0,
                "{kind} is there by default"
            );
        }
    }
}

/// Nonsense is refused before anything is installed, in words that name the value.
#[test]
fn refuses_nonsense() {
    for (value, says) in [
        (
            "controller.replicas=two",
            &["/controller/replicas", "integer"] as &[&str],
        ),
        ("controller.logLevel=loud", &["/controller/logLevel", "'debug'"]),
        (
            "speaker.memberlist.mlBindPort=70000",
            &["/speaker/memberlist/mlBindPort", "65,535"],
        ),
        (
            "speaker.memberlist.mlSecretKeyPath=key",
            &["/speaker/memberlist/mlSecretKeyPath"],
        ),
        (
            "speaker.gratuitousARPInterval=-1",
            &["/speaker/gratuitousARPInterval"],
        ),
        (
            "image.pullPolicy=Sometimes",
            &["/image/pullPolicy", "'IfNotPresent'"],
        ),
        (
            "controller.strategy.type=Slow",
            &["/controller/strategy/type", "'Recreate'"],
        ),
        (
            "prometheus.metricsPort=no",
            &["/prometheus/metricsPort", "integer"],
        ),
        ("imagePullSecrets[0].nam=x", &["/imagePullSecrets/0", "name"]),
        (
            "configInline.peers=x",
            &["configInline is not read", "IPAddressPool"],
        ),
        (
            "prometheus.podMonitor.enabled=true,prometheus.serviceMonitor.enabled=true",
            &["podMonitor.enabled and prometheus.serviceMonitor.enabled are both true"],
        ),
        (
            "prometheus.podMonitor.enabled=true",
            &["prometheus.serviceAccount is empty"],
        ),
    ] {
        let said = helm::template("metallb", &helm::chart(), &[&format!("--set={value}")]);
        let said = said.expect_err(value);
        for part in says {
            assert!(said.contains(part), "{value}: {part:?} should be in: {said}");
        }
    }
}
