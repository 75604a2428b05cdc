//! How a world made of a record answers what the call asks.

use std::sync::Arc;
use std::time::Duration;

use cordboard_models::speech::{
    AnswerEvent, AnswerRequest, EndOfTurn, Expectation, SpeechRequest, TurnSoFar,
};

use super::asked::{Exchange, Reply, Stretch, frame_ends, nearest};
use super::ears::Verdict;
use super::otherwise::{Answer, Due, Listening, World};
use super::supplied;
use crate::call::{Input, Job, JobId, Judgement, LegCommand, Output};
use crate::conversation::RankRequest;
use crate::replay::record;
use crate::timeline::LegRole;

/// A judgement by sound counts for a question so near to its own, ns and time.
const SOUND_NEAR_NS: u64 = 250_000_000;
const SOUND_LIKE: Duration = Duration::from_millis(500);
/// Sound from before its begin that a recognition is given, ns.
const PREROLL_NS: u64 = 300_000_000;
/// A line that is not spoken at start takes a synthesizer so long, ns.
const VOICE_NS: u64 = 200_000_000;
/// What asked, so that the answer finds it.
#[derive(Clone, Debug)]
pub(super) enum Asker {
    Judge,
    Job(JobId),
    Rank(u32),
    Tool(u32),
    /// With the context packet that is enqueued.
    Desk(String),
}

/// The times and replies of an exchange, out of its list.
pub(super) struct Taken {
    pub(super) asked: u64,
    pub(super) replies: Vec<Reply>,
    pub(super) cancelled: Option<u64>,
}

impl Taken {
    pub(super) fn of<Q>(exchange: &Exchange<Q>) -> Self {
        let Exchange { asked, replies, cancelled, .. } = exchange;
        Self { asked: *asked, replies: replies.clone(), cancelled: *cancelled }
    }
}

