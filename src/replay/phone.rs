//! A phone that follows a script, over SIP and RTP.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use cordboard_audio::codec::{Codec, Encoder};
use cordboard_audio::halfband::{Doubler, Halver};
use cordboard_audio::jitter::Packet;
use cordboard_audio::receive::Receiver;
use cordboard_audio::{Frame, MediaTime, SampleRate};
use cordboard_sip::access::Access;
use cordboard_sip::endpoint::{
    BindError, DialRequest, Endpoint, EndpointConfig, Incoming, LegSignal,
};
use cordboard_sip::negotiation::AudioCodec;
use cordboard_sip::ports::{Ports, PortsError};
use cordboard_sip::srtp::SrtpPolicy;
use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;

use super::script::{Act, Script};
use crate::call::{EncodedFrame, LegCommand, LegEvent};
use crate::clock;
use crate::leg::{MediaSettings, PhoneLeg, PhoneRefusal};

/// How long a key is pressed.
const KEY_MS: u32 = 120;
/// Ticks between two keys.
const KEY_SPACING: u32 = 12;

/// Why a scripted phone did not come to talk.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PhoneError {
    /// It has no address.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// It has no port.
    #[error(transparent)]
    Ports(#[from] PortsError),
    /// The call cannot be placed.
    #[error("the call cannot be placed: {why}")]
    Unplaced {
        /// Why.
        why: String,
    },
    /// The far end refused.
    #[error("refused with {code}")]
    Refused {
        /// SIP status.
        code: u16,
    },
    /// Nobody rang or answered in time.
    #[error("nobody came within {within:?}")]
    NobodyCame {
        /// How long was waited.
        within: Duration,
    },
}

/// What a phone has said and heard, 8 kHz, from the answer on.
#[derive(Clone, Debug, Default)]
pub struct Played {
    /// What it said.
    pub near: Vec<f32>,
    /// What it heard.
    pub far: Vec<f32>,
    /// Keys it heard.
    pub keys: String,
    /// Whether the far end hung up.
    pub ended_by_far: bool,
}

/// A phone on this machine.
#[derive(Debug)]
pub struct Phone {
    endpoint: Endpoint,
    incoming: mpsc::Receiver<Incoming>,
    media: MediaSettings,
}

impl Phone {
    /// Takes an address on loopback, port 0 for any, and RTP ports of a range.
    ///
    /// # Errors
    /// [`PhoneError`] where they are taken.
    pub async fn bind(
        address: SocketAddr,
        ports: std::ops::RangeInclusive<u16>,
    ) -> Result<Self, PhoneError> {
        let everybody_here = Access::new(["127.0.0.0/8", "::1/128"], ["127.0.0.0/8", "::1"]);
        let (endpoint, incoming) = Endpoint::bind(EndpointConfig {
            bind_udp: Some(address),
            access: everybody_here.expect("loopback is an address"),
            user_agent: "Cordboard scripted phone".to_owned(),
            ..EndpointConfig::default()
        })
        .await?;
        let ports = Ports::new(ports, rand::random())?;
        let media = MediaSettings {
            bind: address.ip(),
            advertised: address.ip(),
            ports,
            codecs: vec![AudioCodec::Pcmu, AudioCodec::Pcma],
            srtp: SrtpPolicy::None,
            keys_may_travel: false,
            stamps: false,
        };
        Ok(Self { endpoint, incoming, media })
    }

    /// Speaks these codecs instead of PCMU and PCMA, and offers them in this order.
    #[must_use]
    pub fn with_codecs(mut self, codecs: &[AudioCodec]) -> Self {
        self.media.codecs = codecs.to_vec();
        self
    }

    /// Address of the phone, as an URI.
    #[must_use]
    pub fn uri(&self, user: &str) -> String {
        let address = self.endpoint.local_udp().map_or_else(String::new, |it| it.to_string());
        format!("sip:{user}@{address}")
    }

    /// Rings somebody, follows the script until either side hangs up or `limit` has passed since
    /// the answer.
    ///
    /// # Errors
    /// [`PhoneError`] where no talk came about.
    pub async fn ring(
        &self,
        to: &str,
        script: Script,
        limit: Duration,
    ) -> Result<Played, PhoneError> {
        let (_, nobody) = mpsc::unbounded_channel();
        self.ring_directed(to, script, nobody, limit).await
    }

