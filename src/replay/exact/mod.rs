//! A recorded call played again from its inputs, in virtual time: the same inputs give the same
//! call, byte for byte.
//!
//! `recorded` reads a record; `rebuilt` plays it; `compared` holds its timeline against the one
//! that was kept. Deliberately absent: where records and timelines are kept (`store`), and what is
//! printed (`cli`).

mod compared;
mod rebuilt;
mod recorded;

pub use compared::{Difference, first_difference, kept_timeline, summary};
pub use rebuilt::rebuilt;
pub use recorded::{ExactFault, Flows, Misread, Recorded};
