//! The facts as `core` reads them: the allocator as a controller that starts would have it, and the world that says who can
//! announce.

use std::collections::{BTreeMap, BTreeSet};

use cortenlb_core::announce::{Fact, Kind, World};
use cortenlb_core::ipam::Allocator;
use cortenlb_core::name::{ReservationKey, ServiceKey};
use cortenlb_core::pool::{Pool, resolve};
use cortenlb_core::time::Instant;
use cortenlb_crds::translate::reservation::{reservation, reservation_key};
use cortenlb_crds::translate::service::{self, LoadBalancer};
use cortenlb_crds::translate::{announce, pool};
use cortenlb_crds::{IPAddressPool, L2Advertisement, names};
use kube::ResourceExt;

use crate::facts::{Facts, key_of};

/// The allocator's clock begins when the lists were made.
const NOW: Instant = Instant(0);

/// Who has which address, and who gets none.
#[derive(Debug)]
pub(crate) struct Addresses {
    pub(crate) allocator: Allocator,
    /// The Services of type LoadBalancer that are ours, and what they ask for.
    pub(crate) wants: BTreeMap<ServiceKey, LoadBalancer>,
    /// The pools that are used.
    pub(crate) valid: BTreeMap<String, Pool>,
    /// Why the others are not, by their names.
    pub(crate) ignored: BTreeMap<String, String>,
}

impl Addresses {
    /// As a controller that starts has it with these `pools`: it adopts what the Services show, then serves those who wait,
    /// the oldest first.
    pub(crate) fn of(facts: &Facts, pools: &[IPAddressPool]) -> Self {
        let settings = facts.settings();
        let mut allocator = Allocator::new(settings.rules);
        for namespace in &facts.namespaces {
            allocator.set_namespace(&namespace.name_any(), Some(namespace.labels().into()));
        }
        let (valid, ignored) = judge(pools);
        allocator.set_pools(valid.clone());
        let ours = facts.services.iter().filter_map(|object| {
            let wants = service::load_balancer(object, settings.class.as_deref())?;
            Some((key_of(object), (wants, object)))
        });
        let ours: BTreeMap<_, _> = ours.collect();
        let claim = |allocator: &Allocator, key: &ServiceKey| {
            let (wants, object) = ours.get(key)?;
            let shown = service::ingress(object);
            let covered = |address| allocator.pool_of(address).is_some();
            service::claim(wants, &shown, service::allocated_from(object), covered)
        };
        let claims = ours
            .keys()
            .filter_map(|key| Some((key.clone(), claim(&allocator, key)?)));
        let claims: BTreeMap<_, _> = claims.collect();
        allocator.adopt(claims);
        let statuses = pools.iter().filter_map(|pool| pool.status.as_ref());
        for (address, cooling) in statuses.flat_map(|status| pool::cooling(status, NOW, facts.now)) {
            allocator.resume_cool_down(address, cooling);
        }
        let reservations = facts.reservations.iter();
        let reservations = reservations.map(|object| (reservation_key(object), reservation(object)));
        allocator.adopt_reservations(reservations.collect(), asked_reservations(&ours));
        let mut by_age: Vec<(i64, &ServiceKey)> = ours
            .iter()
            .map(|(key, (wants, _))| (wants.created, key))
            .collect();
        by_age.sort();
        for (_, key) in by_age {
            if allocator.assignment(key).is_none()
                && let Some(claim) = claim(&allocator, key)
            {
                allocator.adopt(BTreeMap::from([(key.clone(), claim)]));
            }
            match &ours[key].0.request {
                Ok(request) => allocator.request(key, request.clone()),
                Err(_) => allocator.withdraw(key),
            }
        }
        let wants = ours.into_iter().map(|(key, (wants, _))| (key, wants));
        Self {
            wants: wants.collect(),
            allocator,
            valid,
            ignored,
        }
    }

    /// Why this Service has no address, or not what it asks for: one word, and a sentence.
    pub(crate) fn refusal(&self, key: &ServiceKey) -> Option<(String, String)> {
        if let Some(Err(error)) = self.wants.get(key).map(|wants| &wants.request) {
            return Some(("InvalidRequest".to_owned(), error.to_string()));
        }
        let refusal = self.allocator.refusal(key)?;
        Some((refusal.reason().to_owned(), refusal.to_string()))
    }
}

fn asked_reservations<T>(
    ours: &BTreeMap<ServiceKey, (LoadBalancer, T)>,
) -> BTreeMap<ReservationKey, BTreeSet<ServiceKey>> {
    let mut asked: BTreeMap<ReservationKey, BTreeSet<ServiceKey>> = BTreeMap::new();
    for (key, (wants, _)) in ours {
        for name in wants.request.iter().flat_map(|request| &request.reservations) {
            let reservation = ReservationKey::new(key.namespace(), name);
            asked.entry(reservation).or_default().insert(key.clone());
        }
    }
    asked
}

/// The pools that are valid beside one another, and why the others are ignored.
fn judge(pools: &[IPAddressPool]) -> (BTreeMap<String, Pool>, BTreeMap<String, String>) {
    let mut ignored = BTreeMap::new();
    let mut sound = Vec::new();
    for object in pools {
        match pool::pool(object) {
            Ok(pool) => sound.push(pool),
            Err(errors) => {
                let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
                ignored.insert(object.name_any(), errors.join("; "));
            }
        }
    }
    let (valid, rejected) = resolve(sound);
    let rejected = rejected.into_iter();
    ignored.extend(rejected.map(|rejection| (rejection.pool.clone(), rejection.to_string())));
    (valid, ignored)
}

/// What decides about who announces, with these pools and advertisements.
pub(crate) fn world(facts: &Facts, pools: &[IPAddressPool], advertisements: &[L2Advertisement]) -> World {
    let class = facts.settings().class;
    let services = facts.services.iter();
    let services = services.map(|object| announce::service(object, class.as_deref()));
    // One that cannot be used is ignored alone, as the speakers do.
    let advertisements = advertisements.iter().map(|object| {
        announce::advertisement(object).unwrap_or_else(|_| Fact::Advertisement(object.name_any(), None))
    });
    let (ours, others): (Vec<_>, Vec<_>) = facts
        .pods
        .iter()
        .partition(|pod| pod.labels().contains_key(names::COMPONENT));
    let speakers = ours.into_iter().filter(|pod| {
        let component = pod.labels().get(names::COMPONENT);
        component.is_some_and(|component| component == "speaker")
    });
    let mut world = World::default();
    world.reset(Kind::Service, services.collect());
    world.reset(Kind::Slice, facts.slices.iter().map(announce::slice).collect());
    world.reset(Kind::Pool, pools.iter().map(announce::pool).collect());
    world.reset(Kind::Advertisement, advertisements.collect());
    world.reset(Kind::Node, facts.nodes.iter().map(announce::node).collect());
    world.reset(Kind::Speaker, speakers.map(announce::speaker).collect());
    world.reset(Kind::Rival, others.into_iter().map(announce::rival).collect());
    world
}

#[cfg(test)]
mod tests;
