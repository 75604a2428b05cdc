//! A recorded call as a scenario: what its caller said, when the far end had said its own.
//!
//! A recording has the caller left and the far end right, as ours have. What the caller says
//! follows the far end's turns: who spoke after a pause does so after the same pause, however long
//! the answer takes this time; who spoke over the far end does so after it has spoken as long.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::super::script::{Act, Step, When};
use super::levels::{Levels, STEP_MS, STEP_SAMPLES};
use super::scenario::{Deed, DeedKind, Expect, Scenario};
use super::studio::{SoundFault, wav_pair};

/// A pause within a turn may be this long while the far end says nothing, steps.
const PAUSE: usize = 200;
/// A turn's sound begins and ends so much around what is heard of it, steps.
const AROUND: usize = 8;
/// Who begins so shortly after the far end does not speak over it, steps.
const TOGETHER: usize = 15;
/// The least pause before a turn.
const LEAST_PAUSE: Duration = Duration::from_millis(100);
/// Keys so close belong together, steps.
const ONE_BY_ONE: usize = 150;
/// What is added to a call's length for answers that take longer.
const SLACK: Duration = Duration::from_secs(60);

/// Why a recording is no scenario.
#[derive(Debug, thiserror::Error)]
#[error("{path}: {why}\n    {remedy}", path = .path.display())]
pub struct RecordingFault {
    /// The file.
    pub path: PathBuf,
    /// What is wrong.
    pub why: String,
    /// What to do.
    pub remedy: &'static str,
}

/// Keys that a caller pressed in a recording, and when in it.
pub type Keys = Vec<(Duration, char)>;

/// Reads a recording. `by_the_clock`: each turn at its time, whatever the far end does. Keys are in
/// no recording: who knows them brings them.
///
/// # Errors
/// [`RecordingFault`].
pub fn recording(path: &Path, keys: &Keys, by_the_clock: bool) -> Result<Scenario, RecordingFault> {
    let fault = |why: String, remedy| RecordingFault { path: path.to_owned(), why, remedy };
    let [near, far] = wav_pair(path).map_err(|why| {
        let remedy = match why {
            SoundFault::Disk(_) => "name a file that is there and may be read",
            _ => "a recording is a WAV file, PCM, the caller left, the far end right",
        };
        fault(why.to_string(), remedy)
    })?;
    let name = path.file_stem().map_or_else(String::new, |it| it.to_string_lossy().into_owned());
    let scenario = scenario(&name, [&near, &far], keys, by_the_clock);
    if scenario.deeds.is_empty() {
        let why = "no voice is heard on its left channel".to_owned();
        return Err(fault(why, "the caller is left, the far end right"));
    }
    Ok(scenario)
}

fn scenario(name: &str, [near, far]: [&[f32]; 2], keys: &Keys, by_the_clock: bool) -> Scenario {
    let levels = |samples: &[f32]| {
        let whole = samples.iter().map(|it| (it.clamp(-1.0, 1.0) * 32_767.0) as i16);
        Levels::of(&whole.collect::<Vec<i16>>())
    };
    let far = levels(far).speech();
    let said = turns(levels(near).speech(), &far).into_iter().map(|turn| {
        let first = turn.start.saturating_sub(AROUND) * STEP_SAMPLES;
        let end = ((turn.end + AROUND) * STEP_SAMPLES).min(near.len());
        let told = format!("{:.1} s to {:.1} s", seconds(turn.start), seconds(turn.end));
        (turn, Act::Say(near[first..end].into()), told, DeedKind::Words)
    });
    let keyed = presses(keys).into_iter().map(|(span, keys)| {
        let told = keys.clone();
        (span, Act::Key(keys), told, DeedKind::Keys)
    });
    let mut done: Vec<_> = said.chain(keyed).collect();
    done.sort_by_key(|(span, ..)| span.start);
    let mut deeds = Vec::new();
    let mut last = 0;
    for (span, act, told, kind) in done {
        let when = match by_the_clock {
            true => When::Answered(time(span.start)),
            false => when(&span, last, &far),
        };
        deeds.push(Deed { step: Step { when, act }, told: told.into(), kind });
        last = span.end;
    }
    let limit = Duration::from_secs_f64(near.len() as f64 / 8_000.0) + SLACK;
    Scenario { name: name.into(), deeds, expect: Expect::default(), limit }
}

