//! Who answers when nodes and speakers come and go.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use cortenlb_lab::probe::{Prober, Report};
use cortenlb_lab::traffic::{Requester, Requests};
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::cluster::segment::CLIENT;
use crate::cluster::wait::eventually;
use crate::cluster::{Cluster, EXCLUDE_LABEL, RANGE, SOON};
use crate::objects::mk_service;

pub(super) const VIP: &str = "172.21.5.240";

/// An address of the other family, which no other scenario gives out.
const SIX: &str = "fd00:5::e9";

/// The longest that the replacement of all speakers may take.
const ROLLOUT: Duration = Duration::from_secs(120);

/// A Service that is announced and answers; returns the node that announces it.
pub(super) async fn served(cluster: &Cluster) -> anyhow::Result<String> {
    cluster.pool("default-addresspool", &[RANGE]).await?;
    cluster.advertise("default", json!({})).await?;
    cluster.create(mk_service("web")).await?;
    let node = cluster.announced_from("web").await?;
    cluster.curl("http://172.21.5.240/").await?;
    Ok(node)
}

/// A Service with an IPv6 address, which the same node announces.
async fn served_beside(cluster: &Cluster, owner: &str) -> anyhow::Result<()> {
    cluster.pool("six", &["fd00:5::e9/128"]).await?;
    // What is new goes to the node that is preferred.
    let here = json!({ "matchLabels": { "kubernetes.io/hostname": owner } });
    let preferred = json!([{ "weight": 1, "preference": here }]);
    let spec = json!({ "ipAddressPools": ["six"], "preferredNodeSelectors": preferred });
    cluster.advertise("six", spec).await?;
    let six = mk_service("six")
        .spec("ipFamilyPolicy", "SingleStack")
        .spec("ipFamilies", json!(["IPv6"]));
    cluster.create(six).await?;
    let node = cluster.announced_from("six").await?;
    ensure!(node == owner, "{owner} is preferred, and {node} announces {SIX}");
    cluster.expect_answer_from(SIX, owner).await
}

pub(super) async fn probe(cluster: &Cluster) -> anyhow::Result<Prober> {
    cluster.probe_closely(VIP).await
}

pub(super) fn print(what: &str, report: &Report) {
    let gap = report.longest_gap().as_millis();
    println!("  {what}: {gap} ms without an answer, at 10 ms a question");
}

/// Requires that one MAC answered, whoever it was that did.
pub(super) fn ensure_no_move(what: &str, report: &Report) -> anyhow::Result<()> {
    print(what, report);
    let answerers = report.answerers();
    ensure!(answerers.len() == 1, "{what}: several answered: {answerers:?}");
    Ok(())
}

/// Requires that no question went unanswered, however late the answer came.
pub(super) fn ensure_answered(what: &str, report: &Report) -> anyhow::Result<()> {
    let unanswered = report.unanswered();
    ensure!(
        unanswered.is_empty(),
        "{what}: {} questions went unanswered:\n{report}",
        unanswered.len()
    );
    Ok(())
}

/// Requires that the node with the MAC `taken` tells that it took over from `owner`: by an Event on the Service, and in its
/// list of changes.
async fn told_of(cluster: &Cluster, owner: &str, taken: &str) -> anyhow::Result<()> {
    let event = cluster.event("web", "tookOver").await?;
    let begin = format!("took over {VIP} from {owner}, which is gone: suspected ");
    ensure!(event.starts_with(&begin), "the event reads: {event}");
    println!("  {event}");
    let node = cluster.node_with(taken).await?;
    // The pod is on the node's network, and shows it there alone.
    let url = "http://127.0.0.1:17472/failovers";
    let shown = cluster.on_host(&node, &["curl", "-sS", "--fail", url]).await?;
    let shown: Value = serde_json::from_str(&shown)?;
    let changes = shown["changes"].as_array();
    let latest = changes.and_then(|all| all.iter().find(|change| change["group"] == VIP));
    let change = latest.with_context(|| format!("{node} shows no change of {VIP}: {shown}"))?;
    ensure!(
        change["cause"] == "OwnerDead"
            && change["from"] == *owner
            && change["milliseconds"]["announced"].is_u64(),
        "{node} shows {shown}"
    );
    Ok(())
}

