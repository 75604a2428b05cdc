//! What goes into an escalation and what comes out of it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use cordboard_audio::MediaTime;

use crate::conversation::Case;
use crate::timeline::{CallId, ContextPacket, Line, Links, Trigger, What};

/// A human agent, as the desk names one to a call.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AgentRef {
    /// The name; unique at the desk.
    pub name: Arc<str>,
    /// Where the agent's phone is, e.g. `sip:ada@10.0.0.7`.
    pub uri: Arc<str>,
}

/// Number of a dial in its call, from 1; each names another leg.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DialId(pub u32);

/// Number of something said to an agent in the call, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SpeechId(pub u32);

/// What asks for a human, and all that the human must know.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// Which rule fired.
    pub trigger: Trigger,
    /// Why, in words.
    pub reason: String,
    /// The queue.
    pub queue: String,
    /// What the conversation knows.
    pub case: Case,
    /// What was said and heard so far.
    pub transcript: Vec<Line>,
    /// Caller's address as signalled.
    pub caller: String,
    /// The call.
    pub call_id: CallId,
    /// Name for the context packet: new for each request.
    pub packet_id: String,
    /// Where more can be read.
    pub links: Links,
    /// The queue's rules for the hand-over.
    pub rules: Arc<Rules>,
}

/// A queue's rules for the hand-over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// How long an agent's phone rings.
    pub ring: Duration,
    /// How long the caller waits in all.
    pub limit: Duration,
    /// How much music between two comfort messages.
    pub comfort_every: Duration,
    /// How long after the whole brief a key is waited for.
    pub key_wait: Duration,
    /// How long after a repeated brief, where a key is required.
    pub last_key_wait: Duration,
    /// Whether only a key (or a fetch of the context packet) accepts. False where the far end can
    /// be no voicemail: no key then bridges, and the timeline says so.
    pub require_accept: bool,
    /// How long a bridge may last; far beyond any real talk, it frees what stalled.
    pub talk_limit: Duration,
    /// What is said.
    pub wording: Wording,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            ring: Duration::from_secs(20),
            limit: Duration::from_secs(120),
            comfort_every: Duration::from_secs(20),
            key_wait: Duration::from_secs(5),
            last_key_wait: Duration::from_secs(10),
            require_accept: true,
            talk_limit: Duration::from_secs(4 * 3600),
            wording: Wording::default(),
        }
    }
}

/// What is said around a hand-over; the brief itself is made from the context packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wording {
    /// To the caller, at once.
    pub announcement: Arc<str>,
    /// To the caller, between stretches of music.
    pub comfort: Arc<str>,
    /// To the caller, when the agent is gone.
    pub agent_gone: Arc<str>,
    /// To the caller, after that: the connection broke, and another agent is looked for.
    pub agent_lost: Arc<str>,
    /// To the agent, when the caller is gone.
    pub caller_gone: Arc<str>,
}

impl Default for Wording {
    fn default() -> Self {
        Self {
            announcement: "I will connect you with a person. Please stay on the line.".into(),
            comfort: "I am still trying to reach someone for you. Please stay on the line.".into(),
            agent_gone: AGENT_GONE.into(),
            agent_lost: AGENT_LOST.into(),
            caller_gone: "The caller has hung up.".into(),
        }
    }
}

/// Said to the caller when the agent is gone.
pub const AGENT_GONE: &str = "Your agent has been disconnected.";
/// Said to the caller after that where the connection broke.
pub const AGENT_LOST: &str = "I will find someone else for you. Please stay on the line.";

/// What an escalation is told.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// A human is needed.
    Triggered(Box<Request>),
    /// What was last to be announced to the caller has been played.
    Announced,
    /// The desk has an agent for this context packet.
    Offered {
        /// Which context packet was enqueued.
        packet_id: String,
        /// The agent.
        agent: AgentRef,
    },
    /// The agent's phone rings.
    AgentRinging {
        /// Which dial.
        dial: DialId,
    },
    /// The agent picked up.
    AgentAnswered {
        /// Which dial.
        dial: DialId,
    },
    /// The dial ended in a final SIP status, or could not be sent (503 then).
    AgentRefused {
        /// Which dial.
        dial: DialId,
        /// The status.
        code: u16,
    },
    /// The agent's leg ended.
    AgentLeft {
        /// Which dial.
        dial: DialId,
    },
    /// The agent's leg broke: its signalling is lost, or nothing comes from it any more.
    AgentLost {
        /// Which dial.
        dial: DialId,
    },
    /// A brief, or what else was said to the agent alone, has been played whole.
    BriefEnded {
        /// Which.
        speech: SpeechId,
    },
    /// Both have heard the tone.
    ToneEnded,
    /// The agent pressed a key, or clicked at the desk what the key means.
    AgentKeyed {
        /// Which dial.
        dial: DialId,
        /// 0-9, *, #, A-D.
        digit: char,
    },
    /// Somebody fetched the context packet with its token.
    PacketFetched,
    /// The desk gave up.
    NobodyCame {
        /// Which context packet was enqueued.
        packet_id: String,
    },
    /// The caller hung up.
    CallerLeft,
    /// The deadline of [`Output::Wait`] passed.
    Timeout,
}

