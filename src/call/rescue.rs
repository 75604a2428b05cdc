//! The call that takes the place of one that panicked: an apology, then a human or a goodbye.
//!
//! Nothing of the lost call's machines is trusted any more: its conversation is over. What was said
//! so far, what is counted on the caller's leg, and the recording go on.

use std::time::Duration;

use cordboard_audio::MediaTime;

use super::leg::Leg;
use super::{Call, LegCommand, Output, Phase, STOPPING};
use crate::conversation::Interruptible;
use crate::timeline::{LegRole, Trigger};

/// Said when the assistant has broken down and a human is asked for.
pub const RESCUED: &str = "I'm sorry, something has gone wrong here.";

/// How long both may take.
const CLOSING_MAX: Duration = Duration::from_secs(15);
/// Numbers of what the lost call may still be answered with end below these.
const LINES_FROM: u32 = 2_000;
const JOBS_FROM: u32 = 1 << 24;
const REQUESTS_FROM: u32 = 128;

impl Call {
    /// Makes the call that goes on in the place of this one, which has panicked; none where there
    /// is no caller to be spoken to, or where this one had taken another's place already.
    #[must_use]
    pub fn rescued(&self, now: MediaTime) -> Option<Self> {
        if self.is_rescue || !matches!(self.phase, Phase::Talking | Phase::HandedOver) {
            return None;
        }
        let mut call = Self::new(self.facts.clone(), self.settings.clone());
        // It has rung already.
        call.out.clear();
        call.is_rescue = true;
        call.phase = Phase::Talking;
        call.journal = self.journal.clone();
        call.caller = Leg::after(&self.caller, now);
        call.recording = self.recording;
        call.stalled = self.stalled;
        call.quiet_since = now;
        call.ending.never_spoke = false;
        call.ending.handed_over = self.ending.handed_over;
        call.ending.requests = REQUESTS_FROM;
        (call.next_own_line, call.next_job) = (LINES_FROM, JOBS_FROM);
        call.out.push_back(Output::Leg(LegRole::Caller, LegCommand::Flush));
        call.say_own(LegRole::Caller, RESCUED, Interruptible::No);
        let queue = self.facts.flow.queue_names().first();
        match queue.filter(|queue| self.settings.queues.contains_key(*queue)) {
            Some(queue) => {
                let reason = "The assistant has failed.".to_owned();
                call.begin_handover(now, Trigger::Rule, reason, queue.clone()).ok()?;
            }
            None => call.give_up(now),
        }
        call.settle(now).ok()?;
        Some(call)
    }

    /// Says goodbye where no human takes the call: there is no conversation to go back to.
    pub(super) fn give_up(&mut self, now: MediaTime) {
        self.ending.fail(PANIC);
        self.say_own(LegRole::Caller, STOPPING, Interruptible::No);
        self.phase = Phase::Closing { by: now + CLOSING_MAX };
    }
}

/// Why such a call ends, where no human takes it.
const PANIC: &str = "panic";
