//! `mk_*` make the smallest object that counts; [`cluster`] is three nodes that can announce one Service.

use super::*;
use crate::addr::AddrRange;
use crate::name::{ServiceKey, SliceKey};
use crate::selector::{LabelSelector, Labels};
use std::collections::BTreeSet;
use std::net::IpAddr;

mod nodes;
mod rivals;
mod rules;
mod sequences;
mod summaries;

const VIP: &str = "172.21.5.240";

fn key(name: &str) -> ServiceKey {
    ServiceKey::new("default", name)
}

fn keys(names: &[&str]) -> BTreeSet<ServiceKey> {
    names.iter().map(|name| key(name)).collect()
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn mk_labels(pairs: &[(&str, &str)]) -> Labels {
    pairs.iter().copied().collect()
}

fn mk_selector(pairs: &[(&str, &str)]) -> Vec<LabelSelector> {
    vec![LabelSelector::from_labels(&mk_labels(pairs))]
}

fn mk_service(addresses: &[&str]) -> Service {
    Service {
        addresses: addresses.iter().map(|address| address.parse().unwrap()).collect(),
        pool: Some("pool".into()),
        ..Service::default()
    }
}

fn mk_pool(range: &str) -> Pool {
    Pool {
        ranges: vec![range.parse::<AddrRange>().unwrap()],
        ..Pool::default()
    }
}

fn mk_slice(service: &str, nodes: &[&str]) -> Slice {
    Slice {
        service: key(service),
        serving: !nodes.is_empty(),
        nodes: set(nodes).into_iter().collect(),
    }
}

fn mk_speaker(node: &str, ready: bool) -> Speaker {
    Speaker {
        node: node.to_owned(),
        ready,
        addresses: BTreeSet::from([IpAddr::from([172, 21, 5, 11])]),
        ..Speaker::default()
    }
}

fn service(name: &str, service: Service) -> Fact {
    Fact::Service(key(name), Some(service))
}

fn slice(name: &str, slice: Slice) -> Fact {
    Fact::Slice(SliceKey::new("default", name), Some(slice))
}

fn pool(name: &str, pool: Pool) -> Fact {
    Fact::Pool(name.to_owned(), Some(pool))
}

fn advertisement(name: &str, advertisement: Advertisement) -> Fact {
    Fact::Advertisement(name.to_owned(), Some(advertisement))
}

fn node(name: &str, labels: &[(&str, &str)]) -> Fact {
    Fact::Node(
        name.to_owned(),
        Some(Node {
            labels: mk_labels(labels),
            ..Node::default()
        }),
    )
}

fn speaker(node: &str, ready: bool) -> Fact {
    Fact::Speaker(format!("speaker-{node}"), Some(mk_speaker(node, ready)))
}

/// Pool `pool`, advertisement `all`, nodes n1 to n3 with Ready speakers, and Service `web` with [`VIP`] and
/// endpoints on n1 and n2.
fn cluster() -> World {
    fill(World::default())
}

fn fill(mut world: World) -> World {
    world.reset(
        Kind::Pool,
        vec![pool("pool", mk_pool("172.21.5.240-172.21.5.250"))],
    );
    world.reset(
        Kind::Advertisement,
        vec![advertisement("all", Advertisement::default())],
    );
    world.reset(Kind::Node, ["n1", "n2", "n3"].map(|name| node(name, &[])).into());
    world.reset(
        Kind::Speaker,
        ["n1", "n2", "n3"].map(|name| speaker(name, true)).into(),
    );
    world.reset(Kind::Rival, vec![]);
    world.reset(Kind::Slice, vec![slice("web-1", mk_slice("web", &["n1", "n2"]))]);
    world.reset(Kind::Service, vec![service("web", mk_service(&[VIP]))]);
    world
}

fn decide(world: &World, name: &str) -> Decision {
    world.decide(&key(name)).unwrap()
}

/// The decision about `web` after these facts, on top of [`cluster`].
fn after(facts: impl IntoIterator<Item = Fact>) -> Decision {
    let mut world = cluster();
    for fact in facts {
        world.apply(fact);
    }
    decide(&world, "web")
}

/// The nodes that may announce.
fn candidates(decision: &Decision) -> Vec<&str> {
    let able = decision.verdicts.iter().filter(|(_, verdict)| verdict.is_ok());
    able.map(|(node, _)| node.as_str()).collect()
}
