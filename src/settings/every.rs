//! Every fault of the settings, not only the first.
//!
//! A value that is refused is told and left out, and the rest is read again; so a file with three
//! faults is corrected once, not three times.

use std::collections::BTreeMap;
use std::path::Path;

use figment::value::{Dict, Map, Value};
use figment::{Error, Figment, Metadata, Profile, Provider};

use super::{Settings, SettingsFault, sources};

/// Faults after which the rest is not looked for.
const MOST: usize = 100;

impl Settings {
    /// Reads settings as [`Settings::load`] does, and tells every fault; what is left are settings
    /// too where nothing that is needed is missing.
    pub fn load_all(
        file: Option<&Path>,
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> (Option<Self>, Vec<SettingsFault>) {
        let figment = match sources(file, variables) {
            Ok(figment) => figment,
            Err(fault) => return (None, vec![fault]),
        };
        let mut without = Without { figment, omitted: Vec::new() };
        let mut faults: Vec<SettingsFault> = Vec::new();
        while faults.len() < MOST {
            let (settings, found) = match Self::extract(&without.left()) {
                Ok(settings) => {
                    let found = settings.faults();
                    (Some(settings), found)
                }
                Err(fault) => (None, vec![fault]),
            };
            if found.is_empty() {
                return (settings, faults);
            }
            let before = faults.len();
            let mut omitted = false;
            for fault in found {
                let path = fault.name().map(|name| without.original(name));
                let fault = match &path {
                    Some(path) => fault.renamed(path.join(".")),
                    None => fault,
                };
                if !faults.iter().any(|known| known.to_string() == fault.to_string()) {
                    faults.push(fault);
                }
                omitted |= path.is_some_and(|path| without.omit(path));
            }
            if !omitted || faults.len() == before {
                return (settings, faults);
            }
        }
        (None, faults)
    }
}

/// Sources without the values that were refused. Whole elements of lists are left out, so that what
/// is left of one is not refused for what was taken from it.
struct Without {
    figment: Figment,
    omitted: Vec<Vec<String>>,
}

impl Without {
    fn left(&self) -> Figment {
        Figment::from(self)
    }

    /// Leaves a value out; whether there is one.
    fn omit(&mut self, mut path: Vec<String>) -> bool {
        if let Some(element) = path.iter().position(|part| part.parse::<usize>().is_ok()) {
            path.truncate(element + 1);
        }
        let root = self.figment.extract::<Value>();
        let is_there = root.is_ok_and(|root| find(&root, &path).is_some());
        let is_new = is_there && !self.omitted.contains(&path);
        if is_new {
            self.omitted.push(path);
        }
        is_new
    }

    /// The place in the sources of what is named after elements before it were left out.
    fn original(&self, name: &str) -> Vec<String> {
        let mut path: Vec<String> = name.split('.').map(str::to_owned).collect();
        let element = path.iter().position(|part| part.parse::<usize>().is_ok());
        if let Some(element) = element {
            let mut index: usize = path[element].parse().unwrap_or_default();
            for gone in self.gone(&path[..element]).keys() {
                index += usize::from(*gone <= index);
            }
            path[element] = index.to_string();
        }
        path
    }

    /// Elements of a list that were left out, in order.
    fn gone(&self, list: &[String]) -> BTreeMap<usize, ()> {
        let of_list = |path: &&Vec<String>| path.len() == list.len() + 1 && path.starts_with(list);
        let of_list = self.omitted.iter().filter(of_list);
        of_list.filter_map(|path| Some((path.last()?.parse().ok()?, ()))).collect()
    }
}

impl Provider for &Without {
    fn metadata(&self) -> Metadata {
        Metadata::named("settings")
    }

    fn data(&self) -> Result<Map<Profile, Dict>, Error> {
        let mut data = self.figment.data()?;
        // From the last element to the first, so that those before it keep their places.
        let mut omitted = self.omitted.clone();
        let index = |path: &Vec<String>| path.last().and_then(|it| it.parse::<usize>().ok());
        omitted.sort_by_key(|path| std::cmp::Reverse(index(path)));
        for dict in data.values_mut() {
            for path in &omitted {
                remove(dict, path);
            }
        }
        Ok(data)
    }
}

fn remove(dict: &mut Dict, path: &[String]) {
    match path {
        [] => {}
        [last] => drop(dict.remove(last)),
        [first, rest @ ..] => match (dict.get_mut(first), rest) {
            (Some(Value::Dict(_, inner)), rest) => remove(inner, rest),
            (Some(Value::Array(_, list)), [index]) => {
                if let Some(index) = index.parse().ok().filter(|index| *index < list.len()) {
                    list.remove(index);
                }
            }
            _ => {}
        },
    }
}

fn find<'v>(value: &'v Value, path: &[String]) -> Option<&'v Value> {
    path.iter().try_fold(value, |value, part| match value {
        Value::Array(_, values) => values.get(part.parse::<usize>().ok()?),
        Value::Dict(_, dict) => dict.get(part),
        _ => None,
    })
}
