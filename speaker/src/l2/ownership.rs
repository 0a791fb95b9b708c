//! Which addresses this node answers for: the machine that all speakers run together, and what it needs from the segment.
//!
//! Pure: it turns groups into addresses and nodes into link-layer addresses, so that [`Cluster`] need not know either.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use cortenlb_core::announce::Interfaces as Scope;
use cortenlb_core::few::{Few, FewMap};
use cortenlb_core::time::Instant;
use cortenlb_proto::cluster::{Candidates, Cause, Cluster, Former, Input, NodeId, Output, Role, Unreadable};
use cortenlb_proto::l2::{Announcement, Table, Whose};
use cortenlb_wire::mac::MacAddr;

use super::attached::Ports;
use super::hearing::{Heard, Missing};
use super::timeline::Taken;

mod candidates;
mod contested;
mod segment;
mod told;

/// The link-layer addresses of other nodes that have not told them are asked for again after this time.
const MACS: Duration = Duration::from_secs(60);

/// The least time between two versions of what is kept for the next process.
const SAVE: Duration = Duration::from_secs(1);

/// What is to be announced, and by whom it can be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// All speakers, this one among them.
    pub speakers: BTreeMap<NodeId, Speaker>,
    /// By the lowest address of each group.
    pub groups: BTreeMap<IpAddr, Group>,
    /// Whether another load balancer answers: there are no groups until it has ended.
    pub is_held: bool,
}

/// A speaker of the cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Speaker {
    /// The name of its node.
    pub node: String,
    /// The addresses of its pod, which are the node's.
    pub addresses: Vec<IpAddr>,
}

/// Addresses that one node announces together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Its lowest address before that changed, if it has; it stays where it is.
    pub former: Option<IpAddr>,
    /// The nodes that can.
    pub candidates: Candidates,
    /// The addresses that this node can announce, and where.
    pub addresses: FewMap<IpAddr, Scope>,
    /// All that the candidates can announce, at least one: an owner is to have them on its links.
    pub all: Few<IpAddr>,
    /// Whether a station that is no node was found to have one of them.
    pub contested: bool,
    /// Whether of the candidates only those count that have an interface in the subnet of each address.
    pub on_link: bool,
}

/// What is to be done.
#[derive(Debug)]
pub(super) enum Action {
    /// Send this to the speaker of a node.
    Send { to: NodeId, bytes: Vec<u8> },
    /// Answer what has been asked until now: this node gives away what it answers for, and the next one did not answer
    /// earlier.
    Finish,
    /// Answer for these addresses and no others.
    Table(Table),
    /// This node has come to answer for a group, at that time.
    Taken(Instant, Taken),
    /// This is what this node owns now; none while nobody knows.
    Owned(Option<BTreeSet<IpAddr>>),
    /// These addresses are found to be at stations that are no nodes: nobody answers for them.
    Contested(BTreeMap<IpAddr, MacAddr>),
    /// Another speaker is in this phase now.
    Phase(&'static str),
    /// Heartbeats of another speaker did not come.
    Suspected,
    /// Open the sockets on these interfaces anew.
    Reopen(Vec<u32>),
    /// Ask on the segment.
    Ask {
        address: IpAddr,
        scope: Scope,
        whose: Whose,
    },
    /// Tell the segment again of all that this node answers for in its own name.
    Repeat,
    /// A datagram of another speaker could not be read.
    Unreadable(Unreadable),
    /// These are the link-layer addresses of the cluster's other nodes.
    Friends(BTreeSet<MacAddr>),
    /// Keep the records for the next process.
    Save(Vec<u8>),
}

/// The machine, and what it is told about the segment.
#[derive(Debug)]
pub(super) struct Ownership {
    me: NodeId,
    cluster: Cluster,
    plan: Arc<Plan>,
    /// Speakers whose pods are gone, while the machine knows them: their nodes may be there, and are asked.
    former: BTreeMap<NodeId, Speaker>,
    /// This node's ports, once they are known.
    ports: Option<Ports>,
    /// The names of those that announce.
    names: BTreeMap<u32, String>,
    /// The link-layer addresses with which other nodes answer for their own addresses, by interface of this one.
    learned: BTreeMap<NodeId, BTreeMap<u32, MacAddr>>,
    /// The candidates of the groups that ask for nodes in their subnet, as the machine was told.
    narrowed: BTreeMap<IpAddr, Candidates>,
    /// When to ask for them again.
    ask_macs: Instant,
    heard: Heard,
    missing: Missing,
    gateways: BTreeSet<IpAddr>,
    actions: VecDeque<Action>,
    /// What was told last of stations that are no nodes.
    contested: BTreeMap<IpAddr, MacAddr>,
    /// The table has to be made anew.
    is_stale: bool,
    /// What has been asked is to be answered before that.
    finishes: bool,
    /// What this node answers for with it.
    taken: Vec<(Instant, Taken)>,
    /// Whether it was known what this node owns when that was told last.
    was_up: bool,
    /// What was handed out for the next process, and when to do so again.
    saved: u64,
    save: Instant,
}

impl Ownership {
    /// Owns nothing yet. `born` and `seed` as in [`Cluster::new`].
    pub(super) fn new(now: Instant, me: NodeId, born: u64, seed: u64) -> Self {
        Self {
            me,
            cluster: Cluster::new(now, me, born, seed),
            plan: Arc::default(),
            former: BTreeMap::new(),
            ports: None,
            names: BTreeMap::new(),
            learned: BTreeMap::new(),
            narrowed: BTreeMap::new(),
            ask_macs: now,
            heard: Heard::new(now),
            missing: Missing::new(now),
            gateways: BTreeSet::new(),
            actions: VecDeque::new(),
            contested: BTreeMap::new(),
            is_stale: false,
            finishes: false,
            taken: Vec::new(),
            was_up: false,
            saved: 0,
            save: now,
        }
    }

