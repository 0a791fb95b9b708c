use std::{future::pending, io};

use tower::{ServiceExt, service_fn};

use super::*;
use crate::logs::tests::Captured;

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn an_outage_is_told_once_and_its_end_with_its_length() {
    let start = Instant::now();
    let mut outage = Outage::default();
    assert_eq!(outage.answered(start), None);
    assert!(outage.unanswered(start));
    for seconds in 1..200 {
        assert!(!outage.unanswered(start + seconds * SECOND));
    }
    assert_eq!(outage.answered(start + 200 * SECOND), Some(200 * SECOND));
    assert_eq!(outage.answered(start + 201 * SECOND), None);
}

/// Of what begins again and again only one in a minute is told; what lasts is told late rather than never.
#[test]
fn a_server_that_flaps_is_told_once_a_minute() {
    let start = Instant::now();
    let mut outage = Outage::default();
    let mut told = (0, 0);
    for second in 0..600 {
        told.0 += u32::from(outage.unanswered(start + second * SECOND));
        told.1 += u32::from(outage.answered(start + second * SECOND + SECOND / 2).is_some());
    }
    assert_eq!(told, (10, 10));
    let began = start + 600 * SECOND;
    let told = (0..100).find(|&second| outage.unanswered(began + second * SECOND));
    assert_eq!(told, Some(0), "a minute after the last one");
    outage.answered(began + SECOND);
    let told = (2..100).find(|&second| outage.unanswered(began + second * SECOND));
    assert_eq!(told, Some(60));
    assert_eq!(
        outage.answered(began + 70 * SECOND),
        Some(68 * SECOND),
        "all of it"
    );
}

#[test]
fn a_refusal_is_told_when_it_lasts() {
    let start = Instant::now();
    let mut refused = Refused::default();
    // As a server starts: this and that, and then all is well.
    for (number, code) in [503, 503, 403, 403, 410].into_iter().enumerate() {
        assert!(!refused.refused(start + SECOND * u32::try_from(number).unwrap(), code));
    }
    assert_eq!(refused.succeeded(start + 60 * SECOND), None);
    // A right that is missing: each list succeeds, and no watch does.
    let start = start + 100 * SECOND;
    let mut told = Vec::new();
    for second in 0..100 {
        let now = start + second * SECOND;
        if refused.refused(now, 403) {
            told.push(second);
        }
        assert_eq!(refused.succeeded(now), None, "not over yet");
    }
    assert_eq!(told, [2]);
    assert_eq!(refused.succeeded(start + 130 * SECOND), Some(99 * SECOND));
    assert_eq!(refused.succeeded(start + 131 * SECOND), None);
}

/// A server that does for each request what its path says.
fn mk_connection() -> impl Service<Request<()>, Response = (), Error = io::Error, Future: Send + 'static> {
    let connection = service_fn(async |request: Request<()>| match request.uri().path() {
        "/refused" => Err(io::Error::from(io::ErrorKind::ConnectionRefused)),
        "/silent" => pending().await,
        _ => Ok(()),
    });
    Noticing::new("https://10.0.0.1", connection)
}

async fn ask(connection: &mut impl Service<Request<()>, Response = (), Error = io::Error>, path: &str) {
    let request = Request::get(path).body(()).unwrap();
    let answer = connection.ready().await.unwrap().call(request);
    let _ = tokio::time::timeout(2 * SECOND, answer).await;
}

#[tokio::test(start_paused = true)]
async fn the_process_says_once_that_nobody_answers() {
    for path in ["/refused", "/silent"] {
        let captured = Captured::new();
        let mut connection = mk_connection();
        let start = Instant::now();
        for _ in 0..50 {
            ask(&mut connection, path).await;
        }
        tokio::time::sleep(SECOND).await;
        for _ in 0..3 {
            ask(&mut connection, "/").await;
        }
        let lines = captured.lines();
        let told: Vec<_> = lines
            .iter()
            .map(|line| (line["level"].as_str().unwrap(), &line["server"]))
            .collect();
        let server = &"https://10.0.0.1".into();
        assert_eq!(told, [("warn", server), ("info", server)], "{lines:?}");
        assert!(start.elapsed() >= SECOND);
        assert!(lines[1]["away"].is_string(), "{lines:?}");
    }
}

/// What is given up at once, as at a shutdown, says nothing about the server.
#[tokio::test(start_paused = true)]
async fn a_request_that_is_given_up_early_is_no_outage() {
    let captured = Captured::new();
    let mut connection = mk_connection();
    let request = Request::get("/silent").body(()).unwrap();
    let answer = connection.ready().await.unwrap().call(request);
    let _ = tokio::time::timeout(SECOND / 2, answer).await;
    assert!(captured.lines().is_empty(), "{:?}", captured.lines());
}
