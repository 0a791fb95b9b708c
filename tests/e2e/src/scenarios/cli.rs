//! What `kubectl cortenlb` says of the cluster that it finds.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use serde_json::{Value, json};
use tokio::process::Command;

use crate::cluster::wait::eventually;
use crate::cluster::{Cluster, EXCLUDE_LABEL, SOON, manifest};
use crate::objects::{NAMESPACE, mk_service};

const POOL: &str = "default-addresspool";

/// The account of a user who may read.
const VIEWER: &str = "viewer";

/// What it said, and how it ended.
#[derive(Debug)]
pub(super) struct Said {
    code: i32,
    stdout: String,
    stderr: String,
}

/// Runs it as an administrator.
pub(super) async fn cortenlb(cluster: &Cluster, words: &[&str]) -> anyhow::Result<Said> {
    run(cluster, &cluster.lab.kubeconfig(), words).await
}

/// Runs it as whom the kubeconfig is of.
async fn run(cluster: &Cluster, kubeconfig: &Path, words: &[&str]) -> anyhow::Result<Said> {
    let program = cluster
        .product
        .cli
        .as_ref()
        .context("the program was not built")?;
    let output = Command::new(program)
        .arg("--kubeconfig")
        .arg(kubeconfig)
        .args(words)
        .output()
        .await
        .with_context(|| format!("running {}", program.display()))?;
    Ok(Said {
        code: output.status.code().context("it was killed")?,
        stdout: String::from_utf8(output.stdout)?,
        stderr: String::from_utf8(output.stderr)?,
    })
}

impl Said {
    pub(super) fn ended_with(self, code: i32) -> anyhow::Result<Self> {
        ensure!(
            self.code == code,
            "exit code {}, and not {code}: {self:?}",
            self.code
        );
        Ok(self)
    }

    fn has(&self, part: &str) -> anyhow::Result<&Self> {
        ensure!(self.stdout.contains(part), "does not say {part:?}: {self:?}");
        Ok(self)
    }

    pub(super) fn json(&self) -> anyhow::Result<Value> {
        serde_json::from_str(&self.stdout).with_context(|| format!("is no JSON: {self:?}"))
    }
}

/// A pool of two addresses that is announced, and two Services that have them.
async fn two_served(cluster: &Cluster) -> anyhow::Result<()> {
    cluster.pool(POOL, &["172.21.5.240-172.21.5.241"]).await?;
    cluster
        .advertise("default", json!({ "ipAddressPools": [POOL] }))
        .await?;
    for (name, address) in [("web1", "172.21.5.240"), ("web2", "172.21.5.241")] {
        cluster.create(mk_service(name)).await?;
        cluster.expect_address(name, address).await?;
        cluster.announced_from(name).await?;
    }
    Ok(())
}

/// Why a Service has its address, and why another one has none; what there is at all; and what bad input is told.
pub(super) async fn cli_says_why(cluster: &Cluster) -> anyhow::Result<()> {
    two_served(cluster).await?;
    let owner = cluster.announced_from("web1").await?;
    let why = cortenlb(cluster, &["why", "service", "e2e/web1", "-o", "json"]).await?;
    let why = why.ended_with(0)?.json()?;
    ensure!(why["addresses"] == json!(["172.21.5.240"]), "{why:#}");
    ensure!(why["pools"][0]["verdict"] == "taken", "{why:#}");
    ensure!(
        why["announcement"]["announcedBy"][0]["node"] == owner.as_str(),
        "{why:#}"
    );
    let nodes = why["announcement"]["nodes"].as_array().context("nodes")?;
    ensure!(
        nodes.len() == 3 && nodes.iter().all(|node| node["can"] == true),
        "{why:#}"
    );

    cluster.create(mk_service("web3")).await?;
    cluster.event("web3", "AllocationFailed").await?;
    let why = cortenlb(cluster, &["why", "service", "e2e/web3"])
        .await?
        .ended_with(2)?;
    println!("{}", why.stdout);
    why.has("NoAddressAvailable")?.has("has no free IPv4 address")?;

    let status = cortenlb(cluster, &["status"]).await?.ended_with(0)?;
    println!("{}", status.stdout);
    status
        .has("██████████ 2/2")?
        .has("e2e/web1")?
        .has(&owner)?
        .has("e2e/web3")?;

    for (words, said) in [
        (&["why", "service", "e2e/none"], "there is no Service e2e/none"),
        (&["why", "service", "web1"], "write NAMESPACE/NAME"),
    ] {
        let error = cortenlb(cluster, words).await?.ended_with(1)?;
        ensure!(
            error.stderr.contains(said) && error.stderr.lines().count() == 1,
            "{error:?}"
        );
    }
    Ok(())
}

