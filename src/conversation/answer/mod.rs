//! A talk that the language model leads: one step of a flow, in which the model answers in its own
//! words what the flow gives it.
//!
//! ```text
//! Listening(Talk) ──words──► Answering ──sentences──► said, one by one
//!        ▲                      │ ├──Ended──► Listening(Talk)
//!        │                      │ └──Ended, with tool calls──► Calling ──► Answering
//!        │                      │                         └──► Listening(Consent) ──► Calling
//!        └── interrupted, late, failed once ──┘          failed twice ──► `otherwise`, or a human
//! ```
//!
//! What the caller hears is within bounds whatever the model does: a word after [`FILLER_MS`], the
//! house's own answer after [`FALLBACK_MS`], the end after [`ANSWER_MS`], [`SPEECH_WORDS`] a turn.
//! What the model may do is the flow's to say: `tools` has it. Deliberately absent: engines.

mod plain;
mod request;
mod tools;

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use cordboard_audio::MediaTime;
use cordboard_models::speech::{AnswerEvent, AnswerRequest, ToolCall};

use super::flow::AnswerStep;
use super::machine::{Conversation, State, Topic, after};
use super::{Interruptible, Move, Output};
use crate::timeline::{Trigger, What};

/// From the caller's words to a word that one is at it: with recognition and voice it is heard
/// within 1.0 s of the end of the turn.
const FILLER_MS: u64 = 600;
/// From the caller's words to the house's own answer where the model has none: heard within 2.5 s.
const FALLBACK_MS: u64 = 2_000;
/// An answer takes no longer.
const ANSWER_MS: u64 = 8_000;
/// What is said in one turn, in words, at the usual pace: less than a minute.
const SPEECH_WORDS: f32 = 110.0;
/// Requests in one turn: an answer, and what follows on tools.
const ROUNDS_MAX: u32 = 5;
/// Failures in a row after which a human is brought.
const FAILURES_MAX: u32 = 2;

/// What is known of the talk.
#[derive(Clone, Debug)]
pub(super) struct Talk {
    step: Arc<AnswerStep>,
    /// Turns of the caller.
    turns: u32,
    /// Failures in a row.
    failures: u32,
    turn: Turn,
    /// The call that waits for the caller's yes, or for its tool.
    open: Option<ToolCall>,
    /// The question that stands before it.
    pub(super) consent: Arc<str>,
}

/// What is known of the assistant's present turn.
#[derive(Clone, Debug, Default)]
struct Turn {
    /// Requests to the model.
    rounds: u32,
    /// Words said.
    words: u32,
    /// What was said, for saying it once.
    said: BTreeSet<String>,
    /// Whether a filler was said.
    filled: bool,
    /// Calls that the model wants and that have not been looked at.
    calls: VecDeque<ToolCall>,
    /// Calls that were looked at.
    looked_at: Vec<ToolCall>,
}

/// The model is at it.
#[derive(Clone, Debug)]
pub(super) struct Answering {
    pub(super) request: u32,
    /// Its rules, which it shall not read out.
    rules: String,
    filler_at: Option<MediaTime>,
    /// The first piece, or call, is due then; none once it came.
    fallback_at: Option<MediaTime>,
    ends_at: MediaTime,
}

impl Answering {
    pub(super) fn deadline(&self) -> MediaTime {
        [self.filler_at, self.fallback_at].into_iter().flatten().fold(self.ends_at, Ord::min)
    }
}

/// A request to the language model for an answer.
#[derive(Clone, Debug, PartialEq)]
pub struct AnswerOrder {
    /// Number of it in the call, from 1.
    pub id: u32,
    /// What it is asked.
    pub request: Arc<AnswerRequest>,
}

impl Conversation {
    /// Begins the talk of a step.
    pub(super) fn begin_talk(&mut self, step: &Arc<AnswerStep>) {
        let step = Arc::clone(step);
        let ask = step.text.ask.clone();
        self.talk = Some(Talk {
            step,
            turns: 0,
            failures: 0,
            turn: Turn::default(),
            open: None,
            consent: Arc::from(""),
        });
        if !ask.is_empty() {
            self.ask(Topic::Talk, &ask);
        } else if self.log.has_caller() {
            self.listen_for_talk();
            self.next_turn();
        } else {
            let text = self.flow.file.prompts.go_ahead.clone();
            self.ask(Topic::Talk, &text);
        }
    }

    /// The caller has said something to the model.
    pub(super) fn next_turn(&mut self) {
        let Some(talk) = &mut self.talk else {
            self.talk_is_lost();
            return;
        };
        talk.turn = Turn::default();
        talk.turns += 1;
        let most = talk.step.text.turns_max;
        if talk.turns > most {
            self.leave_talk(Trigger::Rule, format!("the talk took more than {most} turns"));
            return;
        }
        self.voice.forget_answers();
        self.ask_model();
    }

    /// Asks the model for the next words.
    fn ask_model(&mut self) {
        let Some(talk) = &mut self.talk else {
            self.talk_is_lost();
            return;
        };
        talk.turn.rounds += 1;
        if talk.turn.rounds > ROUNDS_MAX {
            self.answer_lacking("it calls tools without end");
            return;
        }
        let step = Arc::clone(&talk.step);
        let silent = talk.turn.words == 0 && !talk.turn.filled;
        let rules = self.instructions(&step);
        let request = self.answer_request(&step, &rules);
        self.asked_model += 1;
        let id = self.asked_model;
        // What new words have overtaken is not wanted any more.
        let overtaken = self.with_model.take().map(Move::DropAnswer);
        self.outputs.extend(overtaken.map(Output::Move));
        self.outputs.push_back(Output::Move(Move::Answer(AnswerOrder { id, request })));
        self.with_model = Some(id);
        self.state = State::Answering(Answering {
            request: id,
            rules,
            filler_at: silent.then(|| after(self.now, FILLER_MS)),
            fallback_at: Some(after(self.now, FALLBACK_MS)),
            ends_at: after(self.now, ANSWER_MS),
        });
    }

