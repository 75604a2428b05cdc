//! A phone's line over SIP: how all phones here are bound, ring, answer, and are told what has
//! become of a call. What they say and how they listen is their own.

use std::net::{IpAddr, SocketAddr};

use cordboard_sip::endpoint::{DialRequest, Endpoint, EndpointConfig, Incoming, LegSignal};
use cordboard_sip::negotiation::AudioCodec;
use cordboard_sip::ports::Ports;
use cordboard_sip::srtp::SrtpPolicy;
use tokio::sync::mpsc;

use super::phone::PhoneError;
use crate::call::LegEvent;
use crate::leg::{MediaSettings, PhoneLeg, PhoneRefusal};

/// What a call's signalling says.
pub(super) type Signals = mpsc::UnboundedReceiver<LegSignal>;

/// How a phone's sound is to be.
#[derive(Clone, Debug)]
pub(super) struct Sound {
    /// Ports of ours for it.
    pub(super) ports: std::ops::RangeInclusive<u16>,
    /// What is offered, the dearest first.
    pub(super) codecs: Vec<AudioCodec>,
    /// Whether the system is asked when each datagram came.
    pub(super) stamps: bool,
}

/// See the module.
#[derive(Debug)]
pub(super) struct PhoneLine {
    endpoint: Endpoint,
    media: MediaSettings,
}

/// What has become of a call, as far as its signalling says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It is answered.
    Answered,
    /// It is not, and will not be: SIP status.
    Refused(u16),
    /// It is over.
    Over,
    /// The far end asks us to ring somebody else (REFER): whom, as it wrote it.
    Referred(String),
}

impl PhoneLine {
    /// Binds a phone; `peer` is whom its addresses are told. Who rings it comes out of the
    /// receiver.
    ///
    /// # Errors
    /// [`PhoneError`] where it has no address or no port.
    pub(super) async fn bind(
        config: EndpointConfig,
        peer: IpAddr,
        sound: Sound,
    ) -> Result<(Self, mpsc::Receiver<Incoming>), PhoneError> {
        let bind = config.bind_udp.map_or(peer, |it| it.ip());
        let (endpoint, incoming) = Endpoint::bind(config).await?;
        let media = MediaSettings {
            bind,
            advertised: endpoint.address_towards(peer),
            ports: Ports::new(sound.ports, rand::random())?,
            codecs: sound.codecs,
            srtp: SrtpPolicy::None,
            keys_may_travel: false,
            stamps: sound.stamps,
        };
        Ok((Self { endpoint, media }, incoming))
    }

    /// Speaks these codecs instead.
    pub(super) fn with_codecs(mut self, codecs: &[AudioCodec]) -> Self {
        self.media.codecs = codecs.to_vec();
        self
    }

    /// Where it is rung.
    pub(super) fn address(&self) -> Option<SocketAddr> {
        self.endpoint.local_udp()
    }

    /// Our address as it is told.
    pub(super) const fn host(&self) -> IpAddr {
        self.media.advertised
    }

    /// Where sockets of its sound are bound.
    pub(super) const fn bound_at(&self) -> IpAddr {
        self.media.bind
    }

    /// Whether its registrar knows it; as an error where that refuses it: SIP status.
    pub(super) fn registration(&self) -> Result<bool, u16> {
        let trunks = self.endpoint.trunks();
        match trunks.iter().find_map(|it| it.refused) {
            Some(code) => Err(code),
            None => Ok(trunks.iter().all(|it| it.registered == Some(true))),
        }
    }

    /// Takes its registration back.
    pub(super) async fn leave(&self) {
        self.endpoint.leave_trunks().await;
    }

    /// Rings somebody.
    pub(super) fn ring(
        &self,
        to: String,
        from: String,
    ) -> Result<(PhoneLeg, Signals), PhoneRefusal> {
        let mut signals = None;
        let leg = PhoneLeg::outbound(&self.media, rand::random(), false, |sdp| {
            let (display, headers) = (None, Vec::new());
            let leg = self.endpoint.dial(DialRequest { to, from, display, sdp, headers })?;
            signals = Some(leg.events);
            Ok(leg.line)
        })?;
        Ok((leg, signals.expect("set by the dialling just done")))
    }

    /// Takes a call that rings here; it rings on until the leg is told to answer.
    pub(super) fn take(&self, incoming: Incoming) -> Result<(PhoneLeg, Signals), PhoneRefusal> {
        let (line, signals) = (incoming.leg.line, incoming.leg.events);
        line.ringing();
        let offer = incoming.offer.as_deref();
        match PhoneLeg::inbound(line, offer, &self.media, rand::random()) {
            Ok(leg) => Ok((leg, signals)),
            Err((line, refusal)) => {
                line.refuse(488, None);
                Err(refusal)
            }
        }
    }
}

/// What a signal says of the call, once the leg has taken it.
pub(super) fn told(leg: &mut PhoneLeg, signal: LegSignal, answered: bool) -> Option<Fate> {
    if let (LegSignal::Refused { code, .. }, false) = (&signal, answered) {
        return Some(Fate::Refused(*code));
    }
    if let LegSignal::Referred { to } = signal {
        return Some(Fate::Referred(to));
    }
    let mut fate = None;
    for event in leg.signal(signal).into_iter().flatten() {
        match event {
            LegEvent::Answered if !answered => fate = Some(Fate::Answered),
            LegEvent::Ended { .. } => return Some(Fate::Over),
            _ => {}
        }
    }
    fate
}
