//! All facts that decide, indexed: a change says at once which Services it concerns.

use super::facts::{Advertisement, Fact, Kind, Node, Pool, Service, Slice, Speaker};
use crate::few::Few;
use crate::name::{ServiceKey, SliceKey};
use crate::placement::NodeName;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

/// The facts of the cluster. Owned by one task; every method is synchronous.
///
/// `by_address`, `by_pool`, `by_service` and `by_node` are nothing but the other maps read backwards, and change
/// together with them.
#[derive(Clone, Debug)]
pub struct World {
    pub(super) services: BTreeMap<ServiceKey, Service>,
    pub(super) slices: BTreeMap<SliceKey, Slice>,
    pub(super) pools: BTreeMap<String, Pool>,
    pub(super) advertisements: BTreeMap<String, Advertisement>,
    pub(super) nodes: BTreeMap<NodeName, Node>,
    pub(super) speakers: BTreeMap<String, Speaker>,
    /// The Ready speakers of MetalLB, by the names of their pods.
    rivals: BTreeSet<String>,
    /// Whether it is known otherwise which speakers live.
    pub(super) hears_speakers: bool,
    by_address: Relation<IpAddr, ServiceKey>,
    by_pool: Relation<Option<Arc<str>>, ServiceKey>,
    by_service: Relation<ServiceKey, SliceKey>,
    by_node: Relation<NodeName, String>,
    unsynced: BTreeSet<Kind>,
}

/// The Services whose decision a change may have altered; those outside are decided as before.
pub type Affected = BTreeSet<ServiceKey>;

impl Default for World {
    fn default() -> Self {
        Self {
            services: BTreeMap::new(),
            slices: BTreeMap::new(),
            pools: BTreeMap::new(),
            advertisements: BTreeMap::new(),
            nodes: BTreeMap::new(),
            speakers: BTreeMap::new(),
            rivals: BTreeSet::new(),
            hears_speakers: false,
            by_address: Relation::default(),
            by_pool: Relation::default(),
            by_service: Relation::default(),
            by_node: Relation::default(),
            unsynced: Kind::ALL.into(),
        }
    }
}

impl World {
    /// A world in which a speaker need not be Ready to be a candidate: whoever asks hears for himself which ones live, and
    /// sooner than the API server does.
    pub fn of_heard_speakers() -> Self {
        Self {
            hears_speakers: true,
            ..Self::default()
        }
    }

    /// The first by name of MetalLB's speakers that are Ready: while there is one nothing is announced.
    pub fn rival(&self) -> Option<&str> {
        self.rivals.first().map(String::as_str)
    }

    /// The nodes on which a speaker pod runs, Ready or not, and the pods' addresses.
    pub fn speakers(&self) -> BTreeMap<&NodeName, BTreeSet<IpAddr>> {
        let mut speakers = BTreeMap::<_, BTreeSet<IpAddr>>::new();
        for speaker in self.speakers.values() {
            let addresses = speakers.entry(&speaker.node).or_default();
            addresses.extend(&speaker.addresses);
        }
        speakers
    }

    /// Takes in one fact. A fact that is known already affects nobody.
    pub fn apply(&mut self, fact: Fact) -> Affected {
        match fact {
            Fact::Service(key, service) => self.set_service(key, service),
            Fact::Slice(key, slice) => self.set_slice(key, slice),
            Fact::Pool(name, pool) => self.set_pool(name, pool),
            Fact::Advertisement(name, advertisement) => self.set_advertisement(name, advertisement),
            Fact::Node(name, node) => match replace(&mut self.nodes, name, node) {
                Some(_) => self.all(),
                None => Affected::new(),
            },
            Fact::Speaker(pod, speaker) => self.set_speaker(pod, speaker),
            Fact::Rival(pod, rival) => self.set_rival(pod, rival.is_some()),
        }
    }

    /// Takes in a complete list of one kind: what is not in it is gone.
    pub fn reset(&mut self, kind: Kind, facts: Vec<Fact>) -> Affected {
        let listed: BTreeSet<_> = facts.iter().map(Fact::name).collect();
        let gone: Vec<Fact> = self
            .known(kind)
            .into_iter()
            .filter(|fact| !listed.contains(&fact.name()))
            .collect();
        self.unsynced.remove(&kind);
        let affected = gone.into_iter().chain(facts).flat_map(|fact| self.apply(fact));
        let affected = affected.collect();
        // A list comes in order, and leaves the nodes of a tree half empty.
        match kind {
            Kind::Service => {
                pack(&mut self.services);
                pack(&mut self.by_address.0);
            }
            Kind::Slice => {
                pack(&mut self.slices);
                pack(&mut self.by_service.0);
            }
            _ => {}
        }
        affected
    }