    /// The model gave something.
    pub(super) fn answer_came(&mut self, request: u32, event: AnswerEvent) {
        let State::Answering(answering) = &mut self.state else { return };
        if answering.request != request {
            return;
        }
        match event {
            AnswerEvent::Sentence(text) => {
                if self.say_sentence(&text)
                    && let State::Answering(answering) = &mut self.state
                {
                    (answering.filler_at, answering.fallback_at) = (None, None);
                }
            }
            AnswerEvent::Called(call) => {
                (answering.filler_at, answering.fallback_at) = (None, None);
                if let Some(talk) = &mut self.talk {
                    talk.turn.calls.push_back(call);
                }
            }
            AnswerEvent::Ended => {
                self.with_model = None;
                self.answer_ended();
            }
        }
    }

    /// The model has no answer, or not all of it.
    pub(super) fn answer_failed(&mut self, request: u32, why: &str) {
        if matches!(&self.state, State::Answering(answering) if answering.request == request) {
            self.with_model = None;
            self.answer_lacking(why);
        }
    }

    /// A deadline of an answer has passed.
    pub(super) fn answer_due(&mut self, answering: Answering) {
        let passed = |at: Option<MediaTime>| at.is_some_and(|at| at <= self.now);
        let (filler, fallback) = (passed(answering.filler_at), passed(answering.fallback_at));
        let ended = answering.ends_at <= self.now;
        self.state = State::Answering(answering);
        if ended {
            self.answer_ended();
        } else if fallback {
            self.answer_lacking("it did not begin in time");
        } else if filler {
            self.fill_in();
        }
    }

    /// Says that an answer is being thought of; shortly, as the answer waits behind it.
    pub(super) fn fill_in(&mut self) {
        if let State::Answering(answering) = &mut self.state {
            answering.filler_at = None;
        }
        if let Some(talk) = &mut self.talk {
            talk.turn.filled = true;
        }
        self.say_thinking();
    }

    /// The caller has stopped the voice: the rest of the answer is not wanted.
    pub(super) fn answer_interrupted(&mut self) {
        if matches!(self.state, State::Answering(_)) {
            self.listen_for_talk();
        }
    }

    /// Says what of a text can be said and was not yet; whether that was anything.
    fn say_sentence(&mut self, text: &str) -> bool {
        let mut said = false;
        for piece in plain::pieces(text) {
            let State::Answering(answering) = &self.state else { return said };
            let Some(talk) = &mut self.talk else { return said };
            if plain::quotes(&piece, &answering.rules) {
                continue;
            }
            let most = SPEECH_WORDS / self.voice.stretch();
            let words = talk.turn.words + plain::length(&piece);
            if words as f32 > most {
                // It has said enough for one turn.
                self.turn_done();
                return true;
            }
            if !talk.turn.said.insert(plain::folded(&piece)) {
                continue;
            }
            talk.turn.words = words;
            self.voice.add_answer(&piece);
            self.say_text(&piece, Interruptible::Yes);
            said = true;
        }
        said
    }

    /// The answer is over: what it called is done, or the caller has the floor.
    fn answer_ended(&mut self) {
        let Some(talk) = &self.talk else {
            self.talk_is_lost();
            return;
        };
        if !talk.turn.calls.is_empty() {
            self.next_call();
        } else if talk.turn.words == 0 {
            self.answer_lacking("it gave nothing to say");
        } else {
            self.turn_done();
        }
    }

    fn turn_done(&mut self) {
        if let Some(talk) = &mut self.talk {
            talk.failures = 0;
            talk.turn.calls.clear();
        }
        self.repairs.succeeded();
        self.listen_for_talk();
    }

    /// There is no answer: the caller may ask again once; then a human is brought.
    fn answer_lacking(&mut self, why: &str) {
        let Some(talk) = &mut self.talk else {
            self.talk_is_lost();
            return;
        };
        talk.turn.calls.clear();
        talk.open = None;
        talk.failures += 1;
        let (role, words) = ("language_model".to_owned(), why.to_owned());
        self.outputs.push_back(Output::Note(What::EngineFailed { role, why: words }));
        if talk.failures >= FAILURES_MAX {
            let reason = format!("the language model gave no answer: {why}");
            self.leave_talk(Trigger::ToolFailed, reason);
            return;
        }
        let text = self.flow.file.prompts.no_answer.clone();
        self.ask(Topic::Talk, &text);
    }

    /// Goes on outside the talk: where the flow says, or with a human.
    fn leave_talk(&mut self, trigger: Trigger, reason: String) {
        let otherwise = self.talk.take().map(|talk| talk.step.text.otherwise.clone());
        match otherwise.filter(|step| !step.is_empty()) {
            Some(step) => {
                if self.jump(&step) {
                    self.run();
                }
            }
            None => self.escalate(trigger, reason, None),
        }
    }

    fn talk_is_lost(&mut self) {
        self.give_up("a talk is missing");
    }

    /// Listens for the next words to the model; nothing is asked.
    fn listen_for_talk(&mut self) {
        self.ask_text(Topic::Talk, Arc::from(""));
    }
}
