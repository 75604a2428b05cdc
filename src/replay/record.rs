//! The record of a call's inputs: each as it entered the machine, so that the call can be run again
//! bit for bit.
//!
//! A record is a kind and its bytes; numbers are little-endian, texts and lists carry their length
//! before them. The reader refuses what it does not know; it never guesses. What must be known
//! beside the inputs stands in the `header`.

mod fields;
mod header;

use std::time::Duration;

use cordboard_audio::{SampleRate, SharedSamples, codec::Codec};
use cordboard_models::speech::{
    AnswerEvent, Hypothesis, HypothesisKind, Ranked, Speech, SpokenWord, ToolCall, Word,
};

use crate::call::{EndCause, EngineRole, Input, JobId, LegEvent, MediaPacket, Network};
use crate::conversation::ToolOutcome;
use crate::escalation::AgentRef;
use crate::timeline::{LegRole, ToolVerdict};
use fields::{Reader, Writer};
pub use header::{Header, HeaderFault, RECORD_VERSION, header, read_header};

/// Why a record cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// It ends in the middle of a field.
    #[error("record ends in the middle of a field")]
    Short,
    /// A kind or tag that this version does not know.
    #[error("record has unknown tag {tag} where {place} was expected")]
    Unknown {
        /// The tag.
        tag: u8,
        /// What was expected.
        place: &'static str,
    },
    /// A text is not UTF-8, or a number is none.
    #[error("record has a broken {place}")]
    Broken {
        /// What.
        place: &'static str,
    },
}

const LEG: u8 = 1;
const TICK: u8 = 2;
const VOICE: u8 = 3;
const JUDGED: u8 = 4;
const RECOGNIZED: u8 = 5;
const SPOKEN: u8 = 6;
const RANKED: u8 = 7;
const REFUSED: u8 = 8;
const TOOL_ANSWERED: u8 = 9;
const AGENT_OFFERED: u8 = 10;
const NOBODY_CAME: u8 = 11;
const PACKET_FETCHED: u8 = 12;
const STOP: u8 = 13;
const ANSWERED: u8 = 20;
const FAILED_OVER: u8 = 21;
const SOUND_JUDGED: u8 = 22;

/// Writes an input: its kind and its bytes.
#[must_use]
pub fn encode(input: &Input<'_>) -> (u8, Vec<u8>) {
    let mut to = Writer::default();
    let kind = match input {
        Input::Leg(role, event) => {
            to.byte(u8::from(*role == LegRole::Agent));
            leg_event(&mut to, event);
            LEG
        }
        Input::Tick => TICK,
        Input::Voice { probability } => {
            to.float(*probability);
            VOICE
        }
        Input::Judged { probability } => {
            to.float(*probability);
            JUDGED
        }
        Input::SoundJudged { job, probability } => put_judgement(&mut to, *job, *probability),
        Input::Recognized { job, hypothesis } => {
            to.number(u64::from(job.0));
            put_hypothesis(&mut to, hypothesis);
            RECOGNIZED
        }
        Input::Spoken { job, speech, last } => {
            to.number(u64::from(job.0));
            to.byte(u8::from(*last));
            put_speech(&mut to, speech);
            SPOKEN
        }
        Input::Ranked { request, ranked } => {
            to.number(u64::from(*request));
            put_ranked(&mut to, ranked);
            RANKED
        }
        Input::Refused { job, why } => {
            to.number(u64::from(job.0));
            to.text(why);
            REFUSED
        }
        Input::ToolAnswered { invocation, outcome } => {
            to.number(u64::from(*invocation));
            put_outcome(&mut to, outcome);
            TOOL_ANSWERED
        }
        Input::AgentOffered { packet_id, agent } => {
            to.text(packet_id);
            to.text(&agent.name);
            to.text(&agent.uri);
            AGENT_OFFERED
        }
        Input::NobodyCame { packet_id } => {
            to.text(packet_id);
            NOBODY_CAME
        }
        Input::PacketFetched => PACKET_FETCHED,
        Input::Stop => STOP,
        Input::Answered { job, event } => {
            to.number(u64::from(job.0));
            put_answer(&mut to, event);
            ANSWERED
        }
        Input::FailedOver { role, engine, why } => {
            put_failover(&mut to, *role, *engine, why);
            FAILED_OVER
        }
    };
    (kind, to.into_bytes())
}

