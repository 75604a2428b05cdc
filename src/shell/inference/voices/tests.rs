//! What a call is given while voices and language models fail, through the real threads.

use cordboard_audio::SampleRate;
use cordboard_models::scripted::{ScriptedLanguageModel, ScriptedSynthesizer};
use cordboard_models::speech::Intent;

use super::*;
use crate::shell::mailbox::{SeatId, ToWorker};

/// The most that a test waits for an event that has to come.
const WITHIN: Duration = Duration::from_secs(30);
const TEXT: &str = "Your parcel is out - it comes today. Thank you for your call.";

/// How a voice goes wrong after so many words of a sentence.
#[derive(Clone, Copy, Debug)]
enum Way {
    Fails,
    Panics,
    /// Blocks until the test lets it go.
    Stops,
}

/// Gives a piece for each word until it goes wrong.
struct Failing {
    way: Way,
    after: usize,
    go: Receiver<()>,
}

fn failing(way: Way, after: usize) -> (Box<dyn Synthesizer>, Sender<()>) {
    let (release, go) = bounded(1);
    (Box::new(Failing { way, after, go }), release)
}

impl Synthesizer for Failing {
    fn speak(&mut self, _: &SpeechRequest) -> Result<Speech, EngineFault> {
        Err(EngineFault::ModelFailed { engine: "failing", why: "as told".to_owned() })
    }

    fn speak_into(
        &mut self,
        request: &SpeechRequest,
        take: &mut dyn FnMut(Speech) -> bool,
    ) -> Result<(), EngineFault> {
        let sounding = request.text.split_whitespace().filter(|word| *word != "-");
        for (index, word) in sounding.enumerate() {
            if index >= self.after {
                match self.way {
                    Way::Fails => return self.speak(request).map(|_| ()),
                    Way::Panics => panic!("as told"),
                    Way::Stops => {
                        let _ = self.go.recv_timeout(WITHIN);
                    }
                }
            }
            let piece = SpeechRequest { text: Arc::from(word), ..request.clone() };
            if !take(ScriptedSynthesizer.speak(&piece)?) {
                return Ok(());
            }
        }
        Ok(())
    }
}

struct Room {
    voices: Voices,
    reply: ReplyTo,
    letters: Receiver<ToWorker>,
    failed_over: std::cell::RefCell<Vec<(EngineRole, u32)>>,
}

fn room(voices: Vec<Box<dyn Synthesizer>>, languages: Vec<Box<dyn LanguageModel>>) -> Room {
    let mut threads = Vec::new();
    let voices = Voices::start(vec![VoiceLineup { voices, languages }], &mut threads);
    let (worker, letters) = crossbeam_channel::unbounded();
    let (reply, failed_over) =
        (ReplyTo { worker: worker.into(), seat: SeatId(1) }, Default::default());
    Room { voices, reply, letters, failed_over }
}

fn request(text: &str) -> SpeechRequest {
    SpeechRequest { text: Arc::from(text), rate: SampleRate::NARROW, stretch: 1.0 }
}

impl Room {
    fn speak(&self, job: u32, text: &str) -> Wanted {
        self.voices.speak(JobId(job), request(text), self.reply.clone()).expect("room in the queue")
    }

    fn next(&self) -> Input<'static> {
        loop {
            match self.letters.recv_timeout(WITHIN).expect("an answer") {
                ToWorker::Give(SeatId(1), Input::FailedOver { role, engine, .. }) => {
                    self.failed_over.borrow_mut().push((role, engine));
                }
                ToWorker::Give(SeatId(1), input) => return input,
                other => panic!("{other:?}"),
            }
        }
    }

    /// The words given for a job, and why it ended early if it did.
    fn words(&self, wanted: u32) -> (Vec<String>, Option<String>) {
        let mut words = Vec::new();
        loop {
            match self.next() {
                Input::Spoken { job, speech, last } => {
                    assert_eq!(job, JobId(wanted));
                    words.extend(speech.words.iter().map(|word| word.text.to_string()));
                    if last {
                        return (words, None);
                    }
                }
                Input::Refused { job, why } => {
                    assert_eq!(job, JobId(wanted));
                    return (words, Some(why));
                }
                other => panic!("{other:?}"),
            }
        }
    }
}

