//! What a call is given while recognizers fail, through the real threads.

use std::sync::Mutex;

use cordboard_audio::{MediaTime, SampleRate};
use cordboard_models::scripted::{Line, ScriptedRecognizer};

use super::*;
use crate::shell::mailbox::{SeatId, ToWorker};

/// The most that a test waits for an event that has to come.
const WITHIN: Duration = Duration::from_secs(30);

/// How a recognizer goes wrong after so many frames.
#[derive(Clone, Copy, Debug)]
enum Way {
    Refuses,
    Fails,
    Panics,
    /// Blocks until the test lets it go.
    Stops,
}

/// Says a word for each 500 ms until it goes wrong.
struct Failing {
    way: Way,
    after: usize,
    frames: usize,
    go: Receiver<()>,
}

fn failing(way: Way, after: usize) -> (Box<dyn Recognizer>, Sender<()>) {
    let (release, go) = bounded(1);
    (Box::new(Failing { way, after, frames: 0, go }), release)
}

fn fault() -> EngineFault {
    EngineFault::ModelFailed { engine: "failing", why: "as told".to_owned() }
}

impl Recognizer for Failing {
    fn rate(&self) -> SampleRate {
        SampleRate::NARROW
    }

    fn begin(&mut self, _: &Expectation) -> Result<(), EngineFault> {
        self.frames = 0;
        if matches!(self.way, Way::Refuses) { Err(fault()) } else { Ok(()) }
    }

    fn feed(&mut self, _: &[f32]) -> Result<Option<Hypothesis>, EngineFault> {
        self.frames += 1;
        if self.frames > self.after {
            match self.way {
                Way::Refuses | Way::Fails => return Err(fault()),
                Way::Panics => panic!("as told"),
                Way::Stops => {
                    let _ = self.go.recv_timeout(WITHIN);
                }
            }
        }
        Ok(self.frames.is_multiple_of(25).then(|| counted(self.frames, HypothesisKind::Partial)))
    }

    fn finish(&mut self) -> Result<Hypothesis, EngineFault> {
        Err(fault())
    }
}

/// Hears its own frames: word n is "w" and n, 500 ms each.
#[derive(Default)]
struct Counting {
    frames: usize,
    seen: Arc<Mutex<Vec<usize>>>,
}

impl Recognizer for Counting {
    fn rate(&self) -> SampleRate {
        SampleRate::NARROW
    }

    fn begin(&mut self, _: &Expectation) -> Result<(), EngineFault> {
        self.frames = 0;
        Ok(())
    }

    fn feed(&mut self, _: &[f32]) -> Result<Option<Hypothesis>, EngineFault> {
        self.frames += 1;
        Ok(None)
    }

    fn finish(&mut self) -> Result<Hypothesis, EngineFault> {
        self.seen.lock().unwrap().push(self.frames);
        Ok(counted(self.frames, HypothesisKind::Final))
    }
}

fn counted(frames: usize, kind: HypothesisKind) -> Hypothesis {
    let ms = |n: usize| Duration::from_millis(500 * n as u64);
    let word = |n| Word { text: format!("w{n}"), begin: ms(n), end: ms(n + 1), confidence: 0.9 };
    let words: Vec<Word> = (0..frames / 25).map(word).collect();
    let texts: Vec<&str> = words.iter().map(|word| word.text.as_str()).collect();
    Hypothesis { text: texts.join(" "), stable_words: words.len(), confidence: 0.9, kind, words }
}

/// A session, and the call's side of it.
struct Room {
    ears: Ears,
    reply: ReplyTo,
    letters: Receiver<ToWorker>,
    failed_over: std::cell::Cell<usize>,
}

fn room(lineup: EarLineup) -> Room {
    let mut threads = Vec::new();
    let ears = Ears::start(vec![lineup], &mut threads);
    let (worker, letters) = crossbeam_channel::unbounded();
    let (reply, failed_over) =
        (ReplyTo { worker: worker.into(), seat: SeatId(1) }, Default::default());
    Room { ears, reply, letters, failed_over }
}

