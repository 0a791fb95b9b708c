//! `ServiceL2Status` objects: one for each Service that is announced, written by the node that announces it.
//!
//! MetalLB's life cycle: the owner creates the object, writes its status, and deletes every other object about
//! the Service; a node that is not the owner deletes only its own. An object belongs to the speaker's Pod, so
//! that those of a lost node are collected with it.
//!
//! Two nodes may each be the owner, as far as they know, and both reach the API server: where the network between the nodes
//! is in two. The one whose object the other has deleted leaves it at that, or they would go on for as long as it lasts.
//!
//! Between a write and its outcome nothing more is written about that Service: the watch may not have shown the
//! write yet, and a second decision from the same facts would write it twice.

use cortenlb_core::few::Few;
use cortenlb_core::name::ServiceKey;
use cortenlb_crds::{MetalLBServiceL2Status, ServiceL2Status, names};
use cortenlb_kit::watch::Change;
use cortenlb_kit::write::{Op, Outcome, Priority, Refusal, Target, Write};
use kube::ResourceExt;
use kube::api::Preconditions;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// The speaker, as its objects name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Me {
    /// The node.
    pub node: String,
    /// The namespace of the pod, and of the objects.
    pub namespace: String,
    /// The name of the pod.
    pub pod: String,
}

/// All `ServiceL2Status` objects, and what this node still has to write.
#[derive(Debug)]
pub struct Statuses {
    me: Me,
    /// Known once the pod itself was seen; until then objects have no owner.
    pod_uid: Option<String>,
    objects: BTreeMap<String, Object>,
    by_service: BTreeMap<ServiceKey, Few<String>>,
    in_flight: BTreeMap<ServiceKey, usize>,
    /// The Services that this node announces, and says so.
    claims: BTreeMap<ServiceKey, Claim>,
}

/// How it is with what this node says about a Service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Claim {
    /// Nobody has contradicted.
    Stands,
    /// Somebody has deleted the object.
    Deleted,
}

/// One object, as far as it matters here: there is one for each Service that any node announces.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Object {
    service: ServiceKey,
    uid: Option<Box<str>>,
    /// 0 if it cannot be read.
    version: u64,
    /// What matters of one of this node's; none: it is another's.
    own: Option<Own>,
}

/// What matters of an object of this node's besides.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Own {
    owner: Option<String>,
    status: Option<Status>,
    /// [`names::ADDRESS_CONFLICT`].
    conflict: Option<String>,
}

/// A [`MetalLBServiceL2Status`], comparable.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Status {
    /// It is about the node and the Service that the labels name.
    is_as_labelled: bool,
    interfaces: Few<String>,
}

impl Statuses {
    /// No objects yet.
    pub fn new(me: Me) -> Self {
        Self {
            me,
            pod_uid: None,
            objects: BTreeMap::new(),
            by_service: BTreeMap::new(),
            in_flight: BTreeMap::new(),
            claims: BTreeMap::new(),
        }
    }

    /// The UID of this speaker's own Pod. Returns the Services whose objects must be looked at again.
    pub fn set_pod_uid(&mut self, uid: Option<String>) -> BTreeSet<ServiceKey> {
        if self.pod_uid == uid {
            return BTreeSet::new();
        }
        self.pod_uid = uid;
        self.by_service.keys().cloned().collect()
    }

    /// Takes in what the watch says. Returns the Services concerned.
    pub fn apply(&mut self, change: Change<ServiceL2Status>) -> BTreeSet<ServiceKey> {
        match change {
            Change::Apply(object) => self.insert(&object).into_iter().collect(),
            Change::Delete(object) => self.remove(&object.name_any()).into_iter().collect(),
            Change::Reset(objects) => {
                let listed: BTreeSet<String> = objects.iter().map(ResourceExt::name_any).collect();
                let gone: Vec<String> = self
                    .objects
                    .keys()
                    .filter(|name| !listed.contains(*name))
                    .cloned()
                    .collect();
                let mut affected: BTreeSet<_> = gone.iter().filter_map(|name| self.remove(name)).collect();
                affected.extend(objects.iter().filter_map(|object| self.insert(object)));
                affected
            }
        }
    }

    /// Takes in the outcome of a write. Returns the Service, unless the API server would refuse again.
    pub fn written(&mut self, outcome: &Outcome<ServiceKey>) -> Option<ServiceKey> {
        let service = &outcome.write.key;
        if let Some(count) = self.in_flight.get_mut(service) {
            *count -= 1;
            if *count == 0 {
                self.in_flight.remove(service);
            }
        }
        match (&outcome.result, &outcome.write.op) {
            (Ok(Some(object)), _) => {
                let object = serde_json::to_value(object).and_then(serde_json::from_value::<ServiceL2Status>);
                // An answer that cannot be read loses nothing: the watch shows the object too.
                if let Ok(object) = object {
                    self.insert(&object);
                }
            }
            (Ok(None), _) | (Err(Refusal::NotFound { .. }), Op::Patch { .. } | Op::Delete { .. }) => {
                let gone = self.of(service).map(|(name, _)| name.clone());
                let gone = gone
                    .filter(|name| self.target(name) == outcome.write.target)
                    .collect::<Vec<_>>();
                for name in gone {
                    self.remove(&name);
                }
            }
            (Err(refusal), _) => {
                let error = cortenlb_kit::logs::chain(refusal);
                tracing::error!(%service, error, "ServiceL2Status not written");
                return None;
            }
        }
        Some(service.clone())
    }

