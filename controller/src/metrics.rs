//! The controller's metrics, by MetalLB's names.

use cortenlb_kit::metrics::Registry;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;

use crate::index::PoolUsage;

/// Counters and gauges. Cheap to clone; all clones are one.
#[derive(Clone, Debug, Default)]
pub struct Metrics {
    total: PerFamily,
    in_use: PerFamily,
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
        let metrics = Self::default();
        let Self {
            total,
            in_use,
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

    /// How full a pool is; `None`: it is gone, and so are its gauges.
    pub fn set_usage(&self, pool: &str, usage: Option<PoolUsage>) {
        let of = OfPool {
            pool: pool.to_owned(),
        };
        let usage = usage.map(|PoolUsage { v4, v6 }| ((v4.total, v6.total), (v4.assigned, v6.assigned)));
        self.total.set(&of, usage.map(|(total, _)| total));
        self.in_use.set(&of, usage.map(|(_, in_use)| in_use));
    }
}

impl PerFamily {
    fn register(&self, registry: &mut Registry, name: &str, help: &str) {
        for (prefix, gauge) in [("", &self.both), ("ipv4_", &self.v4), ("ipv6_", &self.v6)] {
            registry.register(format!("metallb_allocator_{prefix}{name}"), help, gauge.clone());
        }
    }

    /// Beyond 2^63 a gauge stands still, as in MetalLB.
    fn set(&self, of: &OfPool, value: Option<(u128, u128)>) {
        let number = |count: u128| i64::try_from(count).unwrap_or(i64::MAX);
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

#[cfg(test)]
mod tests;
