use cortenlb_proto::cluster::Prefix;

use super::*;
use crate::l2::attached::tests::mk_attached;

mod candidates;
mod handing;
mod renaming;

const MILLISECOND: Duration = Duration::from_millis(1);

fn mac(last: u8) -> MacAddr {
    MacAddr([2, 0, 0, 0, 0, last])
}

fn id(number: u8) -> NodeId {
    NodeId::of(&format!("n{number}"))
}

fn vip() -> IpAddr {
    "172.21.5.240".parse().unwrap()
}

/// Three nodes on a network for datagrams that loses nothing (192.168.0.0/24), and a group on another segment.
fn plan() -> Plan {
    let speaker = |number: u8| Speaker {
        node: format!("n{number}"),
        addresses: vec![IpAddr::from([192, 168, 0, number])],
    };
    let group = Group {
        former: None,
        candidates: (1..=3)
            .map(|number| (id(number), 0))
            .collect::<BTreeMap<_, _>>()
            .into(),
        addresses: [(vip(), Scope::All)].into(),
        all: [vip()].into(),
        contested: false,
        on_link: false,
    };
    Plan {
        speakers: (1..=3).map(|number| (id(number), speaker(number))).collect(),
        groups: BTreeMap::from([(vip(), group)]),
        is_held: false,
    }
}

/// Interface 2 for datagrams, with MAC 1x, and interface 3 for the group, with MAC 2x.
fn ports(number: u8, carrier: bool) -> Ports {
    Ports::from([
        (2, mk_attached(0x10 + number, true, &["192.168.0.0/24"])),
        (3, mk_attached(0x20 + number, carrier, &["172.21.5.0/24"])),
    ])
}

/// Nodes that hear each other, and what each was last told to do.
struct Lan {
    now: Instant,
    nodes: BTreeMap<NodeId, Ownership>,
    tables: BTreeMap<NodeId, Table>,
    friends: BTreeMap<NodeId, BTreeSet<MacAddr>>,
    /// The node's own addresses that are answered for: a kernel runs without its speaker.
    kernels: BTreeMap<IpAddr, MacAddr>,
}

impl Lan {
    fn new() -> Self {
        Self::with(&plan(), |number| ports(number, true))
    }

    fn with(plan: &Plan, ports: impl Fn(u8) -> Ports) -> Self {
        let mut lan = Self::empty();
        (1..=3).for_each(|number| lan.start(number, plan, ports(number)));
        lan.run(Duration::from_secs(8));
        lan
    }

    fn empty() -> Self {
        Self {
            now: Instant(1_000_000_000),
            nodes: BTreeMap::new(),
            tables: BTreeMap::new(),
            friends: BTreeMap::new(),
            kernels: BTreeMap::new(),
        }
    }

    fn start(&mut self, number: u8, plan: &Plan, ports: Ports) {
        let now = self.now;
        let mut node = Ownership::new(now, id(number), number.into(), number.into());
        node.set_ports(now, ports);
        node.set_plan(now, plan.clone());
        node.handle(now, Input::Forwards(true));
        self.nodes.insert(id(number), node);
    }

    fn run(&mut self, duration: Duration) {
        let end = self.now + duration;
        while self.now < end {
            self.now = self.now + MILLISECOND;
            for node in self.nodes.values_mut() {
                node.tick(self.now);
            }
            self.act();
        }
    }

    /// Does what they say, until they say nothing more.
    fn act(&mut self) {
        loop {
            let (mut sent, mut answers) = (Vec::new(), Vec::new());
            for (id, node) in &mut self.nodes {
                while let Some(action) = node.poll_action() {
                    match action {
                        Action::Send { to, bytes } => sent.push((to, bytes)),
                        Action::Table(table) => drop(self.tables.insert(*id, table)),
                        Action::Friends(friends) => drop(self.friends.insert(*id, friends)),
                        Action::Ask { address, .. } => {
                            let answer = self.kernels.get(&address);
                            answers.extend(answer.map(|mac| (*id, address, *mac)));
                        }
                        Action::Owned(_)
                        | Action::Finish
                        | Action::Save(_)
                        | Action::Taken(..)
                        | Action::Contested(_)
                        | Action::Phase(_)
                        | Action::Suspected
                        | Action::Repeat
                        | Action::Reopen(_) => {}
                        Action::Unreadable(error) => panic!("{error}"),
                    }
                }
            }
            if sent.is_empty() && answers.is_empty() {
                return;
            }
            for (asker, address, mac) in answers {
                let now = self.now;
                self.node(asker).answered(now, 2, address, mac, mac);
            }
            for (to, bytes) in sent {
                if let Some(node) = self.nodes.get_mut(&to) {
                    node.handle(self.now, Input::Datagram(&bytes));
                }
            }
        }
    }

