//! Interfaces and their addresses, followed by netlink notifications (`rtnetlink(7)`).
//!
//! A notification is only the occasion to ask the kernel for everything: the answer is the whole truth, so that a
//! notification that was lost (`ENOBUFS`) or came out of order cannot leave a wrong picture. Notifications that
//! come while one answer is read share the next one, which bounds the work however much the links flap.

use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;

use cortenlb_wire::mac::MacAddr;
use futures::{StreamExt as _, TryStreamExt as _};
use netlink_packet_route::address::{AddressAttribute, AddressHeaderFlags, AddressMessage};
use netlink_packet_route::link::{LinkAttribute, LinkFlags, LinkMessage};
use rtnetlink::{Handle, MulticastGroup};
use tokio::sync::watch;

use crate::notify::{self, Notifications};

/// All interfaces, by index.
pub type Links = BTreeMap<u32, Link>;

/// One interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// Index. Another interface may have it later: one that was moved to another namespace and back keeps it, and
    /// the namespace's counter wraps around.
    pub index: u32,
    /// Name.
    pub name: String,
    /// Link-layer address; none for links that have no Ethernet address.
    pub mac: Option<MacAddr>,
    /// `IFF_UP`: the administrator wants it up.
    pub up: bool,
    /// `IFF_LOWER_UP`: it has carrier.
    pub carrier: bool,
    /// `IFF_BROADCAST`.
    pub broadcast: bool,
    /// `IFF_NOARP`.
    pub noarp: bool,
    /// Index of the bridge, bond or VRF that it is a port of.
    pub master: Option<u32>,
    /// Its addresses that may be used as a source: those in duplicate address detection are left out.
    pub addresses: Vec<IpAddr>,
    /// What it reaches without a gateway: an address of each subnet, and the length of the prefix. Detection changes
    /// nothing about them.
    pub subnets: Vec<(IpAddr, u8)>,
}

/// Why the interfaces, or the gateways, are not known, or no longer followed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no netlink socket; nothing was started.
    #[error("cannot open a netlink socket for notifications")]
    Open(#[source] io::Error),
    /// The kernel did not answer; the last state published stays.
    #[error("cannot read the interfaces and their addresses from the kernel")]
    Dump(#[source] rtnetlink::Error),
    /// The kernel did not answer; the last state published stays.
    #[error("cannot read the routes and neighbours from the kernel")]
    DumpRoutes(#[source] rtnetlink::Error),
    /// The netlink socket has failed; the last state published stays.
    #[error("the netlink socket for notifications has closed")]
    Closed,
}

/// Follows the interfaces of this network namespace.
pub struct LinkWatch {
    handle: Handle,
    notifications: Notifications,
    links: watch::Sender<Arc<Links>>,
}

impl LinkWatch {
    /// Subscribes to notifications, then reads all interfaces, so that no change between is lost. Needs a tokio
    /// runtime, and no capability.
    ///
    /// # Errors
    /// [`Error::Open`] or [`Error::Dump`].
    pub async fn open() -> Result<Self, Error> {
        let groups = [
            MulticastGroup::Link,
            MulticastGroup::Ipv4Ifaddr,
            MulticastGroup::Ipv6Ifaddr,
        ];
        let (handle, notifications) = notify::subscribe(&groups)?;
        let links = read(&handle).await?;
        Ok(Self {
            handle,
            notifications,
            links: watch::Sender::new(Arc::new(links)),
        })
    }

    /// The interfaces: now, and after each change.
    pub fn subscribe(&self) -> watch::Receiver<Arc<Links>> {
        self.links.subscribe()
    }

    /// Keeps the subscribers informed for as long as the socket lives.
    ///
    /// # Errors
    /// Always returns one: the process that relies on interfaces is blind from then on.
    pub async fn run(mut self) -> Error {
        while self.notifications.next().await.is_some() {
            match read(&self.handle).await {
                Ok(links) => notify::publish(&self.links, links),
                Err(error) => return error,
            }
        }
        Error::Closed
    }
}

/// Asks the kernel for all interfaces and all addresses.
async fn read(handle: &Handle) -> Result<Links, Error> {
    let links = handle
        .link()
        .get()
        .execute()
        .try_collect::<Vec<_>>()
        .await
        .map_err(Error::Dump)?;
    let addresses = handle
        .address()
        .get()
        .execute()
        .try_collect::<Vec<_>>()
        .await
        .map_err(Error::Dump)?;
    Ok(assemble(&links, &addresses))
}

/// Makes interfaces of the kernel's answers. An address whose interface came after the first answer is left out:
/// its notification is on its way.
fn assemble(links: &[LinkMessage], addresses: &[AddressMessage]) -> Links {
    let mut table: Links = links
        .iter()
        .filter_map(link)
        .map(|link| (link.index, link))
        .collect();
    for message in addresses {
        let Some(link) = table.get_mut(&message.header.index) else {
            continue;
        };
        // IFA_ADDRESS is the other end of a point-to-point link; IFA_LOCAL is ours, and absent for IPv6.
        let find = |pick: fn(&AddressAttribute) -> Option<IpAddr>| message.attributes.iter().find_map(pick);
        let local = find(|attribute| match attribute {
            AddressAttribute::Local(address) => Some(*address),
            _ => None,
        });
        let address = find(|attribute| match attribute {
            AddressAttribute::Address(address) => Some(*address),
            _ => None,
        });
        link.subnets
            .extend(address.map(|address| (address, message.header.prefix_len)));
        let unusable = AddressHeaderFlags::Tentative | AddressHeaderFlags::Dadfailed;
        if !message.header.flags.intersects(unusable) {
            link.addresses.extend(local.or(address));
        }
    }
    for link in table.values_mut() {
        link.addresses.sort_unstable();
        link.subnets.sort_unstable();
    }
    table
}

fn link(message: &LinkMessage) -> Option<Link> {
    let flag = |flag| message.header.flags.contains(flag);
    let mut link = Link {
        index: message.header.index,
        name: String::new(),
        mac: None,
        up: flag(LinkFlags::Up),
        carrier: flag(LinkFlags::LowerUp),
        broadcast: flag(LinkFlags::Broadcast),
        noarp: flag(LinkFlags::Noarp),
        master: None,
        addresses: Vec::new(),
        subnets: Vec::new(),
    };
    for attribute in &message.attributes {
        match attribute {
            LinkAttribute::IfName(name) => link.name.clone_from(name),
            LinkAttribute::Address(octets) => link.mac = octets.as_slice().try_into().ok().map(MacAddr),
            LinkAttribute::Controller(index) => link.master = Some(*index),
            _ => {}
        }
    }
    (!link.name.is_empty()).then_some(link)
}

#[cfg(test)]
mod tests;
