//! What an observer knows of all Services, and the rules that it holds them to. Pure: changes in, violations out.
//!
//! What a watch can see: within one watch the API server tells every version of every Service in the order of their
//! versions, so that after each change this model is the state of the cluster at that version, and two holders in it
//! were two holders in fact. What it cannot see: what lies between the end of one watch and the list that follows (a
//! [`Change::Snapshot`]). There the state before and after is judged, and the gap is counted.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::IpAddr;
use std::time::Instant;

use k8s_openapi::api::core::v1::Service;
use kube::ResourceExt as _;

use crate::cluster::objects::{ADDRESS_ASSIGNED, addresses, condition};
use crate::objects::NAMESPACE;

/// The annotation by which Services share an address, and its deprecated spelling.
const SHARING: [&str; 2] = [
    "metallb.io/allow-shared-ip",
    "metallb.universe.tf/allow-shared-ip",
];

/// One version of a Service, as far as it matters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// `metadata.uid`: a Service that was made anew under the same name is another one.
    pub uid: String,
    /// Its name; if it is in another namespace than the scenarios', after that and a slash.
    pub name: String,
    /// `metadata.resourceVersion`: ordered, by the Kubernetes API.
    pub version: u64,
    /// The addresses in its status.
    pub addresses: Vec<IpAddr>,
    /// The key by which it shares its addresses.
    pub sharing: Option<String>,
    /// Its ports, with their protocols.
    pub ports: BTreeSet<(String, i32)>,
    /// Under `externalTrafficPolicy: Local`, by which it selects its pods: another backend can have none on the node.
    pub local: Option<BTreeMap<String, String>>,
    /// Status and reason of its condition `cortenlb.io/AddressAssigned`.
    pub assigned: Option<(String, String)>,
}

impl Seen {
    /// Reads a Service.
    pub fn of(service: &Service) -> Self {
        let annotations = service.annotations();
        let sharing = SHARING.iter().find_map(|key| annotations.get(*key));
        let assigned = condition(service, ADDRESS_ASSIGNED);
        let spec = service.spec.clone().unwrap_or_default();
        let ports = spec.ports.unwrap_or_default().into_iter();
        let is_local = spec.external_traffic_policy.as_deref() == Some("Local");
        Self {
            uid: service.uid().unwrap_or_default(),
            name: match service.namespace() {
                Some(namespace) if namespace != NAMESPACE => format!("{namespace}/{}", service.name_any()),
                _ => service.name_any(),
            },
            version: version(service),
            addresses: addresses(service),
            sharing: sharing.filter(|key| !key.is_empty()).cloned(),
            ports: ports
                .map(|port| (port.protocol.unwrap_or_default(), port.port))
                .collect(),
            local: is_local.then(|| spec.selector.unwrap_or_default()),
            assigned: assigned.map(|found| (found.status.clone(), found.reason.clone())),
        }
    }

    fn may_share_with(&self, other: &Self) -> bool {
        self.sharing.is_some()
            && self.sharing == other.sharing
            && self.ports.is_disjoint(&other.ports)
            && self.local == other.local
    }
}

/// `metadata.resourceVersion` of a Service.
pub fn version(service: &Service) -> u64 {
    let text = service.resource_version().unwrap_or_default();
    text.parse().unwrap_or_default()
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Service {} (version {})", self.name, self.version)
    }
}

/// What a watch tells.
#[derive(Clone, Debug)]
pub enum Change {
    /// A list: these are all there are at one version.
    Snapshot(Vec<Seen>),
    /// Made or changed.
    Apply(Seen),
    /// Gone; its last form.
    Delete(Seen),
}

/// How a Service should end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Right {
    /// With an address, whichever, and a condition that says so.
    Address,
    /// With this address and no other.
    At(IpAddr),
    /// With a condition, whatever it says.
    Answered,
}

