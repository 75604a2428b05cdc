//! Offer and answer for one audio stream (RFC 3264): what we write, and what comes of both.
//!
//! The codecs that are configured, with RFC 4733 keys and comfort noise beside them. Every other
//! section of an offer is refused with port 0 in its place. Secure profiles (SAVP) are taken as the
//! policy says ([`without_keys`] makes a description fit to be shown). Names in `c=` lines are not
//! resolved: a telephone that means it writes an address.

mod codecs;
mod crypto;

use std::fmt::Write;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

pub use self::codecs::{AudioCodec, PayloadTypes, TELEPHONE_EVENT};
use self::codecs::{COMFORT_NOISE, Formats, TELEPHONE_EVENT_WIDE, matched};
use self::crypto::Crypto;
pub use self::crypto::without_keys;
pub use crate::sdp::Direction;
use crate::sdp::{Description, SdpError, Section};
use crate::srtp::{Keys, SrtpPolicy};

/// Packet time taken where nothing usable is asked for.
pub const DEFAULT_PTIME_MS: u8 = 20;

/// What both sides agreed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Negotiated {
    /// Where the peer wants its packets; not where they will come from (see [`crate::latch`]).
    pub remote: SocketAddr,
    /// Codec that we send with.
    pub codec: AudioCodec,
    /// Its payload type, as the peer has it.
    pub payload_type: u8,
    /// What the peer may send, on which payload types: those of our offer where we offered.
    pub received: PayloadTypes,
    /// Payload type of comfort noise (RFC 3389), where the peer may send it.
    pub comfort_noise: Option<u8>,
    /// Payload type for keys that we send; `None` where the peer takes none.
    pub telephone_event: Option<u8>,
    /// Payload type of keys that we are sent; differs where the answer renumbered our offer.
    pub telephone_event_received: Option<u8>,
    /// Clock of the keys, both ways, Hz.
    pub telephone_event_hz: u32,
    /// Packet time that we send with, 10 to 60, a multiple of 10.
    pub ptime_ms: u8,
    /// What *we* do: `RecvOnly` while the peer holds us and plays music.
    pub direction: Direction,
    /// Where the peer wants its RTCP (RFC 3605): the port above RTP's where it says nothing.
    pub rtcp: SocketAddr,
    /// Whether RTCP goes with the RTP both ways (RFC 5761).
    pub rtcp_mux: bool,
}

impl Negotiated {
    /// Whether the peer has put us on hold: it does not listen to us.
    #[must_use]
    pub fn is_held(&self) -> bool {
        !self.direction.sends()
    }

    /// Whether media is said to be on this very machine although signalling came from elsewhere:
    /// a description that wants us to talk to ourselves.
    #[must_use]
    pub fn loops_back(&self, signalled_from: IpAddr) -> bool {
        self.remote.ip().is_loopback() && !signalled_from.is_loopback()
    }
}

/// Why there is no agreement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The description could not be read.
    #[error(transparent)]
    PeerMisbehaved(#[from] SdpError),
    /// There is no audio section that is not switched off.
    #[error("unsupported: no audio in the session description")]
    NoAudio,
    /// Audio only over a profile that we do not speak.
    #[error("unsupported: audio only over a secure or unknown profile")]
    Profile,
    /// The offer is plain where only secured media is taken.
    #[error("unsupported: only secured media (RTP/SAVP) is taken on this trunk")]
    Plain,
    /// Keys over signalling that anybody on the way can read.
    #[error("unsupported: srtp keys need tls signalling, use sips: or transport=tls")]
    KeysInTheClear,
    /// No cipher in common.
    #[error("unsupported: no srtp suite in common")]
    NoCommonSuite,
    /// Keys beside a plain profile, ciphers that encrypt nothing, or a secured call made plain.
    #[error("peer misbehaved: downgrade of secured media")]
    Downgrade,
    /// None of the codecs that are configured.
    #[error("unsupported: no codec in common")]
    NoCommonCodec,
    /// No usable unicast address.
    #[error("peer misbehaved: no unicast media address")]
    Address,
    /// An answer whose sections are not those of the offer.
    #[error("peer misbehaved: answer has {got} media sections, offer had {expected}")]
    SectionsDiffer {
        /// Sections that we offered.
        expected: usize,
        /// Sections answered.
        got: usize,
    },
    /// An answer without an offer.
    #[error("api misuse: answer without an offer")]
    NothingOffered,
}

