//! Pieces of OpenAPI schema that several kinds share, as MetalLB's generator (controller-gen) writes them.

use schemars::{Schema, SchemaGenerator, json_schema};
use serde_json::{Value, json};

use crate::rules::rule;

/// The most selectors in a list. People list one for each node; 1,024 of 64 requirements keep the rules below a fifth of
/// their cost limit.
const SELECTORS: u32 = 1024;

/// The syntax of a label's key: an optional prefix (RFC 1123 subdomain), and a name of at most 63 characters.
const LABEL_KEY: &str = "^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?\
                         [A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$";

/// The syntax of a label's value.
fn label_value() -> Value {
    json!({ "type": "string", "maxLength": 63, "pattern": "^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$" })
}

/// In and NotIn need values, Exists and DoesNotExist have none.
fn requirement_rules() -> Value {
    let needed = rule(
        "!(self.operator in ['In', 'NotIn']) || (has(self.values) && self.values.size() > 0)",
        "'operator ' + self.operator + ' on label \"' + self.key + '\" needs values'",
    );
    let none = rule(
        "!(self.operator in ['Exists', 'DoesNotExist']) || !has(self.values) || self.values.size() == 0",
        "'operator ' + self.operator + ' on label \"' + self.key + '\" has no values'",
    );
    json!([needed, none])
}

/// A list of label selectors (`metav1.LabelSelector`).
pub(crate) fn label_selectors(generator: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "array", "maxItems": SELECTORS, "items": label_selector(generator) })
}

/// One label selector (`metav1.LabelSelector`).
pub(crate) fn label_selector(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "description": "A label query over a set of objects: matchLabels and matchExpressions are ANDed. \
                        An empty label selector matches all objects.",
        "type": "object",
        "x-kubernetes-map-type": "atomic",
        "properties": {
            "matchLabels": {
                "description": "Labels that must have exactly these values.",
                "type": "object",
                "additionalProperties": label_value(),
            },
            "matchExpressions": {
                "description": "Requirements that must all hold.",
                "type": "array",
                "x-kubernetes-list-type": "atomic",
                "maxItems": 64,
                "items": {
                    "description": "A requirement on one label.",
                    "type": "object",
                    "required": ["key", "operator"],
                    "x-kubernetes-validations": requirement_rules(),
                    "properties": {
                        "key": {
                            "description": "The label.",
                            "type": "string",
                            "maxLength": 317,
                            "pattern": LABEL_KEY,
                        },
                        "operator": {
                            "description": "In, NotIn, Exists or DoesNotExist.",
                            "type": "string",
                            "enum": ["In", "NotIn", "Exists", "DoesNotExist"],
                        },
                        "values": {
                            "description": "The values for In and NotIn; empty for Exists and DoesNotExist.",
                            "type": "array",
                            "x-kubernetes-list-type": "atomic",
                            "items": label_value(),
                        },
                    },
                },
            },
        },
    })
}

/// A list of conditions (`metav1.Condition`), one of each type.
pub(crate) fn conditions(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["type"],
        "items": {
            "description": "One aspect of the object's current state.",
            "type": "object",
            "required": ["lastTransitionTime", "message", "reason", "status", "type"],
            "properties": {
                "lastTransitionTime": {
                    "description": "When the status last changed.",
                    "type": "string",
                    "format": "date-time",
                },
                "message": { "description": "What it means, for people.", "type": "string", "maxLength": 32768 },
                "observedGeneration": {
                    "description": "The metadata.generation that was judged.",
                    "type": "integer",
                    "format": "int64",
                    "minimum": 0,
                },
                "reason": {
                    "description": "Why, for programs.",
                    "type": "string",
                    "maxLength": 1024,
                    "minLength": 1,
                    "pattern": "^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$",
                },
                "status": {
                    "description": "True, False or Unknown.",
                    "type": "string",
                    "enum": ["True", "False", "Unknown"],
                },
                "type": {
                    "description": "Which aspect.",
                    "type": "string",
                    "maxLength": 316,
                    "pattern": "^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?\
                                (([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])$",
                },
            },
        },
    })
}

/// A point in time.
pub(crate) fn time(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "format": "date-time" })
}

/// Gives an integer the format `int32`, whatever its Rust type is.
pub(crate) fn int32(schema: &mut Schema) {
    schema.insert("format".to_owned(), "int32".into());
}

/// Gives an integer the format `int64`, whatever its Rust type is.
pub(crate) fn int64(schema: &mut Schema) {
    schema.insert("format".to_owned(), "int64".into());
}

/// Takes the format of an integer away, as Go's `int` has none.
pub(crate) fn no_format(schema: &mut Schema) {
    schema.remove("format");
}

/// Takes away the lower bound that schemars gives unsigned integers.
pub(crate) fn no_minimum(schema: &mut Schema) {
    schema.remove("minimum");
}
