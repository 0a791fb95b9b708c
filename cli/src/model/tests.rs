use super::*;
use crate::facts::tests::{from, has, mk_facts, mk_pool, mk_pool_with, mk_served, mk_service};
use cortenlb_controller::index::{Effect, Index, Input, Key, Lead, Now, Settings, View};
use cortenlb_crds::names::CONDITION_ADDRESS_ASSIGNED;
use cortenlb_kit::lease::Predecessor;
use cortenlb_kit::watch::Change::Reset;
use cortenlb_kit::write::Op;
use serde_json::{Value, json};
use std::net::IpAddr;

/// What each Service has, and the reason of its condition.
type Outcome = BTreeMap<String, (Vec<IpAddr>, String)>;

/// As the controller's own index writes it when it starts from these objects.
fn by_the_controller(facts: &Facts) -> Outcome {
    let mut index = Index::new(Settings {
        namespace: facts.system.clone(),
        rules: facts.settings().rules,
        ..Settings::default()
    });
    let now = Now {
        boot: Instant(1_000_000_000),
        wall: facts.now,
    };
    let views = facts.services.iter().map(|object| View::of(object, None));
    let inputs = [
        Input::Namespaces(Reset(facts.namespaces.clone())),
        Input::Pools(Reset(facts.pools.clone())),
        Input::Reservations(Reset(facts.reservations.clone())),
        Input::Rivals(Box::new(Reset(Vec::new()))),
        Input::Services(Reset(views.collect())),
        Input::Lead(Some(Lead {
            epoch: 1,
            predecessor: Predecessor::Fresh,
        })),
    ];
    for input in inputs {
        index.handle_input(now, input);
    }
    let mut outcome = Outcome::new();
    while let Some(effect) = index.poll_output() {
        let Effect::Write(write) = effect else { continue };
        let (Key::Service(key), Op::Patch { body, .. }) = (&write.key, &write.op) else {
            continue;
        };
        let status = &body.read()["status"];
        let conditions = status["conditions"].as_array().unwrap();
        let mut conditions = conditions.iter();
        let said = conditions
            .find(|one| one["type"] == CONDITION_ADDRESS_ASSIGNED)
            .unwrap();
        let reason = said["reason"].as_str().unwrap().to_owned();
        let addresses = match status["loadBalancer"]["ingress"].as_array() {
            Some(entries) => entries.iter().map(|entry| from(entry["ip"].clone())).collect(),
            // What the status shows stays there, and is not the Service's if the condition says so.
            None if said["status"] == "False" => Vec::new(),
            None => service::ingress(facts.service(key).unwrap()),
        };
        outcome.insert(key.to_string(), (addresses, reason));
    }
    outcome
}

fn by_us(facts: &Facts) -> Outcome {
    let addresses = Addresses::of(facts, &facts.pools);
    let services = addresses.wants.keys().map(|key| {
        let held = addresses.allocator.assignment(key);
        let held = held.map(|held| held.addresses.clone()).unwrap_or_default();
        let outside = held
            .iter()
            .any(|address| addresses.allocator.pool_of(*address).is_none());
        let reason = match addresses.refusal(key) {
            Some((reason, _)) => reason,
            None if outside => "PoolGone".to_owned(),
            None => "Assigned".to_owned(),
        };
        (key.to_string(), (held, reason))
    });
    services.collect()
}