/// What an escalation wants; drain until `Wait`.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// Say it to the caller, then give `Announced`.
    Announce {
        /// The text.
        text: Arc<str>,
    },
    /// Music for the caller, on or off.
    Music(bool),
    /// Ask the desk for an agent. An effect.
    Enqueue {
        /// The queue.
        queue: String,
        /// What the human must know.
        packet: Arc<ContextPacket>,
        /// Whether the call had come to the front before, and lost its agent: it goes there again.
        again: bool,
    },
    /// Take the call out of the queue, and free an agent who was offered. An effect.
    Withdraw,
    /// Ring an agent. An effect.
    Dial {
        /// Number of the dial; the leg's events name it.
        dial: DialId,
        /// Whom.
        agent: AgentRef,
        /// The caller's number, to be displayed.
        display: String,
        /// Header fields, by name: an id, never content and never a secret.
        headers: Vec<(&'static str, String)>,
    },
    /// CANCEL or BYE, whichever ends that dial.
    HangUpAgent {
        /// Which dial.
        dial: DialId,
    },
    /// For the desk.
    TellDesk(DeskReport),
    /// Say it to the agent alone, at once, then give `BriefEnded`.
    Brief {
        /// Its number.
        speech: SpeechId,
        /// The text.
        text: String,
    },
    /// Stop what is being said to the agent; no `BriefEnded` is needed.
    StopBrief,
    /// A tone to both, after what is being said to the caller; then give `ToneEnded`.
    Tone,
    /// Let caller and agent hear each other.
    Bridge,
    /// Part them.
    Unbridge,
    /// Say it to the agent alone, then give `BriefEnded`.
    TellAgent {
        /// Its number.
        speech: SpeechId,
        /// The text.
        text: Arc<str>,
    },
    /// Say it to the caller, before what the assistant says next.
    TellCaller {
        /// The text.
        text: Arc<str>,
    },
    /// The assistant has the caller again (`NobodyCame` to the conversation).
    BackToAssistant(Back),
    /// To be written on the timeline.
    Note(What),
    /// Nothing more until an input comes, or this time passes.
    Wait(Option<MediaTime>),
}

/// What a call reports to the desk about an agent it was offered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeskReport {
    /// The agent was reached and did not take the call.
    Declined {
        /// The agent's name.
        agent: Arc<str>,
        /// How.
        why: Refusal,
    },
    /// The agent was not reached.
    NoAnswer {
        /// The agent's name.
        agent: Arc<str>,
        /// How.
        why: Refusal,
    },
    /// The agent took the call.
    Accepted {
        /// The agent's name.
        agent: Arc<str>,
    },
    /// The agent, having accepted, is off the call.
    Released {
        /// The agent's name.
        agent: Arc<str>,
    },
    /// The connection to the agent, who had accepted, broke.
    Lost {
        /// The agent's name.
        agent: Arc<str>,
    },
}

/// How an agent did not take a call; displayed as the timeline has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// By key, or by the phone's own button (603).
    Declined,
    /// Heard the brief twice and pressed nothing: perhaps a voicemail.
    NoKey,
    /// Picked up and hung up.
    HungUp,
    /// Engaged outside the desk (486, 600).
    Busy,
    /// The phone rang in vain (408, 480, 487, or our own limit).
    NoAnswer,
    /// The connection broke while the agent heard the brief.
    Lost,
    /// Any other status.
    Status(u16),
}

impl Refusal {
    /// Reads a final SIP status (RFC 3261 §21).
    #[must_use]
    pub const fn from_status(code: u16) -> Self {
        match code {
            603 => Self::Declined,
            486 | 600 => Self::Busy,
            408 | 480 | 487 => Self::NoAnswer,
            other => Self::Status(other),
        }
    }

    /// Whether the agent was reached; one who was not is rung again only after a rest.
    #[must_use]
    pub const fn reached(self) -> bool {
        match self {
            Self::Declined | Self::NoKey | Self::HungUp => true,
            Self::Busy | Self::NoAnswer | Self::Lost | Self::Status(_) => false,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Declined => f.write_str("declined"),
            Self::NoKey => f.write_str("no key"),
            Self::HungUp => f.write_str("hung up"),
            Self::Busy => f.write_str("busy"),
            Self::NoAnswer => f.write_str("no answer"),
            Self::Lost => f.write_str("connection lost"),
            Self::Status(code) => write!(f, "status {code}"),
        }
    }
}

/// Why the assistant has the caller again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Back {
    /// No agent took the call.
    NobodyCame,
    /// The agent accepted, and is gone.
    AgentLeft,
    /// The bridge lasted longer than any talk.
    TalkLimit,
}

/// Where an escalation stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stage {
    /// Nothing is asked for, or the assistant is back.
    Idle,
    /// Waits for the desk.
    Queued,
    /// An agent's phone rings.
    Ringing,
    /// An agent hears the brief.
    Briefing,
    /// An agent has heard the brief and must press a key.
    AwaitingKey,
    /// An agent accepted; the tone sounds.
    Joining,
    /// Caller and agent hear each other.
    Bridged,
    /// The caller is gone, and the agent is being told.
    Parting,
    /// The caller is gone.
    Gone,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Idle => "idle",
            Self::Queued => "queued",
            Self::Ringing => "ringing",
            Self::Briefing => "briefing",
            Self::AwaitingKey => "awaiting a key",
            Self::Joining => "joining",
            Self::Bridged => "bridged",
            Self::Parting => "parting",
            Self::Gone => "gone",
        })
    }
}

/// An input that nobody should have given; nothing changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The call asked twice, or after the caller had gone.
    #[error("api misuse: triggered while the escalation is {stage}")]
    ApiMisuse {
        /// Where the escalation stands.
        stage: Stage,
    },
    /// The desk offered a second agent.
    #[error("desk misbehaved: offered {agent} while the escalation is {stage}")]
    DeskMisbehaved {
        /// The agent's name.
        agent: Arc<str>,
        /// Where the escalation stands.
        stage: Stage,
    },
}
