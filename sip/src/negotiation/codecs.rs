//! The codecs of a negotiation: names, clocks, payload types, and which of them were agreed on.

use std::fmt::Write;

use crate::sdp::Section;

/// Payload type that we offer keys at 8 kHz on.
pub const TELEPHONE_EVENT: u8 = 101;
/// Payload type that we offer keys at the clock of Opus on (RFC 4733 §2.1 wants that of the sound).
pub(super) const TELEPHONE_EVENT_WIDE: u8 = 110;
/// Static payload type of comfort noise (RFC 3389 §4).
pub(super) const COMFORT_NOISE: u8 = 13;
/// What we say of Opus: we decode at 16 kHz, mono, and like FEC and DTX (RFC 7587 §6.1).
const OPUS_PARAMETERS: &str =
    "maxplaybackrate=16000;sprop-maxcapturerate=16000;useinbandfec=1;usedtx=1";

/// The codecs that a leg may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AudioCodec {
    /// G.711 μ-law.
    Pcmu,
    /// G.711 A-law.
    Pcma,
    /// G.722 at 64 kbit/s.
    G722,
    /// Opus (RFC 7587).
    Opus,
}

impl AudioCodec {
    /// All, in the order in which we offer them where nothing else is configured.
    pub const ALL: [Self; 4] = [Self::Opus, Self::G722, Self::Pcmu, Self::Pcma];

    /// Encoding name (RFC 3551 §6, RFC 7587 §7).
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Pcmu => "PCMU",
            Self::Pcma => "PCMA",
            Self::G722 => "G722",
            Self::Opus => "opus",
        }
    }

    /// The codec of this name, whatever its case (RFC 4855 §3).
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.name().eq_ignore_ascii_case(name))
    }

    /// Static payload type (RFC 3551 §6); of Opus the one that we offer.
    #[must_use]
    pub fn payload_type(self) -> u8 {
        match self {
            Self::Pcmu => 0,
            Self::Pcma => 8,
            Self::G722 => 9,
            Self::Opus => 111,
        }
    }

    /// RTP clock, Hz. G.722 has 8000 though it is sampled at twice that (RFC 3551 §4.5.2).
    #[must_use]
    pub fn clock_hz(self) -> u32 {
        match self {
            Self::Pcmu | Self::Pcma | Self::G722 => 8_000,
            Self::Opus => 48_000,
        }
    }

    /// The byte that sounds like nothing; of codecs that remember, there is none.
    #[must_use]
    pub fn silence(self) -> Option<u8> {
        match self {
            Self::Pcmu => Some(0xff),
            Self::Pcma => Some(0xd5),
            Self::G722 | Self::Opus => None,
        }
    }

    /// Ticks of the RTP clock in a packet of one frame, where a packet is always one frame of
    /// 20 ms; `None` where a byte is a tick and packets may have any length.
    #[must_use]
    pub fn frame_ticks(self) -> Option<u32> {
        matches!(self, Self::Opus).then_some(960)
    }

    /// Whether its sender may say in comfort noise that it is silent; Opus says it itself.
    fn has_comfort_noise(self) -> bool {
        self != Self::Opus
    }
}

/// Which codec comes on which payload type.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PayloadTypes([Option<u8>; 4]);

impl PayloadTypes {
    /// The codec of a payload type.
    #[must_use]
    pub fn codec(&self, payload_type: u8) -> Option<AudioCodec> {
        let place = self.0.iter().position(|it| *it == Some(payload_type))?;
        AudioCodec::ALL.get(place).copied()
    }

    /// The payload type of a codec.
    #[must_use]
    pub fn of(&self, codec: AudioCodec) -> Option<u8> {
        AudioCodec::ALL.iter().position(|it| *it == codec).and_then(|place| self.0[place])
    }

    /// Those of a section, of the codecs that we may have.
    fn read(section: &Section<'_>, allowed: &[AudioCodec]) -> Self {
        let mut types = Self::default();
        for (place, codec) in AudioCodec::ALL.iter().enumerate() {
            if allowed.contains(codec) {
                types.0[place] = section.formats.iter().find_map(|it| named(section, it, *codec));
            }
        }
        types
    }