impl Right {
    fn holds(self, seen: &Seen) -> bool {
        let status = seen.assigned.as_ref().map(|(status, _)| status.as_str());
        match self {
            Self::Address => status == Some("True") && !seen.addresses.is_empty(),
            Self::At(address) => status == Some("True") && seen.addresses == [address],
            Self::Answered => status.is_some(),
        }
    }
}

/// What a scenario may do to a Service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum License {
    /// It is edited or deleted: its addresses may change and vanish.
    Change,
    /// Its status is written by the scenario: it may also show an address of somebody else's.
    Tamper,
}

/// A rule that was broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Violation {
    /// Two Services that may not share hold one address.
    Doubled {
        /// The address.
        address: IpAddr,
        /// Who held it, with their versions.
        holders: [String; 2],
    },
    /// A Service lost an address, and nobody had asked for that.
    Lost {
        /// The Service, before.
        before: Box<Seen>,
        /// And after; none if it is gone.
        after: Option<Box<Seen>>,
    },
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Doubled {
                address,
                holders: [one, other],
            } => write!(f, "{address} is held by {one} and by {other}"),
            Self::Lost { before, after } => {
                write!(f, "{before} had {:?} and ", before.addresses)?;
                match after {
                    Some(after) => write!(f, "has {:?} at version {}", after.addresses, after.version),
                    None => write!(f, "is gone"),
                }
            }
        }
    }
}

/// All Services, what is expected of them, and what was wrong.
#[derive(Debug, Default)]
pub struct Model {
    /// By UID.
    services: BTreeMap<String, Seen>,
    /// By UID; with the last version for which it holds, once that is known.
    licenses: BTreeMap<String, (License, Option<u64>)>,
    /// By name.
    wanted: BTreeMap<String, Right>,
    /// Since when each of `wanted` is right.
    right: BTreeMap<String, Instant>,
    doubled: BTreeSet<(IpAddr, String, String)>,
    violations: Vec<Violation>,
    snapshots: usize,
}

impl Model {
    /// Takes in what was seen at `now`.
    pub fn handle(&mut self, now: Instant, change: Change) {
        match change {
            Change::Snapshot(all) => {
                self.snapshots += 1;
                let present: BTreeSet<String> = all.iter().map(|seen| seen.uid.clone()).collect();
                let gone = self.services.extract_if(.., |uid, _| !present.contains(uid));
                let gone: Vec<Seen> = gone.map(|(_, seen)| seen).collect();
                for seen in gone {
                    self.lost(seen, None);
                }
                for seen in all {
                    self.apply(seen);
                }
            }
            Change::Apply(seen) => self.apply(seen),
            Change::Delete(last) => {
                if let Some(before) = self.services.remove(&last.uid) {
                    self.lost(before, None);
                }
            }
        }
        self.count_holders();
        self.judge(now);
    }

    fn apply(&mut self, seen: Seen) {
        match self.services.get(&seen.uid) {
            // A list may be newer than what the watch still has to tell.
            Some(before) if before.version > seen.version => return,
            Some(before) => self.lost(before.clone(), Some(&seen)),
            None => {}
        }
        self.services.insert(seen.uid.clone(), seen);
    }

    /// Notes a loss of `before` that nobody was entitled to.
    fn lost(&mut self, before: Seen, after: Option<&Seen>) {
        let kept = |address: &IpAddr| after.is_some_and(|after| after.addresses.contains(address));
        // One that is gone has no version of its own that could be later than a license.
        let version = after.map_or(before.version, |after| after.version);
        if !before.addresses.iter().all(kept) && self.license(&before.uid, version).is_none() {
            self.violations.push(Violation::Lost {
                before: Box::new(before),
                after: after.cloned().map(Box::new),
            });
        }
    }

    /// What may have been done to a Service when it came to `version`.
    fn license(&self, uid: &str, version: u64) -> Option<License> {
        let (license, until) = self.licenses.get(uid)?;
        until.is_none_or(|until| version <= until).then_some(*license)
    }

