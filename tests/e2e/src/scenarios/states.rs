//! What the controller and the speakers report of the configuration.

use anyhow::Context as _;
use cortenlb_crds::{ConfigurationResult, ConfigurationState, IPAddressPool};
use kube::ResourceExt as _;
use kube::api::DeleteParams;
use serde_json::json;

use crate::cluster::{Cluster, RANGE, SOON, SYSTEM};

/// A pool with addresses of an older one.
const OVERLAP: &str = "configuration error: CIDR 172.21.5.248-172.21.5.255 in pool \"overlapping\" overlaps with already \
                       defined CIDR 172.21.5.240-172.21.5.250 of the older pool \"default-addresspool\"; pool \"overlapping\" \
                       is ignored until one of them is changed";

/// A pool whose range ends before it starts, which the API server does not see where it is one of IPv6.
const TURNED: &str = "configuration error: parsing address pool turned: spec.addresses[0]: invalid IP range \
                      \"fd00:5::ff-fd00:5::f0\": start IP fd00:5::ff is after the end IP fd00:5::f0";

/// One component's object, as MetalLB has it.
struct Reporter {
    object: &'static str,
    labels: &'static [(&'static str, &'static str)],
    condition: &'static str,
    /// The pod that it belongs to.
    pod: String,
}

impl Reporter {
    /// Waits until the object says that this is wrong, and nothing else; returns its UID, which is not `before`.
    async fn says(&self, cluster: &Cluster, errors: &str, before: Option<&str>) -> anyhow::Result<String> {
        let states = cluster.api::<ConfigurationState>(SYSTEM);
        let what = format!(
            "is another than {before:?}, of pod {} and says {errors:?}",
            self.pod
        );
        let holds = |found: Option<&ConfigurationState>| {
            found.is_some_and(|state| state.uid().as_deref() != before && self.is_said(state, errors))
        };
        let found = cluster.wait(states, self.object, &what, SOON, holds).await?;
        found.and_then(|state| state.uid()).context("an object has a UID")
    }

    fn is_said(&self, state: &ConfigurationState, errors: &str) -> bool {
        let is_labelled =
            |(key, value): &(&str, &str)| state.labels().get(*key).is_some_and(|is| is == value);
        let mut owners = state.owner_references().iter();
        let is_owned = owners.any(|owner| owner.kind == "Pod" && owner.name == self.pod);
        let (result, status, reason) = if errors.is_empty() {
            (ConfigurationResult::Valid, "True", "Reconciled")
        } else {
            (ConfigurationResult::Invalid, "False", "ConfigurationError")
        };
        let is_told = state.status.as_ref().is_some_and(|told| {
            let [condition] = told.conditions.as_slice() else {
                return false;
            };
            told.result == Some(result)
                && told.error_summary == errors
                && condition.message == errors
                && (
                    condition.type_.as_str(),
                    condition.status.as_str(),
                    condition.reason.as_str(),
                ) == (self.condition, status, reason)
        });
        is_owned && is_told && self.labels.iter().all(is_labelled)
    }
}

/// Good configuration is called valid by the controller and by a speaker; pools that are ignored are named with field and
/// value by the controller, and by it alone; an object that is deleted is made again. An L2Advertisement that speakers would
/// ignore the API server rejects.
pub(super) async fn configuration_states_say_what_is_wrong(cluster: &Cluster) -> anyhow::Result<()> {
    cluster.pool("default-addresspool", &[RANGE]).await?;
    cluster.advertise("default", json!({})).await?;
    let controller = Reporter {
        object: "controller",
        labels: &[("metallb.io/component-type", "controller")],
        condition: "poolReconcilerValid",
        pod: cluster.leader().await?.pod,
    };
    let speaker = Reporter {
        object: "speaker-n1",
        labels: &[
            ("metallb.io/component-type", "speaker"),
            ("metallb.io/node-name", "n1"),
        ],
        condition: "configReconcilerValid",
        pod: cluster.speaker("n1").await?.pod,
    };
    controller.says(cluster, "", None).await?;
    let of_speaker = speaker.says(cluster, "", None).await?;

    cluster.pool("overlapping", &["172.21.5.248/29"]).await?;
    cluster.pool("turned", &["fd00:5::ff-fd00:5::f0"]).await?;
    let both = format!("{OVERLAP}\n{TURNED}");
    let of_controller = controller.says(cluster, &both, None).await?;
    speaker.says(cluster, "", None).await?;

    let states = cluster.api::<ConfigurationState>(SYSTEM);
    for reporter in [&controller, &speaker] {
        states.delete(reporter.object, &DeleteParams::default()).await?;
    }
    controller.says(cluster, &both, Some(&of_controller)).await?;
    speaker.says(cluster, "", Some(&of_speaker)).await?;

    let pools = cluster.api::<IPAddressPool>(SYSTEM);
    cluster.delete(pools.clone(), "overlapping").await?;
    controller.says(cluster, TURNED, None).await?;
    cluster.delete(pools, "turned").await?;
    controller.says(cluster, "", None).await.map(drop)
}
