//! Whether the floor was left to callers who wanted it, from what the phone was sent.
//!
//! A real interruption is speech over a prompt that yields, for as long as the call itself takes at
//! most to know it for one (half a second of speech, `turn/overlap`). From the end of that, not
//! from the first word on, it is measured for how long both are still heard. Deliberately absent:
//! what the call itself notes of interruptions; a call that notices none is not excused by that.

use std::collections::BTreeSet;

use cordboard::call::STILL_THERE;
use cordboard::timeline::What;
use cordboard_audio::MediaTime;
use cordboard_audio::level::rms;

use super::super::handset::{SOUND_RMS, Tick};
use super::super::world::World;

/// Nobody speaks on for longer over who has the floor.
const HELD_BY_TWO_MS: u64 = 400;
/// Speech after which it is known for an interruption, ticks.
const DECIDED: u32 = 25;
/// Silence after which what comes next is something else, ticks.
const OTHER: u32 = 8;
/// A prompt rests for no longer between two words, ticks.
const REST: u32 = 6;
/// What a detector calls speech where there was none, and where there was.
const VOICE_ON: f32 = 0.5;
const VOICE_OFF: f32 = 0.35;
/// What does not yield to speech: what every caller must hear, that a person is being brought, and
/// the end; and what the call itself says, but for one question.
const INSISTING: [&str; 3] = ["may be recorded.", "I will get a colleague for you.", "Goodbye."];
const OWN_LINES_FROM: u32 = 1_000;
/// A line that waited behind another begins so soon after it, ms.
const BETWEEN_LINES_MS: u64 = 240;
/// A tick has the fade, and one more may have been on its way, ms.
const FADE_MS: u64 = 60;

/// Speech over the assistant.
#[derive(Clone, Copy, Debug, Default)]
struct Overlap {
    /// Whether somebody speaks, for how many ticks of it over a prompt that yields, and for how
    /// many there was silence since.
    speaking: bool,
    speech: u32,
    silence: u32,
    /// For how many ticks the prompt has rested, as it does between two words.
    rest: u32,
    /// Ticks with both of them since it was decided.
    both: u32,
}

impl Overlap {
    /// Takes a tick; `playing` is whether a prompt that yields is being played.
    fn hear(&mut self, tick: &Tick, playing: bool) {
        self.rest = if playing && tick.sounds() { 0 } else { self.rest + 1 };
        let over = playing && self.rest <= REST;
        let voice = tick.voice >= if self.speaking { VOICE_OFF } else { VOICE_ON };
        self.silence = if voice { 0 } else { self.silence + 1 };
        if self.silence >= OTHER {
            *self = Self { rest: self.rest, ..Self::default() };
        }
        self.speaking |= voice;
        if !over {
            self.both = 0;
        } else if voice && self.speech < DECIDED {
            self.speech += 1;
        } else if voice {
            self.both += 1;
        }
    }
}

/// The interruptions of a call, and when and for how long both were heard at most, ms.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Interruptions {
    pub(crate) count: u64,
    pub(crate) longest_ms: u64,
    at_ms: u64,
}

/// Finds every real interruption.
pub(crate) fn interruptions(world: &World) -> Interruptions {
    let (mut found, mut overlap) = (Interruptions::default(), Overlap::default());
    let yielding = yielding(world);
    let mut playing: Option<u32> = None;
    let mut entries = world.entries.iter().peekable();
    for tick in &world.caller.ticks {
        let was_decided = overlap.speech >= DECIDED;
        overlap.hear(tick, playing.is_some_and(|prompt| yielding.contains(&prompt)));
        found.count += u64::from(!was_decided && overlap.speech >= DECIDED);
        let both_ms = 20 * u64::from(overlap.both);
        if both_ms > found.longest_ms {
            (found.longest_ms, found.at_ms) = (both_ms, tick.at.as_millis());
        }
        // What this tick brought about is heard from the next on.
        while let Some(entry) = entries.next_if(|entry| entry.at_ms <= tick.at.as_millis()) {
            match &entry.what {
                What::PromptBegan { prompt, .. } | What::WentOn { prompt } => {
                    playing = Some(*prompt);
                }
                What::Interrupted { prompt } | What::PromptEnded { prompt, .. } => {
                    playing = playing.filter(|playing| playing != prompt);
                }
                _ => {}
            }
        }
    }
    found
}

/// The prompts that yield to speech: a line does, unless one that does not waits behind it.
fn yielding(world: &World) -> BTreeSet<u32> {
    let mut found = BTreeSet::new();
    let (mut next_ms, mut next_yields) = (u64::MAX, true);
    let mut ended_ms = u64::MAX;
    for entry in world.entries.iter().rev() {
        match &entry.what {
            What::PromptEnded { .. } => ended_ms = entry.at_ms,
            What::PromptBegan { prompt, text } => {
                let waited = next_ms.saturating_sub(ended_ms) <= BETWEEN_LINES_MS;
                let yields = yields(*prompt, text) && (next_yields || !waited);
                found.extend(yields.then_some(*prompt));
                (next_ms, next_yields) = (entry.at_ms, yields);
            }
            _ => {}
        }
    }
    found
}

fn yields(prompt: u32, text: &str) -> bool {
    let insists = INSISTING.iter().any(|insisting| text.contains(insisting));
    !insists && (prompt < OWN_LINES_FROM || text == STILL_THERE)
}

/// After a real interruption only one is heard.
pub(crate) fn is_left_to_the_caller(world: &World) -> Result<(), String> {
    let found = interruptions(world);
    if found.longest_ms <= HELD_BY_TWO_MS {
        return Ok(());
    }
    let Interruptions { longest_ms, at_ms, .. } = found;
    Err(format!("two held the floor for {longest_ms} ms, up to {at_ms} ms"))
}

/// Where speech or a key has stopped the assistant and nothing was said since, nothing is heard of
/// it.
pub(crate) fn nothing_sounds_after_a_stop(world: &World) -> Result<(), String> {
    let mut entries = world.entries.iter().peekable();
    while let Some(entry) = entries.next() {
        let next_ms = entries.peek().map_or(u64::MAX, |next| next.at_ms);
        if !matches!(entry.what, What::Interrupted { .. }) {
            continue;
        }
        let quiet = MediaTime::from_millis(entry.at_ms + FADE_MS)..MediaTime::from_millis(next_ms);
        let ticks = world.caller.between(quiet.start, quiet.end);
        let loudest = ticks.map(|tick| rms(&tick.sound)).fold(0.0, f32::max);
        if loudest >= SOUND_RMS {
            return Err(format!("{loudest} is heard after the stop at {} ms", entry.at_ms));
        }
    }
    Ok(())
}
