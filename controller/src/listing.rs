//! All Services as the API server itself has them, beside the watch: for a leader that has to know whether its watch is
//! behind.
//!
//! Dropping the future is safe at any point: it only reads.

use cortenlb_kit::client::REQUEST_TIMEOUT;
use k8s_openapi::api::core::v1::Service;
use kube::Api;
use kube::api::ListParams;
use tokio::time::timeout;

use crate::index::{Input, View};

/// Services in one page: those that are not ours are dropped before the next one comes.
const PAGE: u32 = 500;

/// Lists the Services of load balancer class `class`; the answer to question `question`.
///
/// Without a resourceVersion the API server asks etcd, or waits until its cache is as new (KEP-2340).
pub(crate) async fn list(services: Api<Service>, class: Option<String>, question: u64) -> Input {
    let services = match pages(services, class.as_deref()).await {
        Ok(services) => Some(services),
        Err(error) => {
            tracing::warn!(%error, "Services cannot be listed, and no address is given before: it is tried again");
            None
        }
    };
    Input::Found { question, services }
}

async fn pages(services: Api<Service>, class: Option<&str>) -> anyhow::Result<Vec<View>> {
    let mut params = ListParams::default().limit(PAGE);
    let mut ours = Vec::new();
    loop {
        let page = timeout(REQUEST_TIMEOUT, services.list(&params)).await??;
        let views = page.items.iter().map(|service| View::of(service, class));
        ours.extend(views.filter(View::is_ours));
        match page.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => params = params.continue_token(&token),
            None => return Ok(ours),
        }
    }
}
