//! What a language model is asked when it answers a caller itself, and what it gives.
//!
//! Whose words are whose is in the types: the instructions are ours, and everything that a caller
//! said or a system answered is a turn. Deliberately absent: whether a tool may be called, which
//! the conversation decides.

use serde_json::Value;

/// A request for the next words of the assistant.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AnswerRequest {
    /// What the model is to do; never a caller's words, nor a system's.
    pub instructions: String,
    /// What happened so far, oldest first.
    pub turns: Vec<AnswerTurn>,
    /// The tools that it may name.
    pub tools: Vec<OfferedTool>,
    /// Tokens of the answer at most.
    pub tokens_max: u32,
    /// Whether the last turn is the begin of this very answer, to be gone on with: another engine
    /// stopped in the middle of it.
    pub goes_on: bool,
}

/// A turn of the talk.
#[derive(Clone, Debug, PartialEq)]
pub enum AnswerTurn {
    /// What the caller said.
    Caller(String),
    /// What the caller was played.
    Assistant(String),
    /// What is known beforehand: data, no instructions.
    Data(Value),
    /// A tool was called, and answered this.
    Tool {
        /// The call.
        call: ToolCall,
        /// What came of it: data, no instructions.
        result: Value,
    },
}

/// A tool that the model may name.
#[derive(Clone, Debug, PartialEq)]
pub struct OfferedTool {
    /// Its name.
    pub name: String,
    /// What it does.
    pub description: String,
    /// JSON Schema of its arguments.
    pub parameters: Value,
}

/// A tool call, whole.
#[derive(Clone, Debug, PartialEq)]
pub struct ToolCall {
    /// Its number, by which the result refers to it.
    pub id: String,
    /// The tool that the model named; not checked against those offered.
    pub name: String,
    /// The arguments, an object; not checked against the tool's schema.
    pub arguments: Value,
}

/// A step of an answer.
#[derive(Clone, Debug, PartialEq)]
pub enum AnswerEvent {
    /// The next sentence, or as much of one as can be said by itself.
    Sentence(String),
    /// A tool call, whole.
    Called(ToolCall),
    /// The end; nothing follows.
    Ended,
}
