use super::*;
use crate::facts::Attached;
use crate::facts::tests::{
    has, mk_advertisement, mk_announcer, mk_facts, mk_pod, mk_pool, mk_pool_with, mk_served, mk_service,
    mk_slice,
};
use crate::page::tests::{lines, shown, wide_lines};
use crate::page::{Format, render};
use serde_json::{Value, json};

fn key(name: &str) -> ServiceKey {
    ServiceKey::new("shop", name)
}

/// Service `web` has an address, and n2 announces it.
fn mk_calm() -> Facts {
    let mut facts = mk_facts();
    facts.services = vec![mk_served("web", 1, "172.21.5.240", "default")];
    facts.slices = vec![mk_slice("web", "n1")];
    facts.announcers = vec![mk_announcer("web", "n2")];
    facts
}

#[test]
fn a_service_that_is_served() {
    let mut facts = mk_calm();
    facts.pools.push(mk_pool("spare", &["172.21.6.0/24"]));
    facts.pods[2] = mk_pod("speaker", "n3", false);
    let why = service(&facts, &[], &key("web"), None).unwrap();
    assert_eq!(
        shown(&why),
        "\
Service shop/web
  asks for  an IPv4 address
  has       172.21.5.240 from pool \"default\"

Pools, in the order in which they are tried
POOL      VERDICT      WHY
default   taken        gave 172.21.5.240
spare     not needed   would give 172.21.6.0; what the Service has stays

Announcement
  announced by  node n2 for 5m (l2-web)
NODE   CAN   WHY                        TO CHANGE IT
n1     yes   stands by                  -
n2     yes   announces it               -
n3     no    the speaker is not Ready   kubectl describe pod -n metallb-system speaker-n3
"
    );
    assert!(!why.has_findings());
}

#[test]
fn wide_has_preference_and_interfaces_of_nodes() {
    let why = service(&mk_calm(), &[], &key("web"), None).unwrap();
    let wide = wide_lines(&why);
    let nodes = wide
        .iter()
        .position(|line| line == "NODE CAN PREFERENCE INTERFACES WHY TO CHANGE IT");
    let first = &wide[nodes.unwrap() + 1];
    assert!(
        first.starts_with("n1 yes ") && first.ends_with(" all stands by -"),
        "{wide:#?}"
    );
}

/// What the speaker on a node says of its interfaces: whether each has carrier, and its prefixes.
fn mk_told(node: &str, interfaces: &[(bool, &[&str])]) -> Told<Membership> {
    let interfaces = interfaces.iter().map(|(carrier, prefixes)| Attached {
        carrier: *carrier,
        prefixes: prefixes.iter().map(|prefix| (*prefix).to_owned()).collect(),
    });
    Told {
        pod: format!("speaker-{node}"),
        node: node.to_owned(),
        answer: Ok(Membership {
            attached: Some(interfaces.collect()),
            ..Membership::default()
        }),
    }
}

/// The lines of the nodes.
fn nodes(facts: &Facts, told: &[Told<Membership>]) -> Vec<String> {
    let lines = lines(&service(facts, told, &key("web"), None).unwrap());
    let head = lines.iter().position(|line| line.starts_with("NODE CAN WHY"));
    lines[head.unwrap() + 1..].to_vec()
}

#[test]
fn a_node_whose_interface_towards_the_address_has_no_carrier_does_not_stand_by() {
    let told = [
        mk_told("n1", &[(false, &["172.21.5.0/24"]), (true, &["192.168.0.0/24"])]),
        mk_told("n2", &[(false, &["172.21.5.0/24"])]),
        mk_told("n3", &[(false, &["172.21.5.0/24"]), (true, &["172.21.0.0/16"])]),
    ];
    assert_eq!(
        nodes(&mk_calm(), &told),
        [
            "n1 no no carrier towards 172.21.5.240 plug in or set up the interface on n1 that leads to 172.21.5.240",
            "n2 yes announces it; no carrier towards 172.21.5.240 plug in or set up the interface on n2 that leads to \
             172.21.5.240",
            "n3 yes stands by -",
        ]
    );
}

#[test]
fn an_interface_in_the_subnet_is_missed_only_where_it_is_asked_for() {
    let mut facts = mk_calm();
    let told = [
        mk_told("n1", &[(true, &["192.168.0.0/24", "fd00:5::/64"])]),
        mk_told("n2", &[(true, &["172.21.5.0/24"])]),
        mk_told("n3", &[]),
    ];
    let able = [
        "n1 yes stands by -",
        "n2 yes announces it -",
        "n3 yes stands by -",
    ];
    assert_eq!(nodes(&facts, &told), able);
    let annotations = facts.advertisements[0]
        .metadata
        .annotations
        .get_or_insert_default();
    annotations.insert("cortenlb.io/require-subnet".to_owned(), "true".to_owned());
    let change = |node: &str| {
        format!(
            "an interface on {node} in the subnet of 172.21.5.240, or no annotation cortenlb.io/require-subnet on the \
             L2Advertisement"
        )
    };
    assert_eq!(
        nodes(&facts, &told),
        [
            format!(
                "n1 no no interface in the subnet of 172.21.5.240 {}",
                change("n1")
            ),
            "n2 yes announces it -".to_owned(),
            format!(
                "n3 no no interface in the subnet of 172.21.5.240 {}",
                change("n3")
            ),
        ]
    );
}

