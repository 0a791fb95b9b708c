//! Who is there, and who answers for which group of addresses: one machine on every node.
//!
//! Everything that is known is a set of *entries*: two for each member, one for each group. Entries are ordered, the
//! greater one of two holds, so that all who have seen the same entries know the same, in whatever order they came.
//! What is news to a member it passes on at once to those whom it knows best; what got lost is found by comparing
//! digests, which every heartbeat carries. See `docs/adr/0005-ownership-is-state.md`.
//!
//! | module | owns |
//! | --- | --- |
//! | `life` | this member: heartbeats, joining, pauses, its end |
//! | `members` | who is there, in which life; who watches whom |
//! | `attachment` | how members are attached to the network, and which groups they reach |
//! | `suspicion` | who has not been heard, and what becomes of it |
//! | `records` | who owns which group, and who stands by |
//! | `digests` | what two know differently, without sending all of it |
//! | `exchange` | datagrams: what is news is passed on, what differs is compared |
//! | `placement` | where a group goes that has no owner |
//! | `serve` | what this node is to answer for, and who takes over |
//! | `answer` | beginning and ceasing to answer, and what the segment says to that |
//! | `check` | whether owners are heard where the addresses are |
//! | `conflict` | whether a station that is no node has a fresh address |
//! | `dispute` | what becomes of a group whose candidates nodes see differently |
//! | `former` | how an owner was lost, or why it gave a group away, for who has it then |
//! | `duty` | what it does, and when to look again |
//! | `why` | why a member is in another phase |
//! | `rename` | what becomes of a group that goes by another name |
//! | `review` | what changes slowly: who stands by, what is forgotten |
//! | `voluntary` | moves that nobody needs: preferences, rebalancing |

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use cortenlb_core::time::Instant;
use cortenlb_wire::mac::MacAddr;
use cortenlb_wire::member::Life;
pub use cortenlb_wire::member::{
    Attached, Attachment, Error as Unreadable, Member, NodeId, Phase, Prefix, Record,
};

mod answer;
mod attachment;
mod check;
mod conflict;
mod digests;
mod dispute;
mod duty;
mod exchange;
mod former;
mod life;
mod members;
mod placement;
mod records;
mod rename;
mod review;
mod serve;
mod standing;
mod suspicion;
mod voluntary;
mod why;

use check::Checks;
use conflict::Conflicts;
use duty::Duty;
use exchange::News;
pub use former::{Former, Given};
use life::Lifetime;
use members::Members;
use records::Records;
use standing::Support;
use suspicion::Inquiries;
pub use why::Why;

/// The time between heartbeats.
pub const HEARTBEAT: Duration = Duration::from_millis(100);

/// The nodes that can answer for a group, and how much each is preferred.
pub type Candidates = Arc<BTreeMap<NodeId, i64>>;

/// What happens to the machine.
#[derive(Clone, Debug)]
pub enum Input<'a> {
    /// All speakers that the cluster knows, this one among them; in place of the earlier ones.
    Roster(BTreeSet<NodeId>),
    /// Who can answer for a group, named by its lowest address; none: there is no such group (any more).
    Group {
        /// Which group.
        group: IpAddr,
        /// The nodes that can answer for it. Empty: nobody can.
        candidates: Option<Candidates>,
    },
    /// Who may be found to be a candidate of a group besides those who are, and these too: before its candidates. A new group
    /// waits for all of them, and is given to candidates alone. None, or without it: all candidates are known.
    Prospects {
        /// Which group.
        group: IpAddr,
        /// The nodes.
        prospects: Option<Candidates>,
    },
    /// The lowest address of a group is another one than before: to be handed in after its new addresses, and before its
    /// candidates under the new name, and before the old name is gone.
    Renamed {
        /// Its name from now on.
        group: IpAddr,
        /// Its name before.
        former: IpAddr,
    },
    /// What is known of a group besides, before its candidates; without it the group is one address that nobody else has.
    Addresses {
        /// Which group.
        group: IpAddr,
        /// The addresses that this node announces if it owns the group, and the lowest.
        addresses: BTreeSet<IpAddr>,
        /// All that nodes announce together, known alike by all: an owner is to reach them all. None: the lowest alone.
        all: BTreeSet<IpAddr>,
        /// Those that this node can ask for where they are announced.
        seen_here: BTreeSet<IpAddr>,
        /// Whether somebody else was found to have one of them: whoever comes to own the group asks before it answers.
        contested: bool,
    },
    /// A datagram, authentic.
    Datagram(&'a [u8]),
    /// A node has answered on the segment for an address of a group. Not one that stands in: it is no sign of life of the
    /// one in whose name it answers.
    Answered {
        /// Which group.
        group: IpAddr,
        /// Which of its addresses.
        address: IpAddr,
        /// Who has answered.
        by: NodeId,
    },
    /// Somebody who is no known node has answered on the segment for an address of a group.
    Stranger {
        /// Which group.
        group: IpAddr,
        /// Which of its addresses.
        address: IpAddr,
        /// Where it is said to be.
        mac: MacAddr,
    },
    /// Somebody has answered, whoever it was and for what, on the segment with these prefixes.
    Heard(Vec<Prefix>),
    /// A node's own address is answered for on the segment: its kernel runs.
    NodeAnswered(NodeId),
    /// This node's interfaces that can announce addresses, in an order that stays the same; in place of the earlier ones.
    Attached(Vec<Attached>),
    /// The default gateway has answered.
    GatewayAnswered,
    /// Whether this node can forward what comes in: until then it takes no groups that others can have.
    Forwards(bool),
    /// Give everything away, or (`false`) no longer.
    Drain(bool),
    /// Another load balancer has just ended: what it answered for, which is handed in next, does not wait for speakers that
    /// are not there yet.
    OtherEnded,
    /// This process is about to end, and to come back: the others stand in for it.
    Restarting,
    /// The time of [`Cluster::poll_timeout`] has come.
    Timeout,
}

