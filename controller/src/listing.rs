//! The newest Service as the API server itself has it, beside the watch: for a leader that has to know whether its watch
//! is behind.
//!
//! Dropping the future is safe at any point: it only reads.

use cortenlb_kit::client::REQUEST_TIMEOUT;
use k8s_openapi::api::core::v1::Service;
use kube::ResourceExt;
use kube::api::{Api, ListParams};
use tokio::time::timeout;

use crate::index::Input;

/// Services in one page.
const PAGE: u32 = 500;

/// Those that can have an address (the API server knows this field of Services).
const BALANCED: &str = "spec.type=LoadBalancer";

/// Lists what can have an address; the answer to question `question`.
///
/// Without a resourceVersion the API server asks etcd, or waits until its cache is as new (KEP-2340).
pub(crate) async fn newest(services: Api<Service>, question: u64) -> Input {
    let newest = match pages(services).await {
        Ok(newest) => Some(newest),
        Err(error) => {
            tracing::warn!(%error, "Services cannot be listed, and no address is given before: it is tried again");
            None
        }
    };
    Input::Newest { question, newest }
}

async fn pages(services: Api<Service>) -> anyhow::Result<u64> {
    let mut params = ListParams::default().fields(BALANCED).limit(PAGE);
    let mut newest = 0;
    loop {
        let page = timeout(REQUEST_TIMEOUT, services.list_metadata(&params)).await??;
        let versions = page.items.iter().filter_map(ResourceExt::resource_version);
        newest = versions
            .filter_map(|version| version.parse().ok())
            .fold(newest, u64::max);
        match page.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => params = params.continue_token(&token),
            None => return Ok(newest),
        }
    }
}
