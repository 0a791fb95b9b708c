//! Moves that nobody needs: to a node that is preferred, and, where that is asked for, to one that has fewer groups.
//!
//! Both are the owner's to make, who gives a group only to a node that has been well for a while, and only within the
//! budget of `dispute`.

use std::cmp::Reverse;
use std::net::IpAddr;
use std::time::Duration;

use cortenlb_core::time::Instant;
use cortenlb_wire::member::NodeId;

use super::members::REMEMBERED;
use super::{Candidates, Cause, Cluster, Role};

/// A node is given groups that others can have when it has been up, and has had its carriers, for so long.
const HEALTHY: Duration = Duration::from_secs(60);

/// Groups are shared out anew when none has got another owner, and no member has changed, for so long: one at a time.
const QUIET: Duration = Duration::from_secs(10);

/// Who has the most gives first; each other one waits for so long for each that has more: it may have nothing to give.
const TURN: Duration = Duration::from_secs(1);

/// Who has fewer groups than another has at least so many fewer: otherwise a move would only turn that round.
const FEWER: usize = 2;

impl Cluster {
    /// The same, and from now on it gives groups to nodes that have fewer.
    #[must_use]
    pub const fn with_rebalancing(mut self) -> Self {
        self.life.rebalances = true;
        self
    }

    /// A node that is preferred to this one, and may be moved to.
    pub(super) fn preferred(&self, now: Instant, group: IpAddr, candidates: &Candidates) -> Option<NodeId> {
        let own = candidates.get(&self.me()).copied()?;
        let better = candidates.iter().filter(|(_, preference)| **preference > own);
        let better = better.filter(|(id, _)| self.welcomes(now, group, candidates, **id));
        better
            .max_by_key(|(id, preference)| (**preference, Reverse(self.records.count(**id))))
            .map(|(id, _)| *id)
            .filter(|_| self.may_move_at(now, group, 1).is_none())
    }

    /// Gives one group to a node that has fewer, if it is this one's turn.
    pub(super) fn rebalance(&mut self, now: Instant) {
        if !self.life.rebalances {
            return;
        }
        let load = |id: NodeId| (self.records.count(id), id);
        let own = load(self.me());
        let heavier = self.members.iter().filter(|member| load(member.id) > own).count();
        let turn = TURN * u32::try_from(heavier).unwrap_or(u32::MAX);
        let moved = self
            .duty
            .moved
            .map_or(self.life.changed, |at| at.max(self.life.changed));
        if now - moved < QUIET.saturating_add(turn) {
            return;
        }
        let given = self.records.of(self.me()).find_map(|group| {
            let candidates = self.groups.get(&group)?;
            let record = self.records.get(group)?;
            Some((*record, candidates.clone(), self.lighter(now, group, candidates)?))
        });
        if let Some((record, candidates, next)) = given {
            self.hand_over(now, record, &candidates, next, Cause::Rebalanced);
        }
    }

    /// A node that is preferred as much as this one, has fewer groups, and may be moved to.
    fn lighter(&self, now: Instant, group: IpAddr, candidates: &Candidates) -> Option<NodeId> {
        let own = candidates.get(&self.me())?;
        let count = |id: NodeId| self.records.count(id);
        let most = count(self.me()).checked_sub(FEWER)?;
        let serves = self.duty.serving.get(&group) == Some(&Role::Owner);
        // Who was given it, and has it no longer, did not want it.
        let gave = self.duty.gave.get(&group);
        let gave = gave.filter(|(_, at)| now - *at < REMEMBERED).map(|(id, _)| *id);
        let equal = candidates.iter().filter(|(_, preference)| *preference == own);
        equal
            .map(|(id, _)| *id)
            .filter(|id| serves && count(*id) <= most && Some(*id) != gave)
            .filter(|id| self.welcomes(now, group, candidates, *id))
            .min_by_key(|id| count(*id))
            .filter(|_| self.may_move_at(now, group, 1).is_none())
    }

    /// Whether a node can be given a group that is answered for here: it has been well for long enough, and leads to as many
    /// of its addresses as this one.
    fn welcomes(&self, now: Instant, group: IpAddr, candidates: &Candidates, id: NodeId) -> bool {
        let is_healthy = self.members.get(id).is_some_and(|known| {
            let since = known
                .plugged
                .map_or(known.since, |plugged| plugged.max(known.since));
            now - since >= HEALTHY
        });
        is_healthy
            && self.can_own(group, candidates, id)
            && self.leads_to(group, id) >= self.leads_to(group, self.me())
            && !self.members.is_unsteady(id, now)
    }
}
