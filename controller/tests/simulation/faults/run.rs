//! Makes it happen.

use std::collections::BTreeMap;
use std::time::Duration;

use cortenlb_crds::names;
use cortenlb_kit::fake::Fault;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};
use tokio::time::sleep;

use super::ops::{Op, Reserve, Wish};
use crate::cluster::{Cluster, set_wall};
use crate::objects::{
    POOLS, asking_for, is_load_balancer, merge, mk_pool, mk_service, pool_path, service_path,
};
use crate::observer::Who;

const SECOND: Duration = Duration::from_secs(1);
const NAMESPACE: &str = "/api/v1/namespaces/ns";

/// All annotations that are read.
const ANNOTATIONS: [&str; 11] = [
    names::ADDRESS_POOL,
    names::ADDRESS_POOL_DEPRECATED,
    names::LOAD_BALANCER_IPS,
    names::LOAD_BALANCER_IPS_DEPRECATED,
    names::ALLOW_SHARED_IP,
    names::ALLOW_SHARED_IP_DEPRECATED,
    names::IP_ALLOCATED_FROM_POOL,
    names::IP_ALLOCATED_FROM_POOL_DEPRECATED,
    names::RESERVATION,
    names::EPOCH,
    "cortenlb.io/unknown",
];

pub(super) struct Run {
    pub(super) cluster: Cluster,
    rng: StdRng,
    created: u32,
    /// How often somebody else wrote each status: at the third time within a minute it would be left to him.
    rewritten: BTreeMap<usize, u32>,
    slow: bool,
    /// The server may have asked to be left alone for a second.
    busy: bool,
    cools_down: bool,
}

fn service_name(number: usize) -> String {
    format!("s{number}")
}

impl Run {
    pub(super) async fn new(seed: u64) -> Self {
        let mut cluster = Cluster::new(&[("p", mk_pool(&["10.0.0.0-10.0.0.3"]))]);
        cluster.start("pod-0");
        cluster.start("pod-1");
        cluster
            .until(SECOND, "somebody leads", |cluster| cluster.leader().is_some())
            .await;
        Self {
            cluster,
            rng: StdRng::seed_from_u64(seed),
            created: 0,
            rewritten: BTreeMap::new(),
            slow: false,
            busy: false,
            cools_down: false,
        }
    }

