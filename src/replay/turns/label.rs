//! What is known of a recording: one line of `labels.jsonl`. Times are milliseconds from the
//! recording's first sample.

use std::fmt;

use serde::Deserialize;
use serde_json::{Value, json};

/// Which half of the material: settings are chosen on the one and reported on the other, and no
/// source recording is in both.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Half {
    /// Settings are chosen on it.
    Settings,
    /// Results are reported on it.
    Report,
}

impl fmt::Display for Half {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Settings => "settings",
            Self::Report => "report",
        })
    }
}

/// What a recording is made to try.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Utterances with pauses inside.
    Talk,
    /// Digits in groups, where digits are expected.
    Digits,
    /// A yes or a no, where one is expected.
    YesNo,
    /// Speech of a second and more over the assistant: it has to stop.
    Interruption,
    /// An acknowledgement over the assistant.
    Backchannel,
    /// A cough, a bark, a horn or the like over the assistant.
    Cough,
    /// Many voices behind a silent caller.
    Babble,
    /// The assistant's own voice coming back.
    Echo,
    /// The assistant's voice coming back, and the caller over it: it has to stop.
    EchoInterruption,
}

impl Kind {
    /// All, in the order of reports.
    pub const ALL: [Self; 9] = [
        Self::Talk,
        Self::Digits,
        Self::YesNo,
        Self::Interruption,
        Self::EchoInterruption,
        Self::Backchannel,
        Self::Cough,
        Self::Babble,
        Self::Echo,
    ];

    /// As labels and file names have it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Talk => "talk",
            Self::Digits => "digits",
            Self::YesNo => "yes_no",
            Self::Interruption => "interruption",
            Self::Backchannel => "backchannel",
            Self::Cough => "cough",
            Self::Babble => "babble",
            Self::Echo => "echo",
            Self::EchoInterruption => "echo_interruption",
        }
    }

    /// Whether the caller has the floor to themselves.
    #[must_use]
    pub const fn is_turn(self) -> bool {
        matches!(self, Self::Talk | Self::Digits | Self::YesNo)
    }

    /// Whether the assistant has to stop.
    #[must_use]
    pub const fn must_stop(self) -> bool {
        matches!(self, Self::Interruption | Self::EchoInterruption)
    }
}

/// A recording and what is known of it.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Label {
    /// The recording, beside the labels.
    pub file: String,
    /// What it tries.
    pub kind: Kind,
    /// Which half it belongs to.
    pub half: Half,
    /// Whence its sounds are.
    pub sources: Vec<String>,
    /// The caller's turns.
    #[serde(default)]
    pub turns: Vec<TurnLabel>,
    /// What happens over the assistant.
    #[serde(default)]
    pub events: Vec<EventLabel>,
}

/// One turn of the caller.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct TurnLabel {
    /// First speech.
    pub begin_ms: u32,
    /// Last speech: the turn is over.
    pub end_ms: u32,
    /// What was asked for: "digits:6", "yes_no"; open talk where absent.
    #[serde(default)]
    pub expects: Option<String>,
    /// Pauses inside.
    #[serde(default)]
    pub pauses: Vec<PauseLabel>,
    /// The words, where they are known.
    #[serde(default)]
    pub words: Vec<WordLabel>,
}

/// A pause inside a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub struct PauseLabel {
    /// End of the speech before it.
    pub begin_ms: u32,
    /// Begin of the speech after it.
    pub end_ms: u32,
    /// Put there, rather than the speaker's own.
    #[serde(default)]
    pub made: bool,
    /// Between two groups of digits.
    #[serde(default)]
    pub group: bool,
}

/// A word and where it ends.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct WordLabel {
    /// Lower case.
    pub text: String,
    /// Its end: known of digits, elsewhere spread over the speech by its letters.
    pub end_ms: u32,
}

/// Something over the assistant.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct EventLabel {
    /// What it is.
    pub what: String,
    /// First sound.
    pub begin_ms: u32,
    /// Last sound.
    pub end_ms: u32,
    /// Its level: dB to the speech level, of an echo to the assistant's.
    #[serde(default)]
    pub level_db: Option<f32>,
    /// Of an echo: how late it is.
    #[serde(default)]
    pub delay_ms: Option<u32>,
    /// How it was made, where it is no recording of what it stands for.
    #[serde(default)]
    pub made: Option<String>,
}

impl Label {
    /// Its line of `labels.jsonl`.
    pub(super) fn line(&self) -> String {
        let turns: Vec<Value> = self.turns.iter().map(TurnLabel::value).collect();
        let events: Vec<Value> = self.events.iter().map(EventLabel::value).collect();
        let mut line = json!({
            "file": self.file,
            "kind": self.kind.name(),
            "half": self.half.to_string(),
            "sources": self.sources,
        });
        if !turns.is_empty() {
            line["turns"] = turns.into();
        }
        if !events.is_empty() {
            line["events"] = events.into();
        }
        line.to_string()
    }
}

impl TurnLabel {
    fn value(&self) -> Value {
        let pause = |it: &PauseLabel| {
            json!({ "begin_ms": it.begin_ms, "end_ms": it.end_ms, "made": it.made,
                    "group": it.group })
        };
        let word = |it: &WordLabel| json!({ "text": it.text, "end_ms": it.end_ms });
        let mut turn = json!({
            "begin_ms": self.begin_ms,
            "end_ms": self.end_ms,
            "pauses": self.pauses.iter().map(pause).collect::<Vec<_>>(),
        });
        if let Some(expects) = &self.expects {
            turn["expects"] = expects.as_str().into();
        }
        if !self.words.is_empty() {
            turn["words"] = self.words.iter().map(word).collect();
        }
        turn
    }
}

impl EventLabel {
    fn value(&self) -> Value {
        let mut event =
            json!({ "what": self.what, "begin_ms": self.begin_ms, "end_ms": self.end_ms });
        if let Some(level_db) = self.level_db {
            event["level_db"] = ((f64::from(level_db) * 10.0).round() / 10.0).into();
        }
        if let Some(delay_ms) = self.delay_ms {
            event["delay_ms"] = delay_ms.into();
        }
        if let Some(made) = &self.made {
            event["made"] = made.as_str().into();
        }
        event
    }
}
