//! One tick: 20 ms of every leg, in and out, and every deadline.

use cordboard_audio::dtmf::Pressed;
use cordboard_audio::{Frame, MediaTime, SampleRate, mix};

use super::leg::{Heard, Leg};
use super::{Call, CallError, LegCommand, Output, Phase, RecordedTick};
use crate::conversation::Input;
use crate::escalation::Input as Escalating;
use crate::timeline::LegRole;

impl Call {
    /// Plays and listens for 20 ms, then looks at the deadlines.
    pub(super) fn tick(&mut self, now: MediaTime) -> Result<(), CallError> {
        self.mind_gap(now);
        let (caller, agent) = self.move_sound(now);
        self.keys_heard(now, caller, agent)?;
        if self.conversation_deadline.is_some_and(|deadline| now >= deadline) {
            self.conversation_deadline = None;
            self.conversation.handle_input(now, Input::Timeout)?;
        }
        if self.escalation_deadline.is_some_and(|deadline| now >= deadline) {
            self.escalation_deadline = None;
            self.escalate(now, Escalating::Timeout)?;
        }
        self.overdue(now)?;
        self.go_on(now);
        self.unspoken(now)?;
        self.mind_silence(now)?;
        self.show_progress();
        self.mind_media(now)?;
        self.mind_footing(now)
    }

    /// Moves 20 ms of sound; gives the keys that were in it, the caller's and the agent's.
    fn move_sound(&mut self, now: MediaTime) -> (Option<Pressed>, Option<Pressed>) {
        let wide = |leg: Option<&Leg>| leg.is_some_and(Leg::speaks_wide);
        let heard = self.caller.listen(now, self.bridged && wide(self.agent.as_deref()));
        let mut uplink = heard.narrow;
        let for_caller = self.bridged && wide(Some(&self.caller));
        let agent = self.agent.as_mut().filter(|agent| agent.sending);
        let human = agent.map(|leg| leg.listen(now, for_caller));
        if self.phase == Phase::Talking {
            if self.settings.turn.cancels_echo {
                self.echo.take_out(uplink.samples_mut(), self.downlink.samples());
            }
            self.out.push_back(Output::Listen(uplink));
            // Where an echo is taken out, it is of the telephone's band alone.
            let is_wide = heard.came_wide && !self.echo.is_there();
            self.hearing.hear(if is_wide { heard.wide } else { uplink }, &mut self.out);
        }
        let downlink = self.play(now, human.as_ref());
        (self.uplink, self.downlink) = (uplink, downlink);
        if let Some(agent) = self.agent.as_mut().filter(|agent| agent.sending) {
            let mut frame = Frame::silence(now, SampleRate::NARROW);
            agent.voice.pull_into(now, &mut frame);
            let encoded = agent.encode(&frame, self.bridged.then_some(&heard));
            self.out.push_back(Output::Leg(LegRole::Agent, LegCommand::Send(encoded)));
        }
        if self.recording.is_some() {
            self.out.push_back(Output::Record(recorded(&heard.narrow, &downlink)));
        }
        (heard.key, human.and_then(|human| human.key))
    }

    /// Plays the caller this tick's sound; gives it at 8 kHz.
    fn play(&mut self, now: MediaTime, human: Option<&Heard>) -> Frame {
        let mut frame = Frame::silence(now, SampleRate::NARROW);
        self.caller.voice.pull_into(now, &mut frame);
        let human = human.filter(|_| self.bridged);
        if self.caller.sending {
            let encoded = self.caller.encode(&frame, human);
            self.out.push_back(Output::Leg(LegRole::Caller, LegCommand::Send(encoded)));
        }
        if let Some(human) = human {
            mix::add_into(frame.samples_mut(), human.narrow.samples(), 1.0);
        }
        frame
    }
}

fn recorded(left: &Frame, right: &Frame) -> RecordedTick {
    let mut tick = RecordedTick { left: [0; 160], right: [0; 160] };
    let pairs = [(&mut tick.left, left), (&mut tick.right, right)];
    for (pcm, frame) in pairs {
        for (to, from) in pcm.iter_mut().zip(frame.samples()) {
            #[expect(clippy::cast_possible_truncation, reason = "clamped to the range of i16")]
            {
                *to = (from.clamp(-1.0, 1.0) * 32_767.0) as i16;
            }
        }
    }
    tick
}
