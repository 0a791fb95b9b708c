//! The objects of `crds/examples` against the definitions, as the API server would judge them.
//!
//! Each file in `rejected/` begins with `# message: …`, a part of what the API server answers. The scenarios on a real
//! API server read the same files.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use cortenlb_core::addr::AddrRange;
use cortenlb_crds::names::SYSTEM_NAMESPACE;
use cortenlb_crds::{admission, definitions};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::core::cel::{AdmissionRequest, Validator, VapEvaluator, VapExpression, apply_defaults};
use regex::Regex;
use serde_json::Value;

#[test]
fn accepts_what_metallb_accepts() {
    for file in files("accepted") {
        let (_, object) = read(&file);
        assert_eq!(judge(&object), Vec::<String>::new(), "{}", file.display());
    }
}

#[test]
fn rejects_with_a_message_that_names_the_value() {
    for file in files("rejected") {
        let (message, object) = read(&file);
        let message = message.unwrap_or_else(|| panic!("{} has no `# message: …`", file.display()));
        let answers = judge(&object);
        assert!(
            answers.iter().any(|answer| answer.contains(&message)),
            "{}: {answers:#?}",
            file.display()
        );
    }
}

/// The rules and the allocator read addresses alike; only what CEL cannot tell is left to the allocator.
#[test]
fn core_judges_addresses_as_the_rules_do() {
    for file in files("accepted").into_iter().chain(files("rejected")) {
        let (message, object) = read(&file);
        let entries = object["spec"]["addresses"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str);
        let refused: Vec<_> = entries
            .filter(|entry| entry.parse::<AddrRange>().is_err())
            .collect();
        let expected = message.is_some_and(|message| message.contains(" CIDR ") || message.contains(" IP"));
        let left_to_core = file.ends_with("ipaddresspool-ipv6-order-is-the-controllers.yaml");
        if object["kind"] == "IPAddressPool" {
            assert_eq!(
                !refused.is_empty(),
                expected || left_to_core,
                "{}: {refused:?}",
                file.display()
            );
        }
    }
}

fn files(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("examples")
        .join(folder);
    let entries = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<_> = entries
        .map(|entry| entry.expect("the folder is readable").path())
        .collect();
    files.sort();
    assert!(!files.is_empty(), "{} is empty", folder.display());
    files
}

/// The expected message, if any, and the object.
fn read(file: &Path) -> (Option<String>, Value) {
    let text = std::fs::read_to_string(file).expect("an example is a file");
    let message = text
        .lines()
        .find_map(|line| line.strip_prefix("# message: "))
        .map(str::to_owned);
    let object = serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    (message, object)
}

/// What is wrong with an object: by schema, by rule, and by the admission policy.
fn judge(object: &Value) -> Vec<String> {
    let (kind, version) = (
        &object["kind"],
        object["apiVersion"].as_str().and_then(|v| v.split_once('/')),
    );
    let (_, version) = version.unwrap_or_else(|| panic!("no group and version: {object}"));
    static ALL: LazyLock<Vec<CustomResourceDefinition>> = LazyLock::new(definitions::all);
    let crd = ALL
        .iter()
        .find(|crd| *kind == crd.spec.names.kind)
        .unwrap_or_else(|| panic!("no kind {kind}"));
    let found = crd.spec.versions.iter().find(|one| one.name == version);
    let schema = found
        .and_then(|one| one.schema.as_ref())
        .and_then(|one| one.open_api_v3_schema.as_ref());
    let schema =
        serde_json::to_value(schema.unwrap_or_else(|| panic!("no version {version}"))).expect("JSON");
    let object = apply_defaults(&schema, object);
    let mut answers = Vec::new();
    check(&schema, &object, "", &mut answers);
    if let Err(errors) = Validator::new().validate(&schema, &object, None) {
        answers.extend(
            errors
                .into_vec()
                .into_iter()
                .map(|error| format!("{}: {}", error.field_path, error.message)),
        );
    }
    answers.extend(admit(&object));
    answers
}

