//! The nodes, what happens to them, and the time.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use cortenlb_proto::cluster::{Candidates, Input, NodeId, Output, Role};
use cortenlb_wire::mac::MacAddr;

use crate::dice::Dice;
use crate::fault::Fault;
use crate::log::Log;
use crate::network::Network;
use crate::node::{Node, QUEUE, Told};
use crate::observer::{Kind, Observer};
use crate::schedule::Schedule;

mod act;
mod end;

/// Nobody has reason to send so many datagrams in a second, and some more for each group.
const STORM: u64 = 20_000;

/// Where a station is that is no node.
pub(crate) const STRANGER: MacAddr = MacAddr([2, 0, 0, 9, 9, 9]);

/// What is on the agenda.
#[derive(Debug)]
enum Event {
    /// A timer fires that was set for `alarm`.
    Timeout {
        node: usize,
        life: u32,
        alarm: u64,
    },
    /// What a node was told to answer for may no longer hold.
    Lapse {
        node: usize,
        life: u32,
    },
    Datagram {
        to: usize,
        bytes: Vec<u8>,
    },
    /// A question on the segment arrives.
    Asked {
        by: usize,
        group: usize,
    },
    Answered {
        to: usize,
        group: usize,
        address: usize,
    },
    /// A station that is no node answers.
    StrangerAnswers {
        to: usize,
        group: usize,
    },
    AskedNode {
        by: usize,
        about: usize,
    },
    NodeAnswered {
        to: usize,
        about: usize,
    },
    Tell {
        node: usize,
        told: Told,
    },
    Start {
        node: usize,
        life: u32,
        snapshot: bool,
        set_back: bool,
    },
    /// The process ends.
    Stop {
        node: usize,
        life: u32,
    },
    Snapshot(usize),
    Begin(usize),
    End(usize),
    LookAtAll,
    Look(usize),
}

struct Planned {
    at: u64,
    number: u64,
    event: Event,
}

pub(crate) struct World {
    pub(crate) now: u64,
    pub(crate) schedule: Schedule,
    pub(crate) network: Network,
    pub(crate) observer: Observer,
    pub(crate) log: Log,
    pub(crate) nodes: Vec<Node>,
    /// What was told of strangers: when, and where they have which group.
    pub(crate) occupied: Vec<(u64, usize, Option<MacAddr>)>,
    /// What owners were told who are not heard: when, about which group, and whether it moved.
    pub(crate) unheard: Vec<(u64, usize, bool)>,
    ids: BTreeMap<NodeId, usize>,
    /// Whom the cluster knows.
    roster: BTreeSet<usize>,
    /// What is at fault and whose groups may move for that; none: everybody's.
    concerned: BTreeMap<usize, Option<BTreeSet<usize>>>,
    /// Who can answer for each group, as the machines are told.
    named: BTreeMap<usize, Candidates>,
    /// Since when what was at fault last is forgotten.
    calm_from: u64,
    agenda: BinaryHeap<Planned>,
    planned: u64,
    dice: Dice,
}

/// The lowest address of a group; every other one is of IPv6.
pub(crate) fn address(group: usize) -> IpAddr {
    let number = u32::try_from(group).unwrap();
    if group.is_multiple_of(2) {
        Ipv4Addr::from(0x0a00_0000 + number).into()
    } else {
        Ipv6Addr::from((0xfd00_u128 << 112) + u128::from(number)).into()
    }
}

fn group_of(address: IpAddr) -> usize {
    let number = match address {
        IpAddr::V4(address) => u32::from(address) - 0x0a00_0000,
        IpAddr::V6(address) => u32::try_from(u128::from(address) - (0xfd00_u128 << 112)).unwrap(),
    };
    number as usize
}