impl Refusal {
    /// The SIP status that says so (RFC 3261 §21.4.26).
    #[must_use]
    pub fn status(self) -> u16 {
        match self {
            Self::PeerMisbehaved(SdpError::TooLarge { .. }) => 413,
            Self::PeerMisbehaved(SdpError::Malformed { .. }) => 400,
            Self::NothingOffered => 500,
            Self::NoAudio
            | Self::Profile
            | Self::Plain
            | Self::KeysInTheClear
            | Self::NoCommonSuite
            | Self::Downgrade
            | Self::NoCommonCodec
            | Self::Address
            | Self::SectionsDiffer { .. } => 488,
        }
    }
}

/// A body, which may hold keys: not shown.
#[derive(Clone, PartialEq, Eq)]
struct Body(String);

impl std::fmt::Debug for Body {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&without_keys(&self.0))
    }
}

/// One section of what was last written, so that the next one keeps its place (RFC 3264 §8).
#[derive(Clone, Debug, PartialEq, Eq)]
enum Slot {
    /// Ours.
    Audio { protocol: String },
    /// Refused: kind, profile, first format.
    Refused { kind: String, protocol: String, format: String },
}

/// What our audio section says.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Ours {
    direction: Direction,
    formats: Formats,
    ptime_ms: u8,
    rtcp_mux: bool,
}

/// The offers and answers of one call.
///
/// ```
/// use cordboard_sip::negotiation::{AudioCodec, Negotiation};
/// let mut caller = Negotiation::new("192.0.2.1:4000".parse()?, 1);
/// let mut callee = Negotiation::new("192.0.2.2:5000".parse()?, 2);
/// let (agreed, answer) = callee.answer(&caller.offer())?;
/// assert_eq!(agreed.codec, AudioCodec::Opus);
/// assert_eq!(caller.accept_answer(&answer)?.remote, "192.0.2.2:5000".parse()?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Negotiation {
    local: SocketAddr,
    session_id: u64,
    version: u64,
    wanted: Direction,
    /// What we may speak, the dearest first.
    codecs: Vec<AudioCodec>,
    slots: Vec<Slot>,
    offered: Option<Ours>,
    /// What was last written: the offer that is or was open, or our answer.
    last: Option<Ours>,
    written: Option<Body>,
    agreed: Option<Negotiated>,
    crypto: Crypto,
}

impl Negotiation {
    /// Begins for the RTP address that we receive on. `session_id` is any number; it stays.
    #[must_use]
    pub fn new(local: SocketAddr, session_id: u64) -> Self {
        Self {
            local,
            session_id,
            version: session_id,
            wanted: Direction::SendRecv,
            codecs: AudioCodec::ALL.to_vec(),
            slots: Vec::new(),
            offered: None,
            last: None,
            written: None,
            agreed: None,
            crypto: Crypto::new(SrtpPolicy::None, false, [0; 32]),
        }
    }

    /// Secures the media as the trunk's policy says. `secure_signalling`: whether nobody on the
    /// way reads the descriptions, so that keys may stand in them. All keys come from `seed`,
    /// which must be random and used once.
    #[must_use]
    pub fn secured(self, policy: SrtpPolicy, secure_signalling: bool, seed: [u8; 32]) -> Self {
        Self { crypto: Crypto::new(policy, secure_signalling, seed), ..self }
    }

    /// The keys agreed on; none where media is plain.
    #[must_use]
    pub fn keys(&self) -> Option<Keys> {
        self.crypto.agreed()
    }

    /// Whether an offer may be written to this peer.
    ///
    /// # Errors
    /// [`Refusal::KeysInTheClear`] where only secured media will do and signalling is open.
    pub fn may_offer(&self) -> Result<(), Refusal> {
        self.crypto.may_offer()
    }

