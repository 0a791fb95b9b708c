use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use cortenlb_kit::fake::{Fake, Fault};
use serde_json::{Value, json};
use tokio::time::sleep;
use tracing_subscriber::filter::LevelFilter;

use super::*;

const NAMESPACE: &str = "metallb-system";
const SECRETS: &str = "/api/v1/namespaces/metallb-system/secrets";
const PATH: &str = "/api/v1/namespaces/metallb-system/secrets/memberlist";
const DEPLOYMENT: &str = "/apis/apps/v1/namespaces/metallb-system/deployments/controller";

/// Enough for everything that does not wait.
const MOMENT: Duration = Duration::from_millis(100);

fn with_deployment() -> Fake {
    let fake = Fake::new();
    fake.put(
        DEPLOYMENT,
        json!({ "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "uid": "d-1" } }),
    );
    fake
}

/// A replica that leads as the returned sender says.
fn start(fake: &Fake, claim: Claim) -> state::Sender<Claim> {
    let wanted = Wanted {
        name: "memberlist".to_owned(),
        deployment: Some("controller".to_owned()),
    };
    let (sender, receiver) = state::channel(claim);
    tokio::spawn(keep(fake.client(), NAMESPACE.to_owned(), wanted, receiver));
    sender
}

/// How often somebody has tried to make it.
fn tries(fake: &Fake) -> usize {
    let wanted = format!("POST {SECRETS}");
    fake.log().iter().filter(|line| **line == wanted).count()
}

/// The entry as it is in the Secret, base64 of the API taken off.
fn key_in(secret: &Value) -> String {
    let ByteString(bytes) = serde_json::from_value(secret["data"]["secretkey"].clone()).unwrap();
    String::from_utf8(bytes).unwrap()
}

#[tokio::test(start_paused = true)]
async fn it_is_made_in_the_form_of_metallbs() {
    let fake = with_deployment();
    let _claim = start(&fake, Claim::unconditional());
    sleep(MOMENT).await;
    let secret = fake.object(PATH).unwrap();
    assert_eq!(secret["type"], "Opaque");
    assert_eq!(
        secret["metadata"]["ownerReferences"],
        json!([{ "apiVersion": "apps/v1", "kind": "Deployment", "name": "controller", "uid": "d-1" }])
    );
    assert_eq!(secret["data"].as_object().unwrap().len(), 1);
    let key = key_in(&secret);
    // 16 bytes as base64 without padding.
    assert_eq!(key.len(), 22);
    let ByteString(bytes) = serde_json::from_value(format!("{key}==").into()).unwrap();
    assert_eq!(bytes.len(), KEY_BYTES);
}

#[tokio::test(start_paused = true)]
async fn one_that_is_there_is_left_as_it_is() {
    let fake = with_deployment();
    let theirs = json!({ "apiVersion": "v1", "kind": "Secret", "data": { "secretkey": "eA==" } });
    fake.put(PATH, theirs);
    let before = fake.object(PATH);
    let _claim = start(&fake, Claim::unconditional());
    sleep(Duration::from_secs(3600)).await;
    assert_eq!(fake.object(PATH), before);
    assert!(fake.log().iter().all(|line| line.starts_with("GET")));
}

#[tokio::test(start_paused = true)]
async fn one_that_is_deleted_is_made_anew_with_another_key() {
    let fake = with_deployment();
    let _claim = start(&fake, Claim::unconditional());
    sleep(MOMENT).await;
    let first = key_in(&fake.object(PATH).unwrap());
    fake.remove(PATH);
    sleep(MOMENT).await;
    assert_ne!(key_in(&fake.object(PATH).unwrap()), first);
    // While the watch is away too.
    fake.remove(PATH);
    fake.compact();
    sleep(Duration::from_secs(1)).await;
    assert!(fake.object(PATH).is_some());
}

#[tokio::test(start_paused = true)]
async fn only_the_leader_makes_it() {
    let fake = with_deployment();
    let claim = start(&fake, Claim::none());
    sleep(Duration::from_secs(60)).await;
    assert_eq!(tries(&fake), 0);
    // A leader that was paused for longer than its term.
    claim.send_replace(Claim {
        until: Some(Instant::now()),
        ..Claim::unconditional()
    });
    sleep(MOMENT).await;
    assert_eq!(tries(&fake), 0);
    claim.send_replace(Claim::unconditional());
    sleep(MOMENT).await;
    assert_eq!(tries(&fake), 1);
    assert!(fake.object(PATH).is_some());
}

#[tokio::test(start_paused = true)]
async fn of_two_that_make_it_at_once_the_first_does() {
    let fake = with_deployment();
    let made = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&made);
    fake.observe(move |path, object| {
        if path == PATH {
            seen.lock().unwrap().push(object.map(key_in));
        }
    });
    fake.policy(|call| (call.method == "POST").then_some(Fault::Slow(MOMENT)));
    let _claims = [
        start(&fake, Claim::unconditional()),
        start(&fake, Claim::unconditional()),
    ];
    sleep(Duration::from_secs(60)).await;
    assert_eq!(tries(&fake), 2);
    assert_eq!(*made.lock().unwrap(), [Some(key_in(&fake.object(PATH).unwrap()))]);
}

#[tokio::test(start_paused = true)]
async fn it_is_tried_until_it_is_made() {
    let fake = with_deployment();
    let faults = [Fault::Code(403), Fault::Code(500), Fault::Reset, Fault::Silence];
    fake.script(faults.map(Some));
    let _claim = start(&fake, Claim::unconditional());
    sleep(4 * PAUSE + REQUEST_TIMEOUT + MOMENT).await;
    assert!(fake.object(PATH).is_some());
    assert_eq!(tries(&fake), 5);
    // One whose answer is lost has been made; the watch tells.
    fake.script([Some(Fault::AnswerLost)]);
    fake.remove(PATH);
    sleep(Duration::from_secs(60)).await;
    assert!(fake.object(PATH).is_some());
    assert_eq!(tries(&fake), 6);
}

#[tokio::test(start_paused = true)]
async fn without_its_deployment_it_is_made_after_a_while() {
    let fake = Fake::new();
    let _claim = start(&fake, Claim::unconditional());
    sleep(OWNER_PATIENCE - MOMENT).await;
    assert_eq!(tries(&fake), 0);
    sleep(PAUSE).await;
    let secret = fake.object(PATH).unwrap();
    assert_eq!(secret["metadata"]["ownerReferences"], Value::Null);
    // One that is going is no owner either, but one that comes meanwhile is.
    let going = json!({ "metadata": { "uid": "d-1", "deletionTimestamp": "2026-01-01T00:00:00Z" } });
    fake.put(DEPLOYMENT, going);
    fake.remove(PATH);
    sleep(OWNER_PATIENCE - PAUSE).await;
    assert_eq!(fake.object(PATH), None);
    fake.put(DEPLOYMENT, json!({ "metadata": { "uid": "d-2" } }));
    sleep(PAUSE).await;
    let secret = fake.object(PATH).unwrap();
    assert_eq!(secret["metadata"]["ownerReferences"][0]["uid"], "d-2");
}

#[tokio::test(start_paused = true)]
async fn the_key_of_one_that_is_there_is_never_read() {
    let fake = with_deployment();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&asked);
    fake.policy(move |call| {
        if call.method == "GET" && call.path.starts_with(SECRETS) {
            seen.lock()
                .unwrap()
                .push((call.accept.clone(), call.query.clone()));
        }
        None
    });
    let _claim = start(&fake, Claim::unconditional());
    sleep(Duration::from_secs(600)).await;
    let asked = asked.lock().unwrap();
    assert!(asked.len() > 2, "list and watches");
    for (accept, query) in asked.iter() {
        assert!(accept.contains("as=PartialObjectMetadata"), "{accept}");
        assert!(
            query.contains("fieldSelector=metadata.name%3Dmemberlist"),
            "{query}"
        );
    }
}

/// Lines of the log, at the level that says most.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn the_log_never_has_the_key() {
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(LevelFilter::TRACE)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let fake = with_deployment();
    fake.script([Some(Fault::Code(403)), Some(Fault::AnswerLost)]);
    let _claim = start(&fake, Claim::unconditional());
    sleep(Duration::from_secs(60)).await;
    fake.remove(PATH);
    sleep(MOMENT).await;
    let secret = fake.object(PATH).unwrap();
    let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    let said = |what: &str| text.matches(what).count();
    assert_eq!(said("no key for the speakers yet"), 1, "{text}");
    assert_eq!(
        said("made the key by which the speakers know one another"),
        1,
        "{text}"
    );
    assert!(!text.contains(&key_in(&secret)));
    assert!(!text.contains(secret["data"]["secretkey"].as_str().unwrap()));
}
