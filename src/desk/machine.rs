//! The machine: who waits, who is free, and what changes that.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use cordboard_audio::MediaTime;

use super::border::{
    AgentProfile, DeskEntry, DeskSettings, Error, GaveUp, Input, Output, QueueRules, SettingsError,
};
use crate::escalation::{DeskReport, Refusal};
use crate::timeline::CallId;

/// The desk: all agents, all queues, all calls that want a human.
#[derive(Debug)]
pub struct Desk {
    pub(super) agents: Vec<Agent>,
    pub(super) queues: Vec<Queue>,
    /// By priority, then by arrival.
    pub(super) calls: Vec<Waiting>,
    outputs: VecDeque<Output>,
    pub(super) limits: Limits,
}

#[derive(Debug)]
pub(super) struct Limits {
    pub(super) rest: Duration,
    pub(super) wrap_up: Duration,
    pub(super) offer: Duration,
    pub(super) talk: Duration,
}

#[derive(Debug)]
pub(super) struct Agent {
    pub(super) profile: AgentProfile,
    pub(super) activity: Activity,
    pub(super) paused: bool,
}

#[derive(Debug)]
pub(super) enum Activity {
    Free { since: MediaTime },
    Offered { call: CallId, free_since: MediaTime },
    Talking { call: CallId, since: MediaTime, until: MediaTime },
    Resting { until: MediaTime },
}

#[derive(Debug)]
pub(super) struct Queue {
    pub(super) rules: QueueRules,
    /// Who serves it, as indices into the agents.
    pub(super) agents: Vec<usize>,
}

#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) call: CallId,
    pub(super) packet_id: String,
    pub(super) queue: usize,
    priority: u8,
    pub(super) since: MediaTime,
    until: MediaTime,
    pub(super) round: u32,
    /// Who has been asked in this round.
    pub(super) asked: Vec<usize>,
    pub(super) place: Place,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Place {
    /// For an agent to be free.
    Waiting,
    /// For the next round.
    Pausing { until: MediaTime },
    /// For the agent to accept.
    Offered { agent: usize, until: MediaTime },
}

/// What can fall due; the index is that of the call or of the agent.
#[derive(Clone, Copy, Debug)]
enum Timer {
    Limit(usize),
    Round(usize),
    Offer(usize),
    Rest(usize),
    Talk(usize),
}

impl Desk {
    /// Opens the desk; all agents are free from time zero on.
    ///
    /// # Errors
    ///
    /// Where the settings contradict themselves.
    pub fn new(settings: DeskSettings) -> Result<Self, SettingsError> {
        settings.check()?;
        let free = |profile| Agent {
            profile,
            activity: Activity::Free { since: MediaTime::ZERO },
            paused: false,
        };
        let agents: Vec<Agent> = settings.agents.into_iter().map(free).collect();
        let queue = |rules| Queue { agents: staff(&rules, &agents), rules };
        Ok(Self {
            queues: settings.queues.into_iter().map(queue).collect(),
            agents,
            calls: Vec::new(),
            outputs: VecDeque::new(),
            limits: Limits {
                rest: settings.rest,
                wrap_up: settings.wrap_up,
                offer: settings.offer_limit,
                talk: settings.talk_limit,
            },
        })
    }

    /// Takes one input.
    ///
    /// # Errors
    ///
    /// Where the call or the API broke the contract; nothing has changed then. Reports of an offer
    /// that is over are no errors.
    pub fn handle_input(&mut self, now: MediaTime, input: Input) -> Result<(), Error> {
        match input {
            Input::Enqueued { call, queue, packet_id, priority } => {
                self.enqueue(now, call, queue, packet_id, priority)?;
            }
            Input::Withdrawn { call } => self.withdraw(now, &call),
            Input::Reported { call, report } => self.take_report(now, call, report),
            Input::AgentPaused(agent) => self.pause(agent, true)?,
            Input::AgentResumed(agent) => self.pause(agent, false)?,
            Input::Reconfigured(settings) => {
                settings.check().map_err(|why| Error::SettingsMisuse { why })?;
                self.reconfigure(now, settings);
            }
            Input::Timeout => {}
        }
        self.expire(now);
        self.route(now);
        Ok(())
    }

    /// Gives the next output.
    pub fn poll_output(&mut self) -> Output {
        self.outputs.pop_front().unwrap_or_else(|| {
            Output::Wait(self.timers().map(|(at, _)| at).min().filter(|&at| at < MediaTime::NEVER))
        })
    }

    fn enqueue(
        &mut self,
        now: MediaTime,
        call: CallId,
        queue: String,
        packet_id: String,
        priority: u8,
    ) -> Result<(), Error> {
        if self.calls.iter().any(|waiting| waiting.call == call) {
            return Err(Error::CallMisbehaved { call });
        }
        let Some(index) = self.queues.iter().position(|known| known.rules.name == queue) else {
            self.give_up_on(call, packet_id, queue, GaveUp::UnknownQueue, Duration::ZERO);
            return Ok(());
        };
        let ahead = self.calls.iter().filter(|w| w.queue == index && w.priority >= priority);
        self.note(DeskEntry::Enqueued { call: call.clone(), queue, ahead: ahead.count() });
        let at = self.calls.partition_point(|waiting| waiting.priority >= priority);
        let waiting = Waiting {
            call,
            packet_id,
            queue: index,
            priority,
            since: now,
            until: now + self.queues[index].rules.limit,
            round: 1,
            asked: Vec::new(),
            place: Place::Waiting,
        };
        self.calls.insert(at, waiting);
        Ok(())
    }

