//! The speaker's `ConfigurationState`: whether every L2Advertisement is used.

use cortenlb_core::name::ServiceKey;
use cortenlb_crds::ConfigurationState;
use cortenlb_crds::configuration_state::{Pod, Step};
use cortenlb_kit::watch::Change;
use cortenlb_kit::write::{Outcome, Target, Write};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use std::collections::BTreeSet;

use super::{Index, Key};

impl Index {
    /// What is to be reported of the configuration, if there is anything new.
    pub fn poll_state(&mut self, now: &Time) -> Option<Write<Key>> {
        if !self.is_ready() {
            return None;
        }
        self.state.judge(self.ignored.values().cloned().collect());
        let Step {
            subresource,
            manager,
            body,
        } = self.state.poll(now)?;
        let target = Target::of::<ConfigurationState>(Some(&self.me.namespace), self.state.name());
        Some(Write::report(
            Key::State,
            target,
            subresource,
            manager,
            body.into(),
        ))
    }

    pub(super) fn own_state(&mut self, uid: Option<String>) {
        let name = self.me.pod.clone();
        self.state.set_owner(uid.map(|uid| Pod { name, uid }));
    }

    pub(super) fn see_state(&mut self, change: Change<ConfigurationState>) {
        if let Some(object) = change.about(self.state.name()) {
            self.state.see(object);
        }
    }

    pub(super) fn written(&mut self, outcome: Outcome<Key>) -> BTreeSet<ServiceKey> {
        let Outcome { write, term, result } = outcome;
        match write.key.clone() {
            Key::Service(service) => {
                let write = write.map_key(|_| service);
                let concerned = self.statuses.written(&Outcome { write, term, result });
                concerned.into_iter().collect()
            }
            Key::State => {
                let landed = result.ok().flatten();
                self.state
                    .answered(landed.and_then(|object| object.try_parse().ok()));
                BTreeSet::new()
            }
        }
    }
}
