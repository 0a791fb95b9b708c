//! Whatever annotations and a pool's status say that people or other programs may have written: nothing panics, what is
//! read is written and read again, and nothing that cools down does so for longer than its pool says. Shared by the fuzz
//! target `annotations` and the replay of its corpus.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use cortenlb_core::addr::Family;
use cortenlb_core::announce::{DRAIN, Fact, REQUIRE_SUBNET};
use cortenlb_core::ipam::{Allocator, Cooling, Rules};
use cortenlb_core::pool::{Pool, PoolSpec, resolve};
use cortenlb_core::time::Instant;
use cortenlb_crds::translate::{announce, conflict, pool};
use cortenlb_crds::{CoolingDown, IPAddressPoolStatus, L2Advertisement, ServiceL2Status, names};
use k8s_openapi::api::core::v1::Node;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;
use serde_json::json;

/// How long the pool's addresses cool down.
const COOL_DOWN: Duration = Duration::from_secs(300);

/// What the clocks of the reader say.
const NOW: Instant = Instant(1_000_000_000);
const WALL: i64 = 1_800_000_000;

fn annotations<'a>(name: &'a str, value: Option<&'a str>) -> BTreeMap<&'a str, &'a str> {
    value.map(|value| (name, value)).into_iter().collect()
}

fn mk_status(value: Option<&str>) -> ServiceL2Status {
    let object = json!({
        "apiVersion": "metallb.io/v1beta1", "kind": "ServiceL2Status",
        "metadata": { "name": "l2-a", "annotations": annotations(names::ADDRESS_CONFLICT, value) },
        "spec": {},
    });
    serde_json::from_value(object).expect("a ServiceL2Status")
}

fn mk_node(value: Option<&str>) -> Node {
    let metadata = json!({ "name": "n", "annotations": annotations(DRAIN, value) });
    serde_json::from_value(json!({ "metadata": metadata })).expect("a Node")
}

fn mk_advertisement(value: Option<&str>) -> L2Advertisement {
    let object = json!({
        "apiVersion": "metallb.io/v1beta1", "kind": "L2Advertisement",
        "metadata": { "name": "ad", "annotations": annotations(REQUIRE_SUBNET, value) },
        "spec": {},
    });
    serde_json::from_value(object).expect("an L2Advertisement")
}

/// `address service until`; what is no time cannot be in a status.
fn cooling_down(line: &str) -> Option<CoolingDown> {
    let mut words = line.splitn(3, ' ');
    let (address, service, until) = (words.next()?, words.next()?, words.next()?);
    let until: Timestamp = until.parse().ok()?;
    Some(CoolingDown {
        address: address.to_owned(),
        service: service.to_owned(),
        until: Time(until),
    })
}

/// The first line is the annotation about contested addresses, the second one a node's `drain`, the third one an
/// L2Advertisement's `require-subnet`, each other one an entry of a pool's `status.coolingDown`; an empty line is an absent
/// annotation. Returns whether any contested address or any that cools down was read.
///
/// # Panics
/// A promise is broken.
pub(crate) fn check(input: &[u8]) -> bool {
    let text = String::from_utf8_lossy(input);
    let mut lines = text.split('\n');
    let mut next = || lines.next().filter(|line| !line.is_empty());
    let (contested, drain, require_subnet) = (next(), next(), next());

    let contested = conflict::read(&mk_status(contested));
    let written = conflict::write(&contested);
    assert_eq!(conflict::read(&mk_status(written.as_deref())), contested);

    let Fact::Node(_, Some(node)) = announce::node(&mk_node(drain)) else {
        panic!("a Node is read as one");
    };
    assert_eq!(node.drained, drain == Some("true"));
    let Ok(Fact::Advertisement(_, Some(advertisement))) =
        announce::advertisement(&mk_advertisement(require_subnet))
    else {
        panic!("it has no selector that could be wrong");
    };
    assert_eq!(advertisement.on_link, require_subnet == Some("true"));

    let status = IPAddressPoolStatus {
        cooling_down: lines.filter_map(cooling_down).collect(),
        ..IPAddressPoolStatus::default()
    };
    let wall = Timestamp::from_second(WALL).expect("a time");
    let cooling = pool::cooling(&status, NOW, wall);
    assert!(cooling.iter().all(|(_, cooling)| cooling.until >= NOW));
    cools_down(&cooling);
    !contested.is_empty() || !cooling.is_empty()
}

/// As the controller does when it starts, in a pool that has some of the addresses.
fn cools_down(read: &[(IpAddr, Cooling)]) {
    let spec = PoolSpec {
        name: "p".to_owned(),
        addresses: vec!["10.0.0.0/29".to_owned(), "fd00::/126".to_owned()],
        cool_down: COOL_DOWN,
        ..PoolSpec::default()
    };
    let mut allocator = Allocator::new(Rules::default());
    allocator.advance(NOW);
    allocator.set_pools(resolve([Pool::new(spec).expect("a valid pool")]).0);
    let usage = |allocator: &Allocator| Family::ALL.map(|family| allocator.usage("p", family));
    let before = usage(&allocator);
    for (address, cooling) in read {
        allocator.resume_cool_down(*address, cooling.clone());
    }
    for (address, _) in allocator.cooling("p") {
        assert!(read.iter().any(|(said, _)| *said == address));
    }
    allocator.advance(NOW + COOL_DOWN);
    assert_eq!(allocator.cooling("p"), Vec::new());
    assert_eq!(usage(&allocator), before, "all may be had again");
}
