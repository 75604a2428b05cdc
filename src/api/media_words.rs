//! What a carrier says on a media stream, in the form of Twilio's: JSON in, sound, keys and marks
//! out. Absent: the connection, and who may make one (`media_stream`).
//!
//! Source: twilio.com/docs/voice/media-streams/websocket-messages.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use crate::call::EndCause;
use crate::leg::{CarrierEnd, Word};

/// Why a stream is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum StreamFault {
    #[error("a message is not of the form; send JSON with an event")]
    Malformed,
    #[error("a payload is not base64")]
    Payload,
    #[error("sound, keys and marks come after the start")]
    BeforeStart,
    #[error("a stream starts once")]
    SecondStart,
    #[error("the format is not audio/x-mulaw, 8000 Hz, one channel")]
    Format,
    #[error("the custom parameter token is missing or wrong")]
    Unauthorized,
    #[error("no start came in time")]
    NoStart,
    #[error("there is no such route")]
    NoSuchRoute,
    #[error("there is no room; try again later")]
    NoRoom,
    #[error("too many keys and marks at once")]
    Flood,
}

impl StreamFault {
    /// RFC 6455 §7.4.1.
    pub(crate) const fn code(self) -> u16 {
        match self {
            Self::Malformed | Self::Payload => 1_007,
            Self::NoRoom => 1_013,
            Self::BeforeStart
            | Self::SecondStart
            | Self::Format
            | Self::Unauthorized
            | Self::NoStart
            | Self::NoSuchRoute
            | Self::Flood => 1_008,
        }
    }
}

/// A message, whatever it is.
#[derive(Deserialize)]
pub(crate) struct Told {
    pub(crate) event: String,
    pub(crate) start: Option<Start>,
    media: Option<Media>,
    pub(crate) mark: Option<Mark>,
    dtmf: Option<Key>,
}

/// The begin of a stream.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Start {
    pub(crate) stream_sid: String,
    #[serde(default)]
    pub(crate) call_sid: String,
    #[serde(default)]
    pub(crate) custom_parameters: std::collections::HashMap<String, String>,
    pub(crate) media_format: Format,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Format {
    encoding: String,
    sample_rate: u32,
    #[serde(default = "one")]
    channels: u32,
}

impl Format {
    /// Whether it is the one that we take: PCMU, one channel.
    pub(crate) fn is_pcmu(&self) -> bool {
        self.encoding == "audio/x-mulaw" && (self.sample_rate, self.channels) == (8_000, 1)
    }
}

const fn one() -> u32 {
    1
}

#[derive(Deserialize)]
pub(crate) struct Media {
    #[serde(default)]
    track: String,
    payload: String,
}

#[derive(Deserialize)]
pub(crate) struct Mark {
    pub(crate) name: String,
}

#[derive(Deserialize)]
pub(crate) struct Key {
    digit: String,
}

/// Reads a message.
pub(crate) fn told(text: &str) -> Result<Told, StreamFault> {
    serde_json::from_str(text).map_err(|_| StreamFault::Malformed)
}

/// Takes a message after the start; the cause where it ends the stream.
pub(crate) fn hear(end: &mut CarrierEnd, told: Told) -> Result<Option<EndCause>, StreamFault> {
    match told.event.as_str() {
        "media" => {
            let media = told.media.ok_or(StreamFault::Malformed)?;
            let sound = STANDARD.decode(media.payload).map_err(|_| StreamFault::Payload)?;
            if media.track != "outbound" {
                end.hear(&sound);
            }
        }
        "mark" => {
            // A name that is none of ours tells nothing.
            let mark = told.mark.ok_or(StreamFault::Malformed)?;
            if let Ok(number) = mark.name.parse() {
                word(end, Word::Mark(number))?;
            }
        }
        "dtmf" => {
            let key = told.dtmf.ok_or(StreamFault::Malformed)?;
            let mut signs = key.digit.chars();
            match (signs.next(), signs.next()) {
                (Some(sign @ ('0'..='9' | '*' | '#' | 'A'..='D')), None) => {
                    word(end, Word::Key(sign))?;
                }
                _ => return Err(StreamFault::Malformed),
            }
        }
        "stop" => return Ok(Some(EndCause::Bye)),
        "start" => return Err(StreamFault::SecondStart),
        // What carriers add some day is not for us.
        _ => {}
    }
    Ok(None)
}

fn word(end: &CarrierEnd, word: Word) -> Result<(), StreamFault> {
    if end.tell(word) { Ok(()) } else { Err(StreamFault::Flood) }
}
