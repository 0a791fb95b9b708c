//! What follows from a prober's report. Pure.

use std::collections::BTreeMap;
use std::net::IpAddr;

use cortenlb_lab::probe::Report;
use cortenlb_wire::mac::MacAddr;

use super::scene::Owners;
use crate::bench::milliseconds;

/// The questions that nobody answered.
///
/// A station answers each question once, in the order in which they came, and while it is busy some of them at once: seen
/// from the end, an answer is to the latest question before it that the station has not answered otherwise. The last
/// question may still be under way when the prober stops.
pub(super) fn lost(report: &Report) -> usize {
    let mut is_answered = vec![false; report.asked.len()];
    let mut earliest: BTreeMap<MacAddr, usize> = BTreeMap::new();
    for answer in report.answers.iter().rev() {
        let earliest = earliest.entry(answer.mac).or_insert(usize::MAX);
        let question = answer.question.min(earliest.saturating_sub(1));
        if let Some(index) = question.checked_sub(1) {
            is_answered[index] = true;
            *earliest = question;
        }
    }
    let over = is_answered.len().saturating_sub(1);
    is_answered[..over]
        .iter()
        .filter(|is_answered| !**is_answered)
        .count()
}

/// How often another station came to answer; two that answer in turns count each time.
pub(super) fn moves(report: &Report) -> usize {
    report.changes().len().saturating_sub(1)
}

/// The longest time without an answer in each of `reports`, in milliseconds.
pub(super) fn gaps(reports: &[Report]) -> Vec<f64> {
    reports
        .iter()
        .map(|report| milliseconds(report.longest_gap()))
        .collect()
}

/// How many VIPs have another owner, or none.
pub(super) fn differing(before: &Owners, after: &Owners) -> usize {
    let kept = |(vip, owner): &(&IpAddr, &String)| after.get(*vip) == Some(*owner);
    before.iter().filter(|entry| !kept(entry)).count()
}

#[cfg(test)]
mod tests;
