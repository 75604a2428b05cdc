//! A phone: signalling by the SIP endpoint, sound by RTP on a socket of its own.
//!
//! Its sockets ([`super::path`]) are read by the media worker that seats the call, once a tick;
//! nothing here waits.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use cordboard_audio::MediaTime;
use cordboard_audio::codec::Codec;
use cordboard_sip::dtmf::{Digit, Key, KeyReceiver};
use cordboard_sip::endpoint::{DialError, LegSignal, Line};
use cordboard_sip::latch::{Latch, Verdict};
use cordboard_sip::negotiation::{AudioCodec, Negotiated, Negotiation, Refusal};
use cordboard_sip::ports::{Ports, PortsError};
use cordboard_sip::rtp::Packet;
use cordboard_sip::sender::Sender;
use cordboard_sip::srtp::SrtpPolicy;

use super::path::{Path, Received};
use crate::call::{EncodedFrame, EndCause, LegCommand, LegEvent, MediaPacket, Network};
use crate::clock;

/// The most datagrams read in one tick: far above what any ptime sends, so that a flood on one
/// port costs the other calls no time.
const DATAGRAMS_A_TICK: u32 = 32;

/// Where media lives.
#[derive(Clone, Debug)]
pub(crate) struct MediaSettings {
    /// Where sockets are bound.
    pub(crate) bind: IpAddr,
    /// What session descriptions say.
    pub(crate) advertised: IpAddr,
    /// The ports.
    pub(crate) ports: Ports,
    /// What is spoken, the dearest first.
    pub(crate) codecs: Vec<AudioCodec>,
    /// Whether it is secured.
    pub(crate) srtp: SrtpPolicy,
    /// Whether keys may stand in session descriptions: signalling is TLS, or nobody minds.
    pub(crate) keys_may_travel: bool,
    /// Whether the system is asked when each datagram came: for whoever measures the far end.
    pub(crate) stamps: bool,
}

impl MediaSettings {
    /// The same for a trunk of its own policy, or a call whose signalling nobody can read.
    pub(crate) fn towards(&self, srtp: SrtpPolicy, secure_signalling: bool) -> Self {
        let keys_may_travel = self.keys_may_travel || secure_signalling;
        Self { srtp, keys_may_travel, ..self.clone() }
    }
}

