use std::collections::BTreeSet;

use cortenlb_wire::mac::MacAddr;
use cortenlb_wire::member::{MAX_INTERFACES, MAX_PREFIXES};

use super::*;

mod check;
mod conflict;
mod dispute;
mod forgotten;
mod former;
mod placing;
mod rename;
mod repeat;
mod stand_in;
mod standing;
mod suspicion;
mod voluntary;
mod why;

const MILLISECOND: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

/// Nodes on a network that delivers everything after a millisecond, unless a node is cut off or off.
struct Lan {
    now: Instant,
    nodes: BTreeMap<NodeId, Node>,
    sent: VecDeque<(Instant, NodeId, NodeId, Vec<u8>)>,
    candidates: Candidates,
    /// Who is started from now on gives groups to those that have fewer.
    rebalances: bool,
    /// Who is started from now on answers in the name of others.
    stands_in: bool,
}

struct Node {
    cluster: Cluster,
    serves: BTreeMap<IpAddr, Role>,
    /// Why it came to serve, and after whom.
    told: Vec<(Cause, Option<Former>)>,
    /// Why it ceased to serve.
    released: Vec<Cause>,
    phases: Vec<(NodeId, Option<Phase>, Phase, Why)>,
    /// Whose heartbeats it missed.
    suspected: Vec<NodeId>,
    unreadable: Vec<Unreadable>,
    /// How often it was to tell the segment again.
    repeats: usize,
    /// When it asked for what others own, and for what.
    checks: Vec<(Instant, IpAddr)>,
    /// That it was not heard, about which group, and who has that now.
    unheard: Vec<(IpAddr, Option<NodeId>)>,
    /// Whether the gateway answers it, and how often it has asked.
    has_gateway: bool,
    asked_gateway: usize,
    /// It answers nobody.
    is_deaf: bool,
    /// Its kernel answers, whatever becomes of its speaker.
    kernel_runs: bool,
    /// Questions are heard by those alone on whose segment they are asked.
    segment: usize,
    bytes: usize,
    is_on: bool,
    is_cut_off: bool,
}

fn id(number: usize) -> NodeId {
    NodeId::of(&format!("n{number}"))
}

fn group(number: u8) -> IpAddr {
    IpAddr::from([172, 21, 5, number])
}

impl Lan {
    fn new(nodes: usize, groups: u8) -> Self {
        let now = Instant(1_000_000_000);
        let roster: BTreeSet<NodeId> = (0..nodes).map(id).collect();
        let candidates: Candidates = Arc::new(roster.iter().map(|id| (*id, 0)).collect());
        let mut lan = Self {
            now,
            nodes: BTreeMap::new(),
            sent: VecDeque::new(),
            candidates,
            rebalances: false,
            stands_in: true,
        };
        (0..nodes).for_each(|number| lan.start(number));
        for number in 0..groups {
            lan.add(group(number));
        }
        lan
    }

    fn start(&mut self, number: usize) {
        let born = self.now.0;
        let mut cluster = Cluster::new(self.now, id(number), born, number as u64);
        if self.rebalances {
            cluster = cluster.with_rebalancing();
        }
        if !self.stands_in {
            cluster = cluster.without_stand_ins();
        }
        cluster.handle_input(self.now, Input::Roster(self.candidates.keys().copied().collect()));
        cluster.handle_input(self.now, Input::Forwards(true));
        let node = Node {
            cluster,
            serves: BTreeMap::new(),
            told: Vec::new(),
            released: Vec::new(),
            phases: Vec::new(),
            suspected: Vec::new(),
            unreadable: Vec::new(),
            repeats: 0,
            checks: Vec::new(),
            unheard: Vec::new(),
            has_gateway: false,
            asked_gateway: 0,
            is_deaf: false,
            kernel_runs: false,
            segment: 0,
            bytes: 0,
            is_on: true,
            is_cut_off: false,
        };
        let groups = self.nodes.values().next().map(|node| node.cluster.groups.clone());
        self.nodes.insert(id(number), node);
        for group in groups.unwrap_or_default().into_keys() {
            self.input(
                id(number),
                Input::Group {
                    group,
                    candidates: Some(self.candidates.clone()),
                },
            );
        }
    }

