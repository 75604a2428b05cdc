//! The synthesizers and the language models: bounded queues before line-ups of engines.
//!
//! A text is spoken piece by piece as it is made; where the engine fails or stops within it, the
//! next one speaks from the first word that was not given out. A text that is not wanted any more
//! is stopped at its next piece. Where a queue is full, work is refused.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use cordboard_models::speech::{
    EngineFault, LanguageModel, Ranked, Speech, SpeechRequest, Synthesizer,
};
use cordboard_models::voice::sentences::sentences;
use crossbeam_channel::{Receiver, RecvError, RecvTimeoutError, Sender, bounded};

use super::super::failover::Health;
use super::super::mailbox::ReplyTo;
use super::{failed_over, spawn};
use crate::call::{EngineRole, Input, JobId};
use crate::clock;
use crate::conversation::RankRequest;

/// Prompts and questions that may wait.
const WORK_QUEUE: usize = 256;
/// Pieces of one text that may wait for their way to the call.
const PIECES: usize = 64;
/// A voice that gives nothing for so long has stopped, where another one could go on: before its
/// first piece (it may have to connect), and after.
const FIRST_WITHIN: Duration = Duration::from_millis(1_600);
const NEXT_WITHIN: Duration = Duration::from_millis(700);

/// The engines of one place at the queue, each kind in order of preference.
pub(crate) struct VoiceLineup {
    /// Voices.
    pub(crate) voices: Vec<Box<dyn Synthesizer>>,
    /// Language models.
    pub(crate) languages: Vec<Box<dyn LanguageModel>>,
}

impl VoiceLineup {
    /// Speaks all texts, whole, by the first voice that speaks all of them, so that they are of
    /// one voice; for prompts made at start.
    pub(in super::super) fn speak_all(
        &mut self,
        requests: &[SpeechRequest],
    ) -> Result<Vec<Speech>, EngineFault> {
        let mut fault = nothing_left();
        for (engine, voice) in self.voices.iter_mut().enumerate() {
            match requests.iter().map(|request| voice.speak(request)).collect() {
                Ok(speeches) => return Ok(speeches),
                Err(failed) => {
                    tracing::warn!(engine, fault = %failed, "a voice does not speak the prompts");
                    fault = failed;
                }
            }
        }
        Err(fault)
    }
}

/// Whether what a job gives is still wanted; shared by who asked and who does it.
#[derive(Clone, Debug)]
pub(in super::super) struct Wanted(Arc<AtomicBool>);

impl Wanted {
    pub(super) fn new() -> Self {
        Self(Arc::new(AtomicBool::new(true)))
    }

    /// It is not wanted any more.
    pub(in super::super) fn cancel(&self) {
        self.0.store(false, Ordering::Release);
    }

