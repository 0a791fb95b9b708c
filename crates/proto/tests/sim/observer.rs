//! Looks at every change of who answers for what.
//!
//! An *address* is the link-layer address that neighbours learn, named by the node that has it: who stands in for
//! another node answers with that one's.

use std::rc::Rc;

use crate::dice::{MILLISECOND, SECOND};
use crate::fault::Wanted;
use crate::schedule::HEALING;

mod rules;
#[cfg(test)]
mod tests;

/// So long a process needs before anybody can expect it to answer for something that nobody else can: it waits for
/// others that are known for up to 5 s, and asks the segment before it uses an address.
pub(crate) const JOINING: u64 = 6_500 * MILLISECOND;

/// All processes have been told of who can answer for a group after this time.
pub(crate) const TOLD: u64 = 100 * MILLISECOND;

/// So long two may answer where one hands over to the other.
const HANDOVER: u64 = 200 * MILLISECOND;

/// The same where the datagram that ends it may be lost, and is made up for.
const HANDOVER_WITH_LOSS: u64 = 600 * MILLISECOND;

/// The same where it is lost for certain.
const HANDOVER_WITH_FAULT: u64 = 1_200 * MILLISECOND;

/// What must not be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// Nobody answers, although somebody could.
    Nobody,
    /// Two answer.
    Two,
    /// Somebody who had been stopped answers for what others have taken.
    Stale,
    /// The owner changed without a cause.
    Moved,
    /// A new group went to a node that had more than others.
    Unbalanced,
    /// Somebody answers who is not a candidate.
    Ineligible,
    /// A record names another owner than the one that answers.
    Disagree,
    /// A node that was cut off has something that it did not have before.
    Gained,
    /// Nodes send each other the same again and again.
    Storm,
    /// It took too long, or came too early.
    Time,
}

#[derive(Clone, Debug)]
pub(crate) struct Violation {
    pub(crate) kind: Kind,
    pub(crate) at: u64,
    pub(crate) group: Option<usize>,
    pub(crate) text: String,
}

/// A group is answered for with another address than before.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Taken {
    pub(crate) at: u64,
    pub(crate) group: usize,
    pub(crate) address: usize,
}

/// A node as the observer sees it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Seen {
    /// Since when its process runs.
    pub(crate) running: Option<u64>,
    /// Until then nobody expects it to answer for what it had to give away.
    drained_until: u64,
    /// Until then its groups may move.
    pub(crate) concerned_until: u64,
    /// It was stopped a moment ago; until then it must not answer for what others answer for.
    pub(crate) thawed_until: u64,
    /// Whether it failed in this run: it may be the last choice.
    pub(crate) failed: bool,
    /// How many groups it owns.
    owned: usize,
}

#[derive(Default)]
struct Group {
    wanted: Option<Wanted>,
    /// Who answers, and with whose address.
    answering: Vec<(usize, usize)>,
    /// With which addresses, and since when.
    addresses: Vec<(usize, u64)>,
    two_since: Option<u64>,
    /// Before that nothing is expected.
    quiet_from: u64,
    /// Until then somebody else has it.
    strange_until: u64,
    /// Whether it changed while who was to hear of it could not.
    unheard: bool,
    /// Until then it may move.
    loose_until: u64,
    /// Who has it, as of the last time when all was calm.
    settled: Option<usize>,
    /// Who has it now, if it has moved since for a cause.
    heir: Option<usize>,
    created: Option<Rc<Created>>,
}

/// How it was when groups came into being.
struct Created {
    /// How many groups each node had.
    owned: Vec<usize>,
    batch: usize,
    faults: u64,
}

#[derive(Default)]
pub(crate) struct Observer {
    pub(crate) nodes: Vec<Seen>,
    /// On which side of a partition each node is.
    pub(crate) sides: Vec<usize>,
    groups: Vec<Group>,
    /// When the last fault began or ended, and some time.
    quiet_from: u64,
    /// Whether something is at fault now.
    disturbed: bool,
    /// Whether datagrams are lost although frames are not: who is to do something new may not hear of it.
    pub(crate) unheard: bool,
    /// Whether datagrams may be lost even when nothing is at fault.
    pub(crate) lossy: bool,
    /// Whether so much is at fault that two may answer meanwhile.
    pub(crate) confused: bool,
    /// Before that nothing is expected in this run.
    pub(crate) hushed: u64,
    /// How much has happened.
    faults: u64,
    pub(crate) violation: Option<Violation>,
    /// When to look at which group again.
    pub(crate) again: Vec<(u64, usize)>,
    pub(crate) taken: Vec<Taken>,
}

impl Observer {
    pub(crate) fn new(nodes: usize, groups: usize) -> Self {
        Self {
            nodes: vec![Seen::default(); nodes],
            sides: vec![0; nodes],
            groups: (0..groups).map(|_| Group::default()).collect(),
            ..Self::default()
        }
    }

    /// Something is at fault, or no longer.
    pub(crate) fn fault(&mut self, now: u64, disturbed: bool, unheard: bool) {
        self.quiet_from = now + HEALING;
        self.disturbed = disturbed;
        self.unheard = unheard;
        if !unheard {
            self.groups.iter_mut().for_each(|group| group.unheard = false);
        }
        self.faults += 1;
    }

    /// Nothing is expected before.
    pub(crate) fn hush(&mut self, until: u64) {
        self.quiet_from = self.quiet_from.max(until);
    }

