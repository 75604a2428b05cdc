//! Whole calls of simulated callers, each drawn from a seed: how long they wait, pause and
//! interrupt is drawn from 82 calls of the Harper Valley corpus (5, 50 and 95 of 100 of its
//! callers), and from worse ones who cough, acknowledge, say nothing, key, and hang up at any
//! point; over lines that lose and delay, with engines that are late, wrong, silent or dead.
//!
//! `make sim SEED=n CALLS=m`; a call that breaks a promise is told with the command that plays it
//! again. Its timeline is in the message above.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use cordboard::call::Input;
use cordboard::timeline::What;
use cordboard_audio::level::rms;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};

use super::network::Line;
use super::office::Habit;
use super::properties;
use super::services::{Ears, Mouth, ToolLine};
use super::world::World;

/// Calls where nobody says how many.
const CALLS: u64 = 150;
/// Acts of one caller at most.
const ACTS: u32 = 14;

/// 5, 50 and 95 of 100 are not above these, ms.
type Spread = [u64; 3];
/// From the end of a question to the answer.
const GAP: Spread = [708, 1_544, 3_710];
/// Within a turn, and between groups of digits.
const PAUSE: Spread = [525, 1_030, 2_890];
const DIGIT_PAUSE: Spread = [546, 740, 2_196];
/// A segment of speech.
const SEGMENT: Spread = [374, 1_500, 4_290];

const WORDS: [&str; 14] = [
    "where is my order",
    "where is my order one two three four five six",
    "one two three four five six",
    "one two three",
    "yes",
    "no",
    "i want to speak to a person",
    "change my address",
    "elm street five in springfield",
    "repeat that",
    "slower please",
    "the weather is fine today",
    "help",
    "",
];
const ACKNOWLEDGEMENTS: [&str; 5] = ["mm-hm", "okay", "yeah", "right", "thank you"];

/// A simulated caller.
struct Caller {
    dice: StdRng,
    world: World,
}

impl Caller {
    fn ringing(seed: u64) -> Self {
        let mut dice = StdRng::seed_from_u64(seed);
        let staff = vec![("ada", habits(&mut dice)), ("bob", habits(&mut dice))];
        let mut world = World::staffed(staff);
        let worst = dice.random_range(0..4);
        if worst > 0 {
            world.line = Some(Line::new(worst * worst, 15 * worst, seed));
        }
        world.tools.extend((0..dice.random_range(0..4)).map(|_| tool(&mut dice)));
        Self { dice, world }
    }

    fn drawn(&mut self, [low, middle, high]: Spread) -> u64 {
        if self.dice.random_bool(0.5) {
            self.dice.random_range(low..=middle)
        } else {
            self.dice.random_range(middle..=high)
        }
    }

    fn is_over(&self) -> bool {
        self.world.over.is_some() || self.world.hung_up.is_some()
    }

    /// Waits until nothing is said any more, and the time that callers take then; now and then not.
    fn waits(&mut self) {
        let patience = self.dice.random_range(0..12_000);
        let mut quiet_ms = 0;
        let mut waited_ms = 0;
        let gap_ms = self.drawn(GAP);
        while quiet_ms < gap_ms && waited_ms < patience && !self.is_over() {
            self.world.run(20);
            waited_ms += 20;
            let sounds = self.world.caller.ticks.last().is_some_and(|tick| tick.sounds());
            quiet_ms = if sounds { 0 } else { quiet_ms + 20 };
        }
    }

    /// Says something in one to three segments.
    fn speaks(&mut self, text: &str, pauses: Spread) {
        if !text.is_empty() {
            self.world.script.push(text, self.dice.random_range(0.3..1.0));
        }
        for segment in 0..self.dice.random_range(1..4) {
            if segment > 0 {
                let pause_ms = self.drawn(pauses);
                self.world.run(pause_ms);
            }
            let long_ms = self.drawn(SEGMENT);
            self.world.utters(long_ms);
            if self.is_over() || self.dice.random_bool(0.6) {
                return;
            }
        }
    }

