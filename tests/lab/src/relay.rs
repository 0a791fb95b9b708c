//! A relay: stands between clients that are pointed at it and the API server, and spoils their writes.
//!
//! | module | owns |
//! | --- | --- |
//! | [`Relay`] | the socket, the connections, what is handed on |
//! | `faults` | what becomes of a write (pure) |
//!
//! Plain HTTP/1.1 comes in, TLS with the lab's CA goes out. The client's `Authorization` is passed on and the relay has
//! no certificate of its own, so that the client has the rights of its account and no more. Answers are streamed, watches
//! among them. One task a connection, and one more for each write: a write that waits is not the client's any more, as
//! if it lay in a queue of the API server. All end with the [`Relay`].

use std::fs::File;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::header::{
    AUTHORIZATION, CONNECTION, CONTENT_TYPE, HOST, HeaderMap, HeaderValue, RETRY_AFTER, TRANSFER_ENCODING,
};
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::client::legacy::Client as HttpClient;
use hyper_util::rt::{TokioExecutor, TokioIo};
use kube::client::{Body, ConfigExt as _};
use nix::sched::{CloneFlags, setns};
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{broadcast, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tower::Layer as _;

use crate::error::LabError;
use crate::lab::Lab;
use crate::plan::Host;
use crate::start;

mod faults;

pub use faults::Faults;
use faults::{Answer, Dice, Fate};

/// The queue `arrivals`: the writes of one scenario, some hundred; a reader that is further behind loses the oldest.
const ARRIVALS: usize = 4096;

/// Why a relay does not work. The API server and its other clients are as they were.
#[derive(Debug, thiserror::Error)]
pub enum RelayError {
    /// There is no socket.
    #[error("a relay on {address}: cannot {step}")]
    System {
        /// Where it was to listen.
        address: IpAddr,
        /// What failed.
        step: &'static str,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// TLS towards the API server cannot be set up.
    #[error("a relay cannot use the lab's CA")]
    Tls(#[source] Box<kube::Error>),
    /// A write that was waited for did not come.
    #[error("no write whose path contains {part:?} arrived at the relay within {seconds} s")]
    NoWrite {
        /// What the path should contain.
        part: String,
        /// How long was waited.
        seconds: u64,
    },
}

/// Why a request is not answered: its connection ends instead.
#[derive(Debug, thiserror::Error)]
enum Unanswered {
    #[error("the client broke off")]
    Client(#[source] hyper::Error),
    #[error("the API server did not answer")]
    Server(#[source] kube::Error),
    #[error("the answer is lost on purpose")]
    OnPurpose,
}

/// How many writes of objects other than Leases had which fate since [`Relay::set`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Handed on; the API server decided, and its answer was passed back.
    pub handed_on: u64,
    /// The same, after somebody else was faster.
    pub contested: u64,
    /// Answered by the relay.
    pub refused: u64,
    /// Handed on, and the answer dropped.
    pub lost: u64,
}

/// A relay that runs; it ends when it is dropped.
#[derive(Debug)]
pub struct Relay {
    address: SocketAddr,
    shared: Arc<Shared>,
    end: CancellationToken,
}

/// The writes that arrive from now on; see [`Relay::arrivals`].
#[derive(Debug)]
pub struct Arrivals(broadcast::Receiver<String>);

struct Shared {
    client: kube::Client,
    state: Mutex<(Dice, Counts)>,
    /// Marked by each [`Relay::set`].
    set: watch::Sender<()>,
    arrivals: broadcast::Sender<String>,
    /// Makes each of the relay's own changes another one.
    contests: AtomicU64,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").finish_non_exhaustive()
    }
}

impl Relay {
    /// Starts a relay without faults on the control plane's address, where pods reach it.
    ///
    /// # Errors
    /// There is no socket to be had, or the lab's kubeconfig cannot be read.
    pub async fn start(lab: &Lab) -> Result<Self, LabError> {
        let address = lab.plan.cluster_addresses(Host::ControlPlane)[0];
        let failed = |step| {
            move |source| RelayError::System {
                address,
                step,
                source,
            }
        };
        let namespace = lab.plan.namespace(Host::ControlPlane);
        let namespace = PathBuf::from(format!("/run/netns/{namespace}"));
        let listener = listen(namespace, address).map_err(failed("listen"))?;
        let listener = TcpListener::from_std(listener).map_err(failed("use its socket"))?;
        let address = listener.local_addr().map_err(failed("find its port"))?;
        let (arrivals, _) = broadcast::channel(ARRIVALS);
        let shared = Arc::new(Shared {
            client: anonymous(lab).await?,
            state: Mutex::new((Dice::new(Faults::default()), Counts::default())),
            set: watch::Sender::new(()),
            arrivals,
            contests: AtomicU64::new(0),
        });
        let end = CancellationToken::new();
        let serving = serve(listener, Arc::clone(&shared));
        tokio::spawn(end.clone().run_until_cancelled_owned(serving));
        Ok(Self { address, shared, end })
    }

    /// Where it listens: `http://172.21.5.10:PORT`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Does this to every write that arrives from now on, in place of what was done before. Those that wait meet their
    /// fate now.
    pub fn set(&self, faults: Faults) {
        let mut state = self.shared.state();
        *state = (Dice::new(faults), Counts::default());
        self.shared.set.send_replace(());
    }

    /// How many writes had which fate since [`Relay::set`].
    pub fn counts(&self) -> Counts {
        self.shared.state().1
    }

    /// Listens for the writes that arrive from now on.
    pub fn arrivals(&self) -> Arrivals {
        Arrivals(self.shared.arrivals.subscribe())
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.end.cancel();
    }
}

impl Arrivals {
    /// Waits for a write whose path contains `part`, and returns its method and path. It has only arrived: a delay
    /// begins now.
    ///
    /// # Errors
    /// None came in time.
    pub async fn next_of(&mut self, part: &str, within: Duration) -> Result<String, RelayError> {
        let wanted = async {
            loop {
                match self.0.recv().await {
                    Ok(write) if write.contains(part) => return Some(write),
                    Ok(_) | Err(broadcast::error::RecvError::Lagged(_)) => {}
                    Err(broadcast::error::RecvError::Closed) => return None,
                }
            }
        };
        let found = tokio::time::timeout(within, wanted).await.ok().flatten();
        found.ok_or_else(|| RelayError::NoWrite {
            part: part.to_owned(),
            seconds: within.as_secs(),
        })
    }
}

/// A socket belongs to the namespace in which it was made, and a thread can enter one alone.
fn listen(namespace: PathBuf, address: IpAddr) -> io::Result<std::net::TcpListener> {
    let work = move || {
        setns(File::open(namespace)?, CloneFlags::CLONE_NEWNET)?;
        let listener = std::net::TcpListener::bind((address, 0))?;
        listener.set_nonblocking(true)?;
        Ok(listener)
    };
    let thread = std::thread::Builder::new().name("relay".to_owned()).spawn(work)?;
    thread.join().expect("opening a socket does not panic")
}

/// A client of the API server that knows its CA and has no name.
///
/// kube's own stack would send a refused request again, and nobody would see the refusal.
async fn anonymous(lab: &Lab) -> Result<kube::Client, LabError> {
    let mut config = start::admin(&lab.folder).await?;
    config.auth_info = Default::default();
    let connector = config
        .rustls_https_connector()
        .map_err(|e| RelayError::Tls(Box::new(e)))?;
    let http = HttpClient::builder(TokioExecutor::new()).build::<_, Body>(connector);
    Ok(kube::Client::new(config.base_uri_layer().layer(http), "default"))
}

async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                // What fails here is the client's connection, which it makes again.
                if let Ok((stream, _)) = accepted {
                    connections.spawn(connection(stream, Arc::clone(&shared)));
                }
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn connection(stream: TcpStream, shared: Arc<Shared>) {
    let service = service_fn(|request| answer(Arc::clone(&shared), request));
    // It ends in an error whenever a client breaks off or an answer is lost on purpose.
    let _ended = hyper::server::conn::http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

async fn answer(shared: Arc<Shared>, request: Request<Incoming>) -> Result<Response<Body>, Unanswered> {
    let (mut parts, body) = request.into_parts();
    let body = body.collect().await.map_err(Unanswered::Client)?.to_bytes();
    for_next_hop(&mut parts.headers);
    parts.headers.remove(HOST);
    let request = Request::from_parts(parts, Body::from(body));
    if [Method::GET, Method::HEAD, Method::OPTIONS].contains(request.method()) {
        return shared.hand_on(request).await;
    }
    let ((delay, fate), mut set) = {
        let mut state = shared.state();
        (state.0.throw(request.uri().path()), shared.set.subscribe())
    };
    let arrived = format!("{} {}", request.method(), request.uri().path());
    let _nobody_listens = shared.arrivals.send(arrived);
    let write = tokio::spawn(async move {
        let _set_or_due = tokio::time::timeout(delay, set.changed()).await;
        shared.write(fate, request).await
    });
    write.await.expect("writes neither panic nor are they aborted")
}

impl Shared {
    async fn write(&self, fate: Fate, request: Request<Body>) -> Result<Response<Body>, Unanswered> {
        let is_lease = request.uri().path().contains("/leases");
        let counted = |count: fn(&mut Counts) -> &mut u64| {
            if !is_lease {
                *count(&mut self.state().1) += 1;
            }
        };
        match fate {
            Fate::HandOn => {
                let answer = self.hand_on(request).await;
                counted(|counts| &mut counts.handed_on);
                answer
            }
            Fate::Contest => {
                if let Some(faster) = self.faster(&request) {
                    self.hand_on(faster).await?;
                }
                let answer = self.hand_on(request).await;
                counted(|counts| &mut counts.contested);
                answer
            }
            Fate::Refuse(answer) => {
                counted(|counts| &mut counts.refused);
                Ok(refusal(answer))
            }
            Fate::Lose => {
                self.hand_on(request).await?;
                counted(|counts| &mut counts.lost);
                Err(Unanswered::OnPurpose)
            }
        }
    }

    /// What gives the object of a patch a newer version: an annotation, in the client's name.
    fn faster(&self, write: &Request<Body>) -> Option<Request<Body>> {
        if write.method() != Method::PATCH {
            return None;
        }
        let number = self.contests.fetch_add(1, Ordering::Relaxed).to_string();
        let body = json!({ "metadata": { "annotations": { "lab.local/contested": number } } });
        let mut faster = Request::new(Body::from(body.to_string().into_bytes()));
        *faster.method_mut() = Method::PATCH;
        *faster.uri_mut() = write.uri().path().parse().expect("the path of a request is one");
        let headers = faster.headers_mut();
        headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_static("application/merge-patch+json"),
        );
        if let Some(client) = write.headers().get(AUTHORIZATION) {
            headers.insert(AUTHORIZATION, client.clone());
        }
        Some(faster)
    }

    async fn hand_on(&self, request: Request<Body>) -> Result<Response<Body>, Unanswered> {
        let mut response = self.client.send(request).await.map_err(Unanswered::Server)?;
        for_next_hop(response.headers_mut());
        Ok(response)
    }

    fn state(&self) -> std::sync::MutexGuard<'_, (Dice, Counts)> {
        self.state.lock().expect("no holder of this lock panics")
    }
}

/// Takes away what is between two hosts only (RFC 9110 section 7.6.1); hyper writes its own.
fn for_next_hop(headers: &mut HeaderMap) {
    headers.remove(CONNECTION);
    headers.remove(TRANSFER_ENCODING);
}

fn refusal(answer: Answer) -> Response<Body> {
    let (kind, body) = answer.body();
    let mut response = Response::builder()
        .status(answer.code())
        .header(CONTENT_TYPE, kind);
    if let Some(seconds) = answer.retry_after() {
        response = response.header(RETRY_AFTER, seconds);
    }
    let response = response.body(Body::from(body.into_bytes()));
    response.expect("code and headers are constants")
}
