//! Codecs: payload bytes of RTP to samples and back.
//!
//! Static payload types and names are those of RFC 3551 §6. A [`Codec`] says which one, a
//! [`Decoder`] or [`Encoder`] is one leg's own: codecs with memory (G.722, Opus) keep it there.
//! Absent: those two, and comfort noise (RFC 3389), which is no codec and is passed over.

pub mod g711;

use crate::SampleRate;

/// Which codec a payload is in.
///
/// # Examples
/// ```
/// use cordboard_audio::Codec;
///
/// let mut samples = [0.0; 160];
/// let decoded = Codec::Pcmu.decode_into(&[0xff; 160], &mut samples);
/// assert_eq!(decoded, 160);
/// assert_eq!(samples, [0.0; 160]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Codec {
    /// G.711 μ-law, 8 kHz.
    Pcmu,
    /// G.711 A-law, 8 kHz.
    Pcma,
}

impl Codec {
    /// The codec with this encoding name, whatever its case (RFC 4855 §3: names ignore case).
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Pcmu, Self::Pcma].into_iter().find(|codec| codec.name().eq_ignore_ascii_case(name))
    }

    /// Encoding name, as an `a=rtpmap` line writes it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pcmu => "PCMU",
            Self::Pcma => "PCMA",
        }
    }

    /// Static RTP payload type (RFC 3551 table 4).
    #[must_use]
    pub const fn payload_type(self) -> u8 {
        match self {
            Self::Pcmu => 0,
            Self::Pcma => 8,
        }
    }

    /// Rate of the decoded samples.
    #[must_use]
    pub const fn rate(self) -> SampleRate {
        match self {
            Self::Pcmu | Self::Pcma => SampleRate::NARROW,
        }
    }

    /// Rate of the RTP timestamp, Hz.
    #[must_use]
    pub const fn clock_hz(self) -> u32 {
        match self {
            Self::Pcmu | Self::Pcma => 8_000,
        }
    }

    /// Samples that a payload of so many bytes decodes to.
    #[must_use]
    pub const fn samples_of(self, payload_bytes: usize) -> usize {
        match self {
            Self::Pcmu | Self::Pcma => payload_bytes,
        }
    }

    /// The byte whose repetition is digital silence.
    #[must_use]
    pub const fn silence_byte(self) -> u8 {
        match self {
            Self::Pcmu => 0xff,
            Self::Pcma => 0xd5,
        }
    }

    /// Decodes as much of the payload as `out` takes; returns the samples written.
    ///
    /// # Real-time
    /// No allocation, O(n).
    pub fn decode_into(&self, payload: &[u8], out: &mut [f32]) -> usize {
        match self {
            Self::Pcmu => g711::decode_ulaw_into(payload, out),
            Self::Pcma => g711::decode_alaw_into(payload, out),
        }
    }

    /// Encodes as many of the samples as `out` takes; returns the bytes written.
    ///
    /// # Real-time
    /// No allocation, O(n).
    pub fn encode_into(&self, samples: &[f32], out: &mut [u8]) -> usize {
        match self {
            Self::Pcmu => g711::encode_ulaw_into(samples, out),
            Self::Pcma => g711::encode_alaw_into(samples, out),
        }
    }
}

/// One leg's decoder.
#[derive(Clone, Debug)]
pub struct Decoder {
    codec: Codec,
}

impl Decoder {
    /// Makes a decoder that has heard nothing yet.
    #[must_use]
    pub const fn new(codec: Codec) -> Self {
        Self { codec }
    }

    /// Decodes the payload that follows the one before; returns the samples written.
    pub fn decode_into(&mut self, payload: &[u8], out: &mut [f32]) -> usize {
        self.codec.decode_into(payload, out)
    }

    /// Which codec it decodes.
    #[must_use]
    pub const fn codec(&self) -> Codec {
        self.codec
    }
}

/// One leg's encoder.
///
/// # Examples
/// ```
/// use cordboard_audio::{Codec, Decoder, Encoder};
///
/// let (mut payload, mut samples) = ([0; 160], [1.0; 160]);
/// assert_eq!(Encoder::new(Codec::Pcmu).encode_into(&[0.0; 160], &mut payload), 160);
/// assert_eq!(Decoder::new(Codec::Pcmu).decode_into(&payload, &mut samples), 160);
/// assert_eq!(samples, [0.0; 160]);
/// ```
#[derive(Clone, Debug)]
pub struct Encoder {
    codec: Codec,
}

impl Encoder {
    /// Makes an encoder that has said nothing yet.
    #[must_use]
    pub const fn new(codec: Codec) -> Self {
        Self { codec }
    }

    /// Encodes the samples that follow those before; returns the bytes written.
    pub fn encode_into(&mut self, samples: &[f32], out: &mut [u8]) -> usize {
        self.codec.encode_into(samples, out)
    }

    /// Which codec it encodes.
    #[must_use]
    pub const fn codec(&self) -> Codec {
        self.codec
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_whatever_their_case() {
        assert_eq!(Codec::from_name("pcmu"), Some(Codec::Pcmu));
        assert_eq!(Codec::from_name("PCMA"), Some(Codec::Pcma));
        assert_eq!(Codec::from_name("opus"), None);
    }

    #[test]
    fn the_silence_byte_is_the_quietest() {
        for codec in [Codec::Pcmu, Codec::Pcma] {
            let mut out = [1.0];
            codec.decode_into(&[codec.silence_byte()], &mut out);
            assert!(out[0].abs() <= 8.0 / 32_768.0, "{codec:?}");
        }
    }

    #[test]
    fn a_short_output_takes_what_fits() {
        let mut samples = [0.0; 3];
        assert_eq!(Codec::Pcma.decode_into(&[0; 10], &mut samples), 3);
        let mut bytes = [0; 10];
        assert_eq!(Codec::Pcmu.encode_into(&samples, &mut bytes), 3);
    }

    #[test]
    fn decoder_and_encoder_are_their_codec() {
        let samples: Vec<f32> = (0..160).map(|n| (n as f32 * 0.1).sin() * 0.5).collect();
        for codec in [Codec::Pcmu, Codec::Pcma] {
            let mut payload = [0; 160];
            let mut back = [0.0; 160];
            assert_eq!(Encoder::new(codec).encode_into(&samples, &mut payload), 160);
            assert_eq!(Decoder::new(codec).decode_into(&payload, &mut back), 160);
            let error: f32 = samples.iter().zip(&back).map(|(a, b)| (a - b).powi(2)).sum();
            let power: f32 = samples.iter().map(|a| a * a).sum();
            assert!(10.0 * (power / error).log10() > 34.0, "{codec:?} is too noisy");
        }
    }
}
