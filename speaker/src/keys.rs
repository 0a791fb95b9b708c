//! The key that all speakers share: from the mounted Secret, or from the API server while that is not mounted yet.
//!
//! The mount is optional, so that a speaker starts before the controller has made the Secret; the kubelet fills it about
//! a minute later, and the API server is asked until then. With the mount a speaker starts while the API server is away.

use std::io;
use std::path::Path;
use std::time::Duration;

use crate::membership::{ACCEPTED_KEY, KEY, Membership};
use cortenlb_kit::logs::chain;
use cortenlb_proto::seal::Keys;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::{Api, Client};
use tokio::time::sleep;

/// Until there is a key it is looked for this often.
const SEARCH: Duration = Duration::from_secs(1);

/// Then it is looked at this often: it may be replaced.
const LOOK: Duration = Duration::from_secs(10);

type Found = [Option<Vec<u8>>; 2];

/// What is in the way, and is told once for as long as it is.
#[derive(Debug, PartialEq, Eq)]
enum Trouble {
    NoSecret,
    NoEntry,
    Unusable(String),
}

/// Whether this is another trouble than the one before.
fn is_new(trouble: &mut Option<Trouble>, now: Trouble) -> bool {
    let before = trouble.take();
    let is_new = before.as_ref() != Some(&now);
    *trouble = Some(now);
    is_new
}

/// Hands on the keys, and every change of them.
pub async fn follow(client: Client, namespace: String, source: Membership, mut tell: impl FnMut(Keys)) {
    let Membership {
        secret_key_path: folder,
        secret_name,
        bind: _,
        port: _,
    } = source;
    let name = secret_name.unwrap_or_default();
    let secrets = Api::<Secret>::namespaced(client, &namespace);
    let mut known = Found::default();
    let mut trouble = None;
    loop {
        let found = match mounted(folder.as_deref()) {
            Ok(found) if found[0].is_some() => Some(found),
            Ok(_) => None,
            Err(error) => {
                tracing::error!(%error, ?folder, "cannot read the key of the speakers");
                None
            }
        };
        let found = match found {
            Some(found) => Some(found),
            // What is known stays valid while the Secret is away.
            None if known[0].is_some() || name.is_empty() => None,
            None => match secrets.get(&name).await {
                Ok(secret) => {
                    let found = of(&secret);
                    if found[0].is_none() && is_new(&mut trouble, Trouble::NoEntry) {
                        tracing::error!(
                            "Secret {namespace}/{name} has no entry {KEY}; nothing is announced until it has"
                        );
                    }
                    Some(found).filter(|found| found[0].is_some())
                }
                Err(error) => {
                    if is_new(&mut trouble, Trouble::NoSecret) {
                        let error = chain(&error);
                        tracing::info!(
                            error,
                            "waiting for the key of the speakers, Secret {namespace}/{name}, which the controller makes; nothing is \
                             announced until then"
                        );
                    }
                    None
                }
            },
        };
        if let Some(found) = found.filter(|found| *found != known) {
            let keys: Vec<&[u8]> = found.iter().flatten().map(Vec::as_slice).collect();
            match Keys::new(&keys) {
                Ok(keys) => {
                    tracing::info!("the key of the speakers is known");
                    tell(keys);
                    known = found;
                    trouble = None;
                }
                // It is looked for again: it may be mended.
                Err(error) => {
                    if is_new(&mut trouble, Trouble::Unusable(error.to_string())) {
                        tracing::error!(%error, "Secret {namespace}/{name} has no usable key under {KEY}, {ACCEPTED_KEY}");
                    }
                }
            }
        }
        sleep(if known[0].is_some() { LOOK } else { SEARCH }).await;
    }
}

/// Both keys of one version of the Secret. The kubelet replaces all files at once, by letting the link `..data` lead to
/// another folder: read around that moment, one file would be of the old Secret and one of the new.
fn mounted(folder: Option<&Path>) -> io::Result<Found> {
    let Some(folder) = folder else {
        return Ok(Found::default());
    };
    let version = || std::fs::read_link(folder.join("..data")).ok();
    unchanged(version, || Ok([read(folder, KEY)?, read(folder, ACCEPTED_KEY)?]))
}

/// What is read while the version stays the same.
fn unchanged<V: PartialEq, T>(version: impl Fn() -> V, read: impl Fn() -> io::Result<T>) -> io::Result<T> {
    let mut before = version();
    loop {
        let found = read();
        let after = version();
        if before == after {
            return found;
        }
        before = after;
    }
}

fn read(folder: &Path, name: &str) -> io::Result<Option<Vec<u8>>> {
    match std::fs::read(folder.join(name)) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn of(secret: &Secret) -> Found {
    let data = secret.data.as_ref();
    let get = |name: &str| {
        data.and_then(|data| data.get(name))
            .map(|ByteString(bytes)| bytes.clone())
    };
    [get(KEY), get(ACCEPTED_KEY)]
}

#[cfg(test)]
mod tests;
