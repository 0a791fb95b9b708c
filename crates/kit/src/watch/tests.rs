use std::time::Duration;

use k8s_openapi::api::core::v1::ConfigMap;
use kube::{Api, ResourceExt};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use tokio::time::Instant;

use super::{Change, Config, LONGEST_OF_FEW, watch, watch_if_installed};
use crate::{
    fake::{Fake, Fault},
    logs::tests::Captured,
};

const COLLECTION: &str = "/api/v1/namespaces/default/configmaps";

fn path(name: &str) -> String {
    format!("{COLLECTION}/{name}")
}

fn mk_map(name: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": { "name": name, "managedFields": [{ "manager": "somebody" }] },
    })
}

/// `apply a`, `delete a`, `reset a b`: the change and the objects' names.
fn told(change: Change<ConfigMap>) -> String {
    let stripped = |object: ConfigMap| {
        assert_eq!(object.metadata.managed_fields, None);
        object.name_any()
    };
    match change {
        Change::Apply(object) => format!("apply {}", stripped(object)),
        Change::Delete(object) => format!("delete {}", stripped(object)),
        Change::Reset(objects) => {
            format!(
                "reset {}",
                objects.into_iter().map(stripped).collect::<Vec<_>>().join(" ")
            )
        }
    }
}

fn start(fake: &Fake, queue: usize) -> mpsc::Receiver<Change<ConfigMap>> {
    let (sender, receiver) = mpsc::channel(queue);
    tokio::spawn(watch(
        Api::default_namespaced(fake.client()),
        Config::default(),
        LONGEST_OF_FEW,
        sender,
    ));
    receiver
}

async fn next(changes: &mut mpsc::Receiver<Change<ConfigMap>>) -> String {
    told(changes.recv().await.expect("the watch goes on"))
}

#[tokio::test(start_paused = true)]
async fn a_list_is_one_reset_and_changes_follow() {
    let fake = Fake::new();
    fake.put(&path("a"), mk_map("a"));
    fake.put(&path("b"), mk_map("b"));
    let mut changes = start(&fake, 8);
    assert_eq!(next(&mut changes).await, "reset a b");
    fake.put(&path("c"), mk_map("c"));
    assert_eq!(next(&mut changes).await, "apply c");
    fake.remove(&path("a"));
    assert_eq!(next(&mut changes).await, "delete a");
}

#[tokio::test(start_paused = true)]
async fn an_empty_list_is_told_too() {
    let mut changes = start(&Fake::new(), 8);
    assert_eq!(next(&mut changes).await, "reset ");
}

#[tokio::test(start_paused = true)]
async fn a_broken_watch_resumes_where_it_was() {
    let fake = Fake::new();
    fake.put(&path("a"), mk_map("a"));
    let mut changes = start(&fake, 8);
    assert_eq!(next(&mut changes).await, "reset a");
    fake.put(&path("b"), mk_map("b"));
    assert_eq!(next(&mut changes).await, "apply b");
    fake.break_watches();
    fake.put(&path("c"), mk_map("c"));
    assert_eq!(next(&mut changes).await, "apply c");
    assert_eq!(
        fake.log()
            .iter()
            .filter(|request| request.starts_with("GET"))
            .count(),
        3,
        "list, watch, watch"
    );
}

/// The fake never ends a watch by itself: it is a server that hangs.
#[tokio::test(start_paused = true)]
async fn a_watch_that_says_nothing_is_begun_again() {
    let fake = Fake::new();
    let mut changes = start(&fake, 8);
    assert_eq!(next(&mut changes).await, "reset ");
    let watches = || {
        fake.log()
            .iter()
            .filter(|request| request.starts_with("GET"))
            .count()
            - 1
    };
    tokio::time::sleep(Duration::from_secs(64)).await;
    assert_eq!(watches(), 1);
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(watches(), 2);
}

/// After a restore of etcd the start of the watch is refused, which the watcher alone would repeat for ever.
#[tokio::test(start_paused = true)]
async fn a_watch_that_cannot_start_lists_again() {
    let fake = Fake::new();
    fake.put(&path("a"), mk_map("a"));
    let mut changes = start(&fake, 8);
    assert_eq!(next(&mut changes).await, "reset a");
    fake.remove(&path("a"));
    assert_eq!(next(&mut changes).await, "delete a");
    fake.break_watches();
    fake.put(&path("b"), mk_map("b"));
    fake.compact();
    assert_eq!(next(&mut changes).await, "reset b");
}

/// A list of all there is would be the last thing that a server needs which sheds load.
#[tokio::test(start_paused = true)]
async fn a_watch_that_is_asked_to_wait_resumes_where_it_was() {
    let fake = Fake::new();
    fake.put(&path("a"), mk_map("a"));
    let mut changes = start(&fake, 8);
    assert_eq!(next(&mut changes).await, "reset a");
    let mut refusals = [Fault::Busy(1), Fault::Code(503), Fault::Code(401)].into_iter();
    fake.policy(move |_| refusals.next());
    fake.break_watches();
    fake.put(&path("b"), mk_map("b"));
    assert_eq!(next(&mut changes).await, "apply b");
    let log = fake.log();
    let lists = log.iter().filter(|request| request.starts_with("GET")).count();
    assert_eq!(lists, 6, "list, watch, three refusals, watch: {log:?}");
}

