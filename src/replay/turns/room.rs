//! The bench's one border to the turn room: what the room hears, what it is fed with, and what it
//! says, in the bench's words. Where the room changes, this file follows.
//!
//! What is swept is one factor on the floor's pauses in open talk. What is taken back of a stop is
//! taken back by words, which the bench has not.

use std::sync::Arc;
use std::time::Duration;

use cordboard_audio::MediaTime;
use cordboard_audio::vad::SpeechMeter;
use cordboard_models::speech::{
    EndOfTurn, Expectation, Hypothesis, HypothesisKind, SlotKind, TurnSoFar, Word,
};
use cordboard_models::turn_end::TextJudge;
use serde_json::{Value, json};

use super::judges::Smart;
use super::label::{EventLabel, TurnLabel};
use super::score::{FRAME, FRAME_MS, Recording};
use crate::turn::{
    Ear, Echo, Floor, FloorEvent, Heard, Meanwhile, Pauses, TurnSettings, WORDS_JUDGED_AT,
};

/// What the sweep sets the room's one threshold to: here a factor on the pauses of which no judge
/// is sure.
pub(super) const THRESHOLDS: [f32; 16] =
    [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.2, 1.4, 1.7, 2.0, 2.5, 3.0];
/// The threshold of the settings as they are.
pub(super) const AS_SET: f32 = 1.0;
/// How late the stand-in recognizer is after a word's end.
const RECOGNIZER_MS: u32 = 300;
/// How long a judgement by sound takes.
const JUDGEMENT_MS: u32 = 120;

/// What the room says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// The caller's turn is over.
    Yielded,
    /// The assistant is made quieter, until it is known what this is.
    Ducked,
    /// The assistant stops.
    Stopped,
    /// A stop was taken back: the assistant goes on.
    Resumed,
}

/// Listens to a recording as a call does, frame by frame.
pub(super) fn listen(recording: &Recording, mut meter: SpeechMeter) -> Vec<Heard> {
    let (mut ear, mut echo, mut sent) = (Ear::default(), Echo::default(), [0.0; FRAME]);
    let frames = recording.uplink.chunks_exact(FRAME).zip(recording.downlink.chunks_exact(FRAME));
    let heard = frames.map(|(uplink, downlink)| {
        let mut uplink: [f32; FRAME] = uplink.try_into().expect("a frame");
        echo.take_out(&mut uplink, &sent);
        sent.copy_from_slice(downlink);
        let probability = meter.hear(&uplink).unwrap_or(0.0);
        ear.hear(&uplink, downlink, probability)
    });
    heard.collect()
}

/// The room at work on one recording.
pub(super) struct Room<'a> {
    floor: Floor,
    expectation: Arc<Expectation>,
    turn: Option<&'a TurnLabel>,
    began_ms: u32,
    question: Question,
}

/// What is asked of a judge by sound in a pause: once, as a call asks it (`call/pausing`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Question {
    /// Nothing.
    None,
    /// The sound up to here is to be judged.
    Asked(u32),
    /// The answer is known.
    Answered,
}

impl<'a> Room<'a> {
    pub(super) fn new(settings: TurnSettings, threshold: f32, turn: Option<&'a TurnLabel>) -> Self {
        let pause = scaled(settings.pause, threshold);
        let mut floor = Floor::new(TurnSettings { pause, ..settings });
        let expectation = Arc::new(expectation(turn));
        floor.expect(Arc::clone(&expectation));
        Self { floor, expectation, turn, began_ms: 0, question: Question::None }
    }

    /// Takes the 20 ms that end at `now_ms`; `speaks` is whether the assistant does.
    pub(super) fn frame(
        &mut self,
        now_ms: u32,
        heard: Heard,
        speaks: bool,
        mut say: impl FnMut(Said),
    ) {
        let now = MediaTime::from_millis(u64::from(now_ms));
        let meanwhile = if speaks { Meanwhile::Yields } else { Meanwhile::Listens };
        for event in self.floor.hear(now, &heard, meanwhile).into_iter().flatten() {
            match event {
                FloorEvent::Onset => self.began_ms = now_ms.saturating_sub(FRAME_MS),
                FloorEvent::Pausing => {
                    self.judge(now_ms);
                    if self.question == Question::None && self.floor.wants_sound() {
                        self.question = Question::Asked(now_ms);
                    }
                }
                FloorEvent::Resumed => self.question = Question::None,
                FloorEvent::Ducking => say(Said::Ducked),
                FloorEvent::Interrupting => say(Said::Stopped),
                FloorEvent::Yielded { .. } => {
                    self.question = Question::None;
                    say(Said::Yielded);
                }
                FloorEvent::Began { .. } | FloorEvent::Dropped | FloorEvent::Released => {}
            }
        }
    }

    /// Lets the judge by sound answer what was asked as long ago as it takes; whether the turn is
    /// over by that.
    pub(super) fn judge_sound(&mut self, now_ms: u32, smart: &mut Smart<'_>) -> bool {
        let Question::Asked(asked_ms) = self.question else { return false };
        if now_ms < asked_ms + JUDGEMENT_MS {
            return false;
        }
        let over = smart.probability(self.began_ms, asked_ms);
        let now = MediaTime::from_millis(u64::from(now_ms));
        let events = self.floor.sound_judged(now, over);
        let yielded = |event| matches!(event, FloorEvent::Yielded { .. });
        let is_over = events.into_iter().flatten().any(yielded);
        self.question = if is_over { Question::None } else { Question::Answered };
        is_over
    }

