//! How many writes what happens costs. Counted, not timed.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use cortenlb_controller::index::{Effect, Index, Input, Key, Lead, Now, Settings, View};
use cortenlb_core::time::Instant;
use cortenlb_kit::lease::Predecessor;
use cortenlb_kit::watch::Change;
use cortenlb_kit::write::{Outcome, Write};
use k8s_openapi::jiff::Timestamp;
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::cluster::Cluster;
use crate::objects::{asking_for, merge, mk_pool, mk_service, shown};

const SECOND: Duration = Duration::from_secs(1);

/// A debug build on a busy machine does a thousand in some seconds.
const MANY: u32 = 1_000;

/// Two replicas, and `count` Services `s0` and so on, the oldest first.
async fn with_services(addresses: &str, count: u32) -> Cluster {
    let mut cluster = Cluster::new(&[("p", mk_pool(&[addresses]))]);
    cluster.start("pod-0");
    cluster.start("pod-1");
    cluster
        .until(SECOND, "somebody leads", |cluster| cluster.leader().is_some())
        .await;
    for number in 0..count {
        cluster.put(&format!("s{number}"), mk_service(number));
    }
    cluster.until_right(5 * SECOND).await;
    sleep(2 * SECOND).await;
    cluster
}

/// The writes since `before`, by path.
fn since(cluster: &Cluster, before: usize) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for line in &cluster.writes()[before..] {
        *counts.entry(line.clone()).or_default() += 1;
    }
    counts
}

fn status_of(name: &str) -> String {
    format!("PATCH /api/v1/namespaces/ns/services/{name}/status")
}

const POOL: &str = "PATCH /apis/metallb.io/v1beta1/namespaces/metallb-system/ipaddresspools/p/status";

#[tokio::test(start_paused = true)]
async fn a_freed_address_costs_one_write_however_many_wait() {
    let cluster = with_services("10.0.0.0/32", MANY).await;
    assert_eq!(cluster.shown("s0"), "10.0.0.0");
    let before = cluster.writes().len();
    // What frees nothing costs nothing.
    cluster.delete(&format!("s{}", MANY - 1));
    cluster.edit("s7", &json!({ "metadata": { "labels": { "a": "b" } } }));
    let namespace =
        json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "labels": { "a": "b" } } });
    cluster.fake.put("/api/v1/namespaces/ns", namespace);
    cluster.edit("s0", &json!({ "metadata": { "labels": { "a": "b" } } }));
    sleep(5 * SECOND).await;
    assert_eq!(since(&cluster, before), BTreeMap::new());
    cluster.delete("s0");
    sleep(5 * SECOND).await;
    assert_eq!(cluster.shown("s1"), "10.0.0.0");
    let mut counts = since(&cluster, before);
    // The condition that tells whether it is announced may come in a second one.
    assert!((1..=2).contains(&counts.remove(&status_of("s1")).unwrap()));
    counts.remove(POOL);
    assert_eq!(counts, BTreeMap::new());
    cluster.observer.check();
}

#[tokio::test(start_paused = true)]
async fn from_creation_to_rest_there_are_two_writes_at_most_and_a_new_list_costs_none() {
    let mut cluster = with_services("10.0.0.0/20", MANY).await;
    let counts = since(&cluster, 0);
    let most = |counts: &BTreeMap<String, usize>| {
        let services = counts.iter().filter(|(path, _)| path.contains("/services/"));
        services.map(|(_, count)| *count).max().unwrap_or_default()
    };
    assert!(most(&counts) <= 2, "{}", most(&counts));
    let before = cluster.writes().len();
    let lists = cluster.fake.log().len();
    cluster.fake.compact();
    sleep(5 * SECOND).await;
    let requests = cluster.fake.log();
    let is_list = |line: &&String| *line == "GET /api/v1/services";
    assert!(
        requests[lists..].iter().filter(is_list).count() >= 4,
        "both have listed and watch again"
    );
    assert_eq!(since(&cluster, before), BTreeMap::new());
    // Neither does a new leader.
    let leader = cluster.leader().unwrap();
    cluster.terminate(&leader).await;
    sleep(5 * SECOND).await;
    assert_ne!(cluster.leader(), Some(leader));
    assert_eq!(since(&cluster, before), BTreeMap::new());
    cluster.observer.check();
}

#[tokio::test(start_paused = true)]
async fn ten_idle_minutes_cost_nothing_but_the_lease() {
    let cluster = with_services("10.0.0.0/24", 100).await;
    let before = cluster.fake.log().len();
    sleep(600 * SECOND).await;
    let requests = cluster.fake.log().split_off(before);
    let (reads, writes): (Vec<_>, Vec<_>) = requests.into_iter().partition(|line| line.starts_with("GET"));
    let (renewals, others): (Vec<_>, Vec<_>) = writes.into_iter().partition(|line| line.contains("/leases"));
    assert_eq!(others, [""; 0]);
    assert!(
        (590..=610).contains(&renewals.len()),
        "one a second: {}",
        renewals.len()
    );
    // Two times thirteen watches, each begun anew once a minute. Nobody reads a Lease that is watched.
    assert!(reads.len() <= 2 * 13 * 11, "{}", reads.len());
}

