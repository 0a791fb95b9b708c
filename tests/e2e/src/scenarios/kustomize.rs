//! The overlays of kustomize, applied as their page says.

use std::path::Path;

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};

use crate::cluster::objects::ANNOUNCED;
use crate::cluster::wait::eventually;
use crate::cluster::{Cluster, RANGE, SOON, SYSTEM};
use crate::objects::mk_service;

/// Overlays, each with the namespace that it installs into, and its number of controllers.
const OVERLAYS: [(&str, &str, &str); 2] = [
    ("other-namespace", "loadbalancers", "2"),
    ("one-replica", SYSTEM, "1"),
];

/// A pool in the overlay's namespace gives a Service an address that answers.
pub(super) async fn kustomize_overlays_serve(cluster: &Cluster) -> anyhow::Result<()> {
    let overlays = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/kustomize");
    for (overlay, namespace, controllers) in OVERLAYS {
        let folder = overlays.join(overlay);
        let folder = folder.to_str().context("the path of the overlays is UTF-8")?;
        let outcome = serves(cluster, folder, namespace, controllers).await;
        if outcome.is_err() {
            cluster.dump("kustomize_overlays_serve").await;
        }
        // In another namespace than the manifest's nobody else would take it away.
        cluster.delete_all(cluster.services()).await?;
        cluster.take_away(&["-k", folder], namespace).await?;
        outcome.with_context(|| format!("overlay {overlay}"))?;
    }
    Ok(())
}

async fn serves(cluster: &Cluster, folder: &str, namespace: &str, controllers: &str) -> anyhow::Result<()> {
    cluster.kubectl(&["apply", "-k", folder]).await?;
    let inside = ["-n", namespace];
    for workload in ["deployment/controller", "daemonset/speaker"] {
        let words = ["rollout", "status", workload, "--timeout=120s"];
        cluster.kubectl(&[&words[..], &inside].concat()).await?;
    }
    let words = [
        "get",
        "deployment/controller",
        "-o",
        "jsonpath={.status.readyReplicas}",
    ];
    let ready = cluster.kubectl(&[&words[..], &inside].concat()).await?;
    ensure!(
        ready == controllers,
        "{ready} controllers are ready, and not {controllers}"
    );

    let object = |kind: &str, spec: Value| {
        let metadata = json!({ "name": "default" });
        json!({ "apiVersion": "metallb.io/v1beta1", "kind": kind, "metadata": metadata, "spec": spec })
    };
    let objects = [
        object("IPAddressPool", json!({ "addresses": [RANGE] })),
        object("L2Advertisement", json!({})),
    ];
    let file = cluster.manifest("kustomize-pool.json", &objects).await?;
    // The API server begins to ask a policy shortly after it is there.
    eventually(SOON, || async {
        let elsewhere = cluster
            .kubectl(&["apply", "--dry-run=server", "-n", "default", "-f", &file])
            .await;
        let refused = elsewhere
            .err()
            .context("a pool is accepted in namespace default")?;
        let said = format!("{refused:#}");
        let rule = format!("must be created in {namespace} namespace");
        ensure!(said.contains(&rule), "{said}");
        Ok(())
    })
    .await?;
    cluster.kubectl(&["apply", "-n", namespace, "-f", &file]).await?;
    cluster.create(mk_service("web")).await?;
    cluster.expect_address("web", "172.21.5.240").await?;
    cluster.condition("web", ANNOUNCED, "True", "Announced").await?;
    cluster.curl("http://172.21.5.240/").await.map(drop)
}
