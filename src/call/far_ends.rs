//! What the far ends do: packets, keys, hold, and the answer that begins the talk.

use cordboard_audio::MediaTime;
use cordboard_audio::dtmf::Pressed;

use super::{Call, CallError, LegCommand, LegEvent, Output, Phase};
use crate::conversation::Input as Talk;
use crate::escalation::Input as Escalating;
use crate::timeline::{Direction, LegKind, LegRole, What};

impl Call {
    /// Takes an event of the caller's leg.
    pub(super) fn caller_event(
        &mut self,
        now: MediaTime,
        event: &LegEvent<'_>,
    ) -> Result<(), CallError> {
        if matches!(self.phase, Phase::Parting { .. } | Phase::Over) {
            // It crossed our hang-up, or the far end's own.
            return Ok(());
        }
        match *event {
            // Early media of a call that we place: ringback is not the caller.
            LegEvent::Packet(_) if !self.caller.sending => {}
            LegEvent::Packet(ref packet) => self.caller.insert(now, packet),
            LegEvent::Passed { sequence } => self.caller.pass(now, sequence),
            LegEvent::Comfort { sequence, payload } => self.caller.comfort(now, sequence, payload),
            LegEvent::Digit { digit, duration_ms } => {
                if self.caller.key_signalled() {
                    self.keyed(now, digit, duration_ms)?;
                }
            }
            LegEvent::KeysInSound(may) => self.caller.keys_in_sound(may),
            LegEvent::Offered => self.offered(),
            LegEvent::Answered => self.answered(now)?,
            LegEvent::Renegotiated(codec) => self.caller.send_with(codec),
            LegEvent::Held => self.held(now, LegRole::Caller, true),
            LegEvent::Resumed => self.held(now, LegRole::Caller, false),
            LegEvent::Garbage { total } => self.caller.garbage = total,
            LegEvent::Signalled { sent, ref summary } => {
                self.signalled(now, LegRole::Caller, sent, summary);
            }
            LegEvent::WantsPerson => self.person_wanted(now)?,
            LegEvent::FarBuffer(held) => self.caller.voice.far_buffer(held),
            LegEvent::Network(network) => self.caller.reported(now, network),
            LegEvent::Ended { cause } => self.caller_left(now, cause)?,
        }
        Ok(())
    }

    /// Takes an event of the agent's leg.
    pub(super) fn agent_event(
        &mut self,
        now: MediaTime,
        event: &LegEvent<'_>,
    ) -> Result<(), CallError> {
        let Some(agent) = self.agent.as_mut() else { return Ok(()) };
        match *event {
            // An agent's ringback or announcement is nobody's to hear.
            LegEvent::Packet(_) if !agent.sending => {}
            LegEvent::Packet(ref packet) => agent.insert(now, packet),
            LegEvent::Passed { sequence } => agent.pass(now, sequence),
            LegEvent::Comfort { sequence, payload } => agent.comfort(now, sequence, payload),
            LegEvent::Renegotiated(codec) => agent.send_with(codec),
            LegEvent::Digit { digit, duration_ms } => {
                if agent.key_signalled() {
                    self.agent_keyed(now, digit, duration_ms, true)?;
                }
            }
            LegEvent::KeysInSound(may) => agent.keys_in_sound(may),
            LegEvent::Offered => {
                self.escalate(now, Escalating::AgentRinging { dial: self.dial })?
            }
            LegEvent::Answered => {
                agent.sending = true;
                agent.fed(now);
                let address = self.agent_uri.to_string();
                self.note(now, What::LegJoined { role: LegRole::Agent, address });
                self.escalate(now, Escalating::AgentAnswered { dial: self.dial })?;
            }
            LegEvent::Held => self.held(now, LegRole::Agent, true),
            LegEvent::Resumed => self.held(now, LegRole::Agent, false),
            LegEvent::Garbage { total } => agent.garbage = total,
            LegEvent::Signalled { sent, ref summary } => {
                self.signalled(now, LegRole::Agent, sent, summary);
            }
            // An agent is one.
            LegEvent::WantsPerson => {}
            LegEvent::FarBuffer(held) => agent.voice.far_buffer(held),
            LegEvent::Network(network) => agent.reported(now, network),
            LegEvent::Ended { cause } => self.agent_left(now, cause)?,
        }
        Ok(())
    }