    /// Offers plain media from now on, unless the policy is to require keys: the peer refused
    /// (488) a secured offer.
    pub fn offer_plain(&mut self) {
        self.crypto.offer_plain();
    }

    /// Speaks these codecs alone, and offers them in this order. An offer of the peer's is answered
    /// in the peer's order (RFC 3264 §6.1).
    #[must_use]
    pub fn with_codecs(mut self, codecs: &[AudioCodec]) -> Self {
        self.codecs = codecs.to_vec();
        self
    }

    /// Answers an offer, first or later.
    ///
    /// # Errors
    /// [`Refusal`]; nothing has changed then, and [`Refusal::status`] is the answer.
    pub fn answer(&mut self, offer: &str) -> Result<(Negotiated, String), Refusal> {
        let description = Description::parse(offer)?;
        let judge = |it: &Section<'_>| self.crypto.judge(it);
        let (index, secured, matched) = first_usable(&description, &self.codecs, judge)?;
        self.crypto.answer(secured);
        let agreed = Negotiated { direction: matched.direction.and(self.wanted), ..matched };
        self.slots = slots(&description, index);
        let ours = Ours {
            direction: agreed.direction,
            formats: Formats {
                codecs: vec![(agreed.codec, agreed.payload_type)],
                comfort_noise: agreed.comfort_noise,
                keys: agreed
                    .telephone_event
                    .map(|payload_type| (payload_type, agreed.telephone_event_hz))
                    .into_iter()
                    .collect(),
            },
            ptime_ms: agreed.ptime_ms,
            rtcp_mux: agreed.rtcp_mux,
        };
        self.offered = None;
        self.agreed = Some(agreed);
        Ok((agreed, self.write(&ours)))
    }

    /// Writes an offer: to dial with, for an INVITE that brought none, or to change a session.
    pub fn offer(&mut self) -> String {
        let profile = self.crypto.offer();
        if self.slots.is_empty() || self.agreed.is_none() {
            self.slots = vec![Slot::Audio { protocol: profile.to_owned() }];
        }
        let ours = Ours {
            direction: self.wanted,
            formats: self.offered_formats(),
            ptime_ms: self.agreed.map_or(DEFAULT_PTIME_MS, |it| it.ptime_ms),
            rtcp_mux: self.agreed.is_none_or(|it| it.rtcp_mux),
        };
        let text = self.write(&ours);
        self.offered = Some(ours);
        text
    }

    /// Writes an offer that holds the peer (`SendOnly`, `Inactive`) or takes it back (`SendRecv`).
    pub fn offer_with(&mut self, direction: Direction) -> String {
        self.wanted = direction;
        self.offer()
    }

    /// Notes that our last description, offer or answer, was offered once more as it stands: a
    /// session timer's re-INVITE. An offer that is open stays the one to be answered.
    pub fn offered_again(&mut self) {
        if self.offered.is_none() {
            self.offered.clone_from(&self.last);
        }
    }

    /// Takes the answer to our last offer.
    ///
    /// # Errors
    /// [`Refusal`]; the offer stays open then.
    pub fn accept_answer(&mut self, answer: &str) -> Result<Negotiated, Refusal> {
        let offered = self.offered.as_ref().ok_or(Refusal::NothingOffered)?;
        let description = Description::parse(answer)?;
        let (expected, got) = (self.slots.len(), description.sections.len());
        if got != expected {
            return Err(Refusal::SectionsDiffer { expected, got });
        }
        let judge = |it: &Section<'_>| self.crypto.judge_answer(it);
        let (index, secured, matched) = first_usable(&description, &self.codecs, judge)?;
        if !matches!(self.slots.get(index), Some(Slot::Audio { .. })) {
            return Err(Refusal::NoAudio);
        }
        self.crypto.settle(secured);
        let keys = offered.formats.keys.iter().find(|(_, hz)| *hz == matched.telephone_event_hz);
        let mut offered_types = PayloadTypes::default();
        for (codec, payload_type) in &offered.formats.codecs {
            offered_types.set(*codec, *payload_type);
        }
        let agreed = Negotiated {
            rtcp_mux: matched.rtcp_mux && offered.rtcp_mux,
            direction: matched.direction.and(offered.direction),
            received: offered_types.or(matched.received),
            comfort_noise: matched.comfort_noise.and(offered.formats.comfort_noise),
            telephone_event_received: matched.telephone_event.zip(keys).map(|(_, key)| key.0),
            ..matched
        };
        self.offered = None;
        self.agreed = Some(agreed);
        Ok(agreed)
    }