    /// Whether an object says that this node announces the Service.
    pub fn is_claimed_by_me(&self, service: &ServiceKey) -> bool {
        self.own(service).next().is_some()
    }

    /// The writes that make the objects about a Service right: with the interfaces (none: all) if this node
    /// announces it, and what it found somebody else to have; else without any of this node's. Nothing while earlier
    /// writes are under way.
    pub fn reconcile(
        &mut self,
        service: &ServiceKey,
        interfaces: Option<&BTreeSet<String>>,
        conflict: Option<&str>,
    ) -> Vec<Write<ServiceKey>> {
        if self.in_flight.contains_key(service) {
            return Vec::new();
        }
        if interfaces.is_none() {
            self.claims.remove(service);
        } else if self.is_contradicted(service) {
            return Vec::new();
        } else {
            self.claims.insert(service.clone(), Claim::Stands);
        }
        let writes = match (interfaces, conflict) {
            (Some(interfaces), _) => self.assert(service, interfaces, conflict),
            (None, Some(conflict)) => self.warn(service, conflict),
            (None, None) => self
                .own(service)
                .map(|(name, object, _)| self.delete(name, object))
                .collect(),
        };
        if !writes.is_empty() {
            self.in_flight.insert(service.clone(), writes.len());
        }
        writes
    }

    /// Whether another node has deleted the object of this one, and says that it announces the Service.
    fn is_contradicted(&self, service: &ServiceKey) -> bool {
        self.claims.get(service) == Some(&Claim::Deleted)
            && self.own(service).next().is_none()
            && self.of(service).next().is_some()
    }

    fn own(&self, service: &ServiceKey) -> impl Iterator<Item = (&String, &Object, &Own)> {
        self.of(service)
            .filter_map(|(name, object)| Some((name, object, object.own.as_ref()?)))
    }

    /// An object without a status: this node announces nothing of the Service, and says why.
    fn warn(&self, service: &ServiceKey, conflict: &str) -> Vec<Write<ServiceKey>> {
        let (silent, announcing): (Vec<_>, Vec<_>) =
            self.own(service).partition(|(_, _, own)| own.status.is_none());
        // What is in a status stays there: the node in it is immutable.
        let deleted = announcing.into_iter();
        let mut writes: Vec<_> = deleted
            .map(|(name, object, _)| self.delete(name, object))
            .collect();
        match silent.first() {
            None => writes.push(self.create(service, Some(conflict))),
            Some((name, _, own)) => writes.extend(self.mend(service, name, own, Some(conflict))),
        }
        writes
    }

    /// Makes the metadata of an object of this node right.
    fn mend(
        &self,
        service: &ServiceKey,
        name: &str,
        own: &Own,
        conflict: Option<&str>,
    ) -> Option<Write<ServiceKey>> {
        let mut metadata = serde_json::Map::new();
        if self.pod_uid.is_some() && own.owner != self.pod_uid {
            metadata.insert("ownerReferences".to_owned(), self.owner_references());
        }
        if own.conflict.as_deref() != conflict {
            let annotations = json!({ names::ADDRESS_CONFLICT: conflict });
            metadata.insert("annotations".to_owned(), annotations);
        }
        if metadata.is_empty() {
            return None;
        }
        let op = Op::Patch {
            subresource: None,
            body: json!({ "metadata": metadata }).into(),
        };
        Some(self.write(service, name, op))
    }

    fn assert(
        &self,
        service: &ServiceKey,
        interfaces: &BTreeSet<String>,
        conflict: Option<&str>,
    ) -> Vec<Write<ServiceKey>> {
        let wanted = Status {
            is_as_labelled: true,
            interfaces: interfaces.iter().cloned().collect(),
        };
        // Node and Service are immutable in the schema: an object that has them wrong is not mine.
        let mine = self
            .own(service)
            .find(|(.., own)| own.status.as_ref().is_none_or(|status| status.is_as_labelled));
        let others = self
            .of(service)
            .filter(|(name, _)| mine.is_none_or(|(mine, ..)| mine != *name));
        let mut writes: Vec<_> = others.map(|(name, object)| self.delete(name, object)).collect();
        match mine {
            None => writes.push(self.create(service, conflict)),
            Some((name, _, own)) => {
                writes.extend(self.mend(service, name, own, conflict));
                if own.status.as_ref() != Some(&wanted) {
                    let body = json!({ "status": self.status(service, &wanted.interfaces) });
                    writes.push(self.write(
                        service,
                        name,
                        Op::Patch {
                            subresource: Some("status"),
                            body: body.into(),
                        },
                    ));
                }
            }
        }
        writes
    }

