//! A simulated caller, drawn from a seed, with the line, the engines, the systems and the office.
//!
//! How long callers wait, pause and speak is drawn from what was measured on 82 calls to a bank;
//! the worse ones hesitate, spell, interrupt, cough, acknowledge, say nothing, key, put us on hold
//! and hang up at any point.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use cordboard::call::{CallFacts, EndCause, Input, LegEvent};
use cordboard::conversation::Flow;
use cordboard::timeline::{Entry, What};
use cordboard_audio::MediaTime;
use cordboard_audio::vad::SpeechMeter;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};

use super::super::detector::{self, Detector, Voicing};
use super::super::network::Line;
use super::super::world::{World, facts};
use super::broken::{Broken, settings_of};
use super::engines;
use super::sound;

/// Acts of one caller at most.
const ACTS: u32 = 14;
/// Callers whose sound is real, and a real detector hears it.
const REAL: f64 = 0.01;
/// Callers who mostly wait and answer, as nearly all of the bank's did.
const PATIENT: f64 = 0.5;
/// Callers who speak with a language model.
const WITH_MODEL: f64 = 0.2;
/// Callers who hang up at some time, whatever goes on then, and until when, ms.
const LEAVES: f64 = 0.3;
const LEAVES_BY_MS: u64 = 90_000;
/// Recognitions that come to other words.
const MISHEARD: f64 = 0.05;
/// Below this a real detector may hear nothing, ms.
const REAL_MIN_MS: u64 = 600;
/// Amplitudes of callers' voices: -29 to -11 dBov.
const LOUDNESS: Range<f32> = 0.05..0.4;
/// How fast callers' clocks are, millionths; the last two are those of bad sound cards.
const DRIFTS: [i32; 7] = [0, 100, -100, 300, -300, 2_000, -2_000];
const TICK: Duration = Duration::from_millis(20);

/// 5, 50 and 95 of 100 are not above these, ms.
type Spread = [u64; 3];
/// From the end of a question to the answer.
const GAP: Spread = [708, 1_544, 3_710];
/// Within a turn, and between groups of digits.
const PAUSE: Spread = [525, 1_030, 2_890];
const DIGIT_PAUSE: Spread = [546, 740, 2_196];
/// A segment of speech.
const SEGMENT: Spread = [374, 1_500, 4_290];
/// A letter, a digit, or an acknowledgement.
const SHORT: Spread = [160, 350, 500];

/// Segments of a turn: more than one in 23 of 100 turns.
const SEGMENTS: [u32; 9] = [1, 1, 1, 1, 1, 1, 1, 2, 3];

const WORDS: [&str; 15] = [
    "where is my order",
    "where is my order one two three four five six",
    "one two three four five six",
    "one two three",
    "yes",
    "no",
    "no thank you",
    "i want to speak to a person",
    "change my address",
    "elm street five in springfield",
    "repeat that",
    "slower please",
    "the weather is fine today",
    "help",
    "",
];
const QUESTIONS: [&str; 8] = [
    "i have a question",
    "how long do you keep a parcel",
    "where is order one two three four five six",
    "yes",
    "no",
    "i want to speak to a person",
    "what about letters",
    "",
];
/// What is said where this was asked.
const ANSWERS: [(&str, &[&str]); 7] = [
    ("digits", &["one two three four five six", "one two three four five six", "one two three"]),
    ("Is that right?", &["yes", "yes", "no"]),
    ("How can I help", &["where is my order", "change my address", "i have a question"]),
    ("address?", &["elm street five in springfield"]),
    ("Shall I", &["yes", "no"]),
    ("anything else", &["no thank you", "where is my order", "i want to speak to a person"]),
    ("like to know", &["how long do you keep a parcel"]),
];
/// Callers who say it.
const FITS: f64 = 0.75;
const ACKNOWLEDGEMENTS: [&str; 5] = ["mm-hm", "okay", "yeah", "right", "thank you"];
const SPELT: [&str; 3] = ["e l m", "n o r t h", "one two three four five six"];

/// A simulated caller.
#[derive(Debug)]
pub(crate) struct Caller {
    dice: StdRng,
    pub(crate) world: World,
    words: &'static [&'static str],
    /// Whether it is one who mostly waits and answers.
    is_patient: bool,
    /// When the caller hangs up, whatever goes on then.
    leaves: MediaTime,
    /// Pitch of the voice, where the sound is real.
    pitch_hz: Option<f32>,
}

