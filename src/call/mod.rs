//! The call: one caller's visit, from ring to hang-up, with all its legs, as a pure state machine.
//!
//! `handle_input` takes one input, `poll_output` is drained until [`Output::Wait`] or
//! [`Output::Over`]. The same inputs give the same call.
//!
//! ```text
//!             Offered           Answered            Move::Hangup       idle
//!  Ringing ─────────► Answering ────────► Talking ─────────────► Closing ───► Over
//!     │                   │                │  ▲                     ▲
//!     │                   │       Escalate │  │ BackToAssistant     │
//!     │                   │                ▼  │                     │
//!     │                   │            HandedOver                   │
//!     └──────── Ended ────┴───────── Ended ───┴─────────────────────┘
//! ```
//!
//! Inside: `hearing` (the caller's words), `captions` (what a page is shown), `voice` (what is said
//! on a leg), `leg` (ears and mouth of one far end), `far_ends` (what those do), `listening`,
//! `pausing` and `dialog` (between the caller and the conversation), `foresight` (what is begun
//! before a turn is over), `handover` (what the escalation wants done), `footing` (sound that flows
//! one way only, a hold without end), `punctual` (ticks that did not come), `tick`, `ending`,
//! `rescue` (what goes on after a panic). Deliberately absent: sockets, threads, clocks, engines.

mod border;
mod captions;
mod dialog;
mod ending;
mod far_ends;
mod footing;
mod foresight;
mod handover;
mod hearing;
mod journal;
mod leg;
mod listening;
mod pausing;
mod punctual;
mod rescue;
mod tick;
mod voice;

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use cordboard_audio::{Frame, MediaTime, SampleRate, tone};
use cordboard_models::speech::Expectation;

pub use border::{
    DialPlan, Effect, EncodedFrame, EndCause, EngineRole, Input, Job, JobId, Judgement, LegCommand,
    LegEvent, MediaPacket, Network, Output, RecordedTick,
};
pub use captions::{Shown, Standing};
pub use ending::{STILL_THERE, STOPPING};
use hearing::Hearing;
use journal::Journal;
use leg::Leg;
pub use rescue::RESCUED;

use crate::conversation::{self, Conversation, Flow};
use crate::escalation::{self, DialId, Escalation, Input as Escalating, Rules};
use crate::timeline::{CallId, LegKind, LegRole, Links, Outcome, What};
use crate::turn::{Ear, Echo, Floor, SilenceWatch, TurnSettings};

/// What is known of a call at its ring.
#[derive(Clone, Debug)]
pub struct CallFacts {
    /// Its name.
    pub id: CallId,
    /// Caller's address as signalled.
    pub from: String,
    /// Dialled address.
    pub to: String,
    /// How the caller reaches us.
    pub leg: LegKind,
    /// Whether we place the call: the address dialled is then `to`.
    pub outbound: Option<DialPlan>,
    /// Wall time of the ring, ms since 1970 UTC.
    pub wall_unix_ms: u64,
    /// The company's local time at the ring.
    pub local: jiff::civil::DateTime,
    /// Seed of all randomness in the call.
    pub seed: u64,
    /// The flow that the caller meets.
    pub flow: Arc<Flow>,
    /// Where more can be read.
    pub links: Links,
}

/// The settings of a call.
#[derive(Clone, Debug)]
pub struct CallSettings {
    /// The floor's.
    pub turn: TurnSettings,
    /// The hand-over's rules, by queue.
    pub queues: Arc<HashMap<String, Arc<Rules>>>,
    /// No sound from the caller for so long is asked about.
    pub no_media_ask: Duration,
    /// No sound from the caller for so long ends the call.
    pub no_media_end: Duration,
    /// A hold of so long ends the leg that holds, and so does an announced silence.
    pub hold_end: Duration,
    /// Whether to record, once it has been announced.
    pub record: bool,
    /// What waiting callers hear, 8 kHz.
    pub music: Arc<[f32]>,
    /// The short sounds.
    pub tones: Tones,
}

/// The short sounds of a call, 8 kHz.
#[derive(Clone, Debug)]
pub struct Tones {
    /// Agent and caller are about to hear each other.
    pub accept: Arc<[f32]>,
    /// Still at work.
    pub waiting: Arc<[f32]>,
    /// Something could not be said.
    pub sorry: Arc<[f32]>,
}

impl Tones {
    /// Those that every call has.
    #[must_use]
    pub fn usual() -> Self {
        let rate = SampleRate::NARROW;
        Self { accept: tone::beep(rate), waiting: tone::tick(rate), sorry: tone::beep(rate) }
    }
}

/// The music that waiting callers hear where nobody has brought another.
#[must_use]
pub fn usual_music() -> Arc<[f32]> {
    tone::hold_music(SampleRate::NARROW, 1)
}

