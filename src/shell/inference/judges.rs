//! The judges of turns by their sound: threads of their own, so long as there is time for them.
//!
//! A judgement takes many times what a media worker has for a frame. All together may take a part
//! of a core's time, on the average; what goes beyond is shed, and so is what has waited until it
//! is of no use any more: the caller's turn then ends after the pause that it would have ended
//! after anyway. What is not wanted any more is dropped.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use cordboard_audio::codec::g711;
use cordboard_models::speech::{EndOfTurn, Expectation, TurnSoFar};
use crossbeam_channel::{Receiver, Sender, bounded};

use super::super::mailbox::ReplyTo;
use super::super::telemetry::Figures;
use super::spawn;
use super::voices::Wanted;
use crate::call::{Input, JobId};
use crate::clock;

/// Questions that may wait.
const QUEUE: usize = 32;
/// A question that has waited for so long is of no use: the shortest pauses are over by then.
const USEFUL_FOR: Duration = Duration::from_millis(400);
/// Time that is saved up at most.
const SAVED_MAX: Duration = Duration::from_secs(1);

/// Opens a judge, in the thread that it will work in.
pub(crate) type OpenJudge = Box<dyn FnOnce() -> Box<dyn EndOfTurn> + Send>;

struct Question {
    job: JobId,
    /// The turn, μ-law at 8 kHz.
    sound: Vec<u8>,
    asked: Duration,
    reply: ReplyTo,
    wanted: Wanted,
}

/// The judges by sound.
#[derive(Debug)]
pub(crate) struct Judges {
    /// Without it there are none.
    questions: Option<Sender<Question>>,
    figures: Arc<Figures>,
}

impl Judges {
    /// Gives each judge its thread; all together may use `share` of one core.
    pub(crate) fn start(
        judges: Vec<OpenJudge>,
        share: f32,
        figures: Arc<Figures>,
        threads: &mut Vec<JoinHandle<()>>,
    ) -> Self {
        if judges.is_empty() {
            return Self { questions: None, figures };
        }
        let (questions, asked) = bounded(QUEUE);
        let allowance = Arc::new(Mutex::new(Allowance::new(share, clock::monotonic())));
        for (index, open) in judges.into_iter().enumerate() {
            let (asked, allowance, figures) = (asked.clone(), allowance.clone(), figures.clone());
            let body = move || work(open(), &asked, &allowance, &figures);
            threads.push(spawn(format!("judge-{index}"), body));
        }
        Self { questions: Some(questions), figures }
    }

    /// Whether there are any.
    pub(in super::super) const fn are_there(&self) -> bool {
        self.questions.is_some()
    }

    /// Asks whether the turn of this sound, μ-law at 8 kHz, is over, where there is room; gives the
    /// way to call it off.
    pub(in super::super) fn ask(
        &self,
        job: JobId,
        sound: Vec<u8>,
        reply: ReplyTo,
    ) -> Option<Wanted> {
        let wanted = Wanted::new();
        let asked = clock::monotonic();
        let question = Question { job, sound, asked, reply, wanted: wanted.clone() };
        let taken = self.questions.as_ref()?.try_send(question).is_ok();
        if !taken {
            self.figures.judgements_shed.count();
        }
        taken.then_some(wanted)
    }
}

fn work(
    mut judge: Box<dyn EndOfTurn>,
    questions: &Receiver<Question>,
    allowance: &Mutex<Allowance>,
    figures: &Figures,
) {
    for question in questions {
        if !question.wanted.stands() {
            continue;
        }
        let began = clock::monotonic();
        let is_late = began.saturating_sub(question.asked) > USEFUL_FOR;
        if is_late || !lock(allowance).is_left(began) {
            figures.judgements_shed.count();
            refuse(&question, "there is no time for the judge of sound");
            continue;
        }
        let probability = judgement(judge.as_mut(), &question.sound);
        let ended = clock::monotonic();
        lock(allowance).spend(ended.saturating_sub(began));
        figures.judgement.observe(ended.saturating_sub(question.asked));
        match probability {
            Some(probability) => {
                question.reply.give(Input::SoundJudged { job: question.job, probability });
            }
            None => refuse(&question, "the judge of sound panicked"),
        }
    }
}

fn judgement(judge: &mut dyn EndOfTurn, sound: &[u8]) -> Option<f32> {
    let mut samples = vec![0.0; sound.len()];
    g711::decode_ulaw_into(sound, &mut samples);
    let turn = TurnSoFar {
        hypothesis: None,
        expectation: &Expectation::default(),
        silence: Duration::ZERO,
        samples: &samples,
    };
    let judged = catch_unwind(AssertUnwindSafe(|| judge.judge(&turn)));
    if judged.is_err() {
        tracing::error!("the judge of sound panicked; the pause decides");
    }
    judged.ok()
}

fn refuse(question: &Question, why: &str) {
    question.reply.give(Input::Refused { job: question.job, why: why.to_owned() });
}

fn lock(allowance: &Mutex<Allowance>) -> std::sync::MutexGuard<'_, Allowance> {
    allowance.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A part of a core's time, saved up for a while; time is an argument.
#[derive(Debug)]
struct Allowance {
    share: f64,
    /// Below 0 where more was used than there was.
    saved_s: f64,
    at: Duration,
}

impl Allowance {
    fn new(share: f32, now: Duration) -> Self {
        Self { share: f64::from(share), saved_s: SAVED_MAX.as_secs_f64(), at: now }
    }

    fn is_left(&mut self, now: Duration) -> bool {
        let earned = now.saturating_sub(self.at).as_secs_f64() * self.share;
        self.saved_s = (self.saved_s + earned).min(SAVED_MAX.as_secs_f64());
        self.at = now;
        self.saved_s > 0.0
    }

    fn spend(&mut self, time: Duration) {
        self.saved_s -= time.as_secs_f64();
    }
}

#[cfg(test)]
mod tests;