    fn answering(&self) -> Vec<NodeId> {
        let tables = self.tables.iter();
        let with_vip = tables.filter(|(id, table)| self.nodes.contains_key(id) && table.contains_key(&vip()));
        with_vip.map(|(id, _)| *id).collect()
    }

    fn node(&mut self, id: NodeId) -> &mut Ownership {
        self.nodes.get_mut(&id).unwrap()
    }
}

fn number_of(node: NodeId) -> u8 {
    (1..=3).find(|number| id(*number) == node).unwrap()
}

#[test]
fn all_know_the_link_layer_addresses_of_all() {
    let lan = Lan::new();
    for (node, friends) in &lan.friends {
        let others = (1..=3).filter(|number| id(*number) != *node);
        let expected: BTreeSet<MacAddr> = others
            .flat_map(|number| [mac(0x10 + number), mac(0x20 + number)])
            .collect();
        assert_eq!(*friends, expected);
    }
    assert_eq!(lan.friends.len(), 3);
}

#[test]
fn who_stands_in_on_another_segment_answers_with_the_owners_address_there() {
    let mut lan = Lan::new();
    let owner = lan.answering()[0];
    let now = lan.now;
    lan.node(owner).handle(now, Input::Restarting);
    lan.act();
    lan.nodes.remove(&owner);
    lan.run(10 * MILLISECOND);
    let [stand_in] = lan.answering()[..] else {
        panic!("{:?} answer", lan.answering());
    };
    let number = number_of(owner);
    let macs = BTreeMap::from([(2, mac(0x10 + number)), (3, mac(0x20 + number))]);
    assert_eq!(lan.tables[&stand_in][&vip()].in_name_of, Some(macs));
}

#[test]
fn a_node_whose_pod_is_gone_keeps_its_group_while_its_kernel_answers() {
    let mut lan = Lan::new();
    let owner = lan.answering()[0];
    let number = number_of(owner);
    lan.nodes.remove(&owner);
    lan.kernels
        .insert(IpAddr::from([192, 168, 0, number]), mac(0x10 + number));
    let mut without = plan();
    // The next pod has been made, and has no address yet.
    without.speakers.get_mut(&owner).unwrap().addresses.clear();
    let group = without.groups.get_mut(&vip()).unwrap();
    group.candidates = group
        .candidates
        .iter()
        .filter(|(id, _)| **id != owner)
        .map(|(id, preference)| (*id, *preference))
        .collect::<BTreeMap<_, _>>()
        .into();
    let now = lan.now;
    for node in lan.nodes.values_mut() {
        node.set_plan(now, without.clone());
    }
    lan.run(Duration::from_secs(2));
    let [stand_in] = lan.answering()[..] else {
        panic!("{:?} answer", lan.answering());
    };
    assert!(lan.tables[&stand_in][&vip()].in_name_of.is_some());
    assert_eq!(lan.node(stand_in).name_of(owner), format!("n{number}"));
    // Nobody comes in its place.
    lan.run(Duration::from_secs(12));
    let [next] = lan.answering()[..] else {
        panic!("{:?} answer", lan.answering());
    };
    assert_eq!(lan.tables[&next][&vip()].in_name_of, None);
    without.speakers.remove(&owner);
    for node in lan.nodes.values_mut() {
        node.set_plan(lan.now, without.clone());
    }
    lan.run(MACS + Duration::from_secs(5));
    assert_eq!(
        lan.node(next).speaker(owner),
        None,
        "it is forgotten with the member"
    );
}

#[test]
fn one_that_is_not_heard_is_named_after_10_s_while_its_pod_is_there() {
    let mut lan = Lan::new();
    lan.nodes.remove(&id(3));
    let missing = |lan: &mut Lan| {
        let view = lan.node(id(1)).view();
        assert!(!view.unheard, "n2 is heard");
        view.missing
    };
    lan.run(Duration::from_secs(9));
    assert_eq!(missing(&mut lan), BTreeSet::new());
    lan.run(Duration::from_secs(3));
    assert_eq!(missing(&mut lan), BTreeSet::from(["n3".to_owned()]));
    let mut without = plan();
    without.speakers.get_mut(&id(3)).unwrap().addresses.clear();
    let now = lan.now;
    lan.node(id(1)).set_plan(now, without);
    assert_eq!(missing(&mut lan), BTreeSet::new());
}

