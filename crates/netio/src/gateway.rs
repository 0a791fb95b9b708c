//! Default gateways, and the MAC at which the kernel knows each of them (`rtnetlink(7)`).
//!
//! Routes and neighbours change often on a node with many pods. Of each notification only the few are heeded that can
//! concern a default gateway; these, and one that says that others were lost, are the occasion to ask the kernel for
//! everything, as in [`link`](crate::link).

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use cortenlb_wire::ethernet::EtherType;
use cortenlb_wire::mac::MacAddr;
use futures::{StreamExt as _, TryStreamExt as _};
use netlink_packet_route::neighbour::{
    NeighbourAddress, NeighbourAttribute, NeighbourMessage, NeighbourState,
};
use netlink_packet_route::route::{RouteAddress, RouteAttribute, RouteHeader, RouteMessage, RouteType};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use rtnetlink::packet_core::{NetlinkMessage, NetlinkPayload};
use rtnetlink::{Handle, MulticastGroup};
use tokio::sync::watch;

use crate::link::Error;
use crate::notify::{self, Notifications};

/// The default gateways, by the index of the interface and the protocol by which neighbours are found.
pub type Gateways = BTreeMap<(u32, EtherType), Gateway>;

/// The default gateway of one interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gateway {
    /// Its address.
    pub address: IpAddr,
    /// Where the kernel's neighbour table says that it is.
    pub mac: Option<MacAddr>,
    /// The subnets, address and length of the prefix, that the interface reaches without a gateway and this gateway
    /// is in; all of them for a link-local one.
    pub subnets: Vec<(IpAddr, u8)>,
}

/// Follows the default gateways of this network namespace.
pub struct GatewayWatch {
    handle: Handle,
    notifications: Notifications,
    gateways: watch::Sender<Arc<Gateways>>,
}

impl GatewayWatch {
    /// Subscribes to notifications, then reads the routes and neighbours. Needs a tokio runtime, and no capability.
    ///
    /// # Errors
    /// [`Error::Open`] or [`Error::DumpRoutes`].
    pub async fn open() -> Result<Self, Error> {
        let groups = [
            MulticastGroup::Ipv4Route,
            MulticastGroup::Ipv6Route,
            MulticastGroup::Neigh,
        ];
        let (handle, notifications) = notify::subscribe(&groups)?;
        let gateways = read(&handle).await?;
        Ok(Self {
            handle,
            notifications,
            gateways: watch::Sender::new(Arc::new(gateways)),
        })
    }

    /// The default gateways: now, and after each change.
    pub fn subscribe(&self) -> watch::Receiver<Arc<Gateways>> {
        self.gateways.subscribe()
    }

    /// Keeps the subscribers informed for as long as the socket lives.
    ///
    /// # Errors
    /// Always returns one; what was published last stays.
    pub async fn run(mut self) -> Error {
        while let Some(messages) = self.notifications.next().await {
            let known = Arc::clone(&self.gateways.borrow());
            if !messages.iter().any(|message| concerns(message, &known)) {
                continue;
            }
            match read(&self.handle).await {
                Ok(gateways) => notify::publish(&self.gateways, gateways),
                Err(error) => return error,
            }
        }
        Error::Closed
    }
}

/// Whether a notification can change what is known.
fn concerns(message: &NetlinkMessage<RouteNetlinkMessage>, known: &Gateways) -> bool {
    match &message.payload {
        NetlinkPayload::InnerMessage(
            RouteNetlinkMessage::NewRoute(route) | RouteNetlinkMessage::DelRoute(route),
        ) => {
            let of_gateway = |index| known.keys().any(|(interface, _)| *interface == index);
            route.header.destination_prefix_length == 0 || oif(route).is_some_and(of_gateway)
        }
        NetlinkPayload::InnerMessage(
            RouteNetlinkMessage::NewNeighbour(neighbour) | RouteNetlinkMessage::DelNeighbour(neighbour),
        ) => {
            let of_gateway = |address| {
                let found = known.get(&(neighbour.header.ifindex, EtherType::of(address)));
                found.is_some_and(|gateway| gateway.address == address)
            };
            destination(neighbour).is_some_and(of_gateway)
        }
        NetlinkPayload::InnerMessage(_) => false,
        // The queue ran over, or something else went wrong: any of the others may have been lost.
        _ => true,
    }
}

/// Asks the kernel for the routes of the main table and for the neighbours.
async fn read(handle: &Handle) -> Result<Gateways, Error> {
    let mut routes = Vec::new();
    for family in [AddressFamily::Inet, AddressFamily::Inet6] {
        let mut message = RouteMessage::default();
        message.header.address_family = family;
        let mut answers = handle.route().get(message).execute();
        while let Some(route) = answers.try_next().await.map_err(Error::DumpRoutes)? {
            // A router's table may be huge, and nearly all of it is of no interest.
            if is_default(&route) || is_on_link(&route) {
                routes.push(route);
            }
        }
    }
    let mut gateways = assemble(&routes);
    if gateways.is_empty() {
        return Ok(gateways);
    }
    let mut neighbours = handle.neighbours().get().execute();
    while let Some(neighbour) = neighbours.try_next().await.map_err(Error::DumpRoutes)? {
        note_mac(&mut gateways, &neighbour);
    }
    Ok(gateways)
}

