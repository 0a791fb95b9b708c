//! The election's task against the fake API server.

use serde_json::{Value, json};
use tokio::{sync::watch, time::Instant};
use tokio_util::sync::CancellationToken;

use super::SECOND;
use crate::{
    fake::{Fake, Fault},
    lease::{Candidate, Claim, Predecessor, Timing, run},
    logs::tests::Captured,
};

const PATH: &str = "/apis/coordination.k8s.io/v1/namespaces/metallb-system/leases/metallb-controller";

struct Running {
    claims: watch::Receiver<Claim>,
    shutdown: CancellationToken,
    task: tokio::task::JoinHandle<()>,
}

fn start(fake: &Fake, identity: &str) -> Running {
    let (sender, claims) = watch::channel(Claim::none());
    let shutdown = CancellationToken::new();
    let candidate = Candidate {
        namespace: "metallb-system".to_owned(),
        name: "metallb-controller".to_owned(),
        identity: identity.to_owned(),
        timing: Timing::default(),
    };
    let task = tokio::spawn(run(fake.client(), candidate, sender, shutdown.clone()));
    Running {
        claims,
        shutdown,
        task,
    }
}

fn holder(fake: &Fake) -> Value {
    fake.object(PATH).expect("the Lease exists")["spec"]["holderIdentity"].clone()
}

#[tokio::test(start_paused = true)]
async fn a_released_lease_is_taken_at_once() {
    let fake = Fake::new();
    let mut first = start(&fake, "first");
    first.claims.wait_for(|claim| claim.held).await.unwrap();
    assert_eq!(first.claims.borrow().predecessor, Predecessor::Fresh);
    let mut second = start(&fake, "second");
    tokio::time::sleep(61 * SECOND).await;
    assert!(first.claims.borrow().holds(Instant::now()) && !second.claims.borrow().held);
    let reads = |fake: &Fake| {
        let read = format!("GET {PATH}");
        fake.log().iter().filter(|request| **request == read).count()
    };
    assert!(reads(&fake) <= 4, "the watch tells enough");

    let released = Instant::now();
    first.shutdown.cancel();
    first.task.await.unwrap();
    let claim = *second.claims.wait_for(|claim| claim.held).await.unwrap();
    assert!(released.elapsed() < SECOND / 20, "{:?}", released.elapsed());
    assert_eq!((claim.transitions, claim.predecessor), (1, Predecessor::Released));
    assert_eq!(holder(&fake), "second");
}

