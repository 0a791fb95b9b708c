//! The encryption of the secured port: which versions of TLS, and whose certificate.
//!
//! Without a directory the certificate is made at the start and signed by itself, as MetalLB's: it keeps listeners out, and
//! proves nothing. With one it is read from `tls.crt` and `tls.key` there, and again when they change.

use std::{
    fmt, io,
    path::{Path, PathBuf},
    str::FromStr,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use rcgen::{CertificateParams, DnType, KeyPair};
use thiserror::Error;
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        self, ServerConfig, SupportedProtocolVersion,
        crypto::{CryptoProvider, aws_lc_rs},
        pki_types::{
            CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer,
            pem::{self, PemObject},
        },
        server::{ClientHello, ResolvesServerCert},
        sign::CertifiedKey,
        version::{TLS12, TLS13},
    },
};

use crate::logs::chain;

/// How often the files are looked at. Kubernetes renews what is mounted within about two minutes.
const EVERY: Duration = Duration::from_secs(10);

/// What the flags say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// `--tls-min-version`.
    pub min_version: MinVersion,
    /// `--metrics-cert-dir`; `None`: a certificate is made.
    pub cert_dir: Option<PathBuf>,
}

/// The oldest version of TLS that is spoken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MinVersion {
    /// 1.2 (RFC 5246).
    Tls12,
    /// 1.3 (RFC 8446).
    #[default]
    Tls13,
}

/// A version by another name. Nothing is set.
#[derive(Debug, Error)]
#[error("{0:?} is no version of TLS: say VersionTLS12 or VersionTLS13")]
pub struct UnknownVersion(String);

impl FromStr for MinVersion {
    type Err = UnknownVersion;

    /// Names as in MetalLB and Go; empty is the default.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "VersionTLS12" => Ok(Self::Tls12),
            "" | "VersionTLS13" => Ok(Self::Tls13),
            other => Err(UnknownVersion(other.to_owned())),
        }
    }
}

impl MinVersion {
    fn versions(self) -> &'static [&'static SupportedProtocolVersion] {
        const NEWEST_FIRST: &[&SupportedProtocolVersion] = &[&TLS13, &TLS12];
        match self {
            Self::Tls12 => NEWEST_FIRST,
            Self::Tls13 => &NEWEST_FIRST[..1],
        }
    }
}

/// Why nothing can be encrypted. Nothing was set up.
#[derive(Debug, Error)]
pub enum TlsError {
    /// No certificate could be made.
    #[error("no certificate can be made")]
    Make(#[from] rcgen::Error),
    /// rustls refuses the versions, or the certificate that was made.
    #[error("TLS cannot be set up")]
    Setup(#[from] rustls::Error),
}

/// Why a certificate of the directory is not used. The one before it stays in use.
#[derive(Debug, Error)]
enum CertificateError {
    #[error("tls.crt and tls.key cannot be read")]
    Read(#[source] io::Error),
    #[error("tls.crt is no certificate in PEM form")]
    Certificate(#[source] pem::Error),
    #[error("tls.key is no private key in PEM form")]
    Key(#[source] pem::Error),
    #[error("tls.crt and tls.key do not belong together, or are of a kind that is not supported")]
    Pair(#[source] rustls::Error),
}

/// What connections are encrypted with.
#[derive(Debug)]
pub(super) struct Tls {
    config: Arc<ServerConfig>,
    current: Arc<Current>,
    source: Option<Source>,
}

impl Tls {
    /// With a directory whose files cannot be used nobody is let in until they can, and the log says so: it is no reason
    /// not to start.
    pub(super) async fn new(settings: Settings) -> Result<Self, TlsError> {
        let Settings {
            min_version,
            cert_dir,
        } = settings;
        let provider = Arc::new(aws_lc_rs::default_provider());
        let source = cert_dir.map(|folder| Source {
            folder,
            provider: Arc::clone(&provider),
            seen: None,
        });
        let made = match source {
            Some(_) => None,
            None => Some(self_signed(&provider)?),
        };
        let current = Arc::new(Current(RwLock::new(made.map(Arc::new))));
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(min_version.versions())?
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(&current) as Arc<dyn ResolvesServerCert>);
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        let mut tls = Self {
            config: Arc::new(config),
            current,
            source,
        };
        tls.reload().await;
        Ok(tls)
    }

    pub(super) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone(&self.config))
    }

    /// Reads the certificate again whenever it changes. Never ends.
    pub(super) async fn follow(&mut self) {
        loop {
            tokio::time::sleep(EVERY).await;
            self.reload().await;
        }
    }

    async fn reload(&mut self) {
        let Some(source) = &mut self.source else { return };
        let files = Files::read(&source.folder).await;
        match source.take(files) {
            Some(Ok(certificate)) => {
                tracing::info!(folder = %source.folder.display(), "the certificate of the metrics was read");
                self.current.set(certificate);
            }
            Some(Err(error)) => tracing::error!(
                folder = %source.folder.display(),
                error = chain(&error),
                "the certificate of the metrics cannot be used: the one before it stays in use; without one nobody is \
                 let in"
            ),
            None => {}
        }
    }
}

/// The certificate that the next connection gets.
struct Current(RwLock<Option<Arc<CertifiedKey>>>);

impl Current {
    fn set(&self, certificate: CertifiedKey) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(certificate));
    }
}

/// Without the key.
impl fmt::Debug for Current {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Current").finish_non_exhaustive()
    }
}

