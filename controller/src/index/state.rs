//! The controller's `ConfigurationState`: whether every pool is used.

use cortenlb_crds::ConfigurationState;
use cortenlb_crds::configuration_state::Step;
use cortenlb_kit::watch::Change;
use cortenlb_kit::write::{Target, Write};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::api::DynamicObject;

use super::Index;
use super::input::{Effect, Key, Now};

impl Index {
    pub(super) fn states(&mut self, change: Change<ConfigurationState>) {
        if let Some(object) = change.about(self.state.name()) {
            self.state.see(object);
        }
    }

    pub(super) fn state_written(&mut self, landed: Option<Box<DynamicObject>>) {
        self.state
            .answered(landed.and_then(|object| object.try_parse().ok()));
    }

    /// Writes what is to be reported.
    pub(super) fn flush_state(&mut self, now: Now) {
        if self.allocator.is_none() {
            return;
        }
        let Some(step) = self.state.poll(&Time(now.wall)) else {
            return;
        };
        let Step {
            subresource,
            manager,
            body,
        } = step;
        let target = Target::of::<ConfigurationState>(Some(&self.settings.namespace), self.state.name());
        let write = Write::report(Key::State, target, subresource, manager, body.into());
        self.effects.push_back(Effect::Write(write));
    }
}