    /// Whether every kind has been listed. Until then a missing fact means nothing, and nothing may be announced.
    pub fn is_synced(&self) -> bool {
        self.unsynced.is_empty()
    }

    /// The Services that share an address with `key`, directly or through others, and `key` itself: they are
    /// announced by one node.
    pub(super) fn group(&self, key: &ServiceKey) -> Affected {
        let mut group = Affected::from([key.clone()]);
        let mut unvisited = vec![key];
        while let Some(key) = unvisited.pop() {
            let addresses = self
                .services
                .get(key)
                .into_iter()
                .flat_map(|service| &service.addresses);
            for sharer in addresses.flat_map(|address| self.by_address.of(address)) {
                if group.insert(sharer.clone()) {
                    unvisited.push(sharer);
                }
            }
        }
        group
    }

    /// The endpoint slices of a Service.
    pub(super) fn slices_of(&self, key: &ServiceKey) -> impl Iterator<Item = &Slice> {
        self.by_service.of(key).filter_map(|slice| self.slices.get(slice))
    }

    /// The speaker pods of a node: more than one while a pod is being replaced.
    pub(super) fn speakers_on(&self, node: &NodeName) -> impl Iterator<Item = &Speaker> {
        self.by_node.of(node).filter_map(|pod| self.speakers.get(pod))
    }

    fn set_service(&mut self, key: ServiceKey, mut service: Option<Service>) -> Affected {
        let key = held(&self.services, key);
        // What has not changed stays where it is.
        if let (Some(new), Some(old)) = (&mut service, self.services.get(&key))
            && new.labels == old.labels
        {
            new.labels = old.labels.clone();
        }
        // The pool's name is held once for all its Services.
        if let Some(service) = &mut service
            && let Some(known) = self.by_pool.known(&service.pool)
        {
            service.pool = known.clone();
        }
        let before = self.group(&key);
        let Some(replaced) = replace(&mut self.services, key.clone(), service) else {
            return Affected::new();
        };
        if let Some(old) = replaced {
            self.by_pool.remove(&old.pool, &key);
            for address in &old.addresses {
                self.by_address.remove(address, &key);
            }
        }
        if let Some(new) = self.services.get(&key) {
            self.by_pool.insert(new.pool.clone(), key.clone());
            for address in &new.addresses {
                self.by_address.insert(*address, key.clone());
            }
        }
        &before | &self.group(&key)
    }

    fn set_slice(&mut self, key: SliceKey, mut slice: Option<Slice>) -> Affected {
        let key = held(&self.slices, key);
        // As is the name of the Service.
        if let Some(slice) = &mut slice {
            slice.service = held(&self.services, slice.service.clone());
        }
        let Some(replaced) = replace(&mut self.slices, key.clone(), slice) else {
            return Affected::new();
        };
        let new = self.slices.get(&key).map(|slice| slice.service.clone());
        let mut affected = Affected::new();
        if let Some(old) = replaced {
            self.by_service.remove(&old.service, &key);
            affected.extend(self.group(&old.service));
        }
        if let Some(service) = new {
            affected.extend(self.group(&service));
            self.by_service.insert(service, key);
        }
        affected
    }

    /// A pool decides for the Services that name it, and possibly for those that name none.
    fn set_pool(&mut self, name: String, pool: Option<Pool>) -> Affected {
        match replace(&mut self.pools, name.clone(), pool) {
            Some(_) => self.groups(self.by_pool.of(&Some(name.into())).chain(self.by_pool.of(&None))),
            None => Affected::new(),
        }
    }

    fn set_advertisement(&mut self, name: String, advertisement: Option<Advertisement>) -> Affected {
        let Some(old) = replace(&mut self.advertisements, name.clone(), advertisement) else {
            return Affected::new();
        };
        let versions: Vec<&Advertisement> = old.iter().chain(self.advertisements.get(&name)).collect();
        // A Service that names no pool belongs to the pool that holds its address: left to the decision.
        let pools = self.by_pool.keys().filter(|pool| match pool {
            Some(pool) => versions
                .iter()
                .any(|version| version.selects_pool(Some(pool), self.pools.get(pool.as_ref()))),
            None => true,
        });
        self.groups(pools.flat_map(|pool| self.by_pool.of(pool)))
    }

