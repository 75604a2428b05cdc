//! What must be known beside a call's inputs to run it again: the facts of its ring, the settings
//! that it met, and the text of its flow.
//!
//! The sounds are those that every call has, and stand in no record; their lengths do, so that
//! others are noticed.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::RecordError;
use super::fields::{Reader, Writer};
use crate::call::{CallFacts, CallSettings, DialPlan, Tones, usual_music};
use crate::conversation::{Flow, FlowFault};
use crate::escalation::{Rules, Wording};
use crate::timeline::{CallId, LegKind, Links};
use crate::turn::{BargeIn, Pauses, TurnSettings};

/// Version of the form, the first byte of a header. The first had neither settings nor flow.
pub const RECORD_VERSION: u8 = 2;

/// What a header says.
#[derive(Clone, Debug)]
pub struct Header {
    /// What was known at the ring.
    pub facts: CallFacts,
    /// The settings that the call met.
    pub settings: CallSettings,
}

/// Why a call cannot be made of its header.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HeaderFault {
    /// It is of another form.
    #[error(
        "its record is of form {found}, and this version of Cordboard reads form {RECORD_VERSION}; \
         play it with the version that recorded it (form 1 lacks the settings and the flow, and \
         cannot be played)"
    )]
    Form {
        /// The form.
        found: u8,
    },
    /// Another version of the program recorded it: another machine.
    #[error(
        "it was recorded by Cordboard {by}, and this is {}; play it with that version",
        env!("CARGO_PKG_VERSION")
    )]
    Build {
        /// Which version.
        by: String,
    },
    /// It breaks off, or says what is unknown here.
    #[error("the header of its record cannot be read: {0}; bring the file back from a copy")]
    Record(#[from] RecordError),
    /// Its flow is refused.
    #[error("the flow in its record is refused: {why}; play it with the build that recorded it")]
    Flow {
        /// The first fault.
        why: String,
    },
    /// Its music or tones are not those of this program.
    #[error(
        "the call had other music or tones than this program has; play it with the build that \
         recorded it"
    )]
    Sounds,
}

/// Writes the header of a call.
#[must_use]
pub fn header(facts: &CallFacts, settings: &CallSettings) -> Vec<u8> {
    let mut to = Writer::default();
    to.byte(RECORD_VERSION);
    to.text(env!("CARGO_PKG_VERSION"));
    to.text(facts.flow.text());
    let overrides = facts.flow.overrides();
    to.number(overrides.len() as u64);
    for (name, value) in &overrides {
        to.text(name);
        to.text(value);
    }
    put_facts(&mut to, facts);
    put_settings(&mut to, settings);
    to.into_bytes()
}

/// Reads the header of a call; `flow` makes a flow of its text and overrides.
///
/// # Errors
/// [`HeaderFault`], whose text says what to do.
pub fn read_header(
    bytes: &[u8],
    flow: impl FnOnce(&str, &BTreeMap<String, String>) -> Result<Arc<Flow>, Vec<FlowFault>>,
) -> Result<Header, HeaderFault> {
    let mut from = Reader::new(bytes);
    let found = from.byte()?;
    if found != RECORD_VERSION {
        return Err(HeaderFault::Form { found });
    }
    let by = from.text()?;
    if by != env!("CARGO_PKG_VERSION") {
        return Err(HeaderFault::Build { by: by.to_owned() });
    }
    let text = from.text()?;
    let pair = |from: &mut Reader<'_>| Ok((from.text()?.to_owned(), from.text()?.to_owned()));
    let overrides: BTreeMap<_, _> = from.list(pair)?.into_iter().collect();
    let refused = |faults: Vec<FlowFault>| {
        let why = faults.first().map(ToString::to_string).unwrap_or_default();
        HeaderFault::Flow { why }
    };
    let flow = flow(text, &overrides).map_err(refused)?;
    let facts = take_facts(&mut from, flow)?;
    Ok(Header { facts, settings: take_settings(&mut from)? })
}

