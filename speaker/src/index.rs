//! What is to be announced, and what this node announces: watches and links in, effects out. Pure, and silent until it
//! knows everything.
//!
//! Who can announce a group follows from the API server's objects; which of those does is decided by the speakers among
//! themselves, or, where they do not hear each other ([`Liveness::Readiness`]), from the candidates alone.
//!
//! [`Index::handle`] takes in one input and only notes which Services it concerns; [`Index::settle`] decides
//! them. The task calls it once for all inputs that were waiting, so that a burst is decided once.

mod conflict;
mod input;
mod plan;
mod state;
mod takeover;

use crate::l2::Plan;
use crate::statuses::{Me, Statuses};
use cortenlb_core::announce::{Decision, Fact, Interfaces, Kind, World};
use cortenlb_core::few::Few;
use cortenlb_core::name::ServiceKey;
use cortenlb_crds::L2Advertisement;
use cortenlb_crds::configuration_state::Report;
use cortenlb_crds::translate::announce as translate;
use cortenlb_kit::events::{Note, Severity};
use cortenlb_kit::watch::Change;
use cortenlb_kit::write::Write;
use k8s_openapi::api::core::v1::{ObjectReference, Pod};
use kube::ResourceExt;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use conflict::Conflicts;
pub use input::{Foreign, Input, Key, View};
pub use plan::Liveness;
use plan::Planned;

/// What is to be done, in this order.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// From now on this is to be announced, and no more.
    Plan(Arc<Plan>),
    /// An address of a Service is announced from here.
    Announced {
        /// The Service.
        service: ServiceKey,
        /// One of its addresses.
        address: IpAddr,
    },
    /// It is not any more.
    Withdrawn {
        /// The Service.
        service: ServiceKey,
        /// The address.
        address: IpAddr,
        /// Why, in one word; for the log.
        reason: &'static str,
    },
    /// Tell the user.
    Note(Note),
    /// Write to the API server.
    Write(Write<Key>),
}

/// All that the speaker knows.
#[derive(Debug)]
pub struct Index {
    me: Me,
    world: World,
    statuses: Statuses,
    statuses_listed: bool,
    /// Names of the node's interfaces that may be announced on; `None` until they are known.
    links: Option<BTreeSet<String>>,
    /// UIDs of our Services: Events are found by them.
    uids: BTreeMap<ServiceKey, String>,
    conflicts: Conflicts,
    /// Why L2Advertisements cannot be used, by their names.
    ignored: BTreeMap<String, String>,
    state: Report,
    liveness: Liveness,
    planned: BTreeMap<ServiceKey, Planned>,
    /// The plan that was handed out last: with thousands of Services it is large, and there is one of it.
    plan: Arc<Plan>,
    /// The groups that this node owns; none until that is known.
    owned: Option<BTreeSet<IpAddr>>,
    roles: BTreeMap<ServiceKey, Role>,
    pending: BTreeSet<ServiceKey>,
    settled_before: bool,
}

/// What this node does for one Service.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Role {
    addresses: Few<IpAddr>,
    interfaces: Interfaces,
    /// None of the listed interfaces exists here, so that nothing is announced until one appears.
    blind: bool,
}

impl Index {
    /// Knows nothing yet.
    pub fn new(me: Me, liveness: Liveness) -> Self {
        Self {
            liveness,
            planned: BTreeMap::new(),
            plan: Arc::default(),
            owned: None,
            state: Report::of_speaker(&me.namespace, &me.node),
            statuses: Statuses::new(me.clone()),
            me,
            world: match liveness {
                Liveness::Heard => World::of_heard_speakers(),
                Liveness::Readiness => World::default(),
            },
            statuses_listed: false,
            links: None,
            uids: BTreeMap::new(),
            conflicts: Conflicts::default(),
            ignored: BTreeMap::new(),
            roles: BTreeMap::new(),
            pending: BTreeSet::new(),
            settled_before: false,
        }
    }

    /// Whether every watch has been listed and the links are known. Nothing is announced before.
    pub fn is_ready(&self) -> bool {
        self.world.is_synced() && self.statuses_listed && self.links.is_some()
    }

    /// Whether it is known besides what this node owns: it does its part.
    pub fn is_settled(&self) -> bool {
        self.is_ready() && self.owned.is_some()
    }

    /// Whether any L2Advertisement is ignored because it cannot be used.
    pub fn any_ignored(&self) -> bool {
        !self.ignored.is_empty()
    }

