use cortenlb_core::ipam::Usage;
use cortenlb_kit::metrics::render;

use super::*;

#[test]
fn the_names_are_metallbs_and_a_pool_that_goes_takes_its_gauges_along() {
    let mut registry = Registry::default();
    let metrics = Metrics::register(&mut registry);
    let usage = PoolUsage {
        v4: Usage {
            total: 256,
            assigned: 3,
            withheld: 0,
        },
        v6: Usage {
            total: u128::MAX,
            assigned: 1,
            withheld: 0,
        },
    };
    metrics.set_usage("p", Some(usage));
    metrics.updates.inc();
    let text = render(&registry);
    for line in [
        "metallb_allocator_addresses_total{pool=\"p\"} 9223372036854775807",
        "metallb_allocator_ipv4_addresses_total{pool=\"p\"} 256",
        "metallb_allocator_ipv6_addresses_total{pool=\"p\"} 9223372036854775807",
        "metallb_allocator_addresses_in_use_total{pool=\"p\"} 4",
        "metallb_allocator_ipv4_addresses_in_use_total{pool=\"p\"} 3",
        "metallb_allocator_ipv6_addresses_in_use_total{pool=\"p\"} 1",
        "metallb_k8s_client_updates_total 1",
        "metallb_k8s_client_update_errors_total 0",
        "metallb_k8s_client_config_loaded_bool 0",
        "metallb_k8s_client_config_stale_bool 0",
    ] {
        assert!(
            text.lines().any(|found| found == line),
            "{line} is missing in:\n{text}"
        );
    }
    metrics.set_usage("p", None);
    assert!(!render(&registry).contains("pool=\"p\""));
}
