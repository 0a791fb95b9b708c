//! A cluster as MetalLB leaves it becomes ours by one `kubectl apply`, and MetalLB's again by another.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use cortenlb_crds::{BGPPeer, IPAddressPool};
use cortenlb_lab::probe::{Prober, Report};
use k8s_openapi::ByteString;
use k8s_openapi::api::admissionregistration::v1::ValidatingWebhookConfiguration;
use k8s_openapi::api::apps::v1::{DaemonSet, Deployment};
use k8s_openapi::api::core::v1::{Pod, Secret};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::ResourceExt as _;
use kube::api::{Api, ListParams};
use serde_json::{Value, json};

use super::cli::cortenlb;
use crate::cluster::metallb::{Apply, KEY, MetalLb, PEER, POOL, WEBHOOK, WORKLOADS};
use crate::cluster::wait::eventually;
use crate::cluster::{Cluster, SOON, SYSTEM};
use crate::objects::{NAMESPACE, mk_service};
use crate::observer::Observer;
use crate::observer::model::Right;

/// What MetalLB has given, and nobody would get who asks for any.
const SERVICES: [(&str, &str); 3] = [
    ("web", "172.21.5.243"),
    ("shop", "172.21.5.246"),
    ("mail", "172.21.5.249"),
];

/// From the last answer of a stand-in to the first of ours, at most.
const GAP: Duration = Duration::from_secs(2);

/// Our manifest over MetalLB's, and MetalLB's over ours, by plain `kubectl apply`.
pub(super) async fn metallb_is_taken_over_and_comes_back(cluster: &Cluster) -> anyhow::Result<()> {
    there_and_back(cluster, Apply::ClientSide).await
}

/// The same with `kubectl apply --server-side`, after the step that `migrate check` says for a definition with a webhook;
/// the way back undoes that step, and has to be forced for it.
pub(super) async fn metallb_applied_server_side_is_taken_over_and_comes_back(
    cluster: &Cluster,
) -> anyhow::Result<()> {
    there_and_back(cluster, Apply::ServerSide).await
}

async fn there_and_back(cluster: &Cluster, apply: Apply) -> anyhow::Result<()> {
    let metallb = MetalLb::lay_out(cluster, &SERVICES.map(|(_, address)| address)).await?;
    let observer = taken_over(cluster, &metallb, apply).await?;

    let probers = probe_all(cluster).await?;
    metallb.apply_over_ours(cluster, apply).await?;
    let pods = cluster.api::<Pod>(SYSTEM);
    eventually(SOON, || async {
        let pods = pods.list(&ListParams::default()).await?;
        let ours = pods.iter().filter(|pod| is_ours(pod));
        let ours: Vec<String> = ours.map(|pod| pod.name_any()).collect();
        ensure!(ours.is_empty(), "of our pods {ours:?} are left");
        Ok(())
    })
    .await?;
    let first = first_node(cluster)?;
    for ((name, address), prober) in SERVICES.into_iter().zip(probers) {
        cluster.expect_answer_from(address, &first).await?;
        cluster.curl(&format!("http://{address}/")).await?;
        given_back(address, &prober.stop()?).with_context(|| format!("the way back of {name}"))?;
    }
    observer.finish().await?;
    end(cluster).await
}

