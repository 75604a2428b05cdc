//! A call's seat at a media worker: the call, its legs, its ears, and where its outputs go.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use cordboard_audio::codec::Encoder;
use cordboard_audio::halfband::Doubler;
use cordboard_audio::vad::SpeechMeter;
use cordboard_audio::{FRAME_SAMPLES_MAX, MediaTime, SampleRate};
use cordboard_models::speech::{AnswerEvent, EndOfTurn, Speech, SpeechRequest, TurnSoFar};
use cordboard_sip::endpoint::LegSignal;

use super::inference::{Running, SessionIndex, Wanted};
use super::mailbox::{ReplyTo, SeatId};
use super::media::NewCall;
use super::services::{Services, ToDesk};
use super::sound::Sound;
use crate::call::{
    Call, DialPlan, Effect, EncodedFrame, EndCause, Input, Job, JobId, LegCommand, LegEvent,
    Output, STOPPING,
};
use crate::clock;
use crate::leg::Leg;
use crate::replay::record;
use crate::store::{InputsWriter, Recorder};
use crate::timeline::{CallId, ENTRY_VERSION, Entry, LegRole, Outcome, What};

/// A leg, and which of its role's legs in this call it is: signals of an earlier one are late.
#[derive(Debug)]
struct Line {
    leg: Leg,
    number: u32,
    garbage: u64,
    /// How it was dialled.
    plan: Option<DialPlan>,
    /// What is to be sent once the worker has come to all calls of the phase.
    frame: Option<EncodedFrame>,
}

impl Line {
    const fn new(leg: Leg, number: u32, plan: Option<DialPlan>) -> Self {
        Self { leg, number, garbage: 0, plan, frame: None }
    }

    /// Does what the call wants of the leg, in order; a frame of sound waits for [`Self::send`].
    fn command(&mut self, command: LegCommand) {
        self.send();
        match command {
            LegCommand::Send(frame) => self.frame = Some(frame),
            command => self.leg.command(&command),
        }
    }

    /// Sends the frame that waits.
    fn send(&mut self) {
        if let Some(frame) = self.frame.take() {
            self.leg.command(&LegCommand::Send(frame));
        }
    }
}

/// Names a leg of a seat towards its signalling.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LineId {
    /// Whose leg.
    pub(crate) role: LegRole,
    /// Which of that role, from 1.
    pub(crate) number: u32,
}

/// A seated call.
pub(super) struct Seat {
    id: SeatId,
    name: CallId,
    began: Duration,
    call: Call,
    vad: SpeechMeter,
    probability: f32,
    caller: Option<Line>,
    agent: Option<Line>,
    dialled: u32,
    sessions: Vec<(JobId, SessionIndex)>,
    /// The caller's sound, where a judge may want to hear it.
    sound: Option<Sound>,
    /// The question that a judge of sound is at.
    question: Option<(JobId, Wanted)>,
    /// The job that a voice was asked for last and has not begun, and when.
    asked_voice: Option<(JobId, Duration)>,
    /// Lines that are being synthesized.
    orders: Vec<(JobId, Wanted)>,
    /// The answer that a language model is at.
    answer: Option<(JobId, Running)>,
    recorder: Option<Recorder>,
    inputs: Option<InputsWriter>,
    apology: Option<Apology>,
    over: bool,
}

/// What is said where the call itself cannot speak any more.
struct Apology {
    speech: Speech,
    encoder: Encoder,
    /// To the rate of a wide codec.
    doubler: Doubler,
    said: usize,
}