    fn signalled(&mut self, now: MediaTime, role: LegRole, sent: bool, summary: &str) {
        let direction = if sent { Direction::Sent } else { Direction::Received };
        self.note(now, What::Sip { role, direction, summary: summary.to_owned() });
    }

    /// Takes the keys that a tick's sound had in it. Over a bridge they have crossed already.
    pub(super) fn keys_heard(
        &mut self,
        now: MediaTime,
        caller: Option<Pressed>,
        agent: Option<Pressed>,
    ) -> Result<(), CallError> {
        let over = matches!(self.phase, Phase::Parting { .. } | Phase::Over);
        if let Some(key) = caller.filter(|_| !over) {
            if self.bridged {
                let (role, digit, duration_ms) = (LegRole::Caller, key.sign, key.lasting_ms);
                self.note(now, What::Keyed { role, digit, duration_ms });
            } else {
                self.keyed(now, key.sign, key.lasting_ms)?;
            }
        }
        match agent {
            Some(key) => self.agent_keyed(now, key.sign, key.lasting_ms, false),
            None => Ok(()),
        }
    }

    /// Takes a key of the agent; `crosses` where the caller is to be given it, too.
    fn agent_keyed(
        &mut self,
        now: MediaTime,
        digit: char,
        duration_ms: u32,
        crosses: bool,
    ) -> Result<(), CallError> {
        self.note(now, What::Keyed { role: LegRole::Agent, digit, duration_ms });
        match (self.bridged, crosses) {
            (true, true) => self.cross_key(LegRole::Caller, digit, duration_ms),
            (true, false) => {}
            (false, _) => self.escalate(now, Escalating::AgentKeyed { dial: self.dial, digit })?,
        }
        Ok(())
    }

    fn offered(&mut self) {
        if self.phase == Phase::Ringing && self.facts.outbound.is_none() {
            self.phase = Phase::Answering;
            self.caller.sending = true;
            self.out.push_back(Output::Leg(LegRole::Caller, LegCommand::Answer));
        }
    }

    fn answered(&mut self, now: MediaTime) -> Result<(), CallError> {
        if !matches!(self.phase, Phase::Ringing | Phase::Answering) {
            return Ok(());
        }
        self.phase = Phase::Talking;
        self.caller.sending = true;
        self.caller.fed(now);
        self.quiet_since = now;
        self.note(now, What::Answered);
        self.conversation.handle_input(now, Talk::Began { local: self.facts.local })?;
        Ok(())
    }

    fn held(&mut self, now: MediaTime, role: LegRole, held: bool) {
        let leg = match role {
            LegRole::Caller => Some(&mut self.caller),
            LegRole::Agent => self.agent.as_deref_mut(),
        };
        let Some(leg) = leg else { return };
        leg.hold(now, held);
        // A browser that is away hears nothing, and comes back soon: what was being said goes on at
        // the word then.
        let is_away = role == LegRole::Caller && held && self.facts.leg == LegKind::Browser;
        if is_away && self.phase == Phase::Talking && self.caller.voice.pause(now) {
            self.flush();
        }
        // An agent's hold plays our music to the caller: media is always anchored.
        if role == LegRole::Agent && self.bridged {
            match held {
                true => self.caller.voice.music(self.settings.music.clone()),
                false => self.caller.voice.end_music(now),
            }
        }
        let what = if held { What::Held { role } } else { What::Resumed { role } };
        self.note(now, what);
    }
}
