use cortenlb_kit::fake::Fake;
use serde_json::to_value;

use super::*;
use crate::facts::tests::{SYSTEM, mk_pod, mk_served};

#[tokio::test]
async fn why_asks_no_speaker_about_a_service_that_is_not_there() {
    let fake = Fake::new();
    for node in ["n1", "n2"] {
        let path = format!("/api/v1/namespaces/{SYSTEM}/pods/speaker-{node}");
        fake.put(&path, to_value(mk_pod("speaker", node, true)).unwrap());
    }
    let service = mk_served("web", 1, "172.21.5.240", "default");
    fake.put("/api/v1/namespaces/shop/services/web", to_value(service).unwrap());
    let client = fake.client();
    let asked = async |name: &str, node: Option<&str>| {
        let key = ServiceKey::new("shop", name);
        let (_, told) = with_membership(&client, SYSTEM, &key, node).await.unwrap();
        told.into_iter().map(|told| told.node).collect::<Vec<_>>()
    };
    let none: [&str; 0] = [];
    assert_eq!(asked("gone", None).await, none);
    assert_eq!(asked("web", None).await, ["n1", "n2"]);
    assert_eq!(asked("web", Some("n2")).await, ["n2"]);
}
