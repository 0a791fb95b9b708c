//! What follows from a prober's report. Pure.

use std::net::IpAddr;

use cortenlb_lab::probe::Report;
use cortenlb_proto::l2::OLDEST;

use super::scene::Owners;
use crate::bench::milliseconds;

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

/// How many answers came too late to be given at all.
pub(super) fn stale(report: &Report) -> usize {
    let delays = report.delays().into_iter();
    delays.filter(|delay| *delay > OLDEST).count()
}

/// How often one who has been replaced said later that it has the address, asked or not: after the last change, however that
/// came about.
pub(super) fn disowned(report: &Report) -> usize {
    let changes = report.changes();
    let [.., _, (at, owner)] = changes.as_slice() else {
        return 0;
    };
    let answers = report.answers.iter().map(|answer| (answer.at, answer.mac));
    let announcements = report.announcements.iter().map(|told| (told.at, told.mac));
    let said = answers.chain(announcements);
    said.filter(|(said, mac)| said > at && mac != owner).count()
}

/// How many VIPs have another owner, or none.
pub(super) fn differing(before: &Owners, after: &Owners) -> usize {
    let kept = |(vip, owner): &(&IpAddr, &String)| after.get(*vip) == Some(*owner);
    before.iter().filter(|entry| !kept(entry)).count()
}

#[cfg(test)]
mod tests;
