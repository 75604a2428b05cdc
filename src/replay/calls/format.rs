//! The file of a scenario: YAML, read strictly, each fault with its line and what to do.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use serde_saphyr::{Location, Spanned};

/// What is wrong with a file, where, and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScenarioFault {
    /// The file.
    pub file: PathBuf,
    /// Line and column, from 1; none where it is the whole file.
    pub place: Option<(u64, u64)>,
    /// What is wrong.
    pub what: String,
    /// What to do.
    pub remedy: String,
}

impl fmt::Display for ScenarioFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        if let Some((line, column)) = self.place {
            write!(f, ":{line}:{column}")?;
        }
        write!(f, ": {}\n    {}", self.what, self.remedy)
    }
}

impl std::error::Error for ScenarioFault {}

/// The file as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    pub(super) scenario: Spanned<String>,
    #[serde(default)]
    pub(super) voice: Option<Spanned<String>>,
    #[serde(default)]
    pub(super) stretch: Option<Spanned<f32>>,
    #[serde(default)]
    pub(super) limit: Option<Spanned<String>>,
    pub(super) steps: Vec<Spanned<StepFile>>,
    #[serde(default)]
    pub(super) expect: ExpectFile,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StepFile {
    #[serde(default)]
    pub(super) after: Option<Spanned<AfterFile>>,
    #[serde(default)]
    pub(super) say: Option<Spanned<OneOrMore>>,
    #[serde(default)]
    pub(super) aside: Option<Spanned<String>>,
    #[serde(default)]
    pub(super) play: Option<Spanned<PathBuf>>,
    #[serde(default)]
    pub(super) cough: Option<Spanned<bool>>,
    #[serde(default)]
    pub(super) keys: Option<Spanned<String>>,
    #[serde(default)]
    pub(super) silent: Option<Spanned<String>>,
    #[serde(default)]
    pub(super) hang_up: Option<Spanned<bool>>,
}

/// When a step is taken.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AfterFile {
    #[serde(default)]
    pub(super) quiet: Option<Spanned<String>>,
    #[serde(default)]
    pub(super) speaking: Option<Spanned<String>>,
    #[serde(default)]
    pub(super) waited: Option<Spanned<String>>,
    #[serde(default)]
    pub(super) at: Option<Spanned<String>>,
    #[serde(default)]
    pub(super) says: Option<Spanned<String>>,
    #[serde(default)]
    pub(super) within: Option<Spanned<String>>,
    /// Left out where the words have not come in time.
    #[serde(default)]
    pub(super) or_not: bool,
}

/// What the far end owes.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ExpectFile {
    #[serde(default)]
    pub(super) says: Vec<Spanned<String>>,
    #[serde(default)]
    pub(super) ends: Option<Spanned<String>>,
    #[serde(default)]
    pub(super) refused: Option<Spanned<u16>>,
    #[serde(default)]
    pub(super) human: Option<Spanned<HumanFile>>,
}

/// `human: true`, or `human: 30s`.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum HumanFile {
    Owed(bool),
    Within(String),
}

/// `say: yes`, or `say: [one two three, 700ms, four five six]`.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum OneOrMore {
    One(String),
    More(Vec<String>),
}

impl OneOrMore {
    pub(super) fn parts(&self) -> Vec<&str> {
        match self {
            Self::One(one) => vec![one],
            Self::More(more) => more.iter().map(String::as_str).collect(),
        }
    }
}

/// Reads a file's text.
pub(super) fn read(path: &Path, text: &str) -> Result<File, ScenarioFault> {
    // "no" and "yes" are words that callers say.
    let options = serde_saphyr::options! { strict_booleans: true };
    serde_saphyr::from_str_with_options(text, options).map_err(|error| {
        let what = error.without_snippet().to_string();
        ScenarioFault {
            file: path.to_owned(),
            place: error.location().map(|it| (it.line().max(1), it.column().max(1))),
            what: what.split_whitespace().collect::<Vec<_>>().join(" "),
            remedy: "the form of a scenario is described in scenarios/README.md".to_owned(),
        }
    })
}

/// Tells faults of one file.
#[derive(Clone, Copy)]
pub(super) struct Faults<'a>(pub(super) &'a Path);

impl Faults<'_> {
    pub(super) fn at(
        self,
        place: Location,
        what: impl Into<String>,
        remedy: impl Into<String>,
    ) -> ScenarioFault {
        let place = Some((place.line().max(1), place.column().max(1)));
        let file = self.0.to_owned();
        ScenarioFault { file, place, what: what.into(), remedy: remedy.into() }
    }

    /// A time such as `700ms`, `1.5s`, `1m 30s`.
    pub(super) fn time(self, written: &Spanned<String>) -> Result<Duration, ScenarioFault> {
        duration(&written.value).ok_or_else(|| {
            let what = format!("`{}` is no time", written.value);
            self.at(written.referenced, what, "write it as 700ms, 1.5s or 1m 30s")
        })
    }
}

/// A time as people write it.
pub(super) fn duration(text: &str) -> Option<Duration> {
    let time: jiff::SignedDuration = text.trim().parse().ok()?;
    Duration::try_from(time).ok()
}
