use std::time::Duration;

use axum::{body::Body, http::Response};
use tower::{BoxError, service_fn};

use super::*;
use crate::{
    fake::{Call, Fake, Fault},
    logs::{LogLevel, tests::Captured},
};

const METRICS: Asked<'static> = Asked {
    verb: "get",
    path: "/metrics",
};

/// A server on which Prometheus may get the metrics, and somebody else has a token.
fn mk_server() -> Fake {
    let fake = Fake::new();
    fake.knows("good", "system:serviceaccount:monitoring:prometheus");
    fake.grants("system:serviceaccount:monitoring:prometheus", "get", "/metrics");
    fake.knows("other", "system:serviceaccount:default:web");
    fake
}

/// All that is about reviews breaks, or nothing does.
fn break_reviews(fake: &Fake, fault: Option<Fault>) {
    fake.policy(move |call: &Call| fault.filter(|_| call.path.ends_with("reviews")));
}

fn header(value: &str) -> HeaderMap {
    HeaderMap::from_iter([(AUTHORIZATION, HeaderValue::from_str(value).unwrap())])
}

#[test]
fn a_token_is_what_follows_bearer() {
    assert_eq!(token(&header("Bearer abc")), Ok("abc"));
    assert_eq!(token(&header("bearer  abc ")), Ok("abc"));
    let long = format!("Bearer {}", "x".repeat(LONGEST_TOKEN + 1));
    for wrong in ["Basic abc", "Bearer", "Bearer ", "abc", &long] {
        assert_eq!(token(&header(wrong)), Err(Unknown::NoToken), "{:.20}", wrong);
    }
    assert_eq!(token(&HeaderMap::new()), Err(Unknown::NoToken));
}

#[test]
fn who_lacks_the_right_is_told_how_to_grant_it() {
    let refusal = |user: &str, asked| {
        let user = user.to_owned();
        Verdict::Forbidden { user }.refusal(asked).unwrap()
    };
    let (code, text) = refusal("system:serviceaccount:monitoring:prometheus", METRICS);
    assert_eq!(code, 403);
    assert_eq!(
        text,
        "system:serviceaccount:monitoring:prometheus may not get the nonResourceURL /metrics: a ClusterRole has to \
         allow it. For example:\n\
         kubectl create clusterrole cortenlb-reader --verb=get --non-resource-url=/metrics\n\
         kubectl create clusterrolebinding cortenlb-reader --clusterrole=cortenlb-reader \
         --serviceaccount=monitoring:prometheus\n"
    );
    let failovers = Asked {
        path: "/failovers",
        ..METRICS
    };
    let (_, text) = refusal("jane", failovers);
    assert!(text.contains("--non-resource-url=/failovers\n"), "{text}");
    assert!(text.ends_with("--user=jane\n"), "{text}");
}

#[tokio::test]
async fn the_api_server_says_who_may() {
    let fake = mk_server();
    let access = Access::new(fake.client());
    assert_eq!(access.judge("good", METRICS).await.unwrap(), Verdict::Granted);
    assert_eq!(
        access.judge("other", METRICS).await.unwrap(),
        Verdict::Forbidden {
            user: "system:serviceaccount:default:web".to_owned()
        }
    );
    let unknown = access.judge("guessed", METRICS).await.unwrap();
    assert!(
        matches!(&unknown, Verdict::Unknown(Unknown::Refused(_))),
        "{unknown:?}"
    );
    // The right to one path is none to another.
    let failovers = Asked {
        path: "/failovers",
        ..METRICS
    };
    let other = access.judge("good", failovers).await.unwrap();
    assert!(matches!(&other, Verdict::Forbidden { .. }), "{other:?}");
}

#[tokio::test]
async fn an_answer_is_asked_for_once() {
    let fake = mk_server();
    let access = Access::new(fake.client());
    for _ in 0..3 {
        access.judge("good", METRICS).await.unwrap();
        access.judge("guessed", METRICS).await.unwrap();
    }
    let reviews = fake.log().len();
    assert_eq!(
        reviews,
        3,
        "two for the one, and one for the other: {:?}",
        fake.log()
    );
}

#[tokio::test(start_paused = true)]
async fn while_nobody_can_be_asked_a_yes_goes_on() {
    let faults = [Fault::Reset, Fault::Silence, Fault::Code(500), Fault::Code(403)];
    for fault in faults {
        let fake = mk_server();
        let access = Access::new(fake.client());
        access.judge("good", METRICS).await.unwrap();
        access.judge("other", METRICS).await.unwrap();

        tokio::time::advance(Duration::from_secs(61)).await;
        break_reviews(&fake, Some(fault));
        for _ in 0..2 {
            let verdict = access.judge("good", METRICS).await.unwrap();
            assert_eq!(verdict, Verdict::Granted, "{fault:?}");
        }
        // A no does not: it may be a yes by now.
        let failure = access.judge("other", METRICS).await.unwrap_err();
        let refused = matches!(failure, Failure::Refused { .. });
        assert_eq!(refused, fault == Fault::Code(403), "{failure}");
        access.judge("new", METRICS).await.unwrap_err();

        // A right that was taken away meanwhile is noticed.
        break_reviews(&fake, None);
        fake.forgets("good");
        tokio::time::advance(Duration::from_secs(11)).await;
        let verdict = access.judge("good", METRICS).await.unwrap();
        assert!(matches!(verdict, Verdict::Unknown(_)), "{fault:?}: {verdict:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn guesses_reach_the_api_server_a_few_at_a_time() {
    let fake = Fake::with_a_door();
    let access = Arc::new(Access::new(fake.client()));
    let guesses = (0..20).map(|guess| {
        let access = Arc::clone(&access);
        async move { access.judge(&format!("guess {guess}"), METRICS).await }
    });
    let guesses = tokio::spawn(futures::future::join_all(guesses));
    // The clock moves only when nothing else can.
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(fake.most_waiting(), REVIEWS);
    fake.let_in(20);
    for verdict in guesses.await.unwrap() {
        assert!(matches!(verdict.unwrap(), Verdict::Unknown(_)));
    }
    assert_eq!(fake.most_waiting(), REVIEWS);
}

#[tokio::test]
async fn no_line_of_the_log_has_a_token() {
    const TOKEN: &str = "not-for-others";
    let captured = Captured::at(LogLevel::All);
    let fake = mk_server();
    let access = Access::new(fake.client());
    access.judge(TOKEN, METRICS).await.unwrap();
    break_reviews(&fake, Some(Fault::Code(403)));
    access.judge(&format!("{TOKEN}-too"), METRICS).await.unwrap_err();
    // An answer that makes no sense, with the token in it.
    let senseless = service_fn(|_: Request<kube::client::Body>| async {
        let text = format!(r#"{{"spec":{{"token":"{TOKEN}"}},"status":7}}"#);
        Ok::<_, BoxError>(Response::new(Body::from(text)))
    });
    let access = Access::new(Client::new(senseless, "default"));
    let failure = access.judge(TOKEN, METRICS).await.unwrap_err();
    assert!(matches!(failure, Failure::Unreadable { .. }), "{failure}");
    assert!(!chain(&failure).contains(TOKEN), "{failure}");
    tracing::debug!("the end");
    let lines = captured.lines();
    assert!(!lines.is_empty());
    for line in lines {
        assert!(!line.to_string().contains(TOKEN), "{line}");
    }
}
