//! The election's task: does what [`LeaseState`] wants, tells it what the watch sees, and publishes the claim.
//!
//! The watch makes a release known at once. It may lag or break without anybody's notice, so that the state goes on to
//! read the Lease when nothing is told.
//!
//! Cancel safety: dropping [`run`] at any point leaves the Lease to expire, and its last [`Claim`] to cease to hold by
//! itself at `until`.

use std::{future::pending, pin::pin};

use k8s_openapi::{
    api::coordination::v1::{Lease, LeaseSpec},
    apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta},
    jiff::Timestamp,
};
use kube::{
    Api, Client,
    api::{Patch, PatchParams, PostParams},
};
use serde_json::json;
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
    time::{Instant, sleep_until, timeout_at},
};
use tokio_util::sync::CancellationToken;

use super::{Action, Claim, LeaseState, Timing};
use crate::watch::{Change, Config, LONGEST_OF_FEW};

/// The queue `sightings`: a change a second is told, and taken at once unless a request is under way (at most 3.5 s).
const SIGHTINGS: usize = 8;

/// Who stands for which Lease.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// The namespace of the Lease.
    pub namespace: String,
    /// The name of the Lease.
    pub name: String,
    /// What becomes `spec.holderIdentity`: the pod's name, which no two processes have at a time.
    pub identity: String,
    /// The times of the election.
    pub timing: Timing,
}

impl Candidate {
    /// The Lease, for the log.
    fn lease(&self) -> String {
        format!("{}/{}", self.namespace, self.name)
    }
}

/// Why a request brought no Lease.
enum Miss {
    Absent,
    Conflict,
    Failed(String),
}

/// Stands for the Lease until `shutdown`, then gives it up. The claim is published whenever it changes, renewals included:
/// those whose term was suspended wait for one.
///
/// Cancel `shutdown` when the writer has ended [`Clean`](crate::write::Drained::Clean). After an
/// [`Ambiguous`](crate::write::Drained::Ambiguous) end drop this future instead, so that the Lease expires.
pub async fn run(
    client: Client,
    candidate: Candidate,
    claims: watch::Sender<Claim>,
    shutdown: CancellationToken,
) {
    let api: Api<Lease> = Api::namespaced(client, &candidate.namespace);
    let mut state = LeaseState::new(&candidate.identity, candidate.timing);
    let (sender, mut sightings) = mpsc::channel::<Change<Lease>>(SIGHTINGS);
    // Ends with this future.
    let mut watching = JoinSet::new();
    let one = Config::default().fields(&format!("metadata.name={}", candidate.name));
    watching.spawn(crate::watch::watch(api.clone(), one, LONGEST_OF_FEW, sender));
    let mut told = Told::new(&candidate);
    loop {
        let action = state.poll(Instant::now());
        publish(&claims, state.claim(), &candidate);
        let claim = state.claim();
        match action {
            Action::Wait(until) => tokio::select! {
                () = told.lapse(claim) => {}
                () = shutdown.cancelled() => break,
                () = sleep_until(until) => {}
                Some(sighting) = sightings.recv() => if let Some(lease) = sighting.about(&candidate.name) {
                    state.told(Instant::now(), lease.map(parts));
                },
            },
            // Not cut off by a shutdown: after an unanswered renewal there would be nothing to release.
            request => {
                let mut acting = pin!(act(&api, &candidate, &mut state, request));
                let failure = tokio::select! {
                    failure = &mut acting => failure,
                    () = told.lapse(claim) => acting.await,
                };
                told.answer(failure);
            }
        }
        told.claim(state.claim());
        publish(&claims, state.claim(), &candidate);
        if shutdown.is_cancelled() {
            break;
        }
    }
    let release = state.release();
    publish(&claims, Claim::none(), &candidate);
    if let Some(release) = release {
        let deadline = Instant::now() + candidate.timing.renew_deadline / 2;
        match timeout_at(deadline, send(&api, &candidate, release)).await {
            Ok(Ok(_)) => tracing::info!(lease = candidate.lease(), "released"),
            Ok(Err(_)) | Err(_) => tracing::warn!(lease = candidate.lease(), "not released: it will expire"),
        }
    }
}

/// Sends one request and tells the state how it ended. Returns why nobody judged it, if that is so.
async fn act(
    api: &Api<Lease>,
    candidate: &Candidate,
    state: &mut LeaseState,
    request: Action,
) -> Option<String> {
    let sent = Instant::now();
    let deadline = state.give_up(sent, &request);
    let reading = request == Action::Read;
    let answer = timeout_at(deadline, send(api, candidate, request)).await;
    match answer.unwrap_or_else(|_| Err(Miss::Failed("no answer".to_owned()))) {
        Ok(lease) if reading => state.read(Instant::now(), Some(parts(lease))),
        Ok(lease) => {
            let (resource_version, spec) = parts(lease);
            state.written(sent, Instant::now(), resource_version, spec);
        }
        Err(Miss::Absent) if reading => state.read(Instant::now(), None),
        Err(Miss::Absent | Miss::Conflict) => state.conflict(Instant::now()),
        Err(Miss::Failed(error)) => {
            state.failed(sent);
            return Some(error);
        }
    }
    None
}

