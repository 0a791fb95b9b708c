//! The API server, the controllers' pods, and the time.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::time::Duration;

use cortenlb_controller::index::Settings;
use cortenlb_controller::replica::{Replica, Running};
use cortenlb_controller::secret;
use cortenlb_kit::admin::Readiness;
use cortenlb_kit::fake::Fake;
use cortenlb_kit::lease::Timing;
use cortenlb_kit::metrics;
use k8s_openapi::jiff::Timestamp;
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::objects::{LEASE, merge, pool_path, service_path, shown};
use crate::observer::{Observer, Who};
use crate::oracle;

/// How closely the time of something that is waited for is known.
pub(crate) const TICK: Duration = Duration::from_millis(5);

thread_local! {
    /// By how much the wall clock is wrong, in seconds; and when the test began.
    static SKEW: Cell<i64> = const { Cell::new(0) };
    static EPOCH: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// The clock by which the controllers write times down. All of a test's run on its thread.
pub(crate) fn wall() -> Timestamp {
    let passed = EPOCH.get().map_or(Duration::ZERO, |epoch| epoch.elapsed());
    let passed = i64::try_from(passed.as_secs()).unwrap();
    Timestamp::from_second(1_800_000_000 + passed + SKEW.get()).unwrap()
}

/// Sets the wall clock.
pub(crate) fn set_wall(skew: i64) {
    SKEW.set(skew);
}

/// A cluster whose namespace `ns` has the Services.
pub(crate) struct Cluster {
    pub(crate) fake: Fake,
    pub(crate) observer: Observer,
    pub(crate) settings: Settings,
    pods: BTreeMap<String, Pod>,
}

struct Pod {
    task: JoinHandle<()>,
    shutdown: CancellationToken,
}

impl Cluster {
    /// A cluster with these pools, and without a controller.
    pub(crate) fn new(pools: &[(&str, Value)]) -> Self {
        EPOCH.set(Some(Instant::now()));
        set_wall(0);
        let fake = Fake::new();
        let observer = Observer::default();
        let seeing = observer.clone();
        fake.observe(move |path, object| seeing.see(path, object));
        let namespace = json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": {} });
        fake.put("/api/v1/namespaces/ns", namespace);
        for (name, pool) in pools {
            fake.put(&pool_path(name), pool.clone());
        }
        Self {
            fake,
            observer,
            settings: Settings {
                namespace: "metallb-system".to_owned(),
                ..Settings::default()
            },
            pods: BTreeMap::new(),
        }
    }

    /// Starts a controller in the pod of this name.
    pub(crate) fn start(&mut self, pod: &str) {
        let shutdown = CancellationToken::new();
        let running = run(&self.fake, &self.settings, pod, shutdown.clone());
        let task = tokio::spawn(running);
        let replaced = self.pods.insert(pod.to_owned(), Pod { task, shutdown });
        assert!(replaced.is_none(), "{pod} runs already");
    }

    /// SIGKILL: no task of it goes on. What it has sent is under way.
    pub(crate) async fn kill(&mut self, pod: &str) {
        let Pod { task, .. } = self.pods.remove(pod).unwrap();
        task.abort();
        assert!(task.await.unwrap_err().is_cancelled());
    }

    /// SIGTERM; returns when the process has ended.
    pub(crate) async fn terminate(&mut self, pod: &str) {
        let Pod { task, shutdown } = self.pods.remove(pod).unwrap();
        shutdown.cancel();
        task.await.unwrap();
    }

    /// SIGTERM; the process goes on for as long as it needs.
    pub(crate) fn begin_terminating(&self, pod: &str) {
        self.pods[pod].shutdown.cancel();
    }

    pub(crate) fn runs(&self, pod: &str) -> bool {
        self.pods.contains_key(pod)
    }

    /// Who holds the Lease.
    pub(crate) fn leader(&self) -> Option<String> {
        let holder = self.fake.object(LEASE)?["spec"]["holderIdentity"]
            .as_str()?
            .to_owned();
        (!holder.is_empty()).then_some(holder)
    }

    /// Creates or replaces a Service as the user.
    pub(crate) fn put(&self, name: &str, service: Value) {
        self.observer
            .acting(Who::User, || self.fake.put(&service_path(name), service));
    }

    /// Changes a Service as the user, if it is there.
    pub(crate) fn edit(&self, name: &str, patch: &Value) {
        if let Some(mut service) = self.service(name) {
            merge(&mut service, patch);
            self.put(name, service);
        }
    }

    /// Deletes a Service as the user.
    pub(crate) fn delete(&self, name: &str) {
        self.observer
            .acting(Who::User, || self.fake.remove(&service_path(name)));
    }

    pub(crate) fn service(&self, name: &str) -> Option<Value> {
        self.fake.object(&service_path(name))
    }

    /// The addresses in a Service's status, separated by spaces.
    pub(crate) fn shown(&self, name: &str) -> String {
        let addresses = self.service(name).map(|service| shown(&service));
        let addresses = addresses.unwrap_or_default();
        let texts: Vec<String> = addresses.iter().map(ToString::to_string).collect();
        texts.join(" ")
    }

    /// `METHOD path` of all requests so far that write, Leases and Events apart.
    pub(crate) fn writes(&self) -> Vec<String> {
        let is_write = |line: &String| {
            !line.starts_with("GET") && !line.contains("/leases") && !line.contains("/events")
        };
        self.fake.log().into_iter().filter(is_write).collect()
    }

    /// Waits for something to come true; returns how long it took.
    ///
    /// # Panics
    /// It takes longer than `limit`, or the observer has found something.
    pub(crate) async fn until(
        &self,
        limit: Duration,
        what: &str,
        mut is_true: impl FnMut(&Self) -> bool,
    ) -> Duration {
        let start = Instant::now();
        while !is_true(self) {
            self.observer.check();
            let passed = start.elapsed();
            assert!(
                passed <= limit,
                "not within {limit:?}: {what}\n{}",
                self.observer.last()
            );
            sleep(TICK).await;
        }
        start.elapsed()
    }

    /// Waits until what the API server holds is what should be there; returns how long it took.
    ///
    /// # Panics
    /// It takes longer than `limit`, or the observer has found something.
    pub(crate) async fn until_right(&self, limit: Duration) -> Duration {
        let start = Instant::now();
        loop {
            self.observer.check();
            let missing = oracle::missing(&self.fake, &self.settings, false);
            if missing.is_empty() {
                return start.elapsed();
            }
            assert!(
                start.elapsed() <= limit,
                "not right within {limit:?}: {missing:#?}\n{}",
                self.observer.last()
            );
            sleep(10 * TICK).await;
        }
    }
}

/// A controller on its own; it runs when it is polled.
pub(crate) fn run(
    fake: &Fake,
    settings: &Settings,
    pod: &str,
    shutdown: CancellationToken,
) -> impl Future<Output = ()> + Send + 'static {
    let client = fake.client_of(pod);
    let replica = Replica {
        settings: settings.clone(),
        identity: pod.to_owned(),
        speaker_labels: "component=speaker".to_owned(),
        timing: Timing::default(),
        secret: Some(secret::Wanted {
            name: "memberlist".to_owned(),
            deployment: None,
        }),
    };
    async move {
        let mut registry = metrics::registry();
        let running = Running::start(client, replica, &Readiness::default(), &mut registry, wall);
        running.run(shutdown).await.unwrap();
    }
}
