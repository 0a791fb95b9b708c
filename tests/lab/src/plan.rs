//! Names and addresses of a lab: everything about it that is decided before anything is started. Pure.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use cortenlb_wire::mac::MacAddr;
use serde::{Deserialize, Serialize};

/// The most nodes that a lab can have.
pub const MAX_NODES: usize = 5;

/// The clusters' ranges, of both families.
pub(crate) const POD_RANGES: &str = "10.244.0.0/16,fd00:244::/48";
pub(crate) const SERVICE_RANGES: &str = "10.96.0.0/12,fd00:96::/112";
/// The ClusterIP of the cluster's DNS.
pub(crate) const DNS: &str = "10.96.0.10";
/// The port of the API server.
pub(crate) const API_PORT: u16 = 6443;

/// Why a word of a user names no lab and no host.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// A lab's name becomes part of namespace and folder names.
    #[error("`{0}` is not a lab's name: 1 to 20 lower-case letters, digits and hyphens, a letter first")]
    Lab(String),
    /// No host of that name.
    #[error("`{host}` is not a host of this lab; its hosts are {hosts}")]
    Host {
        /// What was asked for.
        host: String,
        /// What there is.
        hosts: String,
    },
    /// No node of that name.
    #[error("`{node}` is not a node of this lab; its nodes are n1 to n{nodes}")]
    Node {
        /// What was asked for.
        node: String,
        /// How many nodes there are.
        nodes: usize,
    },
    /// A lab has one to five nodes.
    #[error("a lab has 1 to {MAX_NODES} nodes, not {0}")]
    Nodes(usize),
}

/// How many network cards a node has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Nics {
    /// One: the cluster's own traffic and the VIPs share the segment 172.21.5.0/24.
    #[default]
    One,
    /// Two: the VIP segment 172.21.5.0/24 on eth0, and a management segment 172.21.6.0/24 on eth1.
    Two,
}

/// One of a lab's segments: a bridge of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Segment {
    /// 172.21.5.0/24 and fd00:5::/64, where VIPs and clients live.
    Vip,
    /// 172.21.6.0/24 and fd00:6::/64, only with two network cards.
    Management,
}

impl Segment {
    fn index(self) -> u8 {
        match self {
            Self::Vip => 0,
            Self::Management => 1,
        }
    }

    pub(crate) fn bridge(self) -> String {
        format!("br{}", self.index())
    }

    /// The name of a host's interface on this segment, inside the host.
    pub(crate) fn interface(self) -> String {
        format!("eth{}", self.index())
    }
}

/// One machine of a lab: a network namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Host {
    ControlPlane,
    /// Counted from 1.
    Node(u8),
    Client,
    Router,
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ControlPlane => f.write_str("cp"),
            Self::Node(number) => write!(f, "n{number}"),
            Self::Client => f.write_str("client"),
            Self::Router => f.write_str("router"),
        }
    }
}

impl Host {
    /// The last byte of its addresses.
    fn number(self) -> u8 {
        match self {
            Self::Router => 1,
            Self::ControlPlane => 10,
            Self::Node(number) => 10 + number,
            Self::Client => 100,
        }
    }

    /// The name of this host's port on a segment's bridge.
    pub(crate) fn port(self, segment: Segment) -> String {
        format!("{self}e{}", segment.index())
    }

    /// A locally administered MAC address that says segment and host, for people who read captures.
    pub(crate) fn mac(self, segment: Segment) -> MacAddr {
        MacAddr([0x02, 0x21, segment.index() + 5, 0, 0, self.number()])
    }

    pub(crate) fn ipv4(self, segment: Segment) -> Ipv4Addr {
        Ipv4Addr::new(172, 21, 5 + segment.index(), self.number())
    }

    /// Reads like the IPv4 address: n1 is fd00:5::11, the client fd00:5::100.
    pub(crate) fn ipv6(self, segment: Segment) -> Ipv6Addr {
        let number = u16::from(self.number());
        let last = number / 100 * 0x100 + number / 10 % 10 * 0x10 + number % 10;
        Ipv6Addr::new(0xfd00, u16::from(segment.index()) + 5, 0, 0, 0, 0, 0, last)
    }
}

/// The name of a lab: part of namespace, folder and interface names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LabName(String);

impl FromStr for LabName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let letters = text
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        let first = text.bytes().next().is_some_and(|b| b.is_ascii_lowercase());
        if letters && first && text.len() <= 20 {
            Ok(Self(text.to_owned()))
        } else {
            Err(NameError::Lab(text.to_owned()))
        }
    }
}