    fn withdraw(&mut self, now: MediaTime, call: &CallId) {
        if let Some(index) = self.calls.iter().position(|waiting| waiting.call == *call) {
            let waiting = self.calls.remove(index);
            let waited = now.since(waiting.since);
            self.note(DeskEntry::Withdrawn { call: call.clone(), waited });
        }
        for index in 0..self.agents.len() {
            match &self.agents[index].activity {
                // The agent did nothing wrong, and keeps the place among the idle.
                Activity::Offered { call: offered, free_since } if offered == call => {
                    self.agents[index].activity = Activity::Free { since: *free_since };
                }
                Activity::Talking { call: talking, .. } if talking == call => {
                    self.release(now, index, self.limits.wrap_up);
                }
                Activity::Free { .. }
                | Activity::Offered { .. }
                | Activity::Talking { .. }
                | Activity::Resting { .. } => {}
            }
        }
    }

    fn take_report(&mut self, now: MediaTime, call: CallId, report: DeskReport) {
        match report {
            DeskReport::Declined { agent, why } => {
                self.refuse(&call, &agent, why, Activity::Free { since: now });
            }
            DeskReport::NoAnswer { agent, why } => {
                let until = now + self.limits.rest;
                self.refuse(&call, &agent, why, Activity::Resting { until });
            }
            DeskReport::Accepted { agent } => self.accept(now, call, agent),
            DeskReport::Released { agent } => {
                let index = self.agent_index(&agent);
                let index = index.filter(|&index| self.agents[index].talks_in(&call));
                if let Some(index) = index {
                    self.release(now, index, self.limits.wrap_up);
                }
            }
            // A phone that has just broken is not rung again at once.
            DeskReport::Lost { agent } => {
                let index = self.agent_index(&agent);
                let index = index.filter(|&index| self.agents[index].talks_in(&call));
                if let Some(index) = index {
                    self.release(now, index, self.limits.rest);
                }
            }
        }
    }

    fn refuse(&mut self, call: &CallId, agent: &Arc<str>, why: Refusal, next: Activity) {
        let Some((waiting, index)) = self.offer_of(call, agent) else { return };
        self.agents[index].activity = next;
        let waiting = &mut self.calls[waiting];
        waiting.place = Place::Waiting;
        waiting.asked.push(index);
        self.note(DeskEntry::Refused { call: call.clone(), agent: Arc::clone(agent), why });
    }

    fn accept(&mut self, now: MediaTime, call: CallId, agent: Arc<str>) {
        let until = now + self.limits.talk;
        if let Some((waiting, index)) = self.offer_of(&call, &agent) {
            let waited = now.since(self.calls.remove(waiting).since);
            let talking = Activity::Talking { call: call.clone(), since: now, until };
            self.agents[index].activity = talking;
            self.note(DeskEntry::Accepted { call, agent, waited });
            return;
        }
        // It crossed our `NobodyCame`: the two are speaking all the same.
        let Some(index) = self.agent_index(&agent) else { return };
        match self.agents[index].activity {
            Activity::Free { .. } | Activity::Resting { .. } => {
                let talking = Activity::Talking { call: call.clone(), since: now, until };
                self.agents[index].activity = talking;
                self.note(DeskEntry::Accepted { call, agent, waited: Duration::ZERO });
            }
            Activity::Offered { .. } | Activity::Talking { .. } => {}
        }
    }

    /// An agent who talks is off the call, and left alone for so long.
    fn release(&mut self, now: MediaTime, index: usize, rest: Duration) {
        let next = if rest.is_zero() {
            Activity::Free { since: now }
        } else {
            Activity::Resting { until: now + rest }
        };
        let agent = &mut self.agents[index];
        let name = Arc::clone(&agent.profile.agent.name);
        let was = std::mem::replace(&mut agent.activity, next);
        if let Activity::Talking { call, since, .. } = was {
            let talked = now.since(since);
            self.note(DeskEntry::Released { call, agent: name, talked });
        }
    }

    fn pause(&mut self, agent: Arc<str>, paused: bool) -> Result<(), Error> {
        let Some(index) = self.agent_index(&agent) else {
            return Err(Error::ApiMisuse { agent });
        };
        if self.agents[index].paused != paused {
            self.agents[index].paused = paused;
            self.note(if paused {
                DeskEntry::AgentPaused { agent }
            } else {
                DeskEntry::AgentResumed { agent }
            });
        }
        Ok(())
    }

