//! The recognizers: sessions for one utterance at a time, each with every engine of the line-up.
//!
//! Each engine has a thread of its own; the session's thread between it and the call keeps the
//! last seconds of the utterance. Sound goes to them in pieces of 100 ms, as to wake two threads
//! for each frame costs more than the rest of a frame's way. Where the engine fails, panics or
//! stops answering, the next one is given them and goes on; the call sees one recognition. Bounds:
//! a session that lags by its whole queue is given up; sound older than [`KEPT_PIECES`] is lost to
//! the next engine, but not the words found in it.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use cordboard_audio::halfband::Halver;
use cordboard_audio::{Frame, SampleRate};
use cordboard_models::speech::{
    EngineFault, Expectation, Hypothesis, HypothesisKind, Recognizer, Word,
};
use crossbeam_channel::{Receiver, Sender, TrySendError, bounded, select};

use super::super::failover::Health;
use super::super::mailbox::ReplyTo;
use super::{failed_over, spawn};
use crate::call::{EngineRole, Input, JobId};
use crate::clock;

/// Frames that go to a recognizer at once.
const PIECE_FRAMES: usize = 5;
/// Pieces that a session may lag behind: 5 s of sound; then the recognition is given up.
const SESSION_QUEUE: usize = 52;
/// Pieces of the utterance that the next engine is given: 8 s.
const KEPT_PIECES: usize = 80;
/// What an engine may have before it: all that is kept, and a session's queue.
const ENGINE_QUEUE: usize = KEPT_PIECES + SESSION_QUEUE;
/// An engine that takes nothing for so long has stopped, where another one could go on.
const STOPPED_AFTER: Duration = Duration::from_millis(700);
/// How often that is looked at while somebody speaks.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// How often otherwise.
const IDLE: Duration = Duration::from_secs(10);

/// The engines of one session, in order of preference.
pub(crate) type EarLineup = Vec<Box<dyn Recognizer>>;

/// Some frames of an utterance.
type Piece = Arc<[Frame]>;

enum EarWork {
    Begin { job: JobId, expectation: Arc<Expectation>, reply: ReplyTo },
    Feed(Piece),
    Finish,
    Cancel,
}

#[derive(Debug)]
struct Session {
    work: Sender<EarWork>,
    busy: Arc<AtomicBool>,
    /// What waits for a whole piece. Only the worker that holds the session comes here.
    begun: Mutex<Vec<Frame>>,
}

/// A place in the pool of recognizers, held for one utterance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) struct SessionIndex(usize);

/// The recognizers.
#[derive(Debug)]
pub(crate) struct Ears {
    sessions: Vec<Session>,
}

impl Ears {
    /// Gives each session its line-up; all line-ups have the same engines in the same order.
    pub(crate) fn start(lineups: Vec<EarLineup>, threads: &mut Vec<JoinHandle<()>>) -> Self {
        let health = Health::new(lineups.first().map_or(0, Vec::len));
        let sessions = lineups.into_iter().enumerate().map(|(index, lineup)| {
            let (work, queue) = bounded(SESSION_QUEUE);
            let busy = Arc::new(AtomicBool::new(false));
            let (give, told) = bounded(ENGINE_QUEUE);
            let slots = lineup.into_iter().enumerate().map(|(engine, ears)| {
                let name = format!("ears-{index}-{engine}");
                Slot::start(engine, ears, give.clone(), name, threads)
            });
            let slots: Vec<Slot> = slots.collect();
            let session = Listening {
                slots,
                health: health.clone(),
                busy: busy.clone(),
                current: None,
                utterances: 0,
            };
            let name = format!("ears-{index}");
            threads.push(spawn(name, move || session.run(&queue, &told)));
            Session { work, busy, begun: Mutex::default() }
        });
        Self { sessions: sessions.collect() }
    }

