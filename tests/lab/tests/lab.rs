//! A lab from nothing to nothing, on the real machine. Needs root; says so and passes where that is missing.

#![allow(
    clippy::unwrap_used,
    reason = "the lint spares #[test] functions only, not their helpers"
)]

use std::net::{IpAddr, Ipv4Addr};
use std::panic::{AssertUnwindSafe, resume_unwind};
use std::pin::pin;
use std::time::Duration;

use cortenlb_lab::probe::Prober;
use cortenlb_lab::relay::{Faults, Relay};
use cortenlb_lab::{BACKEND_IMAGE, Lab, LabError, LabOptions, Nics, wait_for};
use futures::{FutureExt as _, StreamExt as _};
use k8s_openapi::api::core::v1::{Node, Pod, Service};
use kube::api::{Api, ListParams, Patch, PatchParams, PostParams, WatchEvent, WatchParams};
use serde_json::json;

/// Generous: machines are shared.
const SOON: Duration = Duration::from_secs(60);

fn skipped(test: &str) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let root = std::fs::metadata("/proc/self").is_ok_and(|metadata| metadata.uid() == 0);
    if !root {
        println!("{test}: skipped: network namespaces need root");
    }
    !root
}

fn options(name: &str, nodes: usize) -> LabOptions {
    LabOptions {
        name: name.to_owned(),
        nodes,
        ..LabOptions::default()
    }
}

