use super::*;
use crate::facts::tests::{mk_announcer, mk_facts, mk_pool, mk_served, mk_service};
use crate::failovers::tests::{DEAD, mk_told};
use crate::page::tests::{lines, shown, wide_lines};
use serde_json::json;

#[test]
fn pools_addresses_and_those_who_wait() {
    let mut facts = mk_facts();
    facts.pools.push(mk_pool("six", &["fd00::/64"]));
    facts.pools.push(mk_pool("twice", &["172.21.5.250-172.21.5.251"]));
    facts.services = vec![
        mk_served("web", 1, "172.21.5.240", "default"),
        mk_served("dns", 2, "172.21.5.241", "default"),
        mk_service("six", 3, |object| {
            object["spec"]["clusterIPs"] = json!(["fd01::1"]);
        }),
        mk_service("wrong", 4, |object| {
            object["metadata"]["annotations"]["metallb.io/address-pool"] = "none".into();
        }),
    ];
    facts.announcers = vec![mk_announcer("web", "n2")];
    let status = report(&facts, &[mk_told("n2", DEAD)]);
    assert_eq!(
        shown(&status),
        "\
Pools
POOL      IPV4              IPV6                 AUTO ASSIGN   STATE
default   ██░░░░░░░░ 2/11   -                    yes           used
six       -                 █░░░░░░░░░ 1/≥2^64   yes           used
twice     -                 -                    no            ignored: CIDR 172.21.5.250-172.21.5.251 in pool \"twice\" \
overlaps with already defined CIDR 172.21.5.240-172.21.5.250 of the older pool \"default\"; pool \"twice\" is ignored \
until one of them is changed

Addresses
ADDRESS        SERVICE    POOL      OWNER    SINCE   LAST MOVE
172.21.5.240   shop/web   default   n2       5m      3m ago from n1 (OwnerDead)
172.21.5.241   shop/dns   default   nobody   -       3m ago from n1 (OwnerDead)
fd00::         shop/six   six       nobody   -       -

Without an address
SERVICE      REASON        MESSAGE
shop/wrong   UnknownPool   unknown pool \"none\"
"
    );
}

#[test]
fn wide_has_the_time_of_the_last_move() {
    let mut facts = mk_facts();
    facts.services = vec![mk_served("web", 1, "172.21.5.240", "default")];
    let wide = wide_lines(&report(&facts, &[mk_told("n2", DEAD)]));
    let address = wide.iter().position(|line| line.starts_with("ADDRESS ")).unwrap();
    assert_eq!(
        wide[address..],
        [
            "ADDRESS SERVICE POOL OWNER SINCE LAST MOVE MOVED AT",
            "172.21.5.240 shop/web default nobody - 3m ago from n1 (OwnerDead) 2026-03-01T11:57:00.43Z",
        ]
    );
}

#[test]
fn an_empty_cluster_has_nothing() {
    let mut facts = mk_facts();
    facts.pools.clear();
    assert_eq!(
        lines(&report(&facts, &[])),
        ["Pools", "none", "Addresses", "none"]
    );
}

#[test]
fn a_speaker_that_cannot_be_asked_is_named_and_the_rest_is_told() {
    let mut facts = mk_facts();
    facts.services = vec![mk_served("web", 1, "172.21.5.240", "default")];
    let told = Told {
        answer: Err("no answer".to_owned()),
        ..mk_told("n2", DEAD)
    };
    let lines = lines(&report(&facts, &[told]));
    assert!(
        lines.contains(&"172.21.5.240 shop/web default nobody - -".to_owned()),
        "{lines:#?}"
    );
    assert_eq!(
        lines.last().unwrap(),
        "the speaker on n2 (speaker-n2) could not be asked: no answer"
    );
}

#[test]
fn only_what_is_full_looks_full_and_one_address_is_seen() {
    let bar = |assigned, withheld, total| {
        let fill = Fill {
            assigned,
            withheld,
            total,
        };
        fill.bar().chars().filter(|step| *step == '█').count()
    };
    let rows = [
        (0, 0, 100, 0),
        (1, 0, 100, 1),
        (50, 0, 100, 5),
        (99, 0, 100, 9),
        (90, 10, 100, 10),
        (u64::MAX, 0, u64::MAX, 10),
        (1, 0, 1, 10),
    ];
    for (assigned, withheld, total, steps) in rows {
        assert_eq!(
            bar(assigned, withheld, total),
            steps,
            "{assigned} + {withheld} of {total}"
        );
    }
}