/// Reads an input; sound of packets is borrowed from `bytes`.
///
/// # Errors
/// [`RecordError`], where the bytes are not what `encode` writes.
pub fn decode(kind: u8, bytes: &[u8]) -> Result<Input<'_>, RecordError> {
    let mut from = Reader::new(bytes);
    let input = match kind {
        LEG => {
            let role = if from.byte()? == 0 { LegRole::Caller } else { LegRole::Agent };
            Input::Leg(role, take_leg_event(&mut from)?)
        }
        TICK => Input::Tick,
        VOICE => Input::Voice { probability: from.float()? },
        JUDGED => Input::Judged { probability: from.float()? },
        SOUND_JUDGED => Input::SoundJudged { job: job(&mut from)?, probability: from.float()? },
        RECOGNIZED => {
            Input::Recognized { job: job(&mut from)?, hypothesis: take_hypothesis(&mut from)? }
        }
        SPOKEN => {
            let (job, last) = (job(&mut from)?, from.byte()? != 0);
            Input::Spoken { job, last, speech: take_speech(&mut from)? }
        }
        RANKED => {
            let request = from.small()?;
            let ranked = from.list(|from| {
                Ok(Ranked { name: from.text()?.into(), probability: from.float()? })
            })?;
            Input::Ranked { request, ranked }
        }
        REFUSED => Input::Refused { job: job(&mut from)?, why: from.text()?.to_owned() },
        TOOL_ANSWERED => {
            Input::ToolAnswered { invocation: from.small()?, outcome: take_outcome(&mut from)? }
        }
        AGENT_OFFERED => {
            let packet_id = from.text()?.to_owned();
            let agent = AgentRef { name: from.text()?.into(), uri: from.text()?.into() };
            Input::AgentOffered { packet_id, agent }
        }
        NOBODY_CAME => Input::NobodyCame { packet_id: from.text()?.to_owned() },
        PACKET_FETCHED => Input::PacketFetched,
        STOP => Input::Stop,
        ANSWERED => Input::Answered { job: job(&mut from)?, event: take_answer(&mut from)? },
        FAILED_OVER => {
            let role = take_role(&mut from)?;
            Input::FailedOver { role, engine: from.small()?, why: from.text()?.to_owned() }
        }
        tag => return Err(RecordError::Unknown { tag, place: "an input" }),
    };
    Ok(input)
}

fn put_judgement(to: &mut Writer, job: JobId, probability: f32) -> u8 {
    to.number(u64::from(job.0));
    to.float(probability);
    SOUND_JUDGED
}

fn put_ranked(to: &mut Writer, ranked: &[Ranked]) {
    to.number(ranked.len() as u64);
    for one in ranked {
        to.text(&one.name);
        to.float(one.probability);
    }
}

fn job(from: &mut Reader<'_>) -> Result<JobId, RecordError> {
    Ok(JobId(from.small()?))
}

fn leg_event(to: &mut Writer, event: &LegEvent<'_>) {
    match event {
        LegEvent::Offered => to.byte(0),
        LegEvent::Answered => to.byte(1),
        LegEvent::Packet(packet) => {
            to.byte(2);
            to.number(u64::from(packet.sequence));
            to.number(u64::from(packet.timestamp));
            to.byte(u8::from(packet.marker));
            to.number(u64::from(packet.ssrc));
            to.byte(codec_tag(packet.codec));
            to.bytes(packet.payload);
        }
        LegEvent::Passed { sequence } => {
            to.byte(3);
            to.number(u64::from(*sequence));
        }
        LegEvent::Digit { digit, duration_ms } => {
            to.byte(4);
            to.number(u64::from(u32::from(*digit)));
            to.number(u64::from(*duration_ms));
        }
        LegEvent::Held => to.byte(5),
        LegEvent::Resumed => to.byte(6),
        LegEvent::Renegotiated(codec) => {
            to.byte(7);
            to.byte(codec_tag(*codec));
        }
        LegEvent::Garbage { total } => {
            to.byte(8);
            to.number(*total);
        }
        LegEvent::Network(network) => {
            to.byte(11);
            put_network(to, network);
        }
        LegEvent::Ended { cause } => {
            to.byte(9);
            put_cause(to, *cause);
        }
        LegEvent::FarBuffer(held) => {
            to.byte(14);
            to.number(u64::try_from(held.as_millis()).unwrap_or(u64::MAX));
        }
        LegEvent::WantsPerson => to.byte(15),
        LegEvent::KeysInSound(may) => {
            to.byte(13);
            to.byte(u8::from(*may));
        }
        LegEvent::Signalled { sent, summary } => {
            to.byte(10);
            to.byte(u8::from(*sent));
            to.text(summary);
        }
        LegEvent::Comfort { sequence, payload } => {
            to.byte(12);
            to.number(u64::from(*sequence));
            to.bytes(payload);
        }
    }
}

