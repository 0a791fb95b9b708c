use cortenlb_kit::fake::{Fake, Fault};
use serde_json::json;

use super::*;
use crate::facts::tests::{SYSTEM, from, mk_facts};

/// Refuses to list what is at this path.
fn mk_refusing(path: &'static str) -> Fake {
    let fake = Fake::new();
    fake.policy(move |call| (call.path == path).then_some(Fault::Code(403)));
    fake
}

#[tokio::test]
async fn migrate_check_asks_for_nothing_that_it_does_not_judge() {
    let fake = Fake::new();
    let told = replaced(&fake.client(), SYSTEM).await;
    assert!(told.unread.is_empty(), "{:?}", told.unread);
    let mut asked = fake.log();
    asked.sort();
    assert_eq!(
        asked,
        [
            "GET /apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations",
            "GET /apis/apiextensions.k8s.io/v1/customresourcedefinitions",
            "GET /apis/apps/v1/daemonsets",
            "GET /apis/apps/v1/deployments",
            "GET /apis/metallb.io/v1beta1/bfdprofiles",
            "GET /apis/metallb.io/v1beta1/bgpadvertisements",
            "GET /apis/metallb.io/v1beta1/communities",
            "GET /apis/metallb.io/v1beta2/bgppeers",
        ]
    );
}

#[tokio::test]
async fn what_may_not_be_read_is_named_and_the_rest_is_read() {
    let told = replaced(&mk_refusing("/apis/apps/v1/daemonsets").client(), SYSTEM).await;
    assert_eq!(told.unread.len(), 1, "{:?}", told.unread);
    assert!(told.unread[0].contains("daemonsets"), "{:?}", told.unread);
    assert!(told.definitions.is_some());

    let mut facts = mk_facts();
    facts.pods.clear();
    let told = around(&mk_refusing("/api/v1/events").client(), &facts).await;
    assert_eq!(told.unread.len(), 1, "{:?}", told.unread);
    assert!(told.unread[0].contains("events"), "{:?}", told.unread);
    assert!(told.kube_proxy.is_some());
}

#[tokio::test]
async fn pods_are_read_page_by_page() {
    let pod = |name: &str, address: &str| -> Pod {
        from(json!({
            "metadata": { "name": name, "namespace": "shop" },
            "status": { "podIPs": [{ "ip": address }] },
        }))
    };
    let mut asked = Vec::new();
    let read = running(async |selected: ListParams| {
        assert_eq!(selected.field_selector.as_deref(), Some("status.phase=Running"));
        asked.push((selected.limit, selected.continue_token.clone()));
        Ok(match selected.continue_token.as_deref() {
            None => (vec![pod("a", "10.244.1.4")], Some("second".to_owned())),
            Some("second") => (vec![pod("b", "10.244.2.4")], Some("third".to_owned())),
            _ => (vec![pod("c", "10.244.3.4")], None),
        })
    });
    let read = read.await.unwrap();
    let read = read
        .iter()
        .map(|pod| (pod.key.to_string(), pod.addresses[0].to_string()));
    let read: Vec<(String, String)> = read.collect();
    let expected = [
        ("shop/a", "10.244.1.4"),
        ("shop/b", "10.244.2.4"),
        ("shop/c", "10.244.3.4"),
    ];
    assert_eq!(
        read,
        expected.map(|(key, address)| (key.to_owned(), address.to_owned()))
    );
    let tokens = [None, Some("second"), Some("third")];
    assert_eq!(asked, tokens.map(|token| (Some(500), token.map(str::to_owned))));
}

#[tokio::test]
async fn doctor_asks_for_so_many_running_pods_at_once() {
    let fake = Fake::new();
    let pod = json!({
        "metadata": { "name": "a", "namespace": "shop" },
        "status": { "podIPs": [{ "ip": "10.244.1.4" }] },
    });
    fake.put("/api/v1/namespaces/shop/pods/a", pod);
    // As if all of them were too many.
    fake.policy(|call| {
        let is_running = call.query.contains("status.phase");
        (is_running && !call.query.contains("limit=500")).then_some(Fault::Code(403))
    });
    let mut facts = mk_facts();
    facts.pods.clear();
    let told = around(&fake.client(), &facts).await;
    assert!(told.unread.is_empty(), "{:?}", told.unread);
    assert_eq!(told.running.len(), 1);
}
