//! Keeps the Secret with the key by which the speakers know one another: makes it when it is missing, also when it is
//! deleted later. One that is there, of whatever make, is left as it is.
//!
//! It is seen by a watch for metadata alone, so that no key ever comes here but one that is being made. Two that make it
//! at once do no harm: the API server takes the first.

use std::future::pending;
use std::time::Duration;

use cortenlb_kit::client::REQUEST_TIMEOUT;
use cortenlb_kit::lease::Claim;
use cortenlb_kit::watch::{Change, Config, LONGEST_OF_FEW, watch};
use k8s_openapi::ByteString;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::api::{ObjectMeta, PostParams};
use kube::core::{PartialObjectMeta, Request};
use kube::{Api, Client, Resource as _};
use rand::TryRng as _;
use rand::rngs::SysRng;
use tokio::sync::{mpsc, watch as state};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};

/// The entry of the Secret that holds the key.
const ENTRY: &str = "secretkey";

/// 128 bits, as MetalLB's key has.
const KEY_BYTES: usize = 16;

/// How long to wait after a failure. Speakers are not Ready without a key.
const PAUSE: Duration = Duration::from_secs(2);

/// How long to look for a Deployment that is missing before the Secret is made without an owner. An install that is
/// being removed loses Deployment and Secret at the same time, and its controllers some seconds later: a Secret that they
/// made in between would stay behind.
const OWNER_PATIENCE: Duration = Duration::from_secs(10);

/// Which Secret is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Its name.
    pub name: String,
    /// The Deployment that it goes with when that is deleted.
    pub deployment: Option<String>,
}

/// Makes the Secret whenever it is missing in `namespace` and `claim` holds. Returns when the claim's sender is gone.
/// Dropping the future is safe at any point: a request that is under way can only make a Secret that is missing.
pub(crate) async fn keep(
    client: Client,
    namespace: String,
    wanted: Wanted,
    mut claim: state::Receiver<Claim>,
) {
    let (told, mut changes) = mpsc::channel::<Change<PartialObjectMeta<Secret>>>(4);
    let secrets = Api::namespaced(client.clone(), &namespace);
    // By name, which is what the Role can be limited to.
    let named = Config::default().fields(&format!("metadata.name={}", wanted.name));
    let mut watching = JoinSet::new();
    watching.spawn(watch(secrets, named, LONGEST_OF_FEW, told));
    let name = wanted.name.clone();
    let mut maker = Maker {
        client,
        namespace,
        wanted,
        ownerless_since: None,
        said: None,
    };
    // Unknown counts as there.
    let mut missing = false;
    let mut again = None;
    loop {
        tokio::select! {
            Some(change) = changes.recv() => {
                if let Some(secret) = change.about(&name) {
                    missing = secret.is_none();
                }
            }
            changed = claim.changed() => {
                if changed.is_err() {
                    return;
                }
            }
            () = sleep_until_some(again) => again = None,
        }
        let leads = claim.borrow_and_update().holds(Instant::now());
        if missing && leads && again.is_none() {
            if maker.make().await {
                // Until the watch says otherwise.
                missing = false;
            } else {
                again = Some(Instant::now() + PAUSE);
            }
        }
    }
}

/// Makes the Secret, and remembers what it has said about failures.
struct Maker {
    client: Client,
    namespace: String,
    wanted: Wanted,
    /// Since when the Deployment is not found.
    ownerless_since: Option<Instant>,
    said: Option<String>,
}

impl Maker {
    /// Returns whether the Secret is there now.
    async fn make(&mut self) -> bool {
        match timeout(REQUEST_TIMEOUT, self.try_to_make()).await {
            Ok(Ok(())) => {
                self.ownerless_since = None;
                self.said = None;
                true
            }
            Ok(Err(Failed::Said(text))) => {
                if self.said.as_ref() != Some(&text) {
                    tracing::warn!(
                        secret = self.wanted.name,
                        error = text,
                        "no key for the speakers yet"
                    );
                    self.said = Some(text);
                }
                false
            }
            // The client tells when nobody answers.
            Ok(Err(Failed::Unanswered)) | Err(_) => false,
        }
    }

