//! The record of one decision: who announces a Service, and for each node why or why not.

use super::{DRAIN, EXCLUDE_LABEL};
use crate::few::Few;
use crate::placement::NodeName;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::IpAddr;

/// What was decided for one Service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// The addresses it is about, in the order of the Service's status.
    pub addresses: Vec<IpAddr>,
    /// The pool they belong to, if it is known; there need not be such an object any more.
    pub pool: Option<String>,
    /// Why no node at all may announce it. The nodes were not looked at then.
    pub refusal: Option<Refusal>,
    /// For every node: how it may announce the Service, or why it may not.
    pub verdicts: BTreeMap<NodeName, Result<Candidate, Reason>>,
    /// With whom it is announced together, and by whom that can be done; none if nobody can.
    pub group: Option<Group>,
    /// The one candidate that announces it where the speakers do not know of each other: it comes from the candidates
    /// alone. Speakers that do know keep [records](../../../../docs/adr/0005-ownership-is-state.md) instead.
    pub owner: Option<NodeName>,
}

/// All Services that share an address, directly or through others: one node announces them all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// The lowest address of all of them.
    pub lowest: IpAddr,
    /// The addresses of the Services that the candidates can announce: an owner is to have all of them on its links.
    pub addresses: Few<IpAddr>,
    /// The nodes that can announce all of its Services that can be announced at all, or else the first of them by name;
    /// with how much each is preferred.
    pub candidates: BTreeMap<NodeName, i64>,
    /// Of the candidates only those count that have an interface in the subnet of each address: all
    /// L2Advertisements of one of the Services that they can announce ask for it ([`super::REQUIRE_SUBNET`]). The speakers know who has.
    pub on_link: bool,
}

/// A node that may announce a Service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Where.
    pub interfaces: Interfaces,
    /// The sum of the matching `preferredNodeSelectors` weights: only the most favoured candidates are placed on.
    pub preference: i64,
}

/// The interfaces that an address is announced on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Interfaces {
    /// Every suitable interface of the node.
    All,
    /// Those with these names.
    Listed(BTreeSet<String>),
}

/// Why no node may announce a Service.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The status holds no address, or one that cannot be read (MetalLB's `noIPAllocated`, `invalidIP`).
    #[error("the Service has no address")]
    NoAddress,
    /// A speaker of MetalLB is Ready, on whatever node: both would answer.
    #[error(
        "no address is announced while a speaker of MetalLB runs (pod {pod}): it goes when its DaemonSet is replaced or \
         deleted"
    )]
    MetalLbSpeaker {
        /// The first by name of its pods.
        pod: String,
    },
    /// The address comes from no pool (MetalLB's `ipNotAllowed`): somebody else wrote it.
    #[error("address {address} comes from no IPAddressPool")]
    ForeignAddress {
        /// The address.
        address: IpAddr,
    },
    /// No L2Advertisement is there for it (MetalLB's `noMatchingAdvertisement`).
    #[error("{}", no_advertisement(pool.as_deref(), passed_over))]
    NoAdvertisement {
        /// The pool of the Service's addresses, if it is known.
        pool: Option<String>,
        /// The L2Advertisements that select the pool, but not this Service.
        passed_over: BTreeSet<String>,
    },
    /// The Service shares its address, and an L2Advertisement selects only some Services: two nodes could end up
    /// with one address (MetalLB's `sharedIPWithServiceSelector`).
    #[error(
        "the Service may share its address (annotation allow-shared-ip), which the serviceSelectors of \
         L2Advertisement {advertisement:?} forbid; remove one of the two"
    )]
    SharedAddressWithServiceSelectors {
        /// The first such advertisement.
        advertisement: String,
    },
    /// No endpoint is ready or still serving (MetalLB's `notOwner`).
    #[error("no endpoint of the Service is ready")]
    NoEndpoints,
}

/// Why one node may not announce a Service.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum Reason {
    /// The `nodeSelectors` of all its advertisements leave the node out.
    #[error("not selected by L2Advertisement {}", list(advertisements))]
    NotSelected {
        /// The advertisements.
        advertisements: BTreeSet<String>,
    },
    /// The node has the label [`EXCLUDE_LABEL`].
    #[error("excluded by label {EXCLUDE_LABEL}")]
    Excluded,
    /// The node has the annotation [`DRAIN`].
    #[error("drained by annotation {DRAIN}")]
    Drained,
    /// The node is cordoned, and the speakers run with `--drain-cordoned`.
    #[error("cordoned (flag --drain-cordoned)")]
    Cordoned,
    /// The node is about to be off.
    #[error("the node is shutting down")]
    ShuttingDown,
    /// The node's condition `NetworkUnavailable` is True.
    #[error("condition NetworkUnavailable is True")]
    NetworkUnavailable,
    /// No speaker pod runs there.
    #[error("no speaker runs there")]
    NoSpeaker,
    /// The speaker pod there is not Ready.
    #[error("the speaker is not Ready")]
    SpeakerNotReady,
    /// `externalTrafficPolicy: Local`, and no endpoint on the node can serve.
    #[error("no ready endpoint there (externalTrafficPolicy: Local)")]
    NoLocalEndpoint,
    /// The node could, but a Service that shares the address can only be announced by another.
    #[error("a Service that shares the address is announced by node {owner:?}")]
    SharedAddressElsewhere {
        /// That other node.
        owner: NodeName,
    },
}