    /// As [`Phone::ring`], and does what `director` says as soon as it is not busy.
    ///
    /// # Errors
    /// [`PhoneError`] where no talk came about.
    pub async fn ring_directed(
        &self,
        to: &str,
        script: Script,
        director: mpsc::UnboundedReceiver<Act>,
        limit: Duration,
    ) -> Result<Played, PhoneError> {
        let mut signals = None;
        let leg = PhoneLeg::outbound(&self.media, rand::random(), false, |sdp| {
            let leg = self.endpoint.dial(DialRequest {
                to: to.to_owned(),
                from: self.uri("caller"),
                display: None,
                sdp,
                headers: Vec::new(),
            })?;
            signals = Some(leg.events);
            Ok(leg.line)
        });
        let unplaced = |error: PhoneRefusal| PhoneError::Unplaced { why: error.to_string() };
        let leg = leg.map_err(unplaced)?;
        let signals = signals.expect("set by the dialling just done");
        let mut talk = Talk::new(leg, signals, script);
        talk.director = Some(director);
        talk.follow(limit).await
    }

    /// Waits for a call, answers it, and follows the script.
    ///
    /// # Errors
    /// [`PhoneError`] where nobody rang within `patience`.
    pub async fn answer(
        &mut self,
        script: Script,
        patience: Duration,
        limit: Duration,
    ) -> Result<Played, PhoneError> {
        let rung = tokio::time::timeout(patience, self.incoming.recv()).await;
        let incoming = rung.ok().flatten().ok_or(PhoneError::NobodyCame { within: patience })?;
        let (line, signals) = (incoming.leg.line, incoming.leg.events);
        line.ringing();
        let offer = incoming.offer.as_deref();
        let leg = PhoneLeg::inbound(line, offer, &self.media, rand::random());
        let mut leg = leg.map_err(|(line, refusal)| {
            line.refuse(488, None);
            PhoneError::Unplaced { why: refusal.to_string() }
        })?;
        leg.command(&LegCommand::Answer);
        Talk::new(leg, signals, script).follow(limit).await
    }
}

/// A talk under way.
struct Talk {
    leg: PhoneLeg,
    signals: mpsc::UnboundedReceiver<LegSignal>,
    script: Script,
    director: Option<mpsc::UnboundedReceiver<Act>>,
    receiver: Receiver,
    encoder: Encoder,
    /// From and to the rate of a wide codec.
    filters: (Halver, Doubler),
    saying: Option<(Arc<[f32]>, usize)>,
    keying: Vec<char>,
    key_in: u32,
    answered: bool,
    played: Played,
}

impl Talk {
    fn new(leg: PhoneLeg, signals: mpsc::UnboundedReceiver<LegSignal>, script: Script) -> Self {
        Self {
            leg,
            signals,
            script,
            director: None,
            receiver: Receiver::new(Codec::Pcmu),
            encoder: Encoder::new(Codec::Pcmu),
            filters: (Halver::new(), Doubler::new()),
            saying: None,
            keying: Vec::new(),
            key_in: 0,
            answered: false,
            played: Played::default(),
        }
    }

    async fn follow(mut self, limit: Duration) -> Result<Played, PhoneError> {
        let began = clock::monotonic();
        let mut tick = tokio::time::interval(Duration::from_millis(20));
        tick.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let over = |played: &Played| played.far.len() as f64 / 8_000.0 >= limit.as_secs_f64();
        while !over(&self.played) {
            if !self.answered && clock::monotonic() - began > limit {
                self.leg.command(&LegCommand::Hangup);
                return Err(PhoneError::NobodyCame { within: limit });
            }
            tokio::select! {
                _ = tick.tick() => {
                    let now = MediaTime::ZERO + (clock::monotonic() - began);
                    if self.answered && !self.tick(now) {
                        break;
                    }
                }
                signal = self.signals.recv() => {
                    if !self.signal(signal)? {
                        self.played.ended_by_far = true;
                        return Ok(self.played);
                    }
                }
            }
        }
        self.leg.command(&LegCommand::Hangup);
        Ok(self.played)
    }

