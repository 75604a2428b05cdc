//! Joining, bridged and parting: an agent has accepted, or the caller has left one behind.

use std::sync::Arc;
use std::time::Duration;

use cordboard_audio::MediaTime;

use super::border::{Back, DeskReport, Input, Output, Rules};
use super::machine::{AgentLine, Escalation, Joined, Parting, State};
use super::timers::Timer;
use crate::timeline::What;

/// When an agent is taken for told that the caller is gone: thrice the sentence.
const PARTING_CAP: Duration = Duration::from_secs(6);

impl Escalation {
    pub(super) fn joining(&mut self, now: MediaTime, joined: Joined, input: &Input) -> State {
        match input {
            Input::ToneEnded => self.bridge(now, joined),
            Input::AgentRefused { .. } | Input::AgentLeft { .. } => {
                self.release(&joined, Back::AgentLeft)
            }
            Input::AgentLost { .. } => self.back_to_the_front(now, joined),
            Input::CallerLeft => self.caller_left(now, joined),
            Input::PacketFetched => {
                self.put(Output::Note(What::PacketFetched));
                State::Joining(joined)
            }
            Input::Triggered(_)
            | Input::Announced
            | Input::Offered { .. }
            | Input::AgentRinging { .. }
            | Input::AgentAnswered { .. }
            | Input::BriefEnded { .. }
            | Input::AgentKeyed { .. }
            | Input::NobodyCame { .. }
            | Input::Timeout => State::Joining(joined),
        }
    }

    pub(super) fn bridged(&mut self, now: MediaTime, joined: Joined, input: &Input) -> State {
        match input {
            Input::AgentRefused { .. } | Input::AgentLeft { .. } => {
                self.put(Output::Unbridge);
                self.release(&joined, Back::AgentLeft)
            }
            Input::AgentLost { .. } => {
                self.put(Output::Unbridge);
                self.back_to_the_front(now, joined)
            }
            Input::CallerLeft => {
                self.put(Output::Unbridge);
                self.caller_left(now, joined)
            }
            Input::PacketFetched => {
                self.put(Output::Note(What::PacketFetched));
                State::Bridged(joined)
            }
            Input::Triggered(_)
            | Input::Announced
            | Input::Offered { .. }
            | Input::AgentRinging { .. }
            | Input::AgentAnswered { .. }
            | Input::BriefEnded { .. }
            | Input::ToneEnded
            | Input::AgentKeyed { .. }
            | Input::NobodyCame { .. }
            | Input::Timeout => State::Bridged(joined),
        }
    }

    pub(super) fn parting(&mut self, parting: Parting, input: &Input) -> State {
        match input {
            Input::BriefEnded { .. } => self.part(parting, true),
            Input::AgentRefused { .. } | Input::AgentLeft { .. } | Input::AgentLost { .. } => {
                self.part(parting, false)
            }
            Input::Triggered(_)
            | Input::Announced
            | Input::Offered { .. }
            | Input::AgentRinging { .. }
            | Input::AgentAnswered { .. }
            | Input::ToneEnded
            | Input::AgentKeyed { .. }
            | Input::PacketFetched
            | Input::NobodyCame { .. }
            | Input::CallerLeft
            | Input::Timeout => State::Parting(parting),
        }
    }

    /// The tone is over: a human speaks with the caller.
    pub(super) fn bridge(&mut self, now: MediaTime, joined: Joined) -> State {
        self.timers.clear();
        self.put(Output::Bridge);
        self.put(Output::Note(What::Bridged { agent: joined.line.agent.name.to_string() }));
        self.arm(Timer::Talk, now, joined.rules.talk_limit);
        State::Bridged(joined)
    }

    /// No talk lasts so long: something stalled.
    pub(super) fn talk_limit(&mut self, joined: &Joined) -> State {
        self.put(Output::Unbridge);
        self.put(Output::HangUpAgent { dial: joined.line.dial });
        self.release(joined, Back::TalkLimit)
    }

    /// The caller left an agent who has picked up. The desk hears of it when the agent is off the
    /// phone, lest it offer another call meanwhile.
    pub(super) fn tell_caller_gone(
        &mut self,
        now: MediaTime,
        line: AgentLine,
        rules: &Rules,
        owed: Output,
    ) -> State {
        self.timers.clear();
        let speech = self.next_speech();
        self.put(Output::TellAgent { speech, text: Arc::clone(&rules.wording.caller_gone) });
        self.arm(Timer::Parting, now, PARTING_CAP);
        State::Parting(Parting { line, speech, owed })
    }

    /// The agent has been told, or is gone as well.
    pub(super) fn part(&mut self, parting: Parting, hang_up: bool) -> State {
        self.timers.clear();
        if hang_up {
            self.put(Output::HangUpAgent { dial: parting.line.dial });
        }
        self.put(parting.owed);
        State::Gone
    }

    fn caller_left(&mut self, now: MediaTime, joined: Joined) -> State {
        let agent = Arc::clone(&joined.line.agent.name);
        let owed = Output::TellDesk(DeskReport::Released { agent });
        self.tell_caller_gone(now, joined.line, &joined.rules, owed)
    }

    /// The connection to the agent broke: neither of the two wanted to part. The caller, who had
    /// come to the front of the queue, waits there for the next.
    fn back_to_the_front(&mut self, now: MediaTime, joined: Joined) -> State {
        self.timers.clear();
        let Joined { line, packet, queue, rules } = joined;
        self.tell_desk(DeskReport::Lost { agent: line.agent.name });
        self.put(Output::TellCaller { text: Arc::clone(&rules.wording.agent_gone) });
        self.put(Output::Announce { text: Arc::clone(&rules.wording.agent_lost) });
        self.enqueue(now, (queue, packet, rules), true)
    }

    fn release(&mut self, joined: &Joined, back: Back) -> State {
        self.timers.clear();
        let agent = Arc::clone(&joined.line.agent.name);
        self.tell_desk(DeskReport::Released { agent });
        self.put(Output::TellCaller { text: Arc::clone(&joined.rules.wording.agent_gone) });
        self.put(Output::BackToAssistant(back));
        State::Idle
    }
}
