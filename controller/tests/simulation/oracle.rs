//! Whether what the API server holds is what should be there: a controller that starts now has nothing to write.

use cortenlb_controller::index::{Effect, Index, Input, Key, Lead, Now, Settings, View};
use cortenlb_core::time::Instant;
use cortenlb_kit::fake::Fake;
use cortenlb_kit::watch::Change;
use cortenlb_kit::write::Op;
use serde::de::DeserializeOwned;

use crate::cluster::wall;
use crate::objects::POOLS;

fn read<K: DeserializeOwned>(fake: &Fake, under: &str) -> Vec<K> {
    let objects = fake.objects(under).into_iter();
    objects
        .map(|object| serde_json::from_value(object).unwrap())
        .collect()
}

/// What a controller that starts now would write. The counters of pools are left out unless `pools`.
pub(crate) fn missing(fake: &Fake, settings: &Settings, pools: bool) -> Vec<String> {
    let mut index = Index::new(settings.clone());
    let now = Now {
        boot: Instant(0),
        wall: wall(),
    };
    let services: Vec<_> = fake
        .objects("/api/v1/namespaces/")
        .into_iter()
        .filter(|object| object["kind"] == "Service")
        .map(|object| {
            View::of(
                &serde_json::from_value(object).unwrap(),
                settings.class.as_deref(),
            )
        })
        .collect();
    let namespaces = fake
        .objects("/api/v1/namespaces/")
        .into_iter()
        .filter(|object| object["kind"] == "Namespace")
        .map(|object| serde_json::from_value(object).unwrap())
        .collect();
    let reservations = read(fake, "/apis/cortenlb.io/v1alpha1/namespaces/");
    let inputs = [
        Input::Services(Change::Reset(services)),
        Input::Pools(Change::Reset(read(fake, POOLS))),
        Input::Namespaces(Change::Reset(namespaces)),
        Input::Reservations(Change::Reset(reservations)),
        Input::Rivals(Change::Reset(Vec::new()).into()),
        Input::Lead(Some(Lead {
            epoch: 0,
            fence: false,
        })),
    ];
    let mut missing = Vec::new();
    for input in inputs {
        index.handle_input(now, input);
        while let Some(effect) = index.poll_output() {
            if let Effect::Write(write) = effect
                && (pools || !matches!(write.key, Key::Pool(_)))
            {
                let body = match &write.op {
                    Op::Patch { body, .. } => body.to_string(),
                    other => format!("{other:?}"),
                };
                missing.push(format!("{}: {body}", write.target));
            }
        }
    }
    missing
}