    /// The same, and from now on it gives groups to nodes that have fewer.
    pub(super) fn with_rebalancing(mut self) -> Self {
        self.cluster = self.cluster.with_rebalancing();
        self
    }

    /// The same, and from now on it answers in nobody's name.
    pub(super) fn without_stand_ins(mut self) -> Self {
        self.cluster = self.cluster.without_stand_ins();
        self
    }

    /// Takes in what an earlier process has handed out with [`Action::Save`], before anything else.
    pub(super) fn restore(&mut self, now: Instant, records: &[u8]) {
        self.cluster.restore(now, records);
    }

    /// The groups that this node owns; none while nobody knows.
    fn owned(&self) -> Option<BTreeSet<IpAddr>> {
        let owned = self.cluster.serving().filter(|(_, role)| *role == Role::Owner);
        self.cluster
            .is_up()
            .then(|| owned.map(|(group, _)| group).collect())
    }

    /// The addresses of a node's speaker.
    pub(super) fn addresses_of(&self, id: NodeId) -> &[IpAddr] {
        self.speaker(id).map_or(&[], |speaker| &speaker.addresses)
    }

    fn speaker(&self, id: NodeId) -> Option<&Speaker> {
        let there = self.plan.speakers.get(&id);
        // A pod that has just been made has no address yet: its node is where it was.
        let known = there.filter(|speaker| !speaker.addresses.is_empty());
        known.or_else(|| self.former.get(&id)).or(there)
    }

    /// Forgets the speakers that the machine has forgotten, and those that are in the plan again.
    fn forget_former(&mut self) {
        let known: BTreeSet<NodeId> = self.cluster.members().map(|member| member.id).collect();
        let there = &self.plan.speakers;
        let is_back = |id: &NodeId| there.get(id).is_some_and(|speaker| !speaker.addresses.is_empty());
        self.former.retain(|id, _| known.contains(id) && !is_back(id));
        let former = &self.former;
        let learned = self.learned.len();
        self.learned
            .retain(|id, _| there.contains_key(id) || former.contains_key(id));
        if self.learned.len() != learned {
            self.tell_friends();
        }
    }

    /// Whether there are no other speakers.
    pub(super) fn is_only(&self) -> bool {
        self.cluster.is_only()
    }

    pub(super) fn serves_until(&self) -> Instant {
        self.cluster.serves_until()
    }

    pub(super) fn poll_timeout(&self) -> Instant {
        self.cluster.poll_timeout()
    }

