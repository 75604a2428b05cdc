//! Settings from the environment: `CORDBOARD_SIP__LISTEN_UDP` is `sip.listen_udp`.
//!
//! The variables are an argument. Only names with a section are settings; others that begin with
//! `CORDBOARD_` have other uses.

use figment::value::{Dict, Map, Value};
use figment::{Error, Metadata, Profile, Provider};

/// Name of the source, by which an error finds its variable.
pub(super) const ENVIRONMENT: &str = "environment";
const PREFIX: &str = "CORDBOARD_";
const NESTING: &str = "__";

/// The variables that are settings.
#[derive(Clone, Debug)]
pub(super) struct Environment(Vec<(Vec<String>, Value)>);

impl Environment {
    pub(super) fn new(variables: impl IntoIterator<Item = (String, String)>) -> Self {
        let settings = variables.into_iter().filter_map(|(name, text)| {
            let path: Vec<_> =
                name.strip_prefix(PREFIX)?.split(NESTING).map(str::to_ascii_lowercase).collect();
            (path.len() > 1).then(|| (path, value_of(&text)))
        });
        Self(settings.collect())
    }
}

/// Reads a text as TOML would, but only where nothing is lost: "0123" stays a text.
fn value_of(text: &str) -> Value {
    let is_list = text.starts_with('[') || text.starts_with('{');
    let is_number = text.parse::<f64>().is_ok() && (text == "0" || !text.starts_with('0'));
    let is_share = text.starts_with("0.");
    let read = is_list || is_number || is_share || text == "true" || text == "false";
    match text.parse::<Value>() {
        Ok(value) if read => value,
        _ => Value::from(text),
    }
}

/// The variable of a setting's path.
pub(super) fn variable_of(path: &[String]) -> String {
    let path: Vec<_> = path.iter().map(|part| part.to_ascii_uppercase()).collect();
    format!("{PREFIX}{}", path.join(NESTING))
}

impl Provider for Environment {
    fn metadata(&self) -> Metadata {
        Metadata::named(ENVIRONMENT)
    }

    fn data(&self) -> Result<Map<Profile, Dict>, Error> {
        let mut root = Dict::new();
        for (path, value) in &self.0 {
            insert(&mut root, path, value.clone());
        }
        Ok(Profile::Default.collect(root))
    }
}

fn insert(dict: &mut Dict, path: &[String], value: Value) {
    let Some((first, rest)) = path.split_first() else { return };
    if rest.is_empty() {
        dict.insert(first.clone(), value);
        return;
    }
    let inner = dict.entry(first.clone()).or_insert_with(|| Value::from(Dict::new()));
    if let Value::Dict(_, inner) = inner {
        insert(inner, rest, value);
    }
}
