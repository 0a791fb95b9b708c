//! The one rule that a definition cannot hold: configuration lives in our namespace. A ValidatingAdmissionPolicy is
//! evaluated by the API server itself, so that nothing of ours needs to run.

use k8s_openapi::api::admissionregistration::v1::{
    MatchResources, NamedRuleWithOperations, ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding,
    ValidatingAdmissionPolicyBindingSpec, ValidatingAdmissionPolicySpec, Validation,
};
use kube::api::ObjectMeta;

use crate::names::GROUP;

/// The name of the policy and of its binding.
pub const NAME: &str = "metallb-namespace";

/// The kinds that configure, by their plural. The kinds that report are not judged: speakers alone may write them.
const CONFIGURATION: [&str; 6] = [
    "bfdprofiles",
    "bgpadvertisements",
    "bgppeers",
    "communities",
    "ipaddresspools",
    "l2advertisements",
];

/// Rejects configuration that is created outside `namespace`, which is ours, where nobody would read it, in the words of
/// MetalLB's webhooks. Only creation is judged, as by those.
pub fn policy(namespace: &str) -> ValidatingAdmissionPolicy {
    let rule = NamedRuleWithOperations {
        api_groups: Some(vec![GROUP.to_owned()]),
        api_versions: Some(vec!["*".to_owned()]),
        operations: Some(vec!["CREATE".to_owned()]),
        resources: Some(CONFIGURATION.map(str::to_owned).to_vec()),
        // As the API server fills in: otherwise every `kubectl apply` would find a difference.
        scope: Some("*".to_owned()),
        ..Default::default()
    };
    let validation = Validation {
        expression: format!("request.namespace == '{namespace}'"),
        message_expression: Some(format!(
            "'resource must be created in {namespace} namespace, not in ' + request.namespace"
        )),
        ..Default::default()
    };
    ValidatingAdmissionPolicy {
        metadata: ObjectMeta {
            name: Some(NAME.to_owned()),
            ..Default::default()
        },
        spec: Some(ValidatingAdmissionPolicySpec {
            failure_policy: Some("Fail".to_owned()),
            match_constraints: Some(MatchResources {
                resource_rules: Some(vec![rule]),
                ..Default::default()
            }),
            validations: Some(vec![validation]),
            ..Default::default()
        }),
        ..Default::default()
    }
}

/// Puts [`policy`] into force.
pub fn binding() -> ValidatingAdmissionPolicyBinding {
    ValidatingAdmissionPolicyBinding {
        metadata: ObjectMeta {
            name: Some(NAME.to_owned()),
            ..Default::default()
        },
        spec: Some(ValidatingAdmissionPolicyBindingSpec {
            policy_name: Some(NAME.to_owned()),
            validation_actions: Some(vec!["Deny".to_owned()]),
            ..Default::default()
        }),
    }
}
