//! A user who changes Services all the time.

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};

use crate::cluster::Cluster;
use crate::objects::{asking_for, mk_service};

/// How many Services there are at most.
const SERVICES: u32 = 24;

/// All that is random comes from the seed.
pub(crate) struct User {
    pub(crate) rng: StdRng,
    created: u32,
}

impl User {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            rng: StdRng::seed_from_u64(seed),
            created: 0,
        }
    }

    /// Creates a Service of this name.
    pub(crate) fn create(&mut self, cluster: &Cluster, name: &str) {
        // Some are older than those that are there: the oldest that waits is served first.
        self.created += 1;
        let created = self.rng.random_range(0..=self.created);
        cluster.put(name, mk_service(created));
    }

    /// Makes one change. The wishes are for one of 32 addresses from 10.0.0.0 on.
    pub(crate) fn act(&mut self, cluster: &Cluster) {
        let name = format!("s{}", self.rng.random_range(0..SERVICES));
        if cluster.service(&name).is_none() {
            return self.create(cluster, &name);
        }
        match self.rng.random_range(0..10) {
            0..3 => cluster.delete(&name),
            3..5 => {
                let last = self.rng.random_range(0..32);
                cluster.edit(&name, &asking_for(format!("10.0.0.{last}")));
            }
            5 => cluster.edit(&name, &asking_for(Value::Null)),
            6 => {
                let port = self.rng.random_range(1..1000);
                cluster.edit(&name, &json!({ "spec": { "ports": [{ "port": port }] } }));
            }
            _ => {
                let label = self.rng.random_range(0..1000).to_string();
                cluster.edit(&name, &json!({ "metadata": { "labels": { "l": label } } }));
            }
        }
    }
}
