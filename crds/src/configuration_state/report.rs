//! What a component has to write so that its `ConfigurationState` is as MetalLB's: its name, labels, owner, condition
//! and texts. A pure machine; who drives it sends the steps and tells what was seen.
//!
//! MetalLB dates the condition anew at every reconcile. Here the time is that of the last change, so that nothing is
//! written while nothing happens.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, OwnerReference, Time};
use kube::ResourceExt;
use serde_json::{Value, json};

use crate::configuration_state::{ConfigurationResult, ConfigurationState, ConfigurationStateStatus};
use crate::names::{COMPONENT_TYPE, NODE_NAME};

/// The longest message of a condition (`metav1.Condition`).
const MESSAGE: usize = 32_768;

/// The pod that an object belongs to, and is collected with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pod {
    /// `metadata.name`.
    pub name: String,
    /// `metadata.uid`.
    pub uid: String,
}

/// What is to be written next, as a server-side apply.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// None for the object itself, with its labels and its owner; `status` for its status.
    pub subresource: Option<&'static str>,
    /// The field manager.
    pub manager: &'static str,
    /// The fields that the manager has.
    pub body: Value,
}

/// One component's report.
#[derive(Debug)]
pub struct Report {
    name: String,
    namespace: String,
    labels: Vec<(&'static str, String)>,
    condition: &'static str,
    /// The field managers of the object and of its status.
    managers: (&'static str, &'static str),
    owner: Option<Pod>,
    /// None while nothing has been judged.
    errors: Option<Vec<String>>,
    listed: bool,
    seen: Option<ConfigurationState>,
    under_way: bool,
    refused: bool,
    /// The status that was written last: if the object did not come to say so, it will not the second time.
    wrote: Option<ConfigurationStateStatus>,
}

impl Report {
    /// The controller's.
    pub fn of_controller(namespace: &str) -> Self {
        Self {
            name: "controller".to_owned(),
            namespace: namespace.to_owned(),
            labels: vec![(COMPONENT_TYPE, "controller".to_owned())],
            condition: "poolReconcilerValid",
            managers: ("metallb-controller", "poolReconciler"),
            owner: None,
            errors: None,
            listed: false,
            seen: None,
            under_way: false,
            refused: false,
            wrote: None,
        }
    }

    /// That of the speaker on `node`.
    pub fn of_speaker(namespace: &str, node: &str) -> Self {
        Self {
            name: format!("speaker-{node}"),
            labels: vec![
                (COMPONENT_TYPE, "speaker".to_owned()),
                (NODE_NAME, node.to_owned()),
            ],
            condition: "configReconcilerValid",
            managers: ("metallb-speaker", "configReconciler"),
            ..Self::of_controller(namespace)
        }
    }

    /// The object's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Sets the pod that the object belongs to; without one it has no owner.
    pub fn set_owner(&mut self, owner: Option<Pod>) {
        self.refused &= self.owner == owner;
        self.owner = owner;
    }

    /// What was found: one text for each object that is ignored, in the order of their names.
    pub fn judge(&mut self, errors: Vec<String>) {
        let errors = Some(errors);
        self.refused &= self.errors == errors;
        self.errors = errors;
    }

    /// The object as it is now; `None`: there is none.
    pub fn see(&mut self, object: Option<ConfigurationState>) {
        self.listed = true;
        self.refused = false;
        self.wrote = None;
        self.seen = object;
    }

    /// A step was answered. What was refused is not tried again until something changes.
    pub fn answered(&mut self, landed: Option<ConfigurationState>) {
        self.under_way = false;
        match landed {
            Some(object) => self.seen = Some(object),
            None => self.refused = true,
        }
    }

    /// Nothing that was sent will be answered.
    pub fn restart(&mut self) {
        self.under_way = false;
        self.refused = false;
        self.wrote = None;
    }