    /// Takes in one input.
    pub fn handle(&mut self, input: Input) {
        let affected = match input {
            Input::Services(change) => self.services(&change),
            Input::Slices(change) => self.feed(Kind::Slice, &change, Fact::clone),
            Input::Nodes(change) => self.feed(Kind::Node, &change, translate::node),
            Input::Pools(change) => self.feed(Kind::Pool, &change, translate::pool),
            Input::Advertisements(change) => self.advertisements(&change),
            Input::Speakers(change) => self.speakers(&change),
            Input::Foreign(change) => self.foreign(&change),
            Input::Statuses(change) => {
                self.statuses_listed |= matches!(change, Change::Reset(_));
                self.statuses.apply(change)
            }
            Input::Links(names) => {
                self.links = Some(names);
                let listed = |planned: &Planned| {
                    let role = planned.role.as_ref();
                    role.is_some_and(|role| role.interfaces != Interfaces::All)
                };
                let concerned = self.planned.iter().filter(|(_, planned)| listed(planned));
                concerned.map(|(key, _)| key.clone()).collect()
            }
            Input::Owned(owned) => {
                let before = self.owned.replace(owned.clone());
                let changed = before.map(|before| &before ^ &owned);
                let concerned = |planned: &Planned| {
                    let changed = changed.as_ref();
                    changed.is_none_or(|changed| changed.contains(&planned.lowest))
                };
                let concerned = self.planned.iter().filter(|(_, planned)| concerned(planned));
                concerned.map(|(key, _)| key.clone()).collect()
            }
            Input::Contested(contested) => self.contested(contested),
            Input::Written(outcome) => self.written(outcome),
            Input::States(change) => {
                self.see_state(change);
                BTreeSet::new()
            }
        };
        self.pending.extend(affected);
    }

    /// Decides all Services that inputs concerned since the last call.
    pub fn settle(&mut self) -> Vec<Effect> {
        if !self.is_ready() {
            return Vec::new();
        }
        let mut effects = Vec::new();
        if self.owned.is_some() {
            for key in std::mem::take(&mut self.pending) {
                let decision = self.decide(&key);
                self.follow(&key, decision.as_ref(), &mut effects);
            }
            self.settled_before = true;
        } else {
            // What is to be announced can be told, but not yet what this node announces of it.
            for key in self.pending.clone() {
                self.decide(&key);
            }
        }
        let plan = self.make_plan();
        if plan != *self.plan {
            self.plan = Arc::new(plan);
            effects.insert(0, Effect::Plan(Arc::clone(&self.plan)));
        }
        effects
    }

    /// Who can announce a Service, and where.
    fn decide(&mut self, key: &ServiceKey) -> Option<Decision> {
        let decision = self.world.decide(key);
        match decision.as_ref().and_then(|decision| self.planned(key, decision)) {
            Some(planned) => {
                self.follow_name(&planned);
                self.planned.insert(key.clone(), planned);
            }
            None => drop(self.planned.remove(key)),
        }
        decision
    }

    /// What follows for a Service from the decision about it, and from what this node owns.
    fn follow(&mut self, key: &ServiceKey, decision: Option<&Decision>, effects: &mut Vec<Effect>) {
        let owned = |planned: &&Planned| {
            self.owned
                .as_ref()
                .is_some_and(|owned| owned.contains(&planned.lowest))
        };
        let planned = self.planned.get(key).filter(owned);
        let new = planned.and_then(|planned| planned.role.clone());
        let new = new.map(|role| self.conflicts.without(role));
        let old = match &new {
            Some(role) => self.roles.insert(key.clone(), role.clone()),
            None => self.roles.remove(key),
        };
        let announced = |role: &Option<Role>| -> BTreeSet<IpAddr> {
            let role = role.iter().filter(|role| !role.blind);
            role.flat_map(|role| &role.addresses).copied().collect()
        };
        for address in &announced(&old) - &announced(&new) {
            let reason = withdrawal(decision, new.as_ref(), address);
            effects.push(Effect::Withdrawn {
                service: key.clone(),
                address,
                reason,
            });
        }
        for address in &announced(&new) - &announced(&old) {
            effects.push(Effect::Announced {
                service: key.clone(),
                address,
            });
        }
        if let Some(role) = &new {
            let is_news = old.is_none_or(|old| (&old.addresses, old.blind) != (&role.addresses, role.blind));
            // After a restart that changed nothing the user need not be told again.
            let is_restart = !self.settled_before && self.statuses.is_claimed_by_me(key);
            if is_news && (role.blind || !is_restart) {
                effects.extend(self.notes(key, role).into_iter().map(Effect::Note));
            }
        }
        let conflict = self.follow_conflict(key, effects);
        let interfaces = new.filter(|role| !role.blind).map(|role| match role.interfaces {
            Interfaces::All => BTreeSet::new(),
            Interfaces::Listed(names) => names,
        });
        effects.extend(
            self.statuses
                .reconcile(key, interfaces.as_ref(), conflict.as_deref())
                .into_iter()
                .map(|write| Effect::Write(write.map_key(Key::Service))),
        );
    }