/// The pure index, with ten thousand: what it wants written.
struct Many {
    index: Index,
    now: Now,
    writes: Vec<Write<Key>>,
    objects: BTreeMap<String, Value>,
    version: u64,
}

impl Many {
    /// Leads, with a pool of these addresses and ten thousand Services, the oldest first.
    fn new(addresses: &str) -> Self {
        let mut many = Self {
            index: Index::new(Settings::default()),
            now: Now {
                boot: Instant(0),
                wall: Timestamp::UNIX_EPOCH,
            },
            writes: Vec::new(),
            objects: BTreeMap::new(),
            version: 0,
        };
        for number in 0..10_000 {
            many.put(&format!("s{number}"), mk_service(number));
        }
        let mut pool = mk_pool(&[addresses]);
        pool["metadata"]["name"] = "p".into();
        let pool = serde_json::from_value(pool).unwrap();
        many.list();
        many.input(Input::Pools(Change::Reset(vec![pool])));
        many.input(Input::Namespaces(Change::Reset(Vec::new())));
        many.input(Input::Reservations(Change::Reset(Vec::new())));
        many.input(Input::Rivals(Change::Reset(Vec::new()).into()));
        many.input(Input::Lead(Some(Lead {
            epoch: 0,
            predecessor: Predecessor::Fresh,
        })));
        many
    }

    /// Tells all Services as they are, as a list does after a watch broke.
    fn list(&mut self) {
        let listed = self.objects.keys().map(|name| self.view(name)).collect();
        self.input(Input::Services(Change::Reset(listed)));
    }

    fn input(&mut self, input: Input) {
        self.index.handle_input(self.now, input);
        while let Some(effect) = self.index.poll_output() {
            if let Effect::Write(write) = effect {
                self.writes.push(write);
            }
        }
    }

    fn view(&self, name: &str) -> View {
        View::of(&serde_json::from_value(self.objects[name].clone()).unwrap(), None)
    }

    /// Does all writes of Services, and tells the watch; returns how many.
    fn settle(&mut self) -> usize {
        let mut done = 0;
        while let Some(write) = self.writes.pop() {
            let (Key::Service(key), cortenlb_kit::write::Op::Patch { body, .. }) = (&write.key, &write.op)
            else {
                continue;
            };
            let name = key.name().to_owned();
            self.version += 1;
            let object = self.objects.get_mut(&name).unwrap();
            merge(object, &body.read());
            object["metadata"]["resourceVersion"] = self.version.to_string().into();
            let answer = serde_json::from_value(object.clone()).unwrap();
            let result = Ok(Some(Box::new(answer)));
            self.input(Input::Written(Box::new(Outcome {
                write,
                term: 0,
                result,
            })));
            let view = self.view(&name);
            self.input(Input::Services(Change::Apply(view)));
            done += 1;
        }
        done
    }

    fn put(&mut self, name: &str, mut object: Value) {
        self.version += 1;
        merge(
            &mut object,
            &json!({ "metadata": {
                "name": name, "namespace": "ns", "uid": name, "resourceVersion": self.version.to_string(),
            } }),
        );
        self.objects.insert(name.to_owned(), object);
    }

    fn tell(&mut self, name: &str) {
        let view = self.view(name);
        self.input(Input::Services(Change::Apply(view)));
    }
}

#[test]
fn ten_thousand_that_wait_cost_nothing_until_an_address_is_free() {
    let mut many = Many::new("10.0.0.0/32");
    assert_eq!(many.settle(), 10_000);
    // Listed again: nothing.
    many.list();
    assert_eq!(many.settle(), 0);
    // The holder asks for something that is not to be had: one condition, and nobody else is concerned.
    let mut holder = many.objects["s0"].clone();
    merge(&mut holder, &asking_for("10.0.0.9"));
    many.put("s0", holder);
    many.tell("s0");
    assert_eq!(many.settle(), 1);
    let holder = many.view("s0");
    many.objects.remove("s0");
    many.input(Input::Services(Change::Delete(holder)));
    let served: Vec<&Key> = many.writes.iter().map(|write| &write.key).collect();
    let served = served
        .iter()
        .filter(|key| matches!(key, Key::Service(key) if key.name() == "s1"));
    assert_eq!(served.count(), 1, "the oldest that waits");
    assert_eq!(many.settle(), 1);
}

#[test]
fn ten_thousand_that_have_their_addresses_cost_nothing_when_they_are_listed_again() {
    let mut many = Many::new("10.0.0.0/18");
    assert_eq!(many.settle(), 10_000);
    let shown: BTreeSet<IpAddr> = many.objects.values().flat_map(shown).collect();
    assert_eq!(shown.len(), 10_000);
    many.list();
    assert_eq!(many.settle(), 0);
    // The list tells also what was missed: one that lost its address while nobody watched.
    many.put("s7", mk_service(7));
    many.list();
    assert_eq!(many.settle(), 1);
}
