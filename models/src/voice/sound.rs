//! Spoken sound with the time of each word in it, as every voice of this machine gives it: edges,
//! pauses, level, and the bounds of what may be asked for.
//!
//! Pure. Deliberately absent: making it.

use std::sync::Arc;
use std::time::Duration;

use cordboard_audio::SampleRate;

use super::level;
use crate::speech::{EngineFault, Speech, SpeechRequest, SpokenWord};

/// The most characters of one text; at 15 a second that is over two minutes of talk, more than any
/// caller listens to.
pub const TEXT_MAX_CHARS: usize = 2_000;

/// The slowest and the fastest that can be asked for, as `SpeechRequest::stretch`.
pub const STRETCH_RANGE: std::ops::RangeInclusive<f32> = 0.4..=3.0;

/// Silence between two sentences at stretch 1, ms, on top of the sentences' own edges.
pub(super) const BETWEEN_MS: u32 = 220;
/// Silence before the first word, ms.
const LEAD_MS: u32 = 8;
/// Silence after the last word, ms.
const TAIL_MS: u32 = 45;

/// Whether a request is one that can be spoken.
pub(super) fn check(engine: &'static str, request: &SpeechRequest) -> Result<(), EngineFault> {
    let unsupported = |what| Err(EngineFault::Unsupported { engine, what });
    let chars = request.text.chars().count();
    if chars > TEXT_MAX_CHARS {
        return unsupported(format!("a text of {chars} characters, at most {TEXT_MAX_CHARS}"));
    }
    if !STRETCH_RANGE.contains(&request.stretch) {
        let (least, most) = (STRETCH_RANGE.start(), STRETCH_RANGE.end());
        return unsupported(format!("a stretch of {}, {least} to {most}", request.stretch));
    }
    Ok(())
}

/// Words with their times, none before the end of the one before it nor after the sound's end.
fn timed(written: &[&str], times: &[Option<(f32, f32)>], length: Duration) -> Arc<[SpokenWord]> {
    let mut so_far = Duration::ZERO;
    let at = |seconds: f32| Duration::from_secs_f32(seconds.max(0.0)).min(length);
    let word = |(text, time): (&&str, &Option<(f32, f32)>)| {
        let (begin, end) = time.map_or((so_far, so_far), |(begin, end)| (at(begin), at(end)));
        let begin = begin.max(so_far);
        let end = end.max(begin);
        so_far = end;
        SpokenWord { text: Arc::from(*text), begin, end }
    };
    written.iter().zip(times).map(word).collect()
}

/// Sound with the time of each written word in it, in seconds.
#[derive(Debug)]
pub(super) struct Sound {
    pub(super) rate_hz: u32,
    pub(super) samples: Vec<f32>,
    pub(super) times: Vec<Option<(f32, f32)>>,
}

impl Sound {
    /// No sound yet, for so many words.
    pub(super) fn silent(rate: SampleRate, words: usize) -> Self {
        Self { rate_hz: rate.hz(), samples: Vec::new(), times: vec![None; words] }
    }

    /// Cuts the silence at the edges.
    pub(super) fn trimmed(mut self) -> Self {
        let (lead, tail) = (self.samples_of(LEAD_MS), self.samples_of(TAIL_MS));
        let range = level::audible(&self.samples, self.rate_hz, lead, tail);
        let before_s = range.start as f32 / self.rate_hz as f32;
        let length_s = range.len() as f32 / self.rate_hz as f32;
        self.samples.truncate(range.end);
        self.samples.drain(..range.start);
        let within = |seconds: f32| (seconds - before_s).clamp(0.0, length_s);
        for (begin, end) in self.times.iter_mut().flatten() {
            (*begin, *end) = (within(*begin), within(*end));
        }
        self
    }

    /// Lays another one after this one, with a pause between where both sound.
    pub(super) fn append(&mut self, next: Self, pause_ms: u32, stretch: f32) {
        if !next.samples.is_empty() && !self.samples.is_empty() {
            self.rest(pause_ms, stretch);
        }
        let offset_s = self.samples.len() as f32 / self.rate_hz as f32;
        let later = |time: Option<(f32, f32)>| time.map(|(b, e)| (b + offset_s, e + offset_s));
        self.times.extend(next.times.into_iter().map(later));
        self.samples.extend(next.samples);
    }

    /// Adds silence.
    pub(super) fn rest(&mut self, pause_ms: u32, stretch: f32) {
        let pause = (self.samples_of(pause_ms) as f32 * stretch) as usize;
        self.samples.resize(self.samples.len() + pause, 0.0);
    }

    /// The speech that it is, at its level.
    pub(super) fn speech(mut self, text: Arc<str>, rate: SampleRate, written: &[&str]) -> Speech {
        level::normalise(&mut self.samples, self.rate_hz);
        let samples = self.samples.into();
        let mut speech = Speech { text, rate, samples, words: Arc::new([]) };
        speech.words = timed(written, &self.times, speech.duration());
        speech
    }

    const fn samples_of(&self, ms: u32) -> usize {
        (self.rate_hz / 1_000 * ms) as usize
    }
}
