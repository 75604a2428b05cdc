//! What to say and do next: a flow, run as a pure state machine.
//!
//! [`Flow`] is what a company wrote; [`Conversation`] runs it for one call. Turn events, keys and
//! the results of tools go in by `handle_input`; moves, notes for the timeline and the next
//! deadline come out of `poll_output`. Deliberately absent: clocks, randomness, I/O, sound, the
//! floor (`turn`), and what a hand-over does (`escalation`).

mod answer;
mod border;
mod correction;
mod course;
pub mod flow;
mod hearing;
mod keys;
mod log;
mod machine;
mod memory;
mod phrases;
mod repair;
mod understand;
pub mod values;
mod voice;

pub use answer::AnswerOrder;
pub use border::{
    Case, Heard, Input, Interruptible, Invocation, Move, Output, Prompt, PromptId, RankRequest,
    ToolOutcome,
};
pub use flow::{Flow, FlowFault, Tool, ToolRequest};
pub use machine::Conversation;

/// Why the conversation refused an input or a request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConversationError {
    /// An input came before `Began`, or `Began` came twice.
    #[error("input out of order: {what}")]
    ApiMisuse {
        /// Which.
        what: &'static str,
    },
    /// A template of the flow could not be filled.
    #[error("flow is faulty at `{what}`: {why}")]
    FlowFaulty {
        /// The template or tool.
        what: String,
        /// What the template's engine said.
        why: String,
    },
}