    fn acts(&mut self) {
        match self.dice.random_range(0..100) {
            0..40 => {
                self.waits();
                let text = *WORDS.choose(&mut self.dice).expect("there are words");
                let digits = text.starts_with("one");
                self.speaks(text, if digits { DIGIT_PAUSE } else { PAUSE });
            }
            40..52 => {
                let text = *ACKNOWLEDGEMENTS.choose(&mut self.dice).expect("there are some");
                self.world.script.push(text, 0.9);
                let long_ms = self.dice.random_range(160..600);
                self.world.utters(long_ms);
            }
            52..62 => {
                // Shorter ones are clicks, to which nobody owes an answer.
                let long_ms = self.dice.random_range(160..900);
                self.world.utters(long_ms);
            }
            62..72 => {
                let text = *WORDS.choose(&mut self.dice).expect("there are words");
                self.speaks(text, PAUSE);
            }
            72..82 => {
                let keys = self.dice.random_range(1..8);
                for _ in 0..keys {
                    let key = *b"0123456789*#".choose(&mut self.dice).expect("there are keys");
                    self.world.keys(&char::from(key).to_string());
                }
            }
            82..88 => {
                let silent_ms = self.dice.random_range(1_000..9_000);
                self.world.run(silent_ms);
            }
            88..92 => self.world.ears = ears(&mut self.dice),
            92..96 => self.world.mouth = mouth(&mut self.dice),
            96..99 => self.world.caller.muted = self.dice.random_bool(0.3),
            _ => self.world.hangs_up(),
        }
        let then_ms = self.dice.random_range(0..2_500);
        self.world.run(then_ms);
    }

    fn calls(mut self) {
        self.world.connect();
        for _ in 0..self.dice.random_range(1..ACTS) {
            if self.is_over() {
                break;
            }
            self.acts();
        }
        if !self.is_over() && !self.world.has_left() {
            match self.dice.random_bool(0.2) {
                true => self.world.give(Input::Stop),
                false => self.world.hangs_up(),
            }
        }
        self.world.ends(60_000);
        properties::keeps_its_promises(&self.world);
        nothing_sounds_after_a_stop(&self.world);
    }
}

fn habits(dice: &mut StdRng) -> Vec<Habit> {
    let habit = |dice: &mut StdRng| match dice.random_range(0..6) {
        0..3 => Habit::keys('1'),
        3 => Habit::keys('2'),
        4 => Habit::Refuses { after_ms: dice.random_range(250..4_000), code: 486 },
        _ => Habit::Absent,
    };
    (0..dice.random_range(0..3)).map(|_| habit(dice)).collect()
}

fn tool(dice: &mut StdRng) -> ToolLine {
    match dice.random_range(0..7) {
        0..4 => ToolLine::found(dice.random_range(20..7_000)),
        4..6 => ToolLine::fails(dice.random_range(20..7_000)),
        _ => ToolLine::never(),
    }
}

fn ears(dice: &mut StdRng) -> Ears {
    match dice.random_range(0..5) {
        0..2 => Ears::Answer { after_ms: dice.random_range(50..1_900) },
        2 => Ears::Full,
        3 => Ears::GiveUp { after_ms: 700 },
        _ => Ears::Dead,
    }
}

fn mouth(dice: &mut StdRng) -> Mouth {
    match dice.random_range(0..5) {
        0..2 => Mouth::Speak { after_ms: dice.random_range(20..4_000) },
        2 => Mouth::Refuse { after_ms: 100 },
        3 => Mouth::Break { after_words: 2 },
        _ => Mouth::Dead,
    }
}

/// Where speech has stopped the assistant and nothing was said since, nothing is heard of it.
fn nothing_sounds_after_a_stop(world: &World) {
    let mut entries = world.entries.iter().peekable();
    while let Some(entry) = entries.next() {
        let next_ms = entries.peek().map_or(u64::MAX, |next| next.at_ms);
        if !matches!(entry.what, What::Interrupted { .. }) {
            continue;
        }
        // A tick has the fade, and one more may have been on its way.
        let quiet = entry.at_ms + 60..next_ms;
        let ticks = world.caller.ticks.iter();
        let after = ticks.filter(|tick| quiet.contains(&tick.at.as_millis()));
        let loudest = after.map(|tick| rms(&tick.sound)).fold(0.0, f32::max);
        assert!(loudest < 0.003, "{loudest} after {}\n{}", entry.at_ms, world.story());
    }
}

fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[test]
fn simulated_callers_are_kept_every_promise() {
    let first = setting("SEED").unwrap_or(1);
    let calls = setting("CALLS").unwrap_or(CALLS);
    let (next, broken) = (AtomicU64::new(0), Mutex::new(Vec::new()));
    let threads = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let nth = next.fetch_add(1, Ordering::Relaxed);
                    if nth >= calls {
                        return;
                    }
                    let seed = first + nth;
                    let call = AssertUnwindSafe(|| Caller::ringing(seed).calls());
                    if catch_unwind(call).is_err() {
                        broken.lock().expect("nobody panics with it").push(seed);
                    }
                }
            });
        }
    });
    let broken = broken.into_inner().expect("nobody panics with it");
    println!("{calls} calls from seed {first}: {} broken", broken.len());
    let again: Vec<String> =
        broken.iter().map(|seed| format!("make sim SEED={seed} CALLS=1")).collect();
    assert!(broken.is_empty(), "play again with\n{}", again.join("\n"));
}
