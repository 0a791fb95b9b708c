use super::*;
use cortenlb_kit::fake::Fake;
use serde_json::json;
use std::cell::Cell;
use std::sync::{Arc, Mutex};
use tracing_subscriber::filter::LevelFilter;

/// Where the Secret is.
const PATH: &str = "/api/v1/namespaces/metallb-system/secrets/memberlist";

/// The key from the API alone.
fn mk_source() -> Membership {
    Membership {
        bind: None,
        port: 7946,
        secret_key_path: None,
        secret_name: Some("memberlist".to_owned()),
    }
}

#[test]
fn what_is_read_while_the_secret_is_replaced_is_read_again() {
    let version = Cell::new(1);
    let reads = Cell::new(0);
    let read = || {
        reads.set(reads.get() + 1);
        let first = version.get();
        if reads.get() == 1 {
            version.set(2);
        }
        Ok((first, version.get()))
    };
    assert_eq!(unchanged(|| version.get(), read).unwrap(), (2, 2));
    assert_eq!(reads.get(), 2);
}

#[test]
fn a_mount_that_is_not_filled_yet_has_no_keys() {
    let folder = std::env::temp_dir().join(format!("cortenlb-keys-{}", std::process::id()));
    assert_eq!(mounted(Some(&folder)).unwrap(), [None, None]);
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join(KEY), "key").unwrap();
    assert_eq!(mounted(Some(&folder)).unwrap(), [Some(b"key".to_vec()), None]);
    std::fs::remove_dir_all(&folder).unwrap();
}

/// The key as it is read, as it is in the API, and as bytes are shown.
#[tokio::test(start_paused = true)]
async fn no_line_of_the_log_has_the_key() {
    const KEY_TEXT: &str = "0123456789abcdefghijkl";
    const IN_API: &str = "MDEyMzQ1Njc4OWFiY2RlZmdoaWprbA==";
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(LevelFilter::TRACE)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let told = Arc::new(Mutex::new(Vec::new()));
    // One that is too short, and one that is good.
    for data in ["c2hvcnQ=", IN_API] {
        let fake = Fake::new();
        let secret = json!({ "apiVersion": "v1", "kind": "Secret", "data": { "secretkey": data } });
        fake.put(PATH, secret);
        let keys = Arc::clone(&told);
        let tell = move |key: Keys| keys.lock().unwrap().push(format!("{key:?}"));
        tokio::spawn(follow(
            fake.client(),
            "metallb-system".to_owned(),
            mk_source(),
            tell,
        ));
        sleep(LOOK * 2).await;
    }
    let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    for line in [
        "has no usable key under secretkey",
        "the key of the speakers is known",
    ] {
        assert!(text.contains(line), "{line} is not in {text}");
    }
    let told = told.lock().unwrap().join(" ");
    let bytes = format!("{:?}", &KEY_TEXT.as_bytes()[..4]);
    for secret in [KEY_TEXT, IN_API, bytes.trim_matches(['[', ']'])] {
        assert!(!text.contains(secret), "{text}");
        assert!(!told.contains(secret), "{told}");
    }
}

/// What is in the way is told when it is another thing than before, and once.
#[tokio::test(start_paused = true)]
async fn a_bad_key_is_told_also_to_who_has_waited_for_one() {
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let fake = Fake::new();
    tokio::spawn(follow(
        fake.client(),
        "metallb-system".to_owned(),
        mk_source(),
        drop,
    ));
    let told = |data: Option<serde_json::Value>| {
        if let Some(data) = data {
            fake.put(
                PATH,
                json!({ "apiVersion": "v1", "kind": "Secret", "data": data }),
            );
        }
        let lines = lines.clone();
        async move {
            sleep(LOOK * 3).await;
            let text = std::mem::take(&mut *lines.0.lock().unwrap());
            let text = String::from_utf8(text).unwrap();
            let is_ours = |line: &&str| line.contains("memberlist") || line.contains("key of the speakers");
            text.lines()
                .filter(is_ours)
                .map(str::to_owned)
                .collect::<Vec<_>>()
        }
    };
    let rows = [
        (None, "waiting for the key of the speakers"),
        (Some(json!({})), "has no entry secretkey"),
        (
            Some(json!({ "secretkey": "c2hvcnQ=" })),
            "has no usable key under secretkey",
        ),
        (
            Some(json!({ "secretkey": "MDEyMzQ1Njc4OWFiY2RlZmdoaWprbA==" })),
            "the key of the speakers is known",
        ),
    ];
    for (data, expected) in rows {
        let lines = told(data).await;
        let [line] = &lines[..] else {
            panic!("{expected}: {lines:?}")
        };
        assert!(line.contains(expected), "{line}");
    }
}

/// What was logged.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