    /// The next thing to do. A new table comes before what others are told: who hears that this node answers may cease to.
    /// It is made when it is asked for, so that an older one cannot come after it.
    pub(super) fn poll_action(&mut self) -> Option<Action> {
        let is_up = self.cluster.is_up();
        let changed = std::mem::replace(&mut self.was_up, is_up) != is_up;
        if self.is_stale {
            // After a pause others may have what was asked for.
            if std::mem::take(&mut self.finishes) && is_up {
                return Some(Action::Finish);
            }
            if let Some((at, taken)) = self.taken.pop() {
                return Some(Action::Taken(at, taken));
            }
            self.is_stale = false;
            self.tell_contested();
            self.actions.push_back(Action::Owned(self.owned()));
            return Some(Action::Table(self.table()));
        }
        if changed {
            self.actions.push_back(Action::Owned(self.owned()));
        }
        self.actions.pop_front()
    }

    /// Takes in a new plan.
    pub(super) fn set_plan(&mut self, now: Instant, plan: impl Into<Arc<Plan>>) {
        let before = std::mem::replace(&mut self.plan, plan.into());
        self.keep_addresses(&before.groups);
        if before.speakers != self.plan.speakers {
            let before = before.speakers.iter();
            let before = before.filter(|(_, speaker)| !speaker.addresses.is_empty());
            self.former
                .extend(before.map(|(id, speaker)| (*id, speaker.clone())));
            let roster = self.plan.speakers.keys().copied().collect();
            self.handle(now, Input::Roster(roster));
            self.forget_former();
            self.ask_macs = now;
        }
        // Before the groups: these count for who gets them.
        if before.is_held && !self.plan.is_held {
            self.handle(now, Input::OtherEnded);
        }
        self.attach(now);
        self.set_addresses(now, Some(&before.groups));
        self.tell_groups(now, &before.groups);
        self.is_stale = true;
    }

    /// Takes in the addresses of the default gateways.
    pub(super) fn set_gateways(&mut self, gateways: BTreeSet<IpAddr>) {
        self.gateways = gateways;
        self.ask_gateways();
    }

    /// Takes in what concerns the machine alone.
    pub(super) fn handle(&mut self, now: Instant, input: Input<'_>) {
        if matches!(input, Input::Datagram(_)) {
            self.hear(now);
        }
        self.cluster.handle_input(now, input);
        while let Some(output) = self.cluster.poll_output() {
            match output {
                Output::Send { to, bytes } => self.actions.push_back(Action::Send { to, bytes }),
                Output::Serve {
                    group,
                    role,
                    cause,
                    former,
                } => {
                    let taken = self.taken(group, role, cause, former);
                    self.taken.push((now, taken));
                    let (cause, node) = self.told(cause);
                    let in_name_of = match role {
                        Role::StandIn(owner) => self.name_of(owner),
                        Role::Owner => "",
                    };
                    tracing::info!(%group, cause, node, in_name_of, "answering for the group");
                    self.is_stale = true;
                    if let Role::StandIn(owner) = role
                        && self.macs_of(owner).is_empty()
                    {
                        self.ask_node(owner);
                    }
                }
                Output::Release { group, cause } => {
                    self.finishes |= cause.is_hand_over();
                    let (cause, node) = self.told(cause);
                    tracing::info!(%group, cause, node, "no longer answering for the group");
                    self.is_stale = true;
                }
                Output::Ask { group } => self.ask_for(group, group),
                Output::Probe { group, address } | Output::Check { group, address } => {
                    self.ask_for(group, address);
                }
                Output::Occupied { address, by, .. } => self.occupied(address, by),
                Output::Unheard {
                    group,
                    address,
                    by,
                    next,
                } => self.unheard(group, address, by, next),
                Output::AskNode(id) => self.ask_node(id),
                Output::AskGateway => self.ask_gateways(),
                Output::Attached(id) => self.attachment_changed(now, id),
                Output::Phase {
                    id,
                    before,
                    after,
                    why,
                } => self.tell_phase(id, before, after, why),
                Output::Suspected(_) => self.actions.push_back(Action::Suspected),
                Output::Repeat => self.actions.push_back(Action::Repeat),
                Output::Unreadable(error) => self.actions.push_back(Action::Unreadable(error)),
            }
        }
    }

