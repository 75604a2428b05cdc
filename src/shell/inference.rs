//! Inference workers: threads that own the engines, behind bounded queues.
//!
//! A recognition takes a session of its own from a fixed pool; where none is free it is refused,
//! and the call asks for the keypad. A synthesis waits in one bounded queue; where that is full it
//! is refused too. Nothing here decides anything.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use cordboard_audio::Frame;
use cordboard_models::speech::{
    EngineFault, Expectation, HypothesisKind, LanguageModel, Recognizer, SpeechRequest, Synthesizer,
};
use cordboard_models::voice::sentences::sentences;
use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};

use super::mailbox::ReplyTo;
use crate::call::{Input, JobId};
use crate::conversation::RankRequest;

/// Frames that a session may lag behind: 5 s of sound; then the recognition is given up.
const SESSION_QUEUE: usize = 256;
/// Prompts and questions that may wait.
const WORK_QUEUE: usize = 256;

enum EarWork {
    Begin { job: JobId, expectation: Arc<Expectation>, reply: ReplyTo },
    Feed(Box<Frame>),
    Finish,
    Cancel,
}

#[derive(Debug)]
struct Session {
    work: Sender<EarWork>,
    busy: Arc<AtomicBool>,
}

/// A place in the pool of recognizers, held for one utterance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SessionIndex(usize);

/// The recognizers.
#[derive(Debug)]
pub(crate) struct Ears {
    sessions: Vec<Session>,
}

impl Ears {
    /// Gives each engine a thread of its own.
    pub(crate) fn start(
        engines: Vec<Box<dyn Recognizer>>,
        threads: &mut Vec<JoinHandle<()>>,
    ) -> Self {
        let sessions = engines.into_iter().enumerate().map(|(index, engine)| {
            let (work, queue) = bounded(SESSION_QUEUE);
            let busy = Arc::new(AtomicBool::new(false));
            let free = busy.clone();
            threads.push(spawn(format!("ears-{index}"), move || hear(engine, &queue, &free)));
            Session { work, busy }
        });
        Self { sessions: sessions.collect() }
    }

