//! Codecs: payload bytes of RTP to samples and back.
//!
//! Names and static payload types are those of RFC 3551 §6, Opus is RFC 7587's. A [`Codec`] says
//! which one; a [`Decoder`] or [`Encoder`] is one leg's own and keeps what the codec remembers.
//! G.711 alone remembers nothing, and [`g711`] may be used as it is. Absent: comfort noise, which
//! is no codec (see [`crate::comfort`]).

pub mod g711;
mod g722;
mod opus;
#[cfg(test)]
mod tests;

pub(crate) use opus::STEP_SAMPLES as OPUS_STEP_SAMPLES;

use crate::SampleRate;

/// Which codec a payload is in.
///
/// # Examples
/// ```
/// use cordboard_audio::Codec;
///
/// assert_eq!(Codec::from_name("opus"), Some(Codec::Opus));
/// assert_eq!((Codec::Opus.clock_hz(), Codec::Opus.rate().hz()), (48_000, 16_000));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Codec {
    /// G.711 μ-law, 8 kHz.
    Pcmu,
    /// G.711 A-law, 8 kHz.
    Pcma,
    /// G.722 at 64 kbit/s, 16 kHz.
    G722,
    /// Opus, mono, 16 kHz here.
    Opus,
}

impl Codec {
    /// All there are.
    pub const ALL: [Self; 4] = [Self::Pcmu, Self::Pcma, Self::G722, Self::Opus];

    /// The codec with this encoding name, whatever its case (RFC 4855 §3: names ignore case).
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|codec| codec.name().eq_ignore_ascii_case(name))
    }

    /// Encoding name, as an `a=rtpmap` line writes it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pcmu => "PCMU",
            Self::Pcma => "PCMA",
            Self::G722 => "G722",
            Self::Opus => "opus",
        }
    }

    /// Rate of the decoded samples, and of those that are encoded.
    #[must_use]
    pub const fn rate(self) -> SampleRate {
        match self {
            Self::Pcmu | Self::Pcma => SampleRate::NARROW,
            Self::G722 | Self::Opus => SampleRate::WIDE,
        }
    }

    /// Rate of the RTP timestamp, Hz: G.722's is not that of its samples (RFC 3551 §4.5.2), nor is
    /// that of Opus (RFC 7587 §4.1).
    #[must_use]
    pub const fn clock_hz(self) -> u32 {
        match self {
            Self::Pcmu | Self::Pcma | Self::G722 => 8_000,
            Self::Opus => 48_000,
        }
    }

    /// Ticks of the RTP clock that a payload lasts; 0 where it is none of this codec.
    #[must_use]
    pub fn ticks_of(self, payload: &[u8]) -> usize {
        match self {
            Self::Pcmu | Self::Pcma | Self::G722 => payload.len(),
            Self::Opus => opus::samples_of(payload) * opus::TICKS_PER_SAMPLE,
        }
    }

    /// Samples that last so many ticks.
    #[must_use]
    pub const fn samples_in(self, ticks: usize) -> usize {
        ticks * self.rate().hz() as usize / self.clock_hz() as usize
    }

    /// Ticks that so many samples last.
    #[must_use]
    pub const fn ticks_in(self, samples: usize) -> usize {
        samples * self.clock_hz() as usize / self.rate().hz() as usize
    }

    /// Longest payload that is believed, bytes: 60 ms, of Opus the longest frame (RFC 6716 §3.2.1).
    #[must_use]
    pub const fn payload_bytes_max(self) -> usize {
        match self {
            Self::Pcmu | Self::Pcma | Self::G722 => 480,
            Self::Opus => 1_275,
        }
    }

    /// What 20 ms of it most often take, in bytes; Opus at the bitrates of speech.
    #[must_use]
    pub const fn payload_bytes_usual(self) -> usize {
        match self {
            Self::Pcmu | Self::Pcma | Self::G722 => 160,
            Self::Opus => 256,
        }
    }

    /// Whether this payload says that the sender is silent from here on, so that what does not
    /// come is not lost (Opus's DTX).
    #[must_use]
    pub const fn is_silent(self, payload: &[u8]) -> bool {
        matches!(self, Self::Opus) && opus::is_silent(payload)
    }
}

/// One leg's decoder.
///
/// # Real-time
/// Allocates when made, never after.
#[derive(Debug)]
pub struct Decoder {
    codec: Codec,
    memory: DecoderMemory,
}