impl Seat {
    /// Seats a call and lets it ring.
    pub(super) fn open(new: NewCall, services: &Services, judge: &mut dyn EndOfTurn) -> Self {
        let name = new.facts.id.clone();
        let inbound = new.leg.is_some();
        let inputs = services.store.inputs(&name, || record::header(&new.facts, &new.settings));
        let mut seat = Self {
            id: new.seat,
            name,
            began: new.began,
            call: Call::new(new.facts, new.settings),
            vad: services.vad(),
            probability: 0.0,
            caller: new.leg.map(|leg| Line::new(leg, 1, None)),
            agent: None,
            dialled: 1,
            sessions: Vec::new(),
            sound: services.judges.are_there().then(Sound::default),
            question: None,
            asked_voice: None,
            orders: Vec::new(),
            answer: None,
            recorder: None,
            inputs,
            apology: None,
            over: false,
        };
        if inbound {
            if let Some(codec) = seat.caller.as_ref().and_then(|line| line.leg.codec()) {
                seat.leg_event(services, judge, LegRole::Caller, LegEvent::Renegotiated(codec));
            }
            seat.leg_event(services, judge, LegRole::Caller, LegEvent::Offered);
        } else {
            seat.drain(services, judge);
        }
        seat
    }

    /// Whether the call is over and the seat free.
    pub(super) const fn is_over(&self) -> bool {
        self.over
    }

    /// Gives back what the call held.
    pub(super) fn leave(mut self, services: &Services) {
        self.drop_work(services);
        services.desk(ToDesk::CallOver { call: self.name.clone() });
    }

    /// Calls off all that engines do for the call.
    fn drop_work(&mut self, services: &Services) {
        for (_, session) in self.sessions.drain(..) {
            services.ears.cancel(session);
        }
        let asked = self.orders.drain(..).chain(self.question.take());
        asked.for_each(|(_, wanted)| wanted.cancel());
        self.answer = None;
    }

    /// Takes what has come since the last tick.
    pub(super) fn receive(&mut self, services: &Services, judge: &mut dyn EndOfTurn) {
        if self.apology.is_some() {
            return;
        }
        for role in [LegRole::Caller, LegRole::Agent] {
            self.receive_from(services, judge, role);
        }
    }

    /// 20 ms have passed. What is to be sent waits for [`Self::send`].
    pub(super) fn tick(&mut self, services: &Services, judge: &mut dyn EndOfTurn) {
        if self.apology.is_some() {
            self.apologize();
            return;
        }
        if self.call.is_ticking() {
            self.give(services, judge, Input::Tick);
        }
    }

    /// Sends what the tick has come to.
    pub(super) fn send(&mut self) {
        for role in [LegRole::Caller, LegRole::Agent] {
            if let Some(line) = self.line(role) {
                line.send();
            }
        }
    }

    /// Takes what the signalling of a leg says.
    pub(super) fn signal(
        &mut self,
        services: &Services,
        judge: &mut dyn EndOfTurn,
        line: LineId,
        signal: LegSignal,
    ) {
        let events = match self.line(line.role) {
            Some(known) if known.number == line.number => {
                if known.leg.is_refused_for_keys(&signal)
                    && let Some(plan) = known.plan.take()
                {
                    self.dial(services, line.role, plan, true);
                    return;
                }
                known.leg.signal(signal)
            }
            Some(_) | None => return,
        };
        for event in events.into_iter().flatten() {
            let ended = matches!(event, LegEvent::Ended { .. });
            self.leg_event(services, judge, line.role, event);
            if ended {
                *self.line_mut(line.role) = None;
            }
        }
    }

