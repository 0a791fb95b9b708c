use cortenlb_kit::fake::{Fake, Fault};

use super::*;
use crate::facts::tests::{SYSTEM, mk_facts};

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