#[test]
fn of_interfaces_that_no_speaker_tells_of_nothing_is_said() {
    let mut told = [mk_told("n1", &[]), mk_told("n3", &[])];
    told[0].answer = Err("no answer".to_owned());
    // As a speaker of an earlier version answers.
    told[1].answer = crate::gather::speakers::understood(r#"{"unheard": false}"#);
    let mut facts = mk_calm();
    let annotations = facts.advertisements[0]
        .metadata
        .annotations
        .get_or_insert_default();
    annotations.insert("cortenlb.io/require-subnet".to_owned(), "true".to_owned());
    assert_eq!(
        nodes(&facts, &told),
        [
            "n1 yes stands by -",
            "n2 yes announces it -",
            "n3 yes stands by -"
        ]
    );
}

#[test]
fn each_address_of_the_group_is_looked_at() {
    let mut facts = mk_calm();
    facts.services = vec![mk_service("web", 1, |object| {
        has(object, "172.21.5.240", "default");
        object["spec"]["clusterIPs"] = json!(["10.96.0.1", "fd00:96::1"]);
        object["spec"]["ipFamilies"] = json!(["IPv4", "IPv6"]);
        object["spec"]["ipFamilyPolicy"] = "RequireDualStack".into();
        object["status"]["loadBalancer"]["ingress"] =
            json!([{ "ip": "172.21.5.240" }, { "ip": "fd00:5::1" }]);
    })];
    facts.pools = vec![mk_pool("default", &["172.21.5.240/28", "fd00:5::/120"])];
    let told = [mk_told("n1", &[(false, &["172.21.5.0/24", "fd00:5::/64"])])];
    let lines = nodes(&facts, &told);
    let both = "n1 no no carrier towards 172.21.5.240, no carrier towards fd00:5::1 ";
    assert!(lines[0].starts_with(both), "{lines:#?}");
}

#[test]
fn a_service_for_which_the_pool_has_nothing_left() {
    let mut facts = mk_calm();
    facts.pools = vec![
        mk_pool("default", &["172.21.5.240/32"]),
        mk_pool("bad", &["nonsense"]),
        mk_pool_with(
            "others",
            json!({ "addresses": ["172.21.7.0/31"], "serviceAllocation": { "namespaces": ["other"] } }),
        ),
    ];
    facts.services.push(mk_service("late", 2, |_| {}));
    let why = service(&facts, &[], &key("late"), None).unwrap();
    let lines = lines(&why);
    let expected = [
        "Service shop/late",
        "asks for an IPv4 address",
        "has no address",
        "why NoAddressAvailable: no available IPs: pool \"default\" has no free IPv4 address",
        "to change it add addresses (kubectl edit ipaddresspool -n metallb-system default), or delete a Service that has one",
        "Pools, in the order in which they are tried",
        "POOL VERDICT WHY",
        "others refused its serviceAllocation does not select this service",
        "default refused has no free IPv4 address",
    ];
    assert_eq!(lines[..expected.len()], expected);
    assert!(lines[expected.len()].starts_with("bad ignored spec.addresses[0]: invalid CIDR \"nonsense\""));
    assert!(lines.contains(&"announced by nobody".to_owned()), "{lines:#?}");
    assert!(lines.contains(&"why not NoAddress: the Service has no address".to_owned()));
    assert!(why.has_findings());
}

#[test]
fn a_service_that_no_pool_selects() {
    let mut facts = mk_calm();
    facts.pools = vec![mk_pool_with(
        "others",
        json!({ "addresses": ["172.21.7.0/31"], "serviceAllocation": { "namespaces": ["other"] } }),
    )];
    facts.services = vec![mk_service("late", 2, |_| {})];
    let lines = lines(&service(&facts, &[], &key("late"), None).unwrap());
    let why = "why NoAddressAvailable: no available IPs: there is no valid IPAddressPool for this service; no \
               serviceAllocation of those that there are selects it: compare their namespaces, namespaceSelectors and \
               serviceSelectors with its namespace and with the labels of both";
    assert_eq!(lines[3], why);
    let advice = "to change it let a pool serve it (spec.serviceAllocation of those in namespace metallb-system), or create \
                  one that does";
    assert_eq!(lines[4], advice);
}

#[test]
fn each_node_says_why_not_and_what_would_change_it() {
    let mut facts = mk_calm();
    facts.services = vec![mk_service("web", 1, |object| {
        has(object, "172.21.5.240", "default");
        object["spec"]["externalTrafficPolicy"] = "Local".into();
    })];
    let nodes = json!([{ "matchExpressions": [
        { "key": "kubernetes.io/hostname", "operator": "NotIn", "values": ["n4"] },
    ] }]);
    facts.advertisements = vec![mk_advertisement("ours", json!({ "nodeSelectors": nodes }))];
    facts.nodes.push(crate::facts::tests::mk_node(4));
    let label = |facts: &mut Facts, node: usize, key: &str, value: &str| {
        let labels = facts.nodes[node].metadata.labels.get_or_insert_default();
        labels.insert(key.to_owned(), value.to_owned());
    };
    label(
        &mut facts,
        1,
        "node.kubernetes.io/exclude-from-external-load-balancers",
        "",
    );
    label(&mut facts, 3, "kubernetes.io/hostname", "n4");
    facts.announcers.clear();
    facts.pods.push(mk_pod("speaker", "n4", true));
    let why = service(&facts, &[], &key("web"), None).unwrap();
    let lines = lines(&why);
    let expected = [
        "announced by nobody",
        "NODE CAN WHY TO CHANGE IT",
        "n1 yes stands by -",
        "n2 no excluded by label node.kubernetes.io/exclude-from-external-load-balancers kubectl label node n2 \
         node.kubernetes.io/exclude-from-external-load-balancers-",
        "n3 no no ready endpoint there (externalTrafficPolicy: Local) a ready pod of the Service on n3, or \
         externalTrafficPolicy: Cluster",
        "n4 no not selected by L2Advertisement ours kubectl edit l2advertisement -n metallb-system ours \
         (spec.nodeSelectors)",
    ];
    assert_eq!(lines[lines.len() - expected.len()..], expected);
    assert!(why.has_findings(), "nobody announces it");

    let one = service(&facts, &[], &key("web"), Some("n3")).unwrap();
    let shown = shown(&one);
    assert!(shown.contains("\nn3 ") && !shown.contains("\nn1 "), "{shown}");
    let error = service(&facts, &[], &key("web"), Some("n9")).unwrap_err();
    assert_eq!(
        error.to_string(),
        "there is no Node \"n9\"; --node takes one of: n1, n2, n3, n4"
    );
}

#[test]
fn what_keeps_every_node_from_it_is_told_once() {
    let mut facts = mk_calm();
    facts.advertisements.clear();
    let told = lines(&service(&facts, &[], &key("web"), None).unwrap());
    assert!(
        told.contains(
            &"why not NoAdvertisement: no L2Advertisement selects IPAddressPool \"default\"; one with an empty spec would \
              announce every pool"
                .to_owned()
        ),
        "{told:#?}"
    );
    facts = mk_calm();
    facts.slices.clear();
    let told = lines(&service(&facts, &[], &key("web"), None).unwrap());
    let change = "to change it kubectl get endpointslices -n shop -l kubernetes.io/service-name=web";
    assert!(told.contains(&change.to_owned()), "{told:#?}");
}

#[test]
fn a_service_that_is_not_ours_is_an_error_that_says_how_to_mend_it() {
    let mut facts = mk_calm();
    let with = |field: &'static str, value: &'static str| {
        move |object: &mut Value| object["spec"][field] = value.into()
    };
    facts
        .services
        .push(mk_service("inner", 2, with("type", "ClusterIP")));
    facts
        .services
        .push(mk_service("other", 3, with("loadBalancerClass", "example.com/x")));
    let error = |name: &str| service(&facts, &[], &key(name), None).unwrap_err().to_string();
    assert_eq!(
        error("gone"),
        "there is no Service shop/gone; `kubectl get services -A` lists them"
    );
    assert!(
        error("inner").contains("is of type ClusterIP"),
        "{}",
        error("inner")
    );
    assert!(
        error("other").contains("serves those without a class"),
        "{}",
        error("other")
    );
}

#[test]
fn programs_get_the_same_record() {
    let why = service(&mk_calm(), &[], &key("web"), None).unwrap();
    let json: Value = serde_json::from_str(&render(&why, Format::Json, false).unwrap()).unwrap();
    assert_eq!(json["addresses"], json!(["172.21.5.240"]));
    assert_eq!(json["pools"][0]["verdict"], "taken");
    assert_eq!(json["announcement"]["announcedBy"][0]["node"], "n2");
    assert_eq!(json["announcement"]["nodes"][1]["announces"], true);
}

#[test]
fn what_the_controller_said_is_shown() {
    let mut facts = mk_calm();
    facts.services = vec![mk_service("web", 1, |object| {
        has(object, "172.21.5.240", "default");
        object["status"]["conditions"] = json!([{
            "type": "cortenlb.io/AddressAssigned", "status": "True", "reason": "Assigned",
            "message": "172.21.5.240 from pool \"default\"", "lastTransitionTime": "2026-03-01T10:00:00Z",
        }, {
            "type": "example.com/Other", "status": "True", "reason": "X", "message": "y",
            "lastTransitionTime": "2026-03-01T10:00:00Z",
        }]);
    })];
    let told = lines(&service(&facts, &[], &key("web"), None).unwrap());
    let last = told.last().unwrap();
    assert_eq!(
        last,
        "cortenlb.io/AddressAssigned True 2h Assigned 172.21.5.240 from pool \"default\""
    );
}