    pub(super) async fn act(&mut self, op: Op) {
        match op {
            Op::Edit(number, wish) => self.edit(number, &patch(wish)),
            Op::Delete(number) => self.cluster.delete(&service_name(number)),
            Op::DeleteInFlight(number) => self.delete_in_flight(number).await,
            Op::Twice(one, other, last) => {
                for number in [one, other] {
                    self.edit(number, &asking_for(format!("10.0.0.{last}")));
                }
            }
            Op::Garbage(number, which, text) => {
                self.edit(
                    number,
                    &json!({ "metadata": { "annotations": { ANNOTATIONS[which]: text } } }),
                );
            }
            Op::Rival(number, last) => self.rival(number, last),
            Op::Pools(shape) => self.pools(shape),
            Op::Reserve(number, reserve) => self.reserve(number, reserve),
            Op::Team(ours) => {
                let labels = if ours { json!({ "team": "a" }) } else { json!({}) };
                let namespace =
                    json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "labels": labels } });
                self.cluster.fake.put(NAMESPACE, namespace);
            }
            Op::Errors => self.errors(),
            Op::Slow => {
                self.slow = true;
                let slow = |call: &cortenlb_kit::fake::Call| call.method != "GET";
                self.cluster
                    .fake
                    .policy(move |call| slow(call).then_some(Fault::Slow(2 * SECOND)));
            }
            Op::Calm => self.cluster.fake.policy(|_| None),
            Op::Freeze(seconds) => {
                self.cluster.fake.freeze();
                sleep(u32::from(seconds) * SECOND).await;
                self.cluster.fake.thaw();
            }
            Op::Restart(seconds) => {
                self.cluster.fake.stop();
                sleep(u32::from(seconds) * SECOND).await;
                self.cluster.fake.start();
            }
            Op::Break => self.cluster.fake.break_watches(),
            Op::Kill => {
                if let Some(leader) = self.cluster.leader().filter(|leader| self.cluster.runs(leader)) {
                    self.cluster.kill(&leader).await;
                    self.cluster.start(&leader);
                }
            }
            Op::Wall(hours) => set_wall(i64::from(hours) * 3600),
            Op::Wait(milliseconds) => sleep(Duration::from_millis(milliseconds.into())).await,
        }
    }

    /// Ends all faults; returns within which time the state must be right.
    pub(super) async fn end(&mut self) -> Duration {
        self.cluster.fake.policy(|_| None);
        if self.slow {
            // What was sent before is still slow: that fault ends with the last answer.
            sleep(4 * SECOND).await;
        }
        // A leader may have lost its Lease, or been killed, a moment ago.
        let leads = |cluster: &Cluster| cluster.leader().is_some_and(|leader| cluster.runs(&leader));
        self.cluster.until(6 * SECOND, "somebody leads", leads).await;
        // Addresses that cool down are written once a second.
        SECOND * (1 + u32::from(self.busy) + u32::from(self.cools_down))
    }

    fn edit(&mut self, number: usize, patch: &Value) {
        let name = service_name(number);
        let mut service = self.cluster.service(&name).unwrap_or_else(|| {
            self.created += 1;
            mk_service(self.created)
        });
        merge(&mut service, patch);
        if !is_load_balancer(&service) {
            // As the API server does.
            merge(&mut service, &json!({ "status": { "loadBalancer": null } }));
        }
        self.cluster.put(&name, service);
    }

    async fn delete_in_flight(&mut self, number: usize) {
        let path = service_path(&service_name(number)) + "/status";
        self.cluster
            .fake
            .policy(move |call| (call.path == path).then_some(Fault::Held));
        self.edit(number, &patch(Wish::Plain));
        self.edit(
            number,
            &json!({ "metadata": { "labels": { "again": self.created.to_string() } } }),
        );
        sleep(SECOND / 10).await;
        self.cluster.delete(&service_name(number));
        if self.rng.random_bool(0.5) {
            self.edit(number, &patch(Wish::Plain));
        }
        self.cluster.fake.policy(|_| None);
        for held in self.cluster.fake.held() {
            held.deliver();
        }
    }

    fn rival(&mut self, number: usize, last: u8) {
        let rewritten = self.rewritten.entry(number).or_default();
        let Some(mut service) = self.cluster.service(&service_name(number)) else {
            return;
        };
        if is_load_balancer(&service) && *rewritten < 2 {
            *rewritten += 1;
            service["status"]["loadBalancer"] = json!({ "ingress": [{ "ip": format!("10.0.0.{last}") }] });
            let cluster = &self.cluster;
            let path = service_path(&service_name(number));
            cluster
                .observer
                .acting(Who::Rival, || cluster.fake.put(&path, service));
        }
    }

    fn pools(&mut self, shape: usize) {
        let with = |addresses: &[&str], patch: &Value| {
            let mut pool = mk_pool(addresses);
            merge(&mut pool, patch);
            pool
        };
        let cooling = json!({ "metadata": { "annotations": { names::COOL_DOWN: "5s" } } });
        let team = json!({ "spec": { "serviceAllocation": {
            "namespaceSelectors": [{ "matchLabels": { "team": "a" } }],
        } } });
        let wide = ["10.0.0.0-10.0.0.3"];
        let (p, q) = match shape {
            0 => (Some(mk_pool(&wide)), None),
            1 => (Some(mk_pool(&["10.0.0.0-10.0.0.3", "fd00::/126"])), None),
            2 => (Some(mk_pool(&["10.0.0.0/31"])), Some(mk_pool(&["10.0.0.4/31"]))),
            3 => (Some(with(&wide, &team)), Some(mk_pool(&["10.0.0.6/31"]))),
            4 => (Some(with(&wide, &cooling)), None),
            5 => (
                Some(mk_pool(&["10.0.0.0/30"])),
                Some(mk_pool(&["10.0.0.2/30", "nonsense"])),
            ),
            _ => (None, Some(mk_pool(&["10.0.0.0/29"]))),
        };
        self.cools_down |= shape == 4;
        // Who asks for a pool by name moves to it, and a reservation keeps an address of its pool.
        let named = [
            names::ADDRESS_POOL,
            names::ADDRESS_POOL_DEPRECATED,
            names::RESERVATION,
        ];
        self.cluster.observer.concern(&named);
        for (name, pool) in [("p", p), ("q", q)] {
            let path = pool_path(name);
            match (pool, self.cluster.fake.object(&path)) {
                (Some(mut pool), Some(before)) => {
                    pool["status"] = before["status"].clone();
                    self.cluster.fake.put(&path, pool);
                }
                (Some(pool), None) => self.cluster.fake.put(&path, pool),
                (None, _) => self.cluster.fake.remove(&path),
            }
        }
        assert!(!self.cluster.fake.objects(POOLS).is_empty());
    }

    fn reserve(&mut self, number: usize, reserve: Option<Reserve>) {
        self.cluster.observer.concern(&[names::RESERVATION]);
        let path = format!("/apis/cortenlb.io/v1alpha1/namespaces/ns/addressreservations/r{number}");
        let Some(Reserve {
            address,
            service,
            retain,
        }) = reserve
        else {
            return self.cluster.fake.remove(&path);
        };
        let address = address.map(|last| format!("10.0.0.{last}"));
        let before = self.cluster.fake.object(&path).unwrap_or_default();
        let reservation = json!({
            "apiVersion": "cortenlb.io/v1alpha1",
            "kind": "AddressReservation",
            "metadata": {},
            "spec": {
                "pool": "p",
                "address": address,
                "services": [service_name(service)],
                "reclaimPolicy": if retain { "Retain" } else { "Release" },
            },
            "status": before["status"],
        });
        self.cluster.fake.put(&path, reservation);
    }

    fn errors(&mut self) {
        self.busy = true;
        let mut rng = StdRng::seed_from_u64(self.rng.random());
        self.cluster.fake.policy(move |call| {
            if !rng.random_bool(0.4) {
                return None;
            }
            Some(match rng.random_range(0..7) {
                0 if call.method != "GET" => Fault::Code(409),
                1 => Fault::Busy(1),
                2 => Fault::Code(500),
                3 => Fault::Code(503),
                4 => Fault::AnswerLost,
                5 => Fault::Reset,
                _ => Fault::Slow(Duration::from_millis(rng.random_range(0..300))),
            })
        });
    }
}

