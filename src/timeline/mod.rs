//! The timeline: everything that happens in a call, in order, with its time from the ring.
//!
//! Versioned, and with the context packet the only serialized types of the core. Transcript,
//! latencies and key figures are projections of it, so they cannot disagree. Deliberately absent:
//! where timelines are kept (`store`), who reads them (`api`).

mod context;
mod entry;
mod told;
mod transcript;

pub use context::{
    ActionFact, ContextPacket, Line, Links, PACKET_VERSION, SlotFact, Speaker, Trigger, Verified,
};
pub use entry::{
    AsideKind, CallId, Debtor, Direction, ENTRY_VERSION, Entry, LegKind, LegRole, OneWayCause,
    Outcome, RepairCause, ToolVerdict, What,
};
pub use transcript::Transcript;