/// A watch that is silent without being broken.
#[tokio::test(start_paused = true)]
async fn a_release_that_is_not_told_is_read() {
    let fake = Fake::new();
    let mut first = start(&fake, "first");
    first.claims.wait_for(|claim| claim.held).await.unwrap();
    let mut second = start(&fake, "second");
    tokio::time::sleep(9 * SECOND).await;
    fake.mute_watches();
    tokio::time::sleep(9 * SECOND).await;
    assert!(first.claims.borrow().held && !second.claims.borrow().held);
    let released = Instant::now();
    first.shutdown.cancel();
    second.claims.wait_for(|claim| claim.held).await.unwrap();
    assert!(released.elapsed() <= SECOND, "{:?}", released.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_holder_that_vanishes_is_followed_as_expired() {
    let fake = Fake::new();
    let mut first = start(&fake, "first");
    first.claims.wait_for(|claim| claim.held).await.unwrap();
    let mut second = start(&fake, "second");
    tokio::time::sleep(5 * SECOND + SECOND / 2).await;
    // Half a second after a renewal.
    first.task.abort();
    let gone = Instant::now();
    let claim = *second.claims.wait_for(|claim| claim.held).await.unwrap();
    assert!(
        gone.elapsed() >= 4 * SECOND && gone.elapsed() <= 5 * SECOND,
        "{:?}",
        gone.elapsed()
    );
    assert_eq!(claim.predecessor, Predecessor::Expired);
    assert!(
        !first.claims.borrow().holds(Instant::now()),
        "the claim that it left behind has run out"
    );
}

#[tokio::test(start_paused = true)]
async fn a_holder_without_an_api_server_says_so_in_time() {
    let fake = Fake::new();
    let mut only = start(&fake, "only");
    only.claims.wait_for(|claim| claim.held).await.unwrap();
    let until = only.claims.borrow().until.unwrap();
    fake.script([Some(Fault::Code(503)), Some(Fault::Silence), Some(Fault::Silence)]);
    tokio::time::sleep_until(until).await;
    assert!(!only.claims.borrow().holds(Instant::now()), "by the clock");
    // And goes on with its term: nobody else has led.
    let mut claim = Claim::none();
    while !claim.holds(Instant::now()) {
        only.claims.changed().await.unwrap();
        claim = *only.claims.borrow_and_update();
        assert!(claim.held && claim.transitions == 0, "{claim:?}");
    }
}

/// However long it lasts and however often it is asked.
#[tokio::test(start_paused = true)]
async fn an_outage_is_told_when_it_begins_when_the_claim_lapses_and_when_it_is_over() {
    type Step = fn(&Fake);
    let outages: [(Step, Step); 3] = [
        (Fake::stop, Fake::start),
        (Fake::freeze, Fake::thaw),
        (
            |fake| fake.policy(|_| Some(Fault::Code(500))),
            |fake| fake.policy(|_| None),
        ),
    ];
    for (begin, end) in outages {
        let captured = Captured::new();
        let fake = Fake::new();
        let mut only = start(&fake, "only");
        only.claims.wait_for(|claim| claim.held).await.unwrap();
        tokio::time::sleep(SECOND / 2).await;
        begin(&fake);
        let until = only.claims.borrow().until.unwrap();
        tokio::time::sleep_until(until + SECOND / 100).await;
        let lapsed =
            "warn: the Lease was not renewed in time: nothing is written until it is renewed or won anew";
        assert_eq!(captured.told().last().unwrap(), lapsed, "at once");
        tokio::time::sleep(60 * SECOND).await;
        end(&fake);
        tokio::time::sleep(SECOND).await;
        let mut told = captured.told();
        told.sort();
        assert_eq!(
            told,
            [
                "info: Lease requests are answered again",
                "info: leading",
                "info: the Lease is renewed: nobody else has led meanwhile",
                "warn: Lease request failed: it is sent again until it is answered",
                lapsed,
            ]
        );
    }
}

/// After the end of each fault somebody leads within a second.
#[tokio::test(start_paused = true)]
async fn after_an_outage_somebody_leads_within_a_second() {
    type Step = fn(&Fake);
    let faults: [(&str, Step, Step); 3] = [
        ("killed", Fake::stop, Fake::start),
        ("frozen", Fake::freeze, Fake::thaw),
        (
            "refusing",
            |fake| fake.policy(|_| Some(Fault::Code(500))),
            |fake| fake.policy(|_| None),
        ),
    ];
    for (fault, begin, end) in faults {
        let fake = Fake::new();
        let both = [start(&fake, "first"), start(&fake, "second")];
        tokio::time::sleep(5 * SECOND).await;
        begin(&fake);
        tokio::time::sleep(60 * SECOND).await;
        let leaders = || {
            let holds = |one: &&Running| one.claims.borrow().holds(Instant::now());
            both.iter().filter(holds).count()
        };
        assert_eq!(leaders(), 0, "{fault}");
        end(&fake);
        tokio::time::sleep(SECOND).await;
        assert_eq!(leaders(), 1, "{fault}");
    }
}

/// A proxy that answers every update with 409 is no reason to ask without a pause.
#[tokio::test(start_paused = true)]
async fn a_server_that_says_409_to_everything_is_not_asked_in_a_loop() {
    let fake = Fake::new();
    fake.policy(|call| (call.method != "GET").then_some(Fault::Code(409)));
    let _only = start(&fake, "only");
    tokio::time::sleep(60 * SECOND).await;
    let asked = fake.log().len();
    assert!(asked <= 250, "{asked} requests in a minute, two for each try");
}

/// A renewal changes what is ours; labels on the Lease are somebody else's.
#[tokio::test(start_paused = true)]
async fn a_renewal_leaves_labels_alone() {
    let fake = Fake::new();
    let released = json!({ "holderIdentity": "", "leaseDurationSeconds": 1, "leaseTransitions": 3 });
    fake.put(
        PATH,
        json!({ "metadata": { "name": "metallb-controller", "labels": { "a": "b" } }, "spec": released }),
    );
    let mut only = start(&fake, "only");
    only.claims.wait_for(|claim| claim.held).await.unwrap();
    tokio::time::sleep(10 * SECOND).await;
    let lease = fake.object(PATH).unwrap();
    assert_eq!(lease["metadata"]["labels"]["a"], "b");
    assert_eq!(lease["spec"]["leaseTransitions"], 4);
    assert!(lease["spec"]["renewTime"].as_str() > lease["spec"]["acquireTime"].as_str());
}
