//! What goes into a call and what comes out of it.
//!
//! The same for every kind of leg: each transport turns itself into these events and takes these
//! commands. Slow things leave as outputs and return as inputs.

use std::sync::Arc;

use cordboard_audio::codec::Codec;
use cordboard_audio::{Frame, MediaTime};
use cordboard_models::speech::{
    AnswerEvent, AnswerRequest, Expectation, Hypothesis, Ranked, Speech, SpeechRequest,
};

use super::Shown;
use crate::conversation::{Invocation, RankRequest, ToolOutcome};
use crate::escalation::{AgentRef, DeskReport};
use crate::timeline::{ContextPacket, Entry, LegRole};

/// Number of a slow job within its call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JobId(pub u32);

/// What a call is told; one input, then outputs are drained until [`Output::Wait`].
#[derive(Clone, Debug)]
pub enum Input<'a> {
    /// Something happened on a leg.
    Leg(LegRole, LegEvent<'a>),
    /// 20 ms have passed: play, listen, look at the deadlines.
    Tick,
    /// Probability that the frame last given as [`Output::Listen`] was speech, 0 to 1.
    Voice {
        /// 0 to 1.
        probability: f32,
    },
    /// Probability that the caller's turn is over, as asked by [`Output::Judge`].
    Judged {
        /// 0 to 1.
        probability: f32,
    },
    /// Probability that the caller's turn is over, by the sound of it.
    SoundJudged {
        /// Which job.
        job: JobId,
        /// 0 to 1.
        probability: f32,
    },
    /// A recognition grew or ended.
    Recognized {
        /// Which job.
        job: JobId,
        /// What was said, so far or finally.
        hypothesis: Hypothesis,
    },
    /// A part of a prompt has been synthesized.
    Spoken {
        /// Which job.
        job: JobId,
        /// The sound.
        speech: Speech,
        /// Whether it is the last part.
        last: bool,
    },
    /// The language model has ranked.
    Ranked {
        /// Which request of the conversation.
        request: u32,
        /// Best first.
        ranked: Vec<Ranked>,
    },
    /// The language model gave a part of an answer; `Ended` is the last.
    Answered {
        /// Which job.
        job: JobId,
        /// The part.
        event: AnswerEvent,
    },
    /// An engine failed within a turn, and the next of its line-up goes on with the job.
    FailedOver {
        /// What the engine does.
        role: EngineRole,
        /// Its place in the line-up, from 0.
        engine: u32,
        /// What it said, for the timeline.
        why: String,
    },
    /// A job could not be done: the queue was full, or the engine gave up.
    Refused {
        /// Which job.
        job: JobId,
        /// Why, for the timeline.
        why: String,
    },
    /// A tool answered, or did not.
    ToolAnswered {
        /// Which invocation.
        invocation: u32,
        /// How it ended.
        outcome: ToolOutcome,
    },
    /// The desk has an agent for this call.
    AgentOffered {
        /// Which context packet was enqueued.
        packet_id: String,
        /// The agent.
        agent: AgentRef,
    },
    /// The desk has nobody for this call.
    NobodyCame {
        /// Which context packet was enqueued.
        packet_id: String,
    },
    /// The context packet was fetched with its token.
    PacketFetched,
    /// The service is going down or lost the call's footing: say goodbye.
    Stop,
}

/// What an engine does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EngineRole {
    /// Turns speech into words.
    Recognizer,
    /// Turns words into speech.
    Synthesizer,
    /// Answers.
    LanguageModel,
}

impl EngineRole {
    /// Its name on timelines.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Recognizer => "recognizer",
            Self::Synthesizer => "synthesizer",
            Self::LanguageModel => "language_model",
        }
    }
}