/// Waits until somebody else answers than `lost`; returns whose MAC it is.
pub(super) async fn answered_by_another(cluster: &Cluster, lost: &str) -> anyhow::Result<String> {
    answered_at_by_another(cluster, VIP, lost).await
}

async fn answered_at_by_another(cluster: &Cluster, vip: &str, lost: &str) -> anyhow::Result<String> {
    let answered = eventually(SOON, || async {
        let answers = cluster.who_answers(vip).await?;
        let other = answers.first().filter(|mac| *mac != lost);
        other.cloned().with_context(|| format!("answered by {answers:?}"))
    });
    answered.await
}

/// Kills the owner's speaker, which comes back: neighbours see one MAC all the time.
pub(super) async fn killed_speaker_moves_nothing(cluster: &Cluster, owner: &str) -> anyhow::Result<()> {
    let prober = probe(cluster).await?;
    cluster.kill_speaker(owner).await?;
    sleep(Duration::from_secs(5)).await;
    cluster.product_ready().await?;
    ensure_no_move("the owner's speaker is killed", &prober.stop()?)
}

/// The owner of an IPv4 and an IPv6 address is cut off: another node answers for each. When it returns it gains nothing.
pub(super) async fn owner_cut_off(cluster: &Cluster) -> anyhow::Result<()> {
    let owner = served(cluster).await?;
    served_beside(cluster, &owner).await?;
    let lost = cluster.mac_of(&owner).await?;
    let prober = probe(cluster).await?;
    let prober_six = cluster.probe_closely(SIX).await?;
    cluster.lab.cut(&owner).await?;
    let taken = answered_by_another(cluster, &lost).await?;
    let taken_six = answered_at_by_another(cluster, SIX, &lost).await?;
    print("the owner is cut off", &prober.stop()?);
    print("its IPv6 address", &prober_six.stop()?);
    told_of(cluster, &owner, &taken).await?;
    // Some of the endpoints are on the lost node until Kubernetes takes it for lost.
    for url in ["http://172.21.5.240/", "http://[fd00:5::e9]/"] {
        eventually(SOON, || cluster.curl_once(url)).await?;
    }

    let prober = probe(cluster).await?;
    cluster.lab.heal(&owner).await?;
    let agreed = eventually(SOON, || async {
        cluster.ensure_kept("web", VIP, &taken).await?;
        cluster.ensure_kept("six", SIX, &taken_six).await
    });
    agreed.await?;
    let report = prober.stop()?;
    println!(
        "  it returns: two answer for {} ms",
        report.two_answerers().as_millis()
    );
    Ok(())
}

/// Speakers are replaced one after the other, killed, and stopped for a while: neighbours see one MAC all the time, and
/// each HTTP request is answered.
pub(super) async fn restarts_of_speakers_move_nothing(cluster: &Cluster) -> anyhow::Result<()> {
    let owner = served(cluster).await?;
    let target = SocketAddr::new(VIP.parse()?, 80);
    let requester = Requester::start(&cluster.lab, CLIENT, target, Duration::from_millis(50))?;

    let prober = probe(cluster).await?;
    cluster.replace_speakers(ROLLOUT).await?;
    sleep(Duration::from_secs(1)).await;
    ensure_no_move("a rolling restart", &prober.stop()?)?;

    killed_speaker_moves_nothing(cluster, &owner).await?;

    let prober = probe(cluster).await?;
    cluster.lab.freeze(&owner).await?;
    sleep(Duration::from_secs(6)).await;
    cluster.lab.thaw(&owner).await?;
    sleep(Duration::from_secs(2)).await;
    ensure_no_move("the owner's speaker is stopped for 6 s", &prober.stop()?)?;
    ensure!(
        cluster.announced_from("web").await? == owner,
        "{owner} does not announce it any more"
    );
    let Requests { sent, failed } = requester.stop().await?;
    println!("  {sent} HTTP requests meanwhile");
    ensure!(failed == 0, "{failed} of {sent} HTTP requests were not answered");
    Ok(())
}