fn put_facts(to: &mut Writer, facts: &CallFacts) {
    let CallFacts { id, from, to: dialled, leg, outbound, .. } = facts;
    to.text(&id.0);
    to.text(from);
    to.text(dialled);
    to.byte(leg_tag(*leg));
    to.byte(u8::from(outbound.is_some()));
    if let Some(DialPlan { uri, display, headers }) = outbound {
        to.text(uri);
        to.text(display);
        to.number(headers.len() as u64);
        for (name, value) in headers {
            to.text(name);
            to.text(value);
        }
    }
    let CallFacts { wall_unix_ms, local, seed, links, .. } = facts;
    to.number(*wall_unix_ms);
    to.text(&local.to_string());
    to.number(*seed);
    to.text(&links.timeline);
    to.text(links.recording.as_deref().unwrap_or_default());
}

fn take_facts(from: &mut Reader<'_>, flow: Arc<Flow>) -> Result<CallFacts, RecordError> {
    let id = CallId(from.text()?.to_owned());
    let (caller, dialled) = (from.text()?.to_owned(), from.text()?.to_owned());
    let leg = leg(from.byte()?)?;
    let outbound = match from.byte()? {
        0 => None,
        _ => Some(DialPlan {
            uri: from.text()?.to_owned(),
            display: from.text()?.to_owned(),
            headers: from.list(|from| Ok((from.text()?.to_owned(), from.text()?.to_owned())))?,
        }),
    };
    let wall_unix_ms = from.number()?;
    let broken = |_| RecordError::Broken { place: "local time" };
    let local = from.text()?.parse().map_err(broken)?;
    let seed = from.number()?;
    let timeline = from.text()?.to_owned();
    let recording = Some(from.text()?.to_owned()).filter(|link| !link.is_empty());
    let links = Links { timeline, recording };
    Ok(CallFacts {
        id,
        from: caller,
        to: dialled,
        leg,
        outbound,
        wall_unix_ms,
        local,
        seed,
        flow,
        links,
    })
}

const fn leg_tag(leg: LegKind) -> u8 {
    match leg {
        LegKind::Phone => 0,
        LegKind::Stream => 1,
        LegKind::Device => 2,
        LegKind::Browser => 3,
    }
}

fn leg(tag: u8) -> Result<LegKind, RecordError> {
    let all = [LegKind::Phone, LegKind::Stream, LegKind::Device, LegKind::Browser];
    let found = all.into_iter().find(|leg| leg_tag(*leg) == tag);
    found.ok_or(RecordError::Unknown { tag, place: "a kind of leg" })
}

fn put_settings(to: &mut Writer, settings: &CallSettings) {
    let CallSettings { turn, queues, no_media_ask, no_media_end, hold_end, record, .. } = settings;
    put_turn(to, turn);
    // By name, so that the same settings make the same bytes.
    let queues: BTreeMap<_, _> = queues.iter().collect();
    to.number(queues.len() as u64);
    for (name, rules) in queues {
        to.text(name);
        put_rules(to, rules);
    }
    for time in [no_media_ask, no_media_end, hold_end] {
        to.duration(*time);
    }
    to.byte(u8::from(*record));
    for sound in sounds(settings) {
        to.number(sound as u64);
    }
}

fn take_settings(from: &mut Reader<'_>) -> Result<CallSettings, HeaderFault> {
    let turn = take_turn(from)?;
    let queue = |from: &mut Reader<'_>| Ok((from.text()?.to_owned(), Arc::new(take_rules(from)?)));
    let queues: HashMap<_, _> = from.list(queue)?.into_iter().collect();
    let [no_media_ask, no_media_end, hold_end] =
        [from.duration()?, from.duration()?, from.duration()?];
    let settings = CallSettings {
        turn,
        queues: Arc::new(queues),
        no_media_ask,
        no_media_end,
        hold_end,
        record: from.byte()? != 0,
        music: usual_music(),
        tones: Tones::usual(),
    };
    for sound in sounds(&settings) {
        if from.number()? != sound as u64 {
            return Err(HeaderFault::Sounds);
        }
    }
    Ok(settings)
}