    /// What holds at present.
    #[must_use]
    pub fn agreed(&self) -> Option<Negotiated> {
        self.agreed
    }

    /// What an offer says; keeps the numbers that were once given (RFC 3264 §8.3.2).
    fn offered_formats(&self) -> Formats {
        let agreed = self.agreed;
        let number = |codec: AudioCodec| {
            let given = agreed.and_then(|it| it.received.of(codec));
            (codec, given.unwrap_or_else(|| codec.payload_type()))
        };
        let codecs: Vec<_> = self.codecs.iter().map(|codec| number(*codec)).collect();
        let mut taken: Vec<u8> = codecs.iter().map(|(_, payload_type)| *payload_type).collect();
        let mut keys = Vec::new();
        let mut clocks: Vec<u32> = codecs.iter().map(|(codec, _)| codec.clock_hz()).collect();
        clocks.dedup();
        // The clock that has its number already goes first: the other makes way.
        clocks.sort_by_key(|hz| agreed.is_none_or(|it| it.telephone_event_hz != *hz));
        clocks.dedup();
        for hz in clocks {
            let given = agreed.filter(|it| it.telephone_event_hz == hz);
            let usual = if hz == 8_000 { TELEPHONE_EVENT } else { TELEPHONE_EVENT_WIDE };
            let wanted = given.and_then(|it| it.telephone_event_received).unwrap_or(usual);
            let free = std::iter::once(wanted).chain(96..=127).find(|it| !taken.contains(it));
            if let Some(payload_type) = free {
                taken.push(payload_type);
                keys.push((payload_type, hz));
            }
        }
        let narrow = self.codecs.iter().any(|codec| *codec != AudioCodec::Opus);
        Formats { codecs, comfort_noise: narrow.then_some(COMFORT_NOISE), keys }
    }

    /// Writes a description; the version goes up where it differs from the last (RFC 3264 §8).
    fn write(&mut self, ours: &Ours) -> String {
        let body = self.body(ours);
        match &self.written {
            Some(last) if last.0 != body => self.version = self.version.wrapping_add(1),
            _ => {}
        }
        let (family, ip) = (family(self.local.ip()), self.local.ip());
        let head = format!("v=0\r\no=- {} {} IN {family} {ip}\r\n", self.session_id, self.version);
        let text = format!("{head}s=-\r\nc=IN {family} {ip}\r\nt=0 0\r\n{body}");
        self.written = Some(Body(body));
        self.last = Some(ours.clone());
        text
    }

    fn body(&self, ours: &Ours) -> String {
        let mut body = String::with_capacity(256);
        for slot in &self.slots {
            // Writing to a String cannot go wrong.
            let _ = match slot {
                Slot::Audio { protocol } => self.audio(&mut body, protocol, ours),
                Slot::Refused { kind, protocol, format } => {
                    write!(body, "m={kind} 0 {protocol} {format}\r\n")
                }
            };
        }
        body
    }

    fn audio(&self, body: &mut String, protocol: &str, ours: &Ours) -> std::fmt::Result {
        write!(body, "m=audio {} {protocol}", self.local.port())?;
        ours.formats.write_types(body)?;
        body.push_str("\r\n");
        ours.formats.write_lines(body)?;
        self.crypto.write(body)?;
        if ours.rtcp_mux {
            body.push_str("a=rtcp-mux\r\n");
        }
        write!(body, "a=ptime:{}\r\na={}\r\n", ours.ptime_ms, ours.direction.name())
    }
}

