//! Routing: which agent is offered to which call.
//!
//! Calls are gone through by priority and arrival; each takes the first of its queue's free agents
//! whom it has not asked in this round. Deliberately absent: forecasts, skills by degree.

use std::sync::Arc;

use cordboard_audio::MediaTime;

use super::border::{DeskEntry, GaveUp, Order, Output};
use super::machine::{Activity, Desk, Place, Waiting};

/// What routing finds for a call.
#[derive(Clone, Copy, Debug)]
enum Prospect {
    Agent(usize),
    Later,
    RoundOver,
    NobodyOnDuty,
}

impl Desk {
    /// Goes through the calls, the first served first, and offers whom there is.
    pub(super) fn route(&mut self, now: MediaTime) {
        let mut index = 0;
        while index < self.calls.len() {
            let before = self.calls.len();
            if matches!(self.calls[index].place, Place::Waiting) {
                self.route_one(now, index);
            }
            index += usize::from(self.calls.len() == before);
        }
    }

    fn route_one(&mut self, now: MediaTime, index: usize) {
        match self.prospect(&self.calls[index]) {
            Prospect::Agent(agent) => self.offer(now, index, agent),
            Prospect::Later => {}
            Prospect::RoundOver => {
                let waiting = &mut self.calls[index];
                let rules = &self.queues[waiting.queue].rules;
                if waiting.round < rules.rounds {
                    waiting.place = Place::Pausing { until: now + rules.round_pause };
                } else {
                    self.give_up(now, index, GaveUp::AllRefused);
                }
            }
            Prospect::NobodyOnDuty => self.give_up(now, index, GaveUp::NobodyOnDuty),
        }
    }

    fn prospect(&self, waiting: &Waiting) -> Prospect {
        let queue = &self.queues[waiting.queue];
        let on_duty = || queue.agents.iter().copied().filter(|&a| !self.agents[a].paused);
        let unasked = || on_duty().filter(|agent| !waiting.asked.contains(agent));
        if on_duty().next().is_none() {
            return Prospect::NobodyOnDuty;
        }
        if unasked().next().is_none() {
            return Prospect::RoundOver;
        }
        let free = unasked().filter_map(|agent| match self.agents[agent].activity {
            Activity::Free { since } => Some((since, agent)),
            Activity::Offered { .. } | Activity::Talking { .. } | Activity::Resting { .. } => None,
        });
        let chosen = match queue.rules.order {
            Order::Configured => free.min_by_key(|&(_, agent)| agent),
            Order::LongestIdle => free.min(),
        };
        chosen.map_or(Prospect::Later, |(_, agent)| Prospect::Agent(agent))
    }

    fn offer(&mut self, now: MediaTime, index: usize, agent: usize) {
        let waiting = &mut self.calls[index];
        waiting.place = Place::Offered { agent, until: now + self.limits.offer };
        let chosen = &mut self.agents[agent];
        if let Activity::Free { since } = chosen.activity {
            let call = waiting.call.clone();
            chosen.activity = Activity::Offered { call, free_since: since };
        }
        let (call, round) = (waiting.call.clone(), waiting.round);
        let (packet_id, agent) = (waiting.packet_id.clone(), chosen.profile.agent.clone());
        let name = Arc::clone(&agent.name);
        self.note(DeskEntry::Offered { call: call.clone(), agent: name, round });
        self.put(Output::Offer { call, packet_id, agent });
    }

    pub(super) fn give_up(&mut self, now: MediaTime, index: usize, why: GaveUp) {
        let Waiting { call, packet_id, queue, since, .. } = self.calls.remove(index);
        let queue = self.queues[queue].rules.name.clone();
        self.give_up_on(call, packet_id, queue, why, now.since(since));
    }
}