    /// Whether what a Service shows is the scenario's own writing: no more in the form with which a license ends.
    fn is_tampered(&self, seen: &Seen) -> bool {
        let license = self.licenses.get(&seen.uid);
        license.is_some_and(|(license, until)| {
            *license == License::Tamper && until.is_none_or(|until| seen.version < until)
        })
    }

    fn count_holders(&mut self) {
        let mut holders: BTreeMap<IpAddr, Vec<&Seen>> = BTreeMap::new();
        for seen in self.services.values() {
            if self.is_tampered(seen) {
                continue;
            }
            for address in &seen.addresses {
                holders.entry(*address).or_default().push(seen);
            }
        }
        let mut doubled = BTreeSet::new();
        for (address, holders) in holders {
            for (place, one) in holders.iter().enumerate() {
                for other in &holders[place + 1..] {
                    if one.may_share_with(other) {
                        continue;
                    }
                    let pair = (address, one.uid.clone(), other.uid.clone());
                    if !self.doubled.contains(&pair) {
                        self.violations.push(Violation::Doubled {
                            address,
                            holders: [one.to_string(), other.to_string()],
                        });
                    }
                    doubled.insert(pair);
                }
            }
        }
        self.doubled = doubled;
    }

    fn judge(&mut self, now: Instant) {
        let named: BTreeMap<&str, &Seen> = self
            .services
            .values()
            .map(|seen| (seen.name.as_str(), seen))
            .collect();
        for (name, right) in &self.wanted {
            if named.get(name.as_str()).is_some_and(|seen| right.holds(seen)) {
                self.right.entry(name.clone()).or_insert(now);
            } else {
                self.right.remove(name);
            }
        }
    }

    /// From now on the Service called `name` should end like this.
    pub fn expect(&mut self, now: Instant, name: &str, right: Right) {
        self.wanted.insert(name.to_owned(), right);
        self.right.remove(name);
        self.judge(now);
    }

    /// Nothing is expected of `name` any more.
    pub fn forget(&mut self, name: &str) {
        self.wanted.remove(name);
        self.right.remove(name);
    }

    /// From now on the scenario may do this to the Service with this UID.
    pub fn allow(&mut self, uid: &str, license: License) {
        self.licenses.insert(uid.to_owned(), (license, None));
    }

    /// What comes after `version` of the Service is not the scenario's doing any more.
    pub fn end_license(&mut self, uid: &str, version: u64) {
        if let Some((_, until)) = self.licenses.get_mut(uid) {
            *until = Some(version);
        }
    }

    /// Whether the Service called `name` is right, in a form later than `version`.
    pub fn is_right_after(&self, name: &str, version: u64) -> bool {
        let later = |seen: &Seen| seen.name == name && seen.version > version;
        self.right.contains_key(name) && self.services.values().any(later)
    }

    /// When the last of the expected became right; `Err` names those that are not, with what they show.
    pub fn all_right(&self) -> Result<Option<Instant>, String> {
        let wrong: Vec<String> = self
            .wanted
            .iter()
            .filter(|(name, _)| !self.right.contains_key(*name))
            .map(|(name, right)| {
                let seen = self.services.values().find(|seen| seen.name == *name);
                let shown = seen.map(|seen| (&seen.addresses, &seen.assigned, seen.version));
                format!("{name} should be {right:?} and is {shown:?}")
            })
            .collect();
        if wrong.is_empty() {
            Ok(self.right.values().max().copied())
        } else {
            let shown = wrong.iter().take(8).cloned().collect::<Vec<_>>().join("; ");
            Err(format!("{} Services are not right: {shown}", wrong.len()))
        }
    }

    /// What a Service called `name` shows.
    pub fn seen(&self, name: &str) -> Option<&Seen> {
        self.services.values().find(|seen| seen.name == name)
    }

    /// The rules that were broken.
    pub fn violations(&self) -> &[Violation] {
        &self.violations
    }

    /// How often something may have gone by unseen: each list but the first follows a broken watch.
    pub fn gaps(&self) -> usize {
        self.snapshots.saturating_sub(1)
    }
}

#[cfg(test)]
mod tests;