fn take_leg_event<'a>(from: &mut Reader<'a>) -> Result<LegEvent<'a>, RecordError> {
    Ok(match from.byte()? {
        0 => LegEvent::Offered,
        1 => LegEvent::Answered,
        2 => LegEvent::Packet(MediaPacket {
            sequence: from.small()?,
            timestamp: from.small()?,
            marker: from.byte()? != 0,
            ssrc: from.small()?,
            codec: codec(from.byte()?)?,
            payload: from.bytes()?,
        }),
        3 => LegEvent::Passed { sequence: from.small()? },
        4 => {
            let sign: u32 = from.small()?;
            let digit = char::from_u32(sign).ok_or(RecordError::Broken { place: "key" })?;
            LegEvent::Digit { digit, duration_ms: from.small()? }
        }
        5 => LegEvent::Held,
        6 => LegEvent::Resumed,
        7 => LegEvent::Renegotiated(codec(from.byte()?)?),
        8 => LegEvent::Garbage { total: from.number()? },
        9 => LegEvent::Ended { cause: take_cause(from)? },
        10 => LegEvent::Signalled { sent: from.byte()? != 0, summary: from.text()?.to_owned() },
        11 => LegEvent::Network(take_network(from)?),
        12 => LegEvent::Comfort { sequence: from.small()?, payload: from.bytes()? },
        13 => LegEvent::KeysInSound(from.byte()? != 0),
        14 => LegEvent::FarBuffer(Duration::from_millis(from.number()?)),
        15 => LegEvent::WantsPerson,
        tag => return Err(RecordError::Unknown { tag, place: "an event of a leg" }),
    })
}

/// The static payload type; of Opus, which has none, the usual one.
const fn codec_tag(codec: Codec) -> u8 {
    match codec {
        Codec::Pcmu => 0,
        Codec::Pcma => 8,
        Codec::G722 => 9,
        Codec::Opus => 111,
    }
}

fn codec(tag: u8) -> Result<Codec, RecordError> {
    let found = Codec::ALL.into_iter().find(|codec| codec_tag(*codec) == tag);
    found.ok_or(RecordError::Unknown { tag, place: "a codec" })
}

fn put_network(to: &mut Writer, network: &Network) {
    // One more than the value; 0 is none.
    let mut optional = |value: Option<u32>| to.number(value.map_or(0, |it| u64::from(it) + 1));
    optional(Some(network.jitter_ms));
    optional(network.rtt_ms);
    optional(network.remote_lost);
    optional(network.remote_loss_percent.map(u32::from));
    to.byte(u8::from(network.from_far_end));
}

fn take_network(from: &mut Reader<'_>) -> Result<Network, RecordError> {
    let broken = RecordError::Broken { place: "a report" };
    let mut optional = || -> Result<Option<u32>, RecordError> {
        let value = from.number()?.checked_sub(1).map(u32::try_from).transpose();
        value.map_err(|_| RecordError::Broken { place: "a report" })
    };
    let (jitter_ms, rtt_ms, remote_lost) = (optional()?, optional()?, optional()?);
    let loss_percent = optional()?.map(u8::try_from).transpose();
    let Ok(remote_loss_percent) = loss_percent else { return Err(broken) };
    let from_far_end = from.byte()? != 0;
    let jitter_ms = jitter_ms.unwrap_or(0);
    Ok(Network { jitter_ms, rtt_ms, remote_lost, remote_loss_percent, from_far_end })
}

fn put_cause(to: &mut Writer, cause: EndCause) {
    match cause {
        EndCause::Bye => to.byte(0),
        EndCause::Cancelled => to.byte(1),
        EndCause::Refused(code) => {
            to.byte(2);
            to.number(u64::from(code));
        }
        EndCause::NoAck => to.byte(3),
        EndCause::Lost => to.byte(4),
    }
}

fn take_cause(from: &mut Reader<'_>) -> Result<EndCause, RecordError> {
    Ok(match from.byte()? {
        0 => EndCause::Bye,
        1 => EndCause::Cancelled,
        2 => EndCause::Refused(from.small()?),
        3 => EndCause::NoAck,
        4 => EndCause::Lost,
        tag => return Err(RecordError::Unknown { tag, place: "a cause" }),
    })
}

fn put_hypothesis(to: &mut Writer, hypothesis: &Hypothesis) {
    to.text(&hypothesis.text);
    to.number(hypothesis.stable_words as u64);
    to.float(hypothesis.confidence);
    to.byte(match hypothesis.kind {
        HypothesisKind::Partial => 0,
        HypothesisKind::Final => 1,
        HypothesisKind::Rejected => 2,
    });
    to.number(hypothesis.words.len() as u64);
    for word in &hypothesis.words {
        to.text(&word.text);
        to.duration(word.begin);
        to.duration(word.end);
        to.float(word.confidence);
    }
}

