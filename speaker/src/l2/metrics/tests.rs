use cortenlb_core::name::ServiceKey;
use cortenlb_kit::events::Recorder;
use cortenlb_kit::fake::Fake;
use cortenlb_kit::lease::Claim as Lease;
use cortenlb_kit::metrics::{page, registry};
use cortenlb_kit::write::Writer;
use tokio::sync::watch;

use super::*;

/// Every metric of the program, each with a sample.
fn mk_all() -> Registry {
    let mut registry = registry();
    let vip = "172.21.5.240".parse().unwrap();
    let speaker = crate::metrics::Metrics::register(&mut registry);
    speaker.set_announced(&ServiceKey::new("default", "web"), vip, "n1", true);
    let metrics = Metrics::register(&mut registry);
    metrics.asked(vip);
    metrics.answered(vip);
    metrics.told(vip);
    metrics.claimed(vip, "eth0");
    metrics.claimed_by_friend(vip, "eth0");
    metrics.refused(Refused::Own);
    metrics.ignored(DropReason::Own);
    metrics.failed_over(Phase::Taken, Duration::from_millis(400));
    metrics.came("Placed");
    metrics.phase("Up");
    let client = Fake::new().client();
    let (_, claim) = watch::channel(Lease::unconditional());
    let _ = Recorder::new(client.clone(), "metallb-speaker", &mut registry);
    let _ = Writer::<crate::index::Key>::new(client, "metallb-speaker", claim, &mut registry);
    registry
}

#[tokio::test]
async fn the_page_has_every_metric() {
    let page = include_str!("../../../../docs/reference-metrics.md");
    if let Some(differs) = page::differs(page, "Speaker", &mk_all()) {
        panic!("docs/reference-metrics.md: {differs}");
    }
}