/// What users know of the election's troubles.
struct Told {
    lease: String,
    /// Since when no request has been answered.
    failing: Option<Instant>,
    /// That our claim does not hold although our term is not known to be over.
    lapsed: bool,
}

impl Told {
    fn new(candidate: &Candidate) -> Self {
        Self {
            lease: candidate.lease(),
            failing: None,
            lapsed: false,
        }
    }

    /// A request was answered, or failed.
    fn answer(&mut self, failure: Option<String>) {
        let (lease, now) = (&self.lease, Instant::now());
        match (failure, self.failing) {
            (Some(error), None) => {
                self.failing = Some(now);
                tracing::warn!(
                    lease,
                    error,
                    "Lease request failed: it is sent again until it is answered"
                );
            }
            (Some(error), Some(_)) => tracing::debug!(lease, error, "Lease request failed again"),
            (None, Some(since)) => {
                self.failing = None;
                tracing::info!(lease, failed_for = ?now.duration_since(since), "Lease requests are answered again");
            }
            (None, None) => {}
        }
    }

    /// Ends when the claim ceases to hold, if that is still to come, and has said so. Cancel safe: it holds nothing.
    async fn lapse(&mut self, claim: Claim) {
        match claim.until.filter(|_| claim.held && !self.lapsed) {
            Some(until) => {
                sleep_until(until).await;
                self.claim(claim);
            }
            None => pending().await,
        }
    }

    /// This is our claim now.
    fn claim(&mut self, claim: Claim) {
        let (lease, term) = (&self.lease, claim.transitions);
        let lapsed = claim.held && !claim.holds(Instant::now());
        match (std::mem::replace(&mut self.lapsed, lapsed), lapsed) {
            (false, true) => tracing::warn!(
                lease,
                term,
                "the Lease was not renewed in time: nothing is written until it is renewed or won anew"
            ),
            (true, false) if claim.held => {
                tracing::info!(lease, term, "the Lease is renewed: nobody else has led meanwhile");
            }
            _ => {}
        }
    }
}

async fn send(api: &Api<Lease>, candidate: &Candidate, request: Action) -> Result<Lease, Miss> {
    let stamped = |spec: LeaseSpec| {
        let now = MicroTime(Timestamp::now());
        let acquire_time = spec.acquire_time.or_else(|| Some(now.clone()));
        LeaseSpec {
            renew_time: Some(now),
            acquire_time,
            ..spec
        }
    };
    let result = match request {
        Action::Read => api.get(&candidate.name).await,
        Action::Create(spec) => {
            let metadata = ObjectMeta {
                name: Some(candidate.name.clone()),
                ..ObjectMeta::default()
            };
            api.create(
                &PostParams::default(),
                &Lease {
                    metadata,
                    spec: Some(stamped(spec)),
                },
            )
            .await
        }
        Action::Update {
            resource_version,
            spec,
        } => {
            // A patch rather than a replacement: labels that somebody put on the Lease are not ours to remove.
            let patch = json!({ "metadata": { "resourceVersion": resource_version }, "spec": stamped(spec) });
            api.patch(&candidate.name, &PatchParams::default(), &Patch::Merge(patch))
                .await
        }
        Action::Wait(_) => unreachable!("waiting is no request"),
    };
    result.map_err(|error| match error {
        kube::Error::Api(status) if status.is_not_found() => Miss::Absent,
        kube::Error::Api(status) if status.code == 409 => Miss::Conflict,
        error => Miss::Failed(crate::logs::chain(&error)),
    })
}

fn parts(lease: Lease) -> (String, LeaseSpec) {
    (
        lease.metadata.resource_version.unwrap_or_default(),
        lease.spec.unwrap_or_default(),
    )
}

fn publish(claims: &watch::Sender<Claim>, claim: Claim, candidate: &Candidate) {
    claims.send_if_modified(|published| {
        let before = std::mem::replace(published, claim);
        if (before.held, before.transitions) != (claim.held, claim.transitions) {
            let lease = candidate.lease();
            if claim.held {
                tracing::info!(lease, term = claim.transitions, after = ?claim.predecessor, "leading");
            } else {
                tracing::info!(lease, "not leading");
            }
        }
        before != claim
    });
}
