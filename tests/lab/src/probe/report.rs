//! What a prober saw, and what follows from it. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use cortenlb_wire::mac::MacAddr;

/// So long before the prober stopped a question may have come whose answer was still to come: a busy owner needs a while.
const UNDER_WAY: Duration = Duration::from_millis(200);

/// How a frame speaks about an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An ARP reply or a solicited neighbour advertisement to the prober.
    Answer,
    /// An ARP request in which sender and target are the address (RFC 5227 §2.3).
    GratuitousRequest,
    /// An ARP reply in which sender and target are the address.
    GratuitousReply,
    /// A neighbour advertisement that nobody asked for (RFC 4861 §7.2.6).
    Unsolicited,
}

/// One answer to the prober.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Since the prober started.
    pub at: Duration,
    /// Which question it is to, counted from 1; for IPv6, which was the last before it.
    pub question: usize,
    /// Who has the address, by this answer.
    pub mac: MacAddr,
    /// Whether there is anything but zeros behind the ARP packet: stand-ins mark their answers so.
    pub marked: bool,
}

/// One frame that told everybody who has the address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Announcement {
    /// Since the prober started.
    pub at: Duration,
    /// Of which kind; never [`Kind::Answer`].
    pub kind: Kind,
    /// Who has the address, by this frame.
    pub mac: MacAddr,
}

/// Everything that a prober saw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The time between two questions.
    pub period: Duration,
    /// From the start to the end of the questions.
    pub length: Duration,
    /// When each question was asked, since the start.
    pub asked: Vec<Duration>,
    /// Every answer, in order.
    pub answers: Vec<Answer>,
    /// Every gratuitous ARP packet or unsolicited advertisement, in order.
    pub announcements: Vec<Announcement>,
}

impl Report {
    pub(super) fn new(period: Duration) -> Self {
        let (asked, answers, announcements) = (Vec::new(), Vec::new(), Vec::new());
        Self {
            period,
            length: Duration::ZERO,
            asked,
            answers,
            announcements,
        }
    }

    /// Everybody who answered, who did so last first.
    pub fn answerers(&self) -> Vec<MacAddr> {
        let mut found = Vec::new();
        for answer in self.answers.iter().rev() {
            if !found.contains(&answer.mac) {
                found.push(answer.mac);
            }
        }
        found
    }

    /// Each change of the answering MAC address from one question to the next: when, and to whom; the first answer is the
    /// first change. While one hands over to another both may answer a question: it is the former's. Two that answer every
    /// question are no change: see [`Self::answerers`].
    pub fn changes(&self) -> Vec<(Duration, MacAddr)> {
        let mut changes: Vec<(Duration, MacAddr)> = Vec::new();
        for answers in self.by_question().values() {
            let latest = changes.last().map(|(_, mac)| *mac);
            let same = answers.iter().any(|answer| Some(answer.mac) == latest);
            if let Some(first) = answers.first().filter(|_| !same) {
                changes.push((first.at, first.mac));
            }
        }
        changes
    }

    /// The answers to each question that has one, in order.
    fn by_question(&self) -> BTreeMap<usize, Vec<&Answer>> {
        let mut questions: BTreeMap<usize, Vec<&Answer>> = BTreeMap::new();
        for answer in &self.answers {
            questions.entry(answer.question).or_default().push(answer);
        }
        questions
    }

    /// The questions that nobody answered, counted from 1, without those that may still be [`UNDER_WAY`].
    pub fn unanswered(&self) -> Vec<usize> {
        let answered: BTreeSet<usize> = self.answers.iter().map(|answer| answer.question).collect();
        let over = self.asked.iter().take_while(|at| **at + UNDER_WAY <= self.length);
        let over = (1..).zip(over).map(|(question, _)| question);
        over.filter(|question| !answered.contains(question)).collect()
    }

    /// Times without an answer longer than `least`, as (start, end) since the start; those before the first answer and
    /// after the last count too.
    pub fn gaps(&self, least: Duration) -> Vec<(Duration, Duration)> {
        let answers = self.answers.iter().map(|answer| answer.at);
        let ends: Vec<Duration> = answers.clone().chain([self.length]).collect();
        let starts = std::iter::once(Duration::ZERO).chain(answers);
        starts
            .zip(ends)
            .filter(|(start, end)| end.saturating_sub(*start) > least)
            .collect()
    }

    /// The longest time without an answer; the whole length if there was none.
    pub fn longest_gap(&self) -> Duration {
        let gaps = self.gaps(Duration::ZERO);
        gaps.iter()
            .map(|(start, end)| end.saturating_sub(*start))
            .max()
            .unwrap_or_default()
    }

    /// How long two or more answered at once: the number of questions to which different MAC addresses answered, times
    /// the period.
    pub fn two_answerers(&self) -> Duration {
        let doubled = self
            .by_question()
            .into_values()
            .filter(|answers| is_by_several(answers));
        let doubled = doubled.count();
        self.period * u32::try_from(doubled).unwrap_or(u32::MAX)
    }

    /// The time from a question to each answer, in order.
    pub fn delays(&self) -> Vec<Duration> {
        let since = |answer: &Answer| {
            let asked = self.asked.get(answer.question.checked_sub(1)?)?;
            Some(answer.at.saturating_sub(*asked))
        };
        self.answers.iter().filter_map(since).collect()
    }

    /// The delay that `percent` of the answers did not exceed (the nearest rank); `None` without answers.
    pub fn delay(&self, percent: usize) -> Option<Duration> {
        let mut delays = self.delays();
        delays.sort_unstable();
        let rank = (delays.len() * percent).div_ceil(100).max(1);
        delays.get(rank - 1).copied()
    }
}

fn is_by_several(answers: &[&Answer]) -> bool {
    answers.iter().any(|answer| answer.mac != answers[0].mac)
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} questions, {} answers, longest gap {:?}, two answerers for {:?}, delay p50 {:?} p99 {:?}",
            self.asked.len(),
            self.answers.len(),
            self.longest_gap(),
            self.two_answerers(),
            self.delay(50).unwrap_or_default(),
            self.delay(99).unwrap_or_default(),
        )?;
        for (at, mac) in self.changes() {
            writeln!(f, "{at:>12.1?} answered by {mac}")?;
        }
        for (question, answers) in self
            .by_question()
            .iter()
            .filter(|(_, answers)| is_by_several(answers))
        {
            write!(
                f,
                "question {question} of {:.1?} answered",
                self.asked[question - 1]
            )?;
            for Answer { at, mac, .. } in answers {
                write!(f, ", at {at:.1?} by {mac}")?;
            }
            writeln!(f)?;
        }
        for question in self.unanswered() {
            writeln!(
                f,
                "question {question} of {:.1?} unanswered",
                self.asked[question - 1]
            )?;
        }
        for Announcement { at, kind, mac } in &self.announcements {
            writeln!(f, "{at:>12.1?} {kind:?} from {mac}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