impl Room {
    /// One utterance; the verdict, or why there is none, and how many words came before it.
    fn utter(&self, frames: usize) -> Result<Hypothesis, String> {
        let session = self.begin();
        self.feed(session, frames);
        self.ears.finish(session);
        self.verdict()
    }

    /// Waits for the session to be free.
    fn begin(&self) -> SessionIndex {
        let began = clock::monotonic();
        loop {
            let session = self.ears.begin(JobId(7), Arc::default(), self.reply.clone());
            if let Some(session) = session {
                return session;
            }
            assert!(clock::monotonic() - began < WITHIN, "the session stays busy");
            std::thread::yield_now();
        }
    }

    fn feed(&self, session: SessionIndex, frames: usize) {
        for _ in 0..frames {
            let frame = Frame::silence(MediaTime::ZERO, SampleRate::NARROW);
            let began = clock::monotonic();
            // A test feeds faster than a caller speaks.
            while !self.ears.feed(session, frame) {
                assert!(clock::monotonic() - began < WITHIN, "the session takes nothing");
                std::thread::yield_now();
            }
        }
    }

    fn verdict(&self) -> Result<Hypothesis, String> {
        loop {
            match self.letters.recv_timeout(WITHIN).expect("an answer") {
                ToWorker::Give(SeatId(1), Input::Recognized { job: JobId(7), hypothesis }) => {
                    if hypothesis.kind != HypothesisKind::Partial {
                        return Ok(hypothesis);
                    }
                }
                ToWorker::Give(SeatId(1), Input::Refused { job: JobId(7), why }) => {
                    return Err(why);
                }
                ToWorker::Give(SeatId(1), Input::FailedOver { role, .. }) => {
                    assert_eq!(role, EngineRole::Recognizer);
                    self.failed_over.set(self.failed_over.get() + 1);
                }
                other => panic!("{other:?}"),
            }
        }
    }
}

#[test]
fn a_recognition_gives_its_partials_and_then_its_verdict() {
    let engine = ScriptedRecognizer::new([Line::new("a person", 320)]);
    let room = room(vec![Box::new(engine)]);
    let session = room.begin();
    assert_eq!(room.ears.begin(JobId(8), Arc::default(), room.reply.clone()), None, "it is taken");
    room.feed(session, 10);
    room.ears.finish(session);
    let mut texts = Vec::new();
    while texts.len() < 2 {
        match room.letters.recv_timeout(WITHIN).unwrap() {
            ToWorker::Give(_, Input::Recognized { hypothesis, .. }) => {
                texts.push((hypothesis.kind, hypothesis.text));
            }
            other => panic!("{other:?}"),
        }
    }
    let expected = [(HypothesisKind::Partial, "a"), (HypothesisKind::Final, "a person")];
    assert_eq!(texts, expected.map(|(kind, text)| (kind, text.to_owned())));
}

#[test]
fn an_engine_that_gives_up_and_has_no_other_behind_it_says_so_once_and_frees_its_session() {
    let room = room(vec![failing(Way::Refuses, 0).0]);
    for _ in 0..2 {
        assert!(room.utter(10).unwrap_err().contains("as told"));
        assert!(room.letters.try_recv().is_err());
    }
}

#[test]
fn where_a_recognizer_dies_within_an_utterance_the_next_hears_all_of_it() {
    for way in [Way::Refuses, Way::Fails, Way::Panics, Way::Stops] {
        let (first, release) = failing(way, 150);
        let second = Counting::default();
        let seen = second.seen.clone();
        let room = room(vec![first, Box::new(second)]);
        let began = clock::monotonic();
        let verdict = room.utter(200).expect("a verdict");
        println!(
            "{way:?}: verdict {} ms after the failure",
            (clock::monotonic() - began).as_millis()
        );
        assert_eq!(verdict.text, "w0 w1 w2 w3 w4 w5 w6 w7", "no word is lost");
        assert_eq!(*seen.lock().unwrap(), [200]);
        // The engine that failed is left alone: the next utterance goes to the second at once.
        assert!(room.utter(50).is_ok());
        assert_eq!(seen.lock().unwrap().len(), 2);
        drop(release);
    }
}

