//! What to say and do next.

mod border;

pub use border::{
    Case, Heard, Input, Interruptible, Invocation, Move, Output, Prompt, PromptId, RankRequest,
    ToolOutcome,
};
