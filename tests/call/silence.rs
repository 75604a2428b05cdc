//! How long the caller waited in silence that nobody explained, from what the phone was sent and
//! from what the timeline says was going on. Every scenario of these tests is measured by it.
//!
//! It is the caller's turn only after something was said whole and nothing further is under way;
//! and then only as long as the timeline shows that the caller, or the patience with the caller,
//! was the next to act. A question of which nothing was heard asks nobody anything. A service that
//! stops owes its farewell from when it stops, and not from its last question on.

use std::collections::BTreeSet;
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
/// Within this time of the last voice the turn is not over, where open talk is expected.
const IN_TURN: Duration = Duration::from_millis(700);
/// A turn lasts through pauses as long as this, where more is expected; a key in one is of the
/// turn.
const PAUSE_IN_TURN: Duration = Duration::from_millis(2_200);
/// A rest within music.
const REST: Duration = Duration::from_millis(600);

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
    began: MediaTime,
    /// End of the last tick in which the caller spoke.
    spoke: MediaTime,
    /// Whether nothing comes from the caller's phone: then the question after that is ours to ask,
    /// and the silence before it was due is the caller's still.
    mute: bool,
    /// From when on the only line that still comes is the farewell of a service that stops.
    farewell: Option<MediaTime>,
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
        began: MediaTime::ZERO,
        spoke: MediaTime::ZERO,
        mute: false,
        farewell: farewell_of(entries),
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
    let end = ticks.last().map_or(MediaTime::ZERO, end_of);
    meter.ended(end);
    meter.found
}

/// When the last line but the farewell began, where the service stopped.
fn farewell_of(entries: &[Entry]) -> Option<MediaTime> {
    let stopped =
        |entry: &Entry| matches!(&entry.what, What::Ended { cause, .. } if cause == "shutdown");
    let other =
        |entry: &&Entry| matches!(&entry.what, What::PromptBegan { text, .. } if text != STOPPING);
    let last = entries.iter().rev().find(other).filter(|_| entries.iter().any(stopped));
    last.map(|entry| MediaTime::from_millis(entry.at_ms))
}