    /// Gives the call an input and does what it wants.
    pub(super) fn give(
        &mut self,
        services: &Services,
        judge: &mut dyn EndOfTurn,
        input: Input<'_>,
    ) {
        if self.over || self.apology.is_some() {
            return;
        }
        trip("TRIAL_PANIC_SEAT_KEY", &input);
        if let Input::Refused { job, .. } = &input
            && let Some(session) = self.end_session(*job)
        {
            // Its engine has given up: the session is free for others, not only after the call.
            services.ears.cancel(session);
        }
        if let Input::Spoken { job, .. } = &input
            && let Some((_, asked)) = self.asked_voice.take_if(|(asked, _)| asked == job)
        {
            services.figures.synthesis.observe(clock::monotonic().saturating_sub(asked));
        }
        if let Input::Spoken { job, last: true, .. } | Input::Refused { job, .. } = &input {
            self.orders.retain(|(held, _)| held != job);
        }
        if let Input::Answered { job, event: AnswerEvent::Ended } | Input::Refused { job, .. } =
            &input
        {
            self.answer.take_if(|(held, _)| held == job);
        }
        let now = self.now();
        self.keep_input(now, &input);
        let step = AssertUnwindSafe(|| {
            trip("TRIAL_PANIC_KEY", &input);
            self.call.handle_input(now, input)
        });
        match catch_unwind(step) {
            Ok(Ok(())) => self.drain(services, judge),
            Ok(Err(error)) => {
                tracing::error!(call = %self.name, %error, "a room's contract was broken");
                self.drain(services, judge);
            }
            Err(_) => self.panicked(services, judge, now),
        }
    }

    fn leg_event(
        &mut self,
        services: &Services,
        judge: &mut dyn EndOfTurn,
        role: LegRole,
        event: LegEvent<'_>,
    ) {
        self.give(services, judge, Input::Leg(role, event));
    }

    fn receive_from(&mut self, services: &Services, judge: &mut dyn EndOfTurn, role: LegRole) {
        let mut buffer = [0; 1_500];
        let now = self.now();
        if let Some(line) = self.line(role) {
            line.leg.refill(now);
        }
        while let Some(event) = self.line(role).and_then(|line| line.leg.poll(now, &mut buffer)) {
            // The buffer is the event's until it has been taken.
            let input = Input::Leg(role, event);
            self.keep_input(now, &input);
            let step = AssertUnwindSafe(|| {
                trip("TRIAL_PANIC_KEY", &input);
                self.call.handle_input(now, input)
            });
            if catch_unwind(step).is_err() {
                self.panicked(services, judge, now);
                return;
            }
            self.drain(services, judge);
        }
        let Some(line) = self.line(role) else { return };
        let total = line.leg.garbage();
        if total != line.garbage {
            line.garbage = total;
            self.leg_event(services, judge, role, LegEvent::Garbage { total });
        }
    }

    /// Carries out all that the call wants, and gives back what is known at once.
    fn drain(&mut self, services: &Services, judge: &mut dyn EndOfTurn) {
        let mut answers = VecDeque::new();
        loop {
            match self.call.poll_output() {
                Output::Over => {
                    self.over = true;
                    self.close();
                    return;
                }
                Output::Wait(_) => match answers.pop_front() {
                    Some(answer) => {
                        let now = self.now();
                        self.keep_input(now, &answer);
                        let step = AssertUnwindSafe(|| self.call.handle_input(now, answer));
                        if catch_unwind(step).is_err() {
                            self.panicked(services, judge, now);
                            return;
                        }
                    }
                    None => return,
                },
                output => self.carry_out(services, judge, output, &mut answers),
            }
        }
    }

