//! Idle, queued and ringing: the caller waits, and no agent has picked up.

use std::sync::Arc;
use std::time::Duration;

use cordboard_audio::MediaTime;

use super::border::{AgentRef, Back, DeskReport, Input, Output, Refusal, Request, Rules};
use super::machine::{AgentLine, Escalation, Hears, State, Waiting};
use super::timers::Timer;
use super::{packet, uui};
use crate::timeline::{ContextPacket, What};

/// When an announcement is taken for played though nobody said so: thrice the longest of ours.
const ANNOUNCEMENT_CAP: Duration = Duration::from_secs(15);

impl Escalation {
    pub(super) fn idle(&mut self, now: MediaTime, input: Input) -> State {
        match input {
            Input::Triggered(request) => self.begin(now, *request),
            Input::CallerLeft => State::Gone,
            Input::Announced
            | Input::Offered { .. }
            | Input::AgentRinging { .. }
            | Input::AgentAnswered { .. }
            | Input::AgentRefused { .. }
            | Input::AgentLeft { .. }
            | Input::AgentLost { .. }
            | Input::BriefEnded { .. }
            | Input::ToneEnded
            | Input::AgentKeyed { .. }
            | Input::PacketFetched
            | Input::NobodyCame { .. }
            | Input::Timeout => State::Idle,
        }
    }

    pub(super) fn queued(&mut self, now: MediaTime, mut waiting: Waiting, input: Input) -> State {
        match input {
            Input::Announced => self.announced(now, &mut waiting),
            Input::Offered { agent, .. } => return self.dial(now, waiting, agent),
            Input::PacketFetched => self.put(Output::Note(What::PacketFetched)),
            Input::NobodyCame { .. } => return self.nobody_came(&waiting),
            Input::CallerLeft => return self.withdraw(),
            Input::Triggered(_)
            | Input::AgentRinging { .. }
            | Input::AgentAnswered { .. }
            | Input::AgentRefused { .. }
            | Input::AgentLeft { .. }
            | Input::AgentLost { .. }
            | Input::BriefEnded { .. }
            | Input::ToneEnded
            | Input::AgentKeyed { .. }
            | Input::Timeout => {}
        }
        State::Queued(waiting)
    }

    pub(super) fn ringing(
        &mut self,
        now: MediaTime,
        mut waiting: Waiting,
        line: AgentLine,
        input: &Input,
    ) -> State {
        match input {
            Input::Announced => self.announced(now, &mut waiting),
            Input::AgentAnswered { .. } => {
                let agent = line.agent.name.to_string();
                self.put(Output::Note(What::AgentAnswered { agent }));
                return self.begin_brief(now, waiting, line);
            }
            Input::AgentRefused { code, .. } => {
                return self.refused(now, waiting, &line, Refusal::from_status(*code));
            }
            Input::AgentLeft { .. } => {
                return self.refused(now, waiting, &line, Refusal::HungUp);
            }
            Input::AgentLost { .. } => {
                return self.refused(now, waiting, &line, Refusal::Lost);
            }
            // A desk that fetches as soon as it rings proves no human: the note alone.
            Input::PacketFetched => self.put(Output::Note(What::PacketFetched)),
            Input::NobodyCame { .. } => {
                self.put(Output::HangUpAgent { dial: line.dial });
                return self.nobody_came(&waiting);
            }
            Input::CallerLeft => {
                self.put(Output::HangUpAgent { dial: line.dial });
                return self.withdraw();
            }
            Input::Triggered(_)
            | Input::Offered { .. }
            | Input::AgentRinging { .. }
            | Input::BriefEnded { .. }
            | Input::ToneEnded
            | Input::AgentKeyed { .. }
            | Input::Timeout => {}
        }
        State::Ringing(waiting, line)
    }

    /// What was announced has been played: music.
    pub(super) fn announced(&mut self, now: MediaTime, waiting: &mut Waiting) {
        if waiting.hears == Hears::Words {
            waiting.hears = Hears::Music;
            self.timers.stop(Timer::Announcement);
            self.put(Output::Music(true));
            // Nobody is asked to stay on the line just as the assistant comes back.
            if now + waiting.rules.comfort_every < waiting.until {
                self.arm(Timer::Comfort, now, waiting.rules.comfort_every);
            }
        }
    }

