//! The machine: its states, and which inputs reach them.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use cordboard_audio::MediaTime;

use super::border::{AgentRef, DeskReport, DialId, Error, Input, Output, Rules, SpeechId, Stage};
use super::timers::{Timer, TimerTable};
use crate::timeline::ContextPacket;

/// One call's way to a human.
///
/// After `BackToAssistant` it is idle and may be triggered again, with another context packet.
#[derive(Debug, Default)]
pub struct Escalation {
    state: State,
    pub(super) timers: TimerTable,
    outputs: VecDeque<Output>,
    dials: u32,
    speeches: u32,
}

#[derive(Debug, Default)]
pub(super) enum State {
    #[default]
    Idle,
    Queued(Waiting),
    Ringing(Waiting, AgentLine),
    Briefing(Waiting, AgentLine, Told),
    AwaitingKey(Waiting, AgentLine, Told),
    Joining(Joined),
    Bridged(Joined),
    Parting(Parting),
    Gone,
}

/// What is kept while the caller waits.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) packet: Arc<ContextPacket>,
    pub(super) queue: String,
    pub(super) rules: Arc<Rules>,
    /// When the caller has waited long enough.
    pub(super) until: MediaTime,
    pub(super) hears: Hears,
}

/// What a waiting caller hears.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hears {
    Words,
    Music,
}

#[derive(Debug)]
pub(super) struct AgentLine {
    pub(super) agent: AgentRef,
    pub(super) dial: DialId,
}

/// What the agent has been told.
#[derive(Clone, Copy, Debug)]
pub(super) struct Told {
    /// What is being said, or was said last.
    pub(super) speech: SpeechId,
    /// How often the brief was said again.
    pub(super) repeats: u8,
    /// Whether a wrong key was answered by the instruction.
    pub(super) instructed: bool,
    /// Whether the context packet was fetched since the agent picked up.
    pub(super) fetched: bool,
}

#[derive(Debug)]
pub(super) struct Joined {
    pub(super) line: AgentLine,
    pub(super) packet: Arc<ContextPacket>,
    pub(super) queue: String,
    pub(super) rules: Arc<Rules>,
}

#[derive(Debug)]
pub(super) struct Parting {
    pub(super) line: AgentLine,
    pub(super) speech: SpeechId,
    /// What the desk is told once the agent is off the call.
    pub(super) owed: Output,
}

impl Escalation {
    /// Makes an idle one.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes one input.
    ///
    /// # Errors
    ///
    /// Where the call or the desk broke the contract; nothing has changed then. Late inputs (of a
    /// dial, a speech or a context packet that is no longer current) are no errors.
    pub fn handle_input(&mut self, now: MediaTime, input: Input) -> Result<(), Error> {
        self.admit(&input)?;
        if matches!(input, Input::Timeout) {
            while let Some(timer) = self.timers.expire(now) {
                self.step(|escalation, state| escalation.due(now, timer, state));
            }
        } else if self.is_late(&input) {
            self.answer_late(&input);
        } else {
            self.step(|escalation, state| escalation.take(now, state, input));
        }
        Ok(())
    }

    /// Gives the next output.
    pub fn poll_output(&mut self) -> Output {
        self.outputs.pop_front().unwrap_or_else(|| Output::Wait(self.timers.next()))
    }

    /// Where it stands.
    #[must_use]
    pub const fn stage(&self) -> Stage {
        match self.state {
            State::Idle => Stage::Idle,
            State::Queued(..) => Stage::Queued,
            State::Ringing(..) => Stage::Ringing,
            State::Briefing(..) => Stage::Briefing,
            State::AwaitingKey(..) => Stage::AwaitingKey,
            State::Joining(..) => Stage::Joining,
            State::Bridged(..) => Stage::Bridged,
            State::Parting(..) => Stage::Parting,
            State::Gone => Stage::Gone,
        }
    }

    pub(super) fn step(&mut self, next: impl FnOnce(&mut Self, State) -> State) {
        let state = std::mem::take(&mut self.state);
        self.state = next(self, state);
    }

    fn take(&mut self, now: MediaTime, state: State, input: Input) -> State {
        match state {
            State::Idle => self.idle(now, input),
            State::Queued(waiting) => self.queued(now, waiting, input),
            State::Ringing(waiting, line) => self.ringing(now, waiting, line, &input),
            State::Briefing(waiting, line, told) => self.briefing(now, waiting, line, told, &input),
            State::AwaitingKey(waiting, line, told) => {
                self.awaiting_key(now, waiting, line, told, &input)
            }
            State::Joining(joined) => self.joining(now, joined, &input),
            State::Bridged(joined) => self.bridged(now, joined, &input),
            State::Parting(parting) => self.parting(parting, &input),
            State::Gone => State::Gone,
        }
    }