    /// Who can answer for a group from now on, or soon.
    pub(crate) fn want(&mut self, now: u64, group: usize, wanted: Option<Wanted>) {
        let had = &mut self.groups[group];
        // Whoever answers now can go on with that, and nobody is preferred.
        let keeps = match (&had.wanted, &wanted) {
            (Some(before), Some(after)) => {
                let mut answering = had.answering.iter();
                let same = !has_preferences(before) && !has_preferences(after);
                same && had.answering.len() == 1 && answering.all(|(node, _)| after.contains_key(node))
            }
            _ => false,
        };
        if !keeps {
            had.quiet_from = now + HEALING;
            had.loose_until = now + 2 * SECOND;
            had.unheard = self.unheard;
        }
        // Who is no candidate any more may stand in for somebody before it is told.
        had.quiet_from = had.quiet_from.max(now + TOLD);
        if wanted.is_none()
            && let Some(owner) = had.settled.take()
        {
            self.nodes[owner].owned -= 1;
            had.heir = None;
        }
        had.wanted = wanted;
        self.look(now, group);
    }

    /// These groups are new.
    pub(crate) fn create(&mut self, now: u64, groups: &[usize]) {
        let unsettled = |group: &Group| group.wanted.is_some() && group.settled.is_none();
        if self.disturbed || now < self.quiet_from || self.groups.iter().any(unsettled) {
            return;
        }
        let created = Rc::new(Created {
            owned: self.nodes.iter().map(|node| node.owned).collect(),
            batch: groups.len(),
            faults: self.faults,
        });
        for group in groups {
            self.groups[*group].created = Some(Rc::clone(&created));
        }
    }

    /// A node is to be emptied, or no longer: what is new may go anywhere.
    pub(crate) fn drain(&mut self, now: u64, node: usize, draining: bool) {
        self.nodes[node].drained_until = if draining { u64::MAX } else { now + HEALING };
        self.faults += 1;
    }

    /// A station that is no node has a group's address until then.
    pub(crate) fn strange(&mut self, group: usize, until: u64) {
        self.groups[group].strange_until = until;
        self.again.push((until, group));
    }

    pub(crate) fn wanted(&self, group: usize) -> Option<&Wanted> {
        self.groups[group].wanted.as_ref()
    }

    /// A node answers for a group with this address from now on, or no longer.
    pub(crate) fn answer(&mut self, now: u64, group: usize, node: usize, address: Option<usize>) {
        let watched = &mut self.groups[group];
        let before = watched.answering.iter().position(|(who, _)| *who == node);
        match (before, address) {
            (Some(at), Some(address)) if watched.answering[at].1 == address => return,
            (Some(at), Some(address)) => watched.answering[at].1 = address,
            (Some(at), None) => {
                watched.answering.swap_remove(at);
            }
            (None, Some(address)) => watched.answering.push((node, address)),
            (None, None) => return,
        }
        watched
            .addresses
            .retain(|(address, _)| watched.answering.iter().any(|(_, now)| now == address));
        if let Some(address) = address
            && watched.addresses.iter().all(|(known, _)| *known != address)
        {
            watched.addresses.push((address, now));
            if watched
                .heir
                .is_none_or(|heir| watched.may_leave(heir, &self.nodes[heir], now))
            {
                watched.heir = Some(address);
            }
            self.taken.push(Taken {
                at: now,
                group,
                address,
            });
        }
        self.look(now, group);
    }

    /// The addresses with which nodes on this segment answer for a group, `asking` apart.
    pub(crate) fn answers(&self, group: usize, asking: usize) -> Vec<(usize, usize)> {
        let others = self.groups[group]
            .answering
            .iter()
            .filter(|(node, _)| *node != asking);
        others.copied().collect()
    }

    /// The one address with which a group is answered for.
    pub(crate) fn owner(&self, group: usize) -> Option<usize> {
        match self.groups[group].addresses[..] {
            [(address, _)] => Some(address),
            _ => None,
        }
    }

    /// With whose addresses a group is answered for.
    pub(crate) fn answerers(&self, group: usize) -> Vec<usize> {
        let addresses = self.groups[group].addresses.iter();
        addresses.map(|(address, _)| *address).collect()
    }

    /// All groups that `node` owns, in calm.
    pub(crate) fn owned_by(&self, node: usize) -> Vec<usize> {
        (0..self.groups.len())
            .filter(|group| self.owner(*group) == Some(node))
            .collect()
    }

    pub(crate) const fn groups(&self) -> usize {
        self.groups.len()
    }

    /// Notes that something must not be; the first one counts.
    pub(crate) fn blame(&mut self, kind: Kind, at: u64, group: Option<usize>, text: String) {
        if self.violation.is_none() {
            self.violation = Some(Violation {
                kind,
                at,
                group,
                text,
            });
        }
    }
}

impl Group {
    /// Whether there is a cause for it to leave this node.
    fn may_leave(&self, owner: usize, seen: &Seen, now: u64) -> bool {
        let Some(wanted) = &self.wanted else { return true };
        let may_stay = wanted.contains_key(&owner) && !has_preferences(wanted);
        !may_stay || seen.concerned_until >= now || self.loose_until >= now
    }
}

fn has_preferences(wanted: &Wanted) -> bool {
    let mut weights = wanted.values();
    let first = weights.next();
    weights.any(|weight| Some(weight) != first)
}
