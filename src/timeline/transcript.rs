//! The transcript: what was said and heard, as a projection of the timeline.

use std::collections::VecDeque;

use super::{Entry, LegRole, Line, Speaker, What};

/// The most lines that are kept; the oldest go first.
const LINES_MAX: usize = 400;

/// What was said and heard so far.
#[derive(Clone, Debug, Default)]
pub struct Transcript {
    lines: VecDeque<Line>,
    began: Vec<(u32, u64)>,
}

impl Transcript {
    /// Takes the next entry of the timeline.
    pub fn observe(&mut self, entry: &Entry) {
        match &entry.what {
            What::PromptBegan { prompt, .. } => self.began.push((*prompt, entry.at_ms)),
            What::PromptEnded { prompt, heard, .. } => self.heard(*prompt, entry.at_ms, heard),
            What::CallerSpoke { text, began_ms, .. } if !text.is_empty() => {
                self.push(Speaker::Caller, *began_ms, text.clone());
            }
            What::Keyed { role: LegRole::Caller, digit, .. } => self.keyed(entry.at_ms, *digit),
            _ => {}
        }
    }

    /// The lines, oldest first.
    pub fn lines(&self) -> impl Iterator<Item = &Line> {
        self.lines.iter()
    }

    fn heard(&mut self, prompt: u32, ended_ms: u64, heard: &str) {
        let place = self.began.iter().position(|(id, _)| *id == prompt);
        let at_ms = place.map_or(ended_ms, |place| self.began.swap_remove(place).1);
        if !heard.is_empty() {
            self.push(Speaker::Assistant, at_ms, heard.to_owned());
        }
    }

    fn keyed(&mut self, at_ms: u64, digit: char) {
        match self.lines.back_mut() {
            Some(line) if line.speaker == Speaker::Keypad => line.text.push(digit),
            _ => self.push(Speaker::Keypad, at_ms, digit.to_string()),
        }
    }

    fn push(&mut self, speaker: Speaker, at_ms: u64, text: String) {
        if self.lines.len() == LINES_MAX {
            self.lines.pop_front();
        }
        let place = self.lines.partition_point(|line| line.at_ms <= at_ms);
        self.lines.insert(place, Line { speaker, at_ms, text });
    }
}