    fn add(&mut self, group: IpAddr) {
        let candidates = Some(self.candidates.clone());
        for id in self.candidates.clone().keys() {
            self.input(
                *id,
                Input::Group {
                    group,
                    candidates: candidates.clone(),
                },
            );
        }
    }

    fn input(&mut self, id: NodeId, input: Input<'_>) {
        let now = self.now;
        let Some(node) = self.nodes.get_mut(&id).filter(|node| node.is_on) else {
            return;
        };
        node.cluster.handle_input(now, input);
        let mut questions = Vec::new();
        while let Some(output) = node.cluster.poll_output() {
            match output {
                Output::Send { to, bytes } => {
                    node.bytes += bytes.len() + 68;
                    if !node.is_cut_off {
                        self.sent.push_back((now + MILLISECOND, id, to, bytes));
                    }
                }
                Output::Serve {
                    group,
                    role,
                    cause,
                    former,
                } => {
                    node.serves.insert(group, role);
                    node.told.push((cause, former));
                }
                Output::Release { group, cause } => {
                    node.serves.remove(&group);
                    node.released.push(cause);
                }
                Output::Phase {
                    id,
                    before,
                    after,
                    why,
                } => node.phases.push((id, before, after, why)),
                Output::Suspected(id) => node.suspected.push(id),
                Output::Repeat => node.repeats += 1,
                Output::Unreadable(error) => node.unreadable.push(error),
                Output::Unheard { group, next, .. } => node.unheard.push((group, next)),
                other => {
                    if let Output::Check { address, .. } = other {
                        node.checks.push((now, address));
                    }
                    questions.push(other);
                }
            }
        }
        for question in questions {
            let segment = self.nodes[&id].segment;
            let reach = |node: &Node| node.is_on && !node.is_cut_off && node.segment == segment;
            if !reach(&self.nodes[&id]) {
                continue;
            }
            match question {
                Output::Ask { group } | Output::Probe { group, .. } | Output::Check { group, .. } => {
                    let by = self.nodes.iter().find(|(other, node)| {
                        **other != id && reach(node) && !node.is_deaf && node.serves.contains_key(&group)
                    });
                    if let Some((by, node)) = by {
                        let by = match node.serves[&group] {
                            Role::StandIn(owner) => owner,
                            Role::Owner => *by,
                        };
                        let address = group;
                        self.input(id, Input::Answered { group, address, by });
                    }
                }
                Output::AskGateway => {
                    let node = self.node(id);
                    node.asked_gateway += 1;
                    if node.has_gateway {
                        self.input(id, Input::GatewayAnswered);
                    }
                }
                Output::AskNode(other) => {
                    let answers = |node: &Node| reach(node) || (node.kernel_runs && node.segment == segment);
                    if self.nodes.get(&other).is_some_and(answers) {
                        self.input(id, Input::NodeAnswered(other));
                    }
                }
                _ => {}
            }
        }
    }

    fn run(&mut self, duration: Duration) {
        let end = self.now + duration;
        loop {
            let timeout = self.nodes.iter().filter(|(_, node)| node.is_on);
            let timeout = timeout.map(|(id, node)| (node.cluster.poll_timeout(), *id)).min();
            let arrival = self.sent.front().map(|sent| sent.0);
            match (timeout, arrival) {
                (_, Some(at)) if at <= end && timeout.is_none_or(|(timeout, _)| at <= timeout) => {
                    self.now = self.now.max(at);
                    let (_, _, to, bytes) = self.sent.pop_front().unwrap();
                    if self.nodes.get(&to).is_some_and(|node| !node.is_cut_off) {
                        self.input(to, Input::Datagram(&bytes));
                    }
                }
                (Some((at, id)), _) if at <= end => {
                    self.now = self.now.max(at);
                    self.input(id, Input::Timeout);
                }
                _ => break,
            }
        }
        self.now = end;
    }

    /// Who answers for each group.
    fn answerers(&self, group: IpAddr) -> Vec<(NodeId, Role)> {
        let on = self.nodes.iter().filter(|(_, node)| node.is_on);
        on.filter_map(|(id, node)| Some((*id, *node.serves.get(&group)?)))
            .collect()
    }

    fn owner(&self, group: IpAddr) -> NodeId {
        let answerers = self.answerers(group);
        assert_eq!(answerers.len(), 1, "{group}: {answerers:?}");
        assert_eq!(answerers[0].1, Role::Owner);
        answerers[0].0
    }

