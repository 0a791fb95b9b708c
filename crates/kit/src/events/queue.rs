//! The notes that wait, as JSON behind one another in one piece of memory.
//!
//! After a bulk of writes thousands wait. Each in allocations of its own would lie between what stays, and leave gaps of
//! several MiB behind; this piece is given back as a whole.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use k8s_openapi::api::core::v1::ObjectReference;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use super::{Note, Severity};

/// The sending end. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Sender {
    lengths: mpsc::Sender<usize>,
    /// How long all texts together may be.
    bytes: usize,
    texts: Texts,
}

/// The receiving end.
#[derive(Debug)]
pub(super) struct Receiver {
    lengths: mpsc::Receiver<usize>,
    texts: Texts,
}

/// A note as it lies here: without the names of its fields, which would take two fifths of the room.
#[derive(Serialize, Deserialize)]
struct Row<T>([Option<T>; 7], Severity, T, T);

#[derive(Clone, Debug, Default)]
struct Texts(Arc<Mutex<VecDeque<u8>>>);

/// A queue of at most so many notes, of so many bytes together.
pub(super) fn queue(notes: usize, bytes: usize) -> (Sender, Receiver) {
    let (sender, receiver) = mpsc::channel(notes);
    let texts = Texts::default();
    let sender = Sender {
        lengths: sender,
        bytes,
        texts: texts.clone(),
    };
    let receiver = Receiver {
        lengths: receiver,
        texts,
    };
    (sender, receiver)
}

impl Sender {
    /// Notes that wait.
    pub(super) fn len(&self) -> usize {
        self.lengths.max_capacity() - self.lengths.capacity()
    }

    /// Adds a note; returns whether there was room for it.
    pub(super) fn push(&self, note: &Note) -> bool {
        let text = serde_json::to_vec(&Row::<&str>::from(note))
            .expect("a note is texts and numbers, which JSON has");
        // Locked before the length is sent: whoever receives that finds the text.
        let mut texts = self.texts.lock();
        let has_room = texts.len() + text.len() <= self.bytes && self.lengths.try_send(text.len()).is_ok();
        if has_room {
            texts.extend(text);
        }
        has_room
    }
}

impl Receiver {
    /// Notes that wait.
    pub(super) fn len(&self) -> usize {
        self.lengths.len()
    }

    /// The note that has waited longest; none when all senders are gone and nothing waits.
    ///
    /// Cancel safe: a note is taken when this returns.
    pub(super) async fn next(&mut self) -> Option<Note> {
        let length = self.lengths.recv().await?;
        let mut texts = self.texts.lock();
        let text: Vec<u8> = texts.drain(..length).collect();
        if texts.is_empty() {
            *texts = VecDeque::new();
        }
        drop(texts);
        let row: Row<String> = serde_json::from_slice(&text).expect("it was written from a note");
        Some(row.into())
    }
}

impl<'a> From<&'a Note> for Row<&'a str> {
    fn from(note: &'a Note) -> Self {
        // That none is left out, the way back shows: it has to name all.
        let object = &note.involved;
        let involved = [
            &object.api_version,
            &object.field_path,
            &object.kind,
            &object.name,
            &object.namespace,
            &object.resource_version,
            &object.uid,
        ];
        Self(
            involved.map(Option::as_deref),
            note.severity,
            &note.reason,
            &note.message,
        )
    }
}

impl From<Row<String>> for Note {
    fn from(Row(involved, severity, reason, message): Row<String>) -> Self {
        let [
            api_version,
            field_path,
            kind,
            name,
            namespace,
            resource_version,
            uid,
        ] = involved;
        Self {
            involved: ObjectReference {
                api_version,
                field_path,
                kind,
                name,
                namespace,
                resource_version,
                uid,
            },
            severity,
            reason,
            message,
        }
    }
}

impl Texts {
    /// A holder that panicked has left whole texts behind.
    fn lock(&self) -> MutexGuard<'_, VecDeque<u8>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