    async fn try_to_make(&mut self) -> Result<(), Failed> {
        let owner = self.owner().await?;
        let owned = owner.is_some();
        let secret = secret(&self.wanted.name, owner)?;
        let url = Secret::url_path(&(), Some(&self.namespace));
        let request = Request::new(url)
            .create(&PostParams::default(), secret)
            .map_err(|error| Failed::Said(cortenlb_kit::logs::chain(&error)))?;
        // As text, which is dropped: kube logs an answer that it cannot read, and this one has the key in it.
        match self.client.request_text(request).await {
            Ok(_) => {
                let (secret, namespace) = (&self.wanted.name, &self.namespace);
                tracing::info!(
                    secret,
                    namespace,
                    owned,
                    "made the key by which the speakers know one another"
                );
                Ok(())
            }
            Err(kube::Error::Api(status)) if status.is_already_exists() => Ok(()),
            Err(error) => Err(Failed::from(error)),
        }
    }

    /// The Deployment, if there is one to go with.
    async fn owner(&mut self) -> Result<Option<OwnerReference>, Failed> {
        let Some(name) = &self.wanted.deployment else {
            return Ok(None);
        };
        let api: Api<Deployment> = Api::namespaced(self.client.clone(), &self.namespace);
        let why = match api.get_metadata_opt(name).await {
            Ok(Some(deployment)) if deployment.metadata.deletion_timestamp.is_none() => {
                return Ok(deployment.metadata.uid.map(|uid| OwnerReference {
                    api_version: Deployment::api_version(&()).into_owned(),
                    kind: Deployment::kind(&()).into_owned(),
                    name: name.clone(),
                    uid,
                    ..OwnerReference::default()
                }));
            }
            Ok(Some(_)) => format!("Deployment {name:?} is being deleted"),
            Ok(None) => {
                format!("there is no Deployment {name:?}: see --deployment or METALLB_DEPLOYMENT")
            }
            Err(kube::Error::Api(status)) if status.is_forbidden() => {
                format!("{}: see the RBAC rules", status.message)
            }
            Err(error) => return Err(Failed::from(error)),
        };
        let now = Instant::now();
        let since = *self.ownerless_since.get_or_insert(now);
        if now.duration_since(since) < OWNER_PATIENCE {
            return Err(Failed::Said(why));
        }
        Ok(None)
    }
}

/// Why the Secret was not made.
enum Failed {
    /// Nobody answered.
    Unanswered,
    /// It was refused, or cannot be made here.
    Said(String),
}

impl From<kube::Error> for Failed {
    fn from(error: kube::Error) -> Self {
        match error {
            kube::Error::Api(status) if status.is_forbidden() => {
                Self::Said(format!("{}: see the RBAC rules", status.message))
            }
            kube::Error::Api(status) => Self::Said(format!("{} ({})", status.message, status.code)),
            error => {
                tracing::debug!(
                    error = cortenlb_kit::logs::chain(&error),
                    "no answer about the Secret"
                );
                Self::Unanswered
            }
        }
    }
}

/// A new Secret as it is sent.
fn secret(name: &str, owner: Option<OwnerReference>) -> Result<Vec<u8>, Failed> {
    let secret = Secret {
        metadata: ObjectMeta {
            name: Some(name.to_owned()),
            owner_references: owner.map(|owner| vec![owner]),
            ..ObjectMeta::default()
        },
        type_: Some("Opaque".to_owned()),
        data: Some([(ENTRY.to_owned(), ByteString(key()?.into_bytes()))].into()),
        ..Secret::default()
    };
    serde_json::to_vec(&secret).map_err(|error| Failed::Said(error.to_string()))
}

/// A new key: 16 random bytes as base64 without padding, 22 characters, as MetalLB makes it, so that its speakers can
/// use it after a downgrade.
fn key() -> Result<String, Failed> {
    let mut bytes = [0; KEY_BYTES];
    SysRng
        .try_fill_bytes(&mut bytes)
        .map_err(|error| Failed::Said(format!("the kernel has no random bytes: {error}")))?;
    // Bytes are written as padded base64 in JSON.
    let text = serde_json::to_value(ByteString(bytes.to_vec()));
    let text = text.map_err(|error| Failed::Said(error.to_string()))?;
    let text = text.as_str().unwrap_or_default();
    Ok(text.trim_end_matches('=').to_owned())
}

async fn sleep_until_some(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time).await,
        None => pending().await,
    }
}

#[cfg(test)]
mod tests;