    /// Takes a free session and begins an utterance in it.
    pub(in super::super) fn begin(
        &self,
        job: JobId,
        expectation: Arc<Expectation>,
        reply: ReplyTo,
    ) -> Option<SessionIndex> {
        let free = |session: &Session| !session.busy.swap(true, Ordering::AcqRel);
        let index = self.sessions.iter().position(free)?;
        let begin = EarWork::Begin { job, expectation, reply };
        self.sessions[index].work.try_send(begin).ok()?;
        Some(SessionIndex(index))
    }

    /// How many sessions are taken, and how many there are.
    pub(in super::super) fn busy(&self) -> (usize, usize) {
        let busy = self.sessions.iter().filter(|it| it.busy.load(Ordering::Acquire)).count();
        (busy, self.sessions.len())
    }

    /// Feeds 20 ms; whether the session keeps up.
    pub(in super::super) fn feed(&self, session: SessionIndex, frame: Frame) -> bool {
        let session = &self.sessions[session.0];
        let mut begun = session.begun();
        begun.push(frame);
        begun.len() < PIECE_FRAMES || session.send(&mut begun)
    }

    /// Asks for the verdict.
    pub(in super::super) fn finish(&self, session: SessionIndex) {
        let held = &self.sessions[session.0];
        let mut begun = held.begun();
        if !begun.is_empty() {
            // What does not fit any more is missing from an utterance that is given up anyway.
            held.send(&mut begun);
        }
        drop(begun);
        self.end(session, EarWork::Finish);
    }

    /// Drops the utterance.
    pub(in super::super) fn cancel(&self, session: SessionIndex) {
        self.sessions[session.0].begun().clear();
        self.end(session, EarWork::Cancel);
    }

    fn end(&self, session: SessionIndex, work: EarWork) {
        let sender = self.sessions[session.0].work.clone();
        if let Err(TrySendError::Full(work)) = sender.try_send(work) {
            // The session lags by its whole queue: the media worker must not wait for it.
            spawn("ears-end".to_owned(), move || drop(sender.send(work)));
        }
    }
}

impl Session {
    fn begun(&self) -> MutexGuard<'_, Vec<Frame>> {
        self.begun.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends the frames that wait; whether the session keeps up.
    fn send(&self, begun: &mut Vec<Frame>) -> bool {
        let piece: Piece = begun.drain(..).collect();
        self.work.try_send(EarWork::Feed(piece)).is_ok()
    }
}

enum ToEngine {
    Begin { utterance: u64, expectation: Arc<Expectation> },
    Feed(Piece),
    Finish,
    Rest,
}

/// What an engine said, and of which utterance.
struct Told {
    engine: usize,
    utterance: u64,
    word: Result<Hypothesis, EngineFault>,
    last: bool,
}

/// An engine as its session sees it.
struct Slot {
    queue: Sender<ToEngine>,
    stopper: Option<Arc<AtomicBool>>,
    sent: u64,
    done: Arc<AtomicU64>,
    /// How much was done when last looked, and when that changed.
    seen: (u64, Duration),
    stopped: bool,
}

impl Slot {
    fn start(
        engine: usize,
        mut ears: Box<dyn Recognizer>,
        give: Sender<Told>,
        name: String,
        threads: &mut Vec<JoinHandle<()>>,
    ) -> Self {
        let (queue, work) = bounded(ENGINE_QUEUE);
        let done = Arc::new(AtomicU64::new(0));
        let (count, stopper) = (done.clone(), ears.stopper());
        threads.push(spawn(name, move || hear(engine, ears.as_mut(), &work, &give, &count)));
        Self { queue, stopper, sent: 0, done, seen: (0, Duration::ZERO), stopped: false }
    }

    fn send(&mut self, work: ToEngine) -> bool {
        let sent = self.queue.try_send(work).is_ok();
        self.sent += u64::from(sent);
        sent
    }

