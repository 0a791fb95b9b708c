use super::file::parse;
use super::*;
use crate::facts::tests::{
    SYSTEM, mk_advertisement, mk_announcer, mk_facts, mk_pool, mk_served, mk_service, mk_slice,
};
use crate::page::tests::{lines, shown, wide_lines};
use serde_json::json;

const SHRUNK: &str = "\
apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata:
  name: default
spec:
  addresses: [172.21.5.240/32]
---
apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata:
  name: late
  namespace: metallb-system
spec:
  addresses: [172.21.6.0/31]
  serviceAllocation:
    namespaces: [shop]
---
apiVersion: v1
kind: Namespace
metadata:
  name: shop
";

/// `keeps` and `loses` have addresses, `waits` has none.
fn mk_cluster() -> Facts {
    let mut facts = mk_facts();
    facts.pools = vec![mk_pool("default", &["172.21.5.240-172.21.5.241"])];
    facts.services = vec![
        mk_served("keeps", 1, "172.21.5.240", "default"),
        mk_served("loses", 2, "172.21.5.241", "default"),
        mk_service("waits", 3, |_| {}),
    ];
    facts
}

fn edit(text: &str) -> Edit {
    parse(text, SYSTEM).unwrap()
}

#[test]
fn an_edit_says_whom_it_strands_and_whom_it_serves() {
    let plan = report(&mk_cluster(), &edit(SHRUNK));
    assert_eq!(wide_lines(&plan), lines(&plan), "as the help says");
    assert_eq!(
        shown(&plan),
        "\
Pools
POOL      CHANGE    STATE
default   changed   used
late      created   used

Services
SERVICE      EFFECT         BEFORE         AFTER          WHY
shop/loses   stranded       172.21.5.241   172.21.5.241   no valid pool would contain it (it came from \"default\"); it \
stays until the Service goes
shop/waits   newly served   -              172.21.6.0     from pool \"late\"
Services that would notice nothing: 1
passed over: Namespace shop
"
    );
    assert!(plan.has_findings());
}

#[test]
fn an_edit_that_only_adds_has_no_findings() {
    let more = SHRUNK.replace("172.21.5.240/32", "172.21.5.240-172.21.5.250");
    let plan = report(&mk_cluster(), &edit(&more));
    assert!(!plan.has_findings());
    assert_eq!(plan.unchanged, 2);
}

#[test]
fn where_the_controller_takes_addresses_away_a_service_moves_or_loses_it() {
    let mut facts = mk_cluster();
    let spec = facts.pods[3].spec.as_mut().unwrap();
    spec.containers[0].args = Some(vec!["--reassign-on-pool-change".to_owned()]);
    let text = lines(&report(&facts, &edit(SHRUNK))).join("\n");
    assert!(
        text.contains("shop/loses moves 172.21.5.241 172.21.6.0 from pool \"default\" to pool \"late\""),
        "{text}"
    );
    let alone = SHRUNK.split("---").next().unwrap();
    let text = lines(&report(&facts, &edit(alone))).join("\n");
    assert!(
        text.contains("shop/loses loses its address 172.21.5.241 - no available IPs"),
        "{text}"
    );
}

#[test]
fn a_new_pool_takes_nothing_from_an_older_one_and_says_so() {
    let overlap = SHRUNK
        .replace("172.21.6.0/31", "172.21.5.240/31")
        .replace("172.21.5.240/32", "172.21.5.240/31");
    let plan = report(&mk_cluster(), &edit(&overlap));
    let late = plan.pools.iter().find(|pool| pool.pool == "late").unwrap();
    assert!(
        late.ignored.as_ref().is_some_and(|why| why.contains("overlaps")),
        "{late:?}"
    );
    assert!(plan.has_findings());
}

#[test]
fn what_is_left_out_is_deleted_only_if_that_is_asked_for() {
    let late = SHRUNK.split("---").nth(1).unwrap();
    let mut edit = edit(late);
    assert!(!report(&mk_cluster(), &edit).has_findings());
    edit.prune = true;
    let plan = report(&mk_cluster(), &edit);
    let text = lines(&plan).join("\n");
    assert!(text.contains("default deleted -"), "{text}");
    assert!(
        text.contains("shop/keeps stranded 172.21.5.240 172.21.5.240"),
        "{text}"
    );
}

#[test]
fn what_nobody_would_announce_any_more_is_told() {
    let mut facts = mk_cluster();
    facts.slices = vec![mk_slice("keeps", "n1")];
    facts.announcers = vec![mk_announcer("keeps", "n1")];
    let narrower = "\
apiVersion: metallb.io/v1beta1
kind: L2Advertisement
metadata: { name: all }
spec: { ipAddressPools: [late] }
";
    let text = lines(&report(&facts, &edit(narrower))).join("\n");
    assert!(
        text.contains(
            "shop/keeps not announced 172.21.5.240 172.21.5.240 no L2Advertisement selects IPAddressPool"
        ),
        "{text}"
    );
    facts.advertisements = vec![mk_advertisement("all", json!({ "ipAddressPools": ["default"] }))];
    let text = lines(&report(&facts, &edit(SHRUNK))).join("\n");
    assert!(
        text.contains("shop/waits newly served - 172.21.6.0 from pool \"late\", which no L2Advertisement"),
        "{text}"
    );
}

#[test]
fn a_list_is_read_as_kubectl_writes_it() {
    let list = r#"{"apiVersion": "v1", "kind": "List", "items": [{"apiVersion": "metallb.io/v1beta1",
        "kind": "IPAddressPool", "metadata": {"name": "p"}, "spec": {"addresses": ["10.0.0.0/24"]}}]}"#;
    assert_eq!(edit(list).pools[0].name_any(), "p");
    assert!(edit("---\n---\n").pools.is_empty());
}

#[test]
fn mistakes_are_told_with_their_place() {
    let mistake = |text: &str| parse(text, SYSTEM).unwrap_err();
    let elsewhere = SHRUNK.replace("namespace: metallb-system", "namespace: other");
    let (place, why) = mistake(&elsewhere);
    assert_eq!(place, 2);
    assert!(
        why.starts_with("IPAddressPool late is in namespace \"other\""),
        "{why}"
    );
    let (place, why) = mistake(&SHRUNK.replace("addresses: [172.21.5.240/32]", "addreses: []"));
    assert_eq!(
        (place, why.contains("spec.addreses is unknown")),
        (1, true),
        "{why}"
    );
    let (_, why) = mistake(&SHRUNK.replace("addresses: [172.21.5.240/32]", "autoAssign: true"));
    assert!(why.contains("missing field `addresses`"), "{why}");
    let (_, why) = mistake("a: [");
    assert!(why.starts_with("is no YAML: ") && !why.contains('\n'), "{why}");
    assert!(mistake("a: 1").1.contains("it has no kind"));
}
