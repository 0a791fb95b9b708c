//! Lists objects: the only part that asks the API server.

mod around;
pub(crate) mod speakers;

use std::fmt::Debug;
use std::time::Duration;

use k8s_openapi::jiff::Timestamp;
use kube::api::{Api, ListParams, ObjectList};
use kube::{Client, Resource};
use serde::de::DeserializeOwned;

use crate::connect::chain;
use crate::error::CliError;
use crate::facts::Facts;
pub(crate) use around::{around, replaced};
pub(crate) use speakers::{failovers, membership};

/// How often an API server is asked that answers 429: it has too much to do, or the kind has just been defined anew.
const ASK: usize = 5;

/// The time between, as the API server itself asks for it (`Retry-After: 1`).
const PATIENCE: Duration = Duration::from_secs(1);

/// Everything that decides about addresses and their announcement; the configuration is in namespace `system`.
///
/// A kind that is not installed has no objects.
pub(crate) async fn facts(client: &Client, system: &str) -> Result<Facts, CliError> {
    let (services, slices, namespaces, nodes, pods) = tokio::try_join!(
        list(Api::all(client.clone())),
        list(Api::all(client.clone())),
        list(Api::all(client.clone())),
        list(Api::all(client.clone())),
        list(Api::namespaced(client.clone(), system)),
    )?;
    let (pools, advertisements, reservations, announcers, states) = tokio::try_join!(
        list(Api::namespaced(client.clone(), system)),
        list(Api::namespaced(client.clone(), system)),
        list(Api::all(client.clone())),
        list(Api::namespaced(client.clone(), system)),
        list(Api::namespaced(client.clone(), system)),
    )?;
    Ok(Facts {
        now: Timestamp::now(),
        system: system.to_owned(),
        services,
        slices,
        namespaces,
        nodes,
        pods,
        pools,
        advertisements,
        reservations,
        announcers,
        states,
    })
}

/// All objects of a kind; none if the kind is not installed.
async fn list<K>(api: Api<K>) -> Result<Vec<K>, CliError>
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned,
{
    list_selected(api, ListParams::default()).await
}

/// As [`list`], those that `selected` selects.
async fn list_selected<K>(api: Api<K>, selected: ListParams) -> Result<Vec<K>, CliError>
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned,
{
    Ok(page(&api, &selected).await?.0)
}

/// What one request answers, and the token with which the next one goes on, if there is more.
async fn page<K>(api: &Api<K>, selected: &ListParams) -> Result<(Vec<K>, Option<String>), CliError>
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned,
{
    match patiently(api, selected).await {
        Ok(list) => {
            let more = list.metadata.continue_.filter(|token| !token.is_empty());
            Ok((list.items, more))
        }
        Err(kube::Error::Api(status)) if status.code == 404 => Ok((Vec::new(), None)),
        Err(error) => Err(CliError::List {
            what: format!("{} ({})", K::plural(&()), K::api_version(&())),
            why: why(&error),
        }),
    }
}

/// Asks until the API server has something else to say than 429, or has been asked [`ASK`] times.
async fn patiently<K>(api: &Api<K>, selected: &ListParams) -> kube::Result<ObjectList<K>>
where
    K: Clone + Debug + DeserializeOwned,
{
    for _ in 1..ASK {
        match api.list(selected).await {
            Err(kube::Error::Api(status)) if status.code == 429 => tokio::time::sleep(PATIENCE).await,
            answer => return answer,
        }
    }
    api.list(selected).await
}

/// What the API server says, and what to do.
fn why(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) if status.code == 401 => {
            "the API server does not know who you are: renew your credentials, or choose another context with --context"
                .to_owned()
        }
        kube::Error::Api(status) if status.code == 403 => {
            format!("{}: ask for the right to list them", status.message)
        }
        kube::Error::Api(status) => status.message.clone(),
        kube::Error::SerdeError(error) => format!("an object is not as it should be: {error}"),
        other => format!(
            "the API server does not answer ({}): is the cluster up, and the right context chosen (--context)?",
            chain(other)
        ),
    }
}

#[cfg(test)]
mod tests;
