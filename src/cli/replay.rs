//! `cordboard replay`: calls placed and scored (`place`), recorded calls played again (`exact`),
//! and the tuning bench of turn-taking.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::{ArgGroup, Args, ValueEnum};

use super::place::{self, PlaceArguments};
use super::{Fault, exact, say, settings};
use crate::replay::turns::{self, Bench, Engine, Half, Kind};
use crate::shell;

#[derive(Debug, Args)]
#[command(group(
    ArgGroup::new("what")
        .required(true)
        .args(["turns", "make_turns", "scenarios", "compare", "exact"])
))]
pub(super) struct ReplayArguments {
    #[command(flatten)]
    place: PlaceArguments,
    /// Show how the second of two runs differs from the first: files of --json.
    #[arg(long, num_args = 2, value_names = ["A", "B"])]
    compare: Vec<PathBuf>,
    /// Score the floor by the labelled recordings in this folder.
    #[arg(long, value_name = "DIR")]
    turns: Option<PathBuf>,
    /// Make labelled recordings in this folder, which must be new or empty.
    #[arg(long, value_name = "DIR", requires = "from")]
    make_turns: Option<PathBuf>,
    /// The folder of source recordings, for --make-turns.
    #[arg(long, value_name = "DIR", requires = "make_turns")]
    from: Option<PathBuf>,
    /// Another seed makes other recordings; the same makes the same, for --make-turns.
    #[arg(long, default_value_t = 1, conflicts_with = "turns")]
    seed: u64,
    #[command(flatten)]
    exact: exact::ExactArguments,
    /// Only this half: settings are chosen on the one and reported on the other.
    #[arg(long, requires = "turns")]
    half: Option<Half>,
    /// Who judges: the turn room, voice activity alone, Smart Turn alone, the turn room with Smart
    /// Turn, or all.
    #[arg(long, requires = "turns", default_value = "own")]
    engine: EngineChoice,
    /// Write the figures as JSON too.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["make_turns", "compare"])]
    json: Option<PathBuf>,
    /// Write what the room measures of each silence, a JSON line each.
    #[arg(long, value_name = "FILE", requires = "turns")]
    features: Option<PathBuf>,
    /// TOML file of settings: [turn] is what is scored, [models] names weights and voices, [store]
    /// has the recorded calls.
    #[arg(short, long, conflicts_with = "make_turns")]
    config: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum EngineChoice {
    Own,
    Vad,
    Smart,
    Joint,
    All,
}

impl EngineChoice {
    fn engines(self) -> Vec<Engine> {
        match self {
            Self::Own => vec![Engine::Own],
            Self::Vad => vec![Engine::Vad],
            Self::Smart => vec![Engine::Smart],
            Self::Joint => vec![Engine::Joint],
            Self::All => vec![Engine::Vad, Engine::Smart, Engine::Own, Engine::Joint],
        }
    }
}

/// Makes material, or scores by it.
pub(super) fn run(arguments: &ReplayArguments) -> Result<(), Fault> {
    if arguments.exact.are_given() {
        return exact::run(&arguments.exact, arguments.config.as_deref());
    }
    if let (Some(folder), Some(from)) = (&arguments.make_turns, &arguments.from) {
        return make(folder, from, arguments.seed);
    }
    if let Some(folder) = &arguments.turns {
        return score(folder, arguments);
    }
    if arguments.place.is_wanted() {
        return place::place(
            &arguments.place,
            arguments.json.as_deref(),
            arguments.config.as_deref(),
        );
    }
    if let [first, second] = &arguments.compare[..] {
        return place::compare(first, second);
    }
    Err("nothing to be done: name scenarios and --to, or --exact, --turns, --make-turns, --compare"
        .into())
}

fn make(folder: &Path, from: &Path, seed: u64) -> Result<(), Fault> {
    let labels = turns::make(from, folder, seed)?;
    let mut counts: BTreeMap<Kind, [usize; 2]> = BTreeMap::new();
    for label in &labels {
        counts.entry(label.kind).or_default()[usize::from(label.half == Half::Report)] += 1;
    }
    say(&format!("{} recordings in {}", labels.len(), folder.display()));
    say(&format!("{:<18} {:>9} {:>7}", "kind", "settings", "report"));
    for (kind, [settings, report]) in counts {
        say(&format!("{:<18} {settings:>9} {report:>7}", kind.name()));
    }
    Ok(())
}

fn score(folder: &Path, arguments: &ReplayArguments) -> Result<(), Fault> {
    let settings = settings(arguments.config.as_deref())?;
    let silero = shell::silero(&settings.models)?;
    let detector = if silero.is_some() { "Silero" } else { "earshot" };
    let bench = Bench {
        folder: folder.to_owned(),
        half: arguments.half,
        engines: arguments.engine.engines(),
        silero,
        smart: settings.models.smart_turn_weights.clone(),
        settings: shell::call_settings(&settings).turn,
        features: arguments.features.clone(),
    };
    if let Some(path) = &arguments.json {
        // Minutes of work are not to be lost to a path that is none.
        written(path, "")?;
    }
    let report = turns::score(&bench)?;
    let half = arguments.half.map_or_else(|| "both halves".to_owned(), |it| format!("half {it}"));
    say(&format!("{}, {half}, voice by {detector}\n", folder.display()));
    say(&report.to_string());
    if let Some(path) = &arguments.json {
        written(path, &(serde_json::to_string_pretty(&report.json())? + "\n"))?;
    }
    Ok(())
}

fn written(path: &Path, text: &str) -> Result<(), Fault> {
    std::fs::write(path, text)
        .map_err(|why| format!("{} cannot be written: {why}", path.display()).into())
}
