//! How long a server that has too much to do asks to be left alone.
//!
//! A refusal of the API itself has it in its `Status`. The filters of the API server that shed load (API Priority and
//! Fairness, `--max-requests-inflight`) have no `Status` to give: they answer 429 in plain words, with the header
//! `Retry-After` (RFC 9110 section 10.2.3), and a proxy in front does the same with 503. Of such an answer `kube` hands on
//! the words alone.

use axum::{
    body::{Body, Bytes, HttpBody},
    http::{
        HeaderValue, Response, StatusCode,
        header::{CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER},
    },
};
use serde_json::json;
use tower::BoxError;

/// The answer, such that its header is in its body, too.
pub(crate) fn in_status<B>(response: Response<B>) -> Response<Body>
where
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    let (mut parts, body) = response.into_parts();
    let sheds = [StatusCode::TOO_MANY_REQUESTS, StatusCode::SERVICE_UNAVAILABLE].contains(&parts.status);
    let is_status = parts
        .headers
        .get(CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"application/json"));
    let seconds = parts.headers.get(RETRY_AFTER).and_then(seconds);
    let Some(seconds) = seconds.filter(|_| sheds && !is_status) else {
        return Response::from_parts(parts, Body::new(body));
    };
    let status = json!({
        "kind": "Status",
        "apiVersion": "v1",
        "status": "Failure",
        "reason": if parts.status == StatusCode::TOO_MANY_REQUESTS { "TooManyRequests" } else { "ServiceUnavailable" },
        "code": parts.status.as_u16(),
        "message": format!("the API server has too much to do and asks to wait for {seconds} s"),
        "details": { "retryAfterSeconds": seconds },
    });
    parts.headers.remove(CONTENT_LENGTH);
    parts
        .headers
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Response::from_parts(parts, Body::from(status.to_string()))
}

/// A date, which the header may hold as well, is nothing that a Kubernetes API server sends.
fn seconds(value: &HeaderValue) -> Option<u32> {
    value.to_str().ok()?.trim().parse().ok()
}
