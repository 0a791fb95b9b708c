//! Pieces of OpenAPI schema that several kinds share, as MetalLB's generator (controller-gen) writes them.

use schemars::{Schema, SchemaGenerator, json_schema};

/// A list of label selectors (`metav1.LabelSelector`).
pub(crate) fn label_selectors(generator: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "array", "items": label_selector(generator) })
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
                "additionalProperties": { "type": "string" },
            },
            "matchExpressions": {
                "description": "Requirements that must all hold.",
                "type": "array",
                "x-kubernetes-list-type": "atomic",
                "items": {
                    "description": "A requirement on one label.",
                    "type": "object",
                    "required": ["key", "operator"],
                    "properties": {
                        "key": { "description": "The label.", "type": "string" },
                        "operator": { "description": "In, NotIn, Exists or DoesNotExist.", "type": "string" },
                        "values": {
                            "description": "The values for In and NotIn; empty for Exists and DoesNotExist.",
                            "type": "array",
                            "x-kubernetes-list-type": "atomic",
                            "items": { "type": "string" },
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