    /// Ends the utterance without a verdict; what the engine works at is not waited for.
    fn drop_utterance(&mut self) {
        if let Some(stopper) = &self.stopper {
            // Before the rest is asked for: what begins after it finds the stopper cleared.
            stopper.store(true, Ordering::Relaxed);
        }
        self.send(ToEngine::Rest);
    }

    /// Looks whether it still takes what it is given.
    fn look(&mut self, now: Duration) {
        let done = self.done.load(Ordering::Acquire);
        if done != self.seen.0 || done == self.sent {
            self.seen = (done, now);
            self.stopped = false;
        } else if now.saturating_sub(self.seen.1) >= STOPPED_AFTER {
            self.stopped = true;
        }
    }
}

/// The thread of an engine.
fn hear(
    engine: usize,
    ears: &mut dyn Recognizer,
    queue: &Receiver<ToEngine>,
    give: &Sender<Told>,
    done: &AtomicU64,
) {
    ears.rest();
    let (mut current, mut narrower) = (None, Halver::new());
    for work in queue {
        let last = matches!(work, ToEngine::Finish);
        if let ToEngine::Begin { utterance, .. } = &work {
            (current, narrower) = (Some(*utterance), Halver::new());
        }
        let step = || step(ears, &mut narrower, &work, current.is_some());
        let heard = catch_unwind(AssertUnwindSafe(step));
        let heard = heard.unwrap_or_else(|_| {
            let why = "it panicked".to_owned();
            Err(EngineFault::ModelFailed { engine: "recognizer", why })
        });
        done.fetch_add(1, Ordering::Release);
        let word = match heard {
            Ok(Some(hypothesis)) => Ok(hypothesis),
            Ok(None) => continue,
            Err(fault) => Err(fault),
        };
        let failed = word.is_err();
        if let Some(utterance) = current {
            // The session ends after its engines' last words, or misses none.
            drop(give.send(Told { engine, utterance, word, last }));
        }
        if failed || last {
            current = None;
            // A panic here is the engine's end; its session sees that it has stopped.
            ears.rest();
        }
    }
}

/// Gives an engine 20 ms at the rate that it hears.
fn feed(
    ears: &mut dyn Recognizer,
    narrower: &mut Halver,
    frame: &Frame,
) -> Result<Option<Hypothesis>, EngineFault> {
    if frame.rate() == SampleRate::NARROW {
        return ears.feed(frame.samples());
    }
    if ears.hears_wide() {
        return ears.feed_wide(frame.samples());
    }
    let mut narrow = Frame::silence(frame.at(), SampleRate::NARROW);
    narrower.push_into(frame.samples(), narrow.samples_mut());
    ears.feed(narrow.samples())
}

fn step(
    ears: &mut dyn Recognizer,
    narrower: &mut Halver,
    work: &ToEngine,
    listening: bool,
) -> Result<Option<Hypothesis>, EngineFault> {
    match work {
        ToEngine::Begin { expectation, .. } => ears.begin(expectation).map(|()| None),
        ToEngine::Feed(piece) if listening => {
            let mut latest = None;
            for frame in piece.iter() {
                latest = feed(ears, narrower, frame)?.or(latest);
            }
            Ok(latest)
        }
        ToEngine::Finish if listening => ears.finish().map(Some),
        ToEngine::Rest => {
            ears.rest();
            Ok(None)
        }
        ToEngine::Feed(_) | ToEngine::Finish => Ok(None),
    }
}

/// An utterance that is being listened to.
struct Current {
    utterance: u64,
    job: JobId,
    reply: ReplyTo,
    expectation: Arc<Expectation>,
    engine: usize,
    failed: Vec<usize>,
    kept: VecDeque<Piece>,
    /// Length of the sound that is not kept any more.
    forgotten: Duration,
    /// Where the present engine's first sample lies in the utterance.
    origin: Duration,
    /// Words that lie before it.
    before: Vec<Word>,
    partial: Vec<Word>,
    finished: bool,
}

