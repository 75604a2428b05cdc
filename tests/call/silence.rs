//! How long the caller waited in silence that nobody explained, from what the phone was sent and
//! from what the timeline says was going on. Every scenario of these tests is measured by it.
//!
//! It is the caller's turn only after something was said whole and nothing further is under way;
//! and then only as long as the timeline shows that the caller, or the patience with the caller,
//! was the next to act. A question of which nothing was heard asks nobody anything.

use std::time::Duration;

use cordboard::call::{STILL_THERE, STOPPING};
use cordboard::timeline::{Debtor, Entry, LegRole, What};
use cordboard_audio::level::rms;
use cordboard_audio::{FRAME_MS, MediaTime};

use super::handset::Tick;

/// Nobody waits longer in silence that is not explained.
pub(crate) const LONGEST: Duration = Duration::from_secs(3);
/// -50 dBov: below this nothing is heard, comfort noise among it.
const AUDIBLE_RMS: f32 = 0.003_162;

/// A stretch without sound in which the caller waited for us.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Silence {
    pub(crate) lasting: Duration,
    pub(crate) from: MediaTime,
}

/// Whose turn it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    /// Nobody waits: it rings, a human talks, the caller holds us, or has left.
    Rest,
    /// The caller waits for us.
    Ours,
    /// The caller presses keys, and may press more.
    Keying,
    /// Something was said whole; what comes next says whose turn it was.
    Open,
}

#[derive(Debug)]
struct Meter {
    turn: Turn,
    /// Tools that have not answered.
    tools: u32,
    /// Whether a human is being looked for, who has accepted.
    seeking: Option<bool>,
    held: bool,
    bridged: bool,
    /// Whether the caller holds the floor, as the timeline has it.
    speaking: bool,
    /// When a key was pressed last.
    keyed: Option<MediaTime>,
    /// Whether the last line was said whole.
    said: bool,
    /// Since when nothing was to be heard, and since when that is ours.
    quiet: MediaTime,
    ours: MediaTime,
    found: Vec<Silence>,
}

/// The longest silence that nobody explained.
pub(crate) fn longest(entries: &[Entry], ticks: &[Tick]) -> Silence {
    silences(entries, ticks).into_iter().max().unwrap_or_default()
}

/// Every silence that nobody explained.
pub(crate) fn silences(entries: &[Entry], ticks: &[Tick]) -> Vec<Silence> {
    let mut meter = Meter {
        turn: Turn::Rest,
        tools: 0,
        seeking: None,
        held: false,
        bridged: false,
        speaking: false,
        keyed: None,
        said: false,
        quiet: MediaTime::ZERO,
        ours: MediaTime::ZERO,
        found: vec![],
    };
    let mut entries = entries.iter().peekable();
    let mut last = ticks.first().map_or(MediaTime::ZERO, |tick| tick.at);
    for tick in ticks {
        // An entry of this tick was written by it or before it.
        while let Some(entry) = entries.next_if(|entry| entry.at_ms <= tick.at.as_millis()) {
            meter.entered(entry);
        }
        meter.resumed(last, tick.at);
        meter.ticked(tick);
        last = tick.at;
    }
    entries.for_each(|entry| meter.entered(entry));
    let end = ticks.last().map_or(MediaTime::ZERO, |tick| end_of(tick));
    meter.ended(end);
    meter.found
}

fn end_of(tick: &Tick) -> MediaTime {
    tick.at + Duration::from_millis(FRAME_MS)
}

impl Meter {
    /// While the machine stood still nobody could have made a sound; from then on it counts.
    fn resumed(&mut self, last: MediaTime, at: MediaTime) {
        if at.since(last) > Duration::from_millis(FRAME_MS) {
            self.quiet = self.quiet.max(at);
        }
    }

    fn ticked(&mut self, tick: &Tick) {
        let end = end_of(tick);
        if rms(&tick.sound) > AUDIBLE_RMS {
            self.sounded(tick.at);
            self.quiet = end;
        } else if self.speaking && tick.spoke {
            self.quiet = end;
        }
    }

    /// Something is heard: what was waited for before it has been found out.
    fn sounded(&mut self, at: MediaTime) {
        if matches!(self.turn, Turn::Ours | Turn::Open) {
            self.found_until(at);
        }
    }

    fn found_until(&mut self, at: MediaTime) {
        let from = self.quiet.max(self.ours);
        if at > from {
            self.found.push(Silence { lasting: at.since(from), from });
        }
    }

