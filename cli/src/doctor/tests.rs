use super::*;
use crate::facts::tests::{
    from, has, mk_advertisement, mk_announcer, mk_facts, mk_pod, mk_pool, mk_served, mk_service, mk_slice,
};
use crate::facts::{Elsewhere, Membership, Told};
use crate::page::tests::{lines, shown, wide_lines};
use crate::page::{Format, render};
use k8s_openapi::api::core::v1::ConfigMap;
use serde_json::{Value, json};
use std::collections::BTreeSet;

mod addresses;
mod speakers;

/// A cluster in which nothing is wrong: `web` has an address and is announced.
fn mk_healthy() -> (Facts, Around) {
    let mut facts = mk_facts();
    facts.services = vec![mk_served("web", 1, "172.21.5.240", "default")];
    facts.slices = vec![mk_slice("web", "n1")];
    facts.announcers = vec![mk_announcer("web", "n2")];
    let told = |node: &str| Told {
        pod: format!("speaker-{node}"),
        node: node.to_owned(),
        answer: Ok(Membership::default()),
    };
    let around = Around {
        definitions: Some(vec![mk_definition("ipaddresspools", "None")]),
        deployments: vec![from(mk_workload("controller", "controller"))],
        daemon_sets: vec![from(mk_workload("speaker", "speaker"))],
        membership: ["n1", "n2", "n3"].map(told).into(),
        ..Around::default()
    };
    (facts, around)
}

/// The workload of ours that runs `component`.
fn mk_workload(name: &str, component: &str) -> Value {
    json!({
        "metadata": { "name": name, "namespace": "metallb-system" },
        "spec": {
            "selector": {},
            "template": {
                "metadata": { "labels": { "cortenlb.io/component": component } },
                "spec": { "containers": [] },
            },
        },
    })
}

fn mk_definition(
    plural: &str,
    conversion: &str,
) -> k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition {
    from(json!({
        "metadata": { "name": format!("{plural}.metallb.io") },
        "spec": {
            "group": "metallb.io",
            "names": { "kind": "X", "plural": plural },
            "scope": "Namespaced",
            "versions": [],
            "conversion": { "strategy": conversion },
        },
    }))
}

/// What is found when the healthy cluster is changed so: `code severity: what`.
fn found(change: impl FnOnce(&mut Facts, &mut Around)) -> Vec<String> {
    let (mut facts, mut around) = mk_healthy();
    change(&mut facts, &mut around);
    let lines = report(&facts, &around).findings.into_iter().map(|finding| {
        let Finding {
            code,
            severity,
            what,
            why,
            fix,
        } = finding;
        assert!(!why.is_empty() && !fix.is_empty(), "{code}");
        format!("{code} {severity:?}: {what}")
    });
    lines.collect()
}

fn mk_proxy(conf: &str) -> ConfigMap {
    from(json!({
        "metadata": { "name": "kube-proxy", "namespace": "kube-system" },
        "data": { "config.conf": conf },
    }))
}

#[test]
fn a_healthy_cluster_has_no_findings() {
    let (facts, around) = mk_healthy();
    let report = report(&facts, &around);
    assert_eq!(shown(&report), "errors: 0, warnings: 0\n");
    assert!(!report.has_findings());
}

#[test]
fn a_finding_says_what_why_and_how_to_mend_it() {
    let (mut facts, around) = mk_healthy();
    facts.pods.pop();
    let report = report(&facts, &around);
    assert_eq!(wide_lines(&report), lines(&report), "as the help says");
    assert_eq!(
        shown(&report),
        "\
CLB011 error: no controller is Ready in namespace metallb-system
  why  no Service gets an address; those that have one keep it, and are announced
  fix  kubectl get pods -n metallb-system -l cortenlb.io/component=controller; kubectl describe deployment -n \
metallb-system controller
errors: 1, warnings: 0
"
    );
    assert!(report.has_findings());
    let json: Value = serde_json::from_str(&render(&report, Format::Json, false).unwrap()).unwrap();
    assert_eq!(json["findings"][0]["code"], "CLB011");
    assert_eq!(json["findings"][0]["severity"], "error");
}

#[test]
fn clb001_ipvs_without_strict_arp() {
    let with = |conf: &'static str| found(|_, around| around.kube_proxy = Some(vec![mk_proxy(conf)]));
    let expected =
        ["CLB001 Error: kube-proxy runs in IPVS mode without strictARP (ConfigMap kube-system/kube-proxy)"];
    assert_eq!(
        with("mode: ipvs\nipvs:\n  strictARP: false\n  scheduler: rr\n"),
        expected
    );
    assert_eq!(with("mode: ipvs\nipvs: {}\n"), expected);
    let none: [&str; 0] = [];
    assert_eq!(with("mode: ipvs\nipvs:\n  strictARP: true\n"), none);
    assert_eq!(with("mode: iptables\nipvs:\n  strictARP: false\n"), none);
    assert_eq!(with("mode: \"\"\n"), none);
}

