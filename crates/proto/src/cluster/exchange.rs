//! Datagrams: what is news is passed on, and what differs is compared.

use std::time::Duration;

use cortenlb_core::time::Instant;
use cortenlb_wire::member::{Attachment, Body, Datagram, Member, NodeId, Phase, Record};

use super::members::{Comparison, Merged};
use super::{Cluster, Output, Why};

/// News is passed on at once: digests that differ for longer mean that something got lost.
const PATIENCE: Duration = Duration::from_millis(150);

/// The least time between two comparisons with one member.
const COMPARED: Duration = Duration::from_millis(200);

/// If as many have changed nothing, no datagram was lost: each of the two keeps what the other does not take, such as the
/// record of a group that one member alone does not know to be gone. They compare less and less often, …
const IN_VAIN: u32 = 10;

/// … and at least once in this time.
const COMPARED_AT_LEAST: Duration = Duration::from_secs(10);

/// What others do not know yet, and who has told of it.
#[derive(Debug, Default)]
pub(super) struct News {
    members: Vec<(Member, Option<NodeId>)>,
    attachments: Vec<(Attachment, Option<NodeId>)>,
    records: Vec<(Record, Option<NodeId>)>,
}

impl Cluster {
    /// Sends to one member.
    pub(super) fn send(&mut self, to: NodeId, body: Body) {
        self.life.sequence += 1;
        let datagram = Datagram {
            from: self.members.own(),
            sequence: self.life.sequence,
            body,
        };
        let bytes = datagram.emit();
        self.outputs.push_back(Output::Send { to, bytes });
    }

    pub(super) fn send_heartbeat(&mut self, to: NodeId) {
        let (members, records) = (self.members.digests().all(), self.records.digests().all());
        self.send(to, Body::Heartbeat { members, records });
    }

    pub(super) fn is_news(&mut self, member: Member, by: Option<NodeId>) {
        self.news.members.push((member, by));
    }

    pub(super) fn is_news_of_attachment(&mut self, attachment: Attachment, by: Option<NodeId>) {
        self.news.attachments.push((attachment, by));
    }

    pub(super) fn is_news_of(&mut self, record: Record, by: Option<NodeId>) {
        self.news.records.push((record, by));
    }

    /// Passes on what others do not know yet, but not to the one from whom it came.
    pub(super) fn spread(&mut self) {
        let News {
            members,
            attachments,
            records,
        } = std::mem::take(&mut self.news);
        if members.is_empty() && attachments.is_empty() && records.is_empty() {
            return;
        }
        // Who is on the verge of being given up hears of it first: it knows better.
        let mut to = self.members.neighbours();
        let doubted = members.iter().map(|(member, _)| member);
        to.extend(
            doubted
                .filter(|member| member.phase >= Phase::Away)
                .map(|member| member.id),
        );
        let concerned = records
            .iter()
            .flat_map(|(record, _)| [Some(record.owner), record.from]);
        to.extend(concerned.flatten());
        let decides = records.iter().any(|(_, by)| by.is_none());
        if decides && !self.life.stands_in {
            // Who is about to end answers until it hears that others have what it had.
            let away = self.members.iter().filter(|member| member.phase == Phase::Away);
            to.extend(away.map(|member| member.id));
        }
        to.remove(&self.members.me);
        for to in to {
            let members = others_than(&members, to);
            let attachments = others_than(&attachments, to);
            let records = others_than(&records, to);
            for body in Body::entries(&members, &attachments, &records) {
                self.send(to, body);
            }
        }
    }

    /// Takes in a datagram. What is no datagram was sent by nobody of ours, or by a later version: it is left out, and told.
    pub(super) fn receive(&mut self, now: Instant, bytes: &[u8]) {
        let Datagram { from, sequence, body } = match Datagram::parse(bytes) {
            Ok(datagram) => datagram,
            Err(error) => return self.outputs.push_back(Output::Unreadable(error)),
        };
        let by = from.id;
        if by == self.members.me {
            return;
        }
        let mut older = Vec::new();
        self.take_in(now, by, from, &mut older);
        let is_newest = self.members.hear(now, &from, sequence);
        match body {
            Body::Heartbeat { members, records } => {
                if is_newest {
                    self.compare(now, by, members, records);
                }
            }
            Body::Suspect(member) => self.asked_about(now, by, member),
            Body::Opinion { member, heard } => self.told_about(now, &member, heard),
            Body::Unanswered(said) => self.unanswered(now, by, said),
            Body::Entries {
                members,
                attachments,
                records,
            } => {
                for member in members {
                    self.take_in(now, by, member, &mut older);
                }
                self.take_in_attachments(now, by, attachments);
                self.take_in_records(now, by, records);
            }
            Body::Digests {
                answer,
                members,
                records,
            } => {
                let (members, attachments) = self.members.differing(&members);
                let records = self.records.differing(&records);
                for body in Body::entries(&members, &attachments, &records) {
                    self.send(by, body);
                }
                if !answer {
                    self.send_digests(now, by, true);
                }
            }
        }
        for body in Body::entries(&older, &[], &[]) {
            self.send(by, body);
        }
    }

