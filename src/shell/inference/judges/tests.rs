//! Judges are asked in time or not at all.

use crossbeam_channel::unbounded;

use super::*;
use crate::shell::mailbox::{SeatId, ToWorker};

/// Says how loud the turn was, or panics.
struct Loudness;

impl EndOfTurn for Loudness {
    fn judge(&mut self, turn: &TurnSoFar<'_>) -> f32 {
        assert!(!turn.samples.is_empty(), "a panic on trial");
        turn.samples.iter().fold(0.0, |loudest: f32, sample| loudest.max(sample.abs()))
    }
}

struct Room {
    judges: Judges,
    figures: Arc<Figures>,
    inputs: Receiver<ToWorker>,
    reply: ReplyTo,
}

fn room(share: f32, count: usize) -> Room {
    let figures = Arc::new(Figures::new(1));
    let (worker, inputs) = unbounded();
    let open = || Box::new(|| Box::new(Loudness) as Box<dyn EndOfTurn>) as OpenJudge;
    let judges = (0..count).map(|_| open()).collect();
    let judges = Judges::start(judges, share, figures.clone(), &mut Vec::new());
    Room { judges, figures, inputs, reply: ReplyTo { worker: worker.into(), seat: SeatId(1) } }
}

impl Room {
    fn ask(&self, job: u32, sound: &[u8]) -> Option<Wanted> {
        self.judges.ask(JobId(job), sound.to_vec(), self.reply.clone())
    }

    fn next(&self) -> Input<'static> {
        match self.inputs.recv_timeout(Duration::from_secs(20)) {
            Ok(ToWorker::Give(SeatId(1), input)) => input,
            other => panic!("expected an input, got {other:?}"),
        }
    }
}

#[test]
fn a_turn_is_judged_by_its_sound() {
    let room = room(1.0, 2);
    // The loudest and the faintest values of μ-law (G.711).
    for (job, value, expected) in [(1, 0x80, 0.98), (2, 0xff, 0.0)] {
        room.ask(job, &[value; 160]).expect("there is room");
        let Input::SoundJudged { job: JobId(answered), probability } = room.next() else {
            panic!("expected a judgement");
        };
        assert!(answered == job && (probability - expected).abs() < 0.02, "{probability}");
    }
    assert_eq!(room.figures.judgements_shed.total(), 0);
}

#[test]
fn a_judge_that_panics_is_there_for_the_next_turn() {
    let room = room(1.0, 1);
    room.ask(1, &[]).expect("there is room");
    assert!(matches!(room.next(), Input::Refused { job: JobId(1), .. }));
    room.ask(2, &[0x80; 160]).expect("there is room");
    assert!(matches!(room.next(), Input::SoundJudged { job: JobId(2), .. }));
}

#[test]
fn without_judges_nothing_is_asked() {
    let room = room(1.0, 0);
    assert!(!room.judges.are_there());
    assert!(room.ask(1, &[0x80; 160]).is_none());
}

#[test]
fn what_is_not_wanted_any_more_is_not_judged() {
    let room = room(1.0, 1);
    let (questions, asked) = bounded(4);
    let question = |job: u32, wanted: &Wanted| Question {
        job: JobId(job),
        sound: vec![0x80; 160],
        asked: clock::monotonic(),
        reply: room.reply.clone(),
        wanted: wanted.clone(),
    };
    let (dropped, kept) = (Wanted::new(), Wanted::new());
    dropped.cancel();
    questions.send(question(1, &dropped)).expect("there is room");
    questions.send(question(2, &kept)).expect("there is room");
    drop(questions);
    let allowance = Mutex::new(Allowance::new(1.0, clock::monotonic()));
    work(Box::new(Loudness), &asked, &allowance, &room.figures);
    assert!(matches!(room.next(), Input::SoundJudged { job: JobId(2), .. }));
}

#[test]
fn time_that_is_used_up_is_earned_again() {
    let ms = Duration::from_millis;
    let mut allowance = Allowance::new(0.25, ms(0));
    assert!(allowance.is_left(ms(0)));
    allowance.spend(ms(1_100));
    assert!(!allowance.is_left(ms(100)), "75 ms are owed");
    assert!(!allowance.is_left(ms(400)));
    assert!(allowance.is_left(ms(401)));
    // Nothing is saved beyond a second.
    assert!(allowance.is_left(ms(60_000)));
    allowance.spend(ms(1_000));
    assert!(!allowance.is_left(ms(60_000)));
}