#[test]
fn whether_strict_arp_is_needed_is_not_judged_where_kube_proxys_configuration_is_elsewhere() {
    let unread = |maps: Option<Vec<ConfigMap>>| {
        let (facts, mut around) = mk_healthy();
        around.kube_proxy = maps;
        let report = report(&facts, &around);
        assert!(!report.has_findings());
        report.unread
    };
    let none: [&str; 0] = [];
    assert_eq!(unread(Some(vec![mk_proxy("mode: iptables\n")])), none);
    assert_eq!(unread(None), none, "who may not read it is told why");
    let other: ConfigMap = from(json!({ "metadata": { "name": "kube-proxy" } }));
    for (maps, why) in [
        (vec![], "there is no ConfigMap kube-system/kube-proxy;"),
        (vec![other], "has no entry config.conf;"),
        (vec![mk_proxy("mode: [")], "makes no sense"),
    ] {
        let told = unread(Some(maps));
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(
            told[0].starts_with("whether kube-proxy runs in IPVS mode without strictARP: ")
                && told[0].contains(why)
                && told[0].ends_with("--ipvs-strict-arp"),
            "{told:?}"
        );
    }
}

#[test]
fn clb002_another_load_balancer() {
    let mk = |name: &str, label: Option<&str>, image: &str| -> k8s_openapi::api::apps::v1::DaemonSet {
        let labels = label.map_or_else(|| json!({}), |key| json!({ key: "web" }));
        from(json!({
            "metadata": { "name": name, "namespace": "kube-system", "labels": labels },
            "spec": {
                "selector": {},
                "template": { "spec": { "containers": [{ "name": "x", "image": image }] } },
            },
        }))
    };
    let service_lb = "CLB002 Error: k3s ServiceLB serves Services: DaemonSet kube-system/";
    assert_eq!(
        found(|_, around| around.daemon_sets = vec![mk("svclb-web-1", None, "x")]),
        [format!("{service_lb}svclb-web-1")]
    );
    assert_eq!(
        found(|_, around| {
            around.daemon_sets = vec![mk("other", Some("svccontroller.k3s.cattle.io/svcname"), "x")];
        }),
        [format!("{service_lb}other")]
    );
    assert_eq!(
        found(|_, around| around.daemon_sets = vec![mk("vip", None, "ghcr.io/kube-vip/kube-vip:v1")]),
        ["CLB002 Warning: kube-vip runs: DaemonSet kube-system/vip"]
    );
    let none: [&str; 0] = [];
    assert_eq!(
        found(|_, around| around.daemon_sets = vec![mk("cni", None, "cilium")]),
        none
    );
}

#[test]
fn clb003_metallb_runs() {
    let mk = |namespace: &str| -> k8s_openapi::api::core::v1::Pod {
        from(json!({ "metadata": {
            "name": "speaker-x", "namespace": namespace, "labels": { "app": "metallb", "component": "speaker" },
        } }))
    };
    for namespace in ["metallb-system", "elsewhere"] {
        assert_eq!(
            found(|_, around| around.metallb_pods = vec![mk(namespace)]),
            [format!(
                "CLB003 Error: MetalLB runs in namespace {namespace}: pod speaker-x"
            )]
        );
    }
    let none: [&str; 0] = [];
    assert_eq!(
        found(|_, around| around.metallb_pods = vec![mk_pod("speaker", "n1", true)]),
        none,
        "ours is none of MetalLB's"
    );
}

#[test]
fn clb007_objects_in_the_wrong_namespace() {
    let told = found(|_, around| {
        around.elsewhere = vec![Elsewhere {
            kind: "IPAddressPool".to_owned(),
            plural: "ipaddresspools".to_owned(),
            namespace: "default".to_owned(),
            name: "p".to_owned(),
        }];
    });
    assert_eq!(
        told,
        ["CLB007 Error: IPAddressPool default/p is not in namespace metallb-system"]
    );
}

#[test]
fn clb008_objects_that_are_ignored() {
    let state = |result: &str| -> cortenlb_crds::ConfigurationState {
        from(json!({
            "apiVersion": "metallb.io/v1beta1", "kind": "ConfigurationState", "metadata": { "name": "controller" },
            "status": { "result": result, "errorSummary": "something" },
        }))
    };
    let told = found(|facts, _| {
        facts.pools.push(mk_pool("bad", &["x"]));
        facts.states = vec![state("Invalid")];
    });
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(
        told[0].starts_with("CLB008 Error: IPAddressPool bad is ignored: spec.addresses[0]: "),
        "{told:?}"
    );
    let told = found(|facts, _| {
        let spec = json!({ "nodeSelectors": [{ "matchExpressions": [{ "key": "a", "operator": "Near" }] }] });
        facts.advertisements.push(mk_advertisement("odd", spec));
    });
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(
        told[0].contains("L2Advertisement \"odd\" is ignored: spec.nodeSelectors"),
        "{told:?}"
    );
    assert_eq!(
        found(|facts, _| facts.states = vec![state("Invalid")]),
        ["CLB008 Error: ConfigurationState controller: something"]
    );
    let none: [&str; 0] = [];
    assert_eq!(found(|facts, _| facts.states = vec![state("Valid")]), none);
}