impl Caller {
    pub(crate) fn ringing(seed: u64, broken: Option<Broken>) -> Self {
        let mut dice = StdRng::seed_from_u64(seed);
        let staff = vec![("ada", engines::habits(&mut dice)), ("bob", engines::habits(&mut dice))];
        let with_model = dice.random_bool(WITH_MODEL);
        let facts = if with_model { CallFacts { flow: questions(), ..facts() } } else { facts() };
        let mut world = World::of(facts, staff, settings_of(broken));
        world.broken = broken;
        world.caller.amplitude = dice.random_range(LOUDNESS);
        world.line = line(&mut dice, seed);
        world.tools.extend((0..dice.random_range(0..4)).map(|_| engines::tool(&mut dice)));
        world.model.0.extend((0..dice.random_range(0..6)).map(|_| engines::answer(&mut dice)));
        world.judge = engines::judge(&mut dice);
        world.partial_words = *[1, usize::MAX].choose(&mut dice).expect("some");
        world.sound_judge = engines::sound_judge(&mut dice);
        world.ranks_ms = *[Some(400), Some(2_500), None].choose(&mut dice).expect("some");
        let pitch_hz = dice.random_bool(REAL).then(|| dice.random_range(90.0..220.0));
        world.detector = match pitch_hz {
            Some(_) => Detector::Real(SpeechMeter::earshot()),
            None => Detector::Scripted(Box::new(Voicing::new(seed))),
        };
        let leaves = match dice.random_bool(LEAVES) {
            true => MediaTime::from_millis(dice.random_range(0..LEAVES_BY_MS)),
            false => MediaTime::NEVER,
        };
        let words: &[&str] = if with_model { &QUESTIONS } else { &WORDS };
        let is_patient = dice.random_bool(PATIENT);
        Self { dice, world, words, is_patient, leaves, pitch_hz }
    }

    /// Whether a real detector hears a real sound.
    pub(crate) const fn is_real(&self) -> bool {
        self.pitch_hz.is_some()
    }

    /// Lives through the call, to its end.
    pub(crate) fn calls(&mut self) {
        self.rings();
        for _ in 0..self.dice.random_range(1..ACTS) {
            if self.is_over() {
                break;
            }
            self.acts();
            let then_ms = self.dice.random_range(0..2_500);
            self.passes(then_ms);
        }
        if !self.is_over() {
            match self.dice.random_bool(0.2) {
                true => self.world.give(Input::Stop),
                false => self.world.hangs_up(),
            }
        }
        self.world.ends(60_000);
    }

    /// Rings, and is answered; some have second thoughts meanwhile.
    fn rings(&mut self) {
        if self.dice.random_bool(0.01) {
            self.world.leaves(EndCause::Cancelled);
            return;
        }
        self.world.caller_event(LegEvent::Offered);
        let until_ack_ms = self.dice.random_range(20..400);
        self.passes(until_ack_ms);
        if self.dice.random_bool(0.01) && !self.is_over() {
            self.world.leaves(EndCause::NoAck);
        }
        if !self.is_over() {
            self.world.caller_event(LegEvent::Answered);
        }
    }

    fn acts(&mut self) {
        if self.is_patient && self.dice.random_bool(FITS) {
            self.answers();
            return;
        }
        match self.dice.random_range(0..100) {
            0..30 => self.answers(),
            30..38 => self.hesitates(),
            38..43 => self.spells(),
            43..56 => self.interrupts(),
            56..64 => self.acknowledges(),
            64..72 => self.coughs(),
            72..80 => self.keys(),
            80..85 => {
                let silent_ms = self.dice.random_range(1_000..9_000);
                self.passes(silent_ms);
            }
            85..87 => self.holds(),
            87..90 => self.world.ears = engines::ears(&mut self.dice),
            90..93 => self.world.mouth = engines::mouth(&mut self.dice),
            93..95 => self.world.judge = engines::judge(&mut self.dice),
            95..97 => self.world.caller.muted = self.dice.random_bool(0.3),
            97..99 => self.agent_acts(),
            _ => self.world.hangs_up(),
        }
    }