impl LabName {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for LabName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Everything about a lab that is decided before it starts; also what is remembered about it on disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Plan {
    pub(crate) name: LabName,
    pub(crate) nodes: u8,
    pub(crate) nics: Nics,
    /// Which of the point-to-point networks 10.213.x.0/30 leads from the machine to the control plane.
    pub(crate) access: u8,
    /// The users whose requests the API server writes down.
    #[serde(default)]
    pub(crate) audited: Vec<String>,
}

impl Plan {
    /// The nodes, n1 first.
    pub(crate) fn nodes(&self) -> impl Iterator<Item = Host> + use<> {
        (1..=self.nodes).map(Host::Node)
    }

    /// Every host, nodes first.
    pub(crate) fn hosts(&self) -> Vec<Host> {
        self.nodes()
            .chain([Host::ControlPlane, Host::Client, Host::Router])
            .collect()
    }

    /// The segments that exist.
    pub(crate) fn segments(&self) -> &'static [Segment] {
        match self.nics {
            Nics::One => &[Segment::Vip],
            Nics::Two => &[Segment::Vip, Segment::Management],
        }
    }

    /// The segment that carries the cluster's own traffic.
    pub(crate) fn cluster_segment(&self) -> Segment {
        match self.nics {
            Nics::One => Segment::Vip,
            Nics::Two => Segment::Management,
        }
    }

    /// The segments on which `host` sits.
    pub(crate) fn segments_of(&self, host: Host) -> Vec<Segment> {
        match host {
            Host::ControlPlane => vec![self.cluster_segment()],
            Host::Client => vec![Segment::Vip],
            Host::Node(_) | Host::Router => self.segments().to_vec(),
        }
    }

    /// The host called `word`.
    pub(crate) fn host(&self, word: &str) -> Result<Host, NameError> {
        let hosts = self.hosts();
        hosts
            .iter()
            .copied()
            .find(|host| host.to_string() == word)
            .ok_or_else(|| NameError::Host {
                host: word.to_owned(),
                hosts: hosts.iter().map(Host::to_string).collect::<Vec<_>>().join(", "),
            })
    }

    /// The node called `word`.
    pub(crate) fn node(&self, word: &str) -> Result<Host, NameError> {
        self.nodes()
            .find(|node| node.to_string() == word)
            .ok_or_else(|| NameError::Node {
                node: word.to_owned(),
                nodes: self.nodes.into(),
            })
    }

    /// The network namespace of a host.
    pub(crate) fn namespace(&self, host: Host) -> String {
        format!("{}-{host}", self.name)
    }

    /// The network namespace that holds the segments' bridges.
    pub(crate) fn lan(&self) -> String {
        format!("{}-lan", self.name)
    }

    /// Every namespace of a lab called `name`, whatever its number of nodes.
    pub(crate) fn all_namespaces(name: &LabName) -> Vec<String> {
        let widest = Self {
            name: name.clone(),
            nodes: MAX_NODES as u8,
            nics: Nics::One,
            access: 0,
            audited: Vec::new(),
        };
        let hosts = widest.hosts().into_iter().map(|host| widest.namespace(host));
        hosts.chain([widest.lan()]).collect()
    }

    /// The machine's interface towards the control plane: at most 15 bytes, as the kernel wants.
    pub(crate) fn access_interface(&self) -> String {
        format!("cortenlb{}", self.access)
    }

    /// The machine's own address towards the control plane.
    pub(crate) fn access_here(&self) -> Ipv4Addr {
        Ipv4Addr::new(10, 213, self.access, 1)
    }

    /// The control plane's address for the machine.
    pub(crate) fn access_there(&self) -> Ipv4Addr {
        Ipv4Addr::new(10, 213, self.access, 2)
    }

    /// The addresses by which Kubernetes knows a host, IPv4 first.
    pub(crate) fn cluster_addresses(&self, host: Host) -> [IpAddr; 2] {
        let segment = self.cluster_segment();
        [host.ipv4(segment).into(), host.ipv6(segment).into()]
    }
}

/// The pod ranges of a node, IPv4 first.
pub(crate) fn pod_ranges(node: Host) -> [String; 2] {
    let number = node.number() - 10;
    [
        format!("10.244.{number}.0/24"),
        format!("fd00:244:0:{number}::/64"),
    ]
}

#[cfg(test)]
mod tests;
