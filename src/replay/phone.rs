//! A phone that follows a script, over SIP and RTP.

use std::net::SocketAddr;
use std::time::Duration;

use cordboard_audio::codec::Codec;
use cordboard_audio::halfband::Halver;
use cordboard_audio::jitter::Packet;
use cordboard_audio::receive::Receiver;
use cordboard_audio::{Frame, MediaTime, SampleRate};
use cordboard_sip::access::Access;
use cordboard_sip::endpoint::{BindError, EndpointConfig, Incoming, LegSignal};
use cordboard_sip::negotiation::AudioCodec;
use cordboard_sip::ports::PortsError;
use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;

use super::line::{self, Fate, PhoneLine, Signals, Sound};
use super::mouth::{KEY_MS, Mouth};
use super::script::{Act, Script};
use crate::call::{LegCommand, LegEvent};
use crate::clock;
use crate::leg::{PhoneLeg, PhoneRefusal};

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
    /// A phone is to register at an address that was not given.
    #[error("{address} was not given: --allow {address}")]
    NotGiven {
        /// The address.
        address: std::net::IpAddr,
    },
    /// A phone is not registered.
    #[error("{uri} is refused its registration with {code}; its password is in HUMAN_PASSWORD")]
    RegistrationRefused {
        /// Who asked, and where.
        uri: String,
        /// SIP status.
        code: u16,
    },
    /// The registrar says nothing.
    #[error("no answer to REGISTER within {within:?}: is there a registrar?")]
    RegistrationUnanswered {
        /// How long was waited.
        within: Duration,
    },
    /// Nobody rang or answered in time.
    #[error("nobody came within {within:?}")]
    NobodyCame {
        /// How long was waited.
        within: Duration,
    },
}

impl From<PhoneRefusal> for PhoneError {
    fn from(refusal: PhoneRefusal) -> Self {
        Self::Unplaced { why: refusal.to_string() }
    }
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
    line: PhoneLine,
    incoming: mpsc::Receiver<Incoming>,
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
        let config = EndpointConfig {
            bind_udp: Some(address),
            access: everybody_here.expect("loopback is an address"),
            user_agent: "Cordboard scripted phone".to_owned(),
            ..EndpointConfig::default()
        };
        let codecs = vec![AudioCodec::Pcmu, AudioCodec::Pcma];
        let sound = Sound { ports, codecs, stamps: false };
        let (line, incoming) = PhoneLine::bind(config, address.ip(), sound).await?;
        Ok(Self { line, incoming })
    }

    /// Speaks these codecs instead of PCMU and PCMA, and offers them in this order.
    #[must_use]
    pub fn with_codecs(mut self, codecs: &[AudioCodec]) -> Self {
        self.line = self.line.with_codecs(codecs);
        self
    }

    /// Address of the phone, as an URI.
    #[must_use]
    pub fn uri(&self, user: &str) -> String {
        let address = self.line.address().map_or_else(String::new, |it| it.to_string());
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
        let (leg, signals) = self.line.ring(to.to_owned(), self.uri("caller"))?;
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
        let (mut leg, signals) = self.line.take(incoming)?;
        leg.command(&LegCommand::Answer);
        Talk::new(leg, signals, script).follow(limit).await
    }
}

/// A talk under way.
struct Talk {
    leg: PhoneLeg,
    signals: Signals,
    script: Script,
    director: Option<mpsc::UnboundedReceiver<Act>>,
    receiver: Receiver,
    mouth: Mouth,
    /// From the rate of a wide codec.
    halver: Halver,
    answered: bool,
    played: Played,
}

impl Talk {
    fn new(leg: PhoneLeg, signals: Signals, script: Script) -> Self {
        Self {
            leg,
            signals,
            script,
            director: None,
            receiver: Receiver::new(Codec::Pcmu),
            mouth: Mouth::new(),
            halver: Halver::new(),
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
        match line::told(&mut self.leg, signal, self.answered) {
            Some(Fate::Refused(code)) => return Err(PhoneError::Refused { code }),
            Some(Fate::Over) => return Ok(false),
            Some(Fate::Answered) => self.answered = true,
            Some(Fate::Referred(_)) | None => {}
        }
        Ok(true)
    }

    /// 20 ms; whether the script goes on.
    fn tick(&mut self, now: MediaTime) -> bool {
        let far = self.listen(now);
        let busy = self.mouth.is_busy();
        let scripted = self.script.hear(far.samples(), busy);
        match scripted.or_else(|| self.directed(busy)) {
            Some(Act::Say(samples)) => self.mouth.say(samples),
            Some(Act::Key(keys)) => self.mouth.key(&keys),
            Some(Act::HangUp) => return false,
            Some(Act::Stay(_)) | None => {}
        }
        let near = self.speak();
        self.played.far.extend_from_slice(far.samples());
        self.played.near.extend_from_slice(&near);
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
        self.halver.push_into(frame.samples(), narrow.samples_mut());
        narrow
    }

    /// Sends 20 ms, and gives them.
    fn speak(&mut self) -> [f32; 160] {
        let (frame, _) = self.mouth.speak();
        let codec = self.leg.codec().unwrap_or(Codec::Pcmu);
        let encoded = self.mouth.encode(&frame, codec);
        self.leg.command(&LegCommand::Send(encoded));
        if let Some(digit) = self.mouth.press() {
            self.leg.command(&LegCommand::SendDigit { digit, duration_ms: KEY_MS });
        }
        frame
    }
}