/// What happened on a leg.
#[derive(Clone, Debug)]
pub enum LegEvent<'a> {
    /// The far end offers media; the call answers or refuses. For a dialled leg: it rings.
    Offered,
    /// Media may flow both ways.
    Answered,
    /// A packet of sound came.
    Packet(MediaPacket<'a>),
    /// A packet of the stream that carried no sound: it is not lost.
    Passed {
        /// RTP sequence number.
        sequence: u16,
    },
    /// The sender is silent from here on, and its room sounds like this (RFC 3389).
    Comfort {
        /// RTP sequence number.
        sequence: u16,
        /// Level, and spectrum.
        payload: &'a [u8],
    },
    /// A key was pressed and let go.
    Digit {
        /// 0-9, *, #, A-D.
        digit: char,
        /// How long, ms.
        duration_ms: u32,
    },
    /// The far end put us on hold.
    Held,
    /// The far end took us back.
    Resumed,
    /// The far end changed its codec.
    Renegotiated(Codec),
    /// Whether keys may come in the sound itself: where no telephone events were agreed on.
    KeysInSound(bool),
    /// Datagrams that were not of this leg, in all so far.
    Garbage {
        /// How many.
        total: u64,
    },
    /// A signalling message passed, for the timeline.
    Signalled {
        /// Whether we sent it.
        sent: bool,
        /// One line, without credentials and keys.
        summary: String,
    },
    /// The caller asked for a human, by other means than speech.
    WantsPerson,
    /// The far end holds so much of what it was sent and has not played, as measured.
    FarBuffer(std::time::Duration),
    /// A report came from the far end, or went there.
    Network(Network),
    /// The leg is gone.
    Ended {
        /// Why.
        cause: EndCause,
    },
}

/// What both ends of a leg know of the way between them (RTCP).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Network {
    /// Jitter of what comes, ms.
    pub jitter_ms: u32,
    /// Round trip, ms.
    pub rtt_ms: Option<u32>,
    /// Packets of ours that the far end lost in all.
    pub remote_lost: Option<u32>,
    /// Packets of ours that it lost between its last two reports, 0 to 100.
    pub remote_loss_percent: Option<u8>,
    /// Whether the far end said so just now: it lives, even where it sends no sound.
    pub from_far_end: bool,
}

/// A packet of sound, still encoded.
#[derive(Clone, Copy, Debug)]
pub struct MediaPacket<'a> {
    /// RTP sequence number.
    pub sequence: u16,
    /// RTP timestamp, in ticks of the codec's clock.
    pub timestamp: u32,
    /// RTP marker bit.
    pub marker: bool,
    /// Synchronization source.
    pub ssrc: u32,
    /// What it is encoded with.
    pub codec: Codec,
    /// The encoded sound.
    pub payload: &'a [u8],
}

/// Why a leg is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EndCause {
    /// The far end hung up.
    Bye,
    /// The far end gave up before it was answered.
    Cancelled,
    /// The far end refused, with this SIP status.
    Refused(u16),
    /// Our answer was never acknowledged.
    NoAck,
    /// The signalling broke.
    Lost,
}

impl EndCause {
    /// The cause in words, as timelines carry it.
    #[must_use]
    pub fn words(self) -> String {
        match self {
            Self::Bye => "bye".into(),
            Self::Cancelled => "cancelled".into(),
            Self::Refused(code) => format!("refused {code}"),
            Self::NoAck => "no ack".into(),
            Self::Lost => "signalling lost".into(),
        }
    }
}

/// What a call wants; drain until `Wait`.
#[derive(Debug)]
pub enum Output {
    /// To a leg.
    Leg(LegRole, LegCommand),
    /// The caller's sound of this tick, for the voice activity detector; answered by
    /// [`Input::Voice`].
    Listen(Frame),
    /// A question to the end-of-turn judge; answered by [`Input::Judged`].
    Judge(Judgement),
    /// Slow work.
    Work(Job),
    /// Sound for a recognition that runs.
    Feed(JobId, Frame),
    /// No more sound for it: give the verdict.
    Finish(JobId),
    /// The result is not wanted any more.
    Cancel(JobId),
    /// What changes the world.
    Effect(Effect),
    /// For the timeline.
    Entry(Entry),
    /// One tick of the recording: the caller, and what the caller is played.
    Record(RecordedTick),
    /// Nothing more until an input comes or this time passes.
    Wait(MediaTime),
    /// The call is over; nothing may be sent for it any more.
    Over,
}

