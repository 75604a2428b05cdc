//! Whole networks in virtual time: recorded traces of delay and loss, and clocks that drift.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod drift;
mod simulation;
mod traces;
