//! What goes into the desk and what comes out of it.

use std::sync::Arc;
use std::time::Duration;

use cordboard_audio::MediaTime;

use crate::escalation::{AgentRef, DeskReport, Refusal};
use crate::timeline::CallId;

/// What the desk must know at the start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeskSettings {
    /// The agents, in the order in which they are asked.
    pub agents: Vec<AgentProfile>,
    /// The queues.
    pub queues: Vec<QueueRules>,
    /// How long an agent who was not reached is left alone.
    pub rest: Duration,
    /// How long an agent is left alone after a call, to finish the work on it.
    pub wrap_up: Duration,
    /// After how long an offer of which nothing is heard is taken back: longer than any ring and
    /// brief.
    pub offer_limit: Duration,
    /// After how long a call of which nothing is heard is taken for over: longer than any talk.
    pub talk_limit: Duration,
}

impl Default for DeskSettings {
    fn default() -> Self {
        Self {
            agents: Vec::new(),
            queues: Vec::new(),
            rest: Duration::from_secs(5),
            wrap_up: Duration::ZERO,
            offer_limit: Duration::from_secs(240),
            talk_limit: Duration::from_secs(5 * 3600),
        }
    }
}

/// An agent, and what the agent can do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentProfile {
    /// Name and phone.
    pub agent: AgentRef,
    /// What the agent is good at: "german", "refunds".
    pub skills: Vec<String>,
    /// The queues that the agent serves.
    pub queues: Vec<String>,
}

/// A queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueRules {
    /// Its name.
    pub name: String,
    /// Who of the free agents is asked first.
    pub order: Order,
    /// Skills without which an agent gets no call of this queue.
    pub needs: Vec<String>,
    /// How long a call waits at most.
    pub limit: Duration,
    /// How often all agents are asked.
    pub rounds: u32,
    /// How long between two rounds.
    pub round_pause: Duration,
}

impl QueueRules {
    /// A queue of that name with the usual rules: configured order, 120 s, two rounds 10 s apart.
    #[must_use]
    pub fn named(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            order: Order::Configured,
            needs: Vec::new(),
            limit: Duration::from_secs(120),
            rounds: 2,
            round_pause: Duration::from_secs(10),
        }
    }
}

/// Who of the free agents is asked first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// As the settings list them.
    Configured,
    /// Who has been free longest.
    LongestIdle,
}

/// The priority of a call that lost its agent: it had come to the front, and goes before all usual
/// ones.
pub const PRIORITY_AGAIN: u8 = 1;

/// What the desk is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// A call wants an agent.
    Enqueued {
        /// The call.
        call: CallId,
        /// The queue.
        queue: String,
        /// Its context packet; an `Offer` says it back, so that late ones are known.
        packet_id: String,
        /// 0 is usual; higher goes first.
        priority: u8,
    },
    /// The call wants no agent any longer.
    Withdrawn {
        /// The call.
        call: CallId,
    },
    /// What became of an offer (`TellDesk` of the escalation).
    Reported {
        /// The call.
        call: CallId,
        /// What.
        report: DeskReport,
    },
    /// An agent takes no calls for a while.
    AgentPaused(Arc<str>),
    /// The agent takes calls again.
    AgentResumed(Arc<str>),
    /// Other agents and queues from now on; calls and talks go on.
    Reconfigured(DeskSettings),
    /// The deadline of [`Output::Wait`] passed.
    Timeout,
}

/// What the desk wants; drain until `Wait`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// This agent is the call's until it reports.
    Offer {
        /// The call.
        call: CallId,
        /// As enqueued.
        packet_id: String,
        /// Whom.
        agent: AgentRef,
    },
    /// The desk has nobody, and has forgotten the call.
    NobodyCame {
        /// The call.
        call: CallId,
        /// As enqueued.
        packet_id: String,
    },
    /// To be written on the desk's timeline.
    Note(DeskEntry),
    /// Nothing more until an input comes, or this time passes.
    Wait(Option<MediaTime>),
}

/// What happened at the desk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeskEntry {
    /// A call began to wait.
    Enqueued {
        /// The call.
        call: CallId,
        /// The queue.
        queue: String,
        /// How many wait before it.
        ahead: usize,
    },
    /// An agent was chosen for a call.
    Offered {
        /// The call.
        call: CallId,
        /// The agent's name.
        agent: Arc<str>,
        /// Which round of asking, from 1.
        round: u32,
    },
    /// The agent did not take it.
    Refused {
        /// The call.
        call: CallId,
        /// The agent's name.
        agent: Arc<str>,
        /// How.
        why: Refusal,
    },
    /// The agent took it.
    Accepted {
        /// The call.
        call: CallId,
        /// The agent's name.
        agent: Arc<str>,
        /// How long the call had waited.
        waited: Duration,
    },
    /// The agent is off the call.
    Released {
        /// The call.
        call: CallId,
        /// The agent's name.
        agent: Arc<str>,
        /// How long they talked.
        talked: Duration,
    },
    /// The call left the queue.
    Withdrawn {
        /// The call.
        call: CallId,
        /// How long it had waited.
        waited: Duration,
    },
    /// The desk gave up.
    NobodyCame {
        /// The call.
        call: CallId,
        /// The queue, as the call named it.
        queue: String,
        /// Why.
        why: GaveUp,
        /// How long the call had waited.
        waited: Duration,
    },
    /// Nothing was heard of a call for longer than any talk; the agent is free again.
    TalkLost {
        /// The call.
        call: CallId,
        /// The agent's name.
        agent: Arc<str>,
    },
    /// An agent takes no calls for a while.
    AgentPaused {
        /// The agent's name.
        agent: Arc<str>,
    },
    /// The agent takes calls again.
    AgentResumed {
        /// The agent's name.
        agent: Arc<str>,
    },
}

/// Why the desk gave a call up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum GaveUp {
    /// The settings know no such queue.
    UnknownQueue,
    /// Every agent of the queue is paused, or it has none: no use in waiting.
    NobodyOnDuty,
    /// All agents were asked as often as the queue's rules say.
    AllRefused,
    /// The call waited as long as the queue's rules say.
    Limit,
    /// Nothing was heard of an offer.
    OfferLost,
}

/// An input that nobody should have given; nothing changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The call waits already.
    #[error("call misbehaved: {call} was enqueued twice")]
    CallMisbehaved {
        /// The call.
        call: CallId,
    },
    /// Other settings that make no desk.
    #[error("api misuse: {why}")]
    SettingsMisuse {
        /// What is wrong with them.
        why: SettingsError,
    },
    /// The settings know no such agent.
    #[error("api misuse: no agent is named {agent}")]
    ApiMisuse {
        /// What was given as a name.
        agent: Arc<str>,
    },
}

/// Settings that make no desk.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SettingsError {
    /// Two agents of one name.
    #[error("two agents are named {name}")]
    AgentTwice {
        /// The name.
        name: Arc<str>,
    },
    /// Two queues of one name.
    #[error("two queues are named {name}")]
    QueueTwice {
        /// The name.
        name: String,
    },
    /// An agent serves a queue that is not there.
    #[error("agent {agent} serves the queue {queue}, which is not configured")]
    NoSuchQueue {
        /// The agent's name.
        agent: Arc<str>,
        /// The queue's.
        queue: String,
    },
    /// A queue that would ask nobody.
    #[error("queue {queue} has 0 rounds, expected 1 or more")]
    NoRounds {
        /// The queue's name.
        queue: String,
    },
}
