//! Agents, queues and routing: one machine for all calls, on the control runtime, pure (DESIGN.md,
//! "The contract"). Its `MediaTime` counts from the desk's own beginning, not from a ring.
//!
//! A call in a queue:
//!
//! ```text
//!            ┌────────── refused ───────────┐
//!            ▼                              │
//!  Enqueued ─► Waiting ── an agent free ─► Offered ── accepted ──► (the agent talks)
//!              │  ▲  │                      │
//!    all asked │  │  │ limit, rounds,       │ not a word for long
//!              ▼  │  ▼ nobody on duty       ▼
//!             Pausing ─ limit ─► NobodyCame ◄┘        Withdrawn ends it anywhere
//! ```
//!
//! An agent: `.` stays. A pause never interrupts: who is offered or talks goes on, and gets no
//! further offer. `tests.rs` reads this table and drives every cell of it.
//!
//! | input           | Free    | Offered | Talking | Resting |
//! |-----------------|---------|---------|---------|---------|
//! | Enqueued        | Offered | .       | .       | .       |
//! | Declined        | .       | Free    | .       | .       |
//! | NoAnswer        | .       | Resting | .       | .       |
//! | Accepted        | Talking | Talking | .       | Talking |
//! | Released        | .       | .       | Resting | .       |
//! | Lost            | .       | .       | Resting | .       |
//! | Withdrawn       | .       | Free    | Resting | .       |
//! | AgentPaused     | .       | .       | .       | .       |
//! | AgentResumed    | .       | .       | .       | .       |
//! | Timeout         | .       | Resting | Resting | Free    |
//!
//! (Without a wrap-up, `Released` leads to Free. A late `Accepted` still counts, as the call knows
//! better than the desk who is on the phone.)
//!
//! **Invariants**: an agent is offered to one call at a time and never while on one; a call is
//! offered to one agent at a time; of the calls that could take a freed agent, the one of the
//! highest priority that has waited longest is offered; every call that is enqueued is answered by
//! an `Offer` or by `NobodyCame` within its queue's limit.
//!
//! Deliberately absent: ringing, briefing and bridging (`escalation`), the context packet itself,
//! agents' log-in (`api`).

mod border;
mod change;
mod machine;
mod positions;
mod routing;

#[cfg(test)]
mod tests;

pub use border::{
    AgentProfile, DeskEntry, DeskSettings, Error, GaveUp, Input, Order, Output, PRIORITY_AGAIN,
    QueueRules, SettingsError,
};
pub use machine::Desk;
pub use positions::{AgentPosition, Positions, QueuePosition, Standing};