/// Why a phone leg cannot be.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PhoneRefusal {
    /// No port is free.
    #[error(transparent)]
    Ports(#[from] PortsError),
    /// Nothing was agreed on.
    #[error(transparent)]
    Negotiation(#[from] Refusal),
    /// The address makes no sense, or is not allowed.
    #[error(transparent)]
    Dial(#[from] DialError),
}

impl PhoneRefusal {
    /// What was wrong, without whom it was about: for the log.
    pub(crate) const fn kind(&self) -> &'static str {
        match self {
            Self::Ports(_) => "no port of sip.rtp_ports is free",
            Self::Negotiation(_) => "nothing was agreed on",
            Self::Dial(DialError::NotAllowed { .. }) => "not among sip.destinations",
            Self::Dial(DialError::Number { .. }) => "no trunk may ring it",
            Self::Dial(DialError::Full { .. }) => "the trunk has no room",
            Self::Dial(_) => "the address makes no sense",
        }
    }
}

/// One phone.
#[derive(Debug)]
pub(crate) struct PhoneLeg {
    signalling: Line,
    negotiation: Negotiation,
    path: Path,
    seed: u64,
    agreed: Option<Negotiated>,
    /// Whether the call has been told that it is answered: later ACKs are those of changes.
    answered: bool,
    stream: Option<(Sender, Latch)>,
    keys: KeyReceiver,
    /// Body of our answer to the INVITE: an answer, or an offer where there was none.
    description: Option<Unshown>,
    /// Whether an offer of ours that was secured may be made again without keys.
    may_be_plain: bool,
    /// The far end reported, or we did.
    news: Option<Network>,
    /// Keys whose packet has been told and which are still to be told themselves: two where the
    /// end of one was lost and the next came whole in a packet.
    pressed: [Option<Digit>; 2],
    /// Whether a change of ours has crossed theirs.
    crossed: Crossed,
    /// Whether it was we who dialled.
    dialled: bool,
    /// Whether keys may come in the sound, where the call has yet to be told.
    keys_in_sound: Option<bool>,
    budget: u32,
    garbage: u64,
}

impl PhoneLeg {
    /// Takes an INVITE: answers its offer, or makes one where it has none.
    pub(crate) fn inbound(
        signalling: Line,
        offer: Option<&str>,
        media: &MediaSettings,
        seed: u64,
    ) -> Result<Self, (Line, PhoneRefusal)> {
        let mut leg = match Self::open(media, seed) {
            Ok(parts) => Self::assemble(signalling, parts, seed),
            Err(refusal) => return Err((signalling, refusal.into())),
        };
        let Some(offer) = offer else {
            if let Err(refusal) = leg.negotiation.may_offer() {
                return Err((leg.signalling, refusal.into()));
            }
            leg.description = Some(Unshown(leg.negotiation.offer()));
            return Ok(leg);
        };
        match leg.negotiation.answer(offer) {
            Ok((agreed, answer)) => {
                leg.description = Some(Unshown(answer));
                leg.agree(agreed);
                Ok(leg)
            }
            Err(refusal) => Err((leg.signalling, refusal.into())),
        }
    }

    /// Makes the media side of a call that is about to be placed; gives the offer to the dialler.
    /// `plain`: without keys, where the policy leaves it open.
    pub(crate) fn outbound(
        media: &MediaSettings,
        seed: u64,
        plain: bool,
        dial: impl FnOnce(String) -> Result<Line, DialError>,
    ) -> Result<Self, PhoneRefusal> {
        let mut parts = Self::open(media, seed)?;
        parts.1.may_offer()?;
        if plain {
            parts.1.offer_plain();
        }
        let offer = parts.1.offer();
        let may_be_plain = media.srtp == SrtpPolicy::Prefer && media.keys_may_travel && !plain;
        Ok(Self { may_be_plain, dialled: true, ..Self::assemble(dial(offer)?, parts, seed) })
    }

    /// Whether this signal refuses a secured offer that may be made again without keys.
    pub(crate) fn is_refused_for_keys(&self, signal: &LegSignal) -> bool {
        self.may_be_plain && matches!(signal, LegSignal::Refused { code: 488, .. })
    }

    fn open(media: &MediaSettings, seed: u64) -> Result<(Path, Negotiation), PortsError> {
        let path = Path::open(media)?;
        let local = SocketAddr::new(media.advertised, path.port());
        // RFC 8866 §5.2 wants digits that fit 63 bits.
        let negotiation = Negotiation::new(local, seed >> 16).with_codecs(&media.codecs);
        Ok((path, negotiation.secured(media.srtp, media.keys_may_travel, rand::random())))
    }

    fn assemble(signalling: Line, (path, negotiation): (Path, Negotiation), seed: u64) -> Self {
        Self {
            signalling,
            negotiation,
            path,
            seed,
            agreed: None,
            answered: false,
            stream: None,
            keys: KeyReceiver::default(),
            description: None,
            may_be_plain: false,
            news: None,
            pressed: [None; 2],
            crossed: Crossed::No,
            dialled: false,
            keys_in_sound: None,
            budget: 0,
            garbage: 0,
        }
    }

    /// The codec that we send with, once agreed.
    pub(crate) fn codec(&self) -> Option<Codec> {
        self.agreed.map(|agreed| codec(agreed.codec))
    }

    /// Datagrams that were not of this leg.
    pub(crate) fn garbage(&self) -> u64 {
        self.garbage + self.stream.as_ref().map_or(0, |(_, latch)| latch.garbage())
    }

    /// Where sound and reports of ours would go now: as agreed on, and where theirs come from.
    pub(crate) fn far_addresses(&self) -> impl Iterator<Item = SocketAddr> {
        let agreed = self.agreed.map(|agreed| [agreed.remote, agreed.rtcp]);
        agreed.into_iter().flatten().chain(self.peer())
    }

    /// Hangs up without a word to where the sound goes.
    pub(crate) fn leave(&self) {
        self.signalling.hang_up(None);
    }

    /// When the system took the last datagram in, wall time since 1970.
    pub(crate) const fn arrived(&self) -> Option<Duration> {
        self.path.arrived()
    }

    /// Lets 20 ms of sound be lost on the way: its number is used, and nothing sent.
    pub(crate) fn lose(&mut self, frame: &EncodedFrame) {
        if let Some((sender, _)) = self.stream.as_mut() {
            sender.push(&frame.payload[..frame.len], |_| {});
        }
    }

    /// Begins a tick's reading.
    pub(crate) fn refill(&mut self, now: MediaTime) {
        self.budget = DATAGRAMS_A_TICK;
        if let Some((_, latch)) = self.stream.as_mut() {
            latch.tick();
        }
        let peer = self.peer();
        if self.path.tick(now.since(MediaTime::ZERO), peer) {
            self.news = Some(self.network(false));
        }
        match self.crossed {
            Crossed::Now => self.crossed = Crossed::Until(now + pause(self.seed, self.dialled)),
            Crossed::Until(due) if now >= due => {
                self.offer_anew();
                self.crossed = Crossed::Twice;
            }
            Crossed::No | Crossed::Until(_) | Crossed::Twice => {}
        }
    }

    /// Where the far end's sound comes from and ours goes to.
    fn peer(&self) -> Option<SocketAddr> {
        self.stream.as_ref().and_then(|(_, latch)| latch.destination())
    }

    fn network(&self, from_far_end: bool) -> Network {
        let quality = self.path.quality();
        Network {
            jitter_ms: quality.jitter_ms,
            rtt_ms: quality.rtt_ms,
            remote_lost: quality.remote_lost,
            remote_loss_percent: quality.remote_loss_percent.map(|it| it.round() as u8),
            from_far_end,
        }
    }

    /// Reads on; `None` where nothing more has come, or the tick's share is used up.
    ///
    /// # Real-time
    /// No allocation, never waits.
    pub(crate) fn poll<'b>(
        &mut self,
        now: MediaTime,
        buffer: &'b mut [u8],
    ) -> Option<LegEvent<'b>> {
        let elapsed = now.since(MediaTime::ZERO);
        if let Some(may) = self.keys_in_sound.take() {
            return Some(LegEvent::KeysInSound(may));
        }
        if let Some(pressed) = self.pressed[0].take() {
            self.pressed.swap(0, 1);
            return Some(digit(pressed));
        }
        if let Some(news) = self.news.take() {
            return Some(LegEvent::Network(news));
        }
        let peer = self.peer();
        let len = loop {
            if self.budget == 0 {
                return self.keys.poll(elapsed).map(digit);
            }
            self.budget -= 1;
            let (len, from, authenticated) = match self.path.receive(buffer, peer) {
                Received::Nothing => {
                    self.budget = 0;
                    continue;
                }
                Received::Junk => {
                    self.garbage += 1;
                    continue;
                }
                Received::Report => return Some(LegEvent::Network(self.network(true))),
                Received::Rtp { len, from, authenticated } => (len, from, authenticated),
                Received::Passed => continue,
            };
            match self.judge(elapsed, &buffer[..len], (from, authenticated)) {
                Judged::Nothing => {}
                Judged::Key { sequence } => return Some(LegEvent::Passed { sequence }),
                Judged::Sound => break len,
            }
        };
        let packet = Packet::parse(&buffer[..len]).ok()?;
        let (sequence, payload) = (packet.sequence, packet.payload);
        Some(match self.kind_of(packet.payload_type)? {
            Kind::Key => LegEvent::Passed { sequence },
            Kind::Comfort => LegEvent::Comfort { sequence, payload },
            Kind::Sound(codec) => LegEvent::Packet(MediaPacket {
                sequence,
                timestamp: packet.timestamp,
                marker: packet.marker,
                ssrc: packet.ssrc,
                codec,
                payload,
            }),
        })
    }

    fn judge(
        &mut self,
        elapsed: Duration,
        datagram: &[u8],
        (from, authenticated): (SocketAddr, bool),
    ) -> Judged {
        let packet = Packet::parse(datagram).ok();
        let kind = packet.as_ref().and_then(|packet| self.kind_of(packet.payload_type));
        let (Some(packet), Some(kind), Some((_, latch))) = (packet, kind, self.stream.as_mut())
        else {
            self.garbage += 1;
            return Judged::Nothing;
        };
        let verdict = if authenticated {
            latch.authenticated(from, packet.ssrc)
        } else {
            latch.packet(from, packet.ssrc)
        };
        match verdict {
            Verdict::Garbage => return Judged::Nothing,
            Verdict::NewSource => self.keys.restart(),
            Verdict::Accepted => {}
        }
        self.path.accepted(&packet);
        if !matches!(kind, Kind::Key) {
            return Judged::Sound;
        }
        let [first, second] = &mut self.pressed;
        self.keys.packet(elapsed, packet.timestamp, packet.payload, |it| {
            *(if first.is_none() { &mut *first } else { &mut *second }) = Some(it);
        });
        Judged::Key { sequence: packet.sequence }
    }

    /// What a packet of this payload type is, as it was agreed on; what was not is garbage.
    fn kind_of(&self, payload_type: u8) -> Option<Kind> {
        let agreed = self.agreed.as_ref()?;
        if Some(payload_type) == agreed.telephone_event_received {
            return Some(Kind::Key);
        }
        if Some(payload_type) == agreed.comfort_noise {
            return Some(Kind::Comfort);
        }
        let theirs = (payload_type == agreed.payload_type).then_some(agreed.codec);
        let known = agreed.received.codec(payload_type).or(theirs);
        known.map(codec).or_else(|| static_codec(payload_type)).map(Kind::Sound)
    }

    /// Does what the call wants of an existing leg.
    pub(crate) fn command(&mut self, command: &LegCommand) {
        match *command {
            LegCommand::Answer => {
                if let Some(description) = self.description.take() {
                    self.signalling.answer(description.0);
                }
            }
            LegCommand::Send(ref frame) => self.send(frame),
            LegCommand::SendDigit { digit, duration_ms } => self.key(digit, duration_ms),
            LegCommand::Hangup => {
                let peer = self.peer();
                self.path.goodbye(peer);
                self.signalling.hang_up(None);
            }
            LegCommand::Renegotiate => {
                self.crossed = Crossed::No;
                self.offer_anew();
            }
            // A phone plays what it has within its jitter buffer.
            LegCommand::Flush | LegCommand::Dial(_) | LegCommand::Show(_) => {}
        }
    }

    fn send(&mut self, frame: &EncodedFrame) {
        let Some((sender, latch)) = self.stream.as_mut() else { return };
        let speaks = self.agreed.is_some_and(|agreed| agreed.direction.sends());
        let Some(to) = latch.destination().filter(|_| speaks) else {
            sender.skip_frame(frame.len);
            return;
        };
        let path = &mut self.path;
        sender.push(&frame.payload[..frame.len], |packet| path.send(packet, to));
    }

    fn offer_anew(&mut self) {
        let offer = self.negotiation.offer();
        self.signalling.reinvite(offer);
    }

    /// Presses a key: in the sound's stream, or by INFO where no telephone events were agreed on.
    fn key(&mut self, sign: char, duration_ms: u32) {
        let (Some(agreed), Some((sender, _)), Some(key)) =
            (self.agreed, self.stream.as_mut(), Key::from_sign(sign))
        else {
            return;
        };
        match agreed.telephone_event {
            Some(payload_type) => {
                let duration_ms = u16::try_from(duration_ms).unwrap_or(u16::MAX);
                sender.key(key.event(), payload_type, duration_ms);
            }
            None => {
                let body = format!("Signal={}\r\nDuration={duration_ms}\r\n", key.sign());
                self.signalling.info("application/dtmf-relay", body.into_bytes());
            }
        }
    }

    /// Turns what the signalling says into events for the call, in order.
    pub(crate) fn signal(&mut self, signal: LegSignal) -> [Option<LegEvent<'static>>; 2] {
        match signal {
            LegSignal::Acked { sdp } => self.acked(sdp.as_deref()),
            LegSignal::Accepted { sdp } => self.accepted(sdp.as_deref()),
            LegSignal::Progress { sdp, .. } => self.progressed(sdp.as_deref()),
            LegSignal::ReinviteAccepted { sdp } => {
                self.negotiation.offered_again();
                self.reanswered(sdp.as_deref())
            }
            LegSignal::ReinviteRefused { code: 491 } if self.crossed == Crossed::No => {
                self.crossed = Crossed::Now;
                [None, None]
            }
            LegSignal::Trace { sent, summary } => {
                [Some(LegEvent::Signalled { sent, summary }), None]
            }
            LegSignal::Expired => ended(EndCause::Lost),
            LegSignal::Reinvited { sdp } => self.reinvited(sdp.as_deref()),
            LegSignal::Info { content_type, body } => [self.info(&content_type, &body), None],
            LegSignal::Refused { code, .. } => ended(EndCause::Refused(code)),
            LegSignal::Cancelled => ended(EndCause::Cancelled),
            LegSignal::Bye { .. } => ended(EndCause::Bye),
            LegSignal::NoAck => ended(EndCause::NoAck),
            _ => [None, None],
        }
    }

    /// Our answer has been acknowledged: the first, or one to a change. Where the offer was ours,
    /// theirs is the answer.
    fn acked(&mut self, sdp: Option<&str>) -> [Option<LegEvent<'static>>; 2] {
        if self.agreed.is_none() {
            return self.accepted(sdp);
        }
        match std::mem::replace(&mut self.answered, true) {
            true => self.reanswered(sdp),
            false => [None, Some(LegEvent::Answered)],
        }
    }

    /// The far end rings, with sound of its own or without. Our offer stays open: branches may
    /// answer it differently before one does for good.
    fn progressed(&mut self, sdp: Option<&str>) -> [Option<LegEvent<'static>>; 2] {
        let mut trial = self.negotiation.clone();
        let early = sdp.and_then(|sdp| trial.accept_answer(sdp).ok());
        if let Some(agreed) = early {
            self.agree(agreed);
        }
        let codec = early.map(|agreed| LegEvent::Renegotiated(codec(agreed.codec)));
        [codec, Some(LegEvent::Offered)]
    }

    /// An offer of ours in the midst of the talk has been answered, in an ACK or a 200. Where
    /// nothing can be made of the answer the session stays as it was (RFC 3261 §14.1).
    fn reanswered(&mut self, sdp: Option<&str>) -> [Option<LegEvent<'static>>; 2] {
        match sdp.map(|sdp| self.negotiation.accept_answer(sdp)) {
            Some(Ok(agreed)) => self.change(agreed),
            Some(Err(_)) | None => [None, None],
        }
    }

    /// Goes on as was agreed on anew; tells it, and that the far end holds us or takes us back.
    fn change(&mut self, agreed: Negotiated) -> [Option<LegEvent<'static>>; 2] {
        let held = self.is_held();
        self.agree(agreed);
        let hold = match (held, self.is_held()) {
            (false, true) => Some(LegEvent::Held),
            (true, false) => Some(LegEvent::Resumed),
            (true, true) | (false, false) => None,
        };
        [Some(LegEvent::Renegotiated(codec(agreed.codec))), hold]
    }

    /// The answer to our offer has come, in an ACK or a 200.
    fn accepted(&mut self, sdp: Option<&str>) -> [Option<LegEvent<'static>>; 2] {
        let answer = sdp.map(|sdp| self.negotiation.accept_answer(sdp));
        let agreed = match (answer, self.agreed) {
            // An UPDATE of theirs has settled it while they rang.
            (Some(Err(Refusal::NothingOffered)), Some(agreed)) => Some(agreed),
            (answer, _) => answer.and_then(Result::ok),
        };
        match agreed {
            Some(agreed) => {
                self.agree(agreed);
                self.answered = true;
                [Some(LegEvent::Renegotiated(codec(agreed.codec))), Some(LegEvent::Answered)]
            }
            None => {
                self.signalling.hang_up(None);
                ended(EndCause::Refused(488))
            }
        }
    }

    fn reinvited(&mut self, sdp: Option<&str>) -> [Option<LegEvent<'static>>; 2] {
        let Some(offer) = sdp else {
            let offer = self.negotiation.offer();
            self.signalling.accept_reinvite(offer);
            return [None, None];
        };
        match self.negotiation.answer(offer) {
            Ok((agreed, answer)) => {
                self.signalling.accept_reinvite(answer);
                self.change(agreed)
            }
            Err(refusal) => {
                self.signalling.refuse_reinvite(refusal.status());
                [None, None]
            }
        }
    }

    /// Keys have one source: INFO counts only where telephone-event was not agreed on.
    fn info(&self, content_type: &str, body: &[u8]) -> Option<LegEvent<'static>> {
        let agreed = self.agreed?;
        if agreed.telephone_event_received.is_some() {
            return None;
        }
        info_digit(content_type, body)
    }

    fn is_held(&self) -> bool {
        self.agreed.is_some_and(|agreed| agreed.is_held())
    }

    fn agree(&mut self, agreed: Negotiated) {
        let (seed, clock_hz) = (self.seed, agreed.codec.clock_hz());
        let path = &mut self.path;
        let (sender, latch) = self.stream.get_or_insert_with(|| {
            let sender = Sender::new(agreed.payload_type, agreed.ptime_ms, seed);
            path.report(sender.ssrc(), seed.rotate_left(32), clock::wall_unix_ms(), clock_hz);
            (sender, Latch::new(agreed.remote))
        });
        sender.renegotiate(agreed.payload_type, agreed.ptime_ms);
        sender.frames_of(agreed.codec.frame_ticks());
        sender.keys_at(agreed.telephone_event_hz);
        latch.resignal(agreed.remote);
        self.keys.set_clock(agreed.telephone_event_hz);
        self.path.agree(&agreed, self.negotiation.keys(), clock_hz);
        self.keys_in_sound = Some(agreed.telephone_event_received.is_none());
        self.agreed = Some(agreed);
        // What was agreed on meanwhile will do.
        self.crossed = Crossed::No;
    }
}

