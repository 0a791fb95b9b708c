use serde_json::json;

use super::*;
use crate::facts::tests::from;

#[test]
fn a_plug_in_may_ask_unless_it_says_that_it_never_does() {
    let asks = |mode: Option<&str>| {
        let mut exec = json!({ "apiVersion": "client.authentication.k8s.io/v1", "command": "login" });
        if let Some(mode) = mode {
            exec["interactiveMode"] = mode.into();
        }
        may_ask(&from(json!({ "exec": exec })))
    };
    assert!(asks(Some("Always")));
    assert!(asks(Some("IfAvailable")));
    assert!(asks(None), "as kube takes it");
    assert!(!asks(Some("Never")));
    assert!(!may_ask(&AuthInfo::default()), "no plug-in");
}
