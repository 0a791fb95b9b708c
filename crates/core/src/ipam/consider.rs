//! What each pool is to one Service: the choice, told pool by pool.

use std::net::IpAddr;
use std::sync::Arc;

use super::refusal::{InUse, Quoted, Shortage, Unsuitable};
use super::request::{Families, Request};
use super::space::Space;
use super::{Allocator, select};
use crate::name::ServiceKey;

/// What a pool is to a Service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Considered {
    /// The Service holds these addresses of it.
    Taken(Vec<IpAddr>),
    /// It could give the Service these, and another pool comes first, or what the Service holds stays.
    Able(Vec<IpAddr>),
    /// It gives the Service nothing.
    Refused(PoolRefusal),
}

/// Why a pool gives a Service nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PoolRefusal {
    /// The Service asks for reservations, and they say which pool.
    #[error("the service asks for AddressReservation {}", .0.join(", "))]
    ReservationAsked(Vec<String>),
    /// The Service asks for another pool.
    #[error("the service asks for pool {0:?}")]
    OtherAsked(String),
    /// The Service asks for addresses that the pool has not, or leaves out (`avoidBuggyIPs`).
    #[error("the service asks for {}, which it does not have", Quoted(.0))]
    WithoutAddress(Vec<IpAddr>),
    /// `serviceAllocation` leaves the Service out.
    #[error("its serviceAllocation does not select this service")]
    NotSelected,
    /// An address asked for is held by somebody else.
    #[error(transparent)]
    InUse(InUse),
    /// What keeps it from serving who asks for nothing special, or for a pool.
    #[error(transparent)]
    Unsuitable(Unsuitable),
}

impl Allocator {
    /// What each valid pool is to `service` with this request, in the order in which they are tried: those with a
    /// `serviceAllocation` by priority, then those open to everybody by name, then those that must be asked for.
    pub fn consider(&self, service: &ServiceKey, request: &Request) -> Vec<(Arc<str>, Considered)> {
        let mut pools: Vec<(&Arc<str>, &Space)> = self.pools.iter().collect();
        pools.sort_by_key(|(_, space)| {
            let pool = &space.pool;
            (!pool.auto_assign(), !pool.is_pinned(), pool.rank())
        });
        let considered = pools.into_iter();
        let considered =
            considered.map(|(name, space)| (name.clone(), self.look_at(space, service, request)));
        considered.collect()
    }

    fn look_at(&self, space: &Space, service: &ServiceKey, request: &Request) -> Considered {
        let name = space.pool.name();
        let held = self.assignment(service).into_iter();
        let held: Vec<IpAddr> = held
            .flat_map(|held| held.addresses.iter().copied())
            .filter(|address| self.pool_of(*address) == Some(name))
            .collect();
        if !held.is_empty() {
            return Considered::Taken(held);
        }
        match self.could_give(space, service, request) {
            Ok(addresses) => Considered::Able(addresses),
            Err(refusal) => Considered::Refused(refusal),
        }
    }

    /// The obstacles in the order in which the choice meets them.
    fn could_give(
        &self,
        space: &Space,
        service: &ServiceKey,
        request: &Request,
    ) -> Result<Vec<IpAddr>, PoolRefusal> {
        let name = space.pool.name();
        if !request.reservations.is_empty() {
            return Err(PoolRefusal::ReservationAsked(request.reservations.clone()));
        }
        let lacks = |address: &IpAddr| {
            let cover = self.covering(*address).filter(|cover| *cover.pool == *name);
            cover.is_none_or(|cover| space.position(cover.place, *address).is_none())
        };
        let lacking: Vec<IpAddr> = request.addresses.iter().copied().filter(lacks).collect();
        if !lacking.is_empty() {
            return Err(PoolRefusal::WithoutAddress(lacking));
        }
        if let Some(asked) = request.pool.as_ref().filter(|asked| *asked != name) {
            return Err(PoolRefusal::OtherAsked(asked.clone()));
        }
        if !self.admits(space, service, &request.labels) {
            return Err(PoolRefusal::NotSelected);
        }
        if !request.addresses.is_empty() {
            for address in &request.addresses {
                self.available(*address, service, &request.terms)
                    .map_err(PoolRefusal::InUse)?;
            }
            return Ok(request.addresses.clone());
        }
        if request.pool.is_none() && !space.pool.auto_assign() {
            return Err(PoolRefusal::Unsuitable(Unsuitable::AutoAssignOff));
        }
        let wanted = request.families.wanted();
        let picked = wanted.iter();
        let picked: Vec<IpAddr> = picked
            .filter_map(|family| self.pick(space, *family, service, request))
            .collect();
        let enough = match request.families {
            Families::Prefer { .. } => !picked.is_empty(),
            Families::Single(_) | Families::Dual => picked.len() == wanted.len(),
        };
        if enough {
            return Ok(picked);
        }
        // Nobody is told of it unasked: it may say which of two is missing now.
        let shortage = match select::missing(wanted, &picked)[..] {
            [family] => Shortage::Of(family),
            _ => self.shortage(space, service, request),
        };
        Err(PoolRefusal::Unsuitable(space.unsuitable(shortage)))
    }
}

impl Space {
    /// Why there is nothing here for who is short of that.
    pub(super) fn unsuitable(&self, shortage: Shortage) -> Unsuitable {
        match shortage {
            Shortage::Of(family) if self.usage(family).total == 0 => Unsuitable::NoFamily(family),
            _ => Unsuitable::Full(shortage),
        }
    }
}