impl World {
    pub(crate) fn new(schedule: Schedule, log: Log) -> Self {
        let mut dice = Dice::new(schedule.seed);
        let count = schedule.nodes_ever();
        let mk_node = |index| Node::new(&mut dice, index, schedule.stands_in);
        let nodes: Vec<Node> = (0..count).map(mk_node).collect();
        let ids = nodes.iter().enumerate().map(|(index, node)| (node.id, index));
        let mut observer = Observer::new(count, schedule.groups_ever());
        observer.lossy = schedule.loss > 0;
        observer.hushed = schedule.hushed;
        let mut world = Self {
            now: 0,
            network: Network::new(count, schedule.loss),
            observer,
            log,
            occupied: Vec::new(),
            unheard: Vec::new(),
            ids: ids.collect(),
            nodes,
            roster: (0..schedule.starts.len()).collect(),
            concerned: BTreeMap::new(),
            named: BTreeMap::new(),
            calm_from: 0,
            agenda: BinaryHeap::new(),
            planned: 0,
            dice,
            schedule,
        };
        world.begin();
        world
    }

    fn plan(&mut self, at: u64, event: Event) {
        self.planned += 1;
        let number = self.planned;
        self.agenda.push(Planned { at, number, event });
    }

    /// Goes on until then, or until something is found that must not be.
    pub(crate) fn run_until(&mut self, end: u64) {
        while self.observer.violation.is_none()
            && let Some(next) = self.agenda.peek()
            && next.at <= end
        {
            let Planned { at, event, .. } = self.agenda.pop().unwrap();
            self.now = at;
            self.happen(event);
            while let Some((at, group)) = self.observer.again.pop() {
                self.plan(at.max(self.now), Event::Look(group));
            }
        }
        if self.observer.violation.is_none() {
            self.now = end;
        }
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Timeout { node, life, alarm } => self.timeout(node, life, alarm),
            Event::Lapse { node, life } => {
                if self.nodes[node].life == life
                    && let Some(process) = &mut self.nodes[node].process
                {
                    process.lapse = false;
                    self.after(node);
                }
            }
            Event::Datagram { to, bytes } => self.datagram(to, bytes),
            Event::Asked { by, group } => {
                if self.network.loses_frame(&mut self.dice) {
                    return;
                }
                let stranger = Fault::Stranger(group);
                let hears = !self.nodes[by].unplugged;
                if hears && self.network.faults.values().any(|fault| *fault == stranger) {
                    let at = self.now + Network::frame(&mut self.dice);
                    self.plan(at, Event::StrangerAnswers { to: by, group });
                }
                for (node, address) in self.observer.answers(group, by) {
                    // One that stands in is no sign of life of the one in whose name it answers.
                    let hears = !self.nodes[by].unplugged && self.network.on_one_segment(by, node);
                    let answers = !self
                        .network
                        .faults
                        .values()
                        .any(|fault| *fault == Fault::Unanswering(node));
                    if node == address && hears && answers && !self.network.loses_frame(&mut self.dice) {
                        let at = self.now + Network::frame(&mut self.dice);
                        let to = by;
                        self.plan(at, Event::Answered { to, group, address });
                    }
                }
            }
            Event::Answered {
                to,
                group,
                address: by,
            } => {
                let by = self.nodes[by].id;
                let group = address(group);
                let address = group;
                self.input(to, Input::Answered { group, address, by });
            }
            Event::StrangerAnswers { to, group } => {
                let group = address(group);
                let (address, mac) = (group, STRANGER);
                self.input(to, Input::Stranger { group, address, mac });
            }
            Event::AskedNode { by, about } => {
                if self.nodes[about].powered && self.network.on_one_segment(by, about) {
                    let at = self.now + Network::frame(&mut self.dice);
                    self.plan(at, Event::NodeAnswered { to: by, about });
                }
            }
            Event::NodeAnswered { to, about } => {
                let id = self.nodes[about].id;
                let segment = self.nodes[to].attached().into_iter().nth(1);
                if let Some(segment) = segment.filter(|segment| segment.carrier) {
                    // The nodes' own addresses are on it as well.
                    self.input(to, Input::Heard(segment.prefixes));
                }
                self.input(to, Input::NodeAnswered(id));
            }
            Event::Tell { node, told } => self.tell(node, told),
            Event::Start {
                node,
                life,
                snapshot,
                set_back,
            } => {
                if self.nodes[node].life == life && self.nodes[node].process.is_none() {
                    self.start(node, snapshot, set_back);
                }
            }
            Event::Stop { node, life } => {
                if self.nodes[node].life == life {
                    self.stop(node);
                }
            }
            Event::Snapshot(node) => {
                if let Some(process) = self.nodes[node].running() {
                    let saved = process.cluster.snapshot();
                    self.nodes[node].saved = Some(saved);
                }
            }
            Event::Begin(number) => self.begin_fault(number),
            Event::End(number) => self.end_fault(number),
            Event::LookAtAll => self.observer.look_at_all(self.now),
            Event::Look(group) => self.observer.look(self.now, group),
        }
    }

    fn timeout(&mut self, node: usize, life: u32, alarm: u64) {
        let local = self.nodes[node].clock.local(self.now);
        if self.nodes[node].life != life {
            return;
        }
        let Some(process) = &mut self.nodes[node].process else {
            return;
        };
        // It has been set anew meanwhile, for an earlier time.
        if process.alarm != Some(alarm) {
            return;
        }
        process.alarm = None;
        if let Some(waiting) = &mut process.stopped {
            waiting.timeout = true;
        } else if process.cluster.poll_timeout() <= local {
            self.input(node, Input::Timeout);
        } else {
            self.after(node);
        }
    }

    fn datagram(&mut self, to: usize, bytes: Vec<u8>) {
        let Some(process) = &mut self.nodes[to].process else {
            return;
        };
        match &mut process.stopped {
            Some(waiting) if waiting.datagrams.len() < QUEUE => waiting.datagrams.push(bytes),
            Some(_) => {}
            None => self.input(to, Input::Datagram(&bytes)),
        }
    }

    /// Hands something to a process, if it runs, and does what it wants.
    fn input(&mut self, node: usize, input: Input<'_>) {
        let local = self.nodes[node].clock.local(self.now);
        if let Some(process) = self.nodes[node].running() {
            process.cluster.handle_input(local, input);
            self.after(node);
        }
    }

    /// Does what a process wants, and sees what it answers for now.
    fn after(&mut self, node: usize) {
        let clock = self.nodes[node].clock;
        let Some(process) = self.nodes[node].running() else {
            return;
        };
        let mut outputs = Vec::new();
        outputs.extend(std::iter::from_fn(|| process.cluster.poll_output()));
        let holds = clock.local(self.now) <= process.cluster.serves_until();
        let mut changed = BTreeSet::new();
        if holds != process.holds {
            process.holds = holds;
            changed.extend(process.serving.keys().copied());
        }
        for output in outputs {
            self.output(node, output, &mut changed);
        }
        for group in changed {
            self.seen(node, group);
        }
        self.arm(node);
        if self.log.is_on() {
            self.opinions(node);
        }
    }

    fn output(&mut self, node: usize, output: Output, changed: &mut BTreeSet<usize>) {
        let serving = &mut self.nodes[node].process.as_mut().unwrap().serving;
        match output {
            Output::Send { to, bytes } => {
                let to = self.ids[&to];
                if self.network.one_more(self.now, node) > STORM + 10 * self.observer.groups() as u64 {
                    let text = format!("n{node} sends and sends");
                    self.observer.blame(Kind::Storm, self.now, None, text);
                }
                let arrivals = self.network.deliver(&mut self.dice, (node, to), bytes.len());
                self.log
                    .datagram(self.now, (node, to), &bytes, arrivals[0].is_some());
                if let [Some(first), second] = arrivals {
                    if let Some(second) = second {
                        let bytes = bytes.clone();
                        self.plan(self.now + second, Event::Datagram { to, bytes });
                    }
                    self.plan(self.now + first, Event::Datagram { to, bytes });
                }
            }
            Output::Serve {
                group, role, cause, ..
            } => {
                let group = group_of(group);
                serving.insert(group, role);
                changed.insert(group);
                let said = || {
                    format!(
                        "n{node} serves {group} as {} because {cause:?}",
                        shown(&self.ids, role)
                    )
                };
                self.log.note(self.now, Some(group), said);
            }
            Output::Release { group, cause } => {
                let group = group_of(group);
                serving.remove(&group);
                changed.insert(group);
                let said = || format!("n{node} releases {group} because {cause:?}");
                self.log.note(self.now, Some(group), said);
            }
            Output::Ask { group } | Output::Probe { group, .. } | Output::Check { group, .. } => {
                let group = group_of(group);
                let at = self.now + Network::frame(&mut self.dice);
                self.plan(at, Event::Asked { by: node, group });
                let said = || format!("n{node} asks who has {group}");
                self.log.note(self.now, Some(group), said);
            }
            Output::Occupied { group, by, .. } => {
                let (now, group) = (self.now, group_of(group));
                self.occupied.push((now, group, by));
                self.log.note(now, Some(group), || {
                    format!("n{node}: {group} is taken by {by:?}")
                });
            }
            Output::Unheard { group, next, .. } => {
                let (now, group) = (self.now, group_of(group));
                self.unheard.push((now, group, next.is_some()));
                self.log
                    .note(now, Some(group), || format!("n{node} is not heard about {group}"));
            }
            Output::Attached(_) | Output::Phase { .. } | Output::Suspected(_) => {}
            Output::Repeat | Output::Unreadable(_) => {}
            Output::AskGateway => {
                if let Some(after) = self.network.gateway(&mut self.dice, node) {
                    let told = Told::GatewayAnswered;
                    self.plan(self.now + after, Event::Tell { node, told });
                }
            }
            Output::AskNode(about) => {
                let about = self.ids[&about];
                let at = self.now + Network::frame(&mut self.dice);
                self.plan(at, Event::AskedNode { by: node, about });
                self.log
                    .note(self.now, None, || format!("n{node} asks for n{about}"));
            }
        }
    }

    /// What a node answers for a group, as others see it.
    fn seen(&mut self, node: usize, group: usize) {
        let unplugged = self.nodes[node].unplugged;
        let process = self.nodes[node].running().filter(|_| !unplugged);
        let role = process.and_then(|process| process.serving.get(&group).filter(|_| process.holds));
        let address = match role.copied() {
            Some(Role::Owner) => Some(node),
            Some(Role::StandIn(owner)) => Some(self.ids[&owner]),
            None => None,
        };
        self.observer.answer(self.now, group, node, address);
    }

    /// Puts on the agenda when the process is to be woken, and when what it was told ends.
    fn arm(&mut self, node: usize) {
        let (clock, life) = (self.nodes[node].clock, self.nodes[node].life);
        let Some(process) = self.nodes[node].running() else {
            return;
        };
        let wanted = clock.world(process.cluster.poll_timeout()).max(self.now);
        let until = clock.world(process.cluster.serves_until());
        let lapses = process.holds && !process.lapse;
        process.lapse |= lapses;
        // One that is set too early is set anew when it fires.
        if process.alarm.is_none_or(|alarm| wanted < alarm) {
            process.alarm = Some(wanted);
            let at = wanted + Node::lateness(&mut self.dice);
            let alarm = wanted;
            self.plan(at, Event::Timeout { node, life, alarm });
        }
        if lapses {
            self.plan(until.saturating_add(1_000), Event::Lapse { node, life });
        }
    }
}

fn shown(ids: &BTreeMap<NodeId, usize>, role: Role) -> String {
    match role {
        Role::Owner => "owner".to_owned(),
        Role::StandIn(owner) => format!("stand-in for n{}", ids[&owner]),
    }
}

impl Ord for Planned {
    /// The earliest is the greatest: the heap gives that first.
    fn cmp(&self, other: &Self) -> Ordering {
        (other.at, other.number).cmp(&(self.at, self.number))
    }
}

impl PartialOrd for Planned {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Planned {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Planned {}