/// What was heard outside of lines, before a human: tones, and seconds of music.
pub(crate) fn wordless(entries: &[Entry], ticks: &[Tick]) -> (usize, u64) {
    let (mut tones, mut music_ms) = (0, 0);
    let mut entries = entries.iter().peekable();
    let (mut lines, mut bridged) = (BTreeSet::new(), false);
    // Begin and end of what sounds; short rests are part of it.
    let mut piece: Option<(MediaTime, MediaTime)> = None;
    for tick in ticks {
        while let Some(entry) = entries.next_if(|entry| entry.at_ms <= tick.at.as_millis()) {
            match entry.what {
                What::PromptBegan { prompt, .. } => drop(lines.insert(prompt)),
                What::PromptEnded { prompt, .. } => drop(lines.remove(&prompt)),
                What::Bridged { .. } => bridged = true,
                What::LegParted { role: LegRole::Agent, .. } => bridged = false,
                _ => {}
            }
        }
        let sounds = rms(&tick.sound) > AUDIBLE_RMS && lines.is_empty() && !bridged;
        let rests = piece.is_some_and(|(_, to)| tick.at.since(to) < REST && lines.is_empty());
        if sounds {
            piece = Some((piece.map_or(tick.at, |(from, _)| from), end_of(tick)));
        } else if let (Some((from, to)), false) = (piece, rests) {
            match to.since(from).as_millis() {
                0..100 => {}
                100..1_000 => tones += 1,
                long_ms => music_ms += long_ms,
            }
            piece = None;
        }
    }
    let left_ms = piece.map_or(0, |(from, to)| to.since(from).as_millis());
    (tones, u64::try_from((music_ms + left_ms) / 1_000).unwrap_or(u64::MAX))
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
        if tick.spoke {
            self.spoke = end;
        }
        if rms(&tick.sound) > AUDIBLE_RMS {
            self.sounded(tick.at);
            self.quiet = end;
        } else if self.speaking && tick.spoke {
            self.quiet = end;
        }
    }

    /// Something is heard, and whoever waited for us waits no more.
    fn sounded(&mut self, at: MediaTime) {
        if self.turn == Turn::Ours {
            self.found_until(at);
        }
    }

    /// A line begins.
    fn began(&mut self, at: MediaTime, text: &str) {
        let own_wish = text == STILL_THERE || text == STOPPING;
        match self.turn {
            // More was due after what was said whole, as is known now; but neither a question
            // after the phone's silence nor our own farewell was.
            Turn::Open if !own_wish => self.found_until(at),
            Turn::Open | Turn::Keying => {}
            Turn::Ours | Turn::Rest => return,
        }
        self.is_ours(at);
    }

    /// A line is over: said whole, or not.
    fn line_over(&mut self, at: MediaTime, heard: &str, unsaid: &str) {
        self.said = !heard.is_empty() && unsaid.is_empty();
        let own_wish = unsaid == STILL_THERE || unsaid == STOPPING;
        let idle = !self.is_speaking(at) && !self.is_at_work();
        let by_key = !self.said && idle && self.keyed == Some(at);
        match self.turn {
            Turn::Ours if self.said && !self.is_at_work() => self.turn = Turn::Open,
            // A key has stopped what was said or about to be, and more may follow. Who presses
            // keys in a silence that is ours goes on waiting.
            Turn::Ours | Turn::Open if by_key => self.turn = Turn::Keying,
            // It was due, and nothing came of it.
            Turn::Open if heard.is_empty() && !own_wish => self.turn = Turn::Ours,
            Turn::Ours | Turn::Open | Turn::Keying | Turn::Rest => {}
        }
    }

    fn found_until(&mut self, at: MediaTime) {
        let from = self.quiet.max(self.ours);
        if at > from {
            self.found.push(Silence { lasting: at.since(from), from });
        }
    }

    /// From now on the caller waits for us, whatever was before; who has us on hold does not.
    fn is_ours(&mut self, at: MediaTime) {
        if self.turn != Turn::Ours && !self.held {
            (self.turn, self.ours) = (Turn::Ours, at);
        }
    }

    fn entered(&mut self, entry: &Entry) {
        let at = MediaTime::from_millis(entry.at_ms);
        match &entry.what {
            What::Answered => self.is_ours(at),
            What::PromptBegan { text, .. } => self.began(at, text),
            What::PromptEnded { heard, unsaid, .. } => self.line_over(at, heard, unsaid),
            What::CallerBegan { .. } => {
                (self.speaking, self.began, self.mute) = (true, at, false);
                self.is_ours(at);
            }
            What::CallerSpoke { ended_ms, .. } => {
                // Words may become known when the caller speaks again already.
                self.speaking &= self.began > MediaTime::from_millis(*ended_ms);
                self.is_ours(at);
            }
            What::SpokeAside { ended_ms, .. } => {
                self.speaking &= self.began > MediaTime::from_millis(*ended_ms);
                if self.said && !self.is_at_work() && self.turn == Turn::Ours {
                    // The question was whole, and is the caller's to answer still.
                    self.turn = Turn::Open;
                } else if self.turn == Turn::Ours && !self.is_at_work() && self.has_keyed() {
                    // What was no speech was no turn: it is the keys that go on.
                    self.turn = Turn::Keying;
                }
            }
            What::Keyed { role: LegRole::Caller, .. } => {
                (self.keyed, self.mute) = (Some(at), false);
                if self.speaking && at.since(self.quiet) < PAUSE_IN_TURN {
                    // Still the caller's own turn: the key is the last of it.
                    self.quiet = at;
                }
                if self.turn == Turn::Open {
                    self.turn = Turn::Keying;
                }
            }
            What::Silence { owed_by: Debtor::Caller, .. } if self.said => self.is_ours(at),
            What::Silence { owed_by: Debtor::Assistant, for_ms } if self.turn == Turn::Open => {
                self.turn = Turn::Ours;
                if self.mute || self.farewell.is_some_and(|from| at >= from) {
                    self.ours = MediaTime::from_millis(entry.at_ms.saturating_sub(*for_ms));
                }
            }
            What::OneWay { role: LegRole::Caller, .. } => self.mute = true,
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

    /// Whether the caller speaks; words that are not known yet do not make it so.
    fn is_speaking(&self, at: MediaTime) -> bool {
        self.speaking && at.since(self.spoke) < IN_TURN
    }

    /// Whether a key was pressed since the caller began to make a sound.
    fn has_keyed(&self) -> bool {
        self.keyed.is_some_and(|keyed| keyed >= self.began)
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
                // A tool that has not answered by now is waited for no more.
                (self.seeking, self.tools) = (Some(false), 0);
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

mod tests {
    use cordboard::timeline::{ENTRY_VERSION, OneWayCause, Outcome, RepairCause};

    use super::super::handset::Debt;
    use super::*;

    const LOUD: f32 = 0.1;
    /// -60 dBov: the hiss of a line.
    const HISS: f32 = 0.001;

    /// A phone that hears so loud a sound for so long, piece by piece.
    fn ticks(pieces: &[(u64, f32)]) -> Vec<Tick> {
        let levels = pieces.iter().flat_map(|(ms, level)| (0..ms / 20).map(|_| *level));
        let tick = |(n, level): (u64, f32)| Tick {
            at: MediaTime::from_millis(20 * n),
            spoke: false,
            keyed: false,
            voice: 0.0,
            packets: 1,
            sound: vec![level; 160],
            debt: Debt::Never,
        };
        (0..).zip(levels).map(tick).collect()
    }

    fn story(entries: Vec<(u64, What)>) -> Vec<Entry> {
        entries.into_iter().map(|(at_ms, what)| Entry { v: ENTRY_VERSION, at_ms, what }).collect()
    }

    fn line(prompt: u32, (from_ms, to_ms): (u64, u64), heard: &str) -> [(u64, What); 2] {
        let unsaid = if heard.is_empty() { "all" } else { "" };
        let (text, heard, unsaid) = ("line".to_owned(), heard.to_owned(), unsaid.to_owned());
        [
            (from_ms, What::PromptBegan { prompt, text }),
            (to_ms, What::PromptEnded { prompt, heard, unsaid, uncertainty_ms: 0 }),
        ]
    }

    fn asked_for(at_ms: u64) -> [(u64, What); 2] {
        let repaired = What::Repaired { cause: RepairCause::NoInput, count: 1 };
        let for_ms = 6_000;
        [(at_ms, What::Silence { owed_by: Debtor::Caller, for_ms }), (at_ms, repaired)]
    }

    #[test]
    fn a_service_that_stops_owes_its_farewell_from_when_it_stops() {
        let silence = What::Silence { owed_by: Debtor::Assistant, for_ms: 2_500 };
        let ended =
            |cause: &str| What::Ended { outcome: Outcome::Resolved, cause: cause.to_owned() };
        for (cause, expected) in [("shutdown", 2_500), ("bye", 3_000)] {
            let mut entries = vec![(0, What::Answered)];
            entries.extend(line(1, (0, 1_000), "line"));
            entries.push((4_000, silence.clone()));
            entries.push((5_000, ended(cause)));
            assert_eq!(found_ms(entries, &[(1_000, LOUD), (3_000, 0.0), (1_000, LOUD)]), expected);
        }
    }

    fn found_ms(entries: Vec<(u64, What)>, pieces: &[(u64, f32)]) -> u128 {
        longest(&story(entries), &ticks(pieces)).lasting.as_millis()
    }

    #[test]
    fn the_wait_for_the_first_word_counts_and_hiss_is_no_word() {
        let entries = vec![(1_000, What::Answered)];
        for level in [0.0, HISS] {
            let pieces = [(5_000, level), (1_000, LOUD)];
            assert_eq!(found_ms(entries.clone(), &pieces), 4_000);
        }
    }

    #[test]
    fn the_callers_own_silence_does_not_count_and_what_follows_the_patience_does() {
        let mut entries = vec![(0, What::Answered)];
        entries.extend(line(1, (0, 1_000), "line"));
        entries.extend(asked_for(7_000));
        let pieces = [(1_000, LOUD), (6_000, 0.0), (3_500, 0.0), (1_000, LOUD)];
        assert_eq!(found_ms(entries, &pieces), 3_500);
    }

    #[test]
    fn between_two_lines_of_ours_the_caller_waits_for_us() {
        let mut entries = vec![(0, What::Answered)];
        entries.extend(line(1, (0, 1_000), "line"));
        entries.extend(line(2, (4_200, 5_200), "line"));
        assert_eq!(found_ms(entries, &[(1_000, LOUD), (3_200, 0.0), (1_000, LOUD)]), 3_200);
    }

    #[test]
    fn a_question_of_which_nothing_was_heard_asks_nobody() {
        let mut entries = vec![(0, What::Answered)];
        entries.extend(line(1, (0, 1_000), ""));
        entries.extend(asked_for(7_000));
        assert_eq!(found_ms(entries, &[(1_000, LOUD), (6_000, 0.0), (1_000, LOUD)]), 6_000);
    }

    #[test]
    fn a_bridge_and_a_hold_of_the_callers_are_nobodys_silence_and_a_tool_is_ours() {
        let bridged = What::Bridged { agent: "ada".to_owned() };
        let held = What::Held { role: LegRole::Caller };
        let said = What::CallerBegan { over_assistant: false };
        let entries = vec![(0, What::Answered), (0, held.clone()), (500, said)];
        assert_eq!(found_ms(entries, &[(9_000, 0.0)]), 0, "words of before the hold");
        for (rest, expected) in [(bridged, 0), (held, 0), (What::PacketFetched, 9_000)] {
            let entries = vec![(0, What::Answered), (0, rest)];
            assert_eq!(found_ms(entries, &[(9_000, 0.0)]), expected);
        }
        let tool = |what: &str| (what.to_owned(), "key".to_owned(), serde_json::Value::Null);
        let (tool, key, arguments) = tool("lookup");
        let mut entries = vec![(0, What::Answered)];
        entries.push((500, What::ToolInvoked { invocation: 1, tool, key, arguments }));
        entries.extend(line(1, (0, 1_000), "line"));
        assert_eq!(found_ms(entries, &[(1_000, LOUD), (4_000, 0.0)]), 4_000);
    }

    #[test]
    fn keys_while_words_are_awaited_are_the_callers_turn_until_the_last_of_them() {
        let keyed = What::Keyed { role: LegRole::Caller, digit: '5', duration_ms: 100 };
        let mut entries = vec![(0, What::Answered)];
        entries.push((0, What::CallerBegan { over_assistant: true }));
        let (heard, unsaid) = ("line".to_owned(), "cut".to_owned());
        entries.push((0, What::PromptBegan { prompt: 1, text: "line cut".to_owned() }));
        entries.push((2_000, keyed.clone()));
        let ended = What::PromptEnded { prompt: 1, heard, unsaid, uncertainty_ms: 50 };
        entries.push((2_000, ended));
        entries.push((3_500, keyed));
        let pieces = [(2_000, LOUD), (4_000, 0.0), (1_000, LOUD)];
        let repaired = What::Repaired { cause: RepairCause::NoMatch, count: 1 };
        entries.push((5_900, repaired));
        assert_eq!(found_ms(entries, &pieces), 100);
    }

    #[test]
    fn a_phone_that_is_mute_is_waited_for_until_the_question_about_it_is_due() {
        let silence = What::Silence { owed_by: Debtor::Assistant, for_ms: 2_500 };
        let cause = OneWayCause::Nothing;
        let mute = What::OneWay { role: LegRole::Caller, cause, for_ms: 4_500 };
        for (mute, expected) in [(Some(mute), 2_600), (None, 6_100)] {
            let mut entries = vec![(0, What::Answered)];
            entries.extend(mute.map(|mute| (0, mute)));
            entries.extend(line(1, (0, 1_000), "line"));
            entries.push((7_000, silence.clone()));
            let pieces = [(1_000, LOUD), (6_100, 0.0), (1_000, LOUD)];
            assert_eq!(found_ms(entries, &pieces), expected);
        }
    }
}
