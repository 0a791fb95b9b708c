use std::{
    fs,
    sync::atomic::{AtomicUsize, Ordering},
};

use tokio_rustls::{
    TlsConnector,
    rustls::{ClientConfig, ProtocolVersion, RootCertStore, pki_types::ServerName},
};

use super::*;
use crate::logs::tests::Captured;

/// A folder that goes with the test.
pub(crate) struct Folder(pub(crate) PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("cortenlb-tls-{}-{count}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn write(&self, file: &str, text: &str) {
        fs::write(self.0.join(file), text).unwrap();
    }

    fn settings(&self) -> Settings {
        Settings {
            cert_dir: Some(self.0.clone()),
            ..Settings::default()
        }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

/// A certificate for `localhost` with its key, in PEM form, and as a client trusts it.
pub(crate) struct Pair {
    certificate: String,
    key: String,
    pub(crate) trusted: CertificateDer<'static>,
}

impl Pair {
    pub(crate) fn new() -> Self {
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        Self {
            certificate: made.cert.pem(),
            key: made.signing_key.serialize_pem(),
            trusted: made.cert.der().clone(),
        }
    }

    pub(crate) fn put(&self, folder: &Folder) {
        folder.write("tls.crt", &self.certificate);
        folder.write("tls.key", &self.key);
    }
}

/// A client that trusts one certificate.
pub(crate) fn mk_connector(
    trusted: &CertificateDer<'static>,
    versions: &[&'static SupportedProtocolVersion],
) -> TlsConnector {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    TlsConnector::from(Arc::new(config))
}

/// The version that both agree on.
async fn shake_hands(
    tls: &Tls,
    trusted: &CertificateDer<'static>,
    versions: &[&'static SupportedProtocolVersion],
) -> io::Result<Option<ProtocolVersion>> {
    let (client, server) = tokio::io::duplex(64 * 1024);
    let server = tokio::spawn(tls.acceptor().accept(server));
    let name = ServerName::try_from("localhost").unwrap();
    let client = mk_connector(trusted, versions).connect(name, client).await;
    let server = server.await.unwrap();
    let (_, session) = client
        .as_ref()
        .map_err(|error| io::Error::other(error.to_string()))?
        .get_ref();
    server?;
    Ok(session.protocol_version())
}

#[tokio::test]
async fn the_oldest_version_is_the_one_that_was_set() {
    let old = &[&TLS12][..];
    for (min_version, speaks_old) in [(MinVersion::Tls12, true), (MinVersion::Tls13, false)] {
        let settings = Settings {
            min_version,
            cert_dir: None,
        };
        let tls = Tls::new(settings).await.unwrap();
        let made = tls.current.0.read().unwrap().clone().unwrap();
        let trusted = made.cert[0].clone();
        let spoken = shake_hands(&tls, &trusted, old).await;
        assert_eq!(spoken.is_ok(), speaks_old, "{min_version:?}: {spoken:?}");
        let spoken = shake_hands(&tls, &trusted, &[&TLS12, &TLS13]).await.unwrap();
        assert_eq!(spoken, Some(ProtocolVersion::TLSv1_3), "{min_version:?}");
    }
}

#[tokio::test]
async fn each_start_makes_another_certificate() {
    let [first, second] = [
        Tls::new(Settings::default()).await,
        Tls::new(Settings::default()).await,
    ];
    let certificate = |tls: &Tls| tls.current.0.read().unwrap().clone().unwrap().cert.clone();
    assert_ne!(certificate(&first.unwrap()), certificate(&second.unwrap()));
}

#[tokio::test]
async fn files_are_read_again_when_they_change() {
    let (folder, first, second) = (Folder::new(), Pair::new(), Pair::new());
    first.put(&folder);
    let mut tls = Tls::new(folder.settings()).await.unwrap();
    let new = &[&TLS13][..];
    shake_hands(&tls, &first.trusted, new).await.unwrap();

    second.put(&folder);
    tls.reload().await;
    shake_hands(&tls, &second.trusted, new).await.unwrap();
    shake_hands(&tls, &first.trusted, new).await.unwrap_err();
}

#[tokio::test]
async fn what_cannot_be_used_is_said_once_and_changes_nothing() {
    let (folder, pair, other) = (Folder::new(), Pair::new(), Pair::new());
    pair.put(&folder);
    let mut tls = Tls::new(folder.settings()).await.unwrap();
    for (file, text, why) in [
        ("tls.key", other.key.as_str(), "do not belong together"),
        (
            "tls.key",
            "-----BEGIN NOTHING-----\n-----END NOTHING-----\n",
            "no private key",
        ),
        ("tls.crt", "nonsense", "no certificate"),
    ] {
        let captured = Captured::new();
        folder.write(file, text);
        for _ in 0..2 {
            tls.reload().await;
        }
        let lines = captured.lines();
        let [line] = lines.as_slice() else {
            panic!("{why}: one line: {lines:?}")
        };
        assert!(line["error"].as_str().unwrap().contains(why), "{line}");
        shake_hands(&tls, &pair.trusted, &[&TLS13]).await.unwrap();
    }
}

#[tokio::test]
async fn without_files_nobody_is_let_in_until_they_are_there() {
    let (folder, pair) = (Folder::new(), Pair::new());
    let captured = Captured::new();
    let mut tls = Tls::new(folder.settings()).await.unwrap();
    let lines = captured.lines();
    assert!(
        lines[0]["error"]
            .as_str()
            .unwrap()
            .contains("tls.crt and tls.key cannot be read"),
        "{lines:?}"
    );
    shake_hands(&tls, &pair.trusted, &[&TLS13]).await.unwrap_err();
    pair.put(&folder);
    tls.reload().await;
    shake_hands(&tls, &pair.trusted, &[&TLS13]).await.unwrap();
}

#[tokio::test]
async fn keys_are_not_shown() {
    let (folder, pair) = (Folder::new(), Pair::new());
    pair.put(&folder);
    let tls = Tls::new(folder.settings()).await.unwrap();
    let shown = format!("{tls:?}");
    let bytes = format!("{:?}", pair.key.as_bytes());
    assert!(!shown.contains(&bytes[1..60]), "{shown}");
    assert!(shown.contains("Source"), "{shown}");
}