    /// The texts are MetalLB's.
    fn notes(&self, key: &ServiceKey, role: &Role) -> Vec<Note> {
        let node = &self.me.node;
        if !role.blind {
            let message = format!("announcing from node {node:?} with protocol \"layer2\"");
            return vec![self.note(key, Severity::Normal, "nodeAssigned", message)];
        }
        let failed = role.addresses.iter().map(|address| {
            let message = format!(
                "the interfaces specified by LB IP \"{address}\" doesn't exist in assigned node {node:?} with \
                 protocol \"layer2\""
            );
            self.note(key, Severity::Warning, "announceFailed", message)
        });
        failed.collect()
    }

    fn note(&self, key: &ServiceKey, severity: Severity, reason: &str, message: String) -> Note {
        Note {
            involved: ObjectReference {
                api_version: Some("v1".to_owned()),
                kind: Some("Service".to_owned()),
                namespace: Some(key.namespace().to_owned()),
                name: Some(key.name().to_owned()),
                uid: self.uids.get(key).cloned(),
                ..ObjectReference::default()
            },
            severity,
            reason: reason.to_owned(),
            message,
        }
    }

    fn services(&mut self, change: &Change<View>) -> BTreeSet<ServiceKey> {
        if matches!(change, Change::Reset(_)) {
            self.uids.clear();
        }
        self.conflicts.services(change);
        let mut uids = std::mem::take(&mut self.uids);
        let affected = self.feed(Kind::Service, change, |view| {
            if let (Fact::Service(key, Some(_)), Some(uid)) = (&view.fact, &view.uid) {
                uids.insert(key.clone(), uid.clone());
            }
            view.fact.clone()
        });
        self.uids = uids;
        if let Change::Delete(View {
            fact: Fact::Service(key, _),
            ..
        }) = change
        {
            self.uids.remove(key);
        }
        affected
    }

    /// One that cannot be used is ignored alone, and says why in the log.
    fn advertisements(&mut self, change: &Change<L2Advertisement>) -> BTreeSet<ServiceKey> {
        let mut ignored = std::mem::take(&mut self.ignored);
        if matches!(change, Change::Reset(_)) {
            ignored.clear();
        }
        let affected = self.feed(Kind::Advertisement, change, |object| {
            let name = object.name_any();
            ignored.remove(&name);
            translate::advertisement(object).unwrap_or_else(|error| {
                let error = cortenlb_kit::logs::chain(&error);
                tracing::error!(op = "setConfig", error, "L2Advertisement ignored");
                ignored.insert(name.clone(), error);
                Fact::Advertisement(name, None)
            })
        });
        if let Change::Delete(object) = change {
            ignored.remove(&object.name_any());
        }
        self.ignored = ignored;
        affected
    }

    fn speakers(&mut self, change: &Change<Pod>) -> BTreeSet<ServiceKey> {
        let pods = match change {
            Change::Apply(pod) => std::slice::from_ref(pod),
            Change::Reset(pods) => pods.as_slice(),
            Change::Delete(_) => &[],
        };
        let mut affected = BTreeSet::new();
        if let Some(own) = pods.iter().find(|pod| pod.name_any() == self.me.pod) {
            affected = self.statuses.set_pod_uid(own.uid());
            self.own_state(own.uid());
        }
        affected.extend(self.feed(Kind::Speaker, change, translate::speaker));
        affected
    }

    fn feed<K>(
        &mut self,
        kind: Kind,
        change: &Change<K>,
        mut fact: impl FnMut(&K) -> Fact,
    ) -> BTreeSet<ServiceKey> {
        match change {
            Change::Apply(object) => self.world.apply(fact(object)),
            Change::Delete(object) => self.world.apply(fact(object).gone()),
            Change::Reset(objects) => self.world.reset(kind, objects.iter().map(fact).collect()),
        }
    }
}

/// Why an address is no longer announced, although perhaps its Service is; MetalLB's words where it has one.
fn withdrawal(decision: Option<&Decision>, role: Option<&Role>, address: IpAddr) -> &'static str {
    let Some(decision) = decision else {
        return "serviceDeleted";
    };
    match decision.obstacle() {
        _ if role.is_some_and(|role| role.blind) => "noInterface",
        Some(obstacle) => obstacle.reason,
        None if !decision.addresses.contains(&address) => "loadBalancerIPChanged",
        None => "notOwner",
    }
}

#[cfg(test)]
mod tests;
