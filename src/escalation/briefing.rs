//! Briefing and awaiting a key: an agent has picked up, and has not yet the caller.

use std::sync::Arc;
use std::time::Duration;

use cordboard_audio::MediaTime;

use super::border::{DeskReport, Input, Output, Refusal};
use super::brief::{INSTRUCTION, brief};
use super::machine::{AgentLine, Escalation, Joined, State, Told, Waiting};
use super::timers::Timer;
use crate::timeline::What;

/// When a brief is taken for played though nobody said so: more than twice its longest.
const BRIEF_CAP: Duration = Duration::from_secs(30);
/// When the tone is: it may stand behind an announcement to the caller.
const TONE_CAP: Duration = Duration::from_secs(8);
/// How often an agent may hear the brief again; the caller is waiting.
const REPEATS_MAX: u8 = 3;

impl Escalation {
    pub(super) fn briefing(
        &mut self,
        now: MediaTime,
        mut waiting: Waiting,
        line: AgentLine,
        mut told: Told,
        input: &Input,
    ) -> State {
        match input {
            Input::Announced => self.announced(now, &mut waiting),
            Input::AgentRefused { .. } | Input::AgentLeft { .. } => {
                return self.refused(now, waiting, &line, Refusal::HungUp);
            }
            Input::AgentLost { .. } => {
                return self.refused(now, waiting, &line, Refusal::Lost);
            }
            Input::BriefEnded { .. } => return self.brief_ended(now, waiting, line, told),
            Input::AgentKeyed { digit: '1', .. } => {
                self.put(Output::StopBrief);
                return self.accept(now, &waiting, line, "key");
            }
            Input::AgentKeyed { digit: '2', .. } => {
                self.put(Output::StopBrief);
                return self.decline(now, waiting, &line, Refusal::Declined);
            }
            Input::AgentKeyed { digit: '3', .. } if told.repeats < REPEATS_MAX => {
                self.put(Output::StopBrief);
                return self.repeat(now, waiting, line, told);
            }
            // The instruction is at the end of what is being said anyway.
            Input::AgentKeyed { .. } => {}
            Input::PacketFetched => {
                told.fetched = true;
                self.put(Output::Note(What::PacketFetched));
            }
            Input::NobodyCame { .. } => {
                self.put(Output::StopBrief);
                self.put(Output::HangUpAgent { dial: line.dial });
                return self.nobody_came(&waiting);
            }
            Input::CallerLeft => {
                self.put(Output::StopBrief);
                return self.tell_caller_gone(now, line, &waiting.rules, Output::Withdraw);
            }
            Input::Triggered(_)
            | Input::Offered { .. }
            | Input::AgentRinging { .. }
            | Input::AgentAnswered { .. }
            | Input::ToneEnded
            | Input::Timeout => {}
        }
        State::Briefing(waiting, line, told)
    }

    pub(super) fn awaiting_key(
        &mut self,
        now: MediaTime,
        mut waiting: Waiting,
        line: AgentLine,
        told: Told,
        input: &Input,
    ) -> State {
        match input {
            Input::Announced => self.announced(now, &mut waiting),
            Input::AgentRefused { .. } | Input::AgentLeft { .. } => {
                return self.refused(now, waiting, &line, Refusal::HungUp);
            }
            Input::AgentLost { .. } => {
                return self.refused(now, waiting, &line, Refusal::Lost);
            }
            Input::AgentKeyed { digit: '1', .. } => {
                return self.accept(now, &waiting, line, "key");
            }
            Input::AgentKeyed { digit: '2', .. } => {
                return self.decline(now, waiting, &line, Refusal::Declined);
            }
            Input::AgentKeyed { digit: '3', .. } if told.repeats < REPEATS_MAX => {
                return self.repeat(now, waiting, line, told);
            }
            Input::AgentKeyed { .. } if !told.instructed => {
                let told = Told { speech: self.next_speech(), instructed: true, ..told };
                return self.say(now, waiting, line, told, INSTRUCTION.to_owned());
            }
            Input::AgentKeyed { .. } => {}
            Input::PacketFetched => {
                self.put(Output::Note(What::PacketFetched));
                return self.accept(now, &waiting, line, "fetch");
            }
            Input::NobodyCame { .. } => {
                self.put(Output::HangUpAgent { dial: line.dial });
                return self.nobody_came(&waiting);
            }
            Input::CallerLeft => {
                return self.tell_caller_gone(now, line, &waiting.rules, Output::Withdraw);
            }
            Input::Triggered(_)
            | Input::Offered { .. }
            | Input::AgentRinging { .. }
            | Input::AgentAnswered { .. }
            | Input::BriefEnded { .. }
            | Input::ToneEnded
            | Input::Timeout => {}
        }
        State::AwaitingKey(waiting, line, told)
    }

