//! What a recorded call asked of the world, and what came back: the machine is played once from its
//! inputs, and its outputs are watched.
//!
//! Times are keys: nanoseconds since the ring that never fall. A worker reads a call's packets with
//! the time at which it began to, so that the time of an input may fall behind the one before; its
//! place in the record counts.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use cordboard_audio::MediaTime;
use cordboard_models::speech::{AnswerRequest, SpeechRequest};

use super::Recorded;
use crate::call::{Call, Effect, Input, Job, JobId, Judgement, LegCommand, Output};
use crate::conversation::{Invocation, RankRequest};
use crate::escalation::DeskReport;
use crate::replay::record;
use crate::timeline::LegRole;

/// An input that came back for something asked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reply {
    /// Its place in the record.
    pub(super) number: usize,
    /// When, as a key.
    pub(super) key: u64,
}

/// Something asked, and what came back.
#[derive(Clone, Debug)]
pub(super) struct Exchange<Q> {
    pub(super) question: Q,
    pub(super) asked: u64,
    pub(super) replies: Vec<Reply>,
    /// When it was called off.
    pub(super) cancelled: Option<u64>,
    /// Whether it has been taken for an answer.
    pub(super) used: bool,
}

/// The sound that a recognition was fed, and what was recognized.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stretch {
    /// First and last sample fed, ns since the ring.
    pub(super) begin: u64,
    pub(super) end: u64,
    /// When the verdict was asked for.
    pub(super) finished: Option<u64>,
}

/// A word to the desk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DeskWord {
    Enqueued,
    Withdrawn,
    Declined,
    NoAnswer,
    Accepted,
    Released,
    Lost,
}

impl DeskWord {
    /// What an effect says to the desk, if it does.
    pub(super) const fn of(effect: &Effect) -> Option<Self> {
        Some(match effect {
            Effect::Invoke(_) => return None,
            Effect::Enqueue { .. } => Self::Enqueued,
            Effect::Withdraw => Self::Withdrawn,
            Effect::Report(report) => match report {
                DeskReport::Declined { .. } => Self::Declined,
                DeskReport::NoAnswer { .. } => Self::NoAnswer,
                DeskReport::Accepted { .. } => Self::Accepted,
                DeskReport::Released { .. } => Self::Released,
                DeskReport::Lost { .. } => Self::Lost,
            },
        })
    }
}

/// Which question a job is.
#[derive(Clone, Copy, Debug)]
enum Place {
    Heard(usize),
    Spoken(usize),
    Answered(usize),
    Sounded(usize),
}

/// All that was asked in a call, each kind in its order.
#[derive(Debug, Default)]
pub(super) struct Asked {
    /// Inputs that answer nothing, with their keys.
    pub(super) outside: Vec<Reply>,
    /// What the detector said of a tick, by the tick's place in the record.
    pub(super) voices: HashMap<usize, Reply>,
    pub(super) judged: Vec<Exchange<Judgement>>,
    pub(super) heard: Vec<Exchange<Stretch>>,
    pub(super) spoken: Vec<Exchange<SpeechRequest>>,
    pub(super) answered: Vec<Exchange<Arc<AnswerRequest>>>,
    /// How much sound was to be judged.
    pub(super) sounded: Vec<Exchange<std::time::Duration>>,
    pub(super) ranked: Vec<Exchange<RankRequest>>,
    pub(super) invoked: Vec<Exchange<Invocation>>,
    pub(super) desk: Vec<Exchange<DeskWord>>,
    /// Whom the call dialled.
    pub(super) dialled: Vec<Exchange<String>>,
    jobs: BTreeMap<JobId, Place>,
    /// Questions to the judge of words that wait for their answer.
    open: VecDeque<usize>,
    /// The tick whose sound waits for the detector.
    listening: Option<usize>,
}

impl Asked {
    /// Watches a recorded call.
    pub(super) fn in_call(recorded: &Recorded) -> Self {
        let mut call = Call::new(recorded.facts.clone(), recorded.settings.clone());
        let mut asked = Self::default();
        asked.drain(&mut call, 0, None);
        let mut key = 0;
        for (number, input) in recorded.inputs.iter().enumerate() {
            let Ok(decoded) = record::decode(input.kind, &input.bytes) else { break };
            key = input.at.as_nanos().max(key);
            asked.take(&decoded, Reply { number, key });
            let tick = matches!(decoded, Input::Tick).then_some(number);
            drop(call.handle_input(input.at, decoded));
            asked.drain(&mut call, key, tick);
        }
        asked
    }

    /// Puts an input to what it answers.
    fn take(&mut self, input: &Input<'_>, reply: Reply) {
        let replies = match input {
            Input::Leg(LegRole::Caller, _) | Input::Tick | Input::Stop => Some(&mut self.outside),
            // It says nothing of its job.
            Input::FailedOver { .. } => Some(&mut self.outside),
            Input::Leg(LegRole::Agent, _) => last(&mut self.dialled),
            Input::Voice { .. } => {
                if let Some(tick) = self.listening.take() {
                    self.voices.insert(tick, reply);
                }
                None
            }
            Input::Judged { .. } => {
                let place = self.open.pop_front();
                place.map(|place| &mut self.judged[place].replies)
            }
            Input::SoundJudged { job, .. }
            | Input::Recognized { job, .. }
            | Input::Spoken { job, .. }
            | Input::Answered { job, .. }
            | Input::Refused { job, .. } => self.replies(*job),
            Input::Ranked { request, .. } => {
                let known = self.ranked.iter_mut().find(|it| it.question.id == *request);
                known.map(|known| &mut known.replies)
            }
            Input::ToolAnswered { invocation, .. } => {
                let known = self.invoked.iter_mut().find(|it| it.question.id == *invocation);
                known.map(|known| &mut known.replies)
            }
            Input::AgentOffered { .. } | Input::NobodyCame { .. } | Input::PacketFetched => {
                last(&mut self.desk)
            }
        };
        if let Some(replies) = replies {
            replies.push(reply);
        }
    }

