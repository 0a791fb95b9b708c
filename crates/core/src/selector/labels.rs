//! The labels of an object, in little room: thousands of objects are held, and each has a few.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// Between texts. No label has it: Kubernetes allows letters, digits and `-_./` in keys and values.
const END: char = '\0';

/// `metadata.labels` of an object. Cheap to clone.
///
/// One text for all: a map has a node with room for eleven, and two allocations for each label.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Labels(Option<Arc<str>>);

impl Labels {
    /// No labels.
    pub const fn new() -> Self {
        Self(None)
    }

    /// The value of a label.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.iter()
            .find_map(|(known, value)| (known == key).then_some(value))
    }

    /// Whether there is such a label, with whatever value.
    pub fn contains_key(&self, key: &str) -> bool {
        self.get(key).is_some()
    }

    /// All labels, by their keys.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        let mut texts = self.0.as_deref().unwrap_or_default().split_terminator(END);
        std::iter::from_fn(move || Some((texts.next()?, texts.next()?)))
    }
}

impl<K: Into<String>, V: Into<String>> FromIterator<(K, V)> for Labels {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(labels: I) -> Self {
        let labels = labels.into_iter().map(|(key, value)| (key.into(), value.into()));
        let labels: BTreeMap<String, String> = labels.collect();
        Self::from(&labels)
    }
}

impl From<&BTreeMap<String, String>> for Labels {
    fn from(labels: &BTreeMap<String, String>) -> Self {
        let mut text = String::new();
        for part in labels.iter().flat_map(|(key, value)| [key, value]) {
            text.extend(part.chars().filter(|letter| *letter != END));
            text.push(END);
        }
        Self((!text.is_empty()).then(|| text.into()))
    }
}

impl<const N: usize> From<[(&str, &str); N]> for Labels {
    fn from(labels: [(&str, &str); N]) -> Self {
        labels.into_iter().collect()
    }
}

impl fmt::Debug for Labels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}
