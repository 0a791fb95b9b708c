//! What follows from a prober's report. Pure.

use std::net::IpAddr;

use cortenlb_lab::probe::Report;

use super::scene::Owners;
use crate::bench::milliseconds;

/// The questions that nobody answered.
///
/// An answer that comes after the next question counts as one to that: of two answers of one station to one question
/// the other is to one before. The last question may still be under way when the prober stops.
pub(super) fn lost(report: &Report) -> usize {
    let (mut lost, mut open) = (0, 0_usize);
    let mut answers = report.answers.iter().peekable();
    for question in 1..=report.asked.len() {
        let mut macs = Vec::new();
        while let Some(answer) = answers.next_if(|answer| answer.question <= question) {
            macs.push(answer.mac);
        }
        if macs.is_empty() {
            open += 1;
            continue;
        }
        let all = macs.len();
        macs.sort_unstable();
        macs.dedup();
        lost += open.saturating_sub(all - macs.len());
        open = 0;
    }
    lost + open.saturating_sub(1)
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