fn take_hypothesis(from: &mut Reader<'_>) -> Result<Hypothesis, RecordError> {
    Ok(Hypothesis {
        text: from.text()?.to_owned(),
        stable_words: from.small()?,
        confidence: from.float()?,
        kind: match from.byte()? {
            0 => HypothesisKind::Partial,
            1 => HypothesisKind::Final,
            2 => HypothesisKind::Rejected,
            tag => return Err(RecordError::Unknown { tag, place: "a kind of hypothesis" }),
        },
        words: from.list(|from| {
            Ok(Word {
                text: from.text()?.to_owned(),
                begin: from.duration()?,
                end: from.duration()?,
                confidence: from.float()?,
            })
        })?,
    })
}

fn put_speech(to: &mut Writer, speech: &Speech) {
    to.text(&speech.text);
    to.number(u64::from(speech.rate.hz()));
    to.number(speech.samples.len() as u64);
    for sample in speech.samples.iter() {
        to.float(*sample);
    }
    to.number(speech.words.len() as u64);
    for word in speech.words.iter() {
        to.text(&word.text);
        to.duration(word.begin);
        to.duration(word.end);
    }
}

fn take_speech(from: &mut Reader<'_>) -> Result<Speech, RecordError> {
    let text = from.text()?.into();
    let rate = SampleRate::from_hz(from.small()?).ok_or(RecordError::Broken { place: "rate" })?;
    let samples: SharedSamples = from.list(Reader::float)?.into();
    let words: Vec<SpokenWord> = from.list(|from| {
        let text = from.text()?.into();
        Ok(SpokenWord { text, begin: from.duration()?, end: from.duration()? })
    })?;
    Ok(Speech { text, rate, samples, words: words.into() })
}

fn put_outcome(to: &mut Writer, outcome: &ToolOutcome) {
    match outcome.verdict {
        ToolVerdict::Done => to.byte(0),
        ToolVerdict::Status(status) => {
            to.byte(1);
            to.number(u64::from(status));
        }
        ToolVerdict::TimedOut => to.byte(2),
        ToolVerdict::Unreachable => to.byte(3),
        ToolVerdict::Malformed => to.byte(4),
    }
    to.text(&outcome.result.to_string());
    to.number(outcome.took_ms);
}

fn take_outcome(from: &mut Reader<'_>) -> Result<ToolOutcome, RecordError> {
    let verdict = match from.byte()? {
        0 => ToolVerdict::Done,
        1 => ToolVerdict::Status(from.small()?),
        2 => ToolVerdict::TimedOut,
        3 => ToolVerdict::Unreachable,
        4 => ToolVerdict::Malformed,
        tag => return Err(RecordError::Unknown { tag, place: "a verdict" }),
    };
    let broken = |_| RecordError::Broken { place: "result" };
    let result = serde_json::from_str(from.text()?).map_err(broken)?;
    Ok(ToolOutcome { verdict, result, took_ms: from.number()? })
}

fn put_failover(to: &mut Writer, role: EngineRole, engine: u32, why: &str) {
    to.byte(match role {
        EngineRole::Recognizer => 0,
        EngineRole::Synthesizer => 1,
        EngineRole::LanguageModel => 2,
    });
    to.number(u64::from(engine));
    to.text(why);
}

fn take_role(from: &mut Reader<'_>) -> Result<EngineRole, RecordError> {
    match from.byte()? {
        0 => Ok(EngineRole::Recognizer),
        1 => Ok(EngineRole::Synthesizer),
        2 => Ok(EngineRole::LanguageModel),
        tag => Err(RecordError::Unknown { tag, place: "an engine's role" }),
    }
}

fn put_answer(to: &mut Writer, event: &AnswerEvent) {
    match event {
        AnswerEvent::Sentence(text) => {
            to.byte(0);
            to.text(text);
        }
        AnswerEvent::Called(call) => {
            to.byte(1);
            to.text(&call.id);
            to.text(&call.name);
            to.text(&call.arguments.to_string());
        }
        AnswerEvent::Ended => to.byte(2),
    }
}

fn take_answer(from: &mut Reader<'_>) -> Result<AnswerEvent, RecordError> {
    Ok(match from.byte()? {
        0 => AnswerEvent::Sentence(from.text()?.to_owned()),
        1 => {
            let (id, name) = (from.text()?.to_owned(), from.text()?.to_owned());
            let broken = |_| RecordError::Broken { place: "arguments" };
            let arguments = serde_json::from_str(from.text()?).map_err(broken)?;
            AnswerEvent::Called(ToolCall { id, name, arguments })
        }
        2 => AnswerEvent::Ended,
        tag => return Err(RecordError::Unknown { tag, place: "a part of an answer" }),
    })
}

/// The longest time that a record may hold: a day.
const LONGEST: Duration = Duration::from_secs(86_400);

#[cfg(test)]
mod tests;
