//! Names of Kubernetes objects, as the decisions speak of them.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

/// An `AddressReservation`, by namespace and name. Displays as `namespace/name`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReservationKey(Namespaced);

/// A Service, by namespace and name. Displays as `namespace/name`, the spelling of logs and events.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServiceKey(Namespaced);

/// An EndpointSlice, by namespace and name. Displays as `namespace/name`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SliceKey(Namespaced);

macro_rules! key {
    ($key:ident, $object:literal) => {
        impl $key {
            #[doc = concat!("The ", $object, " `name` in `namespace`.")]
            pub fn new(namespace: impl AsRef<str>, name: impl AsRef<str>) -> Self {
                Self(Namespaced::new(namespace.as_ref(), name.as_ref()))
            }

            /// `metadata.namespace`.
            pub fn namespace(&self) -> &str {
                self.0.split().0
            }

            /// `metadata.name`.
            pub fn name(&self) -> &str {
                self.0.split().1
            }
        }

        impl fmt::Display for $key {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let (namespace, name) = self.0.split();
                write!(f, "{namespace}/{name}")
            }
        }

        impl fmt::Debug for $key {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{self}")
            }
        }
    };
}

key!(ReservationKey, "reservation");
key!(ServiceKey, "Service");
key!(SliceKey, "EndpointSlice");

/// Namespace and name in one allocation, however many indexes hold the key.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Namespaced {
    text: Arc<str>,
    /// The length of the namespace.
    at: usize,
}

impl Namespaced {
    fn new(namespace: &str, name: &str) -> Self {
        Self {
            text: [namespace, name].concat().into(),
            at: namespace.len(),
        }
    }

    fn split(&self) -> (&str, &str) {
        self.text.split_at(self.at)
    }
}

/// By namespace, then by name.
impl Ord for Namespaced {
    fn cmp(&self, other: &Self) -> Ordering {
        self.split().cmp(&other.split())
    }
}

impl PartialOrd for Namespaced {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
