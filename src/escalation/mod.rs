//! When and how a human takes over: the business act from the trigger to a human speaking with
//! the caller, or to the assistant being back. One machine a call, pure (DESIGN.md, "The
//! contract").
//!
//! ```text
//!  trigger ─► Queued ─offer─► Ringing ─answer─► Briefing ─whole─► AwaitingKey ─1─► Joining
//!              ▲ │               │ refused        │  ▲ 3              │ 2, no key      │ tone
//!              └─┼───────────────┴────────────────┴──┴────────────────┘             Bridged
//!                └─ nobody came ─► Idle (the assistant is back) ◄─ the agent hung up ──┘
//!
//!  An agent's leg that breaks, in whatever state, leads back to Queued, with the place kept.
//! ```
//!
//! What each input leads to, by state: Idle, Queued, Ringing, Briefing, awaiting a Key, Joining,
//! Talking (bridged), Parting, Gone. `.` stays, `!` is an error. Inputs that name another dial,
//! speech or context packet than the current one are late, and change nothing. `tests.rs` reads
//! this very table and drives every cell of it.
//!
//! | input           | I | Q | R | B | K | J | T | P | G |
//! |-----------------|---|---|---|---|---|---|---|---|---|
//! | Triggered       | Q | ! | ! | ! | ! | ! | ! | ! | ! |
//! | Announced       | . | . | . | . | . | . | . | . | . |
//! | Offered         | . | R | ! | ! | ! | . | . | . | . |
//! | AgentRinging    | . | . | . | . | . | . | . | . | . |
//! | AgentAnswered   | . | . | B | . | . | . | . | . | . |
//! | AgentRefused    | . | . | Q | Q | Q | I | I | G | . |
//! | AgentLeft       | . | . | Q | Q | Q | I | I | G | . |
//! | AgentLost       | . | . | Q | Q | Q | Q | Q | G | . |
//! | BriefEnded      | . | . | . | K | . | . | . | G | . |
//! | ToneEnded       | . | . | . | . | . | T | . | . | . |
//! | AgentKeyed 1    | . | . | . | J | J | . | . | . | . |
//! | AgentKeyed 2    | . | . | . | Q | Q | . | . | . | . |
//! | AgentKeyed 3    | . | . | . | . | B | . | . | . | . |
//! | AgentKeyed 9    | . | . | . | . | B | . | . | . | . |
//! | PacketFetched   | . | . | . | . | J | . | . | . | . |
//! | NobodyCame      | . | I | I | I | I | . | . | . | . |
//! | CallerLeft      | G | G | G | P | P | P | P | . | . |
//! | due Announcement| . | . | . | . | . | . | . | . | . |
//! | due Comfort     | . | . | . | . | . | . | . | . | . |
//! | due Limit       | . | I | I | . | . | . | . | . | . |
//! | due Ring        | . | . | Q | . | . | . | . | . | . |
//! | due Brief       | . | . | . | K | . | . | . | . | . |
//! | due Key         | . | . | . | . | B | . | . | . | . |
//! | due Tone        | . | . | . | . | . | T | . | . | . |
//! | due Talk        | . | . | . | . | . | . | I | . | . |
//! | due Parting     | . | . | . | . | . | . | . | G | . |
//!
//! **Invariants**: at most one dial at a time; at most one bridge an `Enqueue`; every `Enqueue` is
//! closed by exactly one of `Accepted` (and its `Released` or `Lost`), `Withdraw`, or the desk's
//! `NobodyCame`; after `CallerLeft` comes only what frees the agent and the desk; every state but
//! Idle and Gone has a deadline.
//!
//! Deliberately absent: who is at the desk and whose turn it is (`desk`), legs and sound (`call`).

mod border;
mod bridge;
mod brief;
mod briefing;
mod machine;
mod packet;
mod timers;
mod uui;
mod waiting;

#[cfg(test)]
mod tests;

pub use border::{
    AGENT_GONE, AGENT_LOST, AgentRef, Back, DeskReport, DialId, Error, Input, Output, Refusal,
    Request, Rules, SpeechId, Stage, Wording,
};
pub use brief::{INSTRUCTION, brief, spoken_ms};
pub use machine::Escalation;
pub use packet::{build, schema};
pub use uui::{display_number, user_to_user};