    /// The time of a timeout may have come.
    pub(super) fn tick(&mut self, now: Instant) {
        self.handle(now, Input::Timeout);
        if now >= self.save && self.saved != self.cluster.digest() {
            self.saved = self.cluster.digest();
            self.save = now + SAVE;
            self.actions.push_back(Action::Save(self.cluster.snapshot()));
        }
        self.listen(now);
        if now >= self.ask_macs {
            self.ask_macs = now + MACS;
            self.forget_former();
            // Most say themselves what theirs are: if all asked all, questions would grow with the square of their number.
            let unknown = |id: &NodeId| *id != self.me && self.macs_of(*id).is_empty();
            let others: Vec<NodeId> = self.plan.speakers.keys().copied().filter(unknown).collect();
            others.into_iter().for_each(|id| self.ask_node(id));
        }
    }

    /// Somebody (`source`) says on the segment where an address is (`by`). A node that answers in another's name is no sign
    /// of life of that one.
    pub(super) fn answered(
        &mut self,
        now: Instant,
        interface: u32,
        address: IpAddr,
        by: MacAddr,
        source: MacAddr,
    ) {
        self.hear_segment(now, interface);
        if source != by {
            return self.answered_for(now, interface, address, by, source);
        }
        let node = self
            .plan
            .speakers
            .iter()
            .chain(&self.former)
            .find(|(_, speaker)| speaker.addresses.contains(&address));
        if let Some((&id, _)) = node {
            self.learn_mac(id, interface, by);
            self.handle(now, Input::NodeAnswered(id));
        }
        if self.gateways.contains(&address) {
            self.handle(now, Input::GatewayAnswered);
        }
        self.answered_for_group(now, interface, address, by);
    }

    fn name_of(&self, id: NodeId) -> &str {
        self.speaker(id).map_or("?", |speaker| &speaker.node)
    }

    /// A cause and the node that it is about, for the log.
    fn told(&self, cause: Cause) -> (&'static str, &str) {
        let (cause, node) = cause.told();
        (cause, node.map_or("", |id| self.name_of(id)))
    }

    fn taken(&self, group: IpAddr, role: Role, cause: Cause, former: Option<Former>) -> Taken {
        let planned = self.plan.groups.get(&group);
        let addresses = planned.into_iter().flat_map(|group| group.addresses.keys());
        Taken {
            group,
            addresses: addresses.copied().collect(),
            in_name_of: match role {
                Role::StandIn(owner) => Some(self.name_of(owner).to_owned()),
                Role::Owner => None,
            },
            cause,
            former: former.map(|former| (self.name_of(former.node).to_owned(), former)),
        }
    }

    /// Asks for an address of a group where it is announced.
    fn ask_for(&mut self, group: IpAddr, address: IpAddr) {
        let group = self.plan.groups.get(&group);
        let scope = group.and_then(|group| group.addresses.get(&address));
        let scope = scope.cloned().unwrap_or(Scope::All);
        let whose = Whose::Vip;
        self.actions.push_back(Action::Ask {
            address,
            scope,
            whose,
        });
    }

    fn ask_gateways(&mut self) {
        self.actions.extend(self.gateways.iter().copied().map(ask_host));
    }

    fn ask_node(&mut self, id: NodeId) {
        let addresses = self.addresses_of(id).to_vec();
        self.actions.extend(addresses.into_iter().map(ask_host));
    }

    fn table(&self) -> Table {
        let withheld: BTreeSet<IpAddr> = self.cluster.withheld().collect();
        let withheld = &withheld;
        let serving = self.cluster.serving();
        let groups = serving.filter_map(|(group, role)| Some((self.plan.groups.get(&group)?, role)));
        let addresses = groups.flat_map(|(group, role)| {
            let in_name_of = match role {
                Role::Owner => None,
                Role::StandIn(owner) => Some(self.macs_of(owner)),
            };
            let addresses = group.addresses.iter();
            let answered = addresses.filter(move |(address, _)| !withheld.contains(address));
            answered.map(move |(address, scope)| {
                let announcement = Announcement {
                    scope: scope.clone(),
                    in_name_of: in_name_of.clone(),
                };
                (*address, announcement)
            })
        });
        addresses.collect()
    }
}

/// Asks for an address that a host has, or is about to take.
fn ask_host(address: IpAddr) -> Action {
    Action::Ask {
        address,
        scope: Scope::All,
        whose: Whose::Host,
    }
}

#[cfg(test)]
mod tests;
