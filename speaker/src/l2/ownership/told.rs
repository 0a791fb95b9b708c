//! What the log says of the other speakers.

use cortenlb_proto::cluster::{NodeId, Phase, Why};

use super::Ownership;

impl Ownership {
    /// A member is in another phase than before.
    pub(super) fn tell_phase(&self, id: NodeId, before: Option<Phase>, after: Phase, why: Why) {
        let (why, by) = why.told();
        let node = self.name_of(id);
        let by = by.map_or("", |id| self.name_of(id));
        let before = before.map_or("Unknown", name);
        let after = name(after);
        tracing::info!(node, before, after, why, by, "speaker is in another phase");
    }
}

const fn name(phase: Phase) -> &'static str {
    match phase {
        Phase::Joining => "Joining",
        Phase::Up => "Up",
        Phase::Draining => "Draining",
        Phase::Away => "Away",
        Phase::Dead => "Dead",
    }
}
