//! `cordboard replay --exact`: recorded calls played again from their inputs.

use std::path::{Path, PathBuf};

use clap::Args;

use super::{Fault, say, settings};
use crate::replay::exact::{
    Difference, ExactFault, Flows, Recorded, first_difference, kept_timeline, rebuilt, summary,
};
use crate::store::{calls_with_inputs, inputs_of};
use crate::timeline::CallId;

/// Every call whose inputs are kept, by name.
const ALL: &str = "all";

#[derive(Debug, Args)]
pub(super) struct ExactArguments {
    /// Play recorded calls again, which must reach the same timelines, byte for byte: ids, paths
    /// of records (.bin), or "all".
    #[arg(long, value_name = "CALL", num_args = 1..)]
    exact: Vec<String>,
}

impl ExactArguments {
    pub(super) const fn are_given(&self) -> bool {
        !self.exact.is_empty()
    }
}

/// Plays them, and fails where one is not what it was.
pub(super) fn run(arguments: &ExactArguments, config: Option<&Path>) -> Result<(), Fault> {
    let folder = settings(config)?.store.folder;
    let records = records(&arguments.exact, &folder)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut flows = Flows::default();
    let (mut identical, mut faulty) = (0, Vec::new());
    for record in &records {
        match runtime.block_on(played(record, &folder, &mut flows)) {
            Ok(Played { call, entries, difference: None }) => {
                identical += 1;
                say(&format!("{call} identical, {entries} entries"));
            }
            Ok(Played { call, difference: Some(difference), .. }) => {
                say(&format!("{call} {difference}"));
            }
            Err(fault) => {
                let name = record.file_stem().unwrap_or_default().to_string_lossy();
                say(&format!("{name} cannot be played: {fault}"));
                faulty.push(fault);
            }
        }
    }
    let total = records.len();
    let told = summary(identical, total);
    match faulty.pop() {
        // Of one alone the fault is all that there is to say.
        Some(fault) if total == 1 => Err(fault.into()),
        _ if identical < total => Err(told.into()),
        _ => {
            say(&told);
            Ok(())
        }
    }
}

struct Played {
    call: CallId,
    entries: usize,
    difference: Option<Difference>,
}

async fn played(record: &Path, folder: &Path, flows: &mut Flows) -> Result<Played, ExactFault> {
    let recorded = Recorded::read(record, flows)?;
    let call = recorded.facts.id.clone();
    let kept = kept_timeline(folder, &call).await?;
    let difference = first_difference(&kept, &rebuilt(&recorded));
    Ok(Played { call, entries: kept.len(), difference })
}

/// The records that are meant.
fn records(named: &[String], folder: &Path) -> Result<Vec<PathBuf>, Fault> {
    let mut records = Vec::new();
    for name in named {
        if name == ALL {
            let calls = calls_with_inputs(folder)?;
            if calls.is_empty() {
                let why = "keeps the inputs of no call; set store.keep_inputs = true";
                return Err(format!("{} {why}", folder.display()).into());
            }
            records.extend(calls.iter().filter_map(|call| inputs_of(folder, call)));
        } else if Path::new(name).extension().is_some_and(|extension| extension == "bin") {
            records.push(PathBuf::from(name));
        } else if let Some(record) = inputs_of(folder, &CallId(name.clone())) {
            records.push(record);
        } else {
            let may = "name a call's id (GET /v1/calls has them), a record's path (.bin), or all";
            return Err(format!("{name:?} is no call; {may}").into());
        }
    }
    Ok(records)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_call_is_refused_with_what_may_be_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let named = |name: &str| records(&[name.to_owned()], folder.path());
        let said = named("yesterday").expect_err("no call").to_string();
        assert!(said.contains("\"yesterday\" is no call; name a call's id"), "{said}");
        let said = named("all").expect_err("none there").to_string();
        assert!(said.contains("set store.keep_inputs = true"), "{said}");
        let call = "01HZX5Y7QZJ4W3M2N1P0R9S8T7";
        let found = named(call).expect("a call's id");
        assert_eq!(found, [folder.path().join(format!("inputs/{call}.bin"))]);
        assert_eq!(named("a/b.bin").expect("a path"), [PathBuf::from("a/b.bin")]);
    }
}
