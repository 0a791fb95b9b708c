//! Whose a token is and who may have a path: reviews, which are answered and not kept.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::Call;

#[derive(Default)]
pub(super) struct Rights {
    /// Users by token.
    pub(super) users: BTreeMap<String, String>,
    /// User, verb and path.
    pub(super) granted: BTreeSet<(String, String, String)>,
}

impl Rights {
    /// The answer to a review; `None` for what is none.
    pub(super) fn review(&self, call: &Call) -> Option<Value> {
        let spec = &call.body["spec"];
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let status = match (call.method.as_str(), call.path.as_str()) {
            ("POST", "/apis/authentication.k8s.io/v1/tokenreviews") => {
                match self.users.get(&text(&spec["token"])) {
                    Some(user) => json!({ "authenticated": true, "user": { "username": user } }),
                    None => json!({ "error": "invalid bearer token" }),
                }
            }
            ("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews") => {
                let asked = &spec["nonResourceAttributes"];
                let asked = (text(&spec["user"]), text(&asked["verb"]), text(&asked["path"]));
                json!({ "allowed": self.granted.contains(&asked) })
            }
            _ => return None,
        };
        let mut answer = call.body.clone();
        answer["status"] = status;
        Some(answer)
    }
}