/// What the admission policy says.
fn admit(object: &Value) -> Vec<String> {
    let request = AdmissionRequest {
        operation: "CREATE".to_owned(),
        namespace: object["metadata"]["namespace"]
            .as_str()
            .expect("examples name a namespace")
            .to_owned(),
        ..AdmissionRequest::default()
    };
    let spec = admission::policy(SYSTEM_NAMESPACE)
        .spec
        .expect("the policy has a spec");
    let rules = spec
        .validations
        .expect("the policy has rules")
        .into_iter()
        .map(|one| VapExpression {
            expression: one.expression,
            message: one.message,
            message_expression: one.message_expression,
        });
    let evaluator = VapEvaluator::builder()
        .object(object.clone())
        .request(request)
        .build();
    let results = evaluator.evaluate(&rules.collect::<Vec<_>>());
    results
        .into_iter()
        .filter(|one| !one.passed)
        .map(|one| one.message.unwrap_or_default())
        .collect()
}

/// The keywords of a structural schema that the definitions use, with the API server's words.
fn check(schema: &Value, value: &Value, path: &str, answers: &mut Vec<String>) {
    let type_of = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let expected = schema["type"].as_str().expect("every schema has a type");
    if type_of != expected {
        answers.push(format!(
            "{path} in body must be of type {expected}: \"{type_of}\""
        ));
        return;
    }
    if let Some(allowed) = schema["enum"]
        .as_array()
        .filter(|allowed| !allowed.contains(value))
    {
        answers.push(format!(
            "{path}: Unsupported value: {value}: supported values: {allowed:?}"
        ));
    }
    match value {
        Value::Object(fields) => {
            for name in schema["required"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
            {
                if !fields.contains_key(name) {
                    answers.push(format!("{path}.{name}: Required value"));
                }
            }
            for (name, value) in fields.iter().filter(|(name, _)| *name != "metadata") {
                let known = [&schema["properties"][name], &schema["additionalProperties"]];
                match known.into_iter().find(|known| known.is_object()) {
                    Some(known) => check(known, value, &format!("{path}.{name}"), answers),
                    None => answers.push(format!("unknown field \"{path}.{name}\"")),
                }
            }
        }
        Value::Array(items) => {
            let limit = |key: &str| schema[key].as_u64().and_then(|limit| usize::try_from(limit).ok());
            if limit("maxItems").is_some_and(|most| items.len() > most) {
                answers.push(format!("{path}: Too many: {}", items.len()));
            }
            if limit("minItems").is_some_and(|least| items.len() < least) {
                answers.push(format!(
                    "{path} in body should have at least {} items",
                    schema["minItems"]
                ));
            }
            for (index, item) in items.iter().enumerate() {
                check(&schema["items"], item, &format!("{path}[{index}]"), answers);
            }
        }
        Value::String(text) => {
            let length = text.chars().count() as u64;
            if schema["maxLength"].as_u64().is_some_and(|most| length > most) {
                answers.push(format!(
                    "{path}: Too long: may not be more than {} bytes",
                    schema["maxLength"]
                ));
            }
            let pattern = schema["pattern"]
                .as_str()
                .map(|pattern| (pattern, Regex::new(pattern).expect("a regex")));
            if let Some((pattern, _)) = pattern.filter(|(_, regex)| !regex.is_match(text)) {
                answers.push(format!(
                    "{path}: Invalid value: {value}: in body should match '{pattern}'"
                ));
            }
        }
        Value::Number(number) => {
            let number = number.as_f64().expect("a JSON number");
            if schema["maximum"].as_f64().is_some_and(|most| number > most) {
                answers.push(format!(
                    "{path} in body should be less than or equal to {}",
                    schema["maximum"]
                ));
            }
            if schema["minimum"].as_f64().is_some_and(|least| number < least) {
                answers.push(format!(
                    "{path} in body should be greater than or equal to {}",
                    schema["minimum"]
                ));
            }
        }
        Value::Null | Value::Bool(_) => {}
    }
}