/// Killed for a minute, frozen for three: the change is told within a second of its return.
#[tokio::test(start_paused = true)]
async fn a_server_that_was_away_is_found_within_a_second() {
    let fake = Fake::new();
    let mut changes = start(&fake, 8);
    assert_eq!(next(&mut changes).await, "reset ");
    fake.stop();
    fake.put(&path("a"), mk_map("a"));
    let before = fake.log().len();
    tokio::time::sleep(Duration::from_secs(60)).await;
    let asked = fake.log().len() - before;
    assert!(asked <= 120, "{asked} requests in a minute");
    let back = Instant::now();
    fake.start();
    assert_eq!(next(&mut changes).await, "reset a");
    assert!(back.elapsed() < Duration::from_secs(1), "{:?}", back.elapsed());

    fake.freeze();
    fake.put(&path("b"), mk_map("b"));
    tokio::time::sleep(Duration::from_secs(180)).await;
    let back = Instant::now();
    fake.thaw();
    assert_eq!(next(&mut changes).await, "apply b");
    assert!(back.elapsed() < Duration::from_secs(1), "{:?}", back.elapsed());
}

/// A right that is missing: each list succeeds, and no watch does.
#[tokio::test(start_paused = true)]
async fn a_watch_that_is_always_refused_is_not_tried_in_a_loop() {
    for code in [403, 410] {
        let fake = Fake::new();
        fake.policy(move |call| call.query.contains("watch=true").then_some(Fault::Code(code)));
        let mut changes = start(&fake, 8);
        tokio::spawn(async move { while changes.recv().await.is_some() {} });
        tokio::time::sleep(Duration::from_secs(60)).await;
        let asked = fake.log().len();
        assert!(
            asked <= 250,
            "{code}: {asked} requests in a minute, two for each try"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_full_channel_loses_nothing() {
    let fake = Fake::new();
    let mut changes = start(&fake, 1);
    assert_eq!(next(&mut changes).await, "reset ");
    for number in 0..100 {
        fake.put(&path(&number.to_string()), mk_map(&number.to_string()));
    }
    for number in 0..100 {
        assert_eq!(next(&mut changes).await, format!("apply {number}"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_watch_ends_with_its_reader() {
    let fake = Fake::new();
    let (sender, changes) = mpsc::channel::<Change<ConfigMap>>(8);
    let task = tokio::spawn(watch(
        Api::default_namespaced(fake.client()),
        Config::default(),
        LONGEST_OF_FEW,
        sender,
    ));
    drop(changes);
    task.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_kind_that_is_not_installed_has_no_objects_until_it_is() {
    let fake = Fake::new();
    fake.policy(|call| (call.method == "GET").then_some(Fault::Code(404)));
    let (sender, mut changes) = mpsc::channel(4);
    tokio::spawn(watch_if_installed::<ConfigMap, Change<ConfigMap>>(
        Api::default_namespaced(fake.client()),
        Config::default(),
        LONGEST_OF_FEW,
        sender,
    ));
    assert_eq!(next(&mut changes).await, "reset ");
    fake.put(&path("a"), mk_map("a"));
    fake.policy(|_| None);
    assert_eq!(next(&mut changes).await, "reset a");
}

#[test]
fn a_change_may_say_something_about_one_object() {
    let map = |name: &str| serde_json::from_value::<ConfigMap>(mk_map(name)).unwrap();
    let said = |change: Change<ConfigMap>| change.about("a").map(|object| object.map(|it| it.name_any()));
    let a = Some(Some("a".to_owned()));
    assert_eq!(said(Change::Apply(map("a"))), a);
    assert_eq!(said(Change::Apply(map("b"))), None);
    assert_eq!(said(Change::Delete(map("a"))), Some(None));
    assert_eq!(said(Change::Delete(map("b"))), None);
    assert_eq!(said(Change::Reset(vec![map("b"), map("a")])), a);
    assert_eq!(said(Change::Reset(vec![map("b")])), Some(None));
}

/// The client says that nobody answers, once for all watches; a refusal is this watch's own.
#[tokio::test(start_paused = true)]
async fn a_watch_tells_of_a_refusal_that_lasts_and_of_nothing_else() {
    let captured = Captured::new();
    let fake = Fake::new();
    let mut changes = start(&fake, 8);
    assert_eq!(next(&mut changes).await, "reset ");
    fake.stop();
    tokio::time::sleep(Duration::from_secs(60)).await;
    fake.put(&path("a"), mk_map("a"));
    fake.start();
    assert_eq!(next(&mut changes).await, "reset a");
    assert_eq!(captured.told(), [""; 0]);

    fake.policy(|_| Some(Fault::Code(403)));
    fake.restart();
    tokio::time::sleep(Duration::from_secs(60)).await;
    fake.policy(|_| None);
    assert_eq!(next(&mut changes).await, "reset a");
    tokio::time::sleep(Duration::from_secs(30)).await;
    fake.put(&path("b"), mk_map("b"));
    assert_eq!(next(&mut changes).await, "apply b");
    assert_eq!(
        captured.told(),
        [
            "warn: watch refused: it is tried until it succeeds",
            "info: watch goes on"
        ]
    );
}
