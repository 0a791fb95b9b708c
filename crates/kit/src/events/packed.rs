//! A note that waits, in one allocation instead of ten: thousands wait after a bulk of writes, and leave gaps in the heap.

use super::Note;

/// A note as JSON.
#[derive(Debug)]
pub(super) struct Packed(Box<[u8]>);

impl Packed {
    pub(super) fn of(note: &Note) -> Self {
        let bytes = serde_json::to_vec(note).expect("a note is texts and numbers, which JSON has");
        Self(bytes.into())
    }

    pub(super) fn unpack(self) -> Note {
        serde_json::from_slice(&self.0).expect("it was packed from a note")
    }
}
