//! Whole networks in virtual time: recorded traces of delay and loss, and clocks that drift.

mod drift;
mod simulation;
mod traces;