async fn said(lab: &Lab, host: &str, words: &[&str]) -> String {
    let output = lab.exec(host, words).await.unwrap();
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// Repeats a request of `host` until it is answered: nobody announces that kube-proxy has written its rules.
async fn get(lab: &Lab, host: &str, url: &str) -> String {
    let attempts = async {
        loop {
            let answer = said(lab, host, &["curl", "-s", "-g", "--max-time", "2", url]).await;
            if !answer.is_empty() {
                return answer;
            }
        }
    };
    tokio::time::timeout(SOON, attempts)
        .await
        .unwrap_or_else(|_| panic!("{url} from {host}: no answer"))
}

/// A backend on `node` and a Service of both families in front of it; returns the pod's IPv4 address.
async fn serve(lab: &Lab, node: &str) -> String {
    let client = lab.client().await.unwrap();
    let pod = json!({
        "metadata": { "name": "web", "labels": { "app": "web" } },
        "spec": {
            "nodeName": node,
            "terminationGracePeriodSeconds": 1,
            "containers": [{
                "name": "web", "image": BACKEND_IMAGE,
                "readinessProbe": { "httpGet": { "path": "/readyz", "port": 8080 }, "periodSeconds": 1 },
            }],
        },
    });
    let service = json!({
        "metadata": { "name": "web" },
        "spec": {
            "type": "NodePort", "selector": { "app": "web" }, "ipFamilyPolicy": "RequireDualStack",
            "clusterIP": "10.96.0.80", "clusterIPs": ["10.96.0.80", "fd00:96::80"],
            "ports": [{ "port": 80, "targetPort": 8080, "nodePort": 30080 }],
        },
    });
    let services: Api<Service> = Api::default_namespaced(client.clone());
    services
        .create(&PostParams::default(), &serde_json::from_value(service).unwrap())
        .await
        .unwrap();
    let pods: Api<Pod> = Api::default_namespaced(client);
    pods.create(&PostParams::default(), &serde_json::from_value(pod).unwrap())
        .await
        .unwrap();
    let ready = |pod: Option<&Pod>| {
        let conditions = pod.and_then(|pod| pod.status.as_ref()?.conditions.as_ref());
        conditions.is_some_and(|all| all.iter().any(|c| c.type_ == "Ready" && c.status == "True"))
    };
    let pod = wait_for(pods, "web", "Ready", SOON, ready).await.unwrap();
    pod.and_then(|pod| pod.status?.pod_ip).unwrap()
}

#[tokio::test]
async fn two_labs_side_by_side_serve_resolve_break_and_go() {
    if skipped("two_labs_side_by_side_serve_resolve_break_and_go") {
        return;
    }
    let (first, second) = ("labtest-a", "labtest-b");
    Lab::down(first).await.unwrap();
    Lab::down(second).await.unwrap();
    let (one, two) = tokio::join!(
        Lab::up(options(first, 2)),
        Lab::up(LabOptions {
            nics: Nics::Two,
            ..options(second, 1)
        })
    );
    let (one, two) = (one.unwrap(), two.unwrap());
    assert_eq!(one.nodes(), ["n1", "n2"]);
    assert!(matches!(
        Lab::up(options(first, 3)).await,
        Err(LabError::Differs { nodes: 2, .. })
    ));
    Lab::up(options(first, 2)).await.unwrap();

    let scenarios = async {
        serves_and_resolves(&one).await;
        serves_and_resolves(&two).await;
        proves_who_answers(&one).await;
        breaks_and_mends(&one).await;
        freezes(&one).await;
        pauses(&one).await;
        restarts(&one).await;
        relays(&one).await;
    };
    if let Err(panic) = AssertUnwindSafe(scenarios).catch_unwind().await {
        for lab in [&one, &two] {
            lab.diagnose("lab-test").await.unwrap();
            Lab::down(lab.name()).await.unwrap();
        }
        resume_unwind(panic);
    }

    // The second lab is not touched by the end of the first, nor by that of its own etcd, which `down` survives.
    Lab::down(first).await.unwrap();
    assert!(matches!(Lab::attach(first).await, Err(LabError::Absent { .. })));
    let status = two.status().await.unwrap();
    assert_eq!(status.nodes, Ok(vec![("n1".to_owned(), true)]));
    let (_, etcd, _) = status
        .servers
        .iter()
        .find(|(name, ..)| name == "cp-etcd")
        .unwrap();
    assert!(
        std::process::Command::new("kill")
            .args(["-9", &etcd.to_string()])
            .status()
            .unwrap()
            .success()
    );
    Lab::down(second).await.unwrap();
    Lab::down(second).await.unwrap();
    for name in [first, second] {
        let left: Vec<_> = std::fs::read_dir("/run/netns")
            .unwrap()
            .flatten()
            .map(|e| e.file_name())
            .collect();
        assert!(
            !left.iter().any(|space| space.to_string_lossy().starts_with(name)),
            "{left:?}"
        );
        let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap();
        assert!(!mounts.contains(&format!("/labs/{name}/")), "{mounts}");
    }
}

async fn serves_and_resolves(lab: &Lab) {
    let pod = serve(lab, "n1").await;
    for host in lab.nodes().iter().map(String::as_str).chain(["cp"]) {
        assert!(
            get(lab, host, "http://10.96.0.80/").await.starts_with("pod web"),
            "{host}"
        );
        assert!(
            get(lab, host, "http://[fd00:96::80]/")
                .await
                .starts_with("pod web"),
            "{host}"
        );
    }
    assert!(
        get(lab, "client", "http://172.21.5.11:30080/")
            .await
            .starts_with("pod web")
    );
    assert!(
        get(lab, "client", "http://[fd00:5::11]:30080/")
            .await
            .starts_with("pod web")
    );
    let lookup = format!("http://{pod}:8080/lookup?name=kubernetes.default.svc.cluster.local");
    assert_eq!(get(lab, "n1", &lookup).await, "10.96.0.1");
    assert_eq!(
        get(lab, "n1", &format!("http://{pod}:8080/lookup?name=web.default")).await,
        "10.96.0.80 fd00:96::80"
    );
}

/// Node addresses are answered by the kernel, which is as good as a speaker to test the prober with.
async fn proves_who_answers(lab: &Lab) {
    let n2 = said(lab, "n2", &["cat", "/sys/class/net/eth0/address"])
        .await
        .parse()
        .unwrap();
    let addresses: [IpAddr; 2] = ["172.21.5.12".parse().unwrap(), "fd00:5::12".parse().unwrap()];
    for address in addresses {
        let mut prober = Prober::start(lab, "client", address, Duration::from_millis(20))
            .await
            .unwrap();
        prober.answer_from(n2, SOON).await.unwrap();
        let report = prober.stop().unwrap();
        assert_eq!(
            report.changes().iter().map(|(_, mac)| *mac).collect::<Vec<_>>(),
            [n2],
            "{report}"
        );
        assert_eq!(report.two_answerers(), Duration::ZERO);
    }
    let nobody = IpAddr::V4(Ipv4Addr::new(172, 21, 5, 249));
    let mut prober = Prober::start(lab, "client", nobody, Duration::from_millis(20))
        .await
        .unwrap();
    prober
        .answer_from(n2, Duration::from_millis(200))
        .await
        .unwrap_err();
    assert_eq!(prober.stop().unwrap().answers, []);
}

async fn breaks_and_mends(lab: &Lab) {
    const HEALTH: &str = "http://172.21.5.12:10256/healthz";
    let once = ["curl", "-s", "-g", "--max-time", "1", HEALTH];
    let carrier = ["cat", "/sys/class/net/eth0/carrier"];
    get(lab, "client", HEALTH).await;
    lab.cut("n2").await.unwrap();
    lab.cut("n2").await.unwrap();
    assert_eq!(said(lab, "client", &once).await, "");
    assert_eq!(said(lab, "n2", &carrier).await, "1");
    lab.heal("n2").await.unwrap();
    get(lab, "client", HEALTH).await;

    lab.unplug("n2").await.unwrap();
    assert_eq!(said(lab, "n2", &carrier).await, "0");
    assert_eq!(said(lab, "client", &once).await, "");
    lab.plug("n2").await.unwrap();
    get(lab, "client", HEALTH).await;

    assert!(matches!(lab.freeze("n1").await, Err(LabError::NoProcess { .. })));
    assert!(matches!(lab.cut("client").await, Err(LabError::Name(_))));
}

/// Any program of that name in the node's network is taken for the speaker: here a sleep.
async fn freezes(lab: &Lab) {
    let speaker = lab.scratch_file("speaker", "").await.unwrap();
    std::fs::copy("/bin/sleep", &speaker).unwrap();
    let (program, first) = lab.exec_command("n2").unwrap();
    let mut command = tokio::process::Command::new(program);
    let mut child = command
        .args(first)
        .args([&speaker, "300"])
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let state = format!("/proc/{}/stat", child.id().unwrap());
    let state = || {
        std::fs::read_to_string(&state)
            .unwrap()
            .rsplit(") ")
            .next()
            .unwrap()
            .chars()
            .next()
    };
    // The namespace is entered first and the program executed then.
    while lab.freeze("n2").await.is_err() {
        assert!(child.try_wait().unwrap().is_none());
    }
    // kill(2) returns before a process that runs has taken the signal.
    let becomes = async |wanted| {
        while state() != Some(wanted) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(SOON, becomes('T')).await.unwrap();
    lab.thaw("n2").await.unwrap();
    tokio::time::timeout(SOON, becomes('S')).await.unwrap();
}

async fn pauses(lab: &Lab) {
    let nodes: Api<Node> = Api::all(lab.client().await.unwrap());
    lab.pause_api().await.unwrap();
    assert!(
        tokio::time::timeout(Duration::from_secs(1), nodes.get("n1"))
            .await
            .is_err()
    );
    lab.resume_api().await.unwrap();
    nodes.get("n1").await.unwrap();
}

/// The new API server has what was stored, and tells a watch that goes on from before that it knows no history.
async fn restarts(lab: &Lab) {
    let nodes: Api<Node> = Api::all(lab.client().await.unwrap());
    let before = nodes.list(&ListParams::default()).await.unwrap();
    let version = before.metadata.resource_version.unwrap();
    // A version that nothing has come after is no history that could be lacking.
    let change = Patch::Merge(json!({ "metadata": { "labels": { "changed": "once" } } }));
    nodes.patch("n1", &PatchParams::default(), &change).await.unwrap();
    lab.restart_api().await.unwrap();
    nodes.get("n1").await.unwrap();
    let mut events = pin!(nodes.watch(&WatchParams::default(), &version).await.unwrap());
    match tokio::time::timeout(SOON, events.next()).await.unwrap() {
        Some(Ok(WatchEvent::Error(status))) => assert_eq!(status.code, 410, "{status:?}"),
        other => panic!("a watch from version {version} was told {other:?}"),
    }

    lab.kill_api().await.unwrap();
    nodes.get("n1").await.unwrap_err();
    assert!(matches!(lab.kill_api().await, Err(LabError::NoProcess { .. })));
    lab.start_api().await.unwrap();
    assert!(matches!(lab.start_api().await, Err(LabError::ApiRuns)));
    nodes.get("n1").await.unwrap();
}

/// The account's rights and no more, and every fault as a client sees it: code and `Retry-After`, or nothing.
async fn relays(lab: &Lab) {
    let kubectl = async |words: &str| {
        let output = lab.kubectl(&words.split(' ').collect::<Vec<_>>()).await.unwrap();
        assert!(output.status.success(), "{words}: {output:?}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    let token = format!("Authorization: Bearer {}", kubectl("create token default").await);
    let relay = Relay::start(lab).await.unwrap();
    let service = format!("{}/api/v1/namespaces/default/services/web", relay.url());
    let told = async |words: &[&str]| {
        let curl = [
            "curl",
            "-s",
            "-o",
            "/dev/null",
            "-w",
            "%{http_code} %header{retry-after}",
        ];
        said(lab, "n1", &[&curl, words, &[service.as_str()]].concat()).await
    };
    assert_eq!(told(&[]).await, "403", "nobody has no rights");
    assert_eq!(told(&["-H", &token]).await, "403");
    kubectl("create rolebinding relayed --clusterrole=admin --serviceaccount=default:default").await;
    let get = async || told(&["-H", &token]).await;
    tokio::time::timeout(SOON, async { while get().await != "200" {} })
        .await
        .unwrap();

    let label = async |value: &str| {
        let body = format!(r#"{{"metadata":{{"labels":{{"relayed":"{value}"}}}}}}"#);
        let merge = "Content-Type: application/merge-patch+json";
        told(&["-X", "PATCH", "-H", &token, "-H", merge, "-d", &body]).await
    };
    let stored = || kubectl("get service web -o jsonpath={.metadata.labels.relayed}");
    assert_eq!(label("first").await, "200");
    let all = |set: fn(&mut Faults)| {
        let mut faults = Faults::default();
        set(&mut faults);
        relay.set(faults);
    };
    all(|faults| faults.conflict = 100);
    assert_eq!(label("conflict").await, "409");
    all(|faults| faults.contested = 100);
    let version = "get service web -o jsonpath={.metadata.resourceVersion}";
    let from = kubectl(version).await;
    let body = format!(r#"{{"metadata":{{"resourceVersion":"{from}","labels":{{"relayed":"contested"}}}}}}"#);
    let merge = "Content-Type: application/merge-patch+json";
    let contested = ["-X", "PATCH", "-H", &token, "-H", merge, "-d", &body];
    assert_eq!(told(&contested).await, "409");
    assert_ne!(kubectl(version).await, from);
    all(|faults| faults.throttled = 100);
    assert_eq!(label("throttled").await, "429 1");
    all(|faults| faults.failed = 100);
    assert_eq!(label("failed").await, "500");
    assert_eq!((stored().await, relay.counts().refused), ("first".to_owned(), 1));
    all(|faults| faults.lost = 100);
    assert_eq!(
        (label("lost").await, stored().await),
        ("000".to_owned(), "lost".to_owned())
    );

    let delay = Duration::from_millis(300);
    all(|faults| faults.delay = Duration::from_millis(300));
    let mut arrivals = relay.arrivals();
    let begin = std::time::Instant::now();
    let (answer, write) = tokio::join!(label("late"), arrivals.next_of("services/web", SOON));
    assert_eq!(
        (answer.as_str(), write.unwrap().as_str()),
        ("200", "PATCH /api/v1/namespaces/default/services/web")
    );
    assert!(begin.elapsed() >= delay);
    assert_eq!(get().await, "200");
    drop(relay);
    assert_eq!(told(&["--max-time", "2"]).await, "000");
}