/// Makes gateways of the kernel's routes: of several default routes on one interface the one of the least metric.
fn assemble(routes: &[RouteMessage]) -> Gateways {
    let mut best: BTreeMap<(u32, EtherType), (u32, IpAddr)> = BTreeMap::new();
    for route in routes.iter().filter(|route| is_default(route)) {
        for (index, gateway) in hops(route) {
            let hop = (metric(route), gateway);
            let known = best.entry((index, EtherType::of(gateway))).or_insert(hop);
            *known = hop.min(*known);
        }
    }
    let gateway = |((index, protocol), (_, address)): ((u32, EtherType), (u32, IpAddr))| {
        let here = |route: &&RouteMessage| is_on_link(route) && oif(route) == Some(index);
        let on_link = routes.iter().filter(here).filter_map(subnet);
        let gateway = Gateway {
            address,
            mac: None,
            subnets: on_link.filter(|subnet| leads_to(address, *subnet)).collect(),
        };
        ((index, protocol), gateway)
    };
    best.into_iter().map(gateway).collect()
}

/// Whether the gateway is in the subnet; a link-local one is taken to be in all of its family.
fn leads_to(gateway: IpAddr, (network, length): (IpAddr, u8)) -> bool {
    match (gateway, network) {
        (IpAddr::V4(gateway), IpAddr::V4(network)) => {
            let rest = 32_u32.saturating_sub(length.into());
            let prefix = |address| u32::from(address).checked_shr(rest);
            prefix(gateway) == prefix(network)
        }
        (IpAddr::V6(gateway), IpAddr::V6(network)) => {
            let rest = 128_u32.saturating_sub(length.into());
            let prefix = |address| u128::from(address).checked_shr(rest);
            gateway.is_unicast_link_local() || prefix(gateway) == prefix(network)
        }
        _ => false,
    }
}

fn note_mac(gateways: &mut Gateways, neighbour: &NeighbourMessage) {
    // Of an incomplete or failed entry the MAC is missing, or of long ago.
    if matches!(
        neighbour.header.state,
        NeighbourState::Incomplete | NeighbourState::Failed | NeighbourState::None
    ) {
        return;
    }
    let mac = neighbour.attributes.iter().find_map(|attribute| match attribute {
        NeighbourAttribute::LinkLayerAddress(octets) => octets.as_slice().try_into().ok().map(MacAddr),
        _ => None,
    });
    if let Some(address) = destination(neighbour)
        && let Some(gateway) = gateways.get_mut(&(neighbour.header.ifindex, EtherType::of(address)))
        && gateway.address == address
    {
        gateway.mac = mac.filter(|mac| mac.is_station());
    }
}

fn is_default(route: &RouteMessage) -> bool {
    is_main(route) && route.header.destination_prefix_length == 0 && !hops(route).is_empty()
}

fn is_on_link(route: &RouteMessage) -> bool {
    is_main(route) && route.header.destination_prefix_length > 0 && hops(route).is_empty()
}

fn is_main(route: &RouteMessage) -> bool {
    route.header.table == RouteHeader::RT_TABLE_MAIN && route.header.kind == RouteType::Unicast
}

/// The gateways of a route, each with the index of its interface.
fn hops(route: &RouteMessage) -> Vec<(u32, IpAddr)> {
    let hop = |index: Option<u32>, attributes: &[RouteAttribute]| {
        let gateway = attributes.iter().find_map(|attribute| match attribute {
            RouteAttribute::Gateway(address) => address_of(address),
            _ => None,
        });
        index.zip(gateway)
    };
    let several = route.attributes.iter().find_map(|attribute| match attribute {
        RouteAttribute::MultiPath(hops) => Some(hops),
        _ => None,
    });
    match several {
        Some(hops) => hops
            .iter()
            .filter_map(|next| hop(Some(next.interface_index), &next.attributes))
            .collect(),
        None => hop(oif(route), &route.attributes).into_iter().collect(),
    }
}

fn oif(route: &RouteMessage) -> Option<u32> {
    route.attributes.iter().find_map(|attribute| match attribute {
        RouteAttribute::Oif(index) => Some(*index),
        _ => None,
    })
}

fn metric(route: &RouteMessage) -> u32 {
    let metric = route.attributes.iter().find_map(|attribute| match attribute {
        RouteAttribute::Priority(metric) => Some(*metric),
        _ => None,
    });
    metric.unwrap_or(0)
}

fn subnet(route: &RouteMessage) -> Option<(IpAddr, u8)> {
    let network = route.attributes.iter().find_map(|attribute| match attribute {
        RouteAttribute::Destination(address) => address_of(address),
        _ => None,
    });
    Some((network?, route.header.destination_prefix_length))
}

fn address_of(address: &RouteAddress) -> Option<IpAddr> {
    match address {
        RouteAddress::Inet(address) => Some((*address).into()),
        RouteAddress::Inet6(address) => Some((*address).into()),
        _ => None,
    }
}

fn destination(neighbour: &NeighbourMessage) -> Option<IpAddr> {
    neighbour.attributes.iter().find_map(|attribute| match attribute {
        NeighbourAttribute::Destination(NeighbourAddress::Inet(address)) => Some((*address).into()),
        NeighbourAttribute::Destination(NeighbourAddress::Inet6(address)) => Some((*address).into()),
        _ => None,
    })
}

#[cfg(test)]
mod tests;
