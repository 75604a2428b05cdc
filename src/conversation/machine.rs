//! The conversation as a state machine: inputs, outputs, deadlines.
//!
//! ```text
//! Fresh ──Began──► Listening ──words──► Listening, Ranking, Calling, Away, Over
//!                  Ranking ──Ranked, Timeout──► as Listening
//!                  Calling ──ToolAnswered, Timeout──► Listening | Calling | Away | Over
//!                  Answering ──Answered, Timeout──► Listening | Calling | Away | Over
//!                  Away ──NobodyCame──► Listening (for a message)
//! ```
//!
//! What each input means in a state is in `hearing` (words), `keys`, `course` (steps and tools),
//! `answer` (talks with the language model) and `repair` (silences, misunderstandings, escalation,
//! the end).

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use cordboard_audio::MediaTime;
use jiff::SignedDuration;
use jiff::civil::DateTime;

use super::answer::{Answering, Talk};
use super::flow::Flow;
use super::log::Log;
use super::memory::Memory;
use super::repair::Repairs;
use super::values::SlotValue;
use super::voice::Voice;
use super::{Case, ConversationError, Input, Move, Output, PromptId};
use crate::turn::TurnEvent;

/// A caller's conversation with the assistant.
#[derive(Clone, Debug)]
pub struct Conversation {
    pub(super) flow: Arc<Flow>,
    pub(super) call_id: String,
    pub(super) caller: String,
    pub(super) outputs: VecDeque<Output>,
    pub(super) state: State,
    pub(super) memory: Memory,
    pub(super) task: Option<Task>,
    pub(super) voice: Voice,
    pub(super) repairs: Repairs,
    /// Time of the input in hand.
    pub(super) now: MediaTime,
    /// Number of the last request to the language model.
    pub(super) ranked: u32,
    /// What was said.
    pub(super) log: Log,
    /// The talk that the language model leads, where one is.
    pub(super) talk: Option<Talk>,
    /// Number of the last order of an answer.
    pub(super) asked_model: u32,
    /// The order that the model is at.
    pub(super) with_model: Option<u32>,
    /// Calls of tools that the model was told of.
    pub(super) calls_told: u32,
    /// Whether a hand-over failed, so that another is not worth trying.
    pub(super) nobody_came: bool,
    /// How often a message was asked for.
    pub(super) messages_asked: u32,
    /// Why the flow could not go on, until it has been dealt with.
    pub(super) faulty: Option<ConversationError>,
    began: Option<(MediaTime, DateTime)>,
}

/// Where the conversation is.
#[derive(Clone, Debug)]
pub(super) enum State {
    /// Nothing was said yet.
    Fresh,
    /// A question stands.
    Listening(Question),
    /// The language model ranks what was said.
    Ranking(Ranking),
    /// A tool runs.
    Calling(Calling),
    /// The language model answers.
    Answering(Answering),
    /// A human takes over.
    Away,
    /// Goodbye was said.
    Over,
}

/// A question that stands.
#[derive(Clone, Debug)]
pub(super) struct Question {
    pub(super) topic: Topic,
    /// Its wording, for saying it again.
    pub(super) text: Arc<str>,
    /// Keys pressed so far.
    pub(super) keyed: String,
    /// When the keys are taken for all.
    pub(super) keys_end: Option<MediaTime>,
    /// What asks it; where nothing does, the caller was talking anyway.
    pub(super) prompt: Option<PromptId>,
    /// Whether no voice could ask it.
    pub(super) unheard: bool,
}

impl Question {
    /// What the caller answers who speaks or keys into an answer of the model: nobody asked.
    pub(super) fn talk() -> Self {
        let (text, keyed) = (Arc::from(""), String::new());
        Self { topic: Topic::Talk, text, keyed, keys_end: None, prompt: None, unheard: false }
    }
}

/// What a question is about.
#[derive(Clone, Debug)]
pub(super) enum Topic {
    /// "How can I help?"
    Menu,
    /// "Is there anything else?"
    More,
    /// The value of a slot.
    Slot(String),
    /// Whether the value of a slot is right.
    Confirm(String),
    /// Whether an intent was meant.
    Meant(Meant),
    /// Whatever the language model is to answer.
    Talk,
    /// Whether a tool may be called that the language model wants.
    Consent,
    /// A message, for when nobody came.
    Message,
}

/// An intent that was perhaps meant.
#[derive(Clone, Debug)]
pub(super) struct Meant {
    pub(super) intent: String,
    pub(super) slots: Vec<(String, SlotValue)>,
    /// How sure the intent is.
    pub(super) confidence: f32,
    /// How sure the words were, and with them the slots.
    pub(super) heard: f32,
    pub(super) said: String,
}

/// Words with the language model.
#[derive(Clone, Debug)]
pub(super) struct Ranking {
    pub(super) request: u32,
    pub(super) said: String,
    pub(super) question: Question,
    pub(super) deadline: MediaTime,
}

/// A tool that runs.
#[derive(Clone, Debug)]
pub(super) struct Calling {
    pub(super) invocation: u32,
    pub(super) deadline: MediaTime,
}

/// What is being done for the caller.
#[derive(Clone, Debug)]
pub(super) struct Task {
    pub(super) intent: String,
    /// Index of the step that is next.
    pub(super) step: usize,
    /// Whether the step's words have been said.
    pub(super) said: bool,
    /// How often each step was jumped to.
    pub(super) jumps: Vec<u8>,
}

