//! Faults of a flow file: where, what, and what to do about it.

use std::fmt;

/// A place in a file, counted from 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The line.
    pub line: u64,
    /// The column, in characters.
    pub column: u64,
}

/// Something wrong in a flow file.
#[derive(Clone, Debug, PartialEq)]
pub struct FlowFault {
    /// The file, as it was named to us.
    pub file: String,
    /// Where in it.
    pub place: Place,
    /// What is wrong.
    pub kind: FaultKind,
    /// What to do.
    pub remedy: String,
}

impl fmt::Display for FlowFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Place { line, column } = self.place;
        write!(f, "{}:{line}:{column}: {}\n    {}", self.file, self.kind, self.remedy)
    }
}

impl std::error::Error for FlowFault {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.kind)
    }
}

/// What is wrong.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum FaultKind {
    /// The text is no YAML.
    #[error("not readable as YAML: {why}")]
    Unreadable {
        /// What the reader said.
        why: String,
    },
    /// A field that the format does not have.
    #[error("unknown field `{name}`")]
    UnknownField {
        /// Its name.
        name: String,
    },
    /// A field that must be there is not.
    #[error("missing field `{name}`")]
    MissingField {
        /// Its name.
        name: String,
    },
    /// A value of another type, or outside what is allowed.
    #[error("{why}")]
    BadValue {
        /// What is allowed, and what stands there.
        why: String,
    },
    /// A name that refers to nothing.
    #[error("unknown {what} `{name}`")]
    UnknownName {
        /// "slot", "tool", ...
        what: &'static str,
        /// The name.
        name: String,
    },
    /// A template that cannot be read.
    #[error("bad template: {why}")]
    BadTemplate {
        /// What the reader said.
        why: String,
    },
    /// A template or condition uses what nothing fills.
    #[error("nothing fills `{name}` here")]
    Unfilled {
        /// The variable.
        name: String,
    },
    /// A condition that cannot be read.
    #[error("bad condition: {why}")]
    BadCondition {
        /// What the reader said.
        why: String,
    },
    /// A tool's result schema is not a JSON Schema.
    #[error("bad JSON Schema: {why}")]
    BadSchema {
        /// What the reader said.
        why: String,
    },
    /// Something that must be said is missing.
    #[error("missing prompt: {what}")]
    MissingPrompt {
        /// Which.
        what: &'static str,
    },
    /// No way leads to a step.
    #[error("step is never reached")]
    Unreachable,
    /// A step that does several things, or nothing.
    #[error(
        "step has {count} of `ask`, `invoke`, `answer`, `goto`, `escalate`, `end` and says {says}"
    )]
    MuddledStep {
        /// How many of the actions it has.
        count: usize,
        /// "something" or "nothing".
        says: &'static str,
    },
    /// A phrase with something in it that no one can say.
    #[error("phrase cannot be said: `{what}`")]
    Unsayable {
        /// The offending part.
        what: String,
    },
    /// The same phrase stands for two things.
    #[error("phrase also stands for {other}")]
    AmbiguousPhrase {
        /// What it stands for already.
        other: String,
    },
    /// A tool that acts, or its question, is not one that the caller agrees to.
    #[error("tool `{tool}` is called without the caller's yes: {why}")]
    Unconfirmed {
        /// The tool.
        tool: String,
        /// What is missing.
        why: String,
    },
    /// An outcome of a tool that the step says nothing about.
    #[error("outcome `{outcome}` of tool `{tool}` is not dealt with")]
    OpenOutcome {
        /// The tool.
        tool: String,
        /// The outcome.
        outcome: String,
    },
}

/// The nearest of `among` to `name`, where one is near enough to have been meant.
pub(super) fn nearest<'a>(name: &str, among: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // A third of the letters may be wrong, as in rustc's own suggestions.
    let limit = name.chars().count().max(3) / 3;
    among
        .into_iter()
        .map(|candidate| (distance(name, candidate), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Levenshtein's distance, with two neighbours changing places counted as one fault.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows: Vec<Vec<usize>> = vec![(0..=b.len()).collect()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let replaced = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut least = replaced.min(row[j - 1] + 1).min(rows[i - 1][j] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                least = least.min(rows[i - 2][j - 2] + 1);
            }
            row.push(least);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_near_name_is_suggested() {
        let names = ["order_number", "new_address"];
        assert_eq!(nearest("order_nubmer", names), Some("order_number"));
        assert_eq!(nearest("opne", ["open", "time"]), Some("open"));
        assert_eq!(nearest("weather", names), None);
    }
}
