//! What other tests lean on.

use k8s_openapi::api::core::v1::{ConfigMap, Service};
use kube::{
    Api,
    api::{DeleteParams, ListParams, Patch, PatchParams, PostParams, Preconditions},
    runtime::watcher,
};
use serde_json::json;
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::time::Instant;

use super::*;

const SERVICE: &str = "/api/v1/namespaces/shop/services/web";

fn mk_service() -> Value {
    json!({ "apiVersion": "v1", "kind": "Service", "metadata": {}, "spec": { "type": "LoadBalancer" } })
}

fn services(fake: &Fake) -> Api<Service> {
    Api::namespaced(fake.client(), "shop")
}

fn mk_status(ip: &str) -> Value {
    json!({
        "metadata": { "annotations": { "pool": "a" }, "labels": { "no": "no" } },
        "spec": { "type": "ClusterIP" },
        "status": { "loadBalancer": { "ingress": [{ "ip": ip }] } },
    })
}

async fn patch_status(fake: &Fake, ip: &str) -> kube::Result<Service> {
    let patch = Patch::Merge(mk_status(ip));
    services(fake)
        .patch_status("web", &PatchParams::default(), &patch)
        .await
}

#[test]
fn paths_are_taken_apart() {
    let told = |path: &str| {
        let place = Place::parse(path)?;
        Some((
            place.group,
            place.namespace,
            place.resource,
            place.name,
            place.status,
        ))
    };
    let of = |group: &str, namespace: Option<&str>, resource: &str, name: Option<&str>, status| {
        let owned = |word: Option<&str>| word.map(str::to_owned);
        Some((
            group.to_owned(),
            owned(namespace),
            resource.to_owned(),
            owned(name),
            status,
        ))
    };
    let table = [
        ("/api/v1/services", of("/api/v1", None, "services", None, false)),
        ("/api/v1/nodes/a", of("/api/v1", None, "nodes", Some("a"), false)),
        (
            "/api/v1/nodes/a/status",
            of("/api/v1", None, "nodes", Some("a"), true),
        ),
        (
            "/api/v1/namespaces",
            of("/api/v1", None, "namespaces", None, false),
        ),
        (
            "/api/v1/namespaces/a",
            of("/api/v1", None, "namespaces", Some("a"), false),
        ),
        (
            "/api/v1/namespaces/a/pods",
            of("/api/v1", Some("a"), "pods", None, false),
        ),
        (
            "/apis/g/v1/namespaces/a/pools/b",
            of("/apis/g/v1", Some("a"), "pools", Some("b"), false),
        ),
        (
            "/apis/g/v1/namespaces/a/pools/b/status",
            of("/apis/g/v1", Some("a"), "pools", Some("b"), true),
        ),
        ("/apis/g", None),
        ("/version", None),
        ("", None),
    ];
    for (path, want) in table {
        assert_eq!(told(path), want, "{path}");
    }
    assert_eq!(object_at(SERVICE).path(), SERVICE);
}

#[tokio::test(start_paused = true)]
async fn status_is_apart_and_ip_mode_is_defaulted() {
    let fake = Fake::new();
    fake.put(SERVICE, mk_service());
    patch_status(&fake, "192.0.2.1").await.unwrap();
    let service = fake.object(SERVICE).unwrap();
    assert_eq!(service["spec"]["type"], "LoadBalancer");
    assert_eq!(service["metadata"]["annotations"], json!({ "pool": "a" }));
    assert_eq!(service["metadata"]["labels"], Value::Null);
    let ingress = json!([{ "ip": "192.0.2.1", "ipMode": "VIP" }]);
    assert_eq!(service["status"]["loadBalancer"]["ingress"], ingress);

    let patch = Patch::Merge(json!({ "spec": { "clusterIP": "None" }, "status": null }));
    services(&fake)
        .patch("web", &PatchParams::default(), &patch)
        .await
        .unwrap();
    let service = fake.object(SERVICE).unwrap();
    assert_eq!(service["spec"]["clusterIP"], "None");
    assert_eq!(service["status"]["loadBalancer"]["ingress"], ingress);

    patch_status(&fake, "192.0.2.1").await.unwrap();
    assert_eq!(
        fake.object(SERVICE),
        Some(service),
        "nothing changed, no new version"
    );
}

