//! What is around us: other load balancers, kube-proxy, objects in wrong places, leftovers of MetalLB.

use cortenlb_crds::{
    BFDProfile, BGPAdvertisement, BGPPeer, Community, IPAddressPool, L2Advertisement, names,
};
use k8s_openapi::api::admissionregistration::v1::ValidatingWebhookConfiguration;
use k8s_openapi::api::apps::v1::{DaemonSet, Deployment};
use k8s_openapi::api::core::v1::{ConfigMap, Event, Pod};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Api, ListParams};
use kube::{Client, Resource, ResourceExt as _};

use super::speakers::membership;
use super::{list_selected, page};
use crate::error::CliError;
use crate::facts::{Around, CLAIMED, Elsewhere, Facts, Running};

/// Where kube-proxy's configuration is, as kubeadm installs it.
const KUBE_SYSTEM: &str = "kube-system";

/// So many pods are asked for at once.
const PAGE: u32 = 500;

/// Everything around the configuration in namespace `system`. What may not be read is named in [`Around::unread`].
pub(crate) async fn around(client: &Client, facts: &Facts) -> Around {
    let system = facts.system.as_str();
    let mut around = replaced(client, system).await;
    let one = ListParams::default().fields("metadata.name=kube-proxy");
    let proxies = list_selected(Api::<ConfigMap>::namespaced(client.clone(), KUBE_SYSTEM), one).await;
    around.kube_proxy = proxies
        .map_err(|error| around.unread.push(error.to_string()))
        .ok();
    let api = Api::<Pod>::all(client.clone());
    let running = running(async |selected: ListParams| page(&api, &selected).await).await;
    around.running = known(running, &mut around.unread);
    for labels in ["app=metallb", "app.kubernetes.io/name=metallb"] {
        let selected = ListParams::default().labels(&format!("{labels},!{}", names::COMPONENT));
        let found = list_selected(Api::<Pod>::all(client.clone()), selected).await;
        around.metallb_pods.extend(known(found, &mut around.unread));
    }
    let claims = ListParams::default().fields(&format!("reason={CLAIMED},involvedObject.kind=Service"));
    let claims = list_selected(Api::<Event>::all(client.clone()), claims).await;
    around.claims = known(claims, &mut around.unread);
    ours_of(
        all::<IPAddressPool>(client).await,
        system,
        &mut around.elsewhere,
        &mut around.unread,
    );
    ours_of(
        all::<L2Advertisement>(client).await,
        system,
        &mut around.elsewhere,
        &mut around.unread,
    );
    around.membership = membership(client, facts, None).await;
    around
}

/// Of that what `migrate check` judges, which may be done without the rights to read the rest.
pub(crate) async fn replaced(client: &Client, system: &str) -> Around {
    let mut unread = Vec::new();
    let daemon_sets = known(all::<DaemonSet>(client).await, &mut unread);
    let deployments = known(all::<Deployment>(client).await, &mut unread);
    let webhooks = known(all::<ValidatingWebhookConfiguration>(client).await, &mut unread);
    let definitions = all::<CustomResourceDefinition>(client).await;
    let definitions = definitions.map(|all| {
        let ours = |crd: &CustomResourceDefinition| {
            [names::GROUP, names::OUR_GROUP].contains(&crd.spec.group.as_str())
        };
        all.into_iter().filter(ours).collect()
    });
    let definitions = definitions.map_err(|error| unread.push(error.to_string())).ok();

    let mut elsewhere = Vec::new();
    let peers = ours_of(all::<BGPPeer>(client).await, system, &mut elsewhere, &mut unread);
    let bgp_advertisements = ours_of(
        all::<BGPAdvertisement>(client).await,
        system,
        &mut elsewhere,
        &mut unread,
    );
    let bfd_profiles = ours_of(
        all::<BFDProfile>(client).await,
        system,
        &mut elsewhere,
        &mut unread,
    );
    let communities = ours_of(
        all::<Community>(client).await,
        system,
        &mut elsewhere,
        &mut unread,
    );
    Around {
        daemon_sets,
        deployments,
        webhooks,
        definitions,
        elsewhere,
        peers,
        bgp_advertisements,
        bfd_profiles,
        communities,
        unread,
        ..Around::default()
    }
}

/// The pods that run, by what answers for a page of them: a large cluster has too many for one answer.
async fn running(
    mut page: impl AsyncFnMut(ListParams) -> Result<(Vec<Pod>, Option<String>), CliError>,
) -> Result<Vec<Running>, CliError> {
    let mut selected = ListParams::default().fields("status.phase=Running").limit(PAGE);
    let mut running = Vec::new();
    loop {
        let (pods, more) = page(selected.clone()).await?;
        running.extend(pods.iter().filter_map(Running::of));
        let Some(token) = more else {
            return Ok(running);
        };
        selected = selected.continue_token(&token);
    }
}

async fn all<K>(client: &Client) -> Result<Vec<K>, CliError>
where
    K: Resource<DynamicType = ()> + Clone + std::fmt::Debug + serde::de::DeserializeOwned,
{
    list_selected(Api::all(client.clone()), ListParams::default()).await
}

/// What was listed; nothing if it may not be, which is noted.
fn known<K>(listed: Result<Vec<K>, CliError>, unread: &mut Vec<String>) -> Vec<K> {
    listed.unwrap_or_else(|error| {
        unread.push(error.to_string());
        Vec::new()
    })
}

/// The objects of the configuration's namespace; those in others are noted.
fn ours_of<K: Resource<DynamicType = ()>>(
    listed: Result<Vec<K>, CliError>,
    system: &str,
    elsewhere: &mut Vec<Elsewhere>,
    unread: &mut Vec<String>,
) -> Vec<K> {
    let (ours, others): (Vec<K>, Vec<K>) = known(listed, unread)
        .into_iter()
        .partition(|object| object.meta().namespace.as_deref() == Some(system));
    elsewhere.extend(others.into_iter().map(|object| Elsewhere {
        kind: K::kind(&()).into_owned(),
        plural: K::plural(&()).into_owned(),
        namespace: object.namespace().unwrap_or_default(),
        name: object.name_any(),
    }));
    ours
}

#[cfg(test)]
mod tests;
