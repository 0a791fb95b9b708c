use cortenlb_kit::fake::{Fake, Fault};
use k8s_openapi::api::core::v1::Node;

use super::*;

#[tokio::test(start_paused = true)]
async fn an_api_server_that_asks_for_patience_is_asked_again() {
    let fake = Fake::new();
    let mut refused = 0;
    fake.policy(move |_| {
        refused += 1;
        (refused <= 2).then_some(Fault::Busy(1))
    });
    let nodes: Vec<Node> = list(Api::all(fake.client())).await.unwrap();
    assert!(nodes.is_empty());
    assert_eq!(fake.log().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn patience_ends() {
    let fake = Fake::new();
    fake.policy(|_| Some(Fault::Busy(1)));
    let nodes: Result<Vec<Node>, CliError> = list(Api::all(fake.client())).await;
    assert!(nodes.unwrap_err().to_string().contains("nodes (v1)"));
    assert_eq!(fake.log().len(), ASK);
}
