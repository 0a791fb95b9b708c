use cortenlb_core::ipam::Usage;
use cortenlb_kit::metrics::render;

use cortenlb_kit::admin::Readiness;
use cortenlb_kit::events::Recorder;
use cortenlb_kit::fake::Fake;
use cortenlb_kit::lease::{Claim, Timing};
use cortenlb_kit::metrics::{page, registry};
use cortenlb_kit::write::Writer;
use k8s_openapi::jiff::Timestamp;
use tokio::sync::watch;

use super::*;
use crate::index::{COMPONENT, Key, Settings};
use crate::replica::{Replica, Running};

#[test]
fn the_names_are_metallbs_and_a_pool_that_goes_takes_its_gauges_along() {
    let mut registry = Registry::default();
    let metrics = Metrics::register(&mut registry);
    let usage = PoolUsage {
        v4: Usage {
            total: 256,
            assigned: 3,
            withheld: 2,
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
        "cortenlb_pool_withheld_addresses{pool=\"p\"} 2",
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
    let forgets: [fn(&Metrics); 2] = [|metrics| metrics.set_usage("p", None), Metrics::forget_usage];
    for forget in forgets {
        metrics.set_usage("p", Some(usage));
        forget(&metrics);
        assert!(!render(&registry).contains("pool=\"p\""));
    }
}

/// Every metric of the program, each with a sample.
fn mk_all() -> Registry {
    let mut registry = registry();
    let metrics = Metrics::register(&mut registry);
    metrics.set_usage("p", Some(PoolUsage::default()));
    let client = Fake::new().client();
    let (_, claim) = watch::channel(Claim::none());
    let _ = Recorder::new(client.clone(), COMPONENT, &mut registry);
    let _ = Writer::<Key>::new(client, COMPONENT, claim, &mut registry);
    registry
}

#[tokio::test]
async fn the_page_has_every_metric() {
    let page = include_str!("../../../docs/reference-metrics.md");
    if let Some(differs) = page::differs(page, "Controller", &mk_all()) {
        panic!("docs/reference-metrics.md: {differs}");
    }
}

/// The list of the test before this one is the program's.
#[tokio::test]
async fn a_replica_registers_no_more() {
    let mut started = registry();
    let replica = Replica {
        settings: Settings {
            class: None,
            namespace: "metallb-system".to_owned(),
            rules: Default::default(),
            pod: None,
        },
        identity: "a".to_owned(),
        speaker_labels: "app=metallb".to_owned(),
        timing: Timing::default(),
        secret: None,
    };
    let client = Fake::new().client();
    let _running = Running::start(
        client,
        replica,
        &Readiness::default(),
        &mut started,
        Timestamp::now,
    );
    let names = |registry: &Registry| -> Vec<String> {
        let text = render(registry);
        let helps = text.lines().filter_map(|line| line.strip_prefix("# HELP "));
        helps
            .map(|help| help.split(' ').next().unwrap().to_owned())
            .collect()
    };
    let known = names(&mk_all());
    for name in names(&started) {
        assert!(known.contains(&name), "{name} is not among {known:?}");
    }
}