    fn judge(&mut self, now_ms: u32) {
        let hypothesis = self.turn.and_then(|turn| partial(turn, self.began_ms, now_ms));
        if hypothesis.is_none() {
            return;
        }
        let so_far = TurnSoFar {
            hypothesis: hypothesis.as_ref(),
            expectation: &self.expectation,
            silence: WORDS_JUDGED_AT,
            samples: &[],
        };
        self.floor.judged(TextJudge.judge(&so_far));
    }
}

/// What the room measures of a recording's silences, a row for each 100 ms of each silence within
/// and after its turns, with whether the turn was over: for fitting a judge.
pub(super) fn features(
    recording: &Recording,
    heard: &[Heard],
    settings: &TurnSettings,
) -> Vec<Value> {
    let mut rows = Vec::new();
    let quiet_ms = quiet_ms(heard, settings.voice_off);
    for turn in &recording.label.turns {
        let inside = turn.pauses.iter().map(|pause| (pause.begin_ms, pause.end_ms, false));
        for (begin_ms, end_ms, over) in inside.chain([(turn.end_ms, turn.end_ms + 3_000, true)]) {
            for at_ms in (begin_ms + 100..=end_ms).step_by(100) {
                let frame = (at_ms / FRAME_MS) as usize;
                let (Some(heard), Some(quiet_ms)) = (heard.get(frame - 1), quiet_ms.get(frame - 1))
                else {
                    break;
                };
                let hypothesis = partial(turn, turn.begin_ms, at_ms);
                let silence = Duration::from_millis(u64::from(at_ms - begin_ms));
                let so_far = TurnSoFar {
                    hypothesis: hypothesis.as_ref(),
                    expectation: &expectation(Some(turn)),
                    silence,
                    samples: &[],
                };
                rows.push(json!({
                    "file": recording.label.file,
                    "half": recording.label.half.to_string(),
                    "kind": recording.label.kind.name(),
                    "at_ms": at_ms,
                    "silence_ms": at_ms - begin_ms,
                    "over": over,
                    "quiet_ms": quiet_ms,
                    "voice": heard.probability,
                    "text": TextJudge.judge(&so_far),
                }));
            }
        }
    }
    rows
}

/// What the room hears over the assistant, a row for each frame, with whether the assistant has to
/// stop for it: for fitting the decision.
pub(super) fn overlaps(recording: &Recording, heard: &[Heard]) -> Vec<Value> {
    let label = &recording.label;
    let frames = (1..).map(|frame| frame * FRAME_MS).zip(heard);
    let row = |(at_ms, heard): (u32, &Heard)| {
        let here = |it: &&EventLabel| (it.begin_ms..it.end_ms + FRAME_MS).contains(&at_ms);
        let event = label.events.iter().find(here).map(|event| event.what.clone());
        let stop = label.kind.must_stop() && event.as_ref().is_some_and(|what| what != "echo");
        json!({
            "file": label.file,
            "half": label.half.to_string(),
            "kind": label.kind.name(),
            "at_ms": at_ms,
            "event": event,
            "stop": stop,
            "voice": heard.probability,
            "played_dbov": heard.played_dbov,
            "echoless": heard.echoless,
            "level_dbov": heard.level_dbov,
            "tilt_db": heard.tilt_db,
        })
    };
    frames.map(row).collect()
}

/// For how long the detector has heard no voice, at each frame: what the room takes for silence.
fn quiet_ms(heard: &[Heard], voice_off: f32) -> Vec<u32> {
    let quiet = heard.iter().scan(0, |quiet_ms, heard| {
        *quiet_ms = if heard.probability < voice_off { *quiet_ms + FRAME_MS } else { 0 };
        Some(*quiet_ms)
    });
    quiet.collect()
}

/// Pauses of which no judge is sure, so much longer.
fn scaled(pause: Pauses, factor: f32) -> Pauses {
    Pauses {
        doubtful: pause.doubtful.mul_f32(factor),
        open: pause.open.mul_f32(factor),
        other: pause.other.mul_f32(factor),
        ..pause
    }
}

/// What a label expects; open talk where it says nothing that is known.
fn expectation(turn: Option<&TurnLabel>) -> Expectation {
    let expects = turn.and_then(|turn| turn.expects.as_deref()).unwrap_or_default();
    let digits = expects.strip_prefix("digits:").and_then(|count| count.parse::<u8>().ok());
    let kinds = match (expects, digits) {
        (_, Some(count)) => vec![SlotKind::Digits { min: count, max: count }],
        ("yes_no", None) => vec![SlotKind::YesNo],
        _ => Vec::new(),
    };
    let open = kinds.is_empty();
    Expectation { kinds, phrases: Vec::new(), open }
}

/// What a recognizer would have of a turn by now: the words that ended a while ago.
fn partial(turn: &TurnLabel, began_ms: u32, now_ms: u32) -> Option<Hypothesis> {
    let said = |word: &&super::label::WordLabel| {
        word.end_ms > began_ms && word.end_ms + RECOGNIZER_MS <= now_ms
    };
    let words: Vec<Word> = turn
        .words
        .iter()
        .filter(said)
        .map(|word| {
            let end = Duration::from_millis(u64::from(word.end_ms - began_ms));
            Word { text: word.text.clone(), begin: end, end, confidence: 0.9 }
        })
        .collect();
    if words.is_empty() {
        return None;
    }
    let text: Vec<&str> = words.iter().map(|word| word.text.as_str()).collect();
    Some(Hypothesis {
        text: text.join(" "),
        stable_words: words.len(),
        words,
        confidence: 0.9,
        kind: HypothesisKind::Partial,
    })
}
