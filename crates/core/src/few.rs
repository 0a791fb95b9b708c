//! A set, a map and a list that mostly have one element.

use std::collections::{BTreeSet, btree_set};
use std::ops::Deref;
use std::{iter, option, slice};

/// An ordered set whose first element needs no room of its own: the node of a `BTreeSet` has room for eleven, and the
/// indexes have thousands of sets of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Few<T> {
    /// The least.
    first: Option<T>,
    /// The others, if there are any.
    #[expect(
        clippy::box_collection,
        reason = "a tree without elements takes three words, in each of thousands of sets"
    )]
    rest: Option<Box<BTreeSet<T>>>,
}

impl<T> Default for Few<T> {
    fn default() -> Self {
        Self {
            first: None,
            rest: None,
        }
    }
}

impl<T: Ord> Few<T> {
    /// Adds an element, if it is not there.
    pub fn insert(&mut self, mut element: T) {
        match &mut self.first {
            None => {
                self.first = Some(element);
                return;
            }
            Some(first) if element < *first => std::mem::swap(first, &mut element),
            Some(first) if element == *first => return,
            Some(_) => {}
        }
        self.rest.get_or_insert_default().insert(element);
    }

    /// Takes an element away, if it is there.
    pub fn remove(&mut self, element: &T) {
        let rest = self.rest.as_deref_mut();
        if self.first.as_ref() == Some(element) {
            self.first = rest.and_then(BTreeSet::pop_first);
        } else if let Some(rest) = rest {
            rest.remove(element);
        }
        if self.rest.as_ref().is_some_and(|rest| rest.is_empty()) {
            self.rest = None;
        }
    }

    /// Takes those away that are not to be kept.
    pub fn retain(&mut self, mut keep: impl FnMut(&T) -> bool) {
        if let Some(rest) = self.rest.as_deref_mut() {
            rest.retain(&mut keep);
        }
        if self.first.as_ref().is_some_and(|first| !keep(first)) {
            self.first = self.rest.as_deref_mut().and_then(BTreeSet::pop_first);
        }
        if self.rest.as_ref().is_some_and(|rest| rest.is_empty()) {
            self.rest = None;
        }
    }

    /// Whether this element is there.
    pub fn contains(&self, element: &T) -> bool {
        self.first.as_ref() == Some(element) || self.rest.as_ref().is_some_and(|rest| rest.contains(element))
    }
}

impl<T> Few<T> {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.first.is_none()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        usize::from(self.first.is_some()) + self.rest.as_ref().map_or(0, |rest| rest.len())
    }

    /// The elements in their order.
    pub fn iter(&self) -> iter::Chain<option::Iter<'_, T>, btree_set::Iter<'_, T>> {
        let rest = self.rest.as_ref().map(|rest| rest.iter());
        self.first.iter().chain(rest.unwrap_or_default())
    }
}

impl<'a, T> IntoIterator for &'a Few<T> {
    type Item = &'a T;
    type IntoIter = iter::Chain<option::Iter<'a, T>, btree_set::Iter<'a, T>>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<T> IntoIterator for Few<T> {
    type Item = T;
    type IntoIter = iter::Chain<option::IntoIter<T>, btree_set::IntoIter<T>>;

    fn into_iter(self) -> Self::IntoIter {
        let rest = self.rest.map(|rest| rest.into_iter());
        self.first.into_iter().chain(rest.unwrap_or_default())
    }
}

impl<T: Ord> FromIterator<T> for Few<T> {
    fn from_iter<I: IntoIterator<Item = T>>(elements: I) -> Self {
        let mut few = Self::default();
        elements.into_iter().for_each(|element| few.insert(element));
        few
    }
}

impl<T: Ord, const N: usize> From<[T; N]> for Few<T> {
    fn from(elements: [T; N]) -> Self {
        elements.into_iter().collect()
    }
}

/// An ordered map that has no more room than for its elements, which are few: the node of a `BTreeMap` has room for eleven.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FewMap<K, V>(Vec<(K, V)>);

impl<K, V> Default for FewMap<K, V> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<K: Ord, V> FewMap<K, V> {
    /// What is known of `key`.
    pub fn get(&self, key: &K) -> Option<&V> {
        let at = self.at(key).ok()?;
        Some(&self.0[at].1)
    }

    /// Sets what is known of `key`; returns what was known before.
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        match self.at(&key) {
            Ok(at) => Some(std::mem::replace(&mut self.0[at].1, value)),
            Err(at) => {
                self.0.reserve_exact(1);
                self.0.insert(at, (key, value));
                None
            }
        }
    }

    /// Forgets what is known of `key`, and returns it.
    pub fn remove(&mut self, key: &K) -> Option<V> {
        let at = self.at(key).ok()?;
        Some(self.0.remove(at).1)
    }

    fn at(&self, key: &K) -> Result<usize, usize> {
        self.0.binary_search_by(|(known, _)| known.cmp(key))
    }
}

