//! The end: legs that part, media that stays away, and what is still owed then.

use std::time::Duration;

use cordboard_audio::MediaTime;

use super::{Call, CallError, EndCause, LegCommand, Output, Phase, voice::Cut};
use crate::conversation::Interruptible;
use crate::escalation::{Input as Escalating, SpeechId};
use crate::timeline::{LegRole, Outcome, What};

/// How long the agent may be told that the caller has gone, and a tool may take to answer.
const PARTING_MAX: Duration = Duration::from_secs(30);

/// Odds and ends of a call that matter for how it ends.
#[derive(Debug)]
pub(super) struct Ending {
    /// Whether a human has spoken with the caller.
    pub(super) handed_over: bool,
    /// Whether the caller has neither spoken nor keyed.
    pub(super) never_spoke: bool,
    /// Whether the conversation has ended the call.
    pub(super) gave_up: bool,
    /// The line that announces the hand-over.
    pub(super) announcing: Option<u32>,
    /// The line that the agent alone hears, and the escalation's number of it.
    pub(super) telling: Option<(u32, SpeechId)>,
    /// How often a human was asked for.
    pub(super) requests: u32,
    /// The acceptance tone plays.
    pub(super) tone_until_idle: bool,
    /// The caller was asked about missing media.
    asked_media: bool,
    /// Why it ends, once it does.
    cause: Option<String>,
    /// What had come of it when the caller's leg ended.
    outcome: Option<Outcome>,
    /// Where the fault is ours or the network's.
    failed: bool,
}

impl Default for Ending {
    fn default() -> Self {
        Self {
            handed_over: false,
            never_spoke: true,
            gave_up: false,
            announcing: None,
            telling: None,
            requests: 0,
            tone_until_idle: false,
            asked_media: false,
            cause: None,
            outcome: None,
            failed: false,
        }
    }
}

impl Ending {
    /// The call has failed, if nothing else has ended it.
    pub(super) fn fail(&mut self, cause: &str) {
        self.failed = !self.handed_over;
        self.cause.get_or_insert_with(|| cause.to_owned());
    }
}

impl Call {
    pub(super) fn caller_left(&mut self, now: MediaTime, cause: EndCause) -> Result<(), CallError> {
        self.ending.failed |= matches!(cause, EndCause::NoAck | EndCause::Lost);
        self.caller_gone(now, &cause.words())
    }

    /// Hangs up on the caller.
    pub(super) fn hang_up(&mut self, now: MediaTime, cause: &str) -> Result<(), CallError> {
        self.out.push_back(Output::Leg(LegRole::Caller, LegCommand::Hangup));
        self.caller_gone(now, cause)
    }

    fn caller_gone(&mut self, now: MediaTime, cause: &str) -> Result<(), CallError> {
        self.ending.cause.get_or_insert_with(|| cause.to_owned());
        self.caller.sending = false;
        // First of all, as what was lowered for the caller counts by its being lowered still.
        self.cut(now, Cut::All);
        self.stop_listening();
        self.drop_answer(None);
        self.caller.voice.end_music(now);
        self.settle_voices(now)?;
        self.ending.outcome = Some(self.outcome());
        let reached = if self.ending.failed { Outcome::Failed } else { self.outcome() };
        self.show_end(reached, cause);
        self.phase = Phase::Parting { by: now + PARTING_MAX };
        self.part(now, LegRole::Caller, cause, self.caller.media());
        self.escalate(now, Escalating::CallerLeft)
    }

    pub(super) fn agent_left(&mut self, now: MediaTime, cause: EndCause) -> Result<(), CallError> {
        let Some(agent) = self.agent.take() else { return Ok(()) };
        self.bridged = false;
        self.ending.telling = None;
        self.caller.voice.end_music(now);
        self.part(now, LegRole::Agent, &cause.words(), agent.media());
        match cause {
            EndCause::Refused(code) => {
                self.escalate(now, Escalating::AgentRefused { dial: self.dial, code })
            }
            EndCause::Bye | EndCause::Cancelled => {
                self.escalate(now, Escalating::AgentLeft { dial: self.dial })
            }
            EndCause::NoAck | EndCause::Lost => {
                self.escalate(now, Escalating::AgentLost { dial: self.dial })
            }
        }
    }