/// A session description, which may hold keys: not shown.
struct Unshown(String);

impl std::fmt::Debug for Unshown {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("..")
    }
}

/// How far a change of ours is that crossed one of theirs (491). It is made once more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Crossed {
    /// None has.
    No,
    /// It has been told.
    Now,
    /// It is offered again then.
    Until(MediaTime),
    /// It has been offered again.
    Twice,
}

/// How long who made a change that crossed another waits (RFC 3261 §14.1): 2.1 to 4 s where the
/// call is of its making, else 0 to 2 s, by chance in steps of 10 ms, so that both do not meet
/// again.
fn pause(seed: u64, dialled: bool) -> Duration {
    let (least, steps) = if dialled { (210, 191) } else { (0, 201) };
    Duration::from_millis(10 * (least + seed % steps))
}

enum Judged {
    Nothing,
    Key { sequence: u16 },
    Sound,
}

/// What a payload type stands for.
#[derive(Clone, Copy)]
enum Kind {
    Key,
    Comfort,
    Sound(Codec),
}

fn digit(digit: Digit) -> LegEvent<'static> {
    LegEvent::Digit {
        digit: digit.key.sign(),
        duration_ms: u32::try_from(digit.duration.as_millis()).unwrap_or(u32::MAX),
    }
}

fn ended(cause: EndCause) -> [Option<LegEvent<'static>>; 2] {
    [Some(LegEvent::Ended { cause }), None]
}