    /// Enough music: the caller is not forgotten.
    pub(super) fn comfort(&mut self, now: MediaTime, waiting: &mut Waiting) {
        waiting.hears = Hears::Words;
        self.put(Output::Music(false));
        self.put(Output::Announce { text: Arc::clone(&waiting.rules.wording.comfort) });
        self.arm(Timer::Announcement, now, ANNOUNCEMENT_CAP);
    }

    /// The desk has nobody.
    pub(super) fn nobody_came(&mut self, waiting: &Waiting) -> State {
        self.timers.clear();
        self.end_music(waiting);
        self.put(Output::Note(What::NobodyCame { queue: waiting.queue.clone() }));
        self.put(Output::BackToAssistant(Back::NobodyCame));
        State::Idle
    }

    /// The caller has waited long enough, whatever the desk hopes.
    pub(super) fn give_up(&mut self, waiting: &Waiting) -> State {
        self.put(Output::Withdraw);
        self.nobody_came(waiting)
    }

    /// Our own limit for the ring: CANCEL, next agent.
    pub(super) fn rang_in_vain(
        &mut self,
        now: MediaTime,
        waiting: Waiting,
        line: &AgentLine,
    ) -> State {
        self.put(Output::HangUpAgent { dial: line.dial });
        self.refused(now, waiting, line, Refusal::NoAnswer)
    }

    /// This agent does not take the call; the leg is gone or told to go.
    pub(super) fn refused(
        &mut self,
        now: MediaTime,
        waiting: Waiting,
        line: &AgentLine,
        why: Refusal,
    ) -> State {
        self.stop_agent_timers();
        let agent = Arc::clone(&line.agent.name);
        let note = What::AgentRefused { agent: agent.to_string(), why: why.to_string() };
        self.put(Output::Note(note));
        self.tell_desk(if why.reached() {
            DeskReport::Declined { agent, why }
        } else {
            DeskReport::NoAnswer { agent, why }
        });
        if now >= waiting.until { self.give_up(&waiting) } else { State::Queued(waiting) }
    }

    pub(super) fn end_music(&mut self, waiting: &Waiting) {
        if waiting.hears == Hears::Music {
            self.put(Output::Music(false));
        }
    }

    pub(super) fn stop_agent_timers(&mut self) {
        for timer in [Timer::Ring, Timer::Brief, Timer::Key] {
            self.timers.stop(timer);
        }
    }

    fn begin(&mut self, now: MediaTime, request: Request) -> State {
        let packet = Arc::new(packet::build(&request));
        let Request { trigger, reason, queue, rules, .. } = request;
        let triggered = What::EscalationTriggered { trigger, reason, queue: queue.clone() };
        self.put(Output::Note(triggered));
        self.put(Output::Announce { text: Arc::clone(&rules.wording.announcement) });
        self.enqueue(now, (queue, packet, rules), false)
    }

    /// Puts the call into a queue: at its end, or where it had come to the front, there again. The
    /// caller is being told.
    pub(super) fn enqueue(
        &mut self,
        now: MediaTime,
        (queue, packet, rules): (String, Arc<ContextPacket>, Arc<Rules>),
        again: bool,
    ) -> State {
        self.put(Output::Enqueue { queue: queue.clone(), packet: Arc::clone(&packet), again });
        let enqueued = What::Enqueued { queue: queue.clone(), packet: packet.packet_id.clone() };
        self.put(Output::Note(enqueued));
        self.arm(Timer::Announcement, now, ANNOUNCEMENT_CAP);
        self.arm(Timer::Limit, now, rules.limit);
        let until = now + rules.limit;
        State::Queued(Waiting { packet, queue, rules, until, hears: Hears::Words })
    }

    fn dial(&mut self, now: MediaTime, waiting: Waiting, agent: AgentRef) -> State {
        let dial = self.next_dial();
        self.put(Output::Note(What::AgentOffered { agent: agent.name.to_string() }));
        self.put(Output::Dial {
            dial,
            agent: agent.clone(),
            display: uui::display_number(&waiting.packet.caller),
            headers: vec![("User-to-User", uui::user_to_user(&waiting.packet.packet_id))],
        });
        self.arm(Timer::Ring, now, waiting.rules.ring);
        State::Ringing(waiting, AgentLine { agent, dial })
    }

    /// The caller left before an agent picked up.
    fn withdraw(&mut self) -> State {
        self.timers.clear();
        self.put(Output::Withdraw);
        State::Gone
    }
}