    /// Notes that a leg is gone.
    pub(super) fn part(&mut self, now: MediaTime, role: LegRole, cause: &str, media: What) {
        self.note(now, media);
        self.note(now, What::LegParted { role, cause: cause.to_owned() });
    }

    /// Looks after legs from which nothing comes.
    pub(super) fn mind_media(&mut self, now: MediaTime) -> Result<(), CallError> {
        let (unannounced, announced) = (self.settings.no_media_end, self.settings.hold_end);
        if matches!(self.phase, Phase::Talking | Phase::HandedOver | Phase::Closing { .. }) {
            if self.caller.is_gone(now, unannounced, announced) {
                self.ending.failed = !self.ending.handed_over;
                return self.hang_up(now, "no media");
            }
            // Who waits in a queue is played music, which a question would end.
            let starved = self.caller.starved(now) >= self.settings.no_media_ask;
            let ask = starved && self.phase == Phase::Talking;
            if ask && !self.ending.asked_media {
                self.say_own(LegRole::Caller, STILL_THERE, Interruptible::Yes);
            }
            self.ending.asked_media = ask;
        }
        let agent = self.agent.as_ref().filter(|agent| agent.sending);
        if agent.is_some_and(|agent| agent.is_gone(now, unannounced, announced)) {
            self.drop_agent(now, "no media");
            self.escalate(now, Escalating::AgentLost { dial: self.dial })?;
        }
        Ok(())
    }

    /// Says goodbye: the service stops, or the call cannot go on.
    pub(super) fn stop(&mut self, now: MediaTime) {
        match self.phase {
            Phase::Talking => {
                self.cut(now, Cut::All);
                self.stop_listening();
                self.drop_answer(None);
                self.say_own(LegRole::Caller, STOPPING, Interruptible::No);
                self.phase = Phase::Closing { by: now + Duration::from_secs(8) };
            }
            Phase::Ringing | Phase::Answering | Phase::HandedOver | Phase::Closing { .. } => {
                self.phase = Phase::Closing { by: now };
            }
            Phase::Parting { .. } => self.phase = Phase::Parting { by: now },
            Phase::Over => {}
        }
        self.ending.cause.get_or_insert_with(|| "shutdown".to_owned());
    }

    /// Ends what has been played to its end; whether anything was.
    pub(super) fn settle_closing(&mut self, now: MediaTime) -> Result<bool, CallError> {
        if self.ending.tone_until_idle && !self.caller.voice.is_sounding() {
            self.ending.tone_until_idle = false;
            self.escalate(now, Escalating::ToneEnded)?;
            return Ok(true);
        }
        if let Phase::Closing { by } = self.phase
            && (now >= by || !self.caller.voice.is_sounding() && self.caller.voice.is_idle())
        {
            self.hang_up(now, "goodbye")?;
            return Ok(true);
        }
        Ok(false)
    }

    /// Ends the call once the caller is gone and nobody has to be told or heard any more.
    pub(super) fn settle_parting(&mut self, now: MediaTime) -> Result<(), CallError> {
        if let Phase::Parting { by } = self.phase {
            let done = self.agent.is_none() && self.tools_pending == 0;
            if done || now >= by {
                self.finish(now)?;
            }
        }
        Ok(())
    }

    fn finish(&mut self, now: MediaTime) -> Result<(), CallError> {
        if self.agent.is_some() {
            // There is no time left to tell the agent; the desk must know all the same.
            self.drop_agent(now, "the call is over");
            self.escalate(now, Escalating::AgentLeft { dial: self.dial })?;
            self.settle_escalation(now)?;
        }
        if let Some(began) = self.recording.take() {
            let length_ms = u64::try_from(now.since(began).as_millis()).unwrap_or(u64::MAX);
            self.note(now, What::RecordingEnded { length_ms, complete: !self.stalled });
        }
        self.note_missed(now);
        let reached = self.ending.outcome.unwrap_or_else(|| self.outcome());
        let outcome = if self.ending.failed { Outcome::Failed } else { reached };
        let cause = self.ending.cause.take().unwrap_or_default();
        self.note(now, What::Ended { outcome, cause });
        self.phase = Phase::Over;
        Ok(())
    }
}

/// Said to a caller from whom nothing has come.
pub const STILL_THERE: &str = "I can't hear anything from you. Are you still there?";
/// Said when the service stops.
pub const STOPPING: &str = "I'm sorry, I have to end this call now. Please call again. Goodbye.";
