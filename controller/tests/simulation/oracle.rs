//! Whether what the API server holds is what should be there: a controller that starts now has nothing to write.

use cortenlb_controller::index::{Effect, Index, Input, Key, Lead, Now, Settings, View};
use cortenlb_core::time::Instant;
use cortenlb_crds::names;
use cortenlb_kit::fake::Fake;
use cortenlb_kit::lease::Predecessor;
use cortenlb_kit::watch::Change;
use cortenlb_kit::write::{Op, Write};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::cluster::wall;
use crate::objects::{POOLS, service_path};

fn read<K: DeserializeOwned>(fake: &Fake, under: &str) -> Vec<K> {
    let objects = fake.objects(under).into_iter();
    objects
        .map(|object| serde_json::from_value(object).unwrap())
        .collect()
}

/// Who waits for an address that several share is told who they were when it began to wait: whoever joins them does not
/// cost a write for each of those who wait.
fn only_names_others(fake: &Fake, write: &Write<Key>) -> bool {
    let (Key::Service(key), Op::Patch { body, .. }) = (&write.key, &write.op) else {
        return false;
    };
    let service = fake.object(&service_path(key.name())).unwrap_or_default();
    let reason = |object: &Value| {
        let conditions = object["status"]["conditions"].as_array().into_iter().flatten();
        let mut conditions =
            conditions.filter(|condition| condition["type"] == names::CONDITION_ADDRESS_ASSIGNED);
        conditions.next().map(|condition| condition["reason"].clone())
    };
    let body = body.read();
    body["status"]["loadBalancer"].is_null()
        && body["metadata"]["annotations"].is_null()
        && reason(&body) == Some("AddressInUse".into())
        && reason(&service) == reason(&body)
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
            predecessor: Predecessor::Fresh,
        })),
    ];
    let mut missing = Vec::new();
    for input in inputs {
        index.handle_input(now, input);
        while let Some(effect) = index.poll_output() {
            if let Effect::Write(write) = effect
                && (pools || !matches!(write.key, Key::Pool(_)))
                && !only_names_others(fake, &write)
            {
                let body = match &write.op {
                    Op::Patch { body, .. } => body.text().to_owned(),
                    other => format!("{other:?}"),
                };
                missing.push(format!("{}: {body}", write.target));
            }
        }
    }
    missing
}