    /// From now on the caller waits for us, whatever was before.
    fn is_ours(&mut self, at: MediaTime) {
        if self.turn != Turn::Ours {
            (self.turn, self.ours) = (Turn::Ours, at);
        }
    }

    fn entered(&mut self, entry: &Entry) {
        let at = MediaTime::from_millis(entry.at_ms);
        match &entry.what {
            What::Answered => self.is_ours(at),
            What::PromptBegan { text, .. } if text == STILL_THERE || text == STOPPING => {
                // Neither is owed to the caller: the one asks after a silence of the phone, the
                // other is our own wish.
                if self.turn == Turn::Open {
                    self.is_ours(at);
                }
            }
            What::PromptBegan { .. } if self.turn == Turn::Keying => self.is_ours(at),
            What::PromptEnded { heard, unsaid, .. } => {
                self.said = !heard.is_empty() && unsaid.is_empty();
                let by_key = !unsaid.is_empty() && self.keyed == Some(at);
                if by_key && self.turn == Turn::Ours && !self.speaking && !self.is_at_work() {
                    // A key has stopped what was said or about to be, and more may follow. Who
                    // presses keys in a silence that is ours goes on waiting.
                    self.turn = Turn::Keying;
                }
                if self.said && self.turn == Turn::Ours && !self.is_at_work() {
                    self.turn = Turn::Open;
                }
            }
            What::CallerBegan { .. } => {
                self.speaking = true;
                self.is_ours(at);
            }
            What::CallerSpoke { .. } => {
                self.speaking = false;
                self.is_ours(at);
            }
            What::Keyed { role: LegRole::Caller, .. } => {
                self.keyed = Some(at);
                if self.turn == Turn::Open {
                    self.turn = Turn::Keying;
                }
            }
            What::Silence { owed_by: Debtor::Caller, .. } if self.said => self.is_ours(at),
            What::Understood { .. }
            | What::SlotFilled { .. }
            | What::Repaired { .. }
            | What::MessageTaken { .. } => self.taken(at),
            _ => self.worked(at, &entry.what),
        }
    }

    /// The assistant has taken what was said or keyed, and answers.
    fn taken(&mut self, at: MediaTime) {
        if self.turn != Turn::Rest && self.turn != Turn::Open {
            self.is_ours(at);
        }
    }

    fn is_at_work(&self) -> bool {
        self.tools > 0 || self.seeking.is_some()
    }

    /// Tools, agents, holds and ends.
    fn worked(&mut self, at: MediaTime, what: &What) {
        match what {
            What::ToolInvoked { .. } => {
                self.tools += 1;
                self.taken(at);
            }
            What::ToolAnswered { .. } => self.tools = self.tools.saturating_sub(1),
            What::EscalationTriggered { .. } => {
                self.seeking = Some(false);
                self.speaking = false;
                self.is_ours(at);
            }
            What::AgentAccepted { .. } => self.seeking = Some(true),
            What::NobodyCame { .. } => self.seeking = None,
            What::Bridged { .. } => {
                (self.seeking, self.bridged) = (None, true);
                self.rest_or_ours(at);
            }
            What::LegParted { role: LegRole::Agent, .. } => {
                let accepted = self.seeking == Some(true);
                if accepted {
                    self.seeking = None;
                }
                if std::mem::take(&mut self.bridged) || accepted {
                    self.is_ours(at);
                }
            }
            What::Held { role: LegRole::Agent } if self.bridged => self.is_ours(at),
            What::Resumed { role: LegRole::Agent } if self.bridged => self.rest_or_ours(at),
            What::Held { role: LegRole::Caller } => {
                self.held = true;
                self.rest_or_ours(at);
            }
            What::Resumed { role: LegRole::Caller } => {
                self.held = false;
                self.rest_or_ours(at);
            }
            What::LegParted { role: LegRole::Caller, .. } => self.ended(at),
            _ => {}
        }
    }

    fn rest_or_ours(&mut self, at: MediaTime) {
        if !self.held && !self.bridged {
            // Whoever takes us back is owed a word only where one was owed before.
            self.turn = if self.said && !self.is_at_work() { Turn::Open } else { Turn::Ours };
            (self.ours, self.quiet) = (at, at);
            return;
        }
        if self.turn == Turn::Ours {
            self.found_until(at);
        }
        self.turn = Turn::Rest;
    }

    /// Nobody listens any more. What was said whole may well have been the caller's to answer.
    fn ended(&mut self, at: MediaTime) {
        if self.turn == Turn::Ours {
            self.found_until(at);
        }
        self.turn = Turn::Rest;
    }
}