    /// Takes a signal; whether the call goes on.
    fn signal(&mut self, signal: Option<LegSignal>) -> Result<bool, PhoneError> {
        let Some(signal) = signal else { return Ok(false) };
        if let (LegSignal::Refused { code, .. }, false) = (&signal, self.answered) {
            return Err(PhoneError::Refused { code: *code });
        }
        let mut goes_on = true;
        for event in self.leg.signal(signal).into_iter().flatten() {
            self.answered |= matches!(event, LegEvent::Answered);
            goes_on &= !matches!(event, LegEvent::Ended { .. });
        }
        Ok(goes_on)
    }

    /// 20 ms; whether the script goes on.
    fn tick(&mut self, now: MediaTime) -> bool {
        let far = self.listen(now);
        let busy = self.saying.is_some() || !self.keying.is_empty();
        let scripted = self.script.hear(far.samples(), busy);
        match scripted.or_else(|| self.directed(busy)) {
            Some(Act::Say(samples)) => self.saying = Some((samples, 0)),
            Some(Act::Key(keys)) => self.keying = keys.chars().rev().collect(),
            Some(Act::HangUp) => return false,
            Some(Act::Stay(_)) | None => {}
        }
        let near = self.speak(now);
        self.press();
        self.played.far.extend_from_slice(far.samples());
        self.played.near.extend_from_slice(near.samples());
        true
    }

    fn directed(&mut self, busy: bool) -> Option<Act> {
        let director = self.director.as_mut().filter(|_| !busy)?;
        director.try_recv().ok()
    }

    fn listen(&mut self, now: MediaTime) -> Frame {
        let mut buffer = [0; 1_500];
        self.leg.refill(now);
        while let Some(event) = self.leg.poll(now, &mut buffer) {
            match event {
                LegEvent::Packet(packet) => {
                    self.receiver.set_codec(packet.codec);
                    self.receiver.insert(Packet {
                        sequence: packet.sequence,
                        timestamp: packet.timestamp,
                        marker: packet.marker,
                        payload: packet.payload,
                        arrived: now,
                    });
                }
                LegEvent::Passed { sequence } => self.receiver.pass(sequence),
                LegEvent::Comfort { sequence, payload } => self.receiver.comfort(sequence, payload),
                LegEvent::Digit { digit, .. } => self.played.keys.push(digit),
                _ => {}
            }
        }
        let mut frame = Frame::silence(now, SampleRate::NARROW);
        self.receiver.pull_into(now, &mut frame);
        if frame.rate() == SampleRate::NARROW {
            return frame;
        }
        let mut narrow = Frame::silence(now, SampleRate::NARROW);
        self.filters.0.push_into(frame.samples(), narrow.samples_mut());
        narrow
    }

    fn speak(&mut self, now: MediaTime) -> Frame {
        let mut frame = Frame::silence(now, SampleRate::NARROW);
        if let Some((samples, at)) = self.saying.as_mut() {
            let rest = &samples[*at..];
            let out = frame.samples_mut();
            let count = rest.len().min(out.len());
            out[..count].copy_from_slice(&rest[..count]);
            *at += count;
            if *at == samples.len() {
                self.saying = None;
            }
        }
        let codec = self.leg.codec().unwrap_or(Codec::Pcmu);
        if codec != self.encoder.codec() {
            self.encoder = Encoder::new(codec);
        }
        let mut sent = Frame::silence(now, codec.rate());
        if codec.rate() == SampleRate::WIDE {
            self.filters.1.push_into(frame.samples(), sent.samples_mut());
        } else {
            sent = frame;
        }
        let mut encoded = EncodedFrame { len: 0, payload: [0; 320] };
        encoded.len = self.encoder.encode_into(sent.samples(), &mut encoded.payload);
        self.leg.command(&LegCommand::Send(encoded));
        frame
    }

    fn press(&mut self) {
        if self.key_in > 0 {
            self.key_in -= 1;
            return;
        }
        if let Some(digit) = self.keying.pop() {
            self.leg.command(&LegCommand::SendDigit { digit, duration_ms: KEY_MS });
            self.key_in = KEY_SPACING;
        }
    }
}