/// The first audio section that we can serve, secured ones before plain ones, read from our side;
/// else the best reason why not.
fn first_usable<T>(
    description: &Description<'_>,
    codecs: &[AudioCodec],
    judge: impl Fn(&Section<'_>) -> Result<T, Refusal>,
) -> Result<(usize, T, Negotiated), Refusal> {
    let mut reason = Refusal::NoAudio;
    let live = |(_, it): &(usize, &Section<'_>)| it.kind == "audio" && it.port != 0;
    let sections = || description.sections.iter().enumerate().filter(live);
    let secured = sections().filter(|(_, it)| Crypto::prefers(it));
    for (index, section) in secured.chain(sections().filter(|(_, it)| !Crypto::prefers(it))) {
        match judge(section).and_then(|judged| Ok((judged, usable(section, codecs)?))) {
            Ok((judged, agreed)) => return Ok((index, judged, agreed)),
            Err(Refusal::Downgrade) => return Err(Refusal::Downgrade),
            Err(found) if reason == Refusal::NoAudio => reason = found,
            Err(_) => {}
        }
    }
    Err(reason)
}

fn usable(section: &Section<'_>, codecs: &[AudioCodec]) -> Result<Negotiated, Refusal> {
    let found = matched(section, codecs).ok_or(Refusal::NoCommonCodec)?;
    let (telephone_event, telephone_event_hz) = match found.keys {
        Some((payload_type, hz)) => (Some(payload_type), hz),
        None => (None, found.codec.clock_hz()),
    };
    let ip = section.address.ok_or(Refusal::Address)?;
    if !is_unicast(ip) {
        return Err(Refusal::Address);
    }
    // The old way to hold (RFC 2543, RFC 3264 §8.4): nowhere to send to.
    let here = Direction::of(!ip.is_unspecified(), true);
    Ok(Negotiated {
        remote: SocketAddr::new(ip, section.port),
        codec: found.codec,
        payload_type: found.payload_type,
        received: found.types,
        comfort_noise: found.comfort_noise,
        telephone_event,
        telephone_event_received: telephone_event,
        telephone_event_hz,
        ptime_ms: ptime(section),
        direction: section.direction.mirrored().and(here),
        rtcp: rtcp(section, ip),
        rtcp_mux: section.rtcp_mux,
    })
}

/// Rejects what packets must never be sent to on a stranger's word: groups, everyone, link-local
/// addresses (cloud metadata services live there).
fn is_unicast(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => !ip.is_multicast() && ip != Ipv4Addr::BROADCAST && !ip.is_link_local(),
        IpAddr::V6(ip) => !ip.is_multicast(),
    }
}

/// A third party's address is not believed: reports are small, but so is a bomb's fuse.
fn rtcp(section: &Section<'_>, ip: IpAddr) -> SocketAddr {
    let above = section.port.checked_add(1).unwrap_or(section.port);
    let elsewhere = section.rtcp.filter(|(_, at)| at.is_none_or(|at| at == ip));
    SocketAddr::new(ip, elsewhere.map_or(above, |(port, _)| port))
}

fn ptime(section: &Section<'_>) -> u8 {
    let asked = section.ptime_ms.filter(|ms| (10..=60).contains(ms));
    let asked = asked.unwrap_or_else(|| u32::from(DEFAULT_PTIME_MS));
    let most = section.maxptime_ms.filter(|ms| *ms >= 10).unwrap_or(60);
    u8::try_from(asked.min(most) / 10 * 10).unwrap_or(DEFAULT_PTIME_MS)
}

fn slots(description: &Description<'_>, chosen: usize) -> Vec<Slot> {
    let slot = |(index, section): (usize, &Section<'_>)| {
        if index == chosen {
            return Slot::Audio { protocol: section.protocol.to_owned() };
        }
        Slot::Refused {
            kind: section.kind.to_owned(),
            protocol: section.protocol.to_owned(),
            format: section.formats.first().copied().unwrap_or("0").to_owned(),
        }
    };
    description.sections.iter().enumerate().map(slot).collect()
}

fn family(ip: IpAddr) -> &'static str {
    if ip.is_ipv4() { "IP4" } else { "IP6" }
}

#[cfg(test)]
mod tests;
