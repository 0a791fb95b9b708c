//! Beginning and ceasing to answer for a group, and what the segment has to say to that.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use cortenlb_core::time::Instant;
use cortenlb_wire::member::NodeId;

use super::duty::Question;
use super::{Cause, Cluster, Former, Output, Role};

/// Before the first use of an address the segment is asked so often.
pub(super) const QUESTIONS: u32 = 3;

/// Somebody else answers: it is asked again after this time.
pub(super) const VETO: Duration = Duration::from_millis(500);

/// The time from one of them to the next one, and from the last one to the first answer.
pub(super) const QUESTION: Duration = Duration::from_millis(100);

impl Cluster {
    /// The segment is asked for whatever this node has before it answers for it.
    pub(super) fn doubt_everything(&mut self) {
        let owned = self.records.of(self.me());
        let owned: Vec<IpAddr> = owned.collect();
        self.duty
            .doubtful
            .extend(owned.into_iter().map(|group| (group, Question::default())));
    }

    /// Answers for a group, after asking the segment if there is doubt.
    pub(super) fn serve(&mut self, now: Instant, group: IpAddr, role: Role, cause: Cause) {
        if role == Role::Owner && !self.is_free(now, group) {
            return;
        }
        if self.duty.serving.get(&group) == Some(&role) {
            return;
        }
        if role == Role::Owner
            && let Some(mut question) = self.duty.doubtful.get(&group).copied()
        {
            if question.next.is_some_and(|next| now < next) {
                return;
            }
            if question.asked < QUESTIONS {
                question.asked += 1;
                let next = now + QUESTION;
                question.next = Some(next);
                self.duty.doubtful.insert(group, question);
                self.duty.due(next, group);
                self.outputs.push_back(Output::Ask { group });
                return;
            }
            self.duty.doubtful.remove(&group);
        }
        if let Role::StandIn(owner) = role {
            // Where somebody else has an address its owner does not answer, and nobody does in its name.
            let is_vetoed = self.duty.vetoed.get(&group).is_some_and(|until| now < *until);
            if is_vetoed || self.conflicts.is_contested(group) {
                return;
            }
            if let Some(known) = self.members.get_mut(owner) {
                known.node_seen = None;
            }
            // If somebody else owns it by now, that one answers.
            self.outputs.push_back(Output::Ask { group });
        }
        self.duty.vetoed.remove(&group);
        self.conflicts.is_used(group);
        self.checks.begins(now, group);
        self.duty.serving.insert(group, role);
        let former = self.former(group, cause);
        self.outputs.push_back(Output::Serve {
            group,
            role,
            cause,
            former,
        });
    }

    /// Who had a group before this node answers for it.
    fn former(&self, group: IpAddr, cause: Cause) -> Option<Former> {
        match cause {
            Cause::OwnerDead(owner) | Cause::OwnerAway(owner) => Some(self.members.former(owner)),
            Cause::HandedOver => {
                let from = self.records.get(group)?.from?;
                let given = Some(self.given(group, from));
                Some(Former {
                    given,
                    ..self.members.former(from)
                })
            }
            _ => None,
        }
    }

    /// Answers for it no longer.
    pub(super) fn release(&mut self, group: IpAddr, cause: Cause) {
        self.duty.handing.remove(&group);
        self.checks.ends(group);
        if self.duty.serving.remove(&group).is_some() {
            self.outputs.push_back(Output::Release { group, cause });
        }
    }

    /// The nodes in whose name groups are answered for here.
    pub(super) fn stands_in_for(&self) -> BTreeSet<NodeId> {
        let roles = self.duty.serving.values();
        let owner = |role: &Role| match role {
            Role::StandIn(owner) => Some(*owner),
            Role::Owner => None,
        };
        roles.filter_map(owner).collect()
    }

    pub(super) fn release_all(&mut self, cause: Cause) {
        let served: Vec<IpAddr> = self.duty.serving.keys().copied().collect();
        served.into_iter().for_each(|group| self.release(group, cause));
        self.duty.doubtful.clear();
    }

    /// A node answers on the segment for an address of a group.
    pub(super) fn answered(&mut self, now: Instant, group: IpAddr, address: IpAddr, by: NodeId) {
        let record = self.records.get(group);
        // A frame about what is another one's says nothing of whether this one lives.
        if record.is_some_and(|record| record.owner == by) {
            self.answered_by(now, by);
        }
        self.check_is_answered(now, address, by);
        if by != self.me() {
            self.probe_is_answered(now, address);
        }
        if address != group {
            return;
        }
        if let Some(Role::StandIn(owner)) = self.duty.serving.get(&group).copied()
            && by != owner
            && by != self.me()
        {
            let until = now + VETO;
            self.duty.vetoed.insert(group, until);
            self.duty.due(until, group);
            self.release(group, Cause::Conflict(by));
        }
        let record = self.records.get(group);
        let is_owned = record.is_some_and(|record| record.owner == self.me());
        if by != self.me() && is_owned && self.duty.serving.get(&group) == Some(&Role::Owner) {
            self.rivalled(now, group, by);
        }
        let record = self.records.get(group);
        if let Some(handing) = self.duty.handing.get(&group).copied()
            && record.is_some_and(|record| by == record.owner && record.owner != self.me())
        {
            self.release(group, handing.cause);
        }
        if by != self.me()
            && let Some(question) = self.duty.doubtful.get_mut(&group)
        {
            let next = now + VETO;
            *question = Question {
                asked: 0,
                next: Some(next),
                stranger: None,
            };
            self.duty.due(next, group);
        }
    }
}