fn codec(agreed: AudioCodec) -> Codec {
    match agreed {
        AudioCodec::Pcmu => Codec::Pcmu,
        AudioCodec::Pcma => Codec::Pcma,
        AudioCodec::G722 => Codec::G722,
        AudioCodec::Opus => Codec::Opus,
    }
}

/// RFC 3551 §6: a peer may change between what was offered without a word.
const fn static_codec(payload_type: u8) -> Option<Codec> {
    match payload_type {
        0 => Some(Codec::Pcmu),
        8 => Some(Codec::Pcma),
        _ => None,
    }
}

/// `application/dtmf-relay` as widely used: `Signal=5` and `Duration=160` (ms), one a line;
/// `application/dtmf`: the key alone.
fn info_digit(content_type: &str, body: &[u8]) -> Option<LegEvent<'static>> {
    let body = std::str::from_utf8(body).ok()?;
    let kind = content_type.split(';').next()?.trim();
    let field = |name: &str| {
        body.lines().find_map(|line| {
            let (key, value) = line.split_once('=')?;
            key.trim().eq_ignore_ascii_case(name).then(|| value.trim())
        })
    };
    let sign = match kind.to_ascii_lowercase().as_str() {
        "application/dtmf-relay" => field("signal")?.chars().next()?,
        "application/dtmf" => body.trim().chars().next()?,
        _ => return None,
    };
    let duration_ms = field("duration").and_then(|value| value.parse().ok()).unwrap_or(100);
    Key::from_sign(sign).map(|key| LegEvent::Digit { digit: key.sign(), duration_ms })
}

#[cfg(test)]
#[path = "phone_tests.rs"]
mod tests;
