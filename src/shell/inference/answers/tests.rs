//! What a call is given while language models fail in the middle of an answer.

use std::time::Duration;

use cordboard_models::speech::GiveAnswer;
use crossbeam_channel::Receiver;

use super::*;
use crate::shell::mailbox::{SeatId, ToWorker};

/// The most that a test waits for an event that has to come.
const WITHIN: Duration = Duration::from_secs(30);

type Parts = Vec<Result<AnswerEvent, EngineFault>>;

/// Gives its parts at once, and keeps what it was asked; says when it is called off.
struct Scripted {
    parts: Parts,
    asked: Arc<Mutex<Vec<Arc<AnswerRequest>>>>,
    ended: crossbeam_channel::Sender<()>,
}

struct UnderWay(crossbeam_channel::Sender<()>);

impl Drop for UnderWay {
    fn drop(&mut self) {
        let _ = self.0.send(());
    }
}

impl Answerer for Scripted {
    fn answer(&self, request: Arc<AnswerRequest>, mut give: GiveAnswer) -> Box<dyn Send> {
        self.asked.lock().unwrap().push(request);
        for part in &self.parts {
            give(match part {
                Ok(event) => Ok(event.clone()),
                Err(fault) => {
                    let why = fault.to_string();
                    Err(EngineFault::ModelFailed { engine: "scripted", why })
                }
            });
        }
        Box::new(UnderWay(self.ended.clone()))
    }
}

fn says(text: &str) -> Result<AnswerEvent, EngineFault> {
    Ok(AnswerEvent::Sentence(text.to_owned()))
}

fn fails() -> Result<AnswerEvent, EngineFault> {
    Err(EngineFault::ModelFailed { engine: "scripted", why: "as told".to_owned() })
}

struct Room {
    answers: Answers,
    reply: ReplyTo,
    letters: Receiver<ToWorker>,
    asked: Arc<Mutex<Vec<Arc<AnswerRequest>>>>,
    ended: Receiver<()>,
}

fn room(engines: Vec<Parts>) -> Room {
    let asked = Arc::default();
    let (end, ended) = crossbeam_channel::unbounded();
    let engine = |parts| {
        let (asked, ended) = (Arc::clone(&asked), end.clone());
        Box::new(Scripted { parts, asked, ended }) as Box<dyn Answerer>
    };
    let answers = Answers::new(engines.into_iter().map(engine).collect());
    let (worker, letters) = crossbeam_channel::unbounded();
    Room {
        answers,
        reply: ReplyTo { worker: worker.into(), seat: SeatId(1) },
        letters,
        asked,
        ended,
    }
}

impl Room {
    fn begin(&self) -> Result<Running, &'static str> {
        self.answers.begin(JobId(7), Arc::default(), self.reply.clone())
    }

    /// What the call was given so far.
    fn given(&self) -> Vec<String> {
        let line = |letter| match letter {
            ToWorker::Give(_, Input::Answered { event: AnswerEvent::Sentence(text), .. }) => text,
            ToWorker::Give(_, Input::Answered { event, .. }) => format!("{event:?}"),
            ToWorker::Give(_, Input::FailedOver { engine, .. }) => format!("over {engine}"),
            ToWorker::Give(_, Input::Refused { why, .. }) => why,
            other => format!("{other:?}"),
        };
        self.letters.try_iter().map(line).collect()
    }
}

#[test]
fn the_next_engine_goes_on_and_knows_what_was_given() {
    let room = room(vec![
        vec![says("It is out."), fails(), says("Late.")],
        vec![says("It comes today."), Ok(AnswerEvent::Ended)],
    ]);
    let running = room.begin().unwrap();
    assert_eq!(room.given(), ["It is out.", "over 0", "It comes today.", "Ended"]);
    let asked = room.asked.lock().unwrap();
    assert!(!asked[0].goes_on && asked[1].goes_on);
    assert_eq!(asked[1].turns, [AnswerTurn::Assistant("It is out.".to_owned())]);
    assert_eq!(room.answers.under_way(), 0);
    drop(running);
    assert_eq!(room.answers.under_way(), 0, "it has ended once");
}

#[test]
fn where_all_fail_the_call_is_told_once_and_where_there_is_none_it_is_refused() {
    let all = room(vec![vec![fails()], vec![fails()]]);
    let _running = all.begin().unwrap();
    assert_eq!(all.given(), ["over 0", "scripted gave up: scripted gave up: as told"]);
    assert_eq!(room(vec![]).begin().err(), Some("no language model answers here"));
}

#[test]
fn an_engine_that_has_failed_is_left_alone_by_the_next_answer() {
    let room = room(vec![vec![fails()], vec![says("Yes."), Ok(AnswerEvent::Ended)]]);
    drop(room.begin());
    drop(room.begin());
    assert_eq!(room.given(), ["over 0", "Yes.", "Ended", "Yes.", "Ended"]);
}

#[test]
fn an_answer_that_is_dropped_is_called_off_and_makes_room() {
    let room = room(vec![vec![says("It is out.")]]);
    let mut running: Vec<Running> = (0..ANSWERS_MAX).map(|_| room.begin().unwrap()).collect();
    assert_eq!(room.begin().err(), Some("the language models are busy"));
    drop(running.pop());
    room.ended.recv_timeout(WITHIN).expect("its engine is called off");
    assert!(room.ended.try_recv().is_err(), "and no other");
    assert_eq!(room.answers.under_way(), ANSWERS_MAX - 1);
    assert!(room.begin().is_ok());
}
