//! Opus (RFC 6716) as RFC 7587 has it on RTP, mono: libopus by the crate `opus`.
//!
//! The RTP clock is 48 kHz whatever the sound; here it is decoded and encoded at 16 kHz, where
//! speech ends, by libopus itself, so that it is resampled once. The encoder repeats each frame
//! roughly in the next (in-band FEC) where loss is expected, and makes frames of one byte in
//! silence (DTX), which are sent all the same. Absent: stereo and music.

use opus::{Application, Bitrate, Channels};

use crate::SampleRate;

/// Ticks of the RTP clock for a sample of 16 kHz.
pub(super) const TICKS_PER_SAMPLE: usize = 3;
/// Longest packet, in samples: 120 ms (RFC 6716 §3.2.5).
const PACKET_SAMPLES_MAX: usize = 1_920;
/// Least that libopus makes up, in samples: 2.5 ms.
pub(crate) const STEP_SAMPLES: usize = 40;
/// A packet so short says that the sender is silent (RFC 6716 §2.1.9).
const SILENT_BYTES_MAX: usize = 2;
/// Bits a second: wideband speech with room for the FEC of the frame before (RFC 7587 §3.1.1).
const BITRATE: i32 = 28_000;
/// Loss taken into account before anybody reports some, percent.
const FIRST_EXPECTED_LOSS: i32 = 5;
/// Effort: 5 costs two thirds of 10 and is hardly to be told from it in speech.
const COMPLEXITY: i32 = 5;

/// What a decoder remembers.
#[derive(Debug)]
pub(super) struct Decoding(Option<opus::Decoder>);

/// What an encoder remembers.
#[derive(Debug)]
pub(super) struct Encoding(Option<opus::Encoder>);

impl Decoding {
    pub(super) fn new() -> Self {
        // It fails for want of memory alone; then the leg is mute.
        Self(opus::Decoder::new(SampleRate::WIDE.hz(), Channels::Mono).ok())
    }

    pub(super) fn reset(&mut self) {
        if let Some(decoder) = &mut self.0 {
            let _ = decoder.reset_state();
        }
    }

    /// Decodes a packet; returns the samples written, 0 where it is none or `out` is too short.
    pub(super) fn decode_into(&mut self, payload: &[u8], out: &mut [f32]) -> usize {
        let Some(decoder) = self.0.as_mut().filter(|_| !payload.is_empty()) else { return 0 };
        clipped(decoder.decode_float(payload, out, false), out)
    }

    /// Fills `out`, a multiple of [`STEP_SAMPLES`], with what the packet after the loss repeats of
    /// it, or, without one, with what might have come.
    pub(super) fn conceal_into(&mut self, successor: Option<&[u8]>, out: &mut [f32]) -> usize {
        let Some(decoder) = self.0.as_mut().filter(|_| !out.is_empty()) else { return 0 };
        let decoded = match successor.filter(|payload| !payload.is_empty()) {
            Some(payload) => decoder.decode_float(payload, out, true),
            None => decoder.decode_float(&[], out, false),
        };
        clipped(decoded, out)
    }
}

/// Where libopus decodes to floats it does not clip.
fn clipped(decoded: opus::Result<usize>, out: &mut [f32]) -> usize {
    let decoded = decoded.unwrap_or(0);
    for sample in &mut out[..decoded] {
        *sample = sample.clamp(-1.0, 1.0);
    }
    decoded
}

impl Encoding {
    pub(super) fn new() -> Self {
        let encoder = opus::Encoder::new(SampleRate::WIDE.hz(), Channels::Mono, Application::Voip);
        Self(encoder.and_then(set_up).ok())
    }

    /// Encodes one frame of 20 ms; returns the bytes written.
    pub(super) fn encode_into(&mut self, samples: &[f32], out: &mut [u8]) -> usize {
        let Some(encoder) = &mut self.0 else { return 0 };
        encoder.encode_float(samples, out).unwrap_or(0)
    }

    pub(super) fn set_expected_loss(&mut self, percent: u8) {
        if let Some(encoder) = &mut self.0 {
            let _ = encoder.set_packet_loss_perc(i32::from(percent.min(100)));
        }
    }
}

/// Samples at 16 kHz that a packet decodes to; 0 where it is none.
pub(super) fn samples_of(payload: &[u8]) -> usize {
    if payload.is_empty() {
        return 0;
    }
    let samples = opus::packet::get_nb_samples(payload, SampleRate::WIDE.hz()).unwrap_or(0);
    if samples > PACKET_SAMPLES_MAX { 0 } else { samples }
}

/// Whether a packet says that the sender is silent and may send none for a while.
pub(super) const fn is_silent(payload: &[u8]) -> bool {
    payload.len() <= SILENT_BYTES_MAX
}

fn set_up(mut encoder: opus::Encoder) -> opus::Result<opus::Encoder> {
    encoder.set_bitrate(Bitrate::Bits(BITRATE))?;
    encoder.set_complexity(COMPLEXITY)?;
    encoder.set_signal(opus::Signal::Voice)?;
    encoder.set_inband_fec(true)?;
    encoder.set_packet_loss_perc(FIRST_EXPECTED_LOSS)?;
    encoder.set_dtx(true)?;
    Ok(encoder)
}