#[test]
fn where_a_recognizer_dies_at_the_verdict_the_next_gives_it() {
    let (first, _release) = failing(Way::Fails, usize::MAX);
    let room = room(vec![first, Box::new(Counting::default())]);
    assert_eq!(room.utter(50).expect("a verdict").text, "w0 w1");
}

#[test]
fn words_from_before_what_is_kept_stand_before_the_next_engines() {
    let (first, _release) = failing(Way::Fails, 500);
    let second = Counting::default();
    let seen = second.seen.clone();
    let room = room(vec![first, Box::new(second)]);
    let session = room.begin();
    // In step with the first engine, as a caller would be, until it fails.
    for _ in 0..20 {
        room.feed(session, 25);
        let told = room.letters.recv_timeout(WITHIN).expect("a partial");
        assert!(matches!(told, ToWorker::Give(_, Input::Recognized { .. })), "{told:?}");
    }
    room.feed(session, 100);
    room.ears.finish(session);
    let verdict = room.verdict().expect("a verdict");
    let seen = seen.lock().unwrap()[0];
    assert!(seen >= 150, "at least 3 s are handed on: {seen}");
    // 600 frames are 24 words; of those that lie over the seam one may be missing.
    assert!((23..=24).contains(&verdict.words.len()), "{}", verdict.text);
    assert_eq!(verdict.words[0].text, "w0");
    assert_eq!(room.failed_over.get(), 1, "and the call is told");
    let ordered = verdict.words.windows(2).all(|pair| pair[0].end <= pair[1].begin);
    assert!(ordered, "{:?}", verdict.words);
}

#[test]
fn an_utterance_that_is_dropped_leaves_the_session_free_and_says_nothing() {
    let room = room(vec![Box::new(Counting::default())]);
    let session = room.begin();
    room.feed(session, 10);
    room.ears.cancel(session);
    assert_eq!(room.utter(50).expect("a verdict").text, "w0 w1");
    assert!(room.letters.try_recv().is_err());
}

/// Works at its first frame until it is stopped, and tells of both.
struct Working {
    stopper: Arc<AtomicBool>,
    began: Sender<()>,
    stopped: Sender<()>,
}

impl Recognizer for Working {
    fn rate(&self) -> SampleRate {
        SampleRate::NARROW
    }

    fn begin(&mut self, _: &Expectation) -> Result<(), EngineFault> {
        self.stopper.store(false, Ordering::Relaxed);
        Ok(())
    }

    fn feed(&mut self, _: &[f32]) -> Result<Option<Hypothesis>, EngineFault> {
        self.began.send(()).unwrap();
        let since = clock::monotonic();
        while !self.stopper.load(Ordering::Relaxed) {
            if clock::monotonic() - since > WITHIN {
                return Ok(None);
            }
            std::thread::yield_now();
        }
        self.stopped.send(()).unwrap();
        Ok(None)
    }

    fn finish(&mut self) -> Result<Hypothesis, EngineFault> {
        Err(fault())
    }

    fn stopper(&self) -> Option<Arc<AtomicBool>> {
        Some(self.stopper.clone())
    }
}

#[test]
fn an_engine_does_not_work_on_at_an_utterance_that_was_dropped() {
    let ((began, has_begun), (stopped, has_stopped)) = (bounded(9), bounded(9));
    let room = room(vec![Box::new(Working { stopper: Arc::default(), began, stopped })]);
    for _ in 0..2 {
        let session = room.begin();
        room.feed(session, PIECE_FRAMES);
        has_begun.recv_timeout(WITHIN).expect("it works at the frame");
        room.ears.cancel(session);
        has_stopped.recv_timeout(WITHIN).expect("it is stopped");
    }
}
