//! Why settings are refused: which one, what it is, what is allowed, and where it stands.

use std::path::PathBuf;

use figment::error::Kind;
use figment::value::Value;
use figment::{Figment, Source};

use super::environment::{ENVIRONMENT, variable_of};

/// Why settings are refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SettingsFault {
    /// The file is not there, or may not be read.
    #[error("settings file {path} cannot be read")]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// What the disk said.
        source: std::io::Error,
    },
    /// The file is not TOML.
    #[error("settings file {path} is not TOML: {why}")]
    Malformed {
        /// Which file.
        path: PathBuf,
        /// Where, and why.
        why: String,
    },
    /// A value is not allowed.
    #[error("{name} is {value} ({place}); allowed: {allowed}")]
    Value {
        /// Name of the setting, with its section.
        name: String,
        /// What it is set to.
        value: String,
        /// Where it is set.
        place: String,
        /// What is allowed.
        allowed: String,
    },
    /// There is no such setting.
    #[error("{name} is no setting ({place}); {remedy}")]
    UnknownName {
        /// The name, with its section.
        name: String,
        /// Where it is set.
        place: String,
        /// "did you mean ...", or all the names there are.
        remedy: String,
    },
    /// A setting without a default is missing.
    #[error("{name} is missing ({place})")]
    Missing {
        /// Name of the setting, with its section.
        name: String,
        /// Where it should be.
        place: String,
    },
}

impl SettingsFault {
    /// Name of the setting, with its section; none where the fault is the file's.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::Value { name, .. }
            | Self::UnknownName { name, .. }
            | Self::Missing { name, .. } => Some(name),
            Self::Unreadable { .. } | Self::Malformed { .. } => None,
        }
    }

    /// The same of another setting.
    pub(super) fn renamed(mut self, other: String) -> Self {
        if let Self::Value { name, .. }
        | Self::UnknownName { name, .. }
        | Self::Missing { name, .. } = &mut self
        {
            *name = other;
        }
        self
    }
}

/// Turns figment's error into ours.
pub(super) fn from_figment(error: &figment::Error, figment: &Figment) -> SettingsFault {
    let mut path = error.path.clone();
    let source = error.metadata.as_ref();
    let is_environment = source.is_some_and(|source| source.name == ENVIRONMENT);
    let place = |path: &[String]| match source.and_then(|source| source.source.as_ref()) {
        _ if is_environment => format!("environment {}", variable_of(path)),
        Some(Source::File(file)) => file.display().to_string(),
        _ => "defaults".to_owned(),
    };
    match &error.kind {
        Kind::UnknownField(field, known) => {
            if path.last() != Some(field) {
                path.push(field.clone());
            }
            let (name, place) = (path.join("."), place(&path));
            SettingsFault::UnknownName { name, place, remedy: remedy(field, known) }
        }
        Kind::MissingField(field) => {
            path.push(field.to_string());
            SettingsFault::Missing { name: path.join("."), place: place(&path) }
        }
        kind => SettingsFault::Value {
            name: path.join("."),
            value: value_at(figment, &path),
            place: place(&path),
            allowed: allowed(kind),
        },
    }
}

fn allowed(kind: &Kind) -> String {
    match kind {
        Kind::Message(message) => message.clone(),
        Kind::InvalidType(_, expected)
        | Kind::InvalidValue(_, expected)
        | Kind::InvalidLength(_, expected) => expected.clone(),
        Kind::UnknownVariant(_, known) => quoted(known),
        other => other.to_string(),
    }
}

/// The value as it stands in the sources; what is secret is not shown.
fn value_at(figment: &Figment, path: &[String]) -> String {
    if path.last().is_some_and(|name| name == "token" || name == "password") {
        return "not shown".to_owned();
    }
    find(figment, path).map_or_else(|| "not readable".to_owned(), |value| shown(&value))
}

fn find(figment: &Figment, path: &[String]) -> Option<Value> {
    let (first, rest) = path.split_first()?;
    let value = figment.find_value(first).ok()?;
    rest.iter().try_fold(value, |value, part| match value {
        Value::Array(_, values) => values.get(part.parse::<usize>().ok()?).cloned(),
        Value::Dict(_, dict) => dict.get(part).cloned(),
        _ => None,
    })
}

fn shown(value: &Value) -> String {
    match value {
        Value::String(_, text) => format!("{text:?}"),
        Value::Char(_, c) => format!("{c:?}"),
        Value::Bool(_, is) => is.to_string(),
        Value::Num(_, number) => {
            let whole = number.to_i128().map(|n| n.to_string());
            whole.or_else(|| number.to_u128().map(|n| n.to_string())).unwrap_or_else(|| {
                number.to_f64().map_or_else(|| "a number".to_owned(), |n| n.to_string())
            })
        }
        Value::Empty(..) => "empty".to_owned(),
        Value::Dict(..) => "a table".to_owned(),
        Value::Array(_, values) => {
            format!("[{}]", values.iter().map(shown).collect::<Vec<_>>().join(", "))
        }
    }
}

/// "did you mean", where a name is near enough, else all the names.
pub(super) fn remedy(wrong: &str, known: &[&str]) -> String {
    let near = known.iter().map(|name| (distance(wrong, name), name)).min();
    match near {
        Some((distance, name)) if distance <= 1 + wrong.len() / 4 => {
            format!("did you mean {name:?}?")
        }
        _ => format!("there are {}", quoted(known)),
    }
}

fn quoted(names: &[&str]) -> String {
    names.iter().map(|name| format!("{name:?}")).collect::<Vec<_>>().join(", ")
}

/// Edits between two words (Levenshtein 1966).
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (i, a) in from.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in to.iter().enumerate() {
            let replaced = diagonal + usize::from(a != *b);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[to.len()]
}
