//! JSON merge patches.

use serde_json::{Value, json};

/// Does to `target` what `patch` says: RFC 7386, section 2.
pub fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = json!({});
    }
    for (name, value) in patch {
        if value.is_null() {
            replace(target, name, Value::Null);
        } else {
            merge(&mut target[name], value);
        }
    }
}

/// Sets a field; `Null` removes it.
pub(super) fn replace(object: &mut Value, field: &str, value: Value) {
    if !value.is_null() {
        object[field] = value;
    } else if let Some(object) = object.as_object_mut() {
        object.remove(field);
    }
}