    /// Takes a free session and begins an utterance in it.
    pub(super) fn begin(
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
    pub(super) fn busy(&self) -> (usize, usize) {
        let busy = self.sessions.iter().filter(|it| it.busy.load(Ordering::Acquire)).count();
        (busy, self.sessions.len())
    }

    /// Feeds 20 ms; whether the session keeps up.
    pub(super) fn feed(&self, session: SessionIndex, frame: Frame) -> bool {
        self.sessions[session.0].work.try_send(EarWork::Feed(Box::new(frame))).is_ok()
    }

    /// Asks for the verdict.
    pub(super) fn finish(&self, session: SessionIndex) {
        self.end(session, EarWork::Finish);
    }

    /// Drops the utterance.
    pub(super) fn cancel(&self, session: SessionIndex) {
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

fn hear(mut engine: Box<dyn Recognizer>, queue: &Receiver<EarWork>, busy: &AtomicBool) {
    let mut current: Option<(JobId, ReplyTo)> = None;
    for work in queue {
        let fault = match work {
            EarWork::Begin { job, expectation, reply } => {
                current = Some((job, reply));
                engine.begin(&expectation).err()
            }
            EarWork::Feed(frame) => feed(engine.as_mut(), &frame, current.as_ref()),
            EarWork::Finish => {
                let fault = finish(engine.as_mut(), current.take());
                busy.store(false, Ordering::Release);
                fault
            }
            EarWork::Cancel => {
                current = None;
                busy.store(false, Ordering::Release);
                None
            }
        };
        if let Some(fault) = fault
            && let Some((job, reply)) = current.take()
        {
            reply.give(Input::Refused { job, why: fault.to_string() });
        }
    }
}

fn feed(
    engine: &mut dyn Recognizer,
    frame: &Frame,
    current: Option<&(JobId, ReplyTo)>,
) -> Option<EngineFault> {
    let (job, reply) = current?;
    match engine.feed(frame.samples()) {
        Ok(Some(hypothesis)) => {
            reply.give(Input::Recognized { job: *job, hypothesis });
            None
        }
        Ok(None) => None,
        Err(fault) => Some(fault),
    }
}

fn finish(engine: &mut dyn Recognizer, current: Option<(JobId, ReplyTo)>) -> Option<EngineFault> {
    let (job, reply) = current?;
    match engine.finish() {
        Ok(mut hypothesis) => {
            if hypothesis.kind == HypothesisKind::Partial {
                hypothesis.kind = HypothesisKind::Final;
            }
            reply.give(Input::Recognized { job, hypothesis });
        }
        Err(fault) => reply.give(Input::Refused { job, why: fault.to_string() }),
    }
    None
}

/// Something for the engines that share one queue.
enum Work {
    Speak { job: JobId, request: SpeechRequest, reply: ReplyTo },
    Rank { request: RankRequest, reply: ReplyTo },
}

/// The synthesizers, and the language model beside each.
#[derive(Debug)]
pub(crate) struct Voices {
    work: Sender<Work>,
}

impl Voices {
    /// Gives each pair of engines a thread of its own.
    pub(crate) fn start(
        engines: Vec<(Box<dyn Synthesizer>, Box<dyn LanguageModel>)>,
        threads: &mut Vec<JoinHandle<()>>,
    ) -> Self {
        let (work, queue) = bounded::<Work>(WORK_QUEUE);
        for (index, (mut voice, mut language)) in engines.into_iter().enumerate() {
            let queue = queue.clone();
            let name = format!("voice-{index}");
            threads.push(spawn(name, move || {
                for work in &queue {
                    match work {
                        Work::Speak { job, request, reply } => {
                            speak(voice.as_mut(), job, &request, &reply);
                        }
                        Work::Rank { request, reply } => rank(language.as_mut(), &request, &reply),
                    }
                }
            }));
        }
        Self { work }
    }

    /// Prompts and questions that wait.
    pub(super) fn waiting(&self) -> usize {
        self.work.len()
    }

    /// Queues a prompt; whether there was room.
    pub(super) fn speak(&self, job: JobId, request: SpeechRequest, reply: ReplyTo) -> bool {
        self.work.try_send(Work::Speak { job, request, reply }).is_ok()
    }

    /// Queues a question to the language model; whether there was room.
    pub(super) fn rank(&self, request: RankRequest, reply: ReplyTo) -> bool {
        self.work.try_send(Work::Rank { request, reply }).is_ok()
    }
}

/// Speaks sentence by sentence, so that the first can be heard while the next is made.
fn speak(voice: &mut dyn Synthesizer, job: JobId, request: &SpeechRequest, reply: &ReplyTo) {
    let parts = sentences(&request.text);
    let count = parts.len().max(1);
    for (index, part) in parts.iter().enumerate() {
        let part = SpeechRequest { text: Arc::from(*part), ..request.clone() };
        match voice.speak(&part) {
            Ok(speech) => {
                reply.give(Input::Spoken { job, speech, last: index + 1 == count });
            }
            Err(fault) => {
                reply.give(Input::Refused { job, why: fault.to_string() });
                return;
            }
        }
    }
    if parts.is_empty() {
        reply.give(Input::Refused { job, why: "nothing to say".to_owned() });
    }
}

fn rank(language: &mut dyn LanguageModel, request: &RankRequest, reply: &ReplyTo) {
    let ranked = language.rank(&request.said, &request.intents).unwrap_or_default();
    reply.give(Input::Ranked { request: request.id, ranked });
}

/// How much inference workers stand back for media workers (setpriority(2), of this thread alone).
const NICENESS: i32 = 5;

/// Starts a thread of lower priority than the media workers'.
fn spawn(name: String, body: impl FnOnce() + Send + 'static) -> JoinHandle<()> {
    std::thread::Builder::new()
        .name(name)
        .spawn(|| {
            // Where the system refuses, media and inference share the machine as equals.
            let _ = rustix::process::setpriority_process(None, NICENESS);
            body();
        })
        .expect("the system gives a thread at start, or there is nothing to serve with")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use cordboard_audio::{MediaTime, SampleRate};
    use cordboard_models::scripted::{Line, ScriptedRecognizer};
    use cordboard_models::speech::Hypothesis;

    use super::*;
    use crate::shell::mailbox::{SeatId, ToWorker};

    /// Understands nothing of what it is asked to listen for.
    struct Deaf;

    impl Recognizer for Deaf {
        fn rate(&self) -> SampleRate {
            SampleRate::NARROW
        }

        fn begin(&mut self, _: &Expectation) -> Result<(), EngineFault> {
            Err(EngineFault::Unsupported { engine: "deaf", what: "anything".to_owned() })
        }

        fn feed(&mut self, _: &[f32]) -> Result<Option<Hypothesis>, EngineFault> {
            Err(EngineFault::ApiMisuse { engine: "deaf" })
        }

        fn finish(&mut self) -> Result<Hypothesis, EngineFault> {
            Err(EngineFault::ApiMisuse { engine: "deaf" })
        }
    }

    /// One utterance of ten frames; what came back by the time that the session is free again.
    fn utter(engine: impl Recognizer + 'static) -> Vec<Input<'static>> {
        let mut threads = Vec::new();
        let ears = Ears::start(vec![Box::new(engine)], &mut threads);
        let (worker, letters) = crossbeam_channel::unbounded();
        let reply = ReplyTo { worker, seat: SeatId(1) };
        let session = ears.begin(JobId(7), Arc::default(), reply.clone()).expect("a session");
        assert_eq!(ears.begin(JobId(8), Arc::default(), reply), None, "the one session is taken");
        for _ in 0..10 {
            assert!(ears.feed(session, Frame::silence(MediaTime::ZERO, SampleRate::NARROW)));
        }
        ears.finish(session);
        let mut given = Vec::new();
        // The letters end when the session has dropped its way back to the call.
        while let Ok(letter) = letters.recv_timeout(Duration::from_secs(30)) {
            if let ToWorker::Give(SeatId(1), input) = letter {
                given.push(input);
            }
        }
        given
    }

    #[test]
    fn a_recognition_gives_its_partials_and_then_its_verdict() {
        let given = utter(ScriptedRecognizer::new([Line::new("a person", 320)]));
        let texts: Vec<_> = given
            .iter()
            .map(|input| match input {
                Input::Recognized { job: JobId(7), hypothesis } => {
                    (hypothesis.kind, hypothesis.text.as_str())
                }
                other => panic!("{other:?}"),
            })
            .collect();
        let expected = [(HypothesisKind::Partial, "a"), (HypothesisKind::Final, "a person")];
        assert_eq!(texts, expected);
    }

    #[test]
    fn an_engine_that_gives_up_says_so_once() {
        let given = utter(Deaf);
        assert!(matches!(given.as_slice(), [Input::Refused { job: JobId(7), .. }]), "{given:?}");
    }
}
