//! A recorded call played again from its inputs, in virtual time: the same inputs give the same
//! call, byte for byte.
//!
//! `recorded` reads a record; `rebuilt` plays it; `compared` holds its timeline against the one
//! that was kept.
//!
//! `otherwise` plays it under other settings or with another flow, in a world that is made of the
//! record: `asked` is what the call asked then and what came back, `ears` what was recognized of
//! which sound, `answers` and `deeds` what comes back now, `supplied` what the record cannot give.
//! `told` puts the two timelines side by side. Deliberately absent: where records and timelines are
//! kept (`store`), and what is printed (`cli`).

mod answers;
mod asked;
mod compared;
mod deeds;
mod ears;
mod otherwise;
mod rebuilt;
mod recorded;
mod supplied;
mod told;

pub use compared::{Difference, first_difference, kept_timeline, summary};
pub use otherwise::{Otherwise, otherwise};
pub use rebuilt::rebuilt;
pub use recorded::{ExactFault, Flows, Misread, Recorded};
pub use told::differences;