/// The thread of a session.
struct Listening {
    slots: Vec<Slot>,
    health: Health,
    busy: Arc<AtomicBool>,
    current: Option<Current>,
    utterances: u64,
}

impl Listening {
    fn run(mut self, queue: &Receiver<EarWork>, told: &Receiver<Told>) {
        loop {
            let look_after = if self.current.is_some() { LOOK_EVERY } else { IDLE };
            select! {
                recv(queue) -> work => match work {
                    Ok(work) => self.work(work),
                    Err(_) => return,
                },
                recv(told) -> told => match told {
                    Ok(told) => self.told(told),
                    // No engine is left: who begins finds no ears.
                    Err(_) => return,
                },
                default(look_after) => {}
            }
            self.look();
        }
    }

    fn work(&mut self, work: EarWork) {
        match work {
            EarWork::Begin { job, expectation, reply } => self.begin(job, expectation, reply),
            EarWork::Feed(piece) => self.feed(piece),
            EarWork::Finish => match self.current.as_mut() {
                Some(current) => {
                    current.finished = true;
                    let engine = current.engine;
                    if !self.slots[engine].send(ToEngine::Finish) {
                        self.failed(&lags());
                    }
                }
                None => self.busy.store(false, Ordering::Release),
            },
            EarWork::Cancel => {
                if let Some(current) = self.current.take() {
                    self.slots[current.engine].drop_utterance();
                }
                self.busy.store(false, Ordering::Release);
            }
        }
    }

    fn begin(&mut self, job: JobId, expectation: Arc<Expectation>, reply: ReplyTo) {
        self.utterances += 1;
        let current = Current {
            utterance: self.utterances,
            job,
            reply,
            expectation,
            engine: 0,
            failed: Vec::new(),
            kept: VecDeque::new(),
            forgotten: Duration::ZERO,
            origin: Duration::ZERO,
            before: Vec::new(),
            partial: Vec::new(),
            finished: false,
        };
        let why = EngineFault::ModelFailed { engine: "ears", why: "none is left".to_owned() };
        self.look();
        self.hand_on(current, &why);
    }

    fn feed(&mut self, piece: Piece) {
        let Some(current) = self.current.as_mut() else { return };
        if current.kept.len() == KEPT_PIECES
            && let Some(oldest) = current.kept.pop_front()
        {
            let frames = u64::try_from(oldest.len()).unwrap_or_default();
            current.forgotten += Duration::from_millis(frames * cordboard_audio::FRAME_MS);
        }
        // Where there is no other engine nobody will ask for it.
        if self.slots.len() > 1 {
            current.kept.push_back(piece.clone());
        }
        let engine = current.engine;
        if !self.slots[engine].send(ToEngine::Feed(piece)) {
            self.failed(&lags());
        }
    }

    /// Gives the utterance to the next engine that is left, with all that is kept of it.
    fn hand_on(&mut self, mut current: Current, why: &EngineFault) {
        let now = clock::monotonic();
        let usable =
            |engine: usize| !current.failed.contains(&engine) && !self.slots[engine].stopped;
        let Some(engine) = self.health.choose(now, usable) else {
            current.reply.give(Input::Refused { job: current.job, why: why.to_string() });
            if current.finished {
                self.busy.store(false, Ordering::Release);
            }
            return;
        };
        current.engine = engine;
        current.origin = current.forgotten;
        let forgotten = current.forgotten;
        current.before = std::mem::take(&mut current.partial);
        current.before.retain(|word| word.end <= forgotten);
        // An utterance handed on is another one to the engines: late words of the last are known.
        self.utterances += 1;
        current.utterance = self.utterances;
        let slot = &mut self.slots[engine];
        slot.seen = (slot.done.load(Ordering::Acquire), now);
        let (utterance, expectation) = (current.utterance, current.expectation.clone());
        let mut taken = slot.send(ToEngine::Begin { utterance, expectation });
        for piece in &current.kept {
            taken &= slot.send(ToEngine::Feed(piece.clone()));
        }
        if current.finished {
            taken &= slot.send(ToEngine::Finish);
        }
        self.current = Some(current);
        if !taken {
            self.failed(&lags());
        }
    }

