//! The machine of a call, given its inputs again.

use super::Recorded;
use crate::call::{Call, Output};
use crate::replay::record;
use crate::timeline::Entry;

/// Plays a recorded call; gives its timeline.
#[must_use]
pub fn rebuilt(recorded: &Recorded) -> Vec<Entry> {
    let mut call = Call::new(recorded.facts.clone(), recorded.settings.clone());
    let mut entries = Vec::new();
    drain(&mut call, &mut entries);
    for input in &recorded.inputs {
        // They were tried when the record was read.
        let Ok(decoded) = record::decode(input.kind, &input.bytes) else { break };
        // A contract that was broken is broken again, and the shell went on, too.
        drop(call.handle_input(input.at, decoded));
        drain(&mut call, &mut entries);
    }
    entries
}

fn drain(call: &mut Call, entries: &mut Vec<Entry>) {
    loop {
        match call.poll_output() {
            Output::Entry(entry) => entries.push(entry),
            Output::Wait(_) | Output::Over => return,
            _ => {}
        }
    }
}
