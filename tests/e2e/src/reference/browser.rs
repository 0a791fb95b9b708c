//! A browser on the client host that trusts the story's own certificate authority.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};

use super::teller::Teller;
use super::zone::Bind;

/// Chromium with a home of its own.
pub(super) struct Browser {
    home: PathBuf,
}

impl Browser {
    /// Makes its home, in which `authority` (a certificate in PEM) is trusted.
    pub(super) async fn prepare(teller: &Teller<'_>, authority: &str) -> anyhow::Result<Self> {
        let marker = teller.lab.scratch_file("browser", "").await?;
        let home = PathBuf::from(marker).with_extension("home");
        let database = home.join(".pki/nssdb");
        std::fs::create_dir_all(&database).with_context(|| format!("making {}", database.display()))?;
        let database = format!("sql:{}", database.display());
        let make = ["certutil", "-N", "--empty-password", "-d", &database];
        teller.on("client", "certutil -N -d ~/.pki/nssdb", &make).await?;
        let add = [
            "certutil",
            "-A",
            "-d",
            &database,
            "-n",
            "devops-db",
            "-t",
            "C,,",
            "-i",
            authority,
        ];
        teller
            .on(
                "client",
                "certutil -A -d ~/.pki/nssdb -n devops-db -t C,, -i ca.crt",
                &add,
            )
            .await?;
        Ok(Self { home })
    }

    /// Opens a page, keeps a picture of it in `picture`, and returns its text as HTML.
    pub(super) async fn open(
        &self,
        teller: &Teller<'_>,
        bind: &Bind,
        url: &str,
        picture: &Path,
    ) -> anyhow::Result<String> {
        let screenshot = format!("--screenshot={}", picture.display());
        self.chromium(
            teller,
            bind,
            &["--window-size=900,420", &screenshot, url],
            "--screenshot=nexus.png",
        )
        .await?;
        let size = picture
            .metadata()
            .map(|picture| picture.len())
            .unwrap_or_default();
        ensure!(size > 0, "Chromium made no picture at {}", picture.display());
        self.chromium(teller, bind, &["--dump-dom", url], "--dump-dom")
            .await
    }

    async fn chromium(
        &self,
        teller: &Teller<'_>,
        bind: &Bind,
        arguments: &[&str],
        shown: &str,
    ) -> anyhow::Result<String> {
        let home = format!("HOME={}", self.home.display());
        let profile = format!("--user-data-dir={}", self.home.join("profile").display());
        let always = [
            "env",
            &home,
            "chromium",
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--no-first-run",
            "--disable-background-networking",
            &profile,
        ];
        let words = bind.resolving(&[&always[..], arguments].concat());
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let url = arguments.last().copied().unwrap_or_default();
        teller
            .on("client", &format!("chromium --headless {shown} {url}"), &words)
            .await
    }
}