/// Why nobody announces a Service, for its condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// The condition's reason.
    pub reason: &'static str,
    /// The condition's message: what is the matter, and what to do about it.
    pub message: String,
}

impl Decision {
    /// How `node` announces the Service if it announces the group; `None` if it cannot.
    pub fn interfaces_on(&self, node: &str) -> Option<&Interfaces> {
        let candidates = &self.group.as_ref()?.candidates;
        let verdict = self.verdicts.get(node).filter(|_| candidates.contains_key(node));
        Some(&verdict?.as_ref().ok()?.interfaces)
    }

    /// Why no node can announce it, if none can.
    pub fn obstacle(&self) -> Option<Summary> {
        self.owner.is_none().then(|| self.summary())
    }

    fn summary(&self) -> Summary {
        if let Some(refusal) = &self.refusal {
            let advice = match refusal {
                Refusal::NoEndpoints => "; it is announced as soon as one is",
                _ => "",
            };
            return Summary {
                reason: refusal.condition_reason(),
                message: format!("{refusal}{advice}"),
            };
        }
        let selected = || {
            let refused = self
                .verdicts
                .iter()
                .filter_map(|(node, verdict)| Some((node, verdict.as_ref().err()?)));
            refused.filter(|(_, reason)| !matches!(reason, Reason::NotSelected { .. }))
        };
        if selected().count() > 0 && selected().all(|(_, reason)| *reason == Reason::Excluded) {
            let nodes: Vec<_> = selected().map(|(node, _)| node).collect();
            return Summary {
                reason: "AllNodesExcluded",
                message: format!(
                    "every node that could announce the address has the label {EXCLUDE_LABEL}: {}; to let a node \
                     announce: kubectl label node {} {EXCLUDE_LABEL}-",
                    list(nodes.iter()),
                    nodes[0],
                ),
            };
        }
        Summary {
            reason: "NoEligibleNode",
            message: self.no_eligible_node(),
        }
    }

    /// The nodes grouped by what speaks against them.
    fn no_eligible_node(&self) -> String {
        let mut by_reason: BTreeMap<&Reason, Vec<&NodeName>> = BTreeMap::new();
        for (node, verdict) in &self.verdicts {
            if let Err(reason) = verdict {
                by_reason.entry(reason).or_default().push(node);
            }
        }
        if by_reason.is_empty() {
            return "the cluster has no node".to_owned();
        }
        let parts: Vec<_> = by_reason
            .iter()
            .map(|(reason, nodes)| format!("{reason}: {}", list(nodes.iter())))
            .collect();
        format!("no node can announce the address; {}", parts.join("; "))
    }
}

impl Group {
    /// The candidates, for a message.
    pub fn names(&self) -> String {
        list(self.candidates.keys())
    }
}

impl Refusal {
    fn condition_reason(&self) -> &'static str {
        match self {
            Self::NoAddress => "NoAddress",
            Self::MetalLbSpeaker { .. } => "MetalLBRunning",
            Self::ForeignAddress { .. } => "ForeignAddress",
            Self::NoAdvertisement { .. } => "NoAdvertisement",
            Self::SharedAddressWithServiceSelectors { .. } => "SharedAddressWithServiceSelectors",
            Self::NoEndpoints => "NoEndpoints",
        }
    }
}

fn no_advertisement(pool: Option<&str>, passed_over: &BTreeSet<String>) -> String {
    let pool = pool.map_or_else(
        || "the address".to_owned(),
        |pool| format!("IPAddressPool {pool:?}"),
    );
    if passed_over.is_empty() {
        format!("no L2Advertisement selects {pool}; one with an empty spec would announce every pool")
    } else {
        format!(
            "the serviceSelectors of L2Advertisement {}, which selects {pool}, leave this Service out",
            list(passed_over)
        )
    }
}

/// At most [`LISTED`] names, so that a condition of a cluster of a thousand nodes stays readable.
fn list(names: impl IntoIterator<Item = impl fmt::Display>) -> String {
    let names: Vec<_> = names.into_iter().map(|name| name.to_string()).collect();
    match names.split_at_checked(LISTED) {
        Some((first, rest)) if !rest.is_empty() => format!("{} and {} more", first.join(", "), rest.len()),
        _ => names.join(", "),
    }
}

const LISTED: usize = 5;