/// Nothing is wrong; then a pool has no advertisement. An edit of pools, before it is made.
pub(super) async fn cli_finds_and_plans(cluster: &Cluster) -> anyhow::Result<()> {
    two_served(cluster).await?;
    let calm = cortenlb(cluster, &["doctor"]).await?;
    println!("{}", calm.stdout);
    calm.ended_with(0)?.has("errors: 0, warnings: 0")?;
    cluster.pool("quiet", &["172.21.5.245/32"]).await?;
    let found = cortenlb(cluster, &["doctor", "-o", "json"])
        .await?
        .ended_with(2)?
        .json()?;
    let codes: Vec<&Value> = found["findings"]
        .as_array()
        .context("findings")?
        .iter()
        .map(|one| &one["code"])
        .collect();
    ensure!(codes == ["CLB006"], "{found:#}");

    let edit = |range: &str| {
        json!({
            "apiVersion": "metallb.io/v1beta1", "kind": "IPAddressPool", "metadata": { "name": POOL },
            "spec": { "addresses": [range] },
        })
    };
    let shrunk = edit("172.21.5.240/32").to_string();
    let file = cluster.lab.scratch_file("shrunk.json", &shrunk).await?;
    let plan = cortenlb(cluster, &["plan", "-f", &file]).await?.ended_with(2)?;
    println!("{}", plan.stdout);
    plan.has("e2e/web2   stranded")?;
    let grown = edit("172.21.5.240-172.21.5.242").to_string();
    let file = cluster.lab.scratch_file("grown.json", &grown).await?;
    let plan = cortenlb(cluster, &["plan", "-f", &file, "-o", "json"])
        .await?
        .ended_with(0)?
        .json()?;
    ensure!(plan["unchanged"] == 2, "{plan:#}");

    // What it says is what happens.
    cluster
        .kubectl(&["apply", "-n", crate::cluster::SYSTEM, "-f", &file])
        .await?;
    cluster
        .create(mk_service("web3").annotation("metallb.io/address-pool", POOL))
        .await?;
    cluster.expect_address("web3", "172.21.5.242").await?;
    let migrate = cortenlb(cluster, &["migrate", "check", "-o", "json"])
        .await?
        .ended_with(2)?
        .json()?;
    let kept = migrate["vips"]
        .as_array()
        .context("vips")?
        .iter()
        .all(|vip| vip["verdict"] == "kept");
    ensure!(kept, "{migrate:#}");
    viewer_is_told_everything(cluster, &file).await
}

/// Who has the rights that the page says, and no others, can do every command: so none changes anything. The cluster is as
/// [`cli_finds_and_plans`] leaves it, and the pools of the file `plan` are there.
async fn viewer_is_told_everything(cluster: &Cluster, plan: &str) -> anyhow::Result<()> {
    let kubeconfig = PathBuf::from(viewer(cluster).await?);
    let commands: [(&[&str], i32); 6] = [
        (&["status"], 0),
        (&["why", "service", "e2e/web1"], 0),
        (&["doctor"], 2),
        (&["plan", "-f", plan], 0),
        (&["failovers"], 0),
        (&["migrate", "check"], 2),
    ];
    for (words, code) in commands {
        let words = [words, &["-o", "json"]].concat();
        // The API server follows its roles on its own time.
        let told = eventually(SOON, || async {
            let said = run(cluster, &kubeconfig, &words).await?;
            let said = said.ended_with(code)?.json()?;
            let unread = said["unread"].as_array().into_iter().flatten();
            // The lab's kube-proxy has its configuration in a file: that is not for want of a right.
            let mut unread =
                unread.filter(|one| !one.to_string().contains("no ConfigMap kube-system/kube-proxy"));
            ensure!(unread.next().is_none(), "not all was read: {said:#}");
            Ok(())
        });
        told.await
            .with_context(|| format!("{words:?} with the rights of docs/kubectl-cortenlb.md"))?;
    }
    Ok(())
}