#[tokio::test(start_paused = true)]
async fn an_apply_creates_or_merges() {
    let fake = Fake::new();
    let maps: Api<ConfigMap> = Api::default_namespaced(fake.client());
    let apply = async |data: Value| {
        let body =
            json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "a" }, "data": data });
        maps.patch("a", &PatchParams::apply("test").force(), &Patch::Apply(body))
            .await
    };
    apply(json!({ "a": "1" })).await.unwrap();
    let map = apply(json!({ "b": "2" })).await.unwrap();
    let keys: Vec<_> = map.data.unwrap().into_keys().collect();
    assert_eq!(keys, ["a", "b"]);
    let params = PatchParams::apply("test").force();
    let absent = services(&fake)
        .patch_status("web", &params, &Patch::Apply(mk_service()))
        .await;
    assert!(matches!(absent, Err(kube::Error::Api(status)) if status.is_not_found()));
}

#[tokio::test(start_paused = true)]
async fn names_are_generated_and_preconditions_heeded() {
    let fake = Fake::new();
    let maps: Api<ConfigMap> = Api::default_namespaced(fake.client());
    let mut map = ConfigMap::default();
    map.metadata.generate_name = Some("l2-".to_owned());
    let first = maps.create(&PostParams::default(), &map).await.unwrap().metadata;
    let second = maps.create(&PostParams::default(), &map).await.unwrap().metadata;
    let (first_name, second_name) = (first.name.unwrap(), second.name.unwrap());
    assert!(first_name.starts_with("l2-") && first_name != second_name);
    assert!(first.uid != second.uid && first.namespace.as_deref() == Some("default"));
    let only = |uid| DeleteParams {
        preconditions: Some(Preconditions {
            uid,
            resource_version: None,
        }),
        ..DeleteParams::default()
    };
    let wrong = maps.delete(&first_name, &only(second.uid)).await;
    assert!(matches!(wrong, Err(kube::Error::Api(status)) if status.code == 409));
    maps.delete(&first_name, &only(first.uid)).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn lists_and_watches_reach_across_namespaces() {
    let fake = Fake::new();
    fake.put(SERVICE, mk_service());
    fake.put("/api/v1/namespaces/bank/services/web", mk_service());
    fake.put("/api/v1/namespaces/bank", json!({}));
    fake.put("/api/v1/namespaces/bank/services/other", mk_service());
    let count = async |api: Api<Service>, params: ListParams| api.list(&params).await.unwrap().items.len();
    let web = || ListParams::default().fields("metadata.name=web");
    assert_eq!(count(Api::all(fake.client()), ListParams::default()).await, 3);
    assert_eq!(count(Api::all(fake.client()), web()).await, 2);
    assert_eq!(count(services(&fake), ListParams::default()).await, 1);

    let all: Api<Service> = Api::all(fake.client());
    let (sender, mut changes) = tokio::sync::mpsc::channel(8);
    let config = watcher::Config::default().fields("metadata.name=web");
    tokio::spawn(crate::watch::watch(
        all,
        config,
        crate::watch::LONGEST_OF_FEW,
        sender,
    ));
    let mut next = async || match changes.recv().await.unwrap() {
        crate::watch::Change::Reset(services) => services.len().to_string(),
        crate::watch::Change::Apply::<Service>(service) | crate::watch::Change::Delete(service) => {
            service.metadata.namespace.unwrap()
        }
    };
    assert_eq!(next().await, "2");
    fake.remove("/api/v1/namespaces/bank/services/other");
    fake.remove("/api/v1/namespaces/bank/services/web");
    assert_eq!(next().await, "bank");
    fake.restart();
    assert_eq!(next().await, "1", "410: a list");
    fake.freeze();
    fake.remove(SERVICE);
    tokio::time::sleep(Duration::from_secs(30)).await;
    let thawed = Instant::now();
    fake.thaw();
    assert_eq!(next().await, "shop");
    assert!(thawed.elapsed() < Duration::from_millis(5));
}

#[tokio::test(start_paused = true)]
async fn a_policy_decides_by_the_request() {
    let fake = Fake::new();
    fake.put(SERVICE, mk_service());
    fake.policy(
        |call| match call.body.pointer("/status/loadBalancer/ingress/0/ip")?.as_str()? {
            "192.0.2.1" => Some(Fault::Busy(7)),
            "192.0.2.2" => Some(Fault::Slow(Duration::from_secs(2))),
            "192.0.2.3" => Some(Fault::Reset),
            _ => None,
        },
    );
    let busy = patch_status(&fake, "192.0.2.1").await;
    assert!(
        matches!(busy, Err(kube::Error::Api(status)) if status.code == 429 && status.details.as_ref().unwrap().retry_after_seconds == 7)
    );
    let start = Instant::now();
    patch_status(&fake, "192.0.2.2").await.unwrap();
    assert_eq!(start.elapsed().as_secs(), 2);
    assert!(patch_status(&fake, "192.0.2.3").await.is_err());
    patch_status(&fake, "192.0.2.4").await.unwrap();

    fake.policy(|call| (call.client == "a").then_some(Fault::Reset));
    let get = async |name: &str| {
        let services: Api<Service> = Api::namespaced(fake.client_of(name), "shop");
        services.get("web").await
    };
    assert!(get("a").await.is_err());
    get("b").await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_held_request_lands_after_its_sender_is_gone() {
    let fake = Fake::new();
    fake.put(SERVICE, mk_service());
    let changes = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&changes);
    fake.observe(move |path, object| noted.lock().unwrap().push((path.to_owned(), object.is_some())));
    fake.script([Some(Fault::Held)]);
    let gone = tokio::time::timeout(Duration::from_secs(1), patch_status(&fake, "192.0.2.1")).await;
    assert!(gone.is_err());
    let held = fake.held().pop().unwrap();
    assert!(!held.is_awaited() && held.call().path.ends_with("/status"));
    assert!(changes.lock().unwrap().is_empty());
    assert_eq!(held.deliver(), Some(200));
    assert_eq!(
        fake.object(SERVICE).unwrap()["status"]["loadBalancer"]["ingress"][0]["ip"],
        "192.0.2.1"
    );
    fake.remove(SERVICE);
    assert_eq!(
        *changes.lock().unwrap(),
        [(SERVICE.to_owned(), true), (SERVICE.to_owned(), false)]
    );
}

#[tokio::test(start_paused = true)]
async fn a_frozen_server_does_later_what_it_was_asked() {
    let fake = Fake::new();
    fake.put(SERVICE, mk_service());
    fake.freeze();
    let gone = tokio::time::timeout(Duration::from_secs(1), patch_status(&fake, "192.0.2.1")).await;
    assert!(gone.is_err());
    let client = fake.clone();
    let waits = tokio::spawn(async move { patch_status(&client, "192.0.2.2").await });
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert!(!waits.is_finished() && fake.object(SERVICE).unwrap()["status"].is_null());
    fake.thaw();
    waits.await.unwrap().unwrap();
    let service = fake.object(SERVICE).unwrap();
    assert_eq!(service["status"]["loadBalancer"]["ingress"][0]["ip"], "192.0.2.2");
    assert_eq!(service["metadata"]["resourceVersion"], "3", "both were done");
}

#[tokio::test(start_paused = true)]
async fn a_killed_server_resets_what_is_under_way() {
    let fake = Fake::new();
    fake.put(SERVICE, mk_service());
    for fault in [Fault::Silence, Fault::Held, Fault::Slow(Duration::from_secs(1))] {
        fake.script([Some(fault)]);
        let client = fake.clone();
        let under_way = tokio::spawn(async move { patch_status(&client, "192.0.2.1").await });
        tokio::time::sleep(Duration::from_millis(1)).await;
        fake.stop();
        assert!(under_way.await.unwrap().is_err(), "{fault:?}");
        assert!(patch_status(&fake, "192.0.2.2").await.is_err());
        fake.start();
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert!(fake.object(SERVICE).unwrap()["status"].is_null(), "{fault:?}");
    }
    patch_status(&fake, "192.0.2.3").await.unwrap();
}
