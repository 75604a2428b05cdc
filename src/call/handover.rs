//! Between the escalation and the legs: what it wants becomes lines, dials, music and a bridge.

use std::sync::Arc;

use cordboard_audio::MediaTime;

use super::leg::Leg;
use super::voice::Cut;
use super::{Call, CallError, DialPlan, Effect, LegCommand, Output, Phase};
use crate::conversation::{Input as Talk, Interruptible};
use crate::escalation::{Back, Input, Output as Wanted, Request, SpeechId};
use crate::timeline::{LegRole, Trigger};

impl Call {
    /// Gives the caller to the escalation.
    pub(super) fn begin_handover(
        &mut self,
        now: MediaTime,
        trigger: Trigger,
        reason: String,
        queue: String,
    ) -> Result<(), CallError> {
        self.phase = Phase::HandedOver;
        self.asked = false;
        self.stop_listening();
        let case = self.conversation.case();
        let transcript = self.journal.lines();
        let rules = self.settings.queues.get(&queue).cloned().unwrap_or_default();
        let packet_id = self.packet_id();
        let request = Request {
            trigger,
            reason,
            queue,
            case,
            transcript,
            caller: self.facts.from.clone(),
            call_id: self.facts.id.clone(),
            packet_id,
            links: self.facts.links.clone(),
            rules,
        };
        self.escalate(now, Input::Triggered(Box::new(request)))
    }

    /// Tells the escalation something.
    pub(super) fn escalate(&mut self, now: MediaTime, input: Input) -> Result<(), CallError> {
        self.escalation.handle_input(now, input)?;
        Ok(())
    }

    /// Drains the escalation; whether it did anything.
    pub(super) fn settle_escalation(&mut self, now: MediaTime) -> Result<bool, CallError> {
        let mut moved = false;
        loop {
            match self.escalation.poll_output() {
                Wanted::Wait(deadline) => {
                    self.escalation_deadline = deadline;
                    return Ok(moved);
                }
                wanted => self.carry_out(now, wanted)?,
            }
            moved = true;
        }
    }

    fn carry_out(&mut self, now: MediaTime, wanted: Wanted) -> Result<(), CallError> {
        match wanted {
            Wanted::Announce { text } => {
                let id = self.say_own(LegRole::Caller, text, Interruptible::No);
                self.ending.announcing = Some(id);
            }
            Wanted::TellCaller { text } => {
                self.say_own(LegRole::Caller, text, Interruptible::No);
            }
            Wanted::Music(true) => self.caller.voice.music(self.settings.music.clone()),
            Wanted::Music(false) => self.caller.voice.end_music(now),
            Wanted::Brief { speech, text } => self.tell_agent(speech, text.into()),
            Wanted::TellAgent { speech, text } => self.tell_agent(speech, text),
            Wanted::StopBrief => self.stop_brief(now),
            Wanted::Tone => self.accept_tone(),
            Wanted::Bridge => self.bridge(now, true),
            Wanted::Unbridge => self.bridge(now, false),
            Wanted::Dial { dial, agent, display, headers } => {
                self.agent = Some(Box::new(Leg::new(LegRole::Agent, now)));
                self.dial = dial;
                let headers = headers.into_iter().map(|(name, value)| (name.to_owned(), value));
                self.agent_uri = agent.uri.clone();
                self.captions.agent = agent.name.to_string();
                let plan =
                    DialPlan { uri: agent.uri.to_string(), display, headers: headers.collect() };
                self.out.push_back(Output::Leg(LegRole::Agent, LegCommand::Dial(plan)));
            }
            Wanted::HangUpAgent { dial } if dial != self.dial => {}
            Wanted::HangUpAgent { .. } => self.drop_agent(now, "hung up by us"),
            Wanted::Enqueue { queue, packet, again } => {
                self.out.push_back(Output::Effect(Effect::Enqueue { queue, packet, again }));
            }
            Wanted::Withdraw => self.out.push_back(Output::Effect(Effect::Withdraw)),
            Wanted::TellDesk(report) => self.out.push_back(Output::Effect(Effect::Report(report))),
            Wanted::Note(what) => self.note(now, what),
            Wanted::BackToAssistant(back) => self.back_to_assistant(now, back)?,
            Wanted::Wait(deadline) => self.escalation_deadline = deadline,
        }
        Ok(())
    }

    fn back_to_assistant(&mut self, now: MediaTime, back: Back) -> Result<(), CallError> {
        self.bridge(now, false);
        if self.phase == Phase::HandedOver {
            self.phase = Phase::Talking;
            self.quiet_since = now;
            if self.is_rescue {
                self.give_up(now);
                return Ok(());
            }
            let told = match back {
                Back::NobodyCame => Talk::NobodyCame,
                Back::AgentLeft | Back::TalkLimit => Talk::AgentLeft,
            };
            self.conversation.handle_input(now, told)?;
        }
        Ok(())
    }

    fn tell_agent(&mut self, speech: SpeechId, text: Arc<str>) {
        let id = self.say_own(LegRole::Agent, text, Interruptible::No);
        self.ending.telling = Some((id, speech));
    }

    fn bridge(&mut self, now: MediaTime, joined: bool) {
        self.bridged = joined && self.agent.is_some();
        self.ending.handed_over |= self.bridged;
        if self.bridged {
            // What a slow voice still owes would be said into their talk.
            self.cut(now, Cut::All);
        }
    }

    fn accept_tone(&mut self) {
        self.caller.voice.tone(self.settings.tones.accept.clone());
        if let Some(agent) = self.agent.as_mut() {
            agent.voice.tone(self.settings.tones.accept.clone());
        }
        self.ending.tone_until_idle = true;
    }

    fn stop_brief(&mut self, now: MediaTime) {
        self.ending.telling = None;
        let mut cancelled = Vec::new();
        if let Some(agent) = self.agent.as_mut() {
            agent.voice.cut(now, Cut::All, &mut cancelled);
        }
        self.out.extend(cancelled.into_iter().map(Output::Cancel));
    }

    /// A line on the agent's leg is over.
    pub(super) fn agent_line_ended(&mut self, now: MediaTime, id: u32) -> Result<(), CallError> {
        match self.ending.telling {
            Some((line, speech)) if line == id => {
                self.ending.telling = None;
                self.escalate(now, Input::BriefEnded { speech })
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Regenerates a key at the other side of the bridge.
    pub(super) fn cross_key(&mut self, to: LegRole, digit: char, duration_ms: u32) {
        let command = LegCommand::SendDigit { digit, duration_ms };
        self.out.push_back(Output::Leg(to, command));
    }

    /// Ends the agent's leg from our side.
    pub(super) fn drop_agent(&mut self, now: MediaTime, cause: &str) {
        if let Some(agent) = self.agent.take() {
            self.bridged = false;
            self.out.push_back(Output::Leg(LegRole::Agent, LegCommand::Hangup));
            self.part(now, LegRole::Agent, cause, agent.media());
        }
    }

    /// The packet's id: new for each request, random to anybody but us, the same at every replay.
    fn packet_id(&mut self) -> String {
        self.ending.requests += 1;
        format!("{:016x}{:02x}", self.facts.seed, self.ending.requests)
    }
}