/// The kubeconfig of a user with the rights of the page's block of YAML.
async fn viewer(cluster: &Cluster) -> anyhow::Result<String> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/kubectl-cortenlb.md");
    let page = std::fs::read_to_string(&page).with_context(|| format!("reading {}", page.display()))?;
    let roles = manifest::parse(manifest::block(&page)?)?;
    let rules = roles.iter().filter_map(|role| role["rules"].as_array()).flatten();
    for rule in rules {
        let reads = rule["verbs"] == json!(["list"]) || rule["resources"] == json!(["pods/portforward"]);
        ensure!(reads, "a right to more than to read: {rule:#}");
    }
    let bindings = roles.iter().map(|role| {
        let (kind, name) = (
            role["kind"].as_str().unwrap_or_default(),
            &role["metadata"]["name"],
        );
        json!({
            "apiVersion": role["apiVersion"],
            "kind": format!("{kind}Binding"),
            "metadata": role["metadata"],
            "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": name },
            "subjects": [{ "kind": "ServiceAccount", "name": VIEWER, "namespace": NAMESPACE }],
        })
    });
    let objects: Vec<Value> = bindings.chain(roles.iter().cloned()).collect();
    let file = cluster.manifest("viewer.json", &objects).await?;
    cluster.kubectl(&["apply", "-f", &file]).await?;

    let token = cluster.token_of(VIEWER).await?;
    let admins = std::fs::read_to_string(cluster.lab.kubeconfig())?;
    let mut kubeconfig: Value = serde_json::from_str(&admins)?;
    kubeconfig["users"][0]["user"] = json!({ "token": token });
    let text = kubeconfig.to_string();
    Ok(cluster.lab.scratch_file("viewer.kubeconfig", &text).await?)
}

/// A node gives its address away, and the record of it is read from the next owner.
pub(super) async fn cli_shows_failovers(cluster: &Cluster) -> anyhow::Result<()> {
    two_served(cluster).await?;
    let owner = cluster.announced_from("web1").await?;
    let exclude = format!("{EXCLUDE_LABEL}=");
    cluster.kubectl(&["label", "node", &owner, &exclude]).await?;
    let moved = eventually(SOON, || async {
        let next = cluster.announced_from("web1").await?;
        if next == owner {
            bail!("{owner} announces it still");
        }
        Ok(next)
    });
    let next = moved.await?;
    let failovers = cortenlb(cluster, &["failovers", "-o", "json"])
        .await?
        .ended_with(0)?
        .json()?;
    let changes = failovers["changes"].as_array().context("changes")?;
    let change = changes.iter().find(|change| change["group"] == "172.21.5.240");
    let change = change.with_context(|| format!("nothing of 172.21.5.240: {failovers:#}"))?;
    ensure!(
        change["node"] == next.as_str() && change["from"] == owner.as_str(),
        "{change:#}"
    );
    ensure!(change["cause"] == "HandedOver", "{change:#}");
    ensure!(failovers["unread"] == json!([]), "{failovers:#}");
    let status = cortenlb(cluster, &["status"]).await?.ended_with(0)?;
    println!(
        "{}{}",
        status.stdout,
        cortenlb(cluster, &["failovers"]).await?.stdout
    );
    status.has(&format!("from {owner} (HandedOver)"))?;
    let why = cortenlb(cluster, &["why", "service", "e2e/web1", "--node", &owner])
        .await?
        .ended_with(0)?;
    println!("{}", why.stdout);
    why.has(&format!("kubectl label node {owner} {EXCLUDE_LABEL}-"))?;
    Ok(())
}
