//! Waiting: by watch, with a deadline, and with a message that says what was seen last.

use std::fmt::Debug;
use std::sync::Mutex;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use kube::api::Api;
use kube::runtime::wait::await_condition;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Cluster;

impl Cluster {
    /// Watches the object `name` until `holds` says yes, and returns it.
    ///
    /// `what` completes the sentence "KIND NAME …" of the error after `within`.
    pub async fn wait<K>(
        &self,
        api: Api<K>,
        name: &str,
        what: &str,
        within: Duration,
        holds: impl Fn(Option<&K>) -> bool + Send,
    ) -> anyhow::Result<Option<K>>
    where
        K: kube::Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Serialize + Send + 'static,
    {
        let last = Mutex::new(None);
        let condition = |found: Option<&K>| {
            *last.lock().expect("no holder of this lock panics") = found.cloned();
            holds(found)
        };
        match tokio::time::timeout(within, await_condition(api, name, condition)).await {
            Ok(found) => found.with_context(|| format!("watching {} {name}", K::kind(&()))),
            Err(_) => {
                let seen = last.into_inner().expect("no holder of this lock panics");
                let seen = serde_json::to_string(&seen).unwrap_or_default();
                Err(anyhow!(
                    "{} {name}: not within {} s: {what}; last seen: {seen}",
                    K::kind(&()),
                    within.as_secs()
                ))
            }
        }
    }
}

/// Repeats `attempt` until it succeeds: for facts of the network, which nothing announces.
pub async fn eventually<T, F>(within: Duration, mut attempt: impl FnMut() -> F) -> anyhow::Result<T>
where
    F: Future<Output = anyhow::Result<T>>,
{
    let mut last = anyhow!("never tried");
    let repeat = async {
        loop {
            match attempt().await {
                Ok(value) => return value,
                Err(error) => last = error,
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    let outcome = tokio::time::timeout(within, repeat).await;
    outcome.map_err(|_| last.context(format!("not within {} s", within.as_secs())))
}
