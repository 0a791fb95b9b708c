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

use super::list_selected;
use super::speakers::membership;
use crate::error::CliError;
use crate::facts::{Around, CLAIMED, Elsewhere, Facts};

/// Where kube-proxy's configuration is, as kubeadm installs it.
const KUBE_SYSTEM: &str = "kube-system";

/// Everything around the configuration in namespace `system`. What may not be read is named in [`Around::unread`].
pub(crate) async fn around(client: &Client, facts: &Facts) -> Result<Around, CliError> {
    let system = facts.system.as_str();
    let mut unread = Vec::new();
    let one = ListParams::default().fields("metadata.name=kube-proxy");
    let proxies = list_selected(Api::<ConfigMap>::namespaced(client.clone(), KUBE_SYSTEM), one).await;
    let kube_proxy = proxies.map_err(|error| unread.push(error.to_string())).ok();
    let daemon_sets = known(all::<DaemonSet>(client).await, &mut unread);
    let deployments = known(all::<Deployment>(client).await, &mut unread);
    let running = ListParams::default().fields("status.phase=Running");
    let running = list_selected(Api::<Pod>::all(client.clone()), running).await;
    let running = known(running, &mut unread);
    let mut pods: Vec<Pod> = Vec::new();
    for labels in ["app=metallb", "app.kubernetes.io/name=metallb"] {
        let selected = ListParams::default().labels(&format!("{labels},!{}", names::COMPONENT));
        let found = list_selected(Api::<Pod>::all(client.clone()), selected).await;
        pods.extend(known(found, &mut unread));
    }
    let claims = ListParams::default().fields(&format!("reason={CLAIMED},involvedObject.kind=Service"));
    let claims = list_selected(Api::<Event>::all(client.clone()), claims).await;
    let claims = known(claims, &mut unread);
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
    ours_of(
        all::<IPAddressPool>(client).await,
        system,
        &mut elsewhere,
        &mut unread,
    );
    ours_of(
        all::<L2Advertisement>(client).await,
        system,
        &mut elsewhere,
        &mut unread,
    );
    Ok(Around {
        kube_proxy,
        daemon_sets,
        deployments,
        running,
        metallb_pods: pods,
        webhooks,
        definitions,
        elsewhere,
        peers,
        bgp_advertisements,
        bfd_profiles,
        communities,
        claims,
        membership: membership(client, facts).await,
        unread,
    })
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
