//! The controller's `ConfigurationState`: whether every pool is used.

use cortenlb_crds::ConfigurationState;
use cortenlb_crds::configuration_state::Step;
use cortenlb_kit::watch::Change;
use cortenlb_kit::write::{Op, Priority, Target, Write};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt;
use kube::api::DynamicObject;

use super::Index;
use super::input::{Effect, Key, Now};

impl Index {
    pub(super) fn states(&mut self, change: Change<ConfigurationState>) {
        let ours = |object: &ConfigurationState| object.name_any() == self.state.name();
        match change {
            Change::Apply(object) if ours(&object) => self.state.see(Some(object)),
            Change::Delete(object) if ours(&object) => self.state.see(None),
            Change::Reset(objects) => {
                let found = objects.into_iter().find(ours);
                self.state.see(found);
            }
            Change::Apply(_) | Change::Delete(_) => {}
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
        self.effects.push_back(Effect::Write(Write {
            key: Key::State,
            priority: Priority::Low,
            supersede: false,
            target: Target::of::<ConfigurationState>(Some(&self.settings.namespace), self.state.name()),
            op: Op::Apply {
                subresource,
                manager,
                body,
            },
        }));
    }
}