impl ResolvesServerCert for Current {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Where the certificate comes from, and what was there last.
#[derive(Debug)]
struct Source {
    folder: PathBuf,
    provider: Arc<CryptoProvider>,
    seen: Option<Seen>,
}

/// What was found in the folder.
#[derive(Clone, PartialEq, Eq)]
enum Seen {
    Files(Files),
    /// They could not be read, with the reason.
    Nothing(String),
}

#[derive(Clone, PartialEq, Eq)]
struct Files {
    certificate: Vec<u8>,
    key: Vec<u8>,
}

/// Without the key.
impl fmt::Debug for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Files(_) => f.write_str("Files"),
            Self::Nothing(reason) => f.debug_tuple("Nothing").field(reason).finish(),
        }
    }
}

impl Files {
    async fn read(folder: &Path) -> io::Result<Self> {
        Ok(Self {
            certificate: tokio::fs::read(folder.join("tls.crt")).await?,
            key: tokio::fs::read(folder.join("tls.key")).await?,
        })
    }

    fn parse(&self, provider: &CryptoProvider) -> Result<CertifiedKey, CertificateError> {
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&self.certificate).collect();
        let chain = chain.map_err(CertificateError::Certificate)?;
        if chain.is_empty() {
            return Err(CertificateError::Certificate(pem::Error::NoItemsFound));
        }
        let key = PrivateKeyDer::from_pem_slice(&self.key).map_err(CertificateError::Key)?;
        CertifiedKey::from_der(chain, key, provider).map_err(CertificateError::Pair)
    }
}

impl Source {
    /// What is new: a certificate, or why there is none. `None` for what was seen before: each thing is said once.
    fn take(&mut self, files: io::Result<Files>) -> Option<Result<CertifiedKey, CertificateError>> {
        let (seen, taken) = match files {
            Ok(files) => {
                let taken = files.parse(&self.provider);
                (Seen::Files(files), taken)
            }
            Err(error) => (
                Seen::Nothing(error.to_string()),
                Err(CertificateError::Read(error)),
            ),
        };
        if self.seen.as_ref() == Some(&seen) {
            return None;
        }
        self.seen = Some(seen);
        Some(taken)
    }
}

/// A certificate for no name in particular: who uses it does not check it.
fn self_signed(provider: &CryptoProvider) -> Result<CertifiedKey, TlsError> {
    let mut params = CertificateParams::new(vec!["localhost".to_owned()])?;
    params.distinguished_name.push(DnType::CommonName, "CortenLB");
    let key = KeyPair::generate()?;
    let certificate = params.self_signed(&key)?;
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    Ok(CertifiedKey::from_der(vec![certificate.into()], key, provider)?)
}

#[cfg(test)]
pub(super) mod tests;