    pub(super) fn due(&mut self, now: MediaTime, timer: Timer, state: State) -> State {
        match (timer, state) {
            (Timer::Announcement, mut state) => {
                if let Some(waiting) = state.waiting_mut() {
                    self.announced(now, waiting);
                }
                state
            }
            (Timer::Comfort, mut state) => {
                if let Some(waiting) = state.waiting_mut() {
                    self.comfort(now, waiting);
                }
                state
            }
            (Timer::Limit, State::Queued(waiting)) => self.give_up(&waiting),
            (Timer::Limit, State::Ringing(waiting, line)) => {
                self.put(Output::HangUpAgent { dial: line.dial });
                self.give_up(&waiting)
            }
            (Timer::Ring, State::Ringing(waiting, line)) => self.rang_in_vain(now, waiting, &line),
            (Timer::Brief, State::Briefing(waiting, line, told)) => {
                self.brief_ended(now, waiting, line, told)
            }
            (Timer::Key, State::AwaitingKey(waiting, line, told)) => {
                self.no_key(now, waiting, line, told)
            }
            (Timer::Tone, State::Joining(joined)) => self.bridge(now, joined),
            (Timer::Talk, State::Bridged(joined)) => self.talk_limit(&joined),
            (Timer::Parting, State::Parting(parting)) => self.part(parting, true),
            // Limit while an agent hears the brief: it counts if this agent does not take the
            // call. The others were armed by a state that is over.
            (
                Timer::Limit
                | Timer::Ring
                | Timer::Brief
                | Timer::Key
                | Timer::Tone
                | Timer::Talk
                | Timer::Parting,
                state,
            ) => state,
        }
    }

    fn admit(&self, input: &Input) -> Result<(), Error> {
        let stage = self.stage();
        match input {
            Input::Triggered(_) if stage != Stage::Idle => Err(Error::ApiMisuse { stage }),
            Input::Offered { packet_id, agent }
                if stage != Stage::Queued && self.state.packet_id() == Some(packet_id) =>
            {
                Err(Error::DeskMisbehaved { agent: Arc::clone(&agent.name), stage })
            }
            Input::Triggered(_)
            | Input::Announced
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
            | Input::CallerLeft
            | Input::Timeout => Ok(()),
        }
    }

    /// Whether the input speaks of something that is over: it crossed an output of ours.
    fn is_late(&self, input: &Input) -> bool {
        match input {
            Input::AgentRinging { dial }
            | Input::AgentAnswered { dial }
            | Input::AgentRefused { dial, .. }
            | Input::AgentLeft { dial }
            | Input::AgentLost { dial }
            | Input::AgentKeyed { dial, .. } => {
                self.state.line().is_none_or(|line| line.dial != *dial)
            }
            Input::Offered { packet_id, .. } | Input::NobodyCame { packet_id } => {
                self.state.packet_id() != Some(packet_id)
            }
            Input::BriefEnded { speech } => self.state.speech() != Some(*speech),
            Input::Triggered(_)
            | Input::Announced
            | Input::ToneEnded
            | Input::PacketFetched
            | Input::CallerLeft
            | Input::Timeout => false,
        }
    }

    /// A phone that was picked up while our CANCEL was on its way must be hung up again
    /// (RFC 3261 §9.1: the CANCEL then had no effect).
    fn answer_late(&mut self, input: &Input) {
        if let Input::AgentAnswered { dial } = *input {
            self.put(Output::HangUpAgent { dial });
        }
    }

    pub(super) fn put(&mut self, output: Output) {
        self.outputs.push_back(output);
    }

    pub(super) fn tell_desk(&mut self, report: DeskReport) {
        self.put(Output::TellDesk(report));
    }

    pub(super) fn arm(&mut self, timer: Timer, now: MediaTime, after: Duration) {
        self.timers.arm(timer, now + after);
    }

    pub(super) const fn next_dial(&mut self) -> DialId {
        self.dials += 1;
        DialId(self.dials)
    }

    pub(super) const fn next_speech(&mut self) -> SpeechId {
        self.speeches += 1;
        SpeechId(self.speeches)
    }
}

impl State {
    const fn waiting_mut(&mut self) -> Option<&mut Waiting> {
        match self {
            Self::Queued(waiting)
            | Self::Ringing(waiting, _)
            | Self::Briefing(waiting, ..)
            | Self::AwaitingKey(waiting, ..) => Some(waiting),
            Self::Idle | Self::Joining(_) | Self::Bridged(_) | Self::Parting(_) | Self::Gone => {
                None
            }
        }
    }

    /// The context packet that the desk still owes an answer for.
    fn packet_id(&self) -> Option<&str> {
        match self {
            Self::Queued(waiting)
            | Self::Ringing(waiting, _)
            | Self::Briefing(waiting, ..)
            | Self::AwaitingKey(waiting, ..) => Some(&waiting.packet.packet_id),
            Self::Idle | Self::Joining(_) | Self::Bridged(_) | Self::Parting(_) | Self::Gone => {
                None
            }
        }
    }

    pub(super) const fn line(&self) -> Option<&AgentLine> {
        match self {
            Self::Ringing(_, line) | Self::Briefing(_, line, _) | Self::AwaitingKey(_, line, _) => {
                Some(line)
            }
            Self::Joining(joined) | Self::Bridged(joined) => Some(&joined.line),
            Self::Parting(parting) => Some(&parting.line),
            Self::Idle | Self::Queued(_) | Self::Gone => None,
        }
    }

    const fn speech(&self) -> Option<SpeechId> {
        match self {
            Self::Briefing(_, _, told) => Some(told.speech),
            Self::Parting(parting) => Some(parting.speech),
            Self::Idle
            | Self::Queued(_)
            | Self::Ringing(..)
            | Self::AwaitingKey(..)
            | Self::Joining(_)
            | Self::Bridged(_)
            | Self::Gone => None,
        }
    }
}