#[test]
fn a_node_shows_its_interfaces_as_it_tells_the_others() {
    let now = Instant(1_000_000_000);
    let mut node = Ownership::new(now, id(1), 1, 1);
    assert_eq!(node.view().attached, None);
    node.set_plan(now, plan());
    node.set_ports(now, ports(1, true));
    node.set_ports(now, ports(1, false));
    let expected: Vec<_> = ports(1, false).into_values().collect();
    assert_eq!(node.view().attached, Some(expected));
}

#[test]
fn an_owner_that_answers_on_another_segment_is_known_by_its_address_there() {
    let mut lan = Lan::new();
    let owner = lan.answering()[0];
    let other = *lan.nodes.keys().find(|id| **id != owner).unwrap();
    let at = mac(0x20 + number_of(owner));
    assert_eq!(lan.node(other).node_with(3, at), Some(owner));
    assert_eq!(lan.node(other).node_with(3, mac(0x99)), None);
    // Nothing is heard of it any more, but it answers.
    lan.nodes.remove(&owner);
    for _ in 0..100 {
        lan.run(10 * MILLISECOND);
        let now = lan.now;
        for node in lan.nodes.values_mut() {
            node.answered(now, 3, vip(), at, at);
        }
    }
    assert_eq!(lan.answering(), [], "a veto");
}

#[test]
fn what_a_node_does_not_tell_is_learned_by_asking() {
    let now = Instant(1_000_000_000);
    let mut node = Ownership::new(now, id(1), 1, 1);
    node.set_ports(now, ports(1, true));
    node.set_plan(now, plan());
    node.answered(now, 2, IpAddr::from([192, 168, 0, 2]), mac(0x12), mac(0x12));
    assert_eq!(node.macs_of(id(2)), BTreeMap::from([(2, mac(0x12))]));
    assert_eq!(node.node_with(2, mac(0x12)), Some(id(2)));
    assert_eq!(node.node_with(3, mac(0x12)), None);
}

#[test]
fn an_owner_that_loses_its_carrier_gives_the_group_away_and_gets_it_not_back() {
    let mut lan = Lan::new();
    let owner = lan.answering()[0];
    let now = lan.now;
    lan.node(owner).set_ports(now, ports(number_of(owner), false));
    lan.act();
    let [next] = lan.answering()[..] else {
        panic!("{:?} answer", lan.answering());
    };
    assert_ne!(next, owner);
    lan.node(owner).set_ports(now, ports(number_of(owner), true));
    lan.run(Duration::from_secs(5));
    assert_eq!(lan.answering(), [next]);
}

#[test]
fn what_is_told_follows_the_plan() {
    let now = Instant(1_000_000_000);
    let mut node = Ownership::new(now, id(1), 1, 1);
    let prefixes = |node: &Ownership| -> Vec<Prefix> {
        let interfaces = node.interfaces_of(id(1)).iter();
        interfaces
            .flat_map(|interface| interface.prefixes.clone())
            .collect()
    };
    node.set_plan(now, plan());
    assert_eq!(node.cluster.attachment(id(1)), None);
    node.set_ports(now, ports(1, true));
    let all = ports(1, true).into_values().flat_map(|port| port.prefixes);
    assert_eq!(prefixes(&node), all.collect::<Vec<_>>());
    let groups = BTreeMap::new();
    node.set_plan(now, Plan { groups, ..plan() });
    let own = ports(1, true).remove(&2).unwrap().prefixes;
    assert_eq!(prefixes(&node), own);
}

#[test]
fn a_datagram_of_a_later_version_is_counted() {
    let mut lan = Lan::new();
    let now = lan.now;
    let node = lan.node(id(1));
    node.handle(now, Input::Datagram(&[2]));
    let counted = std::iter::from_fn(|| node.poll_action());
    let counted = counted.filter_map(|action| match action {
        Action::Unreadable(error) => Some(error),
        _ => None,
    });
    assert_eq!(counted.collect::<Vec<_>>(), [Unreadable::Version(2)]);
}

#[test]
fn what_another_load_balancer_answered_for_is_answered_for_before_all_speakers_are_there() {
    let mut lan = Lan::empty();
    let held = Plan {
        groups: BTreeMap::new(),
        is_held: true,
        ..plan()
    };
    lan.start(1, &held, ports(1, true));
    lan.run(Duration::from_secs(2));
    assert_eq!(lan.answering(), []);
    let now = lan.now;
    lan.node(id(1)).set_plan(now, plan());
    lan.run(Duration::from_secs(2));
    assert_eq!(lan.answering(), [id(1)]);
}
