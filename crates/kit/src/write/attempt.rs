//! One try at one write, and what its answer means.

use std::time::Duration;

use axum::http::{Request, StatusCode};
use kube::{
    Client,
    api::{DeleteParams, DynamicObject, Patch, PatchParams, PostParams},
    core::Request as Requests,
};
use tokio::time::timeout;

use super::{Op, Refusal, Target};
use crate::client::REQUEST_TIMEOUT;

/// The most of a server's wish that is heeded: what it asks for in an overload may be minutes, and a Service's status
/// is not to wait for them after the overload is over.
const LONGEST_WISH: Duration = Duration::from_secs(30);

/// The three ends of a try.
pub(super) enum Attempt {
    /// The API server did it.
    Done(Option<Box<DynamicObject>>),
    /// The API server judged it and will judge it so again.
    Refused(Refusal),
    /// Nobody judged it: the same value is to be sent again.
    Transient {
        /// What happened, for the log.
        reason: String,
        /// The server's wish (`Retry-After`), if it has one; at most [`LONGEST_WISH`].
        after: Option<Duration>,
        /// What was heard of the server.
        heard: Heard,
    },
}

/// What is known of a write that nobody judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// The server said that it has not done it.
    NotDone,
    /// The server answered, and may have done it, or may yet.
    Unsure,
    /// No answer: the connection failed, or the time is over.
    Nothing,
}

/// Sends a write once.
pub(super) async fn attempt(client: &Client, manager: &str, target: &Target, op: &Op) -> Attempt {
    let request = match request(manager, target, op) {
        Ok(request) => request,
        Err(source) => return Attempt::Refused(rejected(target, kube::Error::BuildRequest(source))),
    };
    let answer = async {
        match op {
            // The answer to a deletion is the object or a Status; neither says more than that it was accepted.
            Op::Delete { .. } => client.request_text(request).await.map(|_| None),
            Op::Create { .. } | Op::Patch { .. } | Op::Apply { .. } => {
                client.request(request).await.map(Some)
            }
        }
    };
    match timeout(REQUEST_TIMEOUT, answer).await {
        Ok(Ok(object)) => Attempt::Done(object),
        Ok(Err(error)) => judge(target, op, error),
        Err(_) => Attempt::Transient {
            reason: format!("no answer within {REQUEST_TIMEOUT:?}"),
            after: None,
            heard: Heard::Nothing,
        },
    }
}

fn request(manager: &str, target: &Target, op: &Op) -> Result<Request<Vec<u8>>, kube::core::request::Error> {
    let requests = Requests::new(&target.collection);
    match op {
        Op::Patch { subresource, body } => {
            let params = PatchParams {
                field_manager: Some(manager.to_owned()),
                ..PatchParams::default()
            };
            match subresource {
                Some(name) => requests.patch_subresource(name, &target.name, &params, &Patch::Merge(body)),
                None => requests.patch(&target.name, &params, &Patch::Merge(body)),
            }
        }
        Op::Apply {
            subresource,
            manager,
            body,
        } => {
            let params = PatchParams::apply(manager).force();
            match subresource {
                Some(name) => requests.patch_subresource(name, &target.name, &params, &Patch::Apply(body)),
                None => requests.patch(&target.name, &params, &Patch::Apply(body)),
            }
        }
        Op::Create { body } => {
            let params = PostParams {
                field_manager: Some(manager.to_owned()),
                ..PostParams::default()
            };
            requests.create(&params, body.text().as_bytes().to_vec())
        }
        Op::Delete { preconditions } => {
            let params = DeleteParams {
                preconditions: preconditions.clone(),
                ..DeleteParams::background()
            };
            requests.delete(&target.name, &params)
        }
    }
}

fn judge(target: &Target, op: &Op, error: kube::Error) -> Attempt {
    let status = match &error {
        kube::Error::Api(status) => status,
        // The answer was not what the API promises; the next would not be either.
        kube::Error::SerdeError(_) | kube::Error::FromUtf8(_) | kube::Error::BuildRequest(_) => {
            return Attempt::Refused(rejected(target, error));
        }
        // The connection, TLS, or the credentials' file.
        other => {
            return Attempt::Transient {
                reason: crate::logs::chain(other),
                after: None,
                heard: Heard::Nothing,
            };
        }
    };
    let code = StatusCode::from_u16(status.code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let target = target.clone();
    match code {
        // 401 speaks of a token that is being rotated, not of the write.
        StatusCode::TOO_MANY_REQUESTS | StatusCode::UNAUTHORIZED => transient(status, Heard::NotDone),
        _ if code.is_server_error() => transient(status, Heard::Unsure),
        StatusCode::CONFLICT if matches!(op, Op::Create { .. }) && status.is_already_exists() => {
            Attempt::Refused(Refusal::AlreadyExists { target })
        }
        StatusCode::CONFLICT => Attempt::Refused(Refusal::Conflict { target }),
        StatusCode::NOT_FOUND => Attempt::Refused(Refusal::NotFound { target }),
        _ => Attempt::Refused(rejected(&target, error)),
    }
}

fn transient(status: &kube::core::Status, heard: Heard) -> Attempt {
    let seconds = status
        .details
        .as_ref()
        .map_or(0, |details| details.retry_after_seconds);
    Attempt::Transient {
        reason: format!("{} ({})", status.message, status.code),
        after: (seconds > 0).then(|| Duration::from_secs(seconds.into()).min(LONGEST_WISH)),
        heard,
    }
}

fn rejected(target: &Target, source: kube::Error) -> Refusal {
    Refusal::Rejected {
        target: target.clone(),
        source: Box::new(source),
    }
}

#[cfg(test)]
mod tests;
