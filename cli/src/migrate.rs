//! `migrate check`: what becomes of each object and address when CortenLB takes the place of the MetalLB that runs.

mod workloads;

use std::net::IpAddr;

use cortenlb_crds::translate::service::ingress;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::{Resource, ResourceExt as _};
use serde::Serialize;

use crate::doctor::{conversion_fix, converted, not_advertised};
use crate::facts::{Around, Facts};
use crate::model::Addresses;
use crate::page::{Cell, Page, Report, Table, Tone, joined};

/// What becomes of everything.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Check {
    objects: Vec<ObjectLine>,
    vips: Vec<VipLine>,
    /// What has to be done before the manifest is applied, as commands.
    steps: Vec<String>,
    /// What could not be read, and so not be judged.
    unread: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct ObjectLine {
    kind: String,
    name: String,
    verdict: Verdict,
    how: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct VipLine {
    service: String,
    before: Vec<IpAddr>,
    after: Vec<IpAddr>,
    verdict: Verdict,
    how: String,
}

/// What becomes of one thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
enum Verdict {
    Kept,
    Different,
    NotSupported,
}

/// What would become of everything in this cluster.
pub(crate) fn check(facts: &Facts, around: &Around) -> Check {
    let addresses = Addresses::of(facts, &facts.pools);
    let mut objects = Vec::new();
    pools(facts, &addresses, &mut objects);
    for object in &facts.advertisements {
        objects.push(kept(object, "same meaning"));
    }
    bgp(around, &mut objects);
    let mut steps = Vec::new();
    workloads::look(facts, around, &mut objects, &mut steps);
    for crd in converted(around) {
        let step = conversion_fix(&crd.name_any());
        if webhook_is_applied(crd) {
            let how =
                "its conversion webhook ends with MetalLB, and was applied server-side: take it out first";
            objects.push(line(crd, Verdict::Different, how));
            steps.push(step);
        } else {
            let how = format!(
                "its conversion webhook ends with MetalLB; `kubectl apply` and `helm upgrade` take it out, and before \
                 `kubectl apply --server-side` it has to be: {step}"
            );
            objects.push(line(crd, Verdict::Different, &how));
        }
    }
    for webhook in around
        .webhooks
        .iter()
        .filter(|one| one.name_any().starts_with("metallb-webhook"))
    {
        objects.push(ObjectLine {
            kind: "ValidatingWebhookConfiguration".to_owned(),
            name: webhook.name_any(),
            verdict: Verdict::Different,
            how: "our controller deletes it when it starts; the API server checks the rules itself"
                .to_owned(),
        });
    }
    Check {
        objects,
        vips: vips(facts, &addresses),
        steps,
        unread: around.unread.clone(),
    }
}

/// Whether a server-side apply has written the conversion webhook of a definition. What MetalLB's controller wrote into it
/// since stays when ours is applied the same way, and without the strategy that belongs to it that is refused.
fn webhook_is_applied(crd: &CustomResourceDefinition) -> bool {
    let entries = crd.managed_fields().iter();
    let mut applied = entries.filter(|entry| entry.operation.as_deref() == Some("Apply"));
    applied.any(|entry| {
        let fields = entry.fields_v1.as_ref();
        fields.is_some_and(|fields| fields.0.pointer("/f:spec/f:conversion/f:webhook").is_some())
    })
}

fn line<K: Resource<DynamicType = ()>>(object: &K, verdict: Verdict, how: &str) -> ObjectLine {
    ObjectLine {
        kind: K::kind(&()).into_owned(),
        name: object.name_any(),
        verdict,
        how: how.to_owned(),
    }
}

fn kept<K: Resource<DynamicType = ()>>(object: &K, how: &str) -> ObjectLine {
    line(object, Verdict::Kept, how)
}

fn pools(facts: &Facts, addresses: &Addresses, objects: &mut Vec<ObjectLine>) {
    let silent = not_advertised(facts);
    for pool in &facts.pools {
        let name = pool.name_any();
        objects.push(if let Some(why) = addresses.ignored.get(&name) {
            line(pool, Verdict::Different, &format!("it would be ignored: {why}"))
        } else if silent.contains(&name) {
            let how = "its addresses are given, and nobody announces them: no L2Advertisement selects it";
            line(pool, Verdict::NotSupported, how)
        } else {
            kept(pool, "same addresses, same order")
        });
    }
}

fn bgp(around: &Around, objects: &mut Vec<ObjectLine>) {
    objects.extend(not_supported(
        &around.peers,
        "BGP is not supported: the object is kept, and no session is opened",
    ));
    objects.extend(not_supported(
        &around.bgp_advertisements,
        "BGP is not supported: the object is kept, and no router learns the addresses",
    ));
    objects.extend(not_supported(
        &around.bfd_profiles,
        "BFD is not supported: the object is kept, without effect",
    ));
    objects.extend(not_supported(
        &around.communities,
        "BGP is not supported: the object is kept, without effect",
    ));
}

fn not_supported<K: Resource<DynamicType = ()>>(
    objects: &[K],
    how: &str,
) -> impl Iterator<Item = ObjectLine> {
    objects
        .iter()
        .map(move |object| line(object, Verdict::NotSupported, how))
}

/// What becomes of the addresses that Services have now.
fn vips(facts: &Facts, addresses: &Addresses) -> Vec<VipLine> {
    let silent = not_advertised(facts);
    let shown = |key| facts.service(key).map(ingress).unwrap_or_default();
    let lines = addresses.wants.keys().filter_map(|key| {
        let before = shown(key);
        let held = addresses.allocator.assignment(key);
        let after = held.map(|held| held.addresses.clone()).unwrap_or_default();
        let refusal = addresses.refusal(key).map(|(_, message)| message);
        let (verdict, how) = if before.is_empty() {
            let how = match (&refusal, after.is_empty()) {
                (None, false) => "it has none now, and gets one".to_owned(),
                (Some(why), _) => format!("it has none now, and gets none: {why}"),
                (None, true) => return None,
            };
            (Verdict::Different, how)
        } else if before != after {
            let why = refusal.unwrap_or_else(|| "what it has now comes from no pool".to_owned());
            (Verdict::Different, why)
        } else if held.is_some_and(|held| silent.contains(held.pool.as_ref())) {
            let how = "it keeps its address, and nobody announces it: no L2Advertisement selects the pool"
                .to_owned();
            (Verdict::NotSupported, how)
        } else {
            (
                Verdict::Kept,
                "same address; another node may come to answer for it, once".to_owned(),
            )
        };
        Some(VipLine {
            service: key.to_string(),
            before,
            after,
            verdict,
            how,
        })
    });
    lines.collect()
}

impl Verdict {
    fn cell(self) -> Cell {
        match self {
            Self::Kept => Cell::new("kept", Tone::Good),
            Self::Different => Cell::new("different", Tone::Doubtful),
            Self::NotSupported => Cell::new("not supported", Tone::Bad),
        }
    }
}

impl Report for Check {
    fn print(&self, page: &mut Page) {
        page.heading("Objects");
        let mut table = Table::new(&["KIND", "NAME", "VERDICT", "HOW"]);
        for line in &self.objects {
            table.row([
                line.kind.as_str().into(),
                line.name.as_str().into(),
                line.verdict.cell(),
                line.how.as_str().into(),
            ]);
        }
        page.table_or(&table, "  none");
        page.heading("Addresses");
        let mut table = Table::new(&["SERVICE", "BEFORE", "AFTER", "VERDICT", "HOW"]);
        for line in &self.vips {
            table.row([
                line.service.as_str().into(),
                joined(&line.before).into(),
                joined(&line.after).into(),
                line.verdict.cell(),
                line.how.as_str().into(),
            ]);
        }
        page.table_or(&table, "  none");
        if !self.steps.is_empty() {
            page.heading("Before the manifest is applied");
            for step in &self.steps {
                page.text(&format!("  {step}"));
            }
        }
        for unread in &self.unread {
            page.line([Cell::new(format!("not judged: {unread}"), Tone::Doubtful)]);
        }
        page.text("");
        page.text("docs/differences.md lists what differs for everybody");
    }

    /// What is not supported (BGP above all), a step that has to be done, an address that would not stay, or what could not be
    /// judged.
    fn has_findings(&self) -> bool {
        let objects = self.objects.iter().map(|line| line.verdict);
        objects
            .into_iter()
            .any(|verdict| verdict == Verdict::NotSupported)
            || !self.steps.is_empty()
            || !self.unread.is_empty()
            || self
                .vips
                .iter()
                .any(|line| line.verdict == Verdict::NotSupported || line.before != line.after)
    }
}

#[cfg(test)]
mod tests;