#[test]
fn clb014_and_clb015_what_metallb_leaves_behind() {
    let mk = |name: &str| from(json!({ "metadata": { "name": name } }));
    assert_eq!(
        found(|_, around| around.webhooks = vec![mk("others"), mk("metallb-webhook-configuration")]),
        ["CLB014 Error: ValidatingWebhookConfiguration metallb-webhook-configuration is left from MetalLB"]
    );
    let none: [&str; 0] = [];
    assert_eq!(found(|_, around| around.webhooks = vec![mk("others")]), none);
    let definitions = |around: &mut Around, strategy: &str| {
        let definitions = around.definitions.as_mut().unwrap();
        definitions.push(mk_definition("bgppeers", strategy));
    };
    assert_eq!(
        found(|_, around| definitions(around, "Webhook")),
        [
            "CLB015 Error: CustomResourceDefinition bgppeers.metallb.io has a conversion webhook left from MetalLB"
        ]
    );
    assert_eq!(found(|_, around| definitions(around, "None")), none);
}

#[test]
fn clb018_bgp_and_clb019_nothing_installed() {
    let peer = from(json!({
        "apiVersion": "metallb.io/v1beta2", "kind": "BGPPeer", "metadata": { "name": "router" },
        "spec": { "myASN": 64512, "peerASN": 64513, "peerAddress": "172.21.5.1" },
    }));
    assert_eq!(
        found(|_, around| around.peers = vec![peer]),
        ["CLB018 Warning: objects without effect: BGPPeer router"]
    );
    assert_eq!(
        found(|_, around| around.definitions = Some(Vec::new())),
        ["CLB019 Error: CustomResourceDefinition ipaddresspools.metallb.io is not there"]
    );
    let none: [&str; 0] = [];
    assert_eq!(
        found(|_, around| around.definitions = None),
        none,
        "who may not read them cannot say"
    );
}

#[test]
fn clb020_an_advertisement_that_names_an_unknown_pool() {
    let with = |pools: &'static [&'static str]| {
        found(|facts, _| {
            let spec = json!({ "ipAddressPools": pools });
            facts.advertisements.push(mk_advertisement("typo", spec));
        })
    };
    assert_eq!(
        with(&["default", "defualt"]),
        [
            "CLB020 Warning: L2Advertisement typo names an IPAddressPool that does not exist: \"defualt\" \
             (spec.ipAddressPools[1])"
        ]
    );
    let none: [&str; 0] = [];
    assert_eq!(with(&["default"]), none);
    let (mut facts, around) = mk_healthy();
    facts.pools.clear();
    facts.services.clear();
    facts.advertisements = vec![mk_advertisement("typo", json!({ "ipAddressPools": ["x"] }))];
    let told = report(&facts, &around).findings;
    let says = |finding: &Finding| finding.fix.contains("those that exist: none");
    assert!(told.iter().any(says), "{told:?}");
}

#[test]
fn what_cannot_be_read_is_named() {
    let (facts, mut around) = mk_healthy();
    around.unread = vec!["daemonsets (apps/v1) cannot be listed: forbidden".to_owned()];
    around.membership[0].answer = Err("no answer".to_owned());
    assert_eq!(
        shown(&report(&facts, &around)),
        "not judged: daemonsets (apps/v1) cannot be listed: forbidden\nnot judged: whether the speaker on n1 \
         (speaker-n1) hears the others: no answer\nerrors: 0, warnings: 0\n"
    );
}

/// All codes, as they are written.
fn codes() -> Vec<String> {
    let numbers = Code::StrictArp as u16..=Code::UnknownPool as u16;
    numbers.map(|number| format!("CLB{number:03}")).collect()
}

#[test]
fn each_code_has_a_section() {
    let page = include_str!("../../../docs/doctor.md");
    let sections: Vec<&str> = page
        .lines()
        .filter_map(|line| line.strip_prefix("## ")?.split_once(':'))
        .map(|(code, _)| code)
        .collect();
    assert_eq!(sections, codes());
    assert_eq!(Code::StrictArp.to_string(), "CLB001");
}

#[test]
fn each_symptom_ends_in_the_codes_that_find_it() {
    let page = include_str!("../../../docs/troubleshooting.md");
    let mut told = BTreeSet::new();
    let sections = page.split("\n## ").skip(1);
    for section in sections.filter(|section| !section.starts_with("Still stuck\n")) {
        let (_, end) = section.trim_end().rsplit_once("\n\n").unwrap();
        let links =
            end.strip_prefix("[`kubectl cortenlb doctor`](kubectl-cortenlb.md#doctor) finds of this:\n");
        let links = links.unwrap_or_else(|| panic!("a section ends in {end:?}"));
        for link in links.lines() {
            let link = link
                .strip_prefix('[')
                .and_then(|link| link.split_once("](doctor.md#"));
            let (code, heading) = link.unwrap_or_else(|| panic!("{links:?}"));
            let anchor = format!("{}-", code.to_lowercase());
            assert!(heading.starts_with(&anchor), "{code} leads to {heading}");
            told.insert(code.to_owned());
        }
    }
    assert_eq!(Vec::from_iter(told), codes(), "each code is found by a symptom");
}