/// What the machine wants done or known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Send this to a member.
    Send {
        /// To whom.
        to: NodeId,
        /// The datagram.
        bytes: Vec<u8>,
    },
    /// Answer for this group from now on.
    Serve {
        /// Which group.
        group: IpAddr,
        /// With whose link-layer address.
        role: Role,
        /// Why.
        cause: Cause,
        /// Who had it before, and what became of that one; none if nobody had it, or if that is not known.
        former: Option<Former>,
    },
    /// Answer for it no longer.
    Release {
        /// Which group.
        group: IpAddr,
        /// Why.
        cause: Cause,
    },
    /// Ask on the segment who answers for this group.
    Ask {
        /// Which group.
        group: IpAddr,
    },
    /// Ask on the segment who has this address, before its first use.
    Probe {
        /// Of which group.
        group: IpAddr,
        /// Which address.
        address: IpAddr,
    },
    /// It is known now who else has an address that was to be used for the first time: it is not answered for. Or nobody
    /// has it (any more): it is, if its group is.
    Occupied {
        /// Of which group.
        group: IpAddr,
        /// Which address.
        address: IpAddr,
        /// Where it is said to be; none: nowhere.
        by: Option<MacAddr>,
    },
    /// Ask on the segment for an address that another node owns: does it answer?
    Check {
        /// Of which group.
        group: IpAddr,
        /// Which address.
        address: IpAddr,
    },
    /// A member has asked for an address again and again, and heard no answer of this node's: its sockets on the segment
    /// of that address are to be opened anew.
    Unheard {
        /// Of which group.
        group: IpAddr,
        /// Which address.
        address: IpAddr,
        /// Who has asked.
        by: NodeId,
        /// Who owns the group from now on; none: still this node.
        next: Option<NodeId>,
    },
    /// Ask on the segment for the node's own address.
    AskNode(NodeId),
    /// Ask on the segment for the default gateway.
    AskGateway,
    /// This member's heartbeats come here, and did not come: it is asked for.
    Suspected(NodeId),
    /// This member is attached to the network in another way than before.
    Attached(NodeId),
    /// A member, perhaps this one, is in another phase than before.
    Phase {
        /// Which member.
        id: NodeId,
        /// Its phase before; none if it was not known.
        before: Option<Phase>,
        /// Its phase from now on.
        after: Phase,
        /// How that is known.
        why: Why,
    },
    /// A member that was dead as far as this one knew is back, and was there all the time: where this node's frames did not
    /// reach, it may have told the segment that it has what this node owns. The segment is to be told again.
    Repeat,
    /// A datagram was left out: it is of another version, or malformed.
    Unreadable(Unreadable),
}

/// With whose link-layer address a group is answered for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// This node's.
    Owner,
    /// That of another node, whose speaker is away for a moment: neighbours see no change.
    StandIn(NodeId),
}

/// Why a group is answered for, or no longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    /// Nobody had it.
    Placed,
    /// Its owner is gone.
    OwnerDead(NodeId),
    /// Its owner's speaker is away: for a moment if this node answers in its name.
    OwnerAway(NodeId),
    /// Its owner is back.
    OwnerBack(NodeId),
    /// Its owner gave it away: it can no longer answer for it, or is being drained.
    HandedOver,
    /// A node that is preferred has it.
    Preferred,
    /// A node that had fewer groups has it.
    Rebalanced,
    /// Two had it, and one of the two had to go.
    Conflict(NodeId),
    /// This node can no longer answer for it, and nobody can.
    Ineligible,
    /// This process was stopped for longer than others wait for it, or has just begun: others may have taken what it had.
    Silent,
    /// It owned this all the time, and others have confirmed that.
    Confirmed,
    /// It had it under another name: its lowest address has changed.
    Renamed,
    /// There is no such group any more.
    Gone,
}

impl Cause {
    /// Whether this node has given it away, and another one answers for it now.
    pub const fn is_hand_over(self) -> bool {
        matches!(self, Self::HandedOver | Self::Preferred | Self::Rebalanced)
    }

