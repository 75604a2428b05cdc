//! Other agents and queues, while calls wait and agents talk.
//!
//! Who stays keeps what they do. An agent who is gone keeps the call that they have, and gets no
//! other; a queue that is gone goes on for the calls that wait in it. Both are forgotten at the
//! next change.

use cordboard_audio::MediaTime;

use super::border::{AgentProfile, DeskSettings};
use super::machine::{Activity, Agent, Desk, Limits, Place, Queue, staff};

impl Desk {
    /// Takes other settings, which have been checked.
    pub(super) fn reconfigure(&mut self, now: MediaTime, settings: DeskSettings) {
        let mut agents: Vec<Agent> = Vec::new();
        let mut moved = vec![None; self.agents.len()];
        let mut known: Vec<Option<Agent>> = self.agents.drain(..).map(Some).collect();
        let mut take = |name: &str| {
            let is_named = |agent: &Agent| *agent.profile.agent.name == *name;
            let index = known.iter().position(|agent| agent.as_ref().is_some_and(is_named))?;
            known[index].take().map(|agent| (index, agent))
        };
        for profile in settings.agents {
            let agent = match take(&profile.agent.name) {
                Some((index, agent)) => {
                    moved[index] = Some(agents.len());
                    Agent { profile, ..agent }
                }
                None => Agent { profile, activity: Activity::Free { since: now }, paused: false },
            };
            agents.push(agent);
        }
        for (index, agent) in known.into_iter().enumerate() {
            let Some(agent) = agent else { continue };
            if matches!(agent.activity, Activity::Offered { .. } | Activity::Talking { .. }) {
                moved[index] = Some(agents.len());
                let profile = AgentProfile { queues: Vec::new(), ..agent.profile };
                agents.push(Agent { profile, ..agent });
            }
        }
        self.agents = agents;
        self.move_queues(settings.queues.into_iter(), &moved);
        self.limits = Limits {
            rest: settings.rest,
            wrap_up: settings.wrap_up,
            offer: settings.offer_limit,
            talk: settings.talk_limit,
        };
    }

    /// Puts other queues in place of these; `moved` says where each agent went.
    fn move_queues(
        &mut self,
        rules: impl Iterator<Item = super::border::QueueRules>,
        moved: &[Option<usize>],
    ) {
        let mut queues: Vec<Queue> =
            rules.map(|rules| Queue { agents: staff(&rules, &self.agents), rules }).collect();
        for index in 0..self.queues.len() {
            let named = |queue: &Queue| queue.rules.name == self.queues[index].rules.name;
            let place = queues.iter().position(named);
            let is_used = self.calls.iter().any(|waiting| waiting.queue == index);
            if place.is_none() && is_used {
                let old = &self.queues[index];
                let agents = old.agents.iter().filter_map(|agent| moved[*agent]).collect();
                queues.push(Queue { rules: old.rules.clone(), agents });
            }
        }
        for waiting in &mut self.calls {
            let name = &self.queues[waiting.queue].rules.name;
            let place = queues.iter().position(|queue| queue.rules.name == *name);
            waiting.queue = place.expect("a queue with a call in it was kept above");
            waiting.asked = waiting.asked.iter().filter_map(|agent| moved[*agent]).collect();
            if let Place::Offered { agent, until } = waiting.place {
                let agent = moved[agent].expect("an agent who was offered was kept above");
                waiting.place = Place::Offered { agent, until };
            }
        }
        self.queues = queues;
    }
}
