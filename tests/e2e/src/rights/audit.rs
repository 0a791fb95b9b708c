//! What accounts asked for: the lines of an audit log (`audit.k8s.io/v1`, level Metadata).

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context as _;
use serde::Deserialize;

use super::{Access, Answer, Request, Target};

/// Annotations of the API server's authorization (Kubernetes, "Audit annotations").
const DECISION: &str = "authorization.k8s.io/decision";
const REASON: &str = "authorization.k8s.io/reason";

/// How RBAC's reason ends where a role is bound to all who have an account.
const TO_ALL: [&str; 3] = [
    "to Group \"system:authenticated\"",
    "to Group \"system:unauthenticated\"",
    "to Group \"system:serviceaccounts\"",
];

/// The requests of a log. The last line may be in the middle of being written.
pub(super) fn read(log: &str) -> anyhow::Result<BTreeSet<Request>> {
    let whole = log.rfind('\n').map_or("", |end| &log[..end]);
    let mut requests = BTreeSet::new();
    for (index, line) in whole.lines().enumerate() {
        let event: Event =
            serde_json::from_str(line).with_context(|| format!("line {} is no audit event", index + 1))?;
        requests.extend(event.requests());
    }
    Ok(requests)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Event {
    verb: String,
    user: User,
    #[serde(rename = "requestURI")]
    request_uri: String,
    object_ref: Option<ObjectRef>,
    response_status: Option<Status>,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct User {
    username: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ObjectRef {
    #[serde(default)]
    api_group: String,
    resource: String,
    subresource: Option<String>,
    namespace: Option<String>,
    name: Option<String>,
}

#[derive(Deserialize)]
struct Status {
    code: Option<u16>,
    #[serde(default)]
    message: String,
}

impl Event {
    /// One, or none if it was turned away before anybody asked whether it is allowed, or two: a patch that makes the object
    /// is a creation too, and the API server asks for that right once it knows that the object is missing.
    fn requests(self) -> Vec<Request> {
        let reason = self.annotations.get(REASON).map_or("", String::as_str);
        let answer = match self.annotations.get(DECISION).map(String::as_str) {
            Some("allow") if TO_ALL.iter().any(|group| reason.ends_with(group)) => Answer::AllowedToAll,
            Some("allow") => Answer::Allowed,
            Some(_) => Answer::Refused,
            None => return Vec::new(),
        };
        let creation = self.creation();
        let asked = self.access();
        let creation = creation.map(|answer| Request {
            asked: Access {
                verb: "create".to_owned(),
                ..asked.clone()
            },
            answer,
        });
        creation.into_iter().chain([Request { asked, answer }]).collect()
    }

    /// What came of the creation in a patch, if there was one.
    fn creation(&self) -> Option<Answer> {
        let status = self.response_status.as_ref().filter(|_| self.verb == "patch")?;
        match status.code? {
            201 => Some(Answer::Allowed),
            403 if status.message.contains("cannot create resource") => Some(Answer::Refused),
            _ => None,
        }
    }

    fn access(self) -> Access {
        let some = |text: Option<String>| text.filter(|text| !text.is_empty());
        let (target, namespace, name) = match self.object_ref {
            Some(object) => {
                let resource = match some(object.subresource) {
                    Some(subresource) => format!("{}/{subresource}", object.resource),
                    None => object.resource,
                };
                let group = object.api_group;
                (
                    Target::Resource { group, resource },
                    some(object.namespace),
                    some(object.name),
                )
            }
            None => {
                let path = self.request_uri.split('?').next().unwrap_or_default();
                (Target::Path(path.to_owned()), None, None)
            }
        };
        Access {
            account: self.user.username,
            verb: self.verb,
            target,
            namespace,
            name,
        }
    }
}