/// Why an input was not taken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// The conversation's contract was broken.
    #[error(transparent)]
    Conversation(#[from] conversation::ConversationError),
    /// The escalation's contract was broken.
    #[error(transparent)]
    Escalation(#[from] escalation::Error),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Offered or dialled, no media yet.
    Ringing,
    /// Our answer is out; silence is sent, nothing said.
    Answering,
    /// The conversation has the caller.
    Talking,
    /// The escalation has the caller.
    HandedOver,
    /// What is queued is played, then we hang up, at the latest then.
    Closing { by: MediaTime },
    /// The caller is gone; the agent, or a tool, still has to be told or heard, at the latest then.
    Parting { by: MediaTime },
    /// Nothing more.
    Over,
}

/// One caller's visit.
#[derive(Debug)]
pub struct Call {
    facts: CallFacts,
    settings: CallSettings,
    phase: Phase,
    out: VecDeque<Output>,
    journal: Journal,
    caller: Leg,
    agent: Option<Box<Leg>>,
    dial: DialId,
    agent_uri: Arc<str>,
    conversation: Conversation,
    conversation_deadline: Option<MediaTime>,
    escalation: Escalation,
    escalation_deadline: Option<MediaTime>,
    floor: Floor,
    ear: Ear,
    echo: Echo,
    /// This tick's sound, from the caller and to the caller.
    uplink: Frame,
    downlink: Frame,
    hearing: Hearing,
    pausing: pausing::Pausing,
    /// How long what was last heard of who speaks had waited in the jitter buffer, which changes in
    /// silence; ms.
    buffer_ms: u32,
    foresight: foresight::Foresight,
    captions: captions::Captions,
    silence: SilenceWatch,
    expectation: Arc<Expectation>,
    /// Whether the caller was asked something and has not answered yet.
    asked: bool,
    /// The line that asks it.
    asking: Option<u32>,
    /// When a line last came to its end, or was cut.
    line_over: MediaTime,
    /// The caller's turn whose answer has not begun to sound.
    unanswered: Option<Unanswered>,
    /// End of the last sound that the caller made, or heard from us.
    quiet_since: MediaTime,
    punctual: punctual::Punctuality,
    bridged: bool,
    recording: Option<MediaTime>,
    /// Whether a tick came so late that sound is missing from the recording.
    stalled: bool,
    /// Whether it goes on in the place of a call that panicked.
    is_rescue: bool,
    tools_pending: u32,
    /// What the language model is at: the conversation's order, and the job that it is.
    with_model: Option<(u32, JobId)>,
    /// Whether it was at it when speech stopped the assistant.
    model_stopped: bool,
    next_job: u32,
    next_own_line: u32,
    ending: ending::Ending,
}

#[derive(Clone, Copy, Debug)]
struct Unanswered {
    speech_ended: MediaTime,
    turn_ended: MediaTime,
    recognized: MediaTime,
    /// What the jitter buffer held at the end of speech.
    buffer_ms: u32,
}

impl Call {
    /// Makes the call at its ring.
    #[must_use]
    pub fn new(facts: CallFacts, settings: CallSettings) -> Self {
        let conversation =
            Conversation::new(facts.flow.clone(), &facts.id.0, &facts.from, facts.seed);
        let mut call = Self {
            phase: Phase::Ringing,
            out: VecDeque::with_capacity(OUTPUTS),
            journal: Journal::default(),
            caller: Leg::new(LegRole::Caller, MediaTime::ZERO),
            agent: None,
            dial: DialId(0),
            agent_uri: Arc::from(""),
            conversation,
            conversation_deadline: None,
            escalation: Escalation::new(),
            escalation_deadline: None,
            floor: Floor::new(settings.turn),
            ear: Ear::default(),
            echo: Echo::default(),
            uplink: Frame::silence(MediaTime::ZERO, SampleRate::NARROW),
            downlink: Frame::silence(MediaTime::ZERO, SampleRate::NARROW),
            hearing: Hearing::new(),
            pausing: pausing::Pausing::default(),
            buffer_ms: 0,
            foresight: foresight::Foresight::default(),
            captions: captions::Captions::default(),
            silence: SilenceWatch::new(settings.turn.no_input),
            expectation: Arc::default(),
            asked: false,
            asking: None,
            line_over: MediaTime::ZERO,
            unanswered: None,
            quiet_since: MediaTime::ZERO,
            punctual: punctual::Punctuality::default(),
            bridged: false,
            recording: None,
            stalled: false,
            is_rescue: false,
            tools_pending: 0,
            with_model: None,
            model_stopped: false,
            next_job: 1,
            next_own_line: OWN_LINES_FROM,
            ending: ending::Ending::default(),
            facts,
            settings,
        };
        call.ring();
        call
    }

    /// Takes one input. Drain `poll_output` before the next.
    ///
    /// # Errors
    /// Where a room says that its contract was broken; the shell drops this call then.
    pub fn handle_input(&mut self, now: MediaTime, input: Input<'_>) -> Result<(), CallError> {
        if self.phase == Phase::Over {
            return Ok(());
        }
        match input {
            Input::Leg(LegRole::Caller, event) => self.caller_event(now, &event)?,
            Input::Leg(LegRole::Agent, event) => self.agent_event(now, &event)?,
            Input::Tick => self.tick(now)?,
            Input::Voice { probability } => self.voice_heard(now, probability)?,
            Input::Judged { probability } => self.words_judged(now, probability),
            Input::SoundJudged { job, probability } => self.sound_judged(now, job, probability)?,
            Input::Recognized { job, hypothesis } => self.recognized(now, job, hypothesis)?,
            Input::Spoken { job, speech, last } => self.spoken(job, &speech, last),
            Input::Refused { job, why } => self.refused(now, job, why)?,
            Input::Ranked { request, ranked } => {
                self.conversation
                    .handle_input(now, conversation::Input::Ranked { request, ranked })?;
            }
            Input::Answered { job, event } => self.model_answered(now, job, event)?,
            Input::FailedOver { role, engine, why } => {
                self.note(now, What::FailedOver { role: role.name().to_owned(), engine, why });
            }
            Input::ToolAnswered { invocation, outcome } => {
                self.tools_pending = self.tools_pending.saturating_sub(1);
                let answered = conversation::Input::ToolAnswered { invocation, outcome };
                self.conversation.handle_input(now, answered)?;
            }
            Input::AgentOffered { packet_id, agent } => {
                self.escalate(now, Escalating::Offered { packet_id, agent })?;
            }
            Input::NobodyCame { packet_id } => {
                self.escalate(now, Escalating::NobodyCame { packet_id })?;
            }
            Input::PacketFetched => self.escalate(now, Escalating::PacketFetched)?,
            Input::Stop => self.stop(now),
        }
        self.settle(now)
    }

    /// Gives the next output; `Wait` or `Over` where there is none for now.
    #[must_use]
    pub fn poll_output(&mut self) -> Output {
        if let Some(output) = self.out.pop_front() {
            return output;
        }
        if let Some(earlier) = self.hearing.poll_earlier() {
            return earlier;
        }
        if self.phase == Phase::Over {
            return Output::Over;
        }
        Output::Wait(self.deadline())
    }

    /// Whether media is to be moved every 20 ms.
    #[must_use]
    pub const fn is_ticking(&self) -> bool {
        !matches!(self.phase, Phase::Ringing | Phase::Over)
    }

    /// The flow that the caller meets.
    #[must_use]
    pub const fn flow(&self) -> &Arc<Flow> {
        &self.facts.flow
    }

    fn ring(&mut self) {
        let flow = &self.facts.flow;
        let rang = What::Rang {
            from: self.facts.from.clone(),
            to: self.facts.to.clone(),
            leg: self.facts.leg,
            wall_unix_ms: self.facts.wall_unix_ms,
            build: env!("CARGO_PKG_VERSION").to_owned(),
            flow: flow.name().to_owned(),
            flow_version: flow.version().to_owned(),
            seed: self.facts.seed,
        };
        self.note(MediaTime::ZERO, rang);
        if let Some(plan) = self.facts.outbound.clone() {
            self.out.push_back(Output::Leg(LegRole::Caller, LegCommand::Dial(plan)));
        }
    }

    /// Lets every room act until none has anything more to say.
    fn settle(&mut self, now: MediaTime) -> Result<(), CallError> {
        loop {
            let moved = self.settle_voices(now)?
                | self.settle_conversation(now)?
                | self.settle_escalation(now)?
                | self.settle_closing(now)?;
            if !moved {
                break;
            }
        }
        self.settle_foresight(now);
        self.settle_parting(now)
    }

    fn note(&mut self, now: MediaTime, what: What) {
        self.journal.note(&mut self.out, now, what);
    }

    const fn job(&mut self) -> JobId {
        let job = JobId(self.next_job);
        self.next_job += 1;
        job
    }

    fn deadline(&self) -> MediaTime {
        let phase = match self.phase {
            Phase::Closing { by } | Phase::Parting { by } => Some(by),
            Phase::Ringing
            | Phase::Answering
            | Phase::Talking
            | Phase::HandedOver
            | Phase::Over => None,
        };
        [self.conversation_deadline, self.escalation_deadline, self.hearing.deadline(), phase]
            .into_iter()
            .flatten()
            .min()
            .unwrap_or(MediaTime::NEVER)
    }

    /// Outcome as it stands now.
    fn outcome(&self) -> Outcome {
        let case = self.conversation.case();
        if self.ending.handed_over {
            Outcome::HandedOver
        } else if case.message_taken {
            Outcome::MessageTaken
        } else if !case.resolved.is_empty() {
            Outcome::Resolved
        } else if self.ending.never_spoke && self.ending.gave_up {
            Outcome::NoInput
        } else {
            Outcome::Abandoned
        }
    }
}

/// Numbers of the lines that the call itself says begin here; the conversation's begin at 1.
const OWN_LINES_FROM: u32 = 1_000;
/// Outputs that one input seldom leads to more of; each has room for a frame.
const OUTPUTS: usize = 12;