    fn set_speaker(&mut self, pod: String, speaker: Option<Speaker>) -> Affected {
        let Some(old) = replace(&mut self.speakers, pod.clone(), speaker) else {
            return Affected::new();
        };
        if let Some(old) = old {
            self.by_node.remove(&old.node, &pod);
        }
        if let Some(new) = self.speakers.get(&pod) {
            self.by_node.insert(new.node.clone(), pod);
        }
        self.all()
    }

    /// What is decided names the first of them alone: the others change nothing.
    fn set_rival(&mut self, pod: String, is_there: bool) -> Affected {
        let before = self.rivals.first().cloned();
        if is_there {
            self.rivals.insert(pod);
        } else {
            self.rivals.remove(&pod);
        }
        if self.rivals.first() == before.as_ref() {
            Affected::new()
        } else {
            self.all()
        }
    }

    fn groups<'a>(&'a self, keys: impl Iterator<Item = &'a ServiceKey>) -> Affected {
        keys.flat_map(|key| self.group(key)).collect()
    }

    fn all(&self) -> Affected {
        self.services.keys().cloned().collect()
    }

    /// For every object of this kind: the fact that it is gone.
    fn known(&self, kind: Kind) -> Vec<Fact> {
        match kind {
            Kind::Service => self
                .services
                .keys()
                .map(|key| Fact::Service(key.clone(), None))
                .collect(),
            Kind::Slice => self
                .slices
                .keys()
                .map(|key| Fact::Slice(key.clone(), None))
                .collect(),
            Kind::Pool => self
                .pools
                .keys()
                .map(|name| Fact::Pool(name.clone(), None))
                .collect(),
            Kind::Advertisement => self
                .advertisements
                .keys()
                .map(|name| Fact::Advertisement(name.clone(), None))
                .collect(),
            Kind::Node => self
                .nodes
                .keys()
                .map(|name| Fact::Node(name.clone(), None))
                .collect(),
            Kind::Speaker => self
                .speakers
                .keys()
                .map(|pod| Fact::Speaker(pod.clone(), None))
                .collect(),
            Kind::Rival => self
                .rivals
                .iter()
                .map(|pod| Fact::Rival(pod.clone(), None))
                .collect(),
        }
    }
}

/// Sets or removes an entry. `None` if nothing changed, otherwise what stood there before.
fn replace<K: Ord, V: PartialEq>(map: &mut BTreeMap<K, V>, key: K, new: Option<V>) -> Option<Option<V>> {
    if map.get(&key) == new.as_ref() {
        return None;
    }
    Some(match new {
        Some(new) => map.insert(key, new),
        None => map.remove(&key),
    })
}

/// The key as the map holds it: each fact comes with a copy of its own, and the other maps are to hold this one.
fn held<K: Ord + Clone, V>(map: &BTreeMap<K, V>, key: K) -> K {
    let known = map.get_key_value(&key);
    known.map_or(key, |(known, _)| known.clone())
}

/// Fills the nodes of a map.
fn pack<K: Ord, V>(map: &mut BTreeMap<K, V>) {
    *map = std::mem::take(map).into_iter().collect();
}

/// A map of sets, without empty ones.
#[derive(Clone, Debug)]
struct Relation<K, V>(BTreeMap<K, Few<V>>);

impl<K, V> Default for Relation<K, V> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<K: Ord, V: Ord> Relation<K, V> {
    fn insert(&mut self, key: K, value: V) {
        self.0.entry(key).or_default().insert(value);
    }

    fn remove(&mut self, key: &K, value: &V) {
        if let Some(values) = self.0.get_mut(key) {
            values.remove(value);
            if values.is_empty() {
                self.0.remove(key);
            }
        }
    }

    /// The key as it is held.
    fn known(&self, key: &K) -> Option<&K> {
        self.0.get_key_value(key).map(|(known, _)| known)
    }

    fn of(&self, key: &K) -> impl Iterator<Item = &V> {
        self.0.get(key).into_iter().flatten()
    }

    fn keys(&self) -> impl Iterator<Item = &K> {
        self.0.keys()
    }
}
