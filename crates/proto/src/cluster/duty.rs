//! What this node does for the groups, and what it will have to look at.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use cortenlb_core::time::Instant;
use cortenlb_wire::member::{NodeId, Record};

use super::{Candidates, Cause, Role};

/// What this node does, and what it will have to look at.
#[derive(Debug, Default)]
pub(super) struct Duty {
    pub(super) draining: bool,
    /// Another load balancer no longer answers for what this one is to answer for.
    pub(super) other_ended: bool,
    pub(super) serving: BTreeMap<IpAddr, Role>,
    /// The segment is asked for these before they are served.
    pub(super) doubtful: BTreeMap<IpAddr, Question>,
    /// Somebody else answers for these; this one may stand in for their owners again then.
    pub(super) vetoed: BTreeMap<IpAddr, Instant>,
    /// Given away, and answered for until then.
    pub(super) handing: BTreeMap<IpAddr, Handing>,
    /// Their owners cannot answer for them, and do not seem to know.
    pub(super) overdue: BTreeMap<IpAddr, Instant>,
    /// Who is a candidate of these groups, or may be found to be one.
    pub(super) prospects: BTreeMap<IpAddr, Candidates>,
    /// Until when these new groups wait for others to tell how they are attached.
    pub(super) unplaced: BTreeMap<IpAddr, Instant>,
    /// Since when these groups are known and have no owner.
    pub(super) unowned: BTreeMap<IpAddr, Instant>,
    /// Somebody has told so since it was looked at who stands by.
    pub(super) reattached: bool,
    /// When to look at a group again.
    pub(super) agenda: BTreeSet<(Instant, IpAddr)>,
    /// When to look at all groups.
    pub(super) all: Option<Instant>,
    /// When a group got an owner last.
    pub(super) moved: Option<Instant>,
    /// When groups moved.
    pub(super) moves: BTreeMap<IpAddr, Vec<Instant>>,
    /// To whom this node gave groups last, and when.
    pub(super) gave: BTreeMap<IpAddr, (NodeId, Instant)>,
    /// This node owns them, and was no candidate when it was given them, or did not know them; until then it keeps them.
    pub(super) astray: BTreeMap<IpAddr, Instant>,
    /// Another node answers for these as well, as the owner.
    pub(super) rivals: BTreeMap<IpAddr, Rival>,
    /// Records that were forgotten, and when somebody told of them last.
    pub(super) forgotten: BTreeMap<IpAddr, (Record, Instant)>,
    /// Since when a record has no group.
    pub(super) orphans: BTreeMap<IpAddr, Instant>,
}

/// What was given away.
#[derive(Clone, Copy, Debug)]
pub(super) struct Handing {
    /// Until when it is answered for.
    pub(super) until: Instant,
    /// When to ask the segment whether the next owner answers: it may not be heard.
    pub(super) ask: Instant,
    /// Why.
    pub(super) cause: Cause,
}

/// Another node that answers for a group that this one owns and answers for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rival {
    pub(super) id: NodeId,
    /// Since when.
    pub(super) since: Instant,
    /// When it was heard last.
    pub(super) heard: Instant,
    /// Whether it has said meanwhile, as a member, that it owns the group. Anybody can send a frame in its name.
    pub(super) owns: bool,
}

/// How far the asking is.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Question {
    pub(super) asked: u32,
    /// When to ask again, or to serve.
    pub(super) next: Option<Instant>,
    /// Since when somebody answers who is no known node.
    pub(super) stranger: Option<Instant>,
}

impl Duty {
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let first = self.agenda.first().map(|(at, _)| *at);
        first.into_iter().chain(self.all).min()
    }

    pub(super) fn set_prospects(&mut self, group: IpAddr, prospects: Option<Candidates>) {
        match prospects {
            Some(prospects) => drop(self.prospects.insert(group, prospects)),
            None => drop(self.prospects.remove(&group)),
        }
    }

    /// There is no such group any more.
    pub(super) fn forget(&mut self, group: IpAddr) {
        self.prospects.remove(&group);
        self.unplaced.remove(&group);
        self.unowned.remove(&group);
        self.astray.remove(&group);
        self.doubtful.remove(&group);
        self.vetoed.remove(&group);
        self.overdue.remove(&group);
    }

    /// Looks at all groups then.
    pub(super) fn all_due(&mut self, at: Instant) {
        self.all = Some(self.all.map_or(at, |all| all.min(at)));
    }

    /// Looks at a group then.
    pub(super) fn due(&mut self, at: Instant, group: IpAddr) {
        self.agenda.insert((at, group));
    }
}