/// One 20 ms stretch of the stereo recording, 8 kHz, 16 bit.
#[derive(Clone, Debug)]
pub struct RecordedTick {
    /// The caller.
    pub left: [i16; 160],
    /// What the caller was played.
    pub right: [i16; 160],
}

/// What a leg is told.
#[expect(clippy::large_enum_variant, reason = "sound lives on the stack: no allocation a frame")]
#[derive(Debug)]
pub enum LegCommand {
    /// Take the offered media.
    Answer,
    /// Send 20 ms of encoded sound.
    Send(EncodedFrame),
    /// What was sent and is not yet played shall not be: the assistant was interrupted.
    Flush,
    /// Press a key at the far end.
    SendDigit {
        /// 0-9, *, #, A-D.
        digit: char,
        /// How long, ms.
        duration_ms: u32,
    },
    /// Offer the same media once more, where nothing comes from the far end.
    Renegotiate,
    /// Show this where there is a page beside the sound.
    Show(Box<Shown>),
    /// Call somebody; the leg then reports `Offered`, `Answered`, `Ended`.
    Dial(DialPlan),
    /// End the leg, in whatever state it is.
    Hangup,
}

/// 20 ms of encoded sound.
#[derive(Clone, Copy, Debug)]
pub struct EncodedFrame {
    /// Bytes used of `payload`.
    pub len: usize,
    /// The encoded sound.
    pub payload: [u8; 320],
}

/// Whom to call, and what to show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DialPlan {
    /// The address.
    pub uri: String,
    /// The number shown at the far end.
    pub display: String,
    /// Further headers.
    pub headers: Vec<(String, String)>,
}

/// What is known of the caller's turn at a pause.
#[derive(Clone, Debug)]
pub struct Judgement {
    /// Words so far.
    pub hypothesis: Option<Hypothesis>,
    /// What was expected.
    pub expectation: Arc<Expectation>,
    /// The silence as of which to judge.
    pub silence: std::time::Duration,
}

/// Slow work; may be cancelled.
#[derive(Clone, Debug)]
pub enum Job {
    /// Recognize one utterance; sound follows by [`Output::Feed`].
    Recognize {
        /// Its number.
        job: JobId,
        /// What may be said.
        expectation: Arc<Expectation>,
    },
    /// Judge by its sound whether the caller's turn is over; answered by
    /// [`Input::SoundJudged`] while it is still wanted, or by [`Input::Refused`].
    JudgeSound {
        /// Its number.
        job: JobId,
        /// How much of the caller's last sound belongs to the turn, with a little before it.
        lasting: std::time::Duration,
    },
    /// Synthesize a prompt.
    Speak {
        /// Its number.
        job: JobId,
        /// What to say.
        request: SpeechRequest,
    },
    /// Rank intents.
    Rank(RankRequest),
    /// Let the language model answer.
    Answer {
        /// Its number.
        job: JobId,
        /// What it is asked.
        request: Arc<AnswerRequest>,
    },
}

/// What changes the world; never cancelled, its result always applied.
#[derive(Clone, Debug)]
pub enum Effect {
    /// Call a tool.
    Invoke(Invocation),
    /// Wait for an agent of a queue.
    Enqueue {
        /// The queue.
        queue: String,
        /// What the agent will be given.
        packet: Arc<ContextPacket>,
        /// Whether the call was at the front before, and lost its agent: it goes there again.
        again: bool,
    },
    /// Leave the queue.
    Withdraw,
    /// What became of the offered agent, for the desk.
    Report(DeskReport),
}
