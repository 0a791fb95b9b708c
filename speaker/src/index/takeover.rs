//! Taking over, and telling users of it: from another node, and from a MetalLB that runs.

use super::Index;
use crate::l2::Takeover;
use cortenlb_core::announce::{Fact, Kind};
use cortenlb_core::name::ServiceKey;
use cortenlb_kit::events::{Note, Severity};
use cortenlb_kit::watch::Change;
use std::collections::BTreeSet;

impl Index {
    /// What is to be told of a take-over: once for each Service of the group.
    pub fn took_over(&self, takeover: &Takeover) -> Vec<Note> {
        let Takeover { group, message } = takeover;
        let concerned = self
            .planned
            .iter()
            .filter(|(_, planned)| planned.lowest == *group);
        let notes = concerned.map(|(key, _)| self.note(key, Severity::Normal, "tookOver", message.clone()));
        notes.collect()
    }

    /// Takes in a change of the pods that are not ours. While a speaker of MetalLB is among them nothing is announced, and
    /// with the last of them all of our speakers take over; the log says both once.
    pub(super) fn foreign(&mut self, change: &Change<Fact>) -> BTreeSet<ServiceKey> {
        let waited = self.world.rival().is_some();
        let affected = self.feed(Kind::Rival, change, Fact::clone);
        match self.world.rival() {
            Some(pod) if !waited => tracing::warn!(
                event = "MetalLBRunning",
                pod,
                "a speaker of MetalLB runs: no address is announced from here until the last of them is gone or not Ready"
            ),
            None if waited => tracing::info!(
                event = "MetalLBGone",
                "no speaker of MetalLB runs any more: its addresses are taken over"
            ),
            _ => {}
        }
        affected
    }
}