/// A wish replaces the one before it.
fn patch(wish: Wish) -> Value {
    let mut patch = json!({
        "metadata": { "annotations": {
            names::LOAD_BALANCER_IPS: null, names::ALLOW_SHARED_IP: null,
            names::ADDRESS_POOL: null, names::RESERVATION: null,
        } },
        "spec": {
            "type": "LoadBalancer", "clusterIPs": ["10.96.0.1"], "ipFamilyPolicy": "SingleStack",
            "ports": [{ "port": 80 }],
        },
    });
    let change = match wish {
        Wish::Plain => json!({}),
        Wish::Address(last) => asking_for(format!("10.0.0.{last}")),
        Wish::Dual => json!({ "spec": {
            "clusterIPs": ["10.96.0.1", "fd96::1"], "ipFamilyPolicy": "PreferDualStack",
        } }),
        Wish::Sharing(port) => json!({
            "metadata": { "annotations": { names::ALLOW_SHARED_IP: "k" } },
            "spec": { "ports": [{ "port": port }] },
        }),
        Wish::Reservation(number) => {
            json!({ "metadata": { "annotations": { names::RESERVATION: format!("r{number}") } } })
        }
        Wish::Pool(second) => {
            let pool = if second { "q" } else { "p" };
            json!({ "metadata": { "annotations": { names::ADDRESS_POOL: pool } } })
        }
        Wish::NoLoadBalancer => json!({ "spec": { "type": "ClusterIP" } }),
    };
    overlay(&mut patch, &change);
    patch
}

/// Lays one patch over another; unlike [`merge`], a null in it stays.
fn overlay(patch: &mut Value, change: &Value) {
    match (patch, change) {
        (Value::Object(patch), Value::Object(change)) => {
            for (name, value) in change {
                overlay(patch.entry(name.clone()).or_insert(Value::Null), value);
            }
        }
        (patch, change) => *patch = change.clone(),
    }
}
