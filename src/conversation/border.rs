//! What goes into the conversation and what comes out of it.

use std::sync::Arc;

use cordboard_audio::MediaTime;
use cordboard_models::speech::{AnswerEvent, Expectation, Intent, Ranked};
use serde_json::Value;

use super::AnswerOrder;
use crate::timeline::{ActionFact, SlotFact, ToolVerdict, Trigger, What};
use crate::turn::TurnEvent;

/// What the conversation is told.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// The caller's media is up; the date and time are the company's, for business hours.
    Began {
        /// Local date and time at the ring.
        local: jiff::civil::DateTime,
    },
    /// The floor changed hands, or nobody took it.
    Turn(TurnEvent),
    /// The caller pressed a key.
    Keyed {
        /// 0-9, *, #, A-D.
        digit: char,
    },
    /// A prompt ended, whole or cut.
    PromptEnded {
        /// Which.
        prompt: PromptId,
        /// What the caller has been played of it.
        heard: Heard,
    },
    /// No voice could speak a prompt to its end; its `PromptEnded` follows.
    Unspoken {
        /// Which.
        prompt: PromptId,
    },
    /// A tool's invocation ended; comes exactly once for each, however late.
    ToolAnswered {
        /// Which.
        invocation: u32,
        /// With what.
        outcome: ToolOutcome,
    },
    /// The language model ranked the intents; empty where it gave up.
    Ranked {
        /// Which request.
        request: u32,
        /// Best first.
        ranked: Vec<Ranked>,
    },
    /// The language model gave a part of its answer.
    Answered {
        /// Which order.
        order: u32,
        /// The part.
        event: AnswerEvent,
    },
    /// The language model gave up on an answer, or was not asked at all; what it gave stands.
    AnswerFailed {
        /// Which order.
        order: u32,
        /// Why, for the timeline.
        why: String,
    },
    /// The caller asked for a human by a button.
    WantsPerson,
    /// No agent came; the assistant has the caller again.
    NobodyCame,
    /// The agent had the caller and is gone; the assistant has the caller again.
    AgentLeft,
    /// The deadline of [`Output::Wait`] passed.
    Timeout,
}

/// What the conversation wants; drain until `Wait`.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// To be done, in order.
    Move(Move),
    /// To be written on the timeline.
    Note(What),
    /// Nothing more until an input comes, or this time passes.
    Wait(Option<MediaTime>),
}

/// A move of the assistant.
#[derive(Clone, Debug, PartialEq)]
pub enum Move {
    /// Say it after what is queued; the caller is not asked anything.
    Say(Prompt),
    /// Say it after what is queued, and listen for the expectation (from now on, over it too where
    /// it may be interrupted).
    Ask(Prompt, Arc<Expectation>),
    /// Listen for the expectation from now on; what is queued is said, and nothing is asked.
    Listen(Arc<Expectation>),
    /// Call a tool. An effect: never cancelled.
    Invoke(Invocation),
    /// Rank intents for words that no phrase matched.
    Rank(RankRequest),
    /// Let the language model answer.
    Answer(AnswerOrder),
    /// The answer of that order is not wanted any more.
    DropAnswer(u32),
    /// Hand over to a human; nothing is said or asked until `NobodyCame` or
    /// `AgentLeft`.
    Escalate {
        /// Which rule fired.
        trigger: Trigger,
        /// Why, in words.
        reason: String,
        /// The queue.
        queue: String,
    },
    /// Hang up when what is queued has been played.
    Hangup,
}

/// Number of a prompt in its call, counted from 1 by the conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PromptId(pub u32);

/// Something to say.
#[derive(Clone, Debug, PartialEq)]
pub struct Prompt {
    /// Its number.
    pub id: PromptId,
    /// The text, with all variables filled in.
    pub text: Arc<str>,
    /// What may stop it.
    pub interruptible: Interruptible,
    /// Length against normal, as in a `SpeechRequest`: above 1 is slower.
    pub stretch: f32,
}

/// What may stop a prompt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interruptible {
    /// Speech and keys.
    Yes,
    /// Keys alone.
    ByKeys,
    /// Nothing: legal text.
    No,
}

/// What the caller has been played of a prompt.
#[derive(Clone, Debug, PartialEq)]
pub struct Heard {
    /// The words played.
    pub text: String,
    /// The words not played; empty where it was whole.
    pub unsaid: String,
}

/// A call of a tool.
#[derive(Clone, Debug, PartialEq)]
pub struct Invocation {
    /// Number of it in the call, from 1.
    pub id: u32,
    /// Tool's name in the flow.
    pub tool: Arc<str>,
    /// Idempotency key: of call, step and arguments.
    pub key: String,
    /// Arguments by name, as the templates of the tool take them.
    pub arguments: Value,
}

/// How an invocation ended.
#[derive(Clone, Debug, PartialEq)]
pub struct ToolOutcome {
    /// The verdict.
    pub verdict: ToolVerdict,
    /// The result; null where there is none.
    pub result: Value,
    /// How long it took, ms.
    pub took_ms: u64,
}

/// A question to the language model.
#[derive(Clone, Debug, PartialEq)]
pub struct RankRequest {
    /// Number of it in the call, from 1.
    pub id: u32,
    /// What was said.
    pub said: String,
    /// Among these; shared with the flow.
    pub intents: Arc<[Intent]>,
}

/// What the conversation knows of the caller's case, for the context packet.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Case {
    /// What the caller wants, in the caller's own words.
    pub stated_issue: String,
    /// What it was taken for.
    pub intent: Option<String>,
    /// How sure, 0 to 1.
    pub confidence: f32,
    /// What is known.
    pub slots: Vec<SlotFact>,
    /// What was done.
    pub actions: Vec<ActionFact>,
    /// What is settled.
    pub resolved: Vec<String>,
    /// What is not.
    pub unresolved: Vec<String>,
    /// Whether a message was taken.
    pub message_taken: bool,
}
