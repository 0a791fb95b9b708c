//! The condition `cortenlb.io/Announced` of each Service: does a node announce its address, and if not, why.
//!
//! The same decision as the speakers', from the same facts ([`cortenlb_core::announce`]): so the controller,
//! which holds the Lease, can write the condition for all of them, and no speaker needs the right to write
//! Services. For "yes" it relies on the `ServiceL2Status` that the announcing speaker wrote: its own record.
//!
//! Pure: [`Announced::handle`] takes in changes, [`Announced::settle`] says which conditions are new. Who owns
//! the Service's list of conditions writes them.

use crate::index::{Verdict, View};
use cortenlb_core::announce::{Decision, Fact, Group, Kind, REQUIRE_SUBNET, Reason, Refusal, World};
use cortenlb_core::name::ServiceKey;
use cortenlb_crds::translate::announce as translate;
use cortenlb_crds::translate::conflict::{self, Contested};
use cortenlb_crds::{IPAddressPool, L2Advertisement, ServiceL2Status, names};
use cortenlb_kit::watch::Change;
use k8s_openapi::api::core::v1::{Node, Pod};
use kube::ResourceExt;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A node announces the address.
const ANNOUNCED: &str = "Announced";
/// Nodes can announce it, and none has recorded yet that it does.
const WAITING_FOR_SPEAKER: &str = "WaitingForSpeaker";

/// A change of a kind that nobody but this index watches.
#[derive(Debug)]
pub enum Input {
    /// The watch of EndpointSlices, as [`translate::slice`] reads them: there is one or more for each Service.
    Slices(Box<Change<Fact>>),
    /// The watch of Nodes.
    Nodes(Box<Change<Node>>),
    /// The watch of L2Advertisements.
    Advertisements(Box<Change<L2Advertisement>>),
    /// The watch of speaker pods.
    Speakers(Box<Change<Pod>>),
    /// The watch of ServiceL2Statuses.
    Statuses(Change<Announcer>),
}

/// What a ServiceL2Status says: its own name, and which node announces which Service. One whose status is still to be
/// written says nothing of that.
#[derive(Clone, Debug)]
pub struct Announcer {
    pub(crate) name: String,
    pub(crate) announces: Option<(ServiceKey, String)>,
    /// The Service that it is about, by its labels.
    pub(crate) service: Option<ServiceKey>,
    /// The addresses that it says somebody else has.
    pub(crate) contested: Contested,
}

impl Announcer {
    /// What `object` says.
    pub fn of(object: &ServiceL2Status) -> Self {
        let status = object.status.as_ref().filter(|status| !status.node.is_empty());
        let label = |name| object.labels().get(name).map(String::as_str);
        let service = (label(names::SERVICE_NAMESPACE), label(names::SERVICE_NAME));
        Self {
            name: object.name_any(),
            service: match service {
                (Some(namespace), Some(name)) => Some(ServiceKey::new(namespace, name)),
                _ => None,
            },
            contested: conflict::read(object),
            announces: status.map(|status| {
                let service = ServiceKey::new(&status.service_namespace, &status.service_name);
                (service, status.node.clone())
            }),
        }
    }
}

/// What decides about announcing, and what was said last. Says nothing until every watch was listed.
#[derive(Debug, Default)]
pub struct Announced {
    world: World,
    /// Which node announces which Service, by its own record; by the name of the record.
    records: BTreeMap<String, (ServiceKey, String)>,
    /// The same, by Service: two records may say the same for a moment.
    announcers: BTreeMap<ServiceKey, BTreeSet<(String, String)>>,
    records_listed: bool,
    pending: BTreeSet<ServiceKey>,
    said: BTreeMap<ServiceKey, Arc<Verdict>>,
    /// What is said now, and of how many: most Services say the same.
    verdicts: BTreeMap<Arc<Verdict>, usize>,
}

impl Announced {
    /// Takes in a change that the controller's own watch of Services told.
    pub fn services(&mut self, change: &Change<View>) {
        self.feed(Kind::Service, change, |view| view.fact.clone());
    }

    /// Takes in a change that the controller's own watch of pools told.
    pub fn pools(&mut self, change: &Change<IPAddressPool>) {
        self.feed(Kind::Pool, change, translate::pool);
    }

    /// Takes in a change that the controller's own watch of pods that are not ours told.
    pub fn rivals(&mut self, change: &Change<Pod>) {
        self.feed(Kind::Rival, change, translate::rival);
    }

    /// Takes in a change of the other kinds.
    pub fn handle(&mut self, input: &Input) {
        match input {
            Input::Slices(change) => self.feed(Kind::Slice, change, Fact::clone),
            Input::Nodes(change) => self.feed(Kind::Node, change, translate::node),
            Input::Advertisements(change) => self.feed(Kind::Advertisement, change, advertisement),
            Input::Speakers(change) => self.feed(Kind::Speaker, change, translate::speaker),
            Input::Statuses(change) => self.records(change),
        }
    }