    /// As a merge patch: `null` takes away the interfaces of an earlier status.
    fn status(&self, service: &ServiceKey, interfaces: &Few<String>) -> Value {
        let interfaces: Vec<_> = interfaces.iter().map(|name| json!({ "name": name })).collect();
        json!({
            "node": self.me.node,
            "serviceName": service.name(),
            "serviceNamespace": service.namespace(),
            "interfaces": if interfaces.is_empty() { Value::Null } else { interfaces.into() },
        })
    }

    fn create(&self, service: &ServiceKey, conflict: Option<&str>) -> Write<ServiceKey> {
        let mut body = json!({
            "apiVersion": "metallb.io/v1beta1",
            "kind": "ServiceL2Status",
            "metadata": {
                "generateName": "l2-",
                "namespace": self.me.namespace,
                "labels": {
                    names::ANNOUNCE_NODE: self.me.node,
                    names::SERVICE_NAME: service.name(),
                    names::SERVICE_NAMESPACE: service.namespace(),
                },
                "ownerReferences": self.owner_references(),
            },
            "spec": {},
        });
        if let Some(conflict) = conflict {
            body["metadata"]["annotations"] = json!({ names::ADDRESS_CONFLICT: conflict });
        }
        self.write(service, "l2-", Op::Create { body: body.into() })
    }

    fn delete(&self, name: &str, object: &Object) -> Write<ServiceKey> {
        let preconditions = Preconditions {
            uid: object.uid.as_deref().map(str::to_owned),
            resource_version: None,
        };
        self.write(
            &object.service,
            name,
            Op::Delete {
                preconditions: Some(preconditions),
            },
        )
    }

    fn write(&self, service: &ServiceKey, name: &str, op: Op) -> Write<ServiceKey> {
        let target = self.target(name);
        Write {
            key: service.clone(),
            priority: Priority::Normal,
            supersede: false,
            target,
            op,
        }
    }

    fn target(&self, name: &str) -> Target {
        Target::of::<ServiceL2Status>(Some(&self.me.namespace), name)
    }

    fn owner_references(&self) -> Value {
        let references = self
            .pod_uid
            .iter()
            .map(|uid| json!({ "apiVersion": "v1", "kind": "Pod", "name": self.me.pod, "uid": uid }));
        references.collect()
    }

    fn of(&self, service: &ServiceKey) -> impl Iterator<Item = (&String, &Object)> {
        self.by_service
            .get(service)
            .into_iter()
            .flatten()
            .filter_map(|name| self.objects.get_key_value(name))
    }

    /// An object that does not say by its labels what it is about concerns nobody; MetalLB ignores it too. An
    /// older form than the known one is a watch that lags behind the outcome of a write.
    fn insert(&mut self, object: &ServiceL2Status) -> Option<ServiceKey> {
        let name = object.name_any();
        let object = Object::of(object, &self.me.node)?;
        if self
            .objects
            .get(&name)
            .is_some_and(|known| known.uid == object.uid && known.version > object.version)
        {
            return None;
        }
        self.remove(&name);
        let service = object.service.clone();
        self.by_service
            .entry(service.clone())
            .or_default()
            .insert(name.clone());
        self.objects.insert(name, object);
        Some(service)
    }

    fn remove(&mut self, name: &str) -> Option<ServiceKey> {
        let object = self.objects.remove(name)?;
        if let Some(names) = self.by_service.get_mut(&object.service) {
            names.remove(&name.to_owned());
            if names.is_empty() {
                self.by_service.remove(&object.service);
            }
        }
        if object.own.is_some()
            && let Some(claim) = self.claims.get_mut(&object.service)
        {
            *claim = Claim::Deleted;
        }
        Some(object.service)
    }
}

impl Object {
    /// As it matters to the speaker of node `me`.
    fn of(object: &ServiceL2Status, me: &str) -> Option<Self> {
        let labels = object.labels();
        let [namespace, name, node] = [
            names::SERVICE_NAMESPACE,
            names::SERVICE_NAME,
            names::ANNOUNCE_NODE,
        ]
        .map(|label| labels.get(label));
        let (service, node) = (ServiceKey::new(namespace?, name?), node?);
        let own = || Own {
            owner: object.owner_references().first().map(|owner| owner.uid.clone()),
            status: object
                .status
                .as_ref()
                .map(|status| Status::of(status, node, &service)),
            conflict: object.annotations().get(names::ADDRESS_CONFLICT).cloned(),
        };
        Some(Self {
            own: (node == me).then(own),
            uid: object.metadata.uid.as_deref().map(Box::from),
            version: object
                .resource_version()
                .and_then(|version| version.parse().ok())
                .unwrap_or(0),
            service,
        })
    }
}

impl Status {
    /// As it is, in an object whose labels name these.
    fn of(status: &MetalLBServiceL2Status, node: &str, service: &ServiceKey) -> Self {
        let about = (&*status.node, &*status.service_namespace, &*status.service_name);
        let interfaces = status.interfaces.iter();
        Self {
            is_as_labelled: about == (node, service.namespace(), service.name()),
            interfaces: interfaces.map(|interface| interface.name.clone()).collect(),
        }
    }
}

#[cfg(test)]
mod tests;