    /// The next step, if there is one to take now.
    pub fn poll(&mut self, now: &Time) -> Option<Step> {
        let errors = self.errors.as_ref()?;
        if !self.listed || self.under_way || self.refused {
            return None;
        }
        let step = match &self.seen {
            Some(seen) if self.is_marked(seen) => {
                let status = self.status(errors, seen, now);
                if seen.status.as_ref() == Some(&status) || self.wrote.as_ref() == Some(&status) {
                    return None;
                }
                // Said even if it is empty: who wrote the object before may own a text there.
                let mut body = json!({ "status": status });
                body["status"]["errorSummary"] = status.error_summary.clone().into();
                self.wrote = Some(status);
                Step {
                    subresource: Some("status"),
                    manager: self.managers.1,
                    body: self.body(body),
                }
            }
            _ => Step {
                subresource: None,
                manager: self.managers.0,
                body: self.body(json!({})),
            },
        };
        self.under_way = true;
        Some(step)
    }

    /// Whether labels and owner are in place.
    fn is_marked(&self, seen: &ConfigurationState) -> bool {
        let labelled = self
            .labels
            .iter()
            .all(|(key, value)| seen.labels().get(*key) == Some(value));
        let owned = self
            .owner
            .as_ref()
            .is_none_or(|owner| seen.owner_references().iter().any(|one| one.uid == owner.uid));
        labelled && owned
    }

    fn body(&self, more: Value) -> Value {
        let owners: Vec<OwnerReference> = self
            .owner
            .iter()
            .map(|pod| OwnerReference {
                api_version: "v1".to_owned(),
                kind: "Pod".to_owned(),
                name: pod.name.clone(),
                uid: pod.uid.clone(),
                ..OwnerReference::default()
            })
            .collect();
        let labels: serde_json::Map<String, Value> = self
            .labels
            .iter()
            .map(|(key, value)| ((*key).to_owned(), json!(value)))
            .collect();
        let mut body = json!({
            "apiVersion": "metallb.io/v1beta1",
            "kind": "ConfigurationState",
            "metadata": { "name": self.name, "namespace": self.namespace },
        });
        match more {
            // Metadata is not the status's to own.
            Value::Object(more) if !more.is_empty() => body["status"] = more["status"].clone(),
            _ => {
                body["metadata"]["labels"] = Value::Object(labels);
                body["metadata"]["ownerReferences"] = json!(owners);
            }
        }
        body
    }

    fn status(&self, errors: &[String], seen: &ConfigurationState, now: &Time) -> ConfigurationStateStatus {
        let (status, reason) = if errors.is_empty() {
            ("True", "Reconciled")
        } else {
            ("False", "ConfigurationError")
        };
        let message = message(errors);
        let conditions = seen.status.iter().flat_map(|status| &status.conditions);
        let before = conditions
            .filter(|one| one.type_ == self.condition && one.status == status)
            .map(|one| one.last_transition_time.clone())
            .next();
        let condition = Condition {
            type_: self.condition.to_owned(),
            status: status.to_owned(),
            reason: reason.to_owned(),
            message: message.clone(),
            last_transition_time: before.unwrap_or_else(|| now.clone()),
            observed_generation: None,
        };
        ConfigurationStateStatus {
            result: Some(if errors.is_empty() {
                ConfigurationResult::Valid
            } else {
                ConfigurationResult::Invalid
            }),
            error_summary: message,
            conditions: vec![condition],
        }
    }
}

/// One line for each object, as many as a condition can hold.
fn message(errors: &[String]) -> String {
    let mut message = String::new();
    for (place, error) in errors.iter().enumerate() {
        let line = format!("configuration error: {error}");
        let more = format!("\n… and {} more", errors.len() - place);
        if message.len() + line.len() + more.len() + 1 > MESSAGE {
            if place == 0 {
                let end = line.floor_char_boundary(MESSAGE - more.len());
                message.push_str(&line[..end]);
            } else {
                message.push_str(&more);
            }
            break;
        }
        if place > 0 {
            message.push('\n');
        }
        message.push_str(&line);
    }
    message
}

#[cfg(test)]
mod tests;