    fn node(&mut self, id: NodeId) -> &mut Node {
        self.nodes.get_mut(&id).unwrap()
    }
}

#[test]
fn groups_are_shared_out_evenly() {
    let mut lan = Lan::new(3, 30);
    lan.run(3 * SECOND);
    for number in 0..3 {
        let owned = (0..30).filter(|at| lan.owner(group(*at)) == id(number));
        assert_eq!(owned.count(), 10);
    }
}

#[test]
fn one_node_needs_nobody() {
    let mut lan = Lan::new(1, 1);
    lan.run(SECOND);
    assert_eq!(lan.owner(group(0)), id(0));
}

#[test]
fn a_dead_owner_is_replaced_and_gets_nothing_back() {
    let mut lan = Lan::new(3, 30);
    lan.run(5 * SECOND);
    let before: Vec<NodeId> = (0..30).map(|at| lan.owner(group(at))).collect();
    lan.node(id(0)).is_on = false;
    lan.run(550 * MILLISECOND);
    let after: Vec<NodeId> = (0..30).map(|at| lan.owner(group(at))).collect();
    for (before, after) in before.iter().zip(&after) {
        assert!(after == before || *before == id(0));
        assert_ne!(*after, id(0));
    }
    lan.run(5 * SECOND);
    lan.start(0);
    lan.run(5 * SECOND);
    assert_eq!((0..30).map(|at| lan.owner(group(at))).collect::<Vec<_>>(), after);
}

#[test]
fn who_was_cut_off_gains_nothing() {
    let mut lan = Lan::new(3, 30);
    lan.run(5 * SECOND);
    lan.node(id(1)).is_cut_off = true;
    lan.run(SECOND);
    for at in 0..30 {
        assert_eq!(lan.answerers(group(at)).len(), 2, "one on each side");
    }
    lan.node(id(1)).is_cut_off = false;
    lan.run(SECOND);
    for at in 0..30 {
        assert_ne!(lan.owner(group(at)), id(1));
    }
}

#[test]
fn a_speaker_that_is_restarted_keeps_its_groups_and_its_address_answers_meanwhile() {
    let mut lan = Lan::new(3, 9);
    lan.run(5 * SECOND);
    let before: Vec<NodeId> = (0..9).map(|at| lan.owner(group(at))).collect();
    let old = id(2);
    lan.node(old).is_on = false;
    let others: Vec<NodeId> = lan.nodes.keys().copied().filter(|id| *id != old).collect();
    // Its kernel answers.
    for _ in 0..600 {
        lan.run(MILLISECOND);
        for id in &others {
            lan.input(*id, Input::NodeAnswered(old));
        }
    }
    for (at, owner) in before.iter().enumerate() {
        let answerers = lan.answerers(group(at as u8));
        assert_eq!(answerers.len(), 1);
        let role = if *owner == old {
            Role::StandIn(old)
        } else {
            Role::Owner
        };
        assert_eq!(answerers[0].1, role);
    }
    lan.start(2);
    lan.run(2 * SECOND);
    assert_eq!((0..9).map(|at| lan.owner(group(at))).collect::<Vec<_>>(), before);
}

#[test]
fn draining_hands_over_before_it_stops() {
    let mut lan = Lan::new(3, 9);
    lan.run(5 * SECOND);
    lan.input(id(0), Input::Drain(true));
    for _ in 0..100 {
        lan.run(MILLISECOND);
        for at in 0..9 {
            assert!(!lan.answerers(group(at)).is_empty());
        }
    }
    for at in 0..9 {
        assert_ne!(lan.owner(group(at)), id(0));
    }
}

#[test]
fn traffic_does_not_grow_with_the_cluster() {
    let rate = |nodes: usize| {
        let mut lan = Lan::new(nodes, 20);
        lan.run(10 * SECOND);
        lan.nodes.values_mut().for_each(|node| node.bytes = 0);
        lan.run(10 * SECOND);
        lan.nodes.values().map(|node| node.bytes / 10).max().unwrap()
    };
    let (few, many) = (rate(3), rate(50));
    assert!(few < 3_000, "{few} bytes a second");
    assert!(many < 5_000, "{many} bytes a second");
}

