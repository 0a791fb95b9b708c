//! The CustomResourceDefinitions: what the derive macros say, in the shape of MetalLB's.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceConversion, CustomResourceDefinition,
};
use kube::CustomResourceExt;
use kube::core::crd::merge_crds;
use serde_json::{Value, json};

use crate::bgp_peer::v1beta1;

/// Every kind's definition, in the order of their names.
pub fn all() -> Vec<CustomResourceDefinition> {
    let peers = vec![
        definition::<crate::BGPPeer>(Spec::Required),
        definition::<v1beta1::BGPPeer>(Spec::Required),
    ];
    vec![
        definition::<crate::AddressReservation>(Spec::Required),
        definition::<crate::BFDProfile>(Spec::Optional),
        definition::<crate::BGPAdvertisement>(Spec::Optional),
        merge_crds(peers, "v1beta2").expect("both versions are of one kind, and v1beta2 is among them"),
        definition::<crate::Community>(Spec::Optional),
        definition::<crate::ConfigurationState>(Spec::None),
        definition::<crate::IPAddressPool>(Spec::Required),
        definition::<crate::L2Advertisement>(Spec::Optional),
        definition::<crate::ServiceBGPStatus>(Spec::Optional),
        definition::<crate::ServiceL2Status>(Spec::Optional),
    ]
}

/// Whether objects of a kind have a `spec`.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Spec {
    /// All have one.
    Required,
    /// An object without is one with an empty `spec`: the API server fills it in, so that readers always find one.
    Optional,
    /// None has one.
    None,
}

fn definition<K: CustomResourceExt>(spec: Spec) -> CustomResourceDefinition {
    let mut crd = K::crd();
    crd.spec.conversion = Some(CustomResourceConversion {
        strategy: "None".to_owned(),
        webhook: None,
    });
    for version in &mut crd.spec.versions {
        let schema = version
            .schema
            .as_mut()
            .and_then(|validation| validation.open_api_v3_schema.as_mut());
        let schema = schema.expect("derive(CustomResource) writes a schema");
        let mut value = serde_json::to_value(&schema).expect("a schema is JSON");
        normalise(&mut value);
        root(&mut value, spec);
        *schema = serde_json::from_value(value).expect("the schema stays one");
    }
    crd
}

/// Adds what every object has, and says whether `spec` may be left out.
fn root(schema: &mut Value, spec: Spec) {
    schema["properties"]["apiVersion"] = json!({
        "description": "The group and version of the kind.",
        "type": "string",
    });
    schema["properties"]["kind"] = json!({ "description": "The kind.", "type": "string" });
    schema["properties"]["metadata"] = json!({ "type": "object" });
    if spec == Spec::Optional {
        schema["properties"]["spec"]["default"] = json!({});
        schema
            .as_object_mut()
            .expect("a schema is an object")
            .remove("required");
    }
}

/// Writes a schema as controller-gen would: no `nullable` for Rust's `Option`, no titles, descriptions as paragraphs.
fn normalise(schema: &mut Value) {
    let Value::Object(fields) = schema else { return };
    fields.remove("nullable");
    fields.remove("title");
    if let Some(Value::String(text)) = fields.get_mut("description") {
        *text = text.replace('\n', " ");
    }
    if let Some(Value::Object(properties)) = fields.get_mut("properties") {
        properties.values_mut().for_each(normalise);
    }
    for nested in ["items", "additionalProperties"] {
        if let Some(schema) = fields.get_mut(nested) {
            normalise(schema);
        }
    }
}
