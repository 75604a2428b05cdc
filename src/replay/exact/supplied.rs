//! What the record cannot give: the sound of lines that were never spoken, a caller who waits.

use std::time::Duration;

use cordboard_audio::codec::{Codec, Encoder};
use cordboard_models::speech::{Speech, SpeechRequest, SpokenWord, Synthesizer};

use crate::call::{LegEvent, MediaPacket};

/// A letter of speech at its usual pace: some 150 words a minute.
const LETTER: Duration = Duration::from_millis(65);

/// The sound of a line: by a synthesizer, or silence as long as it may last; whether it is sound.
pub(super) fn line(
    request: &SpeechRequest,
    voice: Option<&mut (dyn Synthesizer + 'static)>,
) -> (Speech, bool) {
    let spoken = voice.and_then(|voice| voice.speak(request).ok());
    match spoken {
        Some(speech) => (speech, true),
        None => (silence(request), false),
    }
}

fn silence(request: &SpeechRequest) -> Speech {
    let mut at = Duration::ZERO;
    let word = |text: &str| {
        let letters = u32::try_from(text.chars().count() + 1).unwrap_or(u32::MAX);
        let begin = at;
        at += LETTER.mul_f32(request.stretch) * letters;
        SpokenWord { text: text.into(), begin, end: at }
    };
    let words: Vec<SpokenWord> = request.text.split_whitespace().map(word).collect();
    let samples = (at.as_secs_f64() * f64::from(request.rate.hz())) as usize;
    Speech {
        text: request.text.clone(),
        rate: request.rate,
        samples: vec![0.0; samples].into(),
        words: words.into(),
    }
}

/// A caller who says nothing: packets of silence, behind the last that was recorded.
#[derive(Debug)]
pub(super) struct Silent {
    encoder: Encoder,
    sequence: u16,
    timestamp: u32,
    ssrc: u32,
    payload: [u8; 320],
}

impl Silent {
    pub(super) fn after(packet: &MediaPacket<'_>) -> Self {
        Self {
            encoder: Encoder::new(packet.codec),
            sequence: packet.sequence,
            timestamp: packet.timestamp,
            ssrc: packet.ssrc,
            payload: [0; 320],
        }
    }

    /// The next 20 ms.
    pub(super) fn packet(&mut self) -> LegEvent<'_> {
        let codec: Codec = self.encoder.codec();
        let samples = [0.0; cordboard_audio::FRAME_SAMPLES_MAX];
        let frame = codec.rate().frame_samples();
        let len = self.encoder.encode_into(&samples[..frame], &mut self.payload);
        self.sequence = self.sequence.wrapping_add(1);
        let ticks = u32::try_from(codec.ticks_in(frame)).unwrap_or_default();
        self.timestamp = self.timestamp.wrapping_add(ticks);
        LegEvent::Packet(MediaPacket {
            sequence: self.sequence,
            timestamp: self.timestamp,
            marker: false,
            ssrc: self.ssrc,
            codec,
            payload: &self.payload[..len],
        })
    }
}