/// Every way to an address, or to none, in one cluster.
fn mk_mixture() -> Facts {
    let mut facts = mk_facts();
    let asks = |address: &'static str| {
        move |object: &mut Value| {
            object["metadata"]["annotations"]["metallb.io/loadBalancerIPs"] = address.into();
        }
    };
    let from_pool = |pool: &'static str| {
        move |object: &mut Value| object["metadata"]["annotations"]["metallb.io/address-pool"] = pool.into()
    };
    facts.pools = vec![
        mk_pool("default", &["172.21.5.240-172.21.5.243"]),
        mk_pool("overlapping", &["172.21.5.243-172.21.5.250"]),
        mk_pool("invalid", &["172.21.5.9-172.21.5.1"]),
        mk_pool_with(
            "cooling",
            json!({ "addresses": ["172.21.6.0/31"], "autoAssign": false }),
        ),
        mk_pool_with(
            "elsewhere",
            json!({ "addresses": ["172.21.7.0/31"], "serviceAllocation": { "namespaces": ["other"] } }),
        ),
    ];
    let cooling = &mut facts.pools[3];
    cooling.metadata.annotations = Some([("cortenlb.io/cool-down".to_owned(), "1h".to_owned())].into());
    cooling.status = Some(from(json!({
        "assignedIPv4": 0, "assignedIPv6": 0, "availableIPv4": 1, "availableIPv6": 0,
        "coolingDown": [{ "address": "172.21.6.0", "service": "shop/gone", "until": "2026-03-01T12:30:00Z" }],
    })));
    facts.reservations = vec![from(json!({
        "apiVersion": "cortenlb.io/v1alpha1",
        "kind": "AddressReservation",
        "metadata": { "name": "kept", "namespace": "shop", "creationTimestamp": "2026-01-01T00:00:00Z" },
        "spec": { "pool": "default", "address": "172.21.5.241" },
    }))];
    facts.services = vec![
        mk_served("first", 1, "172.21.5.240", "default"),
        mk_service("second", 2, |object| {
            has(object, "172.21.5.242", "default");
            object["metadata"]["annotations"] = json!({});
        }),
        mk_service("twin", 3, |object| has(object, "172.21.5.242", "default")),
        mk_service("moved", 4, |object| has(object, "10.9.9.9", "deleted")),
        mk_service("foreign", 5, |object| {
            has(object, "172.21.5.11", "x");
            object["metadata"]["annotations"] = json!({});
        }),
        mk_service("wants-taken", 6, asks("172.21.5.240")),
        mk_service("wants-outside", 7, asks("192.0.2.1")),
        mk_service("wants-nonsense", 8, asks("one")),
        mk_service("wants-cooling", 9, from_pool("cooling")),
        mk_service("wants-elsewhere", 10, from_pool("elsewhere")),
        mk_service("wants-unknown", 11, from_pool("nowhere")),
        mk_service("wants-kept", 12, |object| {
            object["metadata"]["annotations"]["cortenlb.io/reservation"] = "kept".into();
        }),
        mk_service("new", 13, |_| {}),
        mk_service("newer", 14, |_| {}),
    ];
    facts
}

#[test]
fn it_says_what_the_controller_does() {
    let facts = mk_mixture();
    let (ours, theirs) = (by_us(&facts), by_the_controller(&facts));
    assert_eq!(ours, theirs);
    let reasons: BTreeSet<&str> = ours.values().map(|(_, reason)| reason.as_str()).collect();
    let all = [
        "AddressInUse",
        "AddressNotInPools",
        "Assigned",
        "InvalidRequest",
        "NoAddressAvailable",
        "PoolGone",
        "PoolNotForService",
        "UnknownPool",
    ];
    assert_eq!(reasons, all.into(), "the mixture is one: {ours:#?}");
    assert_eq!(
        ours["shop/wants-cooling"].0,
        ["172.21.6.1".parse::<IpAddr>().unwrap()]
    );
    assert_eq!(
        ours["shop/wants-kept"].0,
        ["172.21.5.241".parse::<IpAddr>().unwrap()]
    );
}

#[test]
fn it_takes_away_what_the_controller_takes_away() {
    let mut facts = mk_mixture();
    facts.pods.clear();
    let kept = by_us(&facts);
    let mut facts = mk_mixture();
    let spec = facts.pods[3].spec.as_mut().unwrap();
    spec.containers[0].args = Some(vec!["--reassign-on-pool-change".to_owned()]);
    let (mut taken, mut theirs) = (by_us(&facts), by_the_controller(&facts));
    assert_ne!(kept["shop/moved"], taken["shop/moved"]);
    // It first says that the address is about to go.
    let (_, reason) = theirs.remove("shop/moved").unwrap();
    assert_eq!(reason, "Moving");
    assert_eq!(taken.remove("shop/moved").unwrap().0, [] as [IpAddr; 0]);
    assert_eq!(taken, theirs);
}

#[test]
fn ignored_pools_say_why() {
    let facts = mk_mixture();
    let addresses = Addresses::of(&facts, &facts.pools);
    let ignored: Vec<&str> = addresses.ignored.keys().map(String::as_str).collect();
    assert_eq!(ignored, ["invalid", "overlapping"]);
    assert!(
        addresses.ignored["overlapping"].contains("default"),
        "{:?}",
        addresses.ignored
    );
}
