//! Random sequences of what users, administrators, other controllers, the network and the clock do. After the last
//! fault's end the state is right within a second, and meanwhile no address was held twice.

mod ops;
mod run;

use std::time::Duration;

use cortenlb_crds::names;
use cortenlb_kit::fake::Fault;
use proptest::prelude::*;
use proptest::test_runner::Config;
use serde_json::json;
use tokio::time::sleep;

use crate::cluster::Cluster;
use crate::faults::ops::{Op, op};
use crate::faults::run::Run;
use crate::objects::{mk_pool, mk_service, service_path};
use crate::oracle;

const SECOND: Duration = Duration::from_secs(1);

/// A debug build does about twenty a second; `PROPTEST_CASES` asks for more.
fn cases() -> u32 {
    let asked = std::env::var("PROPTEST_CASES");
    asked.map_or(256, |text| text.parse().unwrap())
}

fn play(ops: Vec<Op>, seed: u64) {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.enable_all().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let mut run = Run::new(seed).await;
        for op in ops {
            run.act(op).await;
            run.cluster.observer.check();
        }
        let limit = run.end().await;
        run.cluster.until_right(limit).await;
        run.cluster.observer.settled();
        // And it stays right. Counters follow within a second, and what cools down does for five.
        sleep(7 * SECOND).await;
        let before = run.cluster.writes();
        sleep(20 * SECOND).await;
        run.cluster.observer.check();
        assert_eq!(run.cluster.writes()[before.len()..], [""; 0]);
        let missing = oracle::missing(&run.cluster.fake, &run.cluster.settings, true);
        assert!(missing.is_empty(), "{missing:#?}");
    });
}

proptest! {
    #![proptest_config(Config { cases: cases(), max_shrink_iters: 200, ..Config::default() })]

    #[test]
    fn after_the_last_fault_the_state_is_right(ops in proptest::collection::vec(op(), 1..25), seed: u64) {
        play(ops, seed);
    }
}

/// The write lands, its answer is lost, and what is sent again meets 409.
#[tokio::test(start_paused = true)]
async fn a_lost_answer_loses_no_event() {
    let mut cluster = Cluster::new(&[("p", mk_pool(&["10.0.0.0/32"]))]);
    cluster.start("pod");
    cluster
        .until(SECOND, "somebody leads", |cluster| cluster.leader().is_some())
        .await;
    let mut lost = false;
    cluster.fake.policy(move |call| {
        let gives = call.body.pointer("/status/loadBalancer/ingress").is_some();
        (gives && !std::mem::replace(&mut lost, true)).then_some(Fault::AnswerLost)
    });
    cluster.put("web", mk_service(1));
    cluster.until_right(2 * SECOND).await;
    sleep(SECOND).await;
    let events = cluster.fake.objects("/api/v1/namespaces/ns/events/");
    let told = events.iter().filter(|event| event["reason"] == "IPAllocated");
    assert_eq!(told.count(), 1, "{events:?}");
}

/// Whatever it asks for: that has not changed since it got its address.
#[tokio::test(start_paused = true)]
async fn the_observer_sees_a_move_of_who_names_a_pool_or_shares() {
    for (annotation, value) in [
        (names::ADDRESS_POOL, "p"),
        (names::ALLOW_SHARED_IP, "k"),
        (names::LOAD_BALANCER_IPS_DEPRECATED, "10.0.0.9"),
    ] {
        let mut cluster = Cluster::new(&[("p", mk_pool(&["10.0.0.0/24"]))]);
        cluster.start("pod");
        let mut service = mk_service(1);
        service["metadata"]["annotations"] = json!({ annotation: value });
        cluster.put("web", service);
        cluster.until_right(2 * SECOND).await;
        // As a controller with a bug would.
        let mut moved = cluster.service("web").unwrap();
        moved["status"]["loadBalancer"]["ingress"] = json!([{ "ip": "10.0.0.77" }]);
        cluster.fake.put(&service_path("web"), moved);
        let violations = cluster.observer.violations();
        assert!(
            violations.len() == 1 && violations[0].contains("was taken away unasked"),
            "{annotation}: {violations:?}"
        );
    }
}