/// An interface for datagrams, and one for the groups.
fn attached(carrier: bool) -> Vec<Attached> {
    let interface = |mac: u8, carrier: bool, network: [u8; 4]| Attached {
        mac: MacAddr([2, 0, 0, 0, 0, mac]),
        carrier,
        prefixes: vec![Prefix::new(network.into(), 24).unwrap()],
    };
    vec![
        interface(1, true, [192, 168, 0, 0]),
        interface(2, carrier, [172, 21, 5, 0]),
    ]
}

#[test]
fn who_loses_its_carrier_gives_away_what_it_has_there() {
    let mut lan = Lan::new(3, 9);
    for number in 0..3 {
        lan.input(id(number), Input::Attached(attached(true)));
    }
    lan.run(5 * SECOND);
    lan.input(id(0), Input::Attached(attached(false)));
    for _ in 0..5 {
        lan.run(MILLISECOND);
        assert!((0..9).all(|at| !lan.answerers(group(at)).is_empty()));
    }
    let after: Vec<NodeId> = (0..9).map(|at| lan.owner(group(at))).collect();
    assert!(!after.contains(&id(0)));
    lan.run(2 * SECOND);
    let standbys = (0..9).flat_map(|at| lan.nodes[&id(1)].cluster.record(group(at)).unwrap().standbys);
    assert!(standbys.flatten().all(|standby| standby != id(0)));
    lan.input(id(0), Input::Attached(attached(true)));
    lan.run(5 * SECOND);
    assert_eq!((0..9).map(|at| lan.owner(group(at))).collect::<Vec<_>>(), after);
}

#[test]
fn where_nobody_has_carrier_a_group_stays_and_a_new_one_is_placed() {
    let mut lan = Lan::new(1, 1);
    lan.input(id(0), Input::Attached(attached(false)));
    lan.run(SECOND);
    assert_eq!(lan.owner(group(0)), id(0));
}

#[test]
fn what_others_did_not_hear_of_an_attachment_they_find() {
    let mut lan = Lan::new(3, 1);
    lan.input(id(0), Input::Attached(attached(true)));
    lan.run(5 * SECOND);
    let of_first = |lan: &Lan, number: usize| lan.nodes[&id(number)].cluster.attachment(id(0)).cloned();
    lan.node(id(0)).is_cut_off = true;
    lan.input(id(0), Input::Attached(attached(false)));
    lan.run(10 * MILLISECOND);
    lan.node(id(0)).is_cut_off = false;
    assert_ne!(of_first(&lan, 1), of_first(&lan, 0));
    lan.run(SECOND);
    assert_eq!(of_first(&lan, 1), of_first(&lan, 0));
    assert_eq!(of_first(&lan, 2).unwrap().interfaces, attached(false));
}

#[test]
fn a_process_whose_clock_is_behind_is_believed_about_its_interfaces() {
    let mut lan = Lan::new(2, 0);
    lan.input(id(0), Input::Attached(attached(false)));
    lan.run(SECOND);
    let before = lan.nodes[&id(1)].cluster.attachment(id(0)).unwrap().clone();
    lan.start(0);
    lan.node(id(0)).cluster = Cluster::new(lan.now, id(0), before.born - 1, 7);
    let roster = lan.candidates.keys().copied().collect();
    lan.input(id(0), Input::Roster(roster));
    lan.input(id(0), Input::Attached(attached(true)));
    lan.run(SECOND);
    let after = lan.nodes[&id(1)].cluster.attachment(id(0)).unwrap();
    assert_eq!((after.born, after.revision), (before.born, before.revision + 1));
    assert_eq!(after.interfaces, attached(true));
}

#[test]
fn of_more_interfaces_than_can_be_told_the_first_are() {
    let mut lan = Lan::new(2, 0);
    let interface = attached(true).remove(0);
    let many = Attached {
        prefixes: vec![interface.prefixes[0]; MAX_PREFIXES + 1],
        ..interface
    };
    lan.input(id(0), Input::Attached(vec![many; MAX_INTERFACES + 1]));
    lan.run(SECOND);
    for number in 0..2 {
        let known = lan.nodes[&id(number)].cluster.attachment(id(0)).unwrap();
        assert_eq!(known.interfaces.len(), MAX_INTERFACES);
        assert!(
            known
                .interfaces
                .iter()
                .all(|one| one.prefixes.len() == MAX_PREFIXES)
        );
        assert_eq!(known.revision, 0);
    }
}