    fn replies(&mut self, job: JobId) -> Option<&mut Vec<Reply>> {
        Some(match *self.jobs.get(&job)? {
            Place::Heard(place) => &mut self.heard[place].replies,
            Place::Spoken(place) => &mut self.spoken[place].replies,
            Place::Answered(place) => &mut self.answered[place].replies,
            Place::Sounded(place) => &mut self.sounded[place].replies,
        })
    }

    fn drain(&mut self, call: &mut Call, key: u64, tick: Option<usize>) {
        loop {
            match call.poll_output() {
                Output::Wait(_) | Output::Over => return,
                output => self.watch(output, key, tick),
            }
        }
    }

    fn watch(&mut self, output: Output, key: u64, tick: Option<usize>) {
        match output {
            Output::Listen(_) => self.listening = tick,
            Output::Judge(question) => {
                self.open.push_back(self.judged.len());
                ask(&mut self.judged, question, key);
            }
            Output::Work(job) => self.work(job, key),
            Output::Feed(job, frame) => {
                if let Some(stretch) = self.stretch(job) {
                    let (begin, end) = frame_ends(frame.at());
                    stretch.begin = stretch.begin.min(begin);
                    stretch.end = stretch.end.max(end);
                }
            }
            Output::Finish(job) => {
                if let Some(stretch) = self.stretch(job) {
                    stretch.finished = Some(key);
                }
            }
            Output::Cancel(job) => self.cancel(job, key),
            Output::Leg(LegRole::Agent, LegCommand::Dial(plan)) => {
                ask(&mut self.dialled, plan.uri, key);
            }
            Output::Effect(effect) => {
                if let Some(word) = DeskWord::of(&effect) {
                    ask(&mut self.desk, word, key);
                }
                if let Effect::Invoke(invocation) = effect {
                    ask(&mut self.invoked, invocation, key);
                }
            }
            Output::Leg(..) | Output::Entry(_) | Output::Record(_) => {}
            Output::Wait(_) | Output::Over => {}
        }
    }

    fn work(&mut self, job: Job, key: u64) {
        match job {
            Job::Recognize { job, .. } => {
                let place = ask(&mut self.heard, Stretch::new(), key);
                self.jobs.insert(job, Place::Heard(place));
            }
            Job::Speak { job, request } => {
                let place = ask(&mut self.spoken, request, key);
                self.jobs.insert(job, Place::Spoken(place));
            }
            Job::Answer { job, request } => {
                let place = ask(&mut self.answered, request, key);
                self.jobs.insert(job, Place::Answered(place));
            }
            Job::JudgeSound { job, lasting } => {
                let place = ask(&mut self.sounded, lasting, key);
                self.jobs.insert(job, Place::Sounded(place));
            }
            Job::Rank(request) => {
                ask(&mut self.ranked, request, key);
            }
        }
    }

    fn stretch(&mut self, job: JobId) -> Option<&mut Stretch> {
        match *self.jobs.get(&job)? {
            Place::Heard(place) => Some(&mut self.heard[place].question),
            Place::Spoken(_) | Place::Answered(_) | Place::Sounded(_) => None,
        }
    }

    fn cancel(&mut self, job: JobId, key: u64) {
        let Some(place) = self.jobs.get(&job) else { return };
        let cancelled = match *place {
            Place::Heard(place) => &mut self.heard[place].cancelled,
            Place::Spoken(place) => &mut self.spoken[place].cancelled,
            Place::Answered(place) => &mut self.answered[place].cancelled,
            Place::Sounded(place) => &mut self.sounded[place].cancelled,
        };
        cancelled.get_or_insert(key);
    }
}

impl Stretch {
    /// Nothing has been fed yet.
    pub(super) const fn new() -> Self {
        Self { begin: u64::MAX, end: 0, finished: None }
    }
}

/// Begin and end of a frame of 20 ms, ns since the ring.
pub(super) const fn frame_ends(at: MediaTime) -> (u64, u64) {
    (at.as_nanos(), at.as_nanos() + TICK_NS)
}

/// A tick, ns.
pub(super) const TICK_NS: u64 = 20_000_000;

fn ask<Q>(list: &mut Vec<Exchange<Q>>, question: Q, asked: u64) -> usize {
    let (replies, cancelled) = (Vec::new(), None);
    list.push(Exchange { question, asked, replies, cancelled, used: false });
    list.len() - 1
}

fn last<Q>(list: &mut [Exchange<Q>]) -> Option<&mut Vec<Reply>> {
    list.last_mut().map(|exchange| &mut exchange.replies)
}

/// The one that was asked nearest to `now` of those that fit, and is taken from here on; one that
/// was taken before only where no other is as near.
pub(super) fn nearest<Q>(
    list: &mut [Exchange<Q>],
    now: u64,
    fits: impl Fn(&Exchange<Q>) -> bool,
) -> Option<&Exchange<Q>> {
    let fitting = list.iter_mut().filter(|exchange| fits(exchange));
    let found = fitting.min_by_key(|exchange| (exchange.asked.abs_diff(now), exchange.used))?;
    found.used = true;
    Some(found)
}
