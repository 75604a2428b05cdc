//! How the desk stands: who does what, and who waits.

use std::sync::Arc;
use std::time::Duration;

use cordboard_audio::MediaTime;

use super::machine::{Activity, Desk, Place};
use crate::timeline::CallId;

/// The desk at one moment; not serialized, the API has its own types.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Positions {
    /// In the order of the settings.
    pub agents: Vec<AgentPosition>,
    /// In the order of the settings.
    pub queues: Vec<QueuePosition>,
}

/// An agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentPosition {
    /// The name.
    pub name: Arc<str>,
    /// Where the phone is.
    pub uri: Arc<str>,
    /// What the agent is good at.
    pub skills: Vec<String>,
    /// The queues that the agent serves.
    pub queues: Vec<String>,
    /// What the agent does.
    pub standing: Standing,
    /// Whether the agent takes no further call.
    pub paused: bool,
}

/// What an agent does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Nothing.
    Free {
        /// For how long.
        lasting: Duration,
    },
    /// Is being rung, or hears the brief.
    Offered {
        /// For which call.
        call: CallId,
    },
    /// Speaks with a caller.
    Talking {
        /// In which call.
        call: CallId,
        /// For how long.
        lasting: Duration,
    },
    /// Is left alone, after a call or after one that was not answered.
    Resting,
}

/// A queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueuePosition {
    /// The name.
    pub name: String,
    /// Calls that wait, those with an agent being rung among them.
    pub waiting: usize,
    /// Of these, how many have an agent being rung.
    pub offered: usize,
    /// How long the first of them has waited.
    pub longest_wait: Duration,
    /// Agents who could take a call now.
    pub agents_free: usize,
}

impl Desk {
    /// How the desk stands.
    #[must_use]
    pub fn positions(&self, now: MediaTime) -> Positions {
        let agents = self.agents.iter().map(|agent| AgentPosition {
            name: Arc::clone(&agent.profile.agent.name),
            uri: Arc::clone(&agent.profile.agent.uri),
            skills: agent.profile.skills.clone(),
            queues: agent.profile.queues.clone(),
            standing: standing(&agent.activity, now),
            paused: agent.paused,
        });
        let queues = (0..self.queues.len()).map(|index| self.queue_position(index, now));
        Positions { agents: agents.collect(), queues: queues.collect() }
    }

    fn queue_position(&self, index: usize, now: MediaTime) -> QueuePosition {
        let queue = &self.queues[index];
        let calls = || self.calls.iter().filter(|waiting| waiting.queue == index);
        let offered = calls().filter(|waiting| matches!(waiting.place, Place::Offered { .. }));
        let agents = queue.agents.iter().map(|&agent| &self.agents[agent]);
        let free = agents.filter(|a| !a.paused && matches!(a.activity, Activity::Free { .. }));
        QueuePosition {
            name: queue.rules.name.clone(),
            waiting: calls().count(),
            offered: offered.count(),
            longest_wait: calls().map(|w| now.since(w.since)).max().unwrap_or_default(),
            agents_free: free.count(),
        }
    }
}

fn standing(activity: &Activity, now: MediaTime) -> Standing {
    match activity {
        Activity::Free { since } => Standing::Free { lasting: now.since(*since) },
        Activity::Offered { call, .. } => Standing::Offered { call: call.clone() },
        Activity::Talking { call, since, .. } => {
            Standing::Talking { call: call.clone(), lasting: now.since(*since) }
        }
        Activity::Resting { .. } => Standing::Resting,
    }
}
