//! Telling users that this node has what another one had.

use super::Index;
use crate::l2::Takeover;
use cortenlb_kit::events::{Note, Severity};

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
}
