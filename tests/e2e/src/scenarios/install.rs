//! Installing: what the API server alone accepts and rejects, that nothing can block a pool, and what the programs may do then.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use serde_json::json;

use crate::cluster::wait::eventually;
use crate::cluster::{Cluster, RANGE, SOON, SYSTEM};
use crate::objects::mk_service;

/// How often the race between install and first pool is run.
const ROUNDS: usize = 20;

/// The set of CAP_NET_RAW alone (linux/capability.h).
const NET_RAW: u64 = 1 << 13;

/// With our CRDs and admission policy, and no pod of ours, each accepted example is accepted and each rejected one
/// rejected with its message.
pub(super) async fn invalid_objects_are_rejected_without_us(cluster: &Cluster) -> anyhow::Result<()> {
    cluster.apply_product().await?;
    cluster.delete_workloads().await?;
    cluster.crds_established().await?;
    let mut wrong = Vec::new();
    for file in examples(&cluster.product.examples.join("accepted"))? {
        if let Err(error) = cluster
            .kubectl(&["apply", "--dry-run=server", "-f", utf8(&file)?])
            .await
        {
            wrong.push(format!("{} should be accepted: {error:#}", file.display()));
        }
    }
    for file in examples(&cluster.product.examples.join("rejected"))? {
        let text = std::fs::read_to_string(&file)?;
        let message = text.lines().find_map(|line| line.strip_prefix("# message: "));
        let message = message.with_context(|| format!("{} has no line `# message: …`", file.display()))?;
        match cluster
            .kubectl(&["apply", "--dry-run=server", "-f", utf8(&file)?])
            .await
        {
            Ok(_) => wrong.push(format!("{} should be rejected", file.display())),
            Err(error) if format!("{error:#}").contains(message) => {}
            Err(error) => wrong.push(format!("{} should say {message:?}: {error:#}", file.display())),
        }
    }
    cluster.uninstall().await?;
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

/// A ValidatingWebhookConfiguration as MetalLB leaves it behind, with nobody to answer: pools are accepted as soon as
/// our controller is there.
pub(super) async fn webhook_left_behind_blocks_nothing(cluster: &Cluster) -> anyhow::Result<()> {
    let webhook = json!({
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration",
        "metadata": { "name": "metallb-webhook-configuration" },
        "webhooks": [{
            "name": "ipaddresspoolvalidationwebhook.metallb.io",
            "admissionReviewVersions": ["v1"],
            "sideEffects": "None",
            "failurePolicy": "Fail",
            "clientConfig": { "service": {
                "name": "metallb-webhook-service",
                "namespace": SYSTEM,
                "path": "/validate-metallb-io-v1beta1-ipaddresspool",
            } },
            "rules": [{
                "apiGroups": ["metallb.io"],
                "apiVersions": ["v1beta1"],
                "operations": ["CREATE", "UPDATE"],
                "resources": ["ipaddresspools"],
            }],
        }],
    });
    let file = cluster
        .lab
        .scratch_file("webhook.json", &webhook.to_string())
        .await?;
    cluster.kubectl(&["apply", "-f", &file]).await?;
    cluster.install().await?;
    eventually(SOON, || cluster.pool("default-addresspool", &[RANGE])).await?;
    cluster.create(mk_service("web")).await?;
    cluster.expect_address("web", "172.21.5.240").await?;
    cluster.delete(cluster.services(), "web").await?;
    cluster.uninstall().await
}

/// Install, then a pool as soon as its kind is there and before any pod of ours runs: always accepted, always served.
pub(super) async fn pools_right_after_install(cluster: &Cluster) -> anyhow::Result<()> {
    for round in 1..=ROUNDS {
        one_install(cluster)
            .await
            .with_context(|| format!("round {round} of {ROUNDS}"))?;
    }
    Ok(())
}

async fn one_install(cluster: &Cluster) -> anyhow::Result<()> {
    cluster.apply_product().await?;
    cluster.crds_established().await?;
    cluster.pool("default-addresspool", &[RANGE]).await?;
    cluster.advertise("default", json!({})).await?;
    cluster.create(mk_service("web")).await?;
    cluster.expect_address("web", "172.21.5.240").await?;
    cluster.announced_from("web").await?;
    cluster.curl("http://172.21.5.240/").await?;
    cluster.delete(cluster.services(), "web").await?;
    cluster.uninstall().await
}

/// k3s applies each file of its folder in whatever order, and again and again: so the pool of our file goes in before its
/// kind is there, at last, and stays as it is.
pub(super) async fn k3s_applies_its_files_in_any_order(cluster: &Cluster) -> anyhow::Result<()> {
    let pool = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/addons/k3s/cortenlb-pool.yaml");
    let turn = || async {
        let early = cluster.kubectl(&["apply", "-f", utf8(&pool)?]).await;
        cluster.apply_product().await?;
        early
    };
    ensure!(turn().await.is_err(), "a pool went in before its kind was there");
    eventually(SOON, turn).await?;
    cluster.create(mk_service("web")).await?;
    cluster.expect_address("web", "172.21.5.240").await?;
    cluster.announced_from("web").await?;
    cluster.curl("http://172.21.5.240/").await?;

    let again = turn().await?;
    ensure!(!again.contains("created"), "a second time: {again}");
    ensure!(!again.contains("configured"), "a second time: {again}");
    cluster.expect_address("web", "172.21.5.240").await?;
    cluster.delete(cluster.services(), "web").await?;
    cluster.uninstall().await
}

/// The kernel's word on what the programs of the pods may do (proc(5)).
pub(super) async fn processes_may_do_little(cluster: &Cluster) -> anyhow::Result<()> {
    for (component, uid, capabilities) in [("speaker", 0, NET_RAW), ("controller", 65534, 0)] {
        for process in cluster.processes(component).await? {
            let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
            for wanted in [
                format!("Uid:\t{uid}\t{uid}\t{uid}\t{uid}"),
                format!("CapEff:\t{capabilities:016x}"),
                format!("CapBnd:\t{capabilities:016x}"),
                "NoNewPrivs:\t1".to_owned(),
                // SECCOMP_MODE_FILTER
                "Seccomp:\t2".to_owned(),
            ] {
                let found = status.lines().any(|line| line == wanted);
                ensure!(found, "{component} should have {wanted:?}: {status}");
            }
        }
    }
    Ok(())
}

fn examples(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))?;
    let mut files = entries
        .map(|entry| Ok(entry?.path()))
        .collect::<std::io::Result<Vec<_>>>()?;
    files.sort();
    if files.is_empty() {
        bail!("{} holds no examples", folder.display());
    }
    Ok(files)
}

fn utf8(path: &Path) -> anyhow::Result<&str> {
    path.to_str()
        .with_context(|| format!("{} is not UTF-8", path.display()))
}
