//! Whether what a call notes as heard is what was heard, within the uncertainty that it admits.
//!
//! The phone's sound is cut into words: each is a tone of its own, with a silence behind it. What
//! was heard when a prompt was stopped is what had been sent by then, less what the way and the
//! phone's buffer hold; a word counts when its middle does, and what was lowered for a caller who
//! then stopped it does not.

use std::ops::RangeInclusive;

use cordboard::timeline::{Debtor, What};
use cordboard_audio::{FRAME_MS, MediaTime};

use super::super::handset::Tick;
use super::super::world::World;

/// Samples in a millisecond, of sound at 8 kHz.
const PER_MS: u64 = 8;
/// What the way and the phone's buffer are taken to hold, how far off that may be, and how exact
/// words are found here, ms.
const FAR_BUFFER_MS: u64 = 60;
const UNCERTAINTY_MS: u64 = 50;
const EXACTLY_MS: u64 = 20;
/// A silence within a word is shorter, and one between two words longer than this, ms.
const BETWEEN_WORDS_MS: u64 = 12;
/// No word is shorter, ms; and no silence between two is longer.
const SHORTEST_MS: u64 = 30;
const LONGEST_GAP_MS: u64 = 500;
/// A silence of the caller's after which the level rises again, less a few ticks, ms; and what a
/// detector calls speech.
const RELEASED_MS: u64 = 200;
const VOICE: f32 = 0.35;
/// The sound of waiting beats so often each time.
const BEATS: usize = 2;
/// Amplitudes above which a sample is sound, and sound that was not lowered.
const SOUND: f32 = 0.003;
const LOUD: f32 = 0.03;

/// A word as it was heard, in samples since the ring.
#[derive(Clone, Copy, Debug)]
struct Burst {
    begin: u64,
    end: u64,
    /// End of what was not lowered of it.
    loud_end: u64,
}

/// The words in the sound of these ticks.
fn bursts(ticks: &[Tick]) -> Vec<Burst> {
    let mut found: Vec<Burst> = vec![];
    for tick in ticks {
        let first = tick.at.as_millis() * PER_MS;
        for (at, sample) in (first..).zip(&tick.sound).filter(|(_, sample)| sample.abs() > SOUND) {
            let near = |burst: &&mut Burst| at <= burst.end + BETWEEN_WORDS_MS * PER_MS;
            let loud = sample.abs() > LOUD;
            if let Some(burst) = found.last_mut().filter(near) {
                burst.end = at;
                burst.loud_end = if loud { at } else { burst.loud_end };
            } else {
                found.push(Burst { begin: at, end: at, loud_end: if loud { at } else { 0 } });
            }
        }
    }
    found.retain(|burst| burst.end - burst.begin >= SHORTEST_MS * PER_MS);
    let far = |pair: &[Burst]| pair[1].begin - pair[0].end > LONGEST_GAP_MS * PER_MS;
    let whole = found.windows(2).position(far).map_or(found.len(), |last| last + 1);
    found.truncate(whole);
    found
}

/// How many of the words were heard where they were stopped then, and lowered before that.
fn heard(
    words: &[Burst],
    stopped_ms: u64,
    (lowered_ms, speaks): (Option<u64>, bool),
) -> RangeInclusive<usize> {
    let (exactly, stopped) = (EXACTLY_MS * PER_MS, stopped_ms * PER_MS);
    let lowered = lowered_ms.map_or(stopped, |ms| ms * PER_MS);
    // Whether it was lowered still when it was stopped: then nothing of that was heard. Between
    // two words that is not known.
    let still = speaks
        && words.last().is_some_and(|word| word.end + 3 * exactly >= stopped)
        && words.iter().all(|word| word.loud_end <= lowered + 2 * exactly);
    let uncertain = (UNCERTAINTY_MS + EXACTLY_MS) * PER_MS;
    let far = FAR_BUFFER_MS * PER_MS;
    let surely = lowered.saturating_sub(far + uncertain);
    let perhaps = (if still { lowered } else { stopped }).saturating_sub(far) + uncertain;
    let is_cut = |word: &Burst| word.end + BETWEEN_WORDS_MS * PER_MS >= stopped;
    let middle = |word: &Burst| (word.begin + word.end) / 2;
    let least = words.iter().filter(|word| !is_cut(word) && middle(word) <= surely).count();
    let shortest = SHORTEST_MS * PER_MS;
    let earliest = |word: &Burst| if is_cut(word) { word.begin + shortest } else { middle(word) };
    let most = words.iter().filter(|word| earliest(word) <= perhaps).count();
    least..=most
}

