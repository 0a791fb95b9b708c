//! Who may see what is secured: whoever brings a bearer token that the API server knows (TokenReview), of a user who may
//! `get` the path that is asked for (SubjectAccessReview for a nonResourceURL).
//!
//! What is decided here is pure; [`answers`] remembers it, and [`review`] asks.

mod answers;
mod review;

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use axum::{
    extract::{Request, State},
    http::{
        HeaderMap, HeaderValue, Method, StatusCode,
        header::{AUTHORIZATION, WWW_AUTHENTICATE},
    },
    middleware::Next,
    response::{IntoResponse, Response},
};
use kube::Client;
use tokio::{
    sync::Semaphore,
    time::{Instant, timeout},
};

use self::{
    answers::{Answers, Key},
    review::Failure,
};
use crate::logs::chain;

/// Questions to the API server at one time, so that whoever guesses tokens cannot flood it.
const REVIEWS: usize = 4;

/// How long both questions of a request may take together. Prometheus gives up after ten seconds.
const PATIENCE: Duration = Duration::from_secs(5);

/// Tokens of ServiceAccounts have some 1,200 bytes.
const LONGEST_TOKEN: usize = 16 * 1024;

/// How a user's name begins that is a ServiceAccount: its namespace and its name follow (Kubernetes API).
const ACCOUNT: &str = "system:serviceaccount:";

/// What is asked for: the verb is a request's method as Kubernetes writes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Asked<'a> {
    verb: &'static str,
    path: &'a str,
}

/// What becomes of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Verdict {
    /// It is answered.
    Granted,
    /// 401: who asks is not known.
    Unknown(Unknown),
    /// 403: this user lacks the right.
    Forbidden { user: String },
}

/// Why it is not known who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Unknown {
    /// There is no token, or it is too long to be one.
    NoToken,
    /// The API server does not know it, in its words.
    Refused(String),
}

/// The bearer token of a request (RFC 6750, section 2.1).
fn token(headers: &HeaderMap) -> Result<&str, Unknown> {
    let value = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let (scheme, token) = value.and_then(|value| value.split_once(' ')).unwrap_or_default();
    let token = token.trim();
    let fits = (1..=LONGEST_TOKEN).contains(&token.len());
    if scheme.eq_ignore_ascii_case("bearer") && fits {
        Ok(token)
    } else {
        Err(Unknown::NoToken)
    }
}

impl Verdict {
    /// What is answered instead of what was asked for.
    fn refusal(&self, asked: Asked<'_>) -> Option<(StatusCode, String)> {
        let Asked { verb, path } = asked;
        match self {
            Self::Granted => None,
            Self::Unknown(Unknown::NoToken) => Some((
                StatusCode::UNAUTHORIZED,
                format!(
                    "no token: send the header \"Authorization: Bearer TOKEN\", with the token of a ServiceAccount that \
                     may {verb} the nonResourceURL {path}; kubectl create token NAME -n NAMESPACE makes one\n"
                ),
            )),
            Self::Unknown(Unknown::Refused(why)) => Some((
                StatusCode::UNAUTHORIZED,
                format!(
                    "the API server does not accept this token ({why}): it may have expired, or be another cluster's; \
                     kubectl create token NAME -n NAMESPACE makes one\n"
                ),
            )),
            Self::Forbidden { user } => Some((StatusCode::FORBIDDEN, forbidden(user, asked))),
        }
    }
}

/// Which right is missing, and the commands that grant it.
fn forbidden(user: &str, Asked { verb, path }: Asked<'_>) -> String {
    let account = user
        .strip_prefix(ACCOUNT)
        .and_then(|account| account.split_once(':'));
    let subject = match account {
        Some((namespace, name)) => format!("--serviceaccount={namespace}:{name}"),
        None => format!("--user={user}"),
    };
    format!(
        "{user} may not {verb} the nonResourceURL {path}: a ClusterRole has to allow it. For example:\n\
         kubectl create clusterrole cortenlb-reader --verb={verb} --non-resource-url={path}\n\
         kubectl create clusterrolebinding cortenlb-reader --clusterrole=cortenlb-reader {subject}\n"
    )
}

/// Asks, and remembers the answers.
pub(super) struct Access {
    client: Client,
    answers: Mutex<Answers>,
    turns: Semaphore,
}

impl Access {
    pub(super) fn new(client: Client) -> Self {
        Self {
            client,
            answers: Mutex::default(),
            turns: Semaphore::new(REVIEWS),
        }
    }

    async fn judge(&self, token: &str, asked: Asked<'_>) -> Result<Verdict, Failure> {
        let key = Key::new(token, asked);
        if let Some(verdict) = self.answers().fresh(&key, Instant::now()) {
            return Ok(verdict);
        }
        let _turn = self.turns.acquire().await.expect("the semaphore is never closed");
        // Another request with the same token may have been answered meanwhile.
        if let Some(verdict) = self.answers().fresh(&key, Instant::now()) {
            return Ok(verdict);
        }
        let failure = match timeout(PATIENCE, review::ask(&self.client, token, asked)).await {
            Ok(Ok(verdict)) => {
                self.answers().keep(key, verdict.clone(), Instant::now());
                return Ok(verdict);
            }
            Ok(Err(failure)) => failure,
            Err(_) => Failure::Silence,
        };
        if self.answers().prolong(&key, Instant::now()) {
            return Ok(Verdict::Granted);
        }
        Err(failure)
    }

    fn answers(&self) -> MutexGuard<'_, Answers> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Lets a request through, or answers in its place.
pub(super) async fn guard(State(access): State<Arc<Access>>, request: Request, next: Next) -> Response {
    let verb = match *request.method() {
        Method::GET => "get",
        Method::HEAD => "head",
        // Nothing here takes another method, and that is no secret.
        _ => return next.run(request).await,
    };
    let asked = Asked {
        verb,
        path: request.uri().path(),
    };
    let verdict = match token(request.headers()) {
        Ok(token) => access.judge(token, asked).await,
        Err(unknown) => Ok(Verdict::Unknown(unknown)),
    };
    match verdict.map(|verdict| verdict.refusal(asked)) {
        Ok(None) => next.run(request).await,
        Ok(Some(refusal)) => {
            let mut response = refusal.into_response();
            if response.status() == StatusCode::UNAUTHORIZED {
                let scheme = HeaderValue::from_static("Bearer");
                response.headers_mut().insert(WWW_AUTHENTICATE, scheme);
            }
            response
        }
        Err(failure) => {
            let text = format!(
                "nobody can say whether this token may get {}: {}\n",
                asked.path,
                chain(&failure)
            );
            (StatusCode::SERVICE_UNAVAILABLE, text).into_response()
        }
    }
}

#[cfg(test)]
mod tests;