/// MetalLB is there, has Services and answers for them; our manifest is applied. Returns when ours answers for all of
/// them, with the observer of what addresses they have.
async fn taken_over(cluster: &Cluster, metallb: &MetalLb, apply: Apply) -> anyhow::Result<Observer> {
    metallb.install(cluster, apply).await?;
    let first = first_node(cluster)?;
    for (name, address) in SERVICES {
        cluster.create_as_metallb(name, address).await?;
        cluster.expect_answer_from(address, &first).await?;
        cluster.curl(&format!("http://{address}/")).await?;
    }
    let steps = checked(cluster, apply).await?;
    let before = Kept::read(cluster).await?;
    let observer = Observer::start(cluster).await?;
    for (name, address) in SERVICES {
        observer.expect([name], Right::At(address.parse()?));
    }
    let probers = probe_all(cluster).await?;
    match apply {
        Apply::ClientSide => cluster.apply_product().await?,
        Apply::ServerSide => {
            for step in steps {
                let done = cluster.typed(&step, Path::new("/")).await?;
                ensure!(done.status.success(), "$ {step}: {done:?}");
            }
            let manifest = cluster.product.manifest.to_str();
            apply
                .run(cluster, manifest.context("the manifest's path is UTF-8")?)
                .await?;
        }
    }
    cluster.rolled_out(&WORKLOADS).await?;
    for ((name, address), prober) in SERVICES.into_iter().zip(probers) {
        let node = cluster.announced_from(name).await?;
        cluster.expect_answer_from(address, &node).await?;
        cluster.curl(&format!("http://{address}/")).await?;
        let report = prober.stop()?;
        handed_over(address, &report).with_context(|| format!("{name} saw this: {report}"))?;
    }
    observer.all_right_after(Instant::now(), SOON).await?;
    let after = Kept::read(cluster).await?;
    ensure!(after == before, "changed from {before:?} to {after:?}");
    nothing_refuses(cluster).await?;
    Ok(observer)
}

/// What `migrate check` says: a BGPPeer is not supported; once that is deleted, everything is kept, and there is a step to do
/// only where MetalLB was applied server-side. Returns the steps.
async fn checked(cluster: &Cluster, apply: Apply) -> anyhow::Result<Vec<String>> {
    let check = ["migrate", "check", "-o", "json"];
    let verdict = |said: &Value, kind: &str, name: &str| {
        let objects = said["objects"].as_array();
        let found = objects?
            .iter()
            .find(|one| one["kind"] == kind && one["name"] == name)?;
        found["verdict"].as_str().map(str::to_owned)
    };
    let said = cortenlb(cluster, &check).await?.ended_with(2)?.json()?;
    let judged = verdict(&said, "BGPPeer", PEER);
    ensure!(judged.as_deref() == Some("notSupported"), "{said:#}");
    cluster.delete(cluster.api::<BGPPeer>(SYSTEM), PEER).await?;

    let (code, count) = match apply {
        Apply::ClientSide => (0, 0),
        Apply::ServerSide => (2, 1),
    };
    let said = cortenlb(cluster, &check).await?.ended_with(code)?.json()?;
    let judged = verdict(&said, "IPAddressPool", POOL);
    ensure!(judged.as_deref() == Some("kept"), "{said:#}");
    ensure!(verdict(&said, "BGPPeer", PEER).is_none(), "{said:#}");
    ensure!(said["unread"] == json!([]), "{said:#}");
    let vips = said["vips"].as_array().context("vips")?;
    ensure!(vips.len() == SERVICES.len(), "{said:#}");
    for (name, address) in SERVICES {
        let service = format!("{NAMESPACE}/{name}");
        let kept = vips.iter().any(|vip| {
            vip["service"] == service.as_str()
                && vip["verdict"] == "kept"
                && ["before", "after"]
                    .iter()
                    .all(|when| vip[when] == json!([address]))
        });
        ensure!(kept, "{service} should keep {address}: {said:#}");
    }
    let steps: Vec<String> = serde_json::from_value(said["steps"].clone())?;
    ensure!(steps.len() == count, "{said:#}");
    Ok(steps)
}

async fn probe_all(cluster: &Cluster) -> anyhow::Result<Vec<Prober>> {
    let mut probers = Vec::new();
    for (_, address) in SERVICES {
        probers.push(cluster.probe_closely(address).await?);
    }
    Ok(probers)
}

/// The node whose stand-in answers while it is there.
pub(super) fn first_node(cluster: &Cluster) -> anyhow::Result<String> {
    let nodes = cluster.lab.nodes();
    nodes.into_iter().next().context("a lab has nodes")
}

