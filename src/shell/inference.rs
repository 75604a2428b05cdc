//! Inference workers: threads that own the engines, behind bounded queues.
//!
//! A recognition takes a session of its own from a fixed pool; where none is free it is refused,
//! and the call asks for the keypad. A synthesis waits in one bounded queue; where that is full it
//! is refused too. A turn is judged by its sound while there is time for it. Each place has a
//! line-up of engines in order of preference, and goes on with the next where one fails within a
//! turn (`failover`). Answers of language models over the network need no thread: so many at once,
//! then they are refused. Nothing here decides anything of a call.

mod answers;
mod ears;
mod judges;
mod voices;

use std::thread::JoinHandle;

use cordboard_models::speech::EngineFault;

pub(crate) use answers::Answers;
pub(super) use answers::Running;
pub(super) use ears::SessionIndex;
pub(crate) use ears::{EarLineup, Ears};
pub(crate) use judges::{Judges, OpenJudge};
pub(super) use voices::Wanted;
pub(crate) use voices::{VoiceLineup, Voices};

use super::mailbox::ReplyTo;
use crate::call::{EngineRole, Input};

/// How much inference workers stand back for media workers (setpriority(2), of this thread alone).
const NICENESS: i32 = 5;

/// Starts a thread of lower priority than the media workers'.
fn spawn(name: String, body: impl FnOnce() + Send + 'static) -> JoinHandle<()> {
    std::thread::Builder::new()
        .name(name)
        .spawn(|| {
            // Where the system refuses, media and inference share the machine as equals.
            let _ = rustix::process::setpriority_process(None, NICENESS);
            body();
        })
        .expect("the system gives a thread at start, or there is nothing to serve with")
}

/// Tells the call that an engine failed within a turn and the next one goes on.
fn failed_over(reply: &ReplyTo, role: EngineRole, engine: usize, fault: &EngineFault) {
    let engine = u32::try_from(engine).unwrap_or(u32::MAX);
    reply.give(Input::FailedOver { role, engine, why: fault.to_string() });
}