impl World<'_> {
    pub(super) fn carry_out(&mut self, output: Output) {
        match output {
            Output::Listen(_) => self.detect(),
            Output::Judge(question) => self.judge(&question),
            Output::Work(job) => self.work(job),
            Output::Feed(job, frame) => {
                let known = self.listening.iter_mut().find(|it| it.job == job);
                if let Some(listening) = known {
                    let (begin, end) = frame_ends(frame.at());
                    listening.begin = listening.begin.min(begin);
                    listening.end = listening.end.max(end);
                }
            }
            Output::Finish(job) => self.finish(job),
            Output::Cancel(job) => {
                self.listening.retain(|it| it.job != job);
                self.call_off(job, false);
            }
            Output::Effect(effect) => self.effect(effect),
            Output::Leg(LegRole::Agent, LegCommand::Dial(plan)) => self.dial(&plan.uri),
            Output::Leg(LegRole::Agent, LegCommand::Hangup) => self.dial = None,
            Output::Leg(..) | Output::Entry(_) | Output::Record(_) => {}
            Output::Wait(_) | Output::Over => {}
        }
    }

    /// Lets what came back then come back as long after `from` as it was after now.
    pub(super) fn replay(&mut self, from: u64, replies: &[Reply], asker: &Asker) {
        for reply in replies {
            let input = &self.recorded.inputs[reply.number];
            let decoded = record::decode(input.kind, &input.bytes).ok();
            let Some(input) = decoded.and_then(|it| readdressed(it, asker)) else { continue };
            let lag = self.lag(*reply);
            let job = if let Asker::Job(job) = asker { Some(*job) } else { None };
            let answer = Answer { job, lag, is_guess: false, input };
            let key = (self.now + reply.key).saturating_sub(from).max(self.now);
            self.plan(key, reply.number as u64, Due::Answer(answer));
        }
    }

    /// How far the time of an input falls behind its key.
    pub(super) fn lag(&self, reply: Reply) -> u64 {
        reply.key - self.recorded.inputs[reply.number].at.as_nanos()
    }

    fn detect(&mut self) {
        let known = self.tick.and_then(|tick| Some((tick, *self.asked.voices.get(&tick)?)));
        match known {
            // The tick came at its own time.
            Some((_, reply)) => {
                let input = &self.recorded.inputs[reply.number];
                if let Ok(Input::Voice { probability }) = record::decode(input.kind, &input.bytes) {
                    self.probability = probability;
                }
                self.replay(self.now, &[reply], &Asker::Judge);
            }
            None => self.at_once.push_back(Input::Voice { probability: self.probability }),
        }
    }

    fn judge(&mut self, question: &Judgement) {
        let same = |it: &Exchange<Judgement>| {
            let Judgement { hypothesis, expectation, silence } = &it.question;
            *hypothesis == question.hypothesis
                && *silence == question.silence
                && (Arc::ptr_eq(expectation, &question.expectation)
                    || **expectation == *question.expectation)
        };
        let found = nearest(&mut self.asked.judged, self.now, same).map(Taken::of);
        if let Some(taken) = found {
            self.replay(taken.asked, &taken.replies, &Asker::Judge);
            return;
        }
        let expectation: &Expectation = &question.expectation;
        let probability = self.judge.judge(&TurnSoFar {
            hypothesis: question.hypothesis.as_ref(),
            expectation,
            silence: question.silence,
            samples: &[],
        });
        self.at_once.push_back(Input::Judged { probability });
    }

    fn work(&mut self, job: Job) {
        match job {
            Job::Recognize { job, .. } => self.listen(job),
            Job::Speak { job, request } => self.speak(job, &request),
            Job::Answer { job, request } => self.answer(job, &request),
            Job::JudgeSound { job, lasting } => {
                let now = self.now;
                let found = nearest(&mut self.asked.sounded, now, |it| {
                    it.asked.abs_diff(now) <= SOUND_NEAR_NS
                        && it.question.abs_diff(lasting) <= SOUND_LIKE
                });
                match found.map(Taken::of) {
                    Some(taken) => self.replay(taken.asked, &taken.replies, &Asker::Job(job)),
                    None => {
                        self.assume("pauses that no judge heard then are not judged by sound");
                        let why = "not in the record".to_owned();
                        self.supply(0, Some(job), Input::Refused { job, why });
                    }
                }
            }
            Job::Rank(request) => self.rank(&request),
        }
    }

    fn listen(&mut self, job: JobId) {
        let same = self.ears.same(self.now);
        let Stretch { begin, end, .. } = Stretch::new();
        self.listening.push(Listening { job, same, begin, end });
        if let Some(heard) = same.map(|place| &self.asked.heard[place]) {
            let finished = heard.question.finished.unwrap_or(u64::MAX);
            let mut taken = Taken::of(heard);
            taken.replies.retain(|reply| reply.key <= finished);
            self.replay(taken.asked, &taken.replies, &Asker::Job(job));
        }
        let from = self.now.saturating_sub(PREROLL_NS);
        for (key, hypothesis) in self.ears.guesses(from, self.now, same) {
            let input = Input::Recognized { job, hypothesis };
            let answer = Answer { job: Some(job), lag: 0, is_guess: true, input };
            self.plan(key, u64::MAX, Due::Answer(answer));
        }
    }

    fn finish(&mut self, job: JobId) {
        let Some(place) = self.listening.iter().position(|it| it.job == job) else { return };
        let Listening { same, begin, end, .. } = self.listening.swap_remove(place);
        self.call_off(job, true);
        match (self.ears.verdict(same, begin, end), same) {
            (Verdict::AsRecorded, Some(place)) => self.verdict_again(job, place),
            (Verdict::AsRecorded, None) => {}
            (Verdict::Made(hypothesis, delay, why), _) => {
                self.assume(why);
                self.supply(delay, Some(job), Input::Recognized { job, hypothesis });
            }
        }
    }

    fn verdict_again(&mut self, job: JobId, place: usize) {
        let heard = &self.asked.heard[place];
        let Some(finished) = heard.question.finished else { return };
        let mut taken = Taken::of(heard);
        taken.replies.retain(|reply| reply.key > finished);
        self.replay(finished, &taken.replies, &Asker::Job(job));
        if let (true, Some(cancelled)) = (taken.replies.is_empty(), taken.cancelled) {
            // In the record it was called off by then; here that may never come.
            let hypothesis = self.ears.last_of(place);
            let after = cancelled.saturating_sub(finished);
            self.supply(after, Some(job), Input::Recognized { job, hypothesis });
        }
    }

    fn speak(&mut self, job: JobId, request: &SpeechRequest) {
        let (recorded, now) = (self.recorded, self.now);
        let is_whole = |it: &Exchange<SpeechRequest>| {
            it.cancelled.is_none() || it.replies.iter().any(|reply| is_last(recorded, *reply))
        };
        let spoken = &mut self.asked.spoken;
        let taken =
            nearest(spoken, now, |it| it.question == *request && (it.asked == now || is_whole(it)));
        let taken = taken.map(|it| (Taken::of(it), is_whole(it)));
        let taken = taken.or_else(|| {
            let cut = nearest(spoken, now, |it| it.question == *request);
            cut.map(|it| (Taken::of(it), false))
        });
        let Some((taken, whole)) = taken else {
            let delay = if self.fixed.contains(&request.text) { 0 } else { VOICE_NS };
            self.supply_line(job, request, delay, NEVER);
            return;
        };
        self.replay(taken.asked, &taken.replies, &Asker::Job(job));
        if let (false, Some(cancelled)) = (whole, taken.cancelled) {
            let given = taken.replies.iter().map(|reply| words_of(recorded, *reply)).sum();
            let rest: Vec<&str> = request.text.split_whitespace().skip(given).collect();
            let rest = SpeechRequest { text: rest.join(" ").into(), ..request.clone() };
            let after = cancelled.saturating_sub(taken.asked);
            self.supply_line(job, &rest, after, "was called off before it was spoken");
        }
    }

    fn supply_line(&mut self, job: JobId, request: &SpeechRequest, after: u64, why: &str) {
        let (speech, is_sound) = supplied::line(request, self.voice.as_deref_mut());
        let by =
            if is_sound { "the local voice speaks it" } else { "silence as long stands for it" };
        // What was called off then is called off again, mostly: no word of it.
        if why == NEVER {
            self.assume(&format!("the line {:?} {why}: {by}", request.text));
        }
        self.supply(after, Some(job), Input::Spoken { job, speech, last: true });
    }

    fn answer(&mut self, job: JobId, request: &Arc<AnswerRequest>) {
        let same = |it: &Exchange<Arc<AnswerRequest>>| it.question == *request;
        let found = nearest(&mut self.asked.answered, self.now, same).map(Taken::of);
        let Some(taken) = found else {
            self.assume("what the language model was never asked it does not answer");
            let why = "not in the record".to_owned();
            self.supply(0, Some(job), Input::Refused { job, why });
            return;
        };
        self.replay(taken.asked, &taken.replies, &Asker::Job(job));
        let recorded = self.recorded;
        let whole = taken.replies.iter().any(|reply| is_last(recorded, *reply));
        if let (false, Some(cancelled)) = (whole, taken.cancelled) {
            let after = cancelled.saturating_sub(taken.asked);
            let event = AnswerEvent::Ended;
            self.supply(after, Some(job), Input::Answered { job, event });
        }
    }

    fn rank(&mut self, request: &RankRequest) {
        let same = |it: &Exchange<RankRequest>| {
            it.question.said == request.said && it.question.intents == request.intents
        };
        match nearest(&mut self.asked.ranked, self.now, same).map(Taken::of) {
            Some(taken) => self.replay(taken.asked, &taken.replies, &Asker::Rank(request.id)),
            None => {
                self.assume("words that were never ranked are ranked as none of the intents");
                let ranked = Input::Ranked { request: request.id, ranked: Vec::new() };
                self.supply(0, None, ranked);
            }
        }
    }
}

