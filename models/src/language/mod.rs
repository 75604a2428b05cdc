//! Language: engines that find what a caller means among what a flow can do.
//!
//! `phrasebook` is the first of them: it compares what was said with the example phrases of each
//! intent and needs no weights. Deliberately absent: anything that writes text.

mod features;
mod phrasebook;

pub use phrasebook::Phrasebook;
