//! The speaker's metrics, by MetalLB's names.

use cortenlb_core::name::ServiceKey;
use cortenlb_kit::metrics::Registry;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use std::net::IpAddr;

/// Counters and gauges. Cheap to clone; all clones are one.
#[derive(Clone, Debug, Default)]
pub struct Metrics {
    announced: Family<Announced, Gauge>,
    /// `metallb_k8s_client_updates_total`: changes that watches told.
    pub updates: Counter,
    /// `metallb_k8s_client_config_loaded_bool`: 1 once everything was listed.
    pub config_loaded: Gauge,
    /// `metallb_k8s_client_config_stale_bool`: 1 while an object is ignored.
    pub config_stale: Gauge,
    /// `metallb_k8s_client_update_errors_total`: writes that the API server refused for good.
    pub errors: Counter,
    /// `cortenlb_contested_addresses`: how many addresses a station has that is no node.
    pub contested: Gauge,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Announced {
    service: String,
    protocol: &'static str,
    node: String,
    ip: String,
}

impl Metrics {
    /// The metrics, part of `registry`.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        registry.register(
            "metallb_speaker_announced",
            "Services being announced from this node. This is desired state, it does not guarantee that the routing \
             protocols have converged",
            metrics.announced.clone(),
        );
        registry.register(
            "metallb_k8s_client_updates",
            "Number of k8s object updates that have been processed",
            metrics.updates.clone(),
        );
        registry.register(
            "metallb_k8s_client_update_errors",
            "Number of k8s object updates that failed for some reason",
            metrics.errors.clone(),
        );
        registry.register(
            "cortenlb_contested_addresses",
            "Number of IPs that another station on the segment was found to have, and that no node answers for",
            metrics.contested.clone(),
        );
        registry.register(
            "metallb_k8s_client_config_loaded_bool",
            "1 if the MetalLB configuration was successfully loaded at least once",
            metrics.config_loaded.clone(),
        );
        registry.register(
            "metallb_k8s_client_config_stale_bool",
            "1 if running on a stale configuration, because the latest config failed to load",
            metrics.config_stale.clone(),
        );
        metrics
    }

    /// Whether `node` announces an address of a Service.
    pub fn set_announced(&self, service: &ServiceKey, address: IpAddr, node: &str, announced: bool) {
        let labels = Announced {
            service: service.to_string(),
            protocol: "layer2",
            node: node.to_owned(),
            ip: address.to_string(),
        };
        if announced {
            self.announced.get_or_create(&labels).set(1);
        } else {
            self.announced.remove(&labels);
        }
    }
}