    pub(super) fn stands(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

struct Order {
    job: JobId,
    request: SpeechRequest,
    reply: ReplyTo,
    wanted: Wanted,
}

struct Question {
    request: RankRequest,
    reply: ReplyTo,
}

/// The synthesizers, and the language models.
#[derive(Debug)]
pub(crate) struct Voices {
    orders: Sender<Order>,
    questions: Sender<Question>,
}

impl Voices {
    /// Gives each line-up its threads; all have the same engines in the same order.
    pub(crate) fn start(lineups: Vec<VoiceLineup>, threads: &mut Vec<JoinHandle<()>>) -> Self {
        let (orders, ordered) = bounded::<Order>(WORK_QUEUE);
        let (questions, asked) = bounded::<Question>(WORK_QUEUE);
        let voices = Health::new(lineups.first().map_or(0, |lineup| lineup.voices.len()));
        let languages = Health::new(lineups.first().map_or(0, |lineup| lineup.languages.len()));
        for (index, mut lineup) in lineups.into_iter().enumerate() {
            let engines = lineup.voices.into_iter().enumerate().map(|(engine, voice)| {
                Slot::start(voice, format!("voice-{index}-{engine}"), threads)
            });
            let speaking = Speaking { slots: engines.collect(), health: voices.clone() };
            let ordered = ordered.clone();
            threads.push(spawn(format!("voice-{index}"), move || {
                for order in ordered {
                    speaking.speak(&order);
                }
            }));
            let (asked, health) = (asked.clone(), languages.clone());
            threads.push(spawn(format!("language-{index}"), move || {
                for Question { request, reply } in asked {
                    let ranked = rank(&mut lineup.languages, &health, &request, &reply);
                    reply.give(Input::Ranked { request: request.id, ranked });
                }
            }));
        }
        Self { orders, questions }
    }

    /// Queues a prompt, where there is room; gives the way to call it off.
    pub(in super::super) fn speak(
        &self,
        job: JobId,
        request: SpeechRequest,
        reply: ReplyTo,
    ) -> Option<Wanted> {
        let wanted = Wanted::new();
        let order = Order { job, request, reply, wanted: wanted.clone() };
        self.orders.try_send(order).is_ok().then_some(wanted)
    }

    /// Queues a question to the language model; whether there was room.
    pub(in super::super) fn rank(&self, request: RankRequest, reply: ReplyTo) -> bool {
        self.questions.try_send(Question { request, reply }).is_ok()
    }

    /// Prompts and questions that wait.
    pub(in super::super) fn waiting(&self) -> usize {
        self.orders.len() + self.questions.len()
    }
}

/// A text for an engine.
struct Text {
    request: SpeechRequest,
    pieces: Sender<Piece>,
    wanted: Wanted,
}

enum Piece {
    Sound(Speech),
    Done,
    Failed(EngineFault),
}

/// A voice as its supervisor sees it.
struct Slot {
    texts: Sender<Text>,
    /// Whether it still works at a text that was taken from it.
    working: Arc<AtomicBool>,
}

impl Slot {
    fn start(
        mut voice: Box<dyn Synthesizer>,
        name: String,
        threads: &mut Vec<JoinHandle<()>>,
    ) -> Self {
        let (texts, queue) = bounded::<Text>(1);
        let working = Arc::new(AtomicBool::new(false));
        let at_work = working.clone();
        threads.push(spawn(name, move || {
            for text in queue {
                let spoken = catch_unwind(AssertUnwindSafe(|| say(voice.as_mut(), &text)));
                let last = match spoken {
                    Ok(Ok(())) => Piece::Done,
                    Ok(Err(fault)) => Piece::Failed(fault),
                    Err(_) => {
                        let why = "it panicked".to_owned();
                        Piece::Failed(EngineFault::ModelFailed { engine: "synthesizer", why })
                    }
                };
                at_work.store(false, Ordering::Release);
                // Who asked has gone to another engine where nobody takes it.
                drop(text.pieces.send(last));
            }
        }));
        Self { texts, working }
    }

    fn is_free(&self) -> bool {
        !self.working.load(Ordering::Acquire)
    }

    fn give(&self, request: SpeechRequest, wanted: Wanted) -> Receiver<Piece> {
        let (pieces, taken) = bounded(PIECES);
        self.working.store(true, Ordering::Release);
        if self.texts.try_send(Text { request, pieces, wanted }).is_err() {
            self.working.store(false, Ordering::Release);
        }
        taken
    }
}

/// Speaks sentence by sentence, so that the first can be heard while the next is made.
fn say(voice: &mut dyn Synthesizer, text: &Text) -> Result<(), EngineFault> {
    for sentence in sentences(&text.request.text) {
        let request = SpeechRequest { text: Arc::from(sentence), ..text.request.clone() };
        let mut goes_on = true;
        voice.speak_into(&request, &mut |speech| {
            goes_on = text.wanted.stands() && text.pieces.send(Piece::Sound(speech)).is_ok();
            goes_on
        })?;
        if !goes_on {
            break;
        }
    }
    Ok(())
}

/// The thread between the queue and the voices of a line-up.
struct Speaking {
    slots: Vec<Slot>,
    health: Health,
}

/// How a voice left a text.
enum Left {
    Done,
    /// Not wanted any more.
    CalledOff,
    Failed(EngineFault),
}

impl Speaking {
    fn speak(&self, order: &Order) {
        let refuse = |why: String| order.reply.give(Input::Refused { job: order.job, why });
        if order.request.text.split_whitespace().next().is_none() {
            refuse("nothing to say".to_owned());
            return;
        }
        if !order.wanted.stands() {
            return;
        }
        let mut rest = Rest::of(&order.request.text);
        let mut failed = Vec::new();
        let mut why = nothing_left();
        loop {
            let usable = |engine: usize| !failed.contains(&engine) && self.slots[engine].is_free();
            let Some(engine) = self.health.choose(clock::monotonic(), usable) else {
                refuse(why.to_string());
                return;
            };
            let another = (0..self.slots.len()).any(|other| other != engine && usable(other));
            match self.speak_by(engine, order, another, &mut rest) {
                Left::CalledOff => return,
                Left::Done => {
                    self.health.worked(engine);
                    let end = Speech {
                        text: Arc::from(""),
                        rate: order.request.rate,
                        samples: Vec::new().into(),
                        words: Arc::from([]),
                    };
                    order.reply.give(Input::Spoken { job: order.job, speech: end, last: true });
                    return;
                }
                Left::Failed(fault) => {
                    tracing::warn!(engine, %fault, "a voice failed; the next one goes on");
                    let asked_for = match &fault {
                        EngineFault::Busy { retry_after, .. } => Some(*retry_after),
                        _ => None,
                    };
                    self.health.failed(engine, clock::monotonic(), asked_for);
                    if another {
                        failed_over(&order.reply, EngineRole::Synthesizer, engine, &fault);
                    }
                    failed.push(engine);
                    why = fault;
                }
            }
        }
    }

    /// Lets an engine speak what is left, and takes from it what it gave.
    fn speak_by(&self, engine: usize, order: &Order, another: bool, rest: &mut Rest) -> Left {
        let Some(text) = rest.text() else { return Left::Done };
        let request = SpeechRequest { text, ..order.request.clone() };
        let pieces = self.slots[engine].give(request, order.wanted.clone());
        let mut within = FIRST_WITHIN;
        loop {
            let piece = if another {
                pieces.recv_timeout(within)
            } else {
                pieces.recv().map_err(|RecvError| RecvTimeoutError::Disconnected)
            };
            if !order.wanted.stands() {
                return Left::CalledOff;
            }
            match piece {
                Ok(Piece::Sound(speech)) => {
                    rest.spoken(&speech);
                    let job = order.job;
                    order.reply.give(Input::Spoken { job, speech, last: false });
                    within = NEXT_WITHIN;
                }
                Ok(Piece::Done) => return Left::Done,
                Ok(Piece::Failed(fault)) => return Left::Failed(fault),
                Err(_) => {
                    let why = "it has stopped".to_owned();
                    return Left::Failed(EngineFault::ModelFailed { engine: "synthesizer", why });
                }
            }
        }
    }
}

/// What of a text no voice has given out yet.
struct Rest {
    whole: Arc<str>,
    words: Vec<Arc<str>>,
    next: usize,
}

impl Rest {
    fn of(text: &Arc<str>) -> Self {
        let words = text.split_whitespace().map(Arc::from).collect();
        Self { whole: text.clone(), words, next: 0 }
    }

    /// Takes off what was spoken: its words are the text's, but for those without a sound.
    fn spoken(&mut self, speech: &Speech) {
        for word in speech.words.iter() {
            let ahead = self.words.iter().skip(self.next);
            let place = ahead.take(8).position(|own| *own == word.text);
            self.next += place.map_or(1, |place| place + 1);
        }
    }

    /// The text from the next word on, as it is written where nothing was spoken yet; none where
    /// nothing is left.
    fn text(&self) -> Option<Arc<str>> {
        if self.next == 0 {
            return Some(self.whole.clone());
        }
        let left = self.words.get(self.next..).filter(|left| !left.is_empty())?;
        Some(Arc::from(left.iter().map(AsRef::as_ref).collect::<Vec<&str>>().join(" ")))
    }
}

fn nothing_left() -> EngineFault {
    EngineFault::ModelFailed { engine: "synthesizer", why: "none is left".to_owned() }
}

/// Asks one language model after the other; nothing where all give up.
fn rank(
    languages: &mut [Box<dyn LanguageModel>],
    health: &Health,
    request: &RankRequest,
    reply: &ReplyTo,
) -> Vec<Ranked> {
    let mut failed = Vec::new();
    while let Some(engine) = health.choose(clock::monotonic(), |it| !failed.contains(&it)) {
        match languages[engine].rank(&request.said, &request.intents) {
            Ok(ranked) => {
                health.worked(engine);
                return ranked;
            }
            Err(fault) => {
                tracing::warn!(engine, %fault, "a language model failed; the next one is asked");
                let asked_for = match &fault {
                    EngineFault::Busy { retry_after, .. } => Some(*retry_after),
                    _ => None,
                };
                health.failed(engine, clock::monotonic(), asked_for);
                failed.push(engine);
                if failed.len() < languages.len() {
                    failed_over(reply, EngineRole::LanguageModel, engine, &fault);
                }
            }
        }
    }
    Vec::new()
}

#[cfg(test)]
mod tests;
