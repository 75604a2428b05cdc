//! The call's own pen: writes entries, and keeps the transcript as their projection.

use std::collections::VecDeque;

use cordboard_audio::MediaTime;

use super::Output;
use crate::timeline::{ENTRY_VERSION, Entry, Line, Transcript, What};

/// Writes the timeline of one call.
#[derive(Clone, Debug, Default)]
pub(super) struct Journal {
    transcript: Transcript,
}

impl Journal {
    /// Writes what happened at `now`.
    pub(super) fn note(&mut self, out: &mut VecDeque<Output>, now: MediaTime, what: What) {
        let entry = Entry { v: ENTRY_VERSION, at_ms: now.as_millis(), what };
        self.transcript.observe(&entry);
        out.push_back(Output::Entry(entry));
    }

    /// What was said and heard so far.
    pub(super) fn lines(&self) -> Vec<Line> {
        self.transcript.lines().cloned().collect()
    }
}