    fn take_in(&mut self, now: Instant, by: NodeId, said: Member, older: &mut Vec<Member>) {
        match self.learn(now, said, Some(by)) {
            Merged::Older => older.extend(self.members.get(said.id).map(|known| known.member)),
            Merged::News | Merged::Known => {}
        }
    }

    /// Takes in what is said of a member (by whom, unless by this one), and what follows from it.
    pub(super) fn learn(&mut self, now: Instant, said: Member, by: Option<NodeId>) -> Merged {
        if said.id == self.members.me {
            return self.hear_of_myself(now, said);
        }
        // Who was heard a moment ago is not gone: it will say so itself.
        let was_heard = self.members.get(said.id).is_some_and(|known| {
            known
                .heard
                .is_some_and(|heard| now - heard < super::HEARTBEAT * 2)
                && known.member.life == said.life
                && known.member.phase <= Phase::Draining
        });
        if was_heard && said.phase == Phase::Dead {
            for body in Body::entries(&[said], &[], &[]) {
                self.send(said.id, body);
            }
            return Merged::Known;
        }
        let before = self.members.get(said.id).map(|known| known.member);
        let merged = self.members.merge(now, said);
        if merged == Merged::News {
            let was_there = before.is_some_and(|before| {
                before.phase == Phase::Dead && before.life.born == said.life.born && said.phase < Phase::Away
            });
            if was_there {
                self.outputs.push_back(Output::Repeat);
            }
            let before = before.map(|before| before.phase);
            self.tell_phase(said.id, before, said.phase, Why::of(said.id, said.phase, by));
            self.is_news(said, by);
            self.members_changed(now);
        }
        merged
    }

    fn take_in_attachments(&mut self, now: Instant, by: NodeId, attachments: Vec<Attachment>) {
        let mut older = Vec::new();
        for said in attachments {
            let id = said.id;
            if self.learn_attachment(now, said, Some(by)) == Merged::Older {
                older.extend(self.members.attachment(id).cloned());
            }
        }
        for body in Body::entries(&[], &older, &[]) {
            self.send(by, body);
        }
    }

    fn take_in_records(&mut self, now: Instant, by: NodeId, records: Vec<Record>) {
        let mut older = Vec::new();
        for said in records {
            let merged = self.merge_record(now, said);
            let kept = self.records.get(said.group);
            if said.owner == by && kept.is_some_and(|kept| kept.owner == self.members.me) {
                self.is_claimed_by(said.group, by);
            }
            match merged {
                Merged::News => self.is_news_of(said, Some(by)),
                Merged::Older => older.extend(self.records.get(said.group).copied()),
                Merged::Known => {}
            }
        }
        for body in Body::entries(&[], &[], &older) {
            self.send(by, body);
        }
    }

    /// A heartbeat carries the digests of what its sender knows.
    fn compare(&mut self, now: Instant, by: NodeId, members: u64, records: u64) {
        let (our_members, our_records) = (self.members.digests().all(), self.records.digests().all());
        let same_members = members == our_members;
        let same = same_members && records == our_records;
        self.confirmed_by(now, same_members, same);
        let is_joining = self.is_joining();
        let Some(known) = self.members.get_mut(by) else {
            return;
        };
        if same {
            known.differs = None;
            return;
        }
        let since = *known.differs.get_or_insert(now);
        let patience = if is_joining { Duration::ZERO } else { PATIENCE };
        let next = known
            .comparison
            .followed_by([members, records, our_members, our_records]);
        let wait = next.wait();
        if now - since >= patience && known.compared.is_none_or(|compared| now - compared >= wait) {
            known.comparison = next;
            self.send_digests(now, by, false);
        }
    }

    /// The same without a heartbeat: what is seen on the segment does not fit to what is known.
    pub(super) fn compare_at_once(&mut self, now: Instant, with: NodeId) {
        let compared = self.members.get(with).and_then(|known| known.compared);
        if compared.is_none_or(|compared| now - compared >= COMPARED) {
            self.send_digests(now, with, false);
        }
    }

    pub(super) fn send_digests(&mut self, now: Instant, to: NodeId, answer: bool) {
        if let Some(known) = self.members.get_mut(to) {
            known.compared = Some(now);
        }
        let body = Body::Digests {
            answer,
            members: Box::new(*self.members.digests().parts()),
            records: Box::new(*self.records.digests().parts()),
        };
        self.send(to, body);
    }
}

impl Comparison {
    fn followed_by(self, digests: [u64; 4]) -> Self {
        let repeats = if digests == self.digests {
            self.repeats.saturating_add(1)
        } else {
            0
        };
        Self { digests, repeats }
    }

    /// The least time after the one before.
    fn wait(self) -> Duration {
        let doubled = self.repeats.saturating_sub(IN_VAIN).min(u16::BITS);
        (COMPARED * (1 << doubled)).min(COMPARED_AT_LEAST)
    }
}

/// Those that did not come from `to`.
fn others_than<T: Clone>(news: &[(T, Option<NodeId>)], to: NodeId) -> Vec<T> {
    let others = news.iter().filter(|(_, by)| *by != Some(to));
    others.map(|(entry, _)| entry.clone()).collect()
}
