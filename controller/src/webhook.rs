//! Removes the webhook configuration that an earlier MetalLB has left behind. Nobody would answer it, and as it fails
//! closed, no pool could be created.

use std::time::Duration;

use k8s_openapi::api::admissionregistration::v1::ValidatingWebhookConfiguration;
use kube::api::DeleteParams;
use kube::{Api, Client};
use tokio::time::sleep;

/// MetalLB's name for it, in its manifests and in its chart.
const NAME: &str = "metallb-webhook-configuration";
/// How long to wait when the API server cannot be reached.
const PAUSE: Duration = Duration::from_secs(2);

/// Deletes the configuration if it is there; tries until the API server has answered. Dropping the future is safe at
/// any point.
pub(crate) async fn remove(client: Client) {
    let api: Api<ValidatingWebhookConfiguration> = Api::all(client);
    loop {
        match api.delete(NAME, &DeleteParams::default()).await {
            Ok(_) => {
                tracing::info!(
                    name = NAME,
                    "removed the webhook configuration of an earlier MetalLB"
                );
                return;
            }
            Err(kube::Error::Api(status)) if status.is_not_found() => return,
            Err(kube::Error::Api(status)) if status.is_forbidden() => {
                let error = status.message;
                tracing::error!(
                    name = NAME,
                    error,
                    "may not remove the webhook configuration: see the RBAC rules"
                );
                return;
            }
            Err(error) => {
                let error = cortenlb_kit::logs::chain(&error);
                tracing::warn!(name = NAME, error, "cannot remove the webhook configuration yet");
                sleep(PAUSE).await;
            }
        }
    }
}
