//! The tuning bench of turn-taking: labelled recordings are made of others, and the floor is scored
//! by them, faster than real time.
//!
//! [`make`] composes; [`score`](fn@score) lets each recording through voice activity and the floor
//! alone and counts: turns that were taken from a caller in a pause against the silence after true
//! ends, and stops of the assistant that nobody asked for against the time in which it stops for
//! who does. Deliberately absent: recognizers (labelled words stand in) and the conversation.

mod catalogue;
mod compose;
mod draw;
mod judges;
mod label;
mod library;
mod make;
#[cfg(test)]
mod make_tests;
mod over;
mod report;
mod room;
mod score;
mod sound;
mod stops;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

use cordboard_audio::WavError;

pub use label::{EventLabel, Half, Kind, Label, PauseLabel, TurnLabel, WordLabel};
pub use make::make;
pub use report::Report;
pub use score::{Bench, Engine, score};

/// The file of labels in a folder of material.
pub const LABELS: &str = "labels.jsonl";

/// Why no material was made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MakeError {
    /// The folder of sources is not there.
    #[error("{} is no folder; name that of the source recordings with --from", path.display())]
    NoFolder {
        /// What was named.
        path: PathBuf,
    },
    /// A source is not there or cannot be read.
    #[error(
        "the source {} cannot be read ({why}); --from must name the folder that holds \
         asr16k/, fsdd8k/, noise/ and the others", path.display()
    )]
    Absent {
        /// The file.
        path: PathBuf,
        /// What the system said.
        why: std::io::Error,
    },
    /// A source is no sound.
    #[error("the source {} is no recording that can be used: {why}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: WavError,
    },
    /// The folder for the material holds something.
    #[error("{} is not empty; name a new folder, or empty it first", path.display())]
    NotEmpty {
        /// The folder.
        path: PathBuf,
    },
    /// The material cannot be written.
    #[error("{} cannot be written: {why}", path.display())]
    Unwritten {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        why: String,
    },
    /// A row of the catalogue gave no recording.
    #[error(
        "no {kind} can be made of {}: there is no speech in it where it should be; \
         --from must name the recordings that the catalogue was made for", path.display()
    )]
    Silent {
        /// What was to be made.
        kind: &'static str,
        /// The source.
        path: PathBuf,
    },
}

/// Why nothing was scored.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ScoreError {
    /// There are no labels.
    #[error("{} cannot be read ({why}); make the material with --make-turns", path.display())]
    NoLabels {
        /// The file of labels.
        path: PathBuf,
        /// What the system said.
        why: std::io::Error,
    },
    /// A line of the labels is none.
    #[error("{}:{line} is no label ({why}); make the material anew", path.display())]
    Broken {
        /// The file of labels.
        path: PathBuf,
        /// Which line.
        line: usize,
        /// What is wrong with it.
        why: String,
    },
    /// Nothing is left to be scored.
    #[error("{} holds no recording of that half", path.display())]
    Nothing {
        /// The folder.
        path: PathBuf,
    },
    /// A recording is not as its label says.
    #[error("the recording {} cannot be used ({why}); make the material anew", path.display())]
    Recording {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// Smart Turn does not open.
    #[error(transparent)]
    Smart(#[from] cordboard_models::turn_end::SmartTurnError),
    /// A result cannot be written.
    #[error("{} cannot be written: {why}", path.display())]
    Unwritten {
        /// The file.
        path: PathBuf,
        /// What the system said.
        why: std::io::Error,
    },
}