/// Lengths of music and tones, in samples.
fn sounds(CallSettings { music, tones, .. }: &CallSettings) -> [usize; 4] {
    [music, &tones.accept, &tones.waiting, &tones.sorry].map(|sound| sound.len())
}

fn put_turn(to: &mut Writer, turn: &TurnSettings) {
    let TurnSettings { voice_on, voice_off, speech_min, barge_in, pause, .. } = turn;
    to.float(*voice_on);
    to.float(*voice_off);
    to.duration(*speech_min);
    match barge_in {
        BargeIn::Decide { duck } => {
            to.byte(0);
            to.duration(*duck);
        }
        BargeIn::Cut { after } => {
            to.byte(1);
            to.duration(*after);
        }
    }
    let Pauses { least, sure, likely, doubtful, begun, yes_no, phrase, digits, open, other } =
        pause;
    for pause in [least, sure, likely, doubtful, begun, yes_no, phrase, digits, open, other] {
        to.duration(*pause);
    }
    let TurnSettings { no_input, turn_max, judges_sound, eager, cancels_echo, .. } = turn;
    to.duration(*no_input);
    to.duration(*turn_max);
    for is_on in [judges_sound, eager, cancels_echo] {
        to.byte(u8::from(*is_on));
    }
}

fn take_turn(from: &mut Reader<'_>) -> Result<TurnSettings, RecordError> {
    Ok(TurnSettings {
        voice_on: from.float()?,
        voice_off: from.float()?,
        speech_min: from.duration()?,
        barge_in: match from.byte()? {
            0 => BargeIn::Decide { duck: from.duration()? },
            1 => BargeIn::Cut { after: from.duration()? },
            tag => return Err(RecordError::Unknown { tag, place: "a way to barge in" }),
        },
        pause: Pauses {
            least: from.duration()?,
            sure: from.duration()?,
            likely: from.duration()?,
            doubtful: from.duration()?,
            begun: from.duration()?,
            yes_no: from.duration()?,
            phrase: from.duration()?,
            digits: from.duration()?,
            open: from.duration()?,
            other: from.duration()?,
        },
        no_input: from.duration()?,
        turn_max: from.duration()?,
        judges_sound: from.byte()? != 0,
        eager: from.byte()? != 0,
        cancels_echo: from.byte()? != 0,
    })
}

fn put_rules(to: &mut Writer, rules: &Rules) {
    let Rules { ring, limit, comfort_every, key_wait, last_key_wait, talk_limit, .. } = rules;
    for time in [ring, limit, comfort_every, key_wait, last_key_wait, talk_limit] {
        to.duration(*time);
    }
    to.byte(u8::from(rules.require_accept));
    let Wording { announcement, comfort, agent_gone, agent_lost, caller_gone } = &rules.wording;
    for text in [announcement, comfort, agent_gone, agent_lost, caller_gone] {
        to.text(text);
    }
}

fn take_rules(from: &mut Reader<'_>) -> Result<Rules, RecordError> {
    Ok(Rules {
        ring: from.duration()?,
        limit: from.duration()?,
        comfort_every: from.duration()?,
        key_wait: from.duration()?,
        last_key_wait: from.duration()?,
        talk_limit: from.duration()?,
        require_accept: from.byte()? != 0,
        wording: Wording {
            announcement: from.text()?.into(),
            comfort: from.text()?.into(),
            agent_gone: from.text()?.into(),
            agent_lost: from.text()?.into(),
            caller_gone: from.text()?.into(),
        },
    })
}

#[cfg(test)]
mod tests;
