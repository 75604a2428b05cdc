//! One codec's way from payload to sound: its decoder, and what makes up for what is lost.

use crate::codec::OPUS_STEP_SAMPLES;
use crate::comfort::ComfortNoise;
use crate::{Codec, Concealer, Decoder};

/// A codec's own concealment fades out from here to there, ms.
const FADE_FROM_MS: usize = 60;
const FADE_TO_MS: usize = 80;

/// Decoder and concealment of one codec.
#[derive(Debug)]
pub(super) struct Line {
    decoder: Decoder,
    /// None where the codec conceals.
    concealer: Option<Concealer>,
    /// Samples made up since the last packet, where the codec conceals.
    gone: usize,
    /// Whether the last packet said that the sender is silent.
    silent: bool,
}

impl Line {
    pub(super) fn new(codec: Codec) -> Self {
        let decoder = Decoder::new(codec);
        let concealer = (!decoder.conceals()).then(|| Concealer::new(codec.rate()));
        Self { decoder, concealer, gone: 0, silent: false }
    }

    /// Decodes a packet; returns the samples written.
    pub(super) fn receive(&mut self, payload: &[u8], out: &mut [f32]) -> usize {
        let decoded = self.decoder.decode_into(payload, out);
        if let Some(concealer) = &mut self.concealer {
            concealer.receive(&mut out[..decoded]);
        }
        self.gone = 0;
        self.silent = self.decoder.codec().is_silent(payload);
        decoded
    }

    /// Makes up so many samples, or a few more; returns how many.
    pub(super) fn make_up(
        &mut self,
        samples: usize,
        successor: Option<&[u8]>,
        out: &mut [f32],
    ) -> usize {
        let Some(concealer) = &mut self.concealer else {
            return self.make_up_by_codec(samples, successor, out);
        };
        let samples = samples.min(out.len());
        concealer.conceal_into(&mut out[..samples]);
        samples
    }

    /// Whether so much was made up that only silence follows.
    pub(super) fn is_spent(&self) -> bool {
        let ms = self.gone * 1_000 / self.decoder.codec().rate().hz() as usize;
        self.concealer.as_ref().map_or(ms >= FADE_TO_MS, Concealer::is_muted)
    }

    /// Whether the sender has said that it is silent, in the codec's own way.
    pub(super) const fn is_silent(&self) -> bool {
        self.silent
    }

    /// Fills so many samples while the sender is silent; returns how many.
    pub(super) fn rest(
        &mut self,
        samples: usize,
        noise: Option<&mut ComfortNoise>,
        out: &mut [f32],
    ) -> usize {
        if self.silent && self.concealer.is_none() {
            // What Opus makes up in a silence is the noise of the sender's room.
            let samples = samples.next_multiple_of(OPUS_STEP_SAMPLES);
            if self.decoder.conceal_into(None, &mut out[..samples]) != samples {
                out[..samples].fill(0.0);
            }
            return samples;
        }
        let out = &mut out[..samples];
        match (noise, &mut self.concealer) {
            (Some(noise), concealer) => {
                noise.fill(out);
                if let Some(concealer) = concealer {
                    concealer.receive(out);
                }
            }
            // A loss under way goes on, silent, and the next sound is faded in.
            (None, Some(concealer)) if concealer.is_muted() => concealer.conceal_into(out),
            (None, Some(concealer)) => {
                out.fill(0.0);
                concealer.receive(out);
            }
            (None, None) => out.fill(0.0),
        }
        samples
    }

    pub(super) fn reset(&mut self) {
        self.decoder.reset();
        if let Some(concealer) = &mut self.concealer {
            concealer.reset();
        }
        self.gone = 0;
        self.silent = false;
    }

    fn make_up_by_codec(
        &mut self,
        samples: usize,
        successor: Option<&[u8]>,
        out: &mut [f32],
    ) -> usize {
        let most = out.len() / OPUS_STEP_SAMPLES * OPUS_STEP_SAMPLES;
        let samples = samples.next_multiple_of(OPUS_STEP_SAMPLES).min(most);
        let out = &mut out[..samples];
        if self.decoder.conceal_into(successor, out) != samples {
            out.fill(0.0);
        }
        let per_ms = self.decoder.codec().rate().hz() as usize / 1_000;
        for sample in out {
            let over = self.gone.saturating_sub(FADE_FROM_MS * per_ms) as f32;
            *sample *= (1.0 - over / ((FADE_TO_MS - FADE_FROM_MS) * per_ms) as f32).max(0.0);
            self.gone += 1;
        }
        samples
    }
}
