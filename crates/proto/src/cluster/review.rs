//! What changes slowly: who stands by, what a minority decided, and what is forgotten.

use std::net::IpAddr;
use std::time::Duration;

use cortenlb_core::time::Instant;
use cortenlb_wire::member::{NodeId, Record};

use super::serve::AWAY_AT_MOST;
use super::{Candidates, Cause, Cluster};

/// Who stands by is chosen anew when the members have been the same for so long.
const SETTLED: Duration = Duration::from_secs(1);

/// What a minority decided counts as much as what a majority did when there is a majority for so long.
const PROMOTION: Duration = Duration::from_secs(1);

/// Nothing that is known of a group without candidates is forgotten before.
const FORGOTTEN: Duration = Duration::from_secs(180);

/// What was forgotten may be learned again when nobody has told of it for so long.
const FORGETTING: Duration = Duration::from_secs(60);

impl Cluster {
    /// Looks at all that this member owns, and forgets what has no group.
    pub(super) fn review(&mut self, now: Instant) {
        let forgotten: Vec<IpAddr> = self
            .duty
            .orphans
            .iter()
            .filter(|(_, since)| now - **since >= FORGOTTEN)
            .map(|(group, _)| *group)
            .collect();
        for group in forgotten {
            self.duty.orphans.remove(&group);
            self.duty.forget(group);
            self.duty.moves.remove(&group);
            self.duty.gave.remove(&group);
            if let Some(record) = self.records.get(group).copied() {
                self.duty.forgotten.insert(group, (record, now));
            }
            self.records.remove(group);
            self.conflicts.forget_gone(group);
        }
        self.duty
            .forgotten
            .retain(|_, (_, told)| now - *told < FORGETTING);
        self.members.forget_gone(now, AWAY_AT_MOST);
        self.choose_checks(now, self.calm(now) >= SETTLED);
        if !self.is_up() || self.life.is_leaving || self.calm(now) < SETTLED {
            return;
        }
        let reattached = std::mem::take(&mut self.duty.reattached);
        let owned: Vec<IpAddr> = self.records.of(self.me()).collect();
        for group in owned {
            let Some(candidates) = self.groups.get(&group).cloned() else {
                continue;
            };
            self.review_group(now, group, &candidates, reattached);
        }
        self.rebalance(now);
    }

    /// Whether a member tells of what this one has forgotten: it has heard later that there is no such group, or has begun
    /// later. As long as it does so that is not learned again: two that forget in turns would keep it for ever, and its
    /// owner, who no longer knows that it saw it go, would pass it on. A record that is another one is news.
    pub(super) fn has_forgotten(&mut self, now: Instant, said: &Record) -> bool {
        let Some((record, told)) = self.duty.forgotten.get_mut(&said.group) else {
            return false;
        };
        let backing = said.backing;
        let is_same = *said == Record { backing, ..*record };
        if is_same {
            *told = now;
        }
        is_same
    }

    /// `reattached`: others may lead to it than before.
    fn review_group(&mut self, now: Instant, group: IpAddr, candidates: &Candidates, reattached: bool) {
        let Some(record) = self.records.get(group).copied() else {
            return;
        };
        if let Some(better) = self.preferred(now, group, candidates) {
            return self.hand_over(now, record, candidates, better, Cause::Preferred);
        }
        let stands_by = |id: &NodeId| self.can_own(group, candidates, *id);
        let missing = record
            .standbys
            .iter()
            .any(|id| !id.as_ref().is_some_and(stands_by));
        let standbys = if missing || reattached {
            let leading =
                |ids: [Option<NodeId>; 2]| ids.map(|id| id.map_or(0, |id| self.leads_to(group, id)));
            let best = self.standbys(now, group, candidates, self.me());
            if missing || leading(best) > leading(record.standbys) {
                best
            } else {
                record.standbys
            }
        } else {
            record.standbys
        };
        let backing = self.backing(Some(record.backing));
        let promotes = record.backing < backing && self.calm(now) >= PROMOTION;
        if standbys != record.standbys || promotes {
            self.write(
                now,
                Record {
                    standbys,
                    revision: record.revision.saturating_add(1),
                    ..record
                },
            );
        }
    }
}
