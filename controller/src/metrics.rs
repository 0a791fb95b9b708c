//! The controller's metrics, by MetalLB's names.

use std::time::Duration;

use cortenlb_kit::metrics::Registry;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;

use crate::index::PoolUsage;

/// From one write on an idle API server to a bulk of ten thousand.
const ALLOCATED: [f64; 11] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 15.0, 60.0];

/// Counters and gauges. Cheap to clone; all clones are one.
#[derive(Clone, Debug)]
pub struct Metrics {
    total: PerFamily,
    in_use: PerFamily,
    withheld: Family<OfPool, Gauge>,
    /// `cortenlb_services_pending`: Services without an address.
    pub pending: Gauge,
    /// `cortenlb_allocation_seconds`: how long an address takes.
    allocated: Histogram,
    /// `cortenlb_leader`: 1 while this replica holds the Lease.
    pub leader: Gauge,
    /// `metallb_k8s_client_updates_total`: changes that watches told.
    pub updates: Counter,
    /// `metallb_k8s_client_update_errors_total`: writes that the API server refused for good.
    pub errors: Counter,
    /// `metallb_k8s_client_config_loaded_bool`: 1 once the pools were listed.
    pub config_loaded: Gauge,
    /// `metallb_k8s_client_config_stale_bool`: 1 while a pool is ignored.
    pub config_stale: Gauge,
}

/// One gauge for both families together, and one for each.
#[derive(Clone, Debug, Default)]
struct PerFamily {
    both: Family<OfPool, Gauge>,
    v4: Family<OfPool, Gauge>,
    v6: Family<OfPool, Gauge>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfPool {
    pool: String,
}

impl Metrics {
    /// The metrics, part of `registry`.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self {
            total: PerFamily::default(),
            in_use: PerFamily::default(),
            withheld: Family::default(),
            pending: Gauge::default(),
            allocated: Histogram::new(ALLOCATED),
            leader: Gauge::default(),
            updates: Counter::default(),
            errors: Counter::default(),
            config_loaded: Gauge::default(),
            config_stale: Gauge::default(),
        };
        let Self {
            total,
            in_use,
            withheld,
            pending,
            allocated,
            leader,
            updates,
            errors,
            config_loaded,
            config_stale,
        } = &metrics;
        total.register(
            registry,
            "addresses_total",
            "Number of usable IP addresses, per pool",
        );
        in_use.register(
            registry,
            "addresses_in_use_total",
            "Number of IP addresses in use, per pool",
        );
        registry.register(
            "cortenlb_pool_withheld_addresses",
            "Number of IP addresses that nobody has and not everybody may have, per pool: reserved, cooling down, or \
             another station's",
            withheld.clone(),
        );
        registry.register(
            "cortenlb_services_pending",
            "Number of Services that are to have an IP address and have none",
            pending.clone(),
        );
        registry.register(
            "cortenlb_allocation_seconds",
            "Time from the sight of a Service without an IP address to the sight of its address, as the leader sees \
             it; those that were told why they get none are not in it",
            allocated.clone(),
        );
        registry.register(
            "cortenlb_leader",
            "1 while this controller holds the Lease, and writes",
            leader.clone(),
        );
        registry.register(
            "metallb_k8s_client_updates",
            "Number of k8s object updates that have been processed",
            updates.clone(),
        );
        registry.register(
            "metallb_k8s_client_update_errors",
            "Number of k8s object updates that failed for some reason",
            errors.clone(),
        );
        registry.register(
            "metallb_k8s_client_config_loaded_bool",
            "1 if the MetalLB configuration was successfully loaded at least once",
            config_loaded.clone(),
        );
        registry.register(
            "metallb_k8s_client_config_stale_bool",
            "1 if running on a stale configuration, because the latest config failed to load",
            config_stale.clone(),
        );
        metrics
    }

    /// How long each of some Services has waited for its address.
    pub fn observe_allocated(&self, waited: &[Duration]) {
        for time in waited {
            self.allocated.observe(time.as_secs_f64());
        }
    }

    /// How full a pool is; `None`: it is gone, and so are its gauges.
    pub fn set_usage(&self, pool: &str, usage: Option<PoolUsage>) {
        let of = OfPool {
            pool: pool.to_owned(),
        };
        match usage {
            Some(PoolUsage { v4, v6 }) => {
                let withheld = number(v4.withheld.saturating_add(v6.withheld));
                self.withheld.get_or_create(&of).set(withheld);
            }
            None => drop(self.withheld.remove(&of)),
        }
        let usage = usage.map(|PoolUsage { v4, v6 }| ((v4.total, v6.total), (v4.assigned, v6.assigned)));
        self.total.set(&of, usage.map(|(total, _)| total));
        self.in_use.set(&of, usage.map(|(_, in_use)| in_use));
    }

    /// Another replica knows better how full pools are.
    pub fn forget_usage(&self) {
        let Self {
            total,
            in_use,
            withheld,
            ..
        } = self;
        for family in [
            &total.both,
            &total.v4,
            &total.v6,
            &in_use.both,
            &in_use.v4,
            &in_use.v6,
            withheld,
        ] {
            family.clear();
        }
    }
}

impl PerFamily {
    fn register(&self, registry: &mut Registry, name: &str, help: &str) {
        for (prefix, gauge) in [("", &self.both), ("ipv4_", &self.v4), ("ipv6_", &self.v6)] {
            registry.register(format!("metallb_allocator_{prefix}{name}"), help, gauge.clone());
        }
    }

    fn set(&self, of: &OfPool, value: Option<(u128, u128)>) {
        match value {
            Some((v4, v6)) => {
                self.both.get_or_create(of).set(number(v4.saturating_add(v6)));
                self.v4.get_or_create(of).set(number(v4));
                self.v6.get_or_create(of).set(number(v6));
            }
            None => {
                for gauge in [&self.both, &self.v4, &self.v6] {
                    gauge.remove(of);
                }
            }
        }
    }
}

/// Beyond 2^63 a gauge stands still, as in MetalLB.
fn number(count: u128) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
