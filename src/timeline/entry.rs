//! The entries of a timeline.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Trigger, Verified};

/// Version of the entries' form; a reader refuses what is newer than itself.
pub const ENTRY_VERSION: u8 = 1;

/// The name of a call: a ULID, so that names sort by time.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CallId(pub String);

impl std::fmt::Display for CallId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// One thing that happened, and when.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Version of the form, [`ENTRY_VERSION`].
    pub v: u8,
    /// Milliseconds since the ring.
    pub at_ms: u64,
    /// What happened.
    #[serde(flatten)]
    pub what: What,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "snake_case")]
#[non_exhaustive]
pub enum What {
    /// A call came in or was placed; always the first entry.
    Rang {
        /// Caller's address as signalled.
        from: String,
        /// Dialled address.
        to: String,
        /// How the caller reached us.
        leg: LegKind,
        /// Wall time of the ring, ms since 1970 UTC.
        wall_unix_ms: u64,
        /// Version of the product.
        build: String,
        /// Name of the flow.
        flow: String,
        /// Fingerprint of the flow's text.
        flow_version: String,
        /// Seed of all randomness in the call.
        seed: u64,
    },
    /// The caller's media is up.
    Answered,
    /// A leg joined the call.
    LegJoined {
        /// Whose leg it is.
        role: LegRole,
        /// Its address.
        address: String,
    },
    /// A leg left the call.
    LegParted {
        /// Whose leg it was.
        role: LegRole,
        /// Why: "bye", "busy", "no answer", "no media", ...
        cause: String,
    },
    /// A leg was put on hold by its far end.
    Held {
        /// Whose leg.
        role: LegRole,
    },
    /// A leg came back from hold.
    Resumed {
        /// Whose leg.
        role: LegRole,
    },
    /// A signalling message of a leg passed.
    Sip {
        /// Whose leg.
        role: LegRole,
        /// Which way.
        direction: Direction,
        /// First line, sequence number and what steers the dialog; never credentials or keys.
        summary: String,
    },
    /// Nothing to be heard comes from a leg; the far end is offered the media once more.
    OneWay {
        /// Whose leg.
        role: LegRole,
        /// What comes instead.
        cause: OneWayCause,
        /// For how long, ms.
        for_ms: u64,
    },
    /// The first sound of a prompt left for the caller.
    PromptBegan {
        /// Number of the prompt in the call.
        prompt: u32,
        /// The text of it.
        text: String,
    },
    /// A prompt ended, whole or not.
    PromptEnded {
        /// Number of the prompt in the call.
        prompt: u32,
        /// What the caller has been played of it.
        heard: String,
        /// What the caller has not been played; empty where it was whole.
        unsaid: String,
        /// Uncertainty of the boundary, ms.
        uncertainty_ms: u32,
    },
    /// The caller began to speak.
    CallerBegan {
        /// Whether the assistant was speaking.
        over_assistant: bool,
    },
    /// The caller's turn ended and was recognized.
    CallerSpoke {
        /// The words.
        text: String,
        /// Calibrated confidence, 0 to 1.
        confidence: f32,
        /// Whether it was not what was expected.
        rejected: bool,
        /// Begin of the speech, ms since the ring.
        began_ms: u64,
        /// End of the speech, ms since the ring.
        ended_ms: u64,
    },
    /// Somebody speaks over the assistant, whose voice is lowered until it is known what it is.
    Ducked {
        /// Number of the prompt in the call.
        prompt: u32,
    },
    /// Speech or a key stopped the assistant.
    Interrupted {
        /// Number of the prompt in the call.
        prompt: u32,
    },
    /// What was said over the assistant was not meant for it.
    SpokeAside {
        /// What it was.
        kind: AsideKind,
        /// The words, where there were any.
        text: String,
        /// Begin of the speech, ms since the ring.
        began_ms: u64,
        /// End of the speech, ms since the ring.
        ended_ms: u64,
    },
    /// What was stopped goes on, at the first word that was not heard.
    WentOn {
        /// Number of the prompt in the call.
        prompt: u32,
    },
    /// Somebody owed a sound for long.
    Silence {
        /// Who owed it.
        owed_by: Debtor,
        /// How long, ms.
        for_ms: u64,
    },
    /// A key was pressed.
    Keyed {
        /// Whose leg.
        role: LegRole,
        /// 0-9, *, #, A-D.
        digit: char,
        /// How long, ms.
        duration_ms: u32,
    },
    /// The latency of one answer.
    Latency {
        /// End of the caller's speech, ms since the ring.
        speech_ended_ms: u64,
        /// When the turn was judged over.
        turn_ended_ms: u64,
        /// When the words were known.
        recognized_ms: u64,
        /// When the first sound of the answer left.
        first_sound_ms: u64,
        /// How long the caller's sound waited in the jitter buffer: what the caller waits longer
        /// than the times above say.
        #[serde(default)]
        buffer_ms: u32,
    },
    /// The answer to the caller's turn had been begun before the turn was over.
    Foreseen {
        /// The words that it stood on.
        text: String,
    },
    /// The caller's intent was understood.
    Understood {
        /// Intent's name in the flow.
        intent: String,
        /// 0 to 1.
        confidence: f32,
    },
    /// A slot took a value.
    SlotFilled {
        /// Slot's name in the flow.
        slot: String,
        /// Its value.
        value: String,
        /// How it was verified.
        verified: Verified,
    },
    /// Something was not understood, and the assistant asked again.
    Repaired {
        /// Why.
        cause: RepairCause,
        /// How many in a row.
        count: u32,
    },
    /// A tool was called.
    ToolInvoked {
        /// Number of the invocation in the call.
        invocation: u32,
        /// Tool's name in the flow.
        tool: String,
        /// Idempotency key.
        key: String,
        /// Its arguments.
        arguments: Value,
    },
    /// A tool gave its answer, or did not.
    ToolAnswered {
        /// Number of the invocation in the call.
        invocation: u32,
        /// Tool's name in the flow.
        tool: String,
        /// How it went.
        verdict: ToolVerdict,
        /// What came back; null where nothing did.
        result: Value,
        /// How long it took, ms.
        took_ms: u64,
    },
    /// A tool that the language model wanted was not called: the flow does not allow it.
    ToolDenied {
        /// What the model named.
        tool: String,
        /// Why.
        why: String,
    },
    /// The caller left a message.
    MessageTaken {
        /// The words as recognized.
        text: String,
    },
    /// A human is needed.
    EscalationTriggered {
        /// Which rule fired.
        trigger: Trigger,
        /// Why, in words.
        reason: String,
        /// The queue it goes to.
        queue: String,
    },
    /// The call waits in a queue.
    Enqueued {
        /// The queue.
        queue: String,
        /// The context packet's id.
        packet: String,
    },
    /// An agent was chosen and is being rung.
    AgentOffered {
        /// The agent's name.
        agent: String,
    },
    /// The agent picked up.
    AgentAnswered {
        /// The agent's name.
        agent: String,
    },
    /// The agent has been told the brief; `acknowledged` by a key, a click or a fetch.
    AgentAccepted {
        /// The agent's name.
        agent: String,
        /// By which route the brief was acknowledged.
        acknowledged: String,
    },
    /// The agent did not take the call.
    AgentRefused {
        /// The agent's name.
        agent: String,
        /// "declined", "busy", "no answer", "hung up", ...
        why: String,
    },
    /// Somebody fetched the context packet with its token.
    PacketFetched,
    /// Caller and agent hear each other.
    Bridged {
        /// The agent's name.
        agent: String,
    },
    /// No agent took the call; the assistant is back.
    NobodyCame {
        /// The queue.
        queue: String,
    },
    /// The recording began; it was announced before.
    RecordingBegan,
    /// The recording ended.
    RecordingEnded {
        /// Length, ms.
        length_ms: u64,
        /// Whether every sample of it is there.
        complete: bool,
    },
    /// What the network did to a leg, once at its end.
    Media {
        /// Whose leg.
        role: LegRole,
        /// Packets played.
        received: u64,
        /// Packets sent.
        sent: u64,
        /// Packets that never came.
        lost: u64,
        /// Packets that came too late to be played.
        late: u64,
        /// Datagrams that were not of this call, or no RTP.
        garbage: u64,
        /// Sound that had to be made up, ms.
        concealed_ms: u64,
        /// Jitter of what came, ms, where reports were exchanged (RFC 3550).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        jitter_ms: Option<u32>,
        /// Last round trip, ms, where the far end reported.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        rtt_ms: Option<u32>,
        /// Packets of ours that the far end lost, where it reported.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        remote_lost: Option<u32>,
    },
    /// Ticks of 20 ms that were not given to the call: its worker was late, or the machine slept.
    /// Once, before the end, where there were any.
    TicksMissed {
        /// How many.
        count: u64,
        /// The longest time between two that came, ms.
        longest_ms: u64,
    },
    /// An engine gave up or refused; what was done instead.
    EngineFailed {
        /// "recognizer", "synthesizer", ...
        role: String,
        /// What it said.
        why: String,
    },
    /// The service itself stood still: nothing of the call was heard or played.
    Stalled {
        /// For how long, ms.
        for_ms: u64,
    },
    /// An engine failed within a turn, and the next one of its line-up went on.
    FailedOver {
        /// "recognizer", "synthesizer", "language_model".
        role: String,
        /// The place in the line-up of the one that failed, from 0.
        engine: u32,
        /// What it said.
        why: String,
    },
    /// A panic was caught at the call's step.
    Panicked,
    /// The call is over; always the last entry.
    Ended {
        /// What came of it.
        outcome: Outcome,
        /// Who or what ended it.
        cause: String,
    },
}