    fn told(&mut self, told: Told) {
        let ours = |current: &Current| {
            current.utterance == told.utterance && current.engine == told.engine
        };
        if !self.current.as_ref().is_some_and(ours) {
            return;
        }
        match told.word {
            Ok(hypothesis) => self.heard(hypothesis, told.last),
            Err(fault) => self.failed(&fault),
        }
    }

    fn heard(&mut self, mut hypothesis: Hypothesis, last: bool) {
        let Some(current) = self.current.as_mut() else { return };
        put_before(&current.before, current.origin, &mut hypothesis);
        if last && hypothesis.kind == HypothesisKind::Partial {
            hypothesis.kind = HypothesisKind::Final;
        }
        current.partial.clone_from(&hypothesis.words);
        current.reply.give(Input::Recognized { job: current.job, hypothesis });
        if last {
            self.health.worked(current.engine);
            self.current = None;
            self.busy.store(false, Ordering::Release);
        }
    }

    fn failed(&mut self, fault: &EngineFault) {
        let Some(mut current) = self.current.take() else { return };
        let engine = current.engine;
        tracing::warn!(engine, %fault, "a recognizer failed; the next one goes on");
        let asked_for = match fault {
            EngineFault::Busy { retry_after, .. } => Some(*retry_after),
            _ => None,
        };
        self.health.failed(engine, clock::monotonic(), asked_for);
        current.failed.push(engine);
        let left = |other| !current.failed.contains(&other) && !self.slots[other].stopped;
        if (0..self.slots.len()).any(left) {
            failed_over(&current.reply, EngineRole::Recognizer, engine, fault);
        }
        self.hand_on(current, fault);
    }

    /// Looks whether the engines still take what they are given. One that has stopped is kept
    /// where there is no other: it may yet go on.
    fn look(&mut self) {
        let now = clock::monotonic();
        for slot in &mut self.slots {
            slot.look(now);
        }
        let Some(current) = self.current.as_ref() else { return };
        let engine = current.engine;
        let other = |engine: usize| {
            engine != current.engine
                && !current.failed.contains(&engine)
                && !self.slots[engine].stopped
        };
        if self.slots[current.engine].stopped && (0..self.slots.len()).any(other) {
            self.slots[engine].drop_utterance();
            let why = "it has stopped".to_owned();
            self.failed(&EngineFault::ModelFailed { engine: "recognizer", why });
        }
    }
}

fn lags() -> EngineFault {
    let why = "it lags by its whole queue".to_owned();
    EngineFault::ModelFailed { engine: "recognizer", why }
}

/// Puts the words found by an earlier engine before those of the present one.
fn put_before(before: &[Word], origin: Duration, hypothesis: &mut Hypothesis) {
    for word in &mut hypothesis.words {
        word.begin += origin;
        word.end += origin;
    }
    if before.is_empty() {
        return;
    }
    let texts = before.iter().map(|word| word.text.as_str());
    let own = std::mem::take(&mut hypothesis.text);
    let texts = texts.chain((!own.is_empty()).then_some(own.as_str()));
    hypothesis.text = texts.collect::<Vec<_>>().join(" ");
    hypothesis.words.splice(0..0, before.iter().cloned());
    hypothesis.stable_words += before.len();
    if hypothesis.kind == HypothesisKind::Rejected {
        // The end was not understood; what was found before it stands.
        hypothesis.confidence = before.iter().map(|word| word.confidence).fold(1.0, f32::min);
        hypothesis.kind = HypothesisKind::Final;
    }
}

#[cfg(test)]
mod tests;
