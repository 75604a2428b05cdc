//! What a server says in Cartesia's form, and what it means for the text that is being spoken.
//!
//! Pure. Source: docs.cartesia.ai, "Text to Speech (WebSocket)".

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use super::cartesia_words::Pieces;
use super::fault::place_of;
use super::{RemoteFault, Secret};

/// Longest speech of one text; more is a fault of the server.
const SPEECH_MAX: Duration = Duration::from_secs(60);

/// What the server sends, as far as it matters.
#[derive(Debug, Deserialize)]
struct Message {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    context_id: Option<String>,
    #[serde(default)]
    data: Option<String>,
    #[serde(default)]
    word_timestamps: Option<WordTimes>,
    #[serde(default)]
    status_code: Option<u16>,
    #[serde(default, alias = "error")]
    message: Option<String>,
}

#[derive(Debug, Deserialize)]
struct WordTimes {
    words: Vec<String>,
    start: Vec<f64>,
    end: Vec<f64>,
}

/// What a message means for the context in hand.
#[derive(Debug, PartialEq)]
pub(super) enum Progress {
    /// Nothing.
    Nothing,
    /// There is more sound, or there are more times.
    Grown,
    /// All has come.
    Done,
}

/// Takes a message of the server's for the context in hand.
pub(super) fn progress(
    text: &str,
    context: &str,
    key: Option<&Secret>,
    pieces: &mut Pieces,
) -> Result<Progress, RemoteFault> {
    let message: Message = serde_json::from_str(text)
        .map_err(|error| RemoteFault::Malformed { why: place_of(&error) })?;
    // An error without a context is the connection's.
    let other = message.context_id.as_deref().is_some_and(|id| id != context);
    if other || (message.context_id.is_none() && message.kind != "error") {
        return Ok(Progress::Nothing);
    }
    match message.kind.as_str() {
        "chunk" => {
            let data = message.data.unwrap_or_default();
            let length = pieces.sound(decode(&data)?.into_iter());
            if length > SPEECH_MAX {
                let limit = SPEECH_MAX.as_secs() as usize;
                return Err(RemoteFault::Excess { limit, unit: "seconds of speech" });
            }
            Ok(Progress::Grown)
        }
        "timestamps" => {
            let Some(times) = message.word_timestamps else { return Ok(Progress::Nothing) };
            for ((word, start), end) in times.words.iter().zip(&times.start).zip(&times.end) {
                let time = |s: f64| Duration::try_from_secs_f64(s).unwrap_or_default();
                pieces.word(word, time(*start), time(*end));
            }
            Ok(Progress::Grown)
        }
        "done" => Ok(Progress::Done),
        "error" => {
            let words = Secret::blank_out(key, &message.message.unwrap_or_default());
            match message.status_code {
                Some(status @ (401..=403 | 429 | 500..)) => {
                    Err(RemoteFault::Refused { status, retry_after: None })
                }
                _ => Err(RemoteFault::Reported { words }),
            }
        }
        _ => Ok(Progress::Nothing),
    }
}

fn decode(data: &str) -> Result<Vec<f32>, RemoteFault> {
    let malformed = |why: &str| RemoteFault::Malformed { why: why.to_owned() };
    let bytes = STANDARD.decode(data).map_err(|_| malformed("sound that is no base64"))?;
    if bytes.len() % 2 != 0 {
        return Err(malformed("16 bit sound of an odd number of bytes"));
    }
    let sample = |pair: &[u8]| f32::from(i16::from_le_bytes([pair[0], pair[1]])) / 32_768.0;
    Ok(bytes.chunks_exact(2).map(sample).collect())
}
