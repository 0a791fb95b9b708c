//! Names of Kubernetes objects, as the decisions speak of them.

use std::collections::BTreeSet;
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

/// Between namespace and name: lower than all that names are made of, so that the order of the texts is that of namespaces
/// and then of names.
const END: char = '\0';

/// Namespace and name in one allocation, however many indexes hold the key.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Namespaced(Arc<str>);

impl Namespaced {
    fn new(namespace: &str, name: &str) -> Self {
        let mut text = String::with_capacity(namespace.len() + 1 + name.len());
        text.push_str(namespace);
        text.push(END);
        text.push_str(name);
        Self(text.into())
    }

    fn split(&self) -> (&str, &str) {
        self.0.split_once(END).unwrap_or_default()
    }
}

/// The names of some nodes, each once and in order, in one allocation.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct NodeNames(Box<str>);

impl NodeNames {
    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.split_terminator(END)
    }
}

impl<S: AsRef<str>> FromIterator<S> for NodeNames {
    fn from_iter<I: IntoIterator<Item = S>>(names: I) -> Self {
        let names: Vec<S> = names.into_iter().collect();
        let sorted: BTreeSet<&str> = names.iter().map(AsRef::as_ref).collect();
        Self(
            sorted
                .into_iter()
                .flat_map(|name| name.chars().chain([END]))
                .collect(),
        )
    }
}

impl fmt::Debug for NodeNames {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests;
