//! The zone `devops-db.internal`, served by BIND on the router host.

use std::fs;
use std::path::PathBuf;

use anyhow::Context as _;
use cortenlb_lab::Lab;

use super::teller::Teller;

const ZONE: &str = "devops-db.internal";

/// The router's address on the segment.
const ROUTER: &str = "172.21.5.1";

/// BIND's folder.
pub(super) struct Bind {
    folder: PathBuf,
}

impl Bind {
    /// Starts BIND with a zone in which nothing is but itself. It ends with the lab, or by [`Bind::stop`].
    pub(super) async fn start(teller: &Teller<'_>) -> anyhow::Result<Self> {
        let marker = teller.lab.scratch_file("bind", "").await?;
        let folder = PathBuf::from(marker).with_extension("d");
        fs::create_dir_all(&folder)?;
        let bind = Self { folder };
        bind.write("rndc.key", &key())?;
        bind.write("named.conf", &bind.configuration())?;
        bind.write("resolv.conf", &format!("nameserver {ROUTER}\n"))?;
        bind.write(&format!("db.{ZONE}"), &zone(1, None))?;
        let configuration = bind.path("named.conf");
        let words = ["named", "-u", "root", "-c", &configuration];
        teller.on("router", "named -c named.conf", &words).await?;
        Ok(bind)
    }

    /// Adds the A record, raises the serial, and has BIND read the zone again.
    pub(super) async fn add(&self, teller: &Teller<'_>, address: &str) -> anyhow::Result<()> {
        let text = zone(2, Some(address));
        self.write(&format!("db.{ZONE}"), &text)?;
        teller.show(&format!("router$ cat db.{ZONE}\n{text}"));
        let (key, port) = (self.path("rndc.key"), PORT.to_string());
        let words = ["rndc", "-k", &key, "-p", &port, "reload", ZONE];
        teller
            .on("router", &format!("rndc reload {ZONE}"), &words)
            .await?;
        Ok(())
    }

    pub(super) async fn stop(&self, lab: &Lab) -> anyhow::Result<()> {
        let (key, port) = (self.path("rndc.key"), PORT.to_string());
        lab.exec("router", &["rndc", "-k", &key, "-p", &port, "stop"])
            .await?;
        Ok(())
    }

    /// The words that run a command on a host whose resolver asks this server.
    pub(super) fn resolving<'a>(&self, command: &[&'a str]) -> Vec<String> {
        let resolver = self.path("resolv.conf");
        let script = format!("mount --bind {resolver} /etc/resolv.conf && exec \"$@\"");
        let shell = ["sh", "-c", &script, "sh"].map(str::to_owned);
        let command = command.iter().map(|word: &&'a str| (*word).to_owned());
        shell.into_iter().chain(command).collect()
    }

    fn path(&self, name: &str) -> String {
        self.folder.join(name).display().to_string()
    }

    fn write(&self, name: &str, text: &str) -> anyhow::Result<()> {
        let path = self.folder.join(name);
        fs::write(&path, text).with_context(|| format!("writing {}", path.display()))
    }

    fn configuration(&self) -> String {
        let folder = self.folder.display();
        format!(
            "include \"{folder}/rndc.key\";\n\
             controls {{ inet 127.0.0.1 port {PORT} allow {{ 127.0.0.1; }} keys {{ \"story\"; }}; }};\n\
             options {{\n  directory \"{folder}\";\n  pid-file \"{folder}/named.pid\";\n  \
             session-keyfile \"{folder}/session.key\";\n  listen-on {{ {ROUTER}; }};\n  listen-on-v6 {{ none; }};\n  \
             recursion no;\n  dnssec-validation no;\n}};\n\
             zone \"{ZONE}\" {{ type primary; file \"{folder}/db.{ZONE}\"; }};\n"
        )
    }
}

/// The port at which BIND is told to read a zone again.
const PORT: u16 = 953;

/// The key of a server that nobody but the lab's root reaches.
fn key() -> String {
    "key \"story\" { algorithm hmac-sha256; secret \"c3RvcnktdGhhdC1ub2JvZHktZWxzZS1yZWFjaGVz\"; };\n"
        .to_owned()
}

/// The zone file, with an A record for Nexus or without.
fn zone(serial: u32, nexus: Option<&str>) -> String {
    let nexus = nexus.map_or_else(String::new, |address| format!("nexus   IN A   {address}\n"));
    format!(
        "$TTL 60\n@       IN SOA ns.{ZONE}. hostmaster.{ZONE}. ( {serial} 3600 600 86400 60 )\n\
         @       IN NS  ns.{ZONE}.\nns      IN A   {ROUTER}\n{nexus}"
    )
}