#[derive(Debug)]
enum DecoderMemory {
    None,
    G722(Box<g722::Decoding>),
    Opus(opus::Decoding),
}

impl Decoder {
    /// Makes a decoder that has heard nothing yet.
    #[must_use]
    pub fn new(codec: Codec) -> Self {
        let memory = match codec {
            Codec::Pcmu | Codec::Pcma => DecoderMemory::None,
            Codec::G722 => DecoderMemory::G722(Box::new(g722::Decoding::new())),
            Codec::Opus => DecoderMemory::Opus(opus::Decoding::new()),
        };
        Self { codec, memory }
    }

    /// Decodes the payload that follows the one before; returns the samples written.
    pub fn decode_into(&mut self, payload: &[u8], out: &mut [f32]) -> usize {
        match (&mut self.memory, self.codec) {
            (DecoderMemory::G722(memory), _) => memory.decode_into(payload, out),
            (DecoderMemory::Opus(memory), _) => memory.decode_into(payload, out),
            (DecoderMemory::None, Codec::Pcma) => g711::decode_alaw_into(payload, out),
            (DecoderMemory::None, _) => g711::decode_ulaw_into(payload, out),
        }
    }

    /// Whether the codec makes up itself what is lost; else a [`crate::Concealer`] does.
    #[must_use]
    pub const fn conceals(&self) -> bool {
        matches!(self.memory, DecoderMemory::Opus(_))
    }

    /// Makes up what is lost, of the packet after it where that is there (in-band FEC), or of
    /// what was before. `out` is a whole number of 2.5 ms. Returns the samples written; 0 where
    /// the codec does not conceal.
    pub fn conceal_into(&mut self, successor: Option<&[u8]>, out: &mut [f32]) -> usize {
        match &mut self.memory {
            DecoderMemory::Opus(memory) => memory.conceal_into(successor, out),
            DecoderMemory::None | DecoderMemory::G722(_) => 0,
        }
    }

    /// Forgets what it has heard.
    pub fn reset(&mut self) {
        match &mut self.memory {
            DecoderMemory::None => {}
            DecoderMemory::G722(memory) => **memory = g722::Decoding::new(),
            DecoderMemory::Opus(memory) => memory.reset(),
        }
    }

    /// Which codec it decodes.
    #[must_use]
    pub const fn codec(&self) -> Codec {
        self.codec
    }
}

/// One leg's encoder.
///
/// # Real-time
/// Allocates when made, never after.
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
#[derive(Debug)]
pub struct Encoder {
    codec: Codec,
    memory: EncoderMemory,
}

#[derive(Debug)]
enum EncoderMemory {
    None,
    G722(Box<g722::Encoding>),
    Opus(opus::Encoding),
}

impl Encoder {
    /// Makes an encoder that has said nothing yet.
    #[must_use]
    pub fn new(codec: Codec) -> Self {
        let memory = match codec {
            Codec::Pcmu | Codec::Pcma => EncoderMemory::None,
            Codec::G722 => EncoderMemory::G722(Box::new(g722::Encoding::new())),
            Codec::Opus => EncoderMemory::Opus(opus::Encoding::new()),
        };
        Self { codec, memory }
    }

    /// Encodes the samples that follow those before, of Opus one frame of 20 ms; returns the bytes
    /// written.
    pub fn encode_into(&mut self, samples: &[f32], out: &mut [u8]) -> usize {
        match (&mut self.memory, self.codec) {
            (EncoderMemory::G722(memory), _) => memory.encode_into(samples, out),
            (EncoderMemory::Opus(memory), _) => memory.encode_into(samples, out),
            (EncoderMemory::None, Codec::Pcma) => g711::encode_alaw_into(samples, out),
            (EncoderMemory::None, _) => g711::encode_ulaw_into(samples, out),
        }
    }

    /// Says how many of the packets the far end loses, percent, as RTCP reports it: the more, the
    /// more of each frame is repeated in the next. Of use to Opus alone.
    pub fn set_expected_loss(&mut self, percent: u8) {
        if let EncoderMemory::Opus(memory) = &mut self.memory {
            memory.set_expected_loss(percent);
        }
    }

    /// Which codec it encodes.
    #[must_use]
    pub const fn codec(&self) -> Codec {
        self.codec
    }
}