/// A prompt that is being heard.
#[derive(Debug, Default)]
struct Hearing {
    prompt: u32,
    /// When it began, or went on; none while it is stopped.
    since_ms: Option<u64>,
    /// When it was lowered last since then.
    lowered_ms: Option<u64>,
    /// Beats of waiting in it: sound, and no words.
    beats: usize,
    /// Words heard of it before.
    least: usize,
    most: usize,
    /// Words that sounded of it, heard or not.
    sounded: usize,
}

impl Hearing {
    /// Takes what is noted while it lasts.
    fn noted(&mut self, world: &World, at_ms: u64, what: &What) {
        match what {
            What::WentOn { prompt } if *prompt == self.prompt => {
                (self.since_ms, self.lowered_ms) = (Some(at_ms), None);
            }
            What::Ducked { prompt } if *prompt == self.prompt => self.lowered_ms = Some(at_ms),
            What::Interrupted { prompt } if *prompt == self.prompt => self.stop(world, at_ms),
            What::Silence { owed_by: Debtor::Assistant, .. } => self.beats += BEATS,
            _ => {}
        }
    }

    fn stop(&mut self, world: &World, at_ms: u64) {
        let Some(since_ms) = self.since_ms.take() else { return };
        let words = words_between(world, since_ms, at_ms);
        // Who is silent again may just have let the level rise, and all was heard then.
        let speaks = voice_between(world, at_ms.saturating_sub(RELEASED_MS), at_ms);
        let heard = heard(&words, at_ms, (self.lowered_ms, speaks));
        self.sounded += words.len();
        (self.least, self.most) = (self.least + heard.start(), self.most + heard.end());
    }

    /// It was heard to its end, which is within the tick.
    fn end(&mut self, world: &World, at_ms: u64) {
        let Some(since_ms) = self.since_ms.take() else { return };
        let words = words_between(world, since_ms, at_ms + FRAME_MS).len();
        (self.least, self.most) = (self.least + words, self.most + words);
    }

    /// How many of its words were heard, where this is noted as unsaid, so exactly.
    fn over(mut self, world: &World, at_ms: u64, noted: (&str, u32)) -> RangeInclusive<usize> {
        let (unsaid, uncertainty_ms) = noted;
        if unsaid.is_empty() {
            self.end(world, at_ms);
        } else {
            self.stop(world, at_ms);
        }
        // What was not stopped in its sound had sounded to its end, and the voice gave no more.
        let broke_off = !unsaid.is_empty() && uncertainty_ms == 0;
        let most = if broke_off { self.sounded } else { self.most };
        self.least.saturating_sub(self.beats)..=most
    }
}

/// Whether the caller spoke at all then.
fn voice_between(world: &World, from_ms: u64, to_ms: u64) -> bool {
    let (from, to) = (MediaTime::from_millis(from_ms), MediaTime::from_millis(to_ms));
    world.caller.between(from, to).any(|tick| tick.voice >= VOICE)
}

fn words_between(world: &World, from_ms: u64, to_ms: u64) -> Vec<Burst> {
    let ticks = &world.caller.ticks;
    let place = |ms: u64| ticks.partition_point(|tick| tick.at.as_millis() < ms);
    bursts(&ticks[place(from_ms)..place(to_ms).max(place(from_ms))])
}

/// Every prompt was heard as far as it is noted.
pub(crate) fn is_what_was_heard(world: &World) -> Result<(), String> {
    let mut hearing: Option<Hearing> = None;
    for entry in &world.entries {
        let at_ms = entry.at_ms;
        match &entry.what {
            What::PromptBegan { prompt, .. } => {
                let (prompt, since_ms) = (*prompt, Some(at_ms));
                hearing = Some(Hearing { prompt, since_ms, ..Hearing::default() });
            }
            What::PromptEnded { prompt, heard, unsaid, uncertainty_ms } => {
                let noted = heard.split_whitespace().count();
                let known = hearing.take_if(|it| it.prompt == *prompt);
                let heard =
                    known.map_or(0..=0, |it| it.over(world, at_ms, (unsaid, *uncertainty_ms)));
                if !heard.contains(&noted) {
                    let (least, most) = heard.into_inner();
                    let so = format!("{least} to {most} words were heard up to {at_ms} ms");
                    return Err(format!("prompt {prompt}: {noted} are noted, and {so}"));
                }
            }
            other => {
                if let Some(hearing) = hearing.as_mut() {
                    hearing.noted(world, at_ms, other);
                }
            }
        }
    }
    Ok(())
}