    fn answers(&mut self) {
        self.waits();
        let text = self.answer();
        let pause = if text.starts_with("one") { DIGIT_PAUSE } else { PAUSE };
        self.means(text);
        self.speaks(SEGMENT, pause);
    }

    /// What is said now: most of the time what was asked for.
    fn answer(&mut self) -> &'static str {
        let began = |entry: &Entry| match &entry.what {
            What::PromptBegan { text, .. } => Some(text.clone()),
            _ => None,
        };
        let asked = self.world.entries.iter().rev().find_map(began).unwrap_or_default();
        let fits = ANSWERS.iter().find(|(question, _)| asked.contains(question));
        match fits.filter(|_| self.dice.random_bool(FITS)) {
            Some((_, answers)) => answers.choose(&mut self.dice).expect("there are some"),
            None => self.words.choose(&mut self.dice).expect("there are words"),
        }
    }

    /// Says "um", thinks, and then says it; now and then that is two turns to us.
    fn hesitates(&mut self) {
        self.waits();
        let text = self.answer();
        self.means(&format!("um {text}"));
        let long_ms = self.drawn(SHORT);
        self.utters(long_ms);
        self.pauses(PAUSE);
        self.means(text);
        self.speaks(SEGMENT, PAUSE);
    }

    /// Says it letter by letter.
    fn spells(&mut self) {
        self.waits();
        let text = SPELT.choose(&mut self.dice).expect("there are some");
        self.means(text);
        for _ in text.split(' ') {
            let long_ms = self.drawn(SHORT);
            self.utters(long_ms);
            let pause_ms = self.dice.random_range(60..900);
            self.passes(pause_ms);
        }
    }

    /// Speaks over the assistant, and goes on.
    fn interrupts(&mut self) {
        let patience = self.world.now + Duration::from_secs(10);
        while !self.hears_something() && self.world.now < patience && !self.is_over() {
            self.passes(20);
        }
        let into_ms = self.dice.random_range(0..2_500);
        self.passes(into_ms);
        let text = self.answer();
        self.means(text);
        let long_ms = self.dice.random_range(600..4_000);
        self.utters(long_ms);
    }

    fn acknowledges(&mut self) {
        let text = ACKNOWLEDGEMENTS.choose(&mut self.dice).expect("there are some");
        self.means(text);
        let long_ms = self.drawn(SHORT);
        self.utters(long_ms);
    }

    /// Coughs; a detector takes some of it for speech. Shorter ones are clicks, to which nobody
    /// owes an answer.
    fn coughs(&mut self) {
        let long_ms = self.dice.random_range(160..900);
        if self.dice.random_bool(0.5) || self.pitch_hz.is_some() {
            self.utters(long_ms);
            return;
        }
        self.world.caller.noise(self.world.now + TICK, Duration::from_millis(long_ms));
        let frames = detector::noise(&mut self.dice, frames(long_ms));
        self.sounds(long_ms, frames);
    }

    fn keys(&mut self) {
        for _ in 0..self.dice.random_range(1..8) {
            let key = *b"0123456789*#".choose(&mut self.dice).expect("there are keys");
            let key = char::from(key).to_string();
            if self.is_over() {
                return;
            }
            match self.world.line.is_some() && !self.world.caller.muted {
                true => self.world.presses(&key),
                false => self.world.keys(&key),
            }
        }
    }

    fn holds(&mut self) {
        self.world.caller_event(LegEvent::Held);
        let held_ms = self.dice.random_range(200..6_000);
        self.passes(held_ms);
        if !self.is_over() {
            self.world.caller_event(LegEvent::Resumed);
        }
    }

    /// The agent speaks, keys, or leaves, where one has picked up.
    fn agent_acts(&mut self) {
        if self.world.agent_line.as_ref().is_none_or(|line| !line.answered) {
            return;
        }
        match self.dice.random_range(0..4) {
            0 => self.world.agent.speak(self.world.now, Duration::from_millis(900)),
            1 => {
                let digit = *['1', '2', '3', '9'].choose(&mut self.dice).expect("keys");
                self.world.agent_event(LegEvent::Digit { digit, duration_ms: 100 });
            }
            2 => self.world.agent_event(LegEvent::Ended { cause: EndCause::Bye }),
            _ => self.world.agent_event(LegEvent::Ended { cause: EndCause::Lost }),
        }
    }

    /// What is said next will be recognized as this, unless the recognizer is wrong.
    fn means(&mut self, text: &str) {
        let wrong = self.dice.random_bool(MISHEARD);
        let other = self.words.choose(&mut self.dice).expect("there are words");
        let text = if wrong { other } else { text };
        if !text.is_empty() {
            let least = if self.is_patient { 0.6 } else { 0.3 };
            self.world.script.push(text, self.dice.random_range(least..1.0));
        }
    }

    /// Speaks in one segment, or in more.
    fn speaks(&mut self, segment: Spread, pause: Spread) {
        let segments = *SEGMENTS.choose(&mut self.dice).expect("there are some");
        for nth in 0..segments {
            if nth > 0 {
                self.pauses(pause);
            }
            let long_ms = self.drawn(segment);
            self.utters(long_ms);
        }
    }

    /// Makes a sound of speech for so long.
    fn utters(&mut self, ms: u64) {
        let Some(pitch_hz) = self.pitch_hz else {
            self.world.caller.speak(self.world.now + TICK, Duration::from_millis(ms));
            let frames = detector::speech(&mut self.dice, frames(ms));
            self.sounds(ms, frames);
            return;
        };
        let ms = ms.max(REAL_MIN_MS);
        let samples = usize::try_from(8 * ms).expect("seconds");
        let speech = sound::speech(&mut self.dice, pitch_hz, samples);
        self.world.caller.speak_recorded(&speech);
        self.passes(ms);
    }

    /// Lets a sound be heard, and a detector say this of it.
    fn sounds(&mut self, ms: u64, frames: VecDeque<f32>) {
        if let Detector::Scripted(voicing) = &mut self.world.detector {
            voicing.say(self.world.now + TICK, frames);
        }
        self.passes(ms);
    }

    fn pauses(&mut self, pause: Spread) {
        let pause_ms = self.drawn(pause);
        self.passes(pause_ms);
    }

    /// Waits until nothing is said any more, and the time that callers take then; now and then not.
    fn waits(&mut self) {
        let patience = if self.is_patient { 20_000 } else { self.dice.random_range(0..12_000) };
        let (mut quiet_ms, mut waited_ms) = (0, 0);
        let gap_ms = self.drawn(GAP);
        while quiet_ms < gap_ms && waited_ms < patience && !self.is_over() {
            self.passes(20);
            waited_ms += 20;
            quiet_ms = if self.hears_something() { 0 } else { quiet_ms + 20 };
        }
    }

    /// Lets time pass; whoever wants to leave does so in the middle of anything.
    fn passes(&mut self, ms: u64) {
        for _ in 0..ms.div_ceil(20) {
            if self.is_over() {
                return;
            }
            if self.world.now >= self.leaves {
                self.world.hangs_up();
                return;
            }
            self.world.step();
        }
    }

    fn hears_something(&self) -> bool {
        self.world.caller.ticks.last().is_some_and(|tick| tick.sounds())
    }

    fn is_over(&self) -> bool {
        self.world.over.is_some() || self.world.hung_up.is_some() || self.world.has_left()
    }

    fn drawn(&mut self, [low, middle, high]: Spread) -> u64 {
        if self.dice.random_bool(0.5) {
            self.dice.random_range(low..=middle)
        } else {
            self.dice.random_range(middle..=high)
        }
    }
}

fn frames(ms: u64) -> usize {
    usize::try_from(ms.div_ceil(20)).expect("seconds")
}

/// The line of a caller: perfect, or one that loses, delays, reorders and drifts.
fn line(dice: &mut StdRng, seed: u64) -> Option<Line> {
    let worst = dice.random_range(0..4);
    let drift_ppm = *DRIFTS.choose(dice).expect("some");
    (worst > 0).then(|| Line::new(worst * worst, 15 * worst, seed).drifting(drift_ppm))
}

/// The flow whose callers speak with a language model.
fn questions() -> Arc<Flow> {
    static FLOW: LazyLock<Arc<Flow>> = LazyLock::new(|| {
        let text = include_str!("../../../flows/questions.yaml");
        let flow = Flow::parse(text, "flows/questions.yaml", &BTreeMap::new());
        Arc::new(flow.expect("the example is good"))
    });
    Arc::clone(&FLOW)
}
