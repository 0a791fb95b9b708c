//! Waiting with a deadline: by watch for what the API server knows, by short polls for what nobody announces.

use std::fmt::Debug;
use std::time::Duration;

use kube::Api;
use kube::runtime::wait::{Condition, await_condition};
use serde::de::DeserializeOwned;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::process::{Process, Server, ServerError};

/// How often a process or a port is looked at: nothing announces that a server listens.
const POLL: Duration = Duration::from_millis(50);

/// Why something did not come about.
#[derive(Debug, thiserror::Error)]
pub enum WaitError {
    /// Not in time.
    #[error("{kind} {name} did not become {what} within {seconds} s")]
    Deadline {
        /// The Kubernetes kind.
        kind: String,
        /// The object.
        name: String,
        /// What was waited for.
        what: String,
        /// How long.
        seconds: u64,
    },
    /// The watch broke off.
    #[error("watching {kind} {name}")]
    Watch {
        /// The Kubernetes kind.
        kind: String,
        /// The object.
        name: String,
        /// What kube says.
        #[source]
        source: Box<kube::runtime::wait::Error>,
    },
}

/// Watches the object `name` until `condition` holds, and returns it; `what` completes "did not become …".
///
/// # Errors
/// The condition did not hold `within`, or the watch broke off.
pub async fn wait_for<K>(
    api: Api<K>,
    name: &str,
    what: &str,
    within: Duration,
    condition: impl Condition<K>,
) -> Result<Option<K>, WaitError>
where
    K: kube::Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + 'static,
{
    let kind = K::kind(&()).into_owned();
    match tokio::time::timeout(within, await_condition(api, name, condition)).await {
        Ok(Ok(object)) => Ok(object),
        Ok(Err(source)) => Err(WaitError::Watch {
            kind,
            name: name.to_owned(),
            source: Box::new(source),
        }),
        Err(_) => {
            let (name, what) = (name.to_owned(), what.to_owned());
            Err(WaitError::Deadline {
                kind,
                name,
                what,
                seconds: within.as_secs(),
            })
        }
    }
}

/// Polls `ready` until it says yes; fails as soon as `server` has ended.
pub(crate) async fn server_ready<F>(
    server: &Server,
    within: Duration,
    mut ready: impl FnMut() -> F,
) -> Result<(), ServerError>
where
    F: Future<Output = bool>,
{
    let poll = async {
        loop {
            if ready().await {
                return Ok(());
            }
            server.check()?;
            tokio::time::sleep(POLL).await;
        }
    };
    let outcome = tokio::time::timeout(within, poll).await;
    outcome.unwrap_or_else(|_| Err(server.not_ready(within.as_secs())))
}

/// Returns once a process that was killed is gone, and with it its sockets.
pub(crate) async fn gone(process: Process) {
    while process.is_running() {
        tokio::time::sleep(POLL).await;
    }
}

/// Whether `GET path` on a plain HTTP server is answered with 200.
pub(crate) async fn http_ok(address: std::net::SocketAddr, path: &str) -> bool {
    let get = async {
        let mut stream = TcpStream::connect(address).await?;
        stream
            .write_all(format!("GET {path} HTTP/1.0\r\n\r\n").as_bytes())
            .await?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await?;
        std::io::Result::Ok(answer.starts_with(b"HTTP/1.0 200") || answer.starts_with(b"HTTP/1.1 200"))
    };
    matches!(
        tokio::time::timeout(Duration::from_secs(1), get).await,
        Ok(Ok(true))
    )
}