    fn carry_out(
        &mut self,
        services: &Services,
        judge: &mut dyn EndOfTurn,
        output: Output,
        answers: &mut VecDeque<Input<'static>>,
    ) {
        match output {
            Output::Leg(role, command) => self.command(services, role, command),
            Output::Listen(frame) => {
                self.probability = self.vad.hear(frame.samples()).unwrap_or(self.probability);
                if let Some(sound) = self.sound.as_mut() {
                    sound.keep(frame.samples());
                }
                answers.push_back(Input::Voice { probability: self.probability });
            }
            Output::Judge(question) => {
                let probability = judge.judge(&TurnSoFar {
                    hypothesis: question.hypothesis.as_ref(),
                    expectation: &question.expectation,
                    silence: question.silence,
                    samples: &[],
                });
                answers.push_back(Input::Judged { probability });
            }
            Output::Work(job) => answers.extend(self.work(services, job)),
            Output::Feed(job, frame) => {
                if let Some(session) = self.session(job)
                    && !services.ears.feed(session, frame)
                {
                    services.ears.cancel(session);
                    self.sessions.retain(|(held, _)| *held != job);
                    answers.push_back(Input::Refused { job, why: "the ears lag".to_owned() });
                }
            }
            Output::Finish(job) => {
                if let Some(session) = self.end_session(job) {
                    services.ears.finish(session);
                }
            }
            Output::Cancel(job) => {
                if let Some(session) = self.end_session(job) {
                    services.ears.cancel(session);
                }
                self.call_off(job);
            }
            Output::Effect(effect) => self.effect(services, effect),
            Output::Entry(entry) => self.enter(services, entry),
            Output::Record(tick) => {
                if let Some(recorder) = self.recorder.as_mut() {
                    recorder.write(&tick.left, &tick.right);
                }
            }
            Output::Wait(_) | Output::Over => {}
        }
    }

    /// Puts an entry on the timeline. Whether a recording is whole is known when it is on the disk:
    /// until then its end, and the call's, wait at the store.
    fn enter(&mut self, services: &Services, mut entry: Entry) {
        match &mut entry.what {
            What::RecordingBegan => self.recorder = services.store.recorder(&self.name),
            What::RecordingEnded { complete, .. } => match self.recorder.take() {
                Some(recorder) => return recorder.finish_with(entry),
                None => *complete = false,
            },
            _ => {}
        }
        services.append(&self.name, &entry);
    }