    /// The agent picked up: who calls, what for, what was done, why a human.
    pub(super) fn begin_brief(
        &mut self,
        now: MediaTime,
        waiting: Waiting,
        line: AgentLine,
    ) -> State {
        let speech = self.next_speech();
        let told = Told { speech, repeats: 0, instructed: false, fetched: false };
        let text = brief(&waiting.packet);
        self.say(now, waiting, line, told, text)
    }

    /// The agent has heard it whole, or ought to have.
    pub(super) fn brief_ended(
        &mut self,
        now: MediaTime,
        waiting: Waiting,
        line: AgentLine,
        told: Told,
    ) -> State {
        if told.fetched {
            return self.accept(now, &waiting, line, "fetch");
        }
        self.stop_agent_timers();
        let last_chance = waiting.rules.require_accept && told.repeats > 0;
        let wait = if last_chance { waiting.rules.last_key_wait } else { waiting.rules.key_wait };
        self.arm(Timer::Key, now, wait);
        State::AwaitingKey(waiting, line, told)
    }

    /// No key came. DESIGN.md, "Acknowledged": bridge, and say so on the timeline; but where the
    /// far end may be a voicemail, say it once more and then take it for one.
    pub(super) fn no_key(
        &mut self,
        now: MediaTime,
        waiting: Waiting,
        line: AgentLine,
        told: Told,
    ) -> State {
        if !waiting.rules.require_accept {
            self.accept(now, &waiting, line, "none")
        } else if told.repeats == 0 {
            self.repeat(now, waiting, line, told)
        } else {
            self.decline(now, waiting, &line, Refusal::NoKey)
        }
    }

    fn repeat(&mut self, now: MediaTime, waiting: Waiting, line: AgentLine, told: Told) -> State {
        let text = brief(&waiting.packet);
        let told = Told { speech: self.next_speech(), repeats: told.repeats + 1, ..told };
        self.say(now, waiting, line, told, text)
    }

    fn say(
        &mut self,
        now: MediaTime,
        waiting: Waiting,
        line: AgentLine,
        told: Told,
        text: String,
    ) -> State {
        self.stop_agent_timers();
        self.put(Output::Brief { speech: told.speech, text });
        self.arm(Timer::Brief, now, BRIEF_CAP);
        State::Briefing(waiting, line, told)
    }

    fn accept(
        &mut self,
        now: MediaTime,
        waiting: &Waiting,
        line: AgentLine,
        acknowledged: &str,
    ) -> State {
        self.timers.clear();
        self.end_music(waiting);
        let agent = Arc::clone(&line.agent.name);
        self.put(Output::Note(What::AgentAccepted {
            agent: agent.to_string(),
            acknowledged: acknowledged.to_owned(),
        }));
        self.tell_desk(DeskReport::Accepted { agent });
        self.put(Output::Tone);
        self.arm(Timer::Tone, now, TONE_CAP);
        State::Joining(Joined {
            line,
            packet: Arc::clone(&waiting.packet),
            queue: waiting.queue.clone(),
            rules: Arc::clone(&waiting.rules),
        })
    }

    fn decline(
        &mut self,
        now: MediaTime,
        waiting: Waiting,
        line: &AgentLine,
        why: Refusal,
    ) -> State {
        self.put(Output::HangUpAgent { dial: line.dial });
        self.refused(now, waiting, line, why)
    }
}
