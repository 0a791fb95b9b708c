//! What users and other programs do to Services: ask for the same, write nonsense, write a status that is not theirs.

use std::net::IpAddr;
use std::time::Instant;

use anyhow::{Context as _, ensure};
use cortenlb_crds::IPAddressPool;
use cortenlb_crds::names::COOL_DOWN;
use k8s_openapi::api::core::v1::Service;
use kube::ResourceExt as _;
use kube::api::{Patch, PatchParams, PostParams};
use serde_json::{Value, json};

use super::faults::{POOL, mk_quiet, names};
use crate::cluster::objects::{ADDRESS_ASSIGNED, addresses, condition};
use crate::cluster::{Cluster, SOON, SYSTEM};
use crate::observer::Observer;
use crate::observer::model::{License, Right, version};

/// Two Services of one instant ask for one address: one gets it and the other says who has it, then inherits it.
pub(super) async fn same_address_in_one_instant(cluster: &Cluster) -> anyhow::Result<()> {
    const ROUNDS: u8 = 5;
    cluster.pool("default-addresspool", &[POOL]).await?;
    let observer = Observer::start(cluster).await?;
    for round in 1..=ROUNDS {
        let address = format!("192.0.2.{round}");
        let [left, right] = ["left", "right"].map(|side| format!("{side}-{round}"));
        let ask = |name: &str| mk_quiet(name).annotation("metallb.io/loadBalancerIPs", &address);
        observer.expect([&left, &right], Right::Answered);
        tokio::try_join!(cluster.create(ask(&left)), cluster.create(ask(&right)))?;
        observer.all_right_after(Instant::now(), SOON).await?;
        let wanted = [address.parse::<IpAddr>()?];
        let holds = |name: &str| observer.addresses(name) == wanted;
        let (winner, loser) = match (holds(&left), holds(&right)) {
            (true, false) => (&left, &right),
            (false, true) => (&right, &left),
            both => anyhow::bail!("{address}: {left} and {right} hold it: {both:?}"),
        };
        let refused = cluster
            .condition(loser, ADDRESS_ASSIGNED, "False", "AddressInUse")
            .await?;
        ensure!(
            refused.message.contains(winner.as_str()),
            "the message names no holder: {}",
            refused.message
        );
        ensure!(
            observer.addresses(loser).is_empty(),
            "{loser} has an address as well"
        );

        observer.allow(&cluster.services().get(winner).await?, License::Change);
        observer.forget(winner);
        observer.expect([loser], Right::At(wanted[0]));
        cluster.delete(cluster.services(), winner).await?;
        observer.all_right_after(Instant::now(), SOON).await?;
    }
    observer.finish().await
}

/// Every annotation of a Service that is read, MetalLB's in both spellings.
const ANNOTATIONS: [&str; 10] = [
    "metallb.io/address-pool",
    "metallb.io/loadBalancerIPs",
    "metallb.io/allow-shared-ip",
    "metallb.io/ip-allocated-from-pool",
    "metallb.universe.tf/address-pool",
    "metallb.universe.tf/loadBalancerIPs",
    "metallb.universe.tf/allow-shared-ip",
    "metallb.universe.tf/ip-allocated-from-pool",
    "cortenlb.io/reservation",
    "cortenlb.io/epoch",
];

/// Nonsense, near misses, and things that programs stumble over.
fn nasty() -> Vec<String> {
    let plain = [
        "",
        " ",
        "\t\r\n",
        ",",
        ",,,",
        "192.0.2.1,",
        ",192.0.2.1",
        "192.0.2.1 , 192.0.2.2",
        "192.0.2.1,192.0.2.1",
        "192.0.2.1,2001:db8::1,192.0.2.2",
        "192.0.2.01",
        "192.0.2.256",
        "192.0.2",
        "3221225985",
        "0xc0.0.2.1",
        "192.0.2.1/32",
        "192.0.2.1-192.0.2.5",
        "192.0.2.1:80",
        "[2001:db8::1]",
        "::ffff:192.0.2.1",
        "fe80::1%eth0",
        "0.0.0.0",
        "255.255.255.255",
        "127.0.0.1",
        "\u{0}",
        "\\u0000",
        "default-addresspool\u{0}",
        "DEFAULT-ADDRESSPOOL",
        "../../etc/passwd",
        "{\"a\": [1, null]}",
        "${jndi:ldap://192.0.2.1/}",
        "١٩٢.٠.٢.١",
        "192。0。2。1",
        "\u{202e}1.2.0.291",
        "🦀",
        "e\u{301}",
        "null",
        "true",
        "-1",
    ];
    let huge = [
        "9".repeat(100_000),
        "192.0.2.1,".repeat(5_000),
        "é".repeat(50_000),
    ];
    plain.into_iter().map(str::to_owned).chain(huge).collect()
}

/// Durations that cannot be, or that no sum can hold.
const NO_DURATIONS: [&str; 4] = [
    "5",
    "5m-3m",
    "99999999999999999h",
    "5000000000000000h5000000000000000h",
];