    /// Lets happen what is due, in the order in which it fell due.
    fn expire(&mut self, now: MediaTime) {
        while let Some((at, timer)) = self.timers().min_by_key(|&(at, _)| at) {
            if at > now {
                return;
            }
            match timer {
                Timer::Limit(call) => self.give_up(now, call, GaveUp::Limit),
                Timer::Round(call) => {
                    let waiting = &mut self.calls[call];
                    waiting.round += 1;
                    waiting.asked.clear();
                    waiting.place = Place::Waiting;
                }
                Timer::Offer(call) => {
                    if let Place::Offered { agent, .. } = self.calls[call].place {
                        let until = now + self.limits.rest;
                        self.agents[agent].activity = Activity::Resting { until };
                    }
                    self.give_up(now, call, GaveUp::OfferLost);
                }
                Timer::Rest(agent) => {
                    self.agents[agent].activity = Activity::Free { since: at };
                }
                Timer::Talk(index) => self.lose_talk(now, index),
            }
        }
    }

    fn lose_talk(&mut self, now: MediaTime, index: usize) {
        let agent = &mut self.agents[index];
        let name = Arc::clone(&agent.profile.agent.name);
        let next = Activity::Resting { until: now + self.limits.rest };
        if let Activity::Talking { call, .. } = std::mem::replace(&mut agent.activity, next) {
            self.note(DeskEntry::TalkLost { call, agent: name });
        }
    }

    pub(super) fn give_up_on(
        &mut self,
        call: CallId,
        packet_id: String,
        queue: String,
        why: GaveUp,
        waited: Duration,
    ) {
        self.note(DeskEntry::NobodyCame { call: call.clone(), queue, why, waited });
        self.put(Output::NobodyCame { call, packet_id });
    }

    pub(super) fn note(&mut self, entry: DeskEntry) {
        self.put(Output::Note(entry));
    }

    pub(super) fn put(&mut self, output: Output) {
        self.outputs.push_back(output);
    }

    /// The table of timers, as the states have it.
    fn timers(&self) -> impl Iterator<Item = (MediaTime, Timer)> {
        let calls = self.calls.iter().enumerate().flat_map(|(index, waiting)| {
            let limit = (waiting.until, Timer::Limit(index));
            match waiting.place {
                Place::Waiting => [Some(limit), None],
                Place::Pausing { until } => [Some(limit), Some((until, Timer::Round(index)))],
                // The limit waits for the agent, and counts if the answer is no.
                Place::Offered { until, .. } => [Some((until, Timer::Offer(index))), None],
            }
        });
        let agents = self.agents.iter().enumerate().map(|(index, agent)| match agent.activity {
            Activity::Resting { until } => Some((until, Timer::Rest(index))),
            Activity::Talking { until, .. } => Some((until, Timer::Talk(index))),
            Activity::Free { .. } | Activity::Offered { .. } => None,
        });
        calls.chain(agents).flatten()
    }

    /// The call and the agent, where the one is offered the other.
    fn offer_of(&self, call: &CallId, agent: &str) -> Option<(usize, usize)> {
        let index = self.calls.iter().position(|waiting| waiting.call == *call)?;
        match self.calls[index].place {
            Place::Offered { agent: offered, .. } => {
                let name = &self.agents[offered].profile.agent.name;
                (**name == *agent).then_some((index, offered))
            }
            Place::Waiting | Place::Pausing { .. } => None,
        }
    }

    fn agent_index(&self, name: &str) -> Option<usize> {
        self.agents.iter().position(|agent| *agent.profile.agent.name == *name)
    }
}

impl Agent {
    fn talks_in(&self, call: &CallId) -> bool {
        matches!(&self.activity, Activity::Talking { call: current, .. } if current == call)
    }
}

/// Who of the agents serves a queue, as indices.
pub(super) fn staff(rules: &QueueRules, agents: &[Agent]) -> Vec<usize> {
    let serves = |profile: &AgentProfile| {
        profile.queues.contains(&rules.name)
            && rules.needs.iter().all(|skill| profile.skills.contains(skill))
    };
    let agents = agents.iter().enumerate();
    agents.filter(|(_, agent)| serves(&agent.profile)).map(|(index, _)| index).collect()
}

impl DeskSettings {
    /// Whether a desk can be made of them.
    ///
    /// # Errors
    ///
    /// Where they contradict themselves.
    pub fn check(&self) -> Result<(), SettingsError> {
        let mut queues = HashSet::new();
        for rules in &self.queues {
            if !queues.insert(&rules.name) {
                return Err(SettingsError::QueueTwice { name: rules.name.clone() });
            }
            if rules.rounds == 0 {
                return Err(SettingsError::NoRounds { queue: rules.name.clone() });
            }
        }
        let mut names = HashSet::new();
        for profile in &self.agents {
            let name = Arc::clone(&profile.agent.name);
            if !names.insert(Arc::clone(&name)) {
                return Err(SettingsError::AgentTwice { name });
            }
            if let Some(queue) = profile.queues.iter().find(|queue| !queues.contains(queue)) {
                return Err(SettingsError::NoSuchQueue { agent: name, queue: queue.clone() });
            }
        }
        Ok(())
    }
}