    /// In one word, and which node it is about.
    pub const fn told(self) -> (&'static str, Option<NodeId>) {
        match self {
            Self::Placed => ("Placed", None),
            Self::OwnerDead(id) => ("OwnerDead", Some(id)),
            Self::OwnerAway(id) => ("OwnerAway", Some(id)),
            Self::OwnerBack(id) => ("OwnerBack", Some(id)),
            Self::HandedOver => ("HandedOver", None),
            Self::Preferred => ("Preferred", None),
            Self::Rebalanced => ("Rebalanced", None),
            Self::Conflict(id) => ("Conflict", Some(id)),
            Self::Ineligible => ("Ineligible", None),
            Self::Silent => ("Silent", None),
            Self::Confirmed => ("Confirmed", None),
            Self::Renamed => ("Renamed", None),
            Self::Gone => ("Gone", None),
        }
    }
}

/// The machine.
#[derive(Debug)]
pub struct Cluster {
    members: Members,
    records: Records,
    groups: BTreeMap<IpAddr, Candidates>,
    inquiries: Inquiries,
    life: Lifetime,
    support: Support,
    duty: Duty,
    conflicts: Conflicts,
    checks: Checks,
    /// What others do not know yet.
    news: News,
    outputs: VecDeque<Output>,
}

impl Cluster {
    /// A member without knowledge. `born` is the wall clock's time in nanoseconds since 1970, `seed` any number.
    pub fn new(now: Instant, me: NodeId, born: u64, seed: u64) -> Self {
        let member = Member {
            id: me,
            life: Life { born, incarnation: 0 },
            phase: Phase::Joining,
        };
        Self {
            members: Members::new(now, member),
            records: Records::default(),
            groups: BTreeMap::new(),
            inquiries: Inquiries::default(),
            life: Lifetime::new(now, seed),
            support: Support::new(now),
            duty: Duty::default(),
            conflicts: Conflicts::default(),
            checks: Checks::default(),
            news: News::default(),
            outputs: VecDeque::new(),
        }
    }

    /// Takes in what happened at `now`, which never goes back.
    pub fn handle_input(&mut self, now: Instant, input: Input<'_>) {
        self.notice_pause(now);
        match input {
            Input::Roster(roster) => {
                if self.members.roster().is_empty() {
                    // Nobody could be asked before.
                    self.life.since = now;
                }
                self.members.set_roster(roster);
                self.members_changed(now);
            }
            Input::Group { group, candidates } => self.set_candidates(now, group, candidates),
            Input::Prospects { group, prospects } => self.duty.set_prospects(group, prospects),
            Input::Renamed { group, former } => self.renamed(now, group, former),
            Input::Addresses {
                group,
                addresses,
                all,
                seen_here,
                contested,
            } => self.set_addresses(now, group, addresses, all, seen_here, contested),
            Input::Datagram(bytes) => self.receive(now, bytes),
            Input::Answered { group, address, by } => self.answered(now, group, address, by),
            Input::Stranger { group, address, mac } => self.stranger(now, group, address, mac),
            Input::Heard(prefixes) => self.heard_on(now, prefixes),
            Input::NodeAnswered(id) => self.node_runs(now, id),
            Input::Attached(interfaces) => self.set_attached(now, interfaces),
            Input::GatewayAnswered => self.gateway_answered(now),
            Input::Forwards(forwards) => self.life.forwards = forwards,
            Input::Drain(drain) => self.drain(now, drain),
            Input::OtherEnded => self.duty.other_ended = true,
            Input::Restarting => self.leave(now),
            Input::Timeout => self.tick(now),
        }
        self.settle_due(now);
        self.spread();
    }

    /// The next thing to do, in the order of its cause.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When to hand in [`Input::Timeout`]; there is always a next heartbeat.
    pub fn poll_timeout(&self) -> Instant {
        let suspicion = (!self.life.is_leaving).then(|| self.next_suspicion()).flatten();
        let others = [
            suspicion,
            self.inquiries.poll_timeout(),
            self.duty.poll_timeout(),
            self.life.contradiction,
            self.next_weighing(),
            self.checks.poll_timeout(),
        ];
        let due = others.into_iter().flatten().min();
        due.map_or(self.life.next_heartbeat, |due| due.min(self.life.next_heartbeat))
    }

    /// The members that this one knows, itself among them.
    pub fn members(&self) -> impl Iterator<Item = &Member> {
        self.members.iter()
    }

    /// How a member is attached to the network, as far as it is known.
    pub fn attachment(&self, id: NodeId) -> Option<&Attachment> {
        self.members.attachment(id)
    }

    /// What this member answers for.
    pub fn serving(&self) -> impl Iterator<Item = (IpAddr, Role)> + '_ {
        self.duty.serving.iter().map(|(group, role)| (*group, *role))
    }

    /// The record of a group.
    pub fn record(&self, group: IpAddr) -> Option<&Record> {
        self.records.get(group)
    }
}

/// The finaliser of SplitMix64: numbers that differ in little come to differ in half of their bits.
const fn mix(number: u64) -> u64 {
    let number = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
