//! The JSON Schema of flow files, and the structural faults that it finds.

use jsonschema::ValidationError;
use jsonschema::error::ValidationErrorKind;
use schemars::generate::SchemaSettings;
use serde_json::Value;

use super::fault::nearest;
use super::format::FlowFile;
use super::located::{Located, join};
use super::{FaultKind, Place};

/// The JSON Schema of flow files, as `schemas/flow.v1.json` publishes it.
#[must_use]
pub fn schema() -> Value {
    SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<FlowFile>().to_value()
}

/// All faults against the schema: place, kind, remedy.
///
/// Fields that are not known are taken out of `located`, so that the rest can still be examined.
pub(super) fn faults(located: &mut Located) -> Vec<(Place, FaultKind, String)> {
    // Inlined, so that the path of an error in the schema leads to the names that are allowed.
    let schema = SchemaSettings::draft2020_12()
        .with(|settings| settings.inline_subschemas = true)
        .into_generator()
        .into_root_schema_for::<FlowFile>()
        .to_value();
    let validator = jsonschema::validator_for(&schema).expect("schemars makes valid schemas");
    let mut faults = Vec::new();
    let mut unknown = Vec::new();
    for error in validator.iter_errors(&located.json) {
        if let ValidationErrorKind::AdditionalProperties { unexpected } = error.kind() {
            unknown.push((error.instance_path().as_str().to_owned(), unexpected.clone()));
        }
        faults.extend(translated(&error, &schema, located));
    }
    for (pointer, names) in unknown {
        if let Some(Value::Object(fields)) = located.json.pointer_mut(&pointer) {
            fields.retain(|name, _| !names.contains(name));
        }
    }
    faults
}

fn translated(
    error: &ValidationError<'_>,
    schema: &Value,
    located: &Located,
) -> Vec<(Place, FaultKind, String)> {
    let pointer = error.instance_path().as_str();
    let at_schema = error.schema_path().as_str();
    let parent = at_schema.rsplit_once('/').map_or("", |(parent, _)| parent);
    match error.kind() {
        ValidationErrorKind::AdditionalProperties { unexpected } => {
            let allowed: Vec<&str> = schema
                .pointer(parent)
                .and_then(|parent| parent.get("properties"))
                .and_then(Value::as_object)
                .map(|properties| properties.keys().map(String::as_str).collect())
                .unwrap_or_default();
            unexpected
                .iter()
                .map(|name| {
                    let remedy = suggestion(name, &allowed);
                    let place = located.place(&join(pointer, name));
                    (place, FaultKind::UnknownField { name: name.clone() }, remedy)
                })
                .collect()
        }
        ValidationErrorKind::Required { property } => {
            let name = property.as_str().unwrap_or_default().to_owned();
            let remedy = format!("add `{name}:` here");
            vec![(located.place(pointer), FaultKind::MissingField { name }, remedy)]
        }
        ValidationErrorKind::OneOfNotValid { .. } | ValidationErrorKind::Enum { .. } => {
            let allowed = constants(schema.pointer(at_schema));
            let names: Vec<&str> = allowed.iter().map(String::as_str).collect();
            let got = error.instance().to_string();
            let remedy = suggestion(got.trim_matches('"'), &names);
            let why = format!("{got} is not allowed here");
            vec![(located.place(pointer), FaultKind::BadValue { why }, remedy)]
        }
        _ => {
            let why = error.to_string();
            let remedy = "give it a value of the kind and range that the schema names".to_owned();
            vec![(located.place(pointer), FaultKind::BadValue { why }, remedy)]
        }
    }
}

/// "did you mean ...?", or else what there is.
pub(super) fn suggestion(name: &str, among: &[&str]) -> String {
    if let Some(near) = nearest(name, among.iter().copied()) {
        return format!("did you mean `{near}`?");
    }
    if among.is_empty() {
        return "remove it; there is none of its kind".to_owned();
    }
    format!("use one of: {}", among.join(", "))
}

/// The constants that an `enum` or a `oneOf` of constants allows.
fn constants(schema: Option<&Value>) -> Vec<String> {
    let alternatives = schema.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    alternatives
        .iter()
        .filter_map(|one| one.as_str().or_else(|| one.get("const")?.as_str()))
        .map(str::to_owned)
        .collect()
}
