//! The MicroK8s add-on, run with the commands that MicroK8s would provide, mapped to the lab.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context as _, ensure};
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use crate::cluster::Cluster;

/// The add-on's folder, as MicroK8s reads it from a repository of add-ons.
fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/addons/microk8s/addons/cortenlb")
}

/// The file that is there while the add-on is enabled, below `$SNAP_DATA`.
const ENABLED: &str = "var/lock/cortenlb.enabled";

/// The add-on beside a `$SNAP` in which `microk8s-kubectl.wrapper` is the lab's kubectl.
pub(crate) struct Addon {
    folder: PathBuf,
}

/// What a script wrote, and whether it ended well.
pub(crate) struct Outcome {
    /// Both outputs.
    pub(crate) text: String,
    /// Whether its exit code was 0.
    pub(crate) succeeded: bool,
}

impl Addon {
    /// Lays the scripts out, with the product's manifest in the place of the released one.
    pub(crate) async fn lay_out(cluster: &Cluster) -> anyhow::Result<Self> {
        let marker = cluster.lab.scratch_file("microk8s", "").await?;
        let folder = PathBuf::from(marker).with_extension("snap");
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        fs::create_dir(&folder)?;
        for script in ["enable", "disable"] {
            let (from, to) = (source().join(script), folder.join(script));
            fs::copy(&from, &to).with_context(|| format!("copying {}", from.display()))?;
        }
        let manifest = cluster.product.manifest.canonicalize()?;
        symlink(manifest, folder.join("cortenlb.yaml"))?;
        let (program, arguments) = cluster.lab.kubectl_command();
        let wrapper = folder.join("microk8s-kubectl.wrapper");
        let text = format!("#!/bin/sh\nexec {program} {} \"$@\"\n", arguments.join(" "));
        fs::write(&wrapper, text)?;
        fs::set_permissions(&wrapper, fs::Permissions::from_mode(0o755))?;
        Ok(Self { folder })
    }

    /// `microk8s enable cortenlb:ARGUMENT`: MicroK8s parts it at colons. `answer` is what is typed when it asks.
    pub(crate) async fn enable(&self, argument: &str, answer: &str) -> anyhow::Result<Outcome> {
        let parts: Vec<&str> = match argument {
            "" => Vec::new(),
            argument => argument.split(':').collect(),
        };
        self.run("enable", &parts, answer).await
    }

    /// Whether MicroK8s shows it as enabled: the file that `check_status` in `addons.yaml` names is there.
    pub(crate) fn is_enabled(&self) -> bool {
        self.folder.join(ENABLED).is_file()
    }

    /// `microk8s disable cortenlb`.
    pub(crate) async fn disable(&self) -> anyhow::Result<Outcome> {
        self.run("disable", &[], "").await
    }

    async fn run(&self, script: &str, arguments: &[&str], answer: &str) -> anyhow::Result<Outcome> {
        let path = self.folder.join(script);
        let mut child = Command::new("bash")
            .arg(&path)
            .args(arguments)
            .env("SNAP", &self.folder)
            .env("SNAP_DATA", &self.folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("starting {}", path.display()))?;
        let mut stdin = child.stdin.take().context("the script's input")?;
        // It may have ended without asking.
        let _ = stdin.write_all(answer.as_bytes()).await;
        drop(stdin);
        let output = child.wait_with_output().await?;
        let text = [output.stdout, output.stderr].concat();
        Ok(Outcome {
            text: String::from_utf8_lossy(&text).into_owned(),
            succeeded: output.status.success(),
        })
    }
}

impl Outcome {
    /// What it wrote, if it ended well.
    pub(crate) fn expect_success(self) -> anyhow::Result<String> {
        ensure!(self.succeeded, "the add-on failed: {}", self.text);
        Ok(self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    /// What MicroK8s reads before it runs a script: it finds the add-on's folder by the name.
    #[test]
    fn the_list_of_add_ons_fits_the_add_on() {
        let folder = source();
        let read = |file: &Path| fs::read_to_string(file).unwrap();
        let list = read(&folder.join("../../addons.yaml"));
        let list: Value = serde_saphyr::from_str(&list).unwrap();
        let addons = list["microk8s-addons"]["addons"].as_array().unwrap();
        assert_eq!(addons.len(), 1);
        let addon = &addons[0];
        assert_eq!(addon["name"], folder.file_name().unwrap().to_str().unwrap());
        assert_eq!(addon["version"], env!("CARGO_PKG_VERSION"));
        assert_eq!(addon["check_status"], format!("${{SNAP_DATA}}/{ENABLED}"));
        for script in ["enable", "disable"] {
            let text = read(&folder.join(script));
            assert!(text.contains(&format!("\"$SNAP_DATA/{ENABLED}\"")), "{script}");
        }
        let manifest = read(&folder.join("cortenlb.yaml"));
        assert!(
            manifest.contains(concat!(":", env!("CARGO_PKG_VERSION"), "\n")),
            "the image"
        );
    }
}
