//! The one task that writes: values in, outcomes out.
//!
//! The index that decides a write knows neither connections nor leadership. It hands over a [`Write`] as a value;
//! here it is put in order, sent while the [`Claim`](crate::lease::Claim) holds, sent again when it was not judged, and
//! its [`Outcome`] comes back. While the API server is away one write at a time is sent to see. What the API server
//! *refuses* (a conflict before all) is never sent again: it was decided from an object that is out of date.

mod attempt;
mod body;
mod line;
mod queue;
mod task;

use std::fmt;

use kube::{
    Resource,
    api::{DynamicObject, Preconditions},
};
use thiserror::Error;

pub use self::body::Body;
pub use self::task::{CONCURRENCY, Drained, Parts, WriteHandle, Writer};

/// Which objects are served first, highest first. Writes to one object keep their order whatever their priority; the
/// object is served at the highest priority that waits for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Priority {
    /// Counters.
    Low,
    /// Conditions and records.
    Normal,
    /// What a user waits for: an address.
    High,
}

/// The object a write is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    kind: String,
    collection: String,
    namespace: Option<String>,
    name: String,
}

impl Target {
    /// An object of a kind that is known at compile time; `namespace` is `None` for cluster-scoped kinds.
    #[must_use]
    pub fn of<K: Resource<DynamicType = ()>>(namespace: Option<&str>, name: &str) -> Self {
        Self {
            kind: K::kind(&()).into_owned(),
            collection: K::url_path(&(), namespace),
            namespace: namespace.map(str::to_owned),
            name: name.to_owned(),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.namespace {
            Some(namespace) => write!(f, "{} {namespace}/{}", self.kind, self.name),
            None => write!(f, "{} {}", self.kind, self.name),
        }
    }
}

/// What is to be done with the object.
#[derive(Clone, Debug, PartialEq)]
pub enum Op {
    /// A JSON merge patch (RFC 7386). With `metadata.resourceVersion` in the body the API server refuses it with 409
    /// when the object has changed since.
    Patch {
        /// `Some("status")` for the status subresource.
        subresource: Option<&'static str>,
        /// The patch.
        body: Body,
    },
    /// A server-side apply (KEP-555) that takes the fields over from whoever has them. The object is created when there
    /// is none, unless the subresource is given.
    Apply {
        /// `Some("status")` for the status subresource.
        subresource: Option<&'static str>,
        /// The field manager, instead of the writer's: a field that this one's next apply leaves out is removed.
        manager: &'static str,
        /// The fields that the manager has, with the object's `apiVersion`, `kind` and `metadata.name`.
        body: Body,
    },
    /// Creates the object. Its name may be left to the server (`metadata.generateName`); the target's name then only
    /// shows in logs. After a lost answer it is sent again: a named object comes back as [`Refusal::AlreadyExists`],
    /// of a generated name there may then be two.
    Create {
        /// The whole object, `apiVersion` and `kind` included.
        body: Body,
    },
    /// Deletes the object, its dependents in the background.
    Delete {
        /// The UID and resourceVersion that it must still have.
        preconditions: Option<Preconditions>,
    },
}

impl Op {
    /// The version of the object that a patch was decided from, if it says so.
    pub fn decided_from(&self) -> Option<String> {
        let Self::Patch { body, .. } = self else {
            return None;
        };
        body.read()["metadata"]["resourceVersion"]
            .as_str()
            .map(str::to_owned)
    }
}

/// One write, as a value. `K` is the caller's name for the object: it orders the writes and comes back in the outcome.
#[derive(Clone, Debug, PartialEq)]
pub struct Write<K> {
    /// Writes with equal keys never overlap and keep their order.
    pub key: K,
    /// Which object is served first.
    pub priority: Priority,
    /// A patch that still waits for the same key, priority and subresource is replaced by this one; an apply likewise, if
    /// it has the same manager.
    pub supersede: bool,
    /// The object.
    pub target: Target,
    /// What is done with it.
    pub op: Op,
}

impl<K> Write<K> {
    /// A server-side apply of what a component reports of itself: nobody waits for it. See [`Op::Apply`].
    #[must_use]
    pub const fn report(
        key: K,
        target: Target,
        subresource: Option<&'static str>,
        manager: &'static str,
        body: Body,
    ) -> Self {
        Self {
            key,
            priority: Priority::Low,
            supersede: false,
            target,
            op: Op::Apply {
                subresource,
                manager,
                body,
            },
        }
    }

    /// The same write under another name of the caller's.
    #[must_use]
    pub fn map_key<L>(self, name: impl FnOnce(K) -> L) -> Write<L> {
        Write {
            key: name(self.key),
            priority: self.priority,
            supersede: self.supersede,
            target: self.target,
            op: self.op,
        }
    }
}

/// What became of a write.
#[derive(Debug)]
pub struct Outcome<K> {
    /// The write, so that the caller need not remember what it asked for.
    pub write: Write<K>,
    /// The term in which it was decided ([`WriteHandle::send_in`]). Who has begun another one meanwhile knows by it that
    /// the answer is to none of the new one's writes.
    pub term: i32,
    /// The object as the API server holds it now (`None` after a deletion), or why it refused.
    pub result: Result<Option<Box<DynamicObject>>, Refusal>,
}

/// Why the API server did not do a write. The object is unchanged by it, and it is not sent again.
#[derive(Debug, Error)]
pub enum Refusal {
    /// 409: the object has changed since the decision. Await its newer form and decide again.
    #[error("{target} has changed since the write was decided: its newer form is awaited")]
    Conflict {
        /// The object.
        target: Target,
    },
    /// 409 on a creation: there is an object of this name.
    #[error("{target} cannot be created: it exists already")]
    AlreadyExists {
        /// The object.
        target: Target,
    },
    /// 404: the object is gone, or its kind is not installed.
    #[error("{target} cannot be written: it does not exist (any more)")]
    NotFound {
        /// The object.
        target: Target,
    },
    /// Any other 4xx, an answer that cannot be read, or a request that cannot be built: a missing right or a defect.
    #[error(
        "the API server refused a write to {target}: see the cause, and the RBAC rules of this component"
    )]
    Rejected {
        /// The object.
        target: Target,
        /// The server's words.
        #[source]
        source: Box<kube::Error>,
    },
}

#[cfg(test)]
mod tests;