/// Why a line is supplied that the record knows nothing of.
const NEVER: &str = "was never spoken";

/// An input of the record for another who asks; none where it is no answer to that.
fn readdressed(input: Input<'_>, asker: &Asker) -> Option<Input<'static>> {
    Some(match (input, asker) {
        (Input::Voice { probability }, Asker::Judge) => Input::Voice { probability },
        (Input::Judged { probability }, Asker::Judge) => Input::Judged { probability },
        (Input::SoundJudged { probability, .. }, Asker::Job(job)) => {
            Input::SoundJudged { job: *job, probability }
        }
        (Input::Recognized { hypothesis, .. }, Asker::Job(job)) => {
            Input::Recognized { job: *job, hypothesis }
        }
        (Input::Spoken { speech, last, .. }, Asker::Job(job)) => {
            Input::Spoken { job: *job, speech, last }
        }
        (Input::Answered { event, .. }, Asker::Job(job)) => Input::Answered { job: *job, event },
        (Input::Refused { why, .. }, Asker::Job(job)) => Input::Refused { job: *job, why },
        (Input::Ranked { ranked, .. }, Asker::Rank(request)) => {
            Input::Ranked { request: *request, ranked }
        }
        (Input::ToolAnswered { outcome, .. }, Asker::Tool(invocation)) => {
            Input::ToolAnswered { invocation: *invocation, outcome }
        }
        (Input::AgentOffered { agent, .. }, Asker::Desk(packet_id)) => {
            Input::AgentOffered { packet_id: packet_id.clone(), agent }
        }
        (Input::NobodyCame { .. }, Asker::Desk(packet_id)) => {
            Input::NobodyCame { packet_id: packet_id.clone() }
        }
        (Input::PacketFetched, Asker::Desk(_)) => Input::PacketFetched,
        _ => return None,
    })
}

/// Whether nothing follows a reply.
fn is_last(recorded: &super::Recorded, reply: Reply) -> bool {
    let input = &recorded.inputs[reply.number];
    matches!(
        record::decode(input.kind, &input.bytes),
        Ok(Input::Spoken { last: true, .. }
            | Input::Refused { .. }
            | Input::Answered { event: AnswerEvent::Ended, .. })
    )
}

/// Words of a line that a reply has.
fn words_of(recorded: &super::Recorded, reply: Reply) -> usize {
    let input = &recorded.inputs[reply.number];
    match record::decode(input.kind, &input.bytes) {
        Ok(Input::Spoken { speech, .. }) => speech.words.len(),
        _ => 0,
    }
}