/// Keys that were pressed one after the other, together.
fn presses(keys: &Keys) -> Vec<(Range<usize>, String)> {
    let step = |at: Duration| (at.as_millis() / u128::from(STEP_MS)) as usize;
    let mut presses: Vec<(Range<usize>, String)> = Vec::new();
    for (at, key) in keys {
        let at = step(*at);
        match presses.last_mut().filter(|(span, _)| at.saturating_sub(span.end) < ONE_BY_ONE) {
            Some((span, keys)) => {
                span.end = at + 1;
                keys.push(*key);
            }
            None => presses.push((at..at + 1, key.to_string())),
        }
    }
    presses
}

/// Joins what belongs to one turn: short pauses, and longer ones in which the far end is silent.
fn turns(spans: Vec<Range<usize>>, far: &[Range<usize>]) -> Vec<Range<usize>> {
    let mut turns: Vec<Range<usize>> = Vec::new();
    for span in spans {
        let joins = turns.last().is_some_and(|last| {
            let pause = last.end..span.start;
            let silent = !far.iter().any(|it| it.start < pause.end && it.end > pause.start);
            pause.len() < PAUSE && silent
        });
        match turns.last_mut().filter(|_| joins) {
            Some(last) => last.end = span.end,
            None => turns.push(span),
        }
    }
    turns
}

fn when(turn: &Range<usize>, last: usize, far: &[Range<usize>]) -> When {
    let over = far.iter().find(|it| it.start + TOGETHER < turn.start && it.end > turn.start);
    if let Some(over) = over {
        return When::Speaking(time(turn.start - over.start.max(last)));
    }
    let before = far.iter().rfind(|it| it.end <= turn.start && it.end > last);
    match before {
        Some(before) => When::Quiet(time(turn.start - before.end).max(LEAST_PAUSE)),
        None if last == 0 => When::Answered(time(turn.start)),
        None => When::Waited(time(turn.start - last)),
    }
}

fn time(steps: usize) -> Duration {
    Duration::from_millis(steps as u64 * u64::from(STEP_MS))
}

fn seconds(steps: usize) -> f64 {
    time(steps).as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Voice in these spans, ms.
    fn voice(spans: &[Range<usize>], length_ms: usize) -> Vec<f32> {
        let mut samples = vec![0.0; length_ms * 8];
        for span in spans {
            let sound = samples.iter_mut().enumerate().take(span.end * 8).skip(span.start * 8);
            sound.for_each(|(at, sample)| *sample = 0.3 * ((at as f32) * 0.4).sin());
        }
        samples
    }

    fn told(when: &When) -> (&'static str, u128) {
        match when {
            When::Answered(time) => ("answered", time.as_millis()),
            When::Quiet(time) => ("quiet", time.as_millis()),
            When::Waited(time) => ("waited", time.as_millis()),
            When::Speaking(time) => ("speaking", time.as_millis()),
            When::Says { .. } => ("says", 0),
        }
    }

    #[test]
    fn turns_follow_the_far_end_as_they_did_and_by_the_clock_where_asked() {
        // Greeting, an answer with a pause in it, a reply that is spoken over, a second word.
        let far = voice(&[500..3_000, 7_000..9_000], 20_000);
        let near = voice(&[3_800..4_500, 5_200..6_000, 8_000..9_500, 14_000..14_600], 20_000);
        let followed = scenario("x", [&near, &far], &vec![], false);
        let whens: Vec<_> = followed.deeds.iter().map(|it| told(&it.step.when)).collect();
        assert_eq!(whens, [("quiet", 800), ("speaking", 1_000), ("waited", 4_500)]);
        let Act::Say(first) = &followed.deeds[0].step.act else { panic!("it says something") };
        assert!((2_200..2_500).contains(&(first.len() / 8)), "{}", first.len() / 8);
        let by_the_clock = scenario("x", [&near, &far], &vec![], true);
        let whens: Vec<_> = by_the_clock.deeds.iter().map(|it| told(&it.step.when)).collect();
        assert_eq!(whens, [("answered", 3_800), ("answered", 8_000), ("answered", 14_000)]);
    }

    #[test]
    fn keys_are_pressed_together_after_what_was_said_before_them() {
        let far = voice(&[500..3_000, 5_000..7_000], 12_000);
        let near = voice(&[Range { start: 3_800, end: 4_500 }], 12_000);
        let at = |ms: u64, key: char| (Duration::from_millis(ms), key);
        let keys = vec![at(8_000, '1'), at(8_300, '2'), at(8_900, '3')];
        let scenario = scenario("x", [&near, &far], &keys, false);
        assert_eq!(scenario.deeds.len(), 2);
        assert!(matches!(&scenario.deeds[1].step.act, Act::Key(keys) if keys == "123"));
        assert_eq!(told(&scenario.deeds[1].step.when), ("quiet", 1_000));
    }
}
