//! G.722 (ITU-T, 1988) at 64 kbit/s: 16 kHz sound in one byte for each two samples.
//!
//! The algorithm itself is the crate `audio-codec`. Its RTP clock is 8 kHz by an old mistake
//! (RFC 3551 §4.5.2), so that one byte is one tick. Absent: 48 and 56 kbit/s, which no telephone
//! offers.

use std::fmt;

use audio_codec::g722::{G722Decoder, G722Encoder};
use audio_codec::{Decoder as _, Encoder as _};

use super::g711::{FULL_SCALE, linear};
use crate::FRAME_SAMPLES_MAX;

/// What a decoder remembers.
pub(super) struct Decoding(G722Decoder);

/// What an encoder remembers.
pub(super) struct Encoding(G722Encoder);

impl Decoding {
    pub(super) fn new() -> Self {
        Self(G722Decoder::new())
    }

    /// Decodes as much of the payload as `out` takes; returns the samples written.
    pub(super) fn decode_into(&mut self, payload: &[u8], out: &mut [f32]) -> usize {
        let mut written = 0;
        let mut pcm = [0; FRAME_SAMPLES_MAX];
        for (bytes, out) in
            payload.chunks(FRAME_SAMPLES_MAX / 2).zip(out.chunks_mut(FRAME_SAMPLES_MAX))
        {
            let bytes = &bytes[..bytes.len().min(out.len() / 2)];
            let done = self.0.decode_into(bytes, &mut pcm).unwrap_or(0);
            for (sample, pcm) in out.iter_mut().zip(&pcm[..done]) {
                *sample = f32::from(*pcm) / FULL_SCALE;
            }
            written += done;
        }
        written
    }
}

impl Encoding {
    pub(super) fn new() -> Self {
        Self(G722Encoder::new())
    }

    /// Encodes as many pairs of samples as `out` takes; returns the bytes written.
    pub(super) fn encode_into(&mut self, samples: &[f32], out: &mut [u8]) -> usize {
        let mut written = 0;
        let mut pcm = [0; FRAME_SAMPLES_MAX];
        for (samples, out) in
            samples.chunks(FRAME_SAMPLES_MAX).zip(out.chunks_mut(FRAME_SAMPLES_MAX / 2))
        {
            let count = samples.len().min(2 * out.len());
            for (pcm, sample) in pcm.iter_mut().zip(&samples[..count]) {
                *pcm = linear(*sample);
            }
            written += self.0.encode_into(&pcm[..count], out).unwrap_or(0);
        }
        written
    }
}

impl fmt::Debug for Decoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("g722::Decoding")
    }
}

impl fmt::Debug for Encoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("g722::Encoding")
    }
}