/// How a leg reaches us.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum LegKind {
    /// SIP and RTP.
    Phone,
    /// A carrier's media stream.
    Stream,
    /// The machine's own microphone and loudspeaker.
    Device,
    /// A browser (WebRTC).
    Browser,
}

/// Whose leg it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LegRole {
    /// The caller's.
    Caller,
    /// The human agent's.
    Agent,
}

/// Which way a message went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// From us.
    Sent,
    /// To us.
    Received,
}

/// What comes from a leg in the place of sound.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OneWayCause {
    /// Nothing.
    Nothing,
    /// Packets that were not agreed on: another codec, or no RTP.
    NotAgreed,
}

/// What was said over the assistant and not to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AsideKind {
    /// "mm-hm": the caller listens.
    Acknowledgement,
    /// A cough, a noise, somebody else in the room.
    Noise,
}

/// Who owes the next sound.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Debtor {
    /// The caller was asked and says nothing.
    Caller,
    /// The caller waits for us.
    Assistant,
}

/// Why the assistant asked again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RepairCause {
    /// The caller said nothing.
    NoInput,
    /// The words were not expected here, or too unsure.
    NoMatch,
    /// The value was understood and is not allowed.
    Invalid,
    /// The caller said that the value is wrong.
    Denied,
}

/// How a tool's invocation ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ToolVerdict {
    /// It gave a result that fits its schema.
    Done,
    /// The service answered with a status that the flow does not expect.
    Status(u16),
    /// No answer in time.
    TimedOut,
    /// No connection, or it broke.
    Unreachable,
    /// The result does not fit its schema.
    Malformed,
}

/// What came of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The assistant did what the caller wanted.
    Resolved,
    /// A human spoke with the caller.
    HandedOver,
    /// A message was taken.
    MessageTaken,
    /// The caller went before anything was settled.
    Abandoned,
    /// The caller said nothing at all.
    NoInput,
    /// We ended it for want of media, an ACK, or by a fault of ours.
    Failed,
    /// The process died in the middle of it.
    BrokenOff,
}