/// A node that is to announce nothing any more gives its address away so that no question goes unanswered, and does not
/// get it back.
pub(super) async fn an_excluded_node_gives_its_address_away(cluster: &Cluster) -> anyhow::Result<()> {
    let owner = served(cluster).await?;
    let before = cluster.mac_of(&owner).await?;
    let prober = probe(cluster).await?;
    let exclude = format!("{EXCLUDE_LABEL}=");
    cluster.kubectl(&["label", "node", &owner, &exclude]).await?;
    let moved = eventually(SOON, || async {
        let answers = cluster.who_answers(VIP).await?;
        let [mac] = answers.as_slice() else {
            anyhow::bail!("answered by {answers:?}");
        };
        ensure!(*mac != before, "still answered by {owner}");
        Ok(mac.clone())
    });
    let after = moved.await?;
    cluster
        .kubectl(&["label", "node", &owner, &format!("{EXCLUDE_LABEL}-")])
        .await?;
    sleep(Duration::from_secs(2)).await;
    let report = prober.stop()?;
    print("the owner is excluded", &report);
    ensure!(
        report.changes().len() == 2,
        "it moved more than once: {:?}",
        report.changes()
    );
    ensure_answered("the owner is excluded", &report)?;
    ensure!(cluster.who_answers(VIP).await? == [after], "it moved back");
    Ok(())
}

/// The API server is away and every speaker is killed: each comes back with what it knew, and the address stays.
pub(super) async fn restarts_without_the_api_server(cluster: &Cluster) -> anyhow::Result<()> {
    served(cluster).await?;
    // kubelet starts a container at once only when it has ended for the first time.
    cluster.replace_speakers(ROLLOUT).await?;
    let owner = cluster.announced_from("web").await?;
    let mac = cluster.mac_of(&owner).await?;
    let mut speakers = Vec::new();
    for node in cluster.lab.nodes() {
        speakers.push(cluster.speaker(&node).await?);
    }
    // What they know is written down once a second.
    sleep(Duration::from_secs(2)).await;
    let prober = probe(cluster).await?;
    cluster.lab.pause_api().await?;
    let outcome = async {
        for speaker in &speakers {
            cluster.lab.kill_container(&speaker.container).await?;
        }
        let answered = || async {
            let answers = cluster.who_answers(VIP).await?;
            ensure!(answers == [mac.clone()], "{mac} had it, and {answers:?} answers");
            Ok(())
        };
        eventually(SOON, answered).await
    };
    let outcome = outcome.await;
    cluster.lab.resume_api().await?;
    outcome?;
    sleep(Duration::from_secs(5)).await;
    cluster.product_ready().await?;
    ensure_no_move(
        "every speaker is killed while the API server is away",
        &prober.stop()?,
    )?;
    let after = cluster.announced_from("web").await?;
    ensure!(after == owner, "{owner} had it, {after} announces it");
    Ok(())
}

/// The owner's answers do not come through, although it is heard otherwise: another node asks, notices, and one of those
/// that stand by takes over. The owner gains nothing when its answers come through again.
pub(super) async fn owner_whose_answers_are_lost(cluster: &Cluster) -> anyhow::Result<()> {
    // One that has not moved in another scenario a moment ago: it would stay.
    let vip = "172.21.5.249";
    cluster.pool("default-addresspool", &[RANGE]).await?;
    cluster.advertise("default", json!({})).await?;
    cluster
        .create(mk_service("web").annotation("metallb.io/loadBalancerIPs", vip))
        .await?;
    let owner = cluster.announced_from("web").await?;
    let lost = cluster.mac_of(&owner).await?;
    ensure!(cluster.who_answers(vip).await? == std::slice::from_ref(&lost));
    let begin = Instant::now();
    cluster.lab.mute(&owner, vip.parse()?).await?;
    let taken = answered_at_by_another(cluster, vip, &lost).await?;
    println!("  taken over after {} s", begin.elapsed().as_secs());
    cluster.lab.unmute().await?;
    eventually(SOON, || cluster.ensure_kept("web", vip, &taken)).await
}
