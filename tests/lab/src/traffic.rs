//! Traffic of a host on the VIP segment: what it sends, what it reads off, and what it fetches.
//!
//! | module | owns |
//! | --- | --- |
//! | `flood` | frames and datagrams, at a pace or as fast as they go |
//! | `record` | the datagrams to a port, as they come in |
//! | `requests` | HTTP requests, one each period whatever became of those before |
//!
//! A thread of its own enters the network namespace of the host, and only that thread: its sockets stay there, the rest
//! of the process where it was. What goes wrong in it is told when it is stopped.

use std::fs::File;
use std::io;
use std::thread::JoinHandle;

use cortenlb_netio::packet::OpenError;
use nix::sched::{CloneFlags, setns};

use crate::error::LabError;
use crate::lab::Lab;

mod flood;
mod record;
mod requests;

pub use flood::{Flood, Parcel, Sent};
pub use record::Recorded;
pub use requests::{Requester, Requests};

/// Why a host could not send or receive any more. What it did before is done.
#[derive(Debug, thiserror::Error)]
pub enum TrafficError {
    /// The system refused something.
    #[error("on {host}: cannot {step}")]
    System {
        /// On which host.
        host: String,
        /// What failed.
        step: &'static str,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// No packet socket.
    #[error(transparent)]
    Socket(#[from] OpenError),
    /// Fewer datagrams than were waited for.
    #[error("{host} received {received} of {wanted} datagrams within {seconds} s")]
    Silence {
        /// On which host.
        host: String,
        /// How many came.
        received: usize,
        /// How many were waited for.
        wanted: usize,
        /// How long was waited.
        seconds: u64,
    },
}

/// What a thread came to.
type Thread<T> = JoinHandle<Result<T, TrafficError>>;

fn failure(host: &str, step: &'static str) -> impl FnOnce(io::Error) -> TrafficError + use<> {
    let host = host.to_owned();
    move |source| TrafficError::System { host, step, source }
}

/// Does `work` in a thread inside the namespace of `host`.
fn inside<T: Send + 'static>(
    lab: &Lab,
    host: &str,
    work: impl FnOnce() -> Result<T, TrafficError> + Send + 'static,
) -> Result<Thread<T>, LabError> {
    let namespace = format!("/run/netns/{}", lab.plan.namespace(lab.plan.host(host)?));
    let namespace = File::open(namespace).map_err(failure(host, "open the namespace of the host"))?;
    let entered = failure(host, "enter the namespace of the host");
    let thread = std::thread::Builder::new().name(format!("traffic-{host}"));
    let thread = thread.spawn(move || {
        setns(namespace, CloneFlags::CLONE_NEWNET).map_err(|error| entered(error.into()))?;
        work()
    });
    Ok(thread.map_err(failure(host, "start a thread"))?)
}

/// Waits for the end of a thread without keeping others from their work.
async fn joined<T: Send + 'static>(thread: Thread<T>) -> Result<T, TrafficError> {
    let join = move || thread.join().expect("a thread of traffic does not panic");
    let joined = tokio::task::spawn_blocking(join).await;
    joined.expect("a task that waits for a thread does not panic")
}