impl Conversation {
    /// Makes a conversation; it says nothing before `Input::Began`.
    ///
    /// `caller` is the address as signalled; `seed` decides where the wordings that vary begin.
    #[must_use]
    pub fn new(flow: Arc<Flow>, call_id: &str, caller: &str, seed: u64) -> Self {
        Self {
            flow,
            call_id: call_id.to_owned(),
            caller: caller.to_owned(),
            outputs: VecDeque::new(),
            state: State::Fresh,
            memory: Memory::default(),
            task: None,
            voice: Voice::new(seed),
            repairs: Repairs::default(),
            now: MediaTime::ZERO,
            ranked: 0,
            log: Log::default(),
            talk: None,
            asked_model: 0,
            with_model: None,
            calls_told: 0,
            nobody_came: false,
            messages_asked: 0,
            faulty: None,
            began: None,
        }
    }

    /// Takes one input; what it led to is in `poll_output`.
    ///
    /// # Errors
    /// `ApiMisuse` for an input before `Began`, and for a second `Began`.
    pub fn handle_input(&mut self, now: MediaTime, input: Input) -> Result<(), ConversationError> {
        self.now = self.now.max(now);
        match (&self.state, input) {
            (State::Fresh, Input::Began { local }) => {
                self.began = Some((now, local));
                self.greet();
            }
            (State::Fresh, _) => {
                return Err(ConversationError::ApiMisuse { what: "nothing comes before `Began`" });
            }
            (_, Input::Began { .. }) => {
                return Err(ConversationError::ApiMisuse { what: "`Began` comes once" });
            }
            (_, Input::PromptEnded { prompt, heard }) => {
                if heard.unsaid.is_empty() && !heard.text.is_empty() {
                    self.repairs.unspoken = 0;
                }
                self.log.heard(prompt, &heard.text);
                self.voice.ended(prompt, heard);
            }
            (_, Input::ToolAnswered { invocation, outcome }) => {
                self.tool_answered(invocation, &outcome);
            }
            (State::Over, _) => {}
            (_, Input::Unspoken { prompt }) => self.unspoken(prompt),
            (_, Input::Turn(event)) => self.turned(event),
            (_, Input::Keyed { digit }) => self.keyed(digit),
            (_, Input::Ranked { request, ranked }) => self.was_ranked(request, &ranked),
            (_, Input::Answered { order, event }) => self.answer_came(order, event),
            (_, Input::AnswerFailed { order, why }) => self.answer_failed(order, &why),
            (State::Away, Input::WantsPerson) => {}
            (_, Input::WantsPerson) => self.asked_for_agent(),
            (_, Input::NobodyCame) => self.nobody_came(),
            (_, Input::AgentLeft) => self.agent_left(),
            (_, Input::Timeout) => self.timed_out(),
        }
        self.own_up();
        self.settle_model();
        Ok(())
    }

    /// Calls the model off where its answer is not waited for any more.
    fn settle_model(&mut self) {
        let Some(order) = self.with_model else { return };
        if !matches!(&self.state, State::Answering(answering) if answering.request == order) {
            self.with_model = None;
            self.outputs.push_back(Output::Move(Move::DropAnswer(order)));
        }
    }

    /// Gives the next output; drain until [`Output::Wait`].
    pub fn poll_output(&mut self) -> Output {
        self.outputs.pop_front().unwrap_or_else(|| Output::Wait(self.deadline()))
    }

    /// What is known of the caller's case, for the context packet.
    #[must_use]
    pub fn case(&self) -> Case {
        self.memory.case()
    }

    /// What was said by the assistant, and how much of it the caller has heard, oldest first; the
    /// last fifty prompts.
    pub fn heard(&self) -> impl Iterator<Item = (PromptId, &str)> {
        self.voice.heard()
    }

    /// The company's date and time now.
    pub(super) fn local(&self) -> DateTime {
        let (began, local) = self.began.unwrap_or((MediaTime::ZERO, DateTime::ZERO));
        let passed = SignedDuration::try_from(self.now.since(began)).unwrap_or_default();
        local.saturating_add(passed)
    }

    fn deadline(&self) -> Option<MediaTime> {
        match &self.state {
            State::Listening(question) => question.keys_end,
            State::Ranking(ranking) => Some(ranking.deadline),
            State::Calling(calling) => Some(calling.deadline),
            State::Answering(answering) => Some(answering.deadline()),
            State::Fresh | State::Away | State::Over => None,
        }
    }

    fn turned(&mut self, event: TurnEvent) {
        match event {
            TurnEvent::CallerYielded(utterance) => self.spoken(&utterance),
            TurnEvent::Silence { owed_by, lasting } => self.silent(owed_by, lasting),
            // The floor has already stopped the voice; what was heard comes with `PromptEnded`.
            TurnEvent::Interrupted => self.answer_interrupted(),
            TurnEvent::CallerBegan => {}
        }
    }

    fn timed_out(&mut self) {
        if self.deadline().is_none_or(|deadline| deadline > self.now) {
            return;
        }
        match std::mem::replace(&mut self.state, State::Over) {
            State::Listening(question) => self.keys_done(question),
            State::Ranking(ranking) => self.not_ranked(ranking.question),
            State::Calling(calling) => self.tool_lapsed(calling.invocation),
            State::Answering(answering) => self.answer_due(answering),
            other @ (State::Fresh | State::Away | State::Over) => self.state = other,
        }
    }
}

/// Time from now.
pub(super) fn after(now: MediaTime, ms: u64) -> MediaTime {
    now + Duration::from_millis(ms)
}
