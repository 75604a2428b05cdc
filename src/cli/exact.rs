//! `cordboard replay --exact`: recorded calls played again from their inputs, as they were or
//! otherwise.

mod with;

use std::path::{Path, PathBuf};

use clap::Args;

use super::{Fault, say, settings};
use crate::conversation::{Flow, FlowFault};
use crate::replay::exact::{
    Difference, ExactFault, Flows, Otherwise, Recorded, differences, first_difference,
    kept_timeline, otherwise, rebuilt, summary,
};
use crate::settings::Settings;
use crate::shell;
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
    /// What would have happened under another setting of a call, as in turn.sure_pause_ms=200; may
    /// be given more than once.
    #[arg(long, value_name = "NAME=VALUE", requires = "exact")]
    with: Vec<String>,
    /// What would have happened with this flow.
    #[arg(long, value_name = "FILE", requires = "exact")]
    with_flow: Option<PathBuf>,
}

impl ExactArguments {
    pub(super) const fn are_given(&self) -> bool {
        !self.exact.is_empty()
    }
}

/// Plays them, and fails where one is not what it was.
pub(super) fn run(arguments: &ExactArguments, config: Option<&Path>) -> Result<(), Fault> {
    let settings = settings(config)?;
    let folder = &settings.store.folder;
    let records = records(&arguments.exact, folder)?;
    if !arguments.with.is_empty() || arguments.with_flow.is_some() {
        return run_otherwise(arguments, &records, &settings);
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut flows = Flows::default();
    let (mut identical, mut faulty) = (0, Vec::new());
    for record in &records {
        match runtime.block_on(played(record, folder, &mut flows)) {
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

/// Plays them with other settings or another flow, and tells what differs.
fn run_otherwise(
    arguments: &ExactArguments,
    records: &[PathBuf],
    settings: &Settings,
) -> Result<(), Fault> {
    let ExactArguments { with, with_flow, .. } = arguments;
    let flow_text = with_flow.as_ref().map(|path| {
        let unreadable = |why| format!("{} cannot be read: {why}", path.display());
        std::fs::read_to_string(path).map_err(unreadable)
    });
    let flow_text = flow_text.transpose()?;
    let mut voice = shell::open_voice(&settings.models).ok();
    let (mut flows, mut differing) = (Flows::default(), 0);
    for record in records {
        let recorded = Recorded::read(record, &mut flows)?;
        let mut facts = recorded.facts.clone();
        if let (Some(text), Some(path)) = (&flow_text, with_flow) {
            let overrides = facts.flow.overrides();
            facts.flow = Flow::parse(text, &path.to_string_lossy(), &overrides)
                .map_err(|faults| lines(&faults))?
                .into();
        }
        let met = with::with(&recorded.settings, facts.leg, with)?;
        let would_be = otherwise(&recorded, facts, met, voice.as_deref_mut());
        let found = differences(&rebuilt(&recorded), &would_be.entries);
        differing += usize::from(!found.is_empty());
        tell(&recorded.facts.id, arguments, &would_be, &found);
    }
    if records.len() > 1 {
        say(&format!("{differing} of {} would differ", records.len()));
    }
    Ok(())
}

fn tell(call: &CallId, arguments: &ExactArguments, would_be: &Otherwise, found: &[String]) {
    let flow = arguments.with_flow.iter().map(|path| format!("the flow {}", path.display()));
    let with: Vec<String> = arguments.with.iter().cloned().chain(flow).collect();
    say(&format!("{call} with {}", with.join(", ")));
    would_be.assumptions.iter().for_each(|what| say(&format!("  assumed: {what}")));
    found.iter().for_each(|line| say(&format!("  {line}")));
    if found.is_empty() {
        say("  nothing differs");
    }
    if !would_be.is_over {
        say("  the call is not over three minutes after the end of its record");
    }
}

fn lines(faults: &[FlowFault]) -> String {
    faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
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
