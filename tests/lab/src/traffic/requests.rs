//! HTTP requests from a host, one each period whatever became of those before.
//!
//! A load generator whose clients wait for an answer asks less while nobody answers, and so counts too few failures.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;

use super::{Thread, TrafficError, failure, inside, joined};
use crate::error::LabError;
use crate::lab::Lab;

/// How long an answer may take: less than the kernel takes to send a lost SYN again (RFC 6298 §2.1), so that a packet
/// which was lost is a request that failed.
const PATIENCE: Duration = Duration::from_millis(900);

/// What became of the requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Requests {
    /// How many were sent.
    pub sent: usize,
    /// How many of them were not answered with 200 in time.
    pub failed: usize,
}

/// Sends requests until it is stopped or dropped.
#[derive(Debug)]
pub struct Requester {
    stop: CancellationToken,
    thread: Option<Thread<Requests>>,
}

impl Requester {
    /// Starts to send `GET /` from `host` to `target` every `period`, each over a connection of its own.
    ///
    /// # Errors
    /// There is no such host, or no thread.
    pub fn start(lab: &Lab, host: &str, target: SocketAddr, period: Duration) -> Result<Self, LabError> {
        let stop = CancellationToken::new();
        let (stopped, name) = (stop.clone(), host.to_owned());
        let work = move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let runtime = runtime.map_err(failure(&name, "start a runtime"))?;
            Ok(runtime.block_on(run(target, period, stopped)))
        };
        let thread = Some(inside(lab, host, work)?);
        Ok(Self { stop, thread })
    }

    /// Ends the requests, waits for what is under way, and says what came of all.
    ///
    /// # Errors
    /// The thread could not be set up.
    pub async fn stop(mut self) -> Result<Requests, TrafficError> {
        self.stop.cancel();
        let thread = self.thread.take();
        joined(thread.expect("the thread is taken here only, with the requester")).await
    }
}

impl Drop for Requester {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

async fn run(target: SocketAddr, period: Duration, stop: CancellationToken) -> Requests {
    let mut ticks = interval(period);
    // A thread that was late would send all that it has missed at once.
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut under_way = JoinSet::new();
    while stop.run_until_cancelled(ticks.tick()).await.is_some() {
        under_way.spawn(async move { timeout(PATIENCE, succeeds(target)).await == Ok(true) });
    }
    let outcomes = under_way.join_all().await;
    Requests {
        sent: outcomes.len(),
        failed: outcomes.iter().filter(|succeeded| !**succeeded).count(),
    }
}

/// Whether a request over a new connection is answered with 200.
async fn succeeds(target: SocketAddr) -> bool {
    let request = format!("GET / HTTP/1.0\r\nHost: {}\r\n\r\n", target.ip());
    let exchange = async {
        let mut stream = TcpStream::connect(target).await?;
        stream.write_all(request.as_bytes()).await?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await?;
        Ok::<_, std::io::Error>(answer)
    };
    let answer = exchange.await.unwrap_or_default();
    // The server may answer in a later minor version than it was asked in (RFC 9110 §2.5).
    let version = answer.strip_prefix(b"HTTP/1.");
    version
        .and_then(|version| version.get(1..))
        .is_some_and(|status| status.starts_with(b" 200 "))
}