fn sounding() -> Vec<&'static str> {
    TEXT.split_whitespace().filter(|word| *word != "-").collect()
}

#[test]
fn where_a_voice_goes_wrong_within_a_sentence_the_next_goes_on_at_the_next_word() {
    for way in [Way::Fails, Way::Panics, Way::Stops] {
        for after in [0, 1, 4, 6] {
            let (first, release) = failing(way, after);
            let room = room(vec![first, Box::new(ScriptedSynthesizer)], Vec::new());
            let began = clock::monotonic();
            room.speak(7, TEXT);
            let (words, why) = room.words(7);
            let took_ms = (clock::monotonic() - began).as_millis();
            println!("{way:?} after {after} words: all spoken in {took_ms} ms");
            let words: Vec<&str> =
                words.iter().map(String::as_str).filter(|word| *word != "-").collect();
            assert_eq!((words, why), (sounding(), None), "nothing is missing, nothing said twice");
            assert_eq!(*room.failed_over.borrow(), [(EngineRole::Synthesizer, 0)]);
            drop(release);
        }
    }
}

#[test]
fn a_text_that_no_voice_can_speak_is_refused_behind_what_was_spoken() {
    let (voice, _release) = failing(Way::Fails, 2);
    let room = room(vec![voice], Vec::new());
    room.speak(7, TEXT);
    let (words, why) = room.words(7);
    assert_eq!(words, ["Your", "parcel"]);
    assert!(why.expect("a reason").contains("as told"));
    room.speak(8, " ");
    assert_eq!(room.words(8).1.as_deref(), Some("nothing to say"));
}

#[test]
fn a_text_that_is_called_off_stops_and_the_next_is_spoken() {
    let (voice, release) = failing(Way::Stops, 2);
    let room = room(vec![voice], Vec::new());
    let wanted = room.speak(7, TEXT);
    for _ in 0..2 {
        assert!(matches!(room.next(), Input::Spoken { job: JobId(7), last: false, .. }));
    }
    wanted.cancel();
    release.send(()).unwrap();
    room.speak(8, "Thanks.");
    assert_eq!(room.words(8), (vec!["Thanks.".to_owned()], None));
}

/// Gives up, or asks for time.
struct Dumb(Option<Duration>, Arc<std::sync::atomic::AtomicUsize>);

impl LanguageModel for Dumb {
    fn rank(&mut self, _: &str, _: &[Intent]) -> Result<Vec<Ranked>, EngineFault> {
        self.1.fetch_add(1, Ordering::Relaxed);
        Err(match self.0 {
            Some(retry_after) => EngineFault::Busy { engine: "dumb", retry_after },
            None => EngineFault::ModelFailed { engine: "dumb", why: "as told".to_owned() },
        })
    }
}

#[test]
fn where_a_language_model_gives_up_the_next_ranks_and_one_that_asks_for_time_gets_it() {
    let asked = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let dumb = Dumb(Some(Duration::from_secs(600)), asked.clone());
    let scripted = ScriptedLanguageModel::new([("parcel", "status")]);
    let room = room(Vec::new(), vec![Box::new(dumb), Box::new(scripted)]);
    let intent = Intent { name: Arc::from("status"), examples: Vec::new() };
    for id in 1..=3 {
        let intents = Arc::from([intent.clone()]);
        let question = RankRequest { id, said: "parcel".to_owned(), intents };
        assert!(room.voices.rank(question, room.reply.clone()));
        match room.next() {
            Input::Ranked { request, ranked } => {
                assert_eq!((request, &*ranked[0].name), (id, "status"));
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(asked.load(Ordering::Relaxed), 1);
    assert_eq!(*room.failed_over.borrow(), [(EngineRole::LanguageModel, 0)]);
}

#[test]
fn where_every_language_model_gives_up_nothing_is_ranked() {
    let room = room(Vec::new(), vec![Box::new(Dumb(None, Arc::default()))]);
    let question = RankRequest { id: 1, said: "parcel".to_owned(), intents: Arc::from([]) };
    assert!(room.voices.rank(question, room.reply.clone()));
    assert!(matches!(room.next(), Input::Ranked { request: 1, ranked } if ranked.is_empty()));
}