/// Requires of an address: one answers at a time, ours begins when the last stand-in has ended, on one node, within [`GAP`].
pub(super) fn handed_over(address: &str, report: &Report) -> anyhow::Result<()> {
    let last = report.answers.iter().rposition(|answer| answer.marked);
    let last = last.context("no stand-in answered")?;
    let (theirs, ours) = report.answers.split_at(last + 1);
    let early = theirs.iter().filter(|answer| !answer.marked).count();
    ensure!(
        early == 0,
        "ours answered {early} times before a stand-in's last answer"
    );
    let end = theirs[last].at;
    let early = report.announcements.iter().find(|one| one.at <= end);
    ensure!(
        early.is_none(),
        "told of while a stand-in answered, which ends at {end:?}: {early:?}"
    );
    let begin = ours.first().context("ours never answered")?;
    ensure!(
        ours.iter().all(|answer| answer.mac == begin.mac),
        "ours moved after it had taken over"
    );
    ensure!(
        report.two_answerers().is_zero(),
        "two answered for {:?}",
        report.two_answerers()
    );
    let gap = begin.at - end;
    println!(
        "  {address} is taken over {} ms after MetalLB's last answer",
        gap.as_millis()
    );
    ensure!(gap <= GAP, "taken over after {gap:?}");
    Ok(())
}

/// Says how an address went back to a stand-in. MetalLB waits for nobody, so that both may answer for a while.
fn given_back(address: &str, report: &Report) -> anyhow::Result<()> {
    let begin = report.answers.iter().find(|answer| answer.marked);
    let begin = begin.context("no stand-in answered")?.at;
    let end = report.answers.iter().rfind(|answer| !answer.marked);
    let end = end.context("ours did not answer at first")?.at;
    let (what, time) = if end < begin {
        ("nobody answers", begin - end)
    } else {
        ("both may answer", end - begin)
    };
    println!("  {address} goes back: {what} for {} ms", time.as_millis());
    Ok(())
}

/// What is changed in place or not at all, by UID, and the key of the speakers.
#[derive(Debug, PartialEq)]
struct Kept {
    controller: Option<String>,
    speaker: Option<String>,
    pool: Option<String>,
    secret: Option<String>,
    key: Option<BTreeMap<String, ByteString>>,
}

impl Kept {
    async fn read(cluster: &Cluster) -> anyhow::Result<Self> {
        let controller = cluster.api::<Deployment>(SYSTEM).get("controller").await?;
        let speaker = cluster.api::<DaemonSet>(SYSTEM).get("speaker").await?;
        let pool = cluster.api::<IPAddressPool>(SYSTEM).get(POOL).await?;
        let secret = cluster.api::<Secret>(SYSTEM).get(KEY).await?;
        Ok(Self {
            controller: controller.uid(),
            speaker: speaker.uid(),
            pool: pool.uid(),
            secret: secret.uid(),
            key: secret.data,
        })
    }
}

/// The definition that MetalLB converts by a webhook.
const CONVERTED: &str = "bgppeers.metallb.io";

/// Requires that nobody is asked any more who is not there: a pool and a Service of after the take-over are served.
pub(super) async fn nothing_refuses(cluster: &Cluster) -> anyhow::Result<()> {
    let webhooks: Api<ValidatingWebhookConfiguration> = Api::all(cluster.client.clone());
    let left = webhooks.get_opt(WEBHOOK).await?;
    ensure!(left.is_none(), "{WEBHOOK} is left");
    let crds: Api<CustomResourceDefinition> = Api::all(cluster.client.clone());
    let conversion = crds.get(CONVERTED).await?.spec.conversion;
    ensure!(
        conversion
            .as_ref()
            .is_some_and(|conversion| conversion.strategy == "None" && conversion.webhook.is_none()),
        "the conversion of {CONVERTED} reads {conversion:?}"
    );
    let other = json!({ "addresses": ["192.0.2.0/24"], "autoAssign": false });
    cluster.pool_with("another", other).await?;
    cluster.create(mk_service("new")).await?;
    cluster.expect_address("new", "172.21.5.240").await
}

fn is_ours(pod: &Pod) -> bool {
    pod.labels().contains_key("cortenlb.io/component")
}

/// Takes everything away, whoever brought it.
async fn end(cluster: &Cluster) -> anyhow::Result<()> {
    cluster.delete_all(cluster.services()).await?;
    cluster
        .kubectl(&[
            "delete",
            "--ignore-not-found",
            "validatingwebhookconfiguration",
            WEBHOOK,
        ])
        .await?;
    cluster.uninstall().await
}