/// Every nasty value in every annotation: each Service is answered with a condition, and those beside them are served.
pub(super) async fn garbage_in_annotations(cluster: &Cluster) -> anyhow::Result<()> {
    cluster
        .pool("default-addresspool", &["192.0.2.0/24", "198.51.100.0/23"])
        .await?;
    let durations = NO_DURATIONS.into_iter().map(str::to_owned);
    for (number, value) in nasty().into_iter().chain(durations).enumerate() {
        let spec = json!({ "addresses": [format!("203.0.113.{number}/32")] });
        let mut pool = IPAddressPool::new(&format!("nasty-{number}"), serde_json::from_value(spec)?);
        pool.annotations_mut().insert(COOL_DOWN.to_owned(), value);
        cluster.api(SYSTEM).create(&PostParams::default(), &pool).await?;
    }
    let observer = Observer::start(cluster).await?;
    let sane = names("sane", 10);
    observer.expect(&sane, Right::Address);
    let mut services = Vec::new();
    for (number, value) in nasty().iter().enumerate() {
        services.extend(
            sane.get(number / 4)
                .filter(|_| number % 4 == 0)
                .map(|name| mk_quiet(name)),
        );
        for (key, annotation) in ANNOTATIONS.iter().enumerate() {
            let name = format!("nasty-{number}-{key}");
            observer.expect([&name], Right::Answered);
            services.push(mk_quiet(&name).annotation(annotation, value));
        }
    }
    let count = services.len();
    let before = restarts(cluster).await?;
    let begin = Instant::now();
    cluster.create_all(services).await?;
    let took = observer.all_right_after(begin, SOON).await?;
    println!("  {count} Services answered after {:.2} s", took.as_secs_f64());
    let after = restarts(cluster).await?;
    ensure!(
        before == after,
        "the controllers' containers had been started again {before} times and now {after}: something crashed them"
    );
    observer.finish().await
}

/// How often the containers of all controllers have been started again.
async fn restarts(cluster: &Cluster) -> anyhow::Result<i32> {
    let pods = cluster.pods("controller").await?.into_iter();
    let containers = pods.filter_map(|pod| pod.status?.container_statuses).flatten();
    Ok(containers.map(|container| container.restart_count).sum())
}

/// A status that somebody else has written is put right: each Service has its own address and its condition again.
pub(super) async fn status_written_by_somebody_else(cluster: &Cluster) -> anyhow::Result<()> {
    cluster.pool("default-addresspool", &[POOL]).await?;
    let observer = Observer::start(cluster).await?;
    let all = ["removed", "replaced", "doubled", "swapped", "unsaid", "bystander"];
    observer.expect(all, Right::Address);
    cluster.create_all(all.map(mk_quiet)).await?;
    observer.all_right_after(Instant::now(), SOON).await?;
    for name in all {
        observer.expect([name], Right::At(one_address(&observer, name)?));
    }
    let ingress = |addresses: Value| json!({ "loadBalancer": { "ingress": addresses } });
    let theirs = one_address(&observer, "bystander")?;
    let own = one_address(&observer, "doubled")?;
    let foreign = json!({ "ip": "203.0.113.7" });
    for (name, status) in [
        ("removed", ingress(json!(null))),
        ("replaced", ingress(json!([foreign]))),
        ("doubled", ingress(json!([{ "ip": own }, { "ip": theirs }]))),
        ("swapped", ingress(json!([{ "ip": theirs }]))),
        ("unsaid", json!({ "conditions": null })),
    ] {
        tamper(cluster, &observer, name, status)
            .await
            .with_context(|| format!("Service {name}"))?;
    }
    observer.finish().await
}

/// Writes `status` over that of a Service, and waits until it is right again.
async fn tamper(cluster: &Cluster, observer: &Observer, name: &str, status: Value) -> anyhow::Result<()> {
    observer.allow(&cluster.services().get(name).await?, License::Tamper);
    let patch = Patch::Merge(json!({ "status": status }));
    let begin = Instant::now();
    let written: Service = cluster
        .services()
        .patch_status(name, &PatchParams::default(), &patch)
        .await?;
    observer
        .right_after_version(name, version(&written), SOON)
        .await?;
    println!("  {name}: put right after {:.2} s", begin.elapsed().as_secs_f64());
    let right = cluster.services().get(name).await?;
    observer.end_license(&right);
    let said = condition(&right, ADDRESS_ASSIGNED).map(|found| found.status.as_str());
    ensure!(
        said == Some("True"),
        "{} with {:?} says {said:?}",
        right.name_any(),
        addresses(&right)
    );
    Ok(())
}

fn one_address(observer: &Observer, name: &str) -> anyhow::Result<IpAddr> {
    let addresses = observer.addresses(name);
    addresses
        .first()
        .copied()
        .with_context(|| format!("Service {name} has no address"))
}