impl<K, V> FewMap<K, V> {
    /// Whether there is none.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// The elements in the order of their keys.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.0.iter().map(|(key, value)| (key, value))
    }

    /// The keys in their order.
    pub fn keys(&self) -> impl Iterator<Item = &K> {
        self.0.iter().map(|(key, _)| key)
    }
}

impl<K: Ord, V> FromIterator<(K, V)> for FewMap<K, V> {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(elements: I) -> Self {
        let mut few = Self::default();
        for (key, value) in elements {
            few.insert(key, value);
        }
        few
    }
}

impl<K: Ord, V, const N: usize> From<[(K, V); N]> for FewMap<K, V> {
    fn from(elements: [(K, V); N]) -> Self {
        elements.into_iter().collect()
    }
}

/// A list whose only element needs no room of its own: a Service mostly has one address, and the indexes hold thousands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FewList<T>(Elements<T>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Elements<T> {
    One(T),
    /// None, or more than one.
    Others(Box<[T]>),
}

impl<T> FewList<T> {
    /// The elements in their order.
    pub fn as_slice(&self) -> &[T] {
        match &self.0 {
            Elements::One(element) => slice::from_ref(element),
            Elements::Others(elements) => elements,
        }
    }
}

impl<T> Deref for FewList<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        self.as_slice()
    }
}

impl<T> Default for FewList<T> {
    fn default() -> Self {
        Self(Elements::Others(Box::default()))
    }
}

impl<T> From<Vec<T>> for FewList<T> {
    fn from(elements: Vec<T>) -> Self {
        Self(match <[T; 1]>::try_from(elements) {
            Ok([element]) => Elements::One(element),
            Err(elements) => Elements::Others(elements.into()),
        })
    }
}

impl<T: Clone> From<&[T]> for FewList<T> {
    fn from(elements: &[T]) -> Self {
        Self(match elements {
            [element] => Elements::One(element.clone()),
            _ => Elements::Others(elements.into()),
        })
    }
}

impl<T, const N: usize> From<[T; N]> for FewList<T> {
    fn from(elements: [T; N]) -> Self {
        Vec::from(elements).into()
    }
}

impl<T> FromIterator<T> for FewList<T> {
    fn from_iter<I: IntoIterator<Item = T>>(elements: I) -> Self {
        elements.into_iter().collect::<Vec<T>>().into()
    }
}

impl<'a, T> IntoIterator for &'a FewList<T> {
    type Item = &'a T;
    type IntoIter = slice::Iter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.as_slice().iter()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::net::IpAddr;

    use super::*;
    use proptest::prelude::*;

    #[test]
    fn one_address_has_the_room_of_an_empty_list() {
        assert_eq!(size_of::<FewList<IpAddr>>(), 24);
        assert_eq!(size_of::<Option<FewList<IpAddr>>>(), 24);
    }

    proptest! {
        #[test]
        fn it_is_a_map(steps in proptest::collection::vec((any::<Option<u8>>(), 0_u8..6), 0..60)) {
            let (mut few, mut map) = (FewMap::default(), BTreeMap::new());
            for (value, key) in steps {
                match value {
                    Some(value) => prop_assert_eq!(few.insert(key, value), map.insert(key, value)),
                    None => prop_assert_eq!(few.remove(&key), map.remove(&key)),
                }
                prop_assert!(few.iter().eq(&map));
                prop_assert!(few.keys().eq(map.keys()));
                prop_assert_eq!(few.is_empty(), map.is_empty());
                prop_assert_eq!(few.get(&key), map.get(&key));
            }
        }

        #[test]
        fn it_is_a_list(elements in proptest::collection::vec(any::<u8>(), 0..4)) {
            let few = FewList::from(elements.as_slice());
            prop_assert_eq!(few.as_slice(), elements.as_slice());
            prop_assert_eq!(Vec::from_iter(&few), Vec::from_iter(&elements));
            let same: [FewList<u8>; 2] = [elements.iter().copied().collect(), elements.clone().into()];
            prop_assert!(same.iter().all(|other| *other == few));
            prop_assert_eq!(few == FewList::default(), elements.is_empty());
        }

        #[test]
        fn it_is_a_set(steps in proptest::collection::vec((any::<bool>(), 0_u8..6), 0..60)) {
            let (mut few, mut set) = (Few::default(), BTreeSet::new());
            for (insert, element) in steps {
                if insert {
                    few.insert(element);
                    set.insert(element);
                } else {
                    few.remove(&element);
                    set.remove(&element);
                }
                prop_assert!(few.iter().eq(&set));
                prop_assert_eq!(few.is_empty(), set.is_empty());
                prop_assert_eq!(few.len(), set.len());
                prop_assert_eq!(few.contains(&element), insert);
                let mut odd = few.clone();
                odd.retain(|element| element % 2 == 1);
                prop_assert_eq!(odd, set.iter().copied().filter(|element| element % 2 == 1).collect());
            }
        }
    }
}