    /// These, and for codecs that are not among them those of another.
    pub(super) fn or(self, other: Self) -> Self {
        let taken = |payload_type: &u8| self.codec(*payload_type).is_some();
        Self(std::array::from_fn(|n| self.0[n].or_else(|| other.0[n].filter(|it| !taken(it)))))
    }

    /// Says on which payload type a codec comes.
    pub(super) fn set(&mut self, codec: AudioCodec, payload_type: u8) {
        if let Some(place) = AudioCodec::ALL.iter().position(|it| *it == codec) {
            self.0[place] = Some(payload_type);
        }
    }
}

/// What an audio section has of codecs, read from our side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Matched {
    pub(super) codec: AudioCodec,
    pub(super) payload_type: u8,
    /// All that it names and we may have.
    pub(super) types: PayloadTypes,
    /// Keys: payload type and clock.
    pub(super) keys: Option<(u8, u32)>,
    pub(super) comfort_noise: Option<u8>,
}

/// Finds what we may speak of a section, in its own order (RFC 3264 §6.1).
pub(super) fn matched(section: &Section<'_>, allowed: &[AudioCodec]) -> Option<Matched> {
    let (codec, payload_type) = section.formats.iter().find_map(|format| {
        allowed.iter().find_map(|codec| named(section, format, *codec).map(|pt| (*codec, pt)))
    })?;
    let other = |name: &str, hz: u32| {
        section.formats.iter().find_map(|format| {
            let found = section.encoding(format).filter(|it| it.rate_hz == hz)?;
            found.name.eq_ignore_ascii_case(name).then_some(found.payload_type)
        })
    };
    // Keys at the clock of the sound; telephones that know only that of old are listened to too.
    let keys = [codec.clock_hz(), 8_000]
        .into_iter()
        .find_map(|hz| other("telephone-event", hz).map(|payload_type| (payload_type, hz)));
    let comfort_noise = other("CN", 8_000).filter(|_| codec.has_comfort_noise());
    let types = PayloadTypes::read(section, allowed);
    Some(Matched { codec, payload_type, types, keys, comfort_noise })
}

fn named(section: &Section<'_>, format: &str, codec: AudioCodec) -> Option<u8> {
    let found = section.encoding(format).filter(|it| it.rate_hz == codec.clock_hz())?;
    found.name.eq_ignore_ascii_case(codec.name()).then_some(found.payload_type)
}

/// What our section says of codecs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Formats {
    /// Codecs with their payload types, the dearest first.
    pub(super) codecs: Vec<(AudioCodec, u8)>,
    pub(super) comfort_noise: Option<u8>,
    /// Keys: payload types and clocks.
    pub(super) keys: Vec<(u8, u32)>,
}

impl Formats {
    /// The payload types, as they stand in the `m=` line.
    pub(super) fn write_types(&self, body: &mut String) -> std::fmt::Result {
        let codecs = self.codecs.iter().map(|(_, payload_type)| *payload_type);
        let keys = self.keys.iter().map(|(payload_type, _)| *payload_type);
        for payload_type in codecs.chain(self.comfort_noise).chain(keys) {
            write!(body, " {payload_type}")?;
        }
        Ok(())
    }

    /// The lines that say what they are.
    pub(super) fn write_lines(&self, body: &mut String) -> std::fmt::Result {
        for (codec, payload_type) in &self.codecs {
            let (name, hz) = (codec.name(), codec.clock_hz());
            if *codec == AudioCodec::Opus {
                write!(body, "a=rtpmap:{payload_type} {name}/{hz}/2\r\n")?;
                write!(body, "a=fmtp:{payload_type} {OPUS_PARAMETERS}\r\n")?;
            } else {
                write!(body, "a=rtpmap:{payload_type} {name}/{hz}\r\n")?;
            }
        }
        if let Some(payload_type) = self.comfort_noise {
            write!(body, "a=rtpmap:{payload_type} CN/8000\r\n")?;
        }
        for (payload_type, hz) in &self.keys {
            write!(body, "a=rtpmap:{payload_type} telephone-event/{hz}\r\n")?;
            write!(body, "a=fmtp:{payload_type} 0-15\r\n")?;
        }
        Ok(())
    }
}