    fn work(&mut self, services: &Services, job: Job) -> Option<Input<'static>> {
        let reply = ReplyTo { worker: services.worker_of(self.id), seat: self.id };
        match job {
            Job::Recognize { job, expectation } => {
                match services.ears.begin(job, expectation, reply) {
                    Some(session) => {
                        self.sessions.push((job, session));
                        None
                    }
                    None => {
                        services.loads.no_recognizer(clock::monotonic());
                        Some(Input::Refused { job, why: "no ears are free".to_owned() })
                    }
                }
            }
            Job::Speak { job, request } => {
                if let Some(speech) = services.prompts.find(&request) {
                    return Some(Input::Spoken { job, speech, last: true });
                }
                let Some(wanted) = services.voices.speak(job, request, reply) else {
                    services.loads.no_synthesizer(clock::monotonic());
                    return Some(Input::Refused { job, why: "the voices are busy".to_owned() });
                };
                self.asked_voice = Some((job, clock::monotonic()));
                self.orders.push((job, wanted));
                None
            }
            Job::Answer { job, request } => match services.answers.begin(job, request, reply) {
                Ok(running) => {
                    self.answer = Some((job, running));
                    None
                }
                Err(why) => Some(Input::Refused { job, why: why.to_owned() }),
            },
            Job::JudgeSound { job, lasting } => {
                let sound = self.sound.as_ref().map(|sound| sound.last(lasting))?;
                let wanted = services.judges.ask(job, sound, reply);
                self.question = wanted.map(|wanted| (job, wanted));
                let refused =
                    || Input::Refused { job, why: "no judge of sound is free".to_owned() };
                self.question.is_none().then(refused)
            }
            Job::Rank(request) => {
                let number = request.id;
                let queued = services.voices.rank(request, reply);
                (!queued).then(|| Input::Ranked { request: number, ranked: Vec::new() })
            }
        }
    }

    fn effect(&self, services: &Services, effect: Effect) {
        let reply = ReplyTo { worker: services.worker_of(self.id), seat: self.id };
        let call = self.name.clone();
        match effect {
            Effect::Invoke(invocation) => {
                services.invoke(self.call.flow().clone(), call, invocation, reply);
            }
            Effect::Enqueue { queue, packet, again } => {
                services.desk(ToDesk::Enqueue { call, queue, packet, again, reply });
            }
            Effect::Withdraw => services.desk(ToDesk::Withdraw { call }),
            Effect::Report(report) => services.desk(ToDesk::Report { call, report }),
        }
    }

    fn dial(&mut self, services: &Services, role: LegRole, plan: DialPlan, plain: bool) {
        self.dialled += 1;
        let id = LineId { role, number: self.dialled };
        match services.dial(self.id, id, &plan, plain) {
            Ok(leg) => {
                *self.line_mut(role) = Some(Line::new(leg.into(), id.number, Some(plan)));
            }
            Err(error) => {
                // Whom is the timeline's business.
                let why = error.kind();
                tracing::warn!(call = %self.name, why, "could not dial");
                let refused = LegEvent::Ended { cause: EndCause::Refused(503) };
                let reply = ReplyTo { worker: services.worker_of(self.id), seat: self.id };
                reply.give(Input::Leg(role, refused));
            }
        }
    }

    fn command(&mut self, services: &Services, role: LegRole, command: LegCommand) {
        if let LegCommand::Dial(plan) = command {
            self.dial(services, role, plan, false);
            return;
        }
        let hangs_up = matches!(command, LegCommand::Hangup);
        if let Some(line) = self.line(role) {
            line.command(command);
        }
        if hangs_up {
            *self.line_mut(role) = None;
        }
    }

    /// Takes the news that something around the call panicked; true where even that did.
    pub(super) fn broke(&mut self, services: &Services, judge: &mut dyn EndOfTurn) -> bool {
        let now = self.now();
        let step = AssertUnwindSafe(|| self.panicked(services, judge, now));
        let broken = catch_unwind(step).is_err();
        self.over |= broken;
        broken
    }

    /// The call cannot go on: another takes its place, which apologizes and asks for a human. The
    /// other calls of the worker are not touched.
    fn panicked(&mut self, services: &Services, judge: &mut dyn EndOfTurn, now: MediaTime) {
        tracing::error!(call = %self.name, "panicked; what goes on is an apology");
        self.note(services, now, What::Panicked);
        if let Some(mut line) = self.agent.take() {
            line.command(LegCommand::Hangup);
        }
        services.desk(ToDesk::CallOver { call: self.name.clone() });
        self.drop_work(services);
        // It could not be replayed beyond the panic.
        self.inputs = None;
        let rescue = catch_unwind(AssertUnwindSafe(|| self.call.rescued(now)));
        if let Ok(Some(call)) = rescue {
            self.call = call;
            self.drain(services, judge);
        } else {
            self.end_panicked(services, now);
        }
    }

    fn note(&self, services: &Services, now: MediaTime, what: What) {
        let entry = Entry { v: ENTRY_VERSION, at_ms: now.as_millis(), what };
        services.append(&self.name, &entry);
    }

    /// Ends a call that no other can take the place of: the caller hears an apology from the
    /// prompts made at start, then we hang up.
    fn end_panicked(&mut self, services: &Services, now: MediaTime) {
        if let Some(recorder) = self.recorder.take() {
            let what = What::RecordingEnded { length_ms: recorder.length_ms(), complete: true };
            recorder.finish_with(Entry { v: ENTRY_VERSION, at_ms: now.as_millis(), what });
        }
        let outcome = Outcome::Failed;
        self.note(services, now, What::Ended { outcome, cause: "panic".to_owned() });
        let rate = SampleRate::NARROW;
        let request = SpeechRequest { text: STOPPING.into(), rate, stretch: 1.0 };
        let codec = self.caller.as_ref().and_then(|line| line.leg.codec());
        match (services.prompts.find(&request), codec) {
            (Some(speech), Some(codec)) => {
                let (encoder, doubler) = (Encoder::new(codec), Doubler::new());
                self.apology = Some(Apology { speech, encoder, doubler, said: 0 });
            }
            _ => self.leave_now(),
        }
    }

    /// Says 20 ms more of the apology, and hangs up behind it.
    fn apologize(&mut self) {
        let (Some(apology), Some(line)) = (self.apology.as_mut(), self.caller.as_mut()) else {
            self.leave_now();
            return;
        };
        let rest = &apology.speech.samples[apology.said.min(apology.speech.samples.len())..];
        let part = &rest[..rest.len().min(SampleRate::NARROW.frame_samples())];
        if part.is_empty() {
            self.leave_now();
            return;
        }
        // The last frame is filled up with silence: Opus encodes whole ones alone.
        let mut frame = [0.0; FRAME_SAMPLES_MAX];
        let rate = apology.encoder.codec().rate();
        if rate == SampleRate::WIDE {
            apology.doubler.push_into(part, &mut frame);
        } else {
            frame[..part.len()].copy_from_slice(part);
        }
        let mut encoded = EncodedFrame { len: 0, payload: [0; 320] };
        let frame = &frame[..rate.frame_samples()];
        encoded.len = apology.encoder.encode_into(frame, &mut encoded.payload);
        apology.said += part.len();
        line.command(LegCommand::Send(encoded));
    }

    fn leave_now(&mut self) {
        self.apology = None;
        self.over = true;
        self.close();
    }

    fn close(&mut self) {
        for role in [LegRole::Caller, LegRole::Agent] {
            if let Some(mut line) = self.line_mut(role).take() {
                line.command(LegCommand::Hangup);
            }
        }
        if let Some(inputs) = self.inputs.take()
            && !inputs.finish()
        {
            tracing::warn!(call = %self.name, "the record of inputs has gaps");
        }
        // Where the call could not say that its recording ends, it is marked incomplete.
        self.recorder = None;
    }

    /// Puts an input on the call's record for exact replay, where one is kept.
    fn keep_input(&mut self, now: MediaTime, input: &Input<'_>) {
        if let Some(inputs) = self.inputs.as_mut() {
            let (kind, bytes) = record::encode(input);
            inputs.write(now, kind, &bytes);
        }
    }

    fn session(&self, job: JobId) -> Option<SessionIndex> {
        self.sessions.iter().find(|(held, _)| *held == job).map(|(_, session)| *session)
    }

    fn end_session(&mut self, job: JobId) -> Option<SessionIndex> {
        let place = self.sessions.iter().position(|(held, _)| *held == job)?;
        Some(self.sessions.swap_remove(place).1)
    }

    /// Stops the synthesis of a line that nobody will hear, or an answer that nobody wants.
    fn call_off(&mut self, job: JobId) {
        if let Some((_, wanted)) = self.question.take_if(|(held, _)| *held == job) {
            wanted.cancel();
        }
        self.answer.take_if(|(held, _)| *held == job);
        if let Some(place) = self.orders.iter().position(|(held, _)| *held == job) {
            self.orders.swap_remove(place).1.cancel();
        }
    }

    fn line(&mut self, role: LegRole) -> Option<&mut Line> {
        self.line_mut(role).as_mut()
    }

    const fn line_mut(&mut self, role: LegRole) -> &mut Option<Line> {
        match role {
            LegRole::Caller => &mut self.caller,
            LegRole::Agent => &mut self.agent,
        }
    }

    fn now(&self) -> MediaTime {
        MediaTime::ZERO + clock::monotonic().saturating_sub(self.began)
    }
}

/// Panics at a key of the caller that this variable of the environment has: what a panic costs can
/// be tried from outside. In no release build.
#[cfg(debug_assertions)]
fn trip(variable: &str, input: &Input<'_>) {
    if let Input::Leg(_, LegEvent::Digit { digit, .. }) = input {
        let keys = std::env::var(variable).unwrap_or_default();
        assert!(!keys.contains(*digit), "a panic on trial");
    }
}

#[cfg(not(debug_assertions))]
const fn trip(_: &str, _: &Input<'_>) {}