    /// The conditions that changed since the last call; `None` for a Service that has no address (any more), and
    /// therefore no such condition.
    pub fn settle(&mut self) -> Vec<(ServiceKey, Option<Arc<Verdict>>)> {
        if !self.world.is_synced() || !self.records_listed {
            return Vec::new();
        }
        let mut news = Vec::new();
        for key in std::mem::take(&mut self.pending) {
            let condition = self
                .world
                .decide(&key)
                .and_then(|decision| self.condition(&key, &decision));
            if self.said.get(&key).map(Arc::as_ref) == condition.as_ref() {
                continue;
            }
            let condition = condition.map(|condition| self.shared(condition));
            let before = match &condition {
                Some(condition) => self.said.insert(key.clone(), condition.clone()),
                None => self.said.remove(&key),
            };
            if let Some(before) = before {
                self.unshare(&before);
            }
            news.push((key, condition));
        }
        news
    }

    fn shared(&mut self, verdict: Verdict) -> Arc<Verdict> {
        let entry = self.verdicts.entry(Arc::new(verdict));
        let verdict = entry.key().clone();
        *entry.or_default() += 1;
        verdict
    }

    fn unshare(&mut self, verdict: &Arc<Verdict>) {
        if let Some(count) = self.verdicts.get_mut(verdict) {
            *count -= 1;
            if *count == 0 {
                self.verdicts.remove(verdict);
            }
        }
    }

    fn condition(&self, key: &ServiceKey, decision: &Decision) -> Option<Verdict> {
        if decision.refusal == Some(Refusal::NoAddress) {
            return None;
        }
        if let Some(obstacle) = decision.obstacle() {
            return Some(Verdict {
                status: false,
                reason: obstacle.reason.to_owned(),
                message: obstacle.message,
            });
        }
        Some(match self.announcer(key, decision) {
            Some(node) => Verdict {
                status: true,
                reason: ANNOUNCED.to_owned(),
                message: format!("announcing from node {node:?} with protocol \"layer2\""),
            },
            None => {
                let candidates = decision.group.as_ref().map(Group::names).unwrap_or_default();
                let on_link = decision.group.as_ref().is_some_and(|group| group.on_link);
                let only = if on_link {
                    format!(
                        ", if it has an interface in its subnet (annotation {REQUIRE_SUBNET} of the L2Advertisement)"
                    )
                } else {
                    String::new()
                };
                let message = format!(
                    "one of these nodes is to announce the address{only}, and none has said so yet: {candidates} (if this \
                     lasts, see the Service's events and the logs of the speakers there)"
                );
                Verdict {
                    status: false,
                    reason: WAITING_FOR_SPEAKER.to_owned(),
                    message,
                }
            }
        })
    }

    /// The node that says that it announces the Service. While its speaker restarts, others answer in its name, or they
    /// take the address and say so.
    fn announcer(&self, key: &ServiceKey, decision: &Decision) -> Option<&str> {
        let announcers = self.announcers.get(key).into_iter().flatten();
        let nodes = announcers.map(|(node, _)| node.as_str());
        let able = |node: &&str| decision.interfaces_on(node).is_some();
        let restarts = |node: &&str| {
            let verdict = decision.verdicts.get(*node);
            matches!(verdict, Some(Err(Reason::SpeakerNotReady | Reason::NoSpeaker)))
        };
        nodes.clone().find(able).or_else(|| nodes.clone().find(restarts))
    }

    fn feed<K>(&mut self, kind: Kind, change: &Change<K>, fact: impl Fn(&K) -> Fact) {
        let affected = match change {
            Change::Apply(object) => self.world.apply(fact(object)),
            Change::Delete(object) => self.world.apply(fact(object).gone()),
            Change::Reset(objects) => self.world.reset(kind, objects.iter().map(fact).collect()),
        };
        self.pending.extend(affected);
    }

    fn records(&mut self, change: &Change<Announcer>) {
        match change {
            Change::Apply(object) => self.record(object),
            Change::Delete(object) => self.forget(&object.name),
            Change::Reset(objects) => {
                self.records_listed = true;
                for name in self.records.keys().cloned().collect::<Vec<_>>() {
                    self.forget(&name);
                }
                objects.iter().for_each(|object| self.record(object));
            }
        }
    }

    fn record(&mut self, Announcer { name, announces, .. }: &Announcer) {
        self.forget(name);
        if let Some((service, node)) = announces {
            let announcers = self.announcers.entry(service.clone()).or_default();
            announcers.insert((node.clone(), name.clone()));
            self.pending.insert(service.clone());
            self.records.insert(name.clone(), (service.clone(), node.clone()));
        }
    }

    fn forget(&mut self, name: &str) {
        let Some((service, node)) = self.records.remove(name) else {
            return;
        };
        if let Some(announcers) = self.announcers.get_mut(&service) {
            announcers.remove(&(node, name.to_owned()));
            if announcers.is_empty() {
                self.announcers.remove(&service);
            }
        }
        self.pending.insert(service);
    }
}

/// One that cannot be used is ignored alone; the speakers ignore it too.
fn advertisement(object: &L2Advertisement) -> Fact {
    translate::advertisement(object).unwrap_or_else(|error| {
        let error = cortenlb_kit::logs::chain(&error);
        tracing::error!(op = "setConfig", error, "L2Advertisement ignored");
        Fact::Advertisement(object.name_any(), None)
    })
}

#[cfg(test)]
mod tests;
