//! A browser's end of a call, without the browser: ICE, DTLS-SRTP, Opus, and keys as telephone
//! events (RFC 4733, which RFC 7874 §3 wants of every browser).
//!
//! It offers, always. Absent: signalling; whoever does it brings the answer (`whip` by WHIP).

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use cordboard_sip::dtmf::Key;
use cordboard_sip::rtp;
use cordboard_sip::sender::Sender;
use crossbeam_channel::Receiver;
use rtc::media_stream::MediaStreamTrack;
use rtc::peer_connection::configuration::interceptor_registry::register_default_interceptors;
use rtc::peer_connection::configuration::media_engine::{
    MIME_TYPE_OPUS, MIME_TYPE_TELEPHONE_EVENT, MediaEngine,
};
use rtc::rtp_transceiver::rtp_sender::{
    RTCRtpCodec, RTCRtpCodecParameters, RTCRtpCodingParameters, RTCRtpEncodingParameters,
    RtpCodecKind,
};
use tokio::sync::watch;
use webrtc::media_stream::track_local::TrackLocal;
use webrtc::media_stream::track_local::static_rtp::TrackLocalStaticRTP;
use webrtc::media_stream::track_remote::{TrackRemote, TrackRemoteEvent};
use webrtc::peer_connection::{
    PeerConnection, PeerConnectionBuilder, PeerConnectionEventHandler, RTCConfigurationBuilder,
    RTCIceGatheringState, RTCPeerConnectionState, RTCSessionDescription, Registry,
    SettingEngineBuilder,
};

use crate::clock;

/// Payload types of the offer, as Chromium numbers them; of the keys with their clocks.
const OPUS: u8 = 111;
const KEYS: [(u8, u32); 2] = [(110, CLOCK_HZ), (126, 8_000)];
const CLOCK_HZ: u32 = 48_000;
/// Ticks of 20 ms.
const FRAME_TICKS: u32 = 960;
/// How long anything of the connection may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// Why a connection cannot be.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LineFault {
    /// What WebRTC's library says.
    #[error(transparent)]
    Connection(Box<dyn std::error::Error + Send + Sync>),
    /// The answer takes no Opus.
    #[error("its answer takes no Opus")]
    NoOpus,
    /// There is no description of ours.
    #[error("there is no offer")]
    NoOffer,
    /// Something did not come in time.
    #[error("waited in vain for {0}")]
    Late(&'static str),
    /// The connection ended first.
    #[error("it ended before {0}")]
    Over(&'static str),
}

fn engine(why: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> LineFault {
    LineFault::Connection(why.into())
}

/// A packet that came.
#[derive(Clone, Debug)]
pub struct Came {
    /// When, by the monotonic clock.
    pub at: Duration,
    /// Clock of its keys, where it is of keys and not of sound.
    pub keys_hz: Option<u32>,
    /// Its number in the stream.
    pub sequence: u16,
    /// The stream's clock.
    pub timestamp: u32,
    /// Whose stream.
    pub ssrc: u32,
    /// Opus, or a telephone event.
    pub payload: bytes::Bytes,
}

/// One connection.
pub struct Line {
    connection: Arc<dyn PeerConnection>,
    track: Arc<TrackLocalStaticRTP>,
    standing: watch::Receiver<Standing>,
    came: Receiver<Came>,
    sender: Sender,
    /// Payload type of the keys that the far end takes.
    keys: Option<u8>,
}

impl std::fmt::Debug for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Line").field("keys", &self.keys).finish_non_exhaustive()
    }
}

impl Line {
    /// Makes a connection from this address, and its offer with all candidates; needs a runtime.
    ///
    /// # Errors
    /// What the library says, or [`LineFault::Late`].
    pub async fn offer(from: IpAddr) -> Result<(Self, String), LineFault> {
        let (say, came) = crossbeam_channel::unbounded();
        let (stand, standing) = watch::channel(Standing::default());
        let connection = connection(from, Witness { standing: stand, came: say }).await?;
        let mut sender = Sender::new(OPUS, 20, rand::random());
        sender.frames_of(Some(FRAME_TICKS));
        let track = Arc::new(TrackLocalStaticRTP::new(outgoing(sender.ssrc())));
        let added = connection.add_track(track.clone() as Arc<dyn TrackLocal>).await;
        added.map_err(engine)?;
        // The library would offer the track's own codec alone.
        for transceiver in connection.get_transceivers().await {
            transceiver.set_codec_preferences(offered()).await.map_err(engine)?;
        }
        let mut line = Self { connection, track, standing, came, sender, keys: None };
        line.describe().await?;
        line.wait("candidates", |it| it.gathered).await?;
        let offer = line.description().await?;
        Ok((line, offer))
    }

    /// An offer that restarts ICE.
    ///
    /// # Errors
    /// What the library says.
    pub async fn offer_anew(&self) -> Result<String, LineFault> {
        self.connection.restart_ice().await.map_err(engine)?;
        self.describe().await?;
        self.description().await
    }

    async fn describe(&self) -> Result<(), LineFault> {
        let offer = self.connection.create_offer(None).await.map_err(engine)?;
        self.connection.set_local_description(offer).await.map_err(engine)
    }

    async fn description(&self) -> Result<String, LineFault> {
        let description = self.connection.local_description().await;
        Ok(with_both_clocks(&description.ok_or(LineFault::NoOffer)?.sdp))
    }

    /// Takes the answer, and waits until sound may flow.
    ///
    /// # Errors
    /// What the library says, [`LineFault::NoOpus`], or that no way was found between the two.
    pub async fn accept(&mut self, answer: String) -> Result<(), LineFault> {
        let sound = payload_type(&answer, "opus", CLOCK_HZ).ok_or(LineFault::NoOpus)?;
        self.sender.renegotiate(sound, 20);
        let taken = |(_, hz)| Some((payload_type(&answer, "telephone-event", hz)?, hz));
        let keys = KEYS.into_iter().find_map(taken);
        self.keys = keys.map(|(number, _)| number);
        self.sender.keys_at(keys.map_or(CLOCK_HZ, |(_, hz)| hz));
        let answer = RTCSessionDescription::answer(answer).map_err(engine)?;
        self.connection.set_remote_description(answer).await.map_err(engine)?;
        self.wait("a way between the two (ICE)", |it| it.connected).await
    }

    async fn wait(
        &mut self,
        what: &'static str,
        is_so: impl Fn(&Standing) -> bool,
    ) -> Result<(), LineFault> {
        let waiting = self.standing.wait_for(|it| it.over || is_so(it));
        let standing = tokio::time::timeout(PATIENCE, waiting).await;
        let standing = standing.map_err(|_| LineFault::Late(what))?;
        let standing = *standing.map_err(|_| LineFault::Over(what))?;
        if is_so(&standing) { Ok(()) } else { Err(LineFault::Over(what)) }
    }

    /// Whether the far end takes keys, as far as its answer says.
    #[must_use]
    pub const fn takes_keys(&self) -> bool {
        self.keys.is_some()
    }

    /// Whether the far end has closed it.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.standing.borrow().over
    }

    /// Waits until it is closed.
    pub async fn over(&mut self) {
        // Who says so is gone where the connection is.
        let _ = self.standing.wait_for(|it| it.over).await;
    }

    /// Packets as they come.
    #[must_use]
    pub const fn came(&self) -> &Receiver<Came> {
        &self.came
    }

    /// Sends 20 ms of Opus, or of the key that is pressed. What the connection does not take is
    /// lost, as any packet may be on its way.
    pub async fn send(&mut self, payload: &[u8]) {
        let mut packets: Vec<rtc::rtp::Packet> = Vec::new();
        self.sender.push(payload, |bytes| packets.extend(packet(bytes)));
        for packet in packets {
            let _ = self.track.write_rtp(packet).await;
        }
    }

    /// Lets 20 ms be lost on the way.
    pub fn lose(&mut self) {
        self.sender.push(&[0], |_| {});
    }

    /// Presses a key from the next 20 ms on; whether the far end takes keys.
    pub fn press(&mut self, digit: char, duration_ms: u32) -> bool {
        let (Some(keys), Some(key)) = (self.keys, Key::from_sign(digit)) else { return false };
        let duration_ms = u16::try_from(duration_ms).unwrap_or(u16::MAX);
        self.sender.key(key.event(), keys, duration_ms);
        true
    }

    /// Closes the connection.
    pub async fn close(&self) {
        // One that does not close is over all the same.
        let _ = self.connection.close().await;
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Standing {
    gathered: bool,
    connected: bool,
    over: bool,
}

struct Witness {
    standing: watch::Sender<Standing>,
    came: crossbeam_channel::Sender<Came>,
}

#[async_trait::async_trait]
impl PeerConnectionEventHandler for Witness {
    async fn on_ice_gathering_state_change(&self, state: RTCIceGatheringState) {
        self.standing.send_modify(|it| it.gathered |= state == RTCIceGatheringState::Complete);
    }

    async fn on_connection_state_change(&self, state: RTCPeerConnectionState) {
        self.standing.send_modify(|it| match state {
            RTCPeerConnectionState::Connected => it.connected = true,
            RTCPeerConnectionState::Failed | RTCPeerConnectionState::Closed => it.over = true,
            _ => {}
        });
    }

    async fn on_track(&self, track: Arc<dyn TrackRemote>) {
        let tell = self.came.clone();
        tokio::spawn(async move {
            while let Some(event) = track.poll().await {
                let TrackRemoteEvent::OnRtpPacket(packet) = event else { continue };
                let rtc::rtp::header::Header { sequence_number: sequence, .. } = packet.header;
                let rtc::rtp::header::Header { ssrc, timestamp, .. } = packet.header;
                // What comes has the numbers of our offer (RFC 3264 §5.1).
                let keys = KEYS.iter().find(|(number, _)| *number == packet.header.payload_type);
                let (at, keys_hz) = (clock::monotonic(), keys.map(|(_, hz)| *hz));
                let payload = packet.payload;
                // Who listens may have gone.
                let _ = tell.send(Came { at, keys_hz, sequence, timestamp, ssrc, payload });
            }
        });
    }
}

async fn connection(from: IpAddr, witness: Witness) -> Result<Arc<dyn PeerConnection>, LineFault> {
    let mut media = MediaEngine::default();
    for known in offered() {
        media.register_codec(known, RtpCodecKind::Audio).map_err(engine)?;
    }
    let chain = register_default_interceptors(Registry::new(), &mut media).map_err(engine)?;
    let settings = SettingEngineBuilder::new()
        .with_multicast_dns_mode(rtc::ice::mdns::MulticastDnsMode::Disabled)
        .build();
    let connection = PeerConnectionBuilder::new()
        .with_configuration(RTCConfigurationBuilder::new().build())
        .with_media_engine(media)
        .with_setting_engine(settings)
        .with_interceptor_registry(chain)
        .with_handler(Arc::new(witness))
        .with_udp_addrs(vec![format!("{from}:0")])
        .build()
        .await;
    Ok(Arc::new(connection.map_err(engine)?))
}

fn outgoing(ssrc: u32) -> MediaStreamTrack {
    let coding = RTCRtpCodingParameters { ssrc: Some(ssrc), ..Default::default() };
    let encoding = RTCRtpEncodingParameters {
        rtp_coding_parameters: coding,
        codec: opus().rtp_codec,
        ..Default::default()
    };
    let name = || "caller".to_owned();
    MediaStreamTrack::new(name(), name(), name(), RtpCodecKind::Audio, vec![encoding])
}

fn offered() -> Vec<RTCRtpCodecParameters> {
    let (number, hz) = KEYS[0];
    vec![opus(), codec(MIME_TYPE_TELEPHONE_EVENT, (hz, 0), "0-15", number)]
}

fn opus() -> RTCRtpCodecParameters {
    codec(MIME_TYPE_OPUS, (CLOCK_HZ, 2), "minptime=10;useinbandfec=1", OPUS)
}

fn codec(
    mime_type: &str,
    (clock_rate, channels): (u32, u16),
    fmtp: &str,
    payload_type: u8,
) -> RTCRtpCodecParameters {
    let rtp_codec = RTCRtpCodec {
        mime_type: mime_type.to_owned(),
        clock_rate,
        channels,
        sdp_fmtp_line: fmtp.to_owned(),
        rtcp_feedback: Vec::new(),
    };
    RTCRtpCodecParameters { rtp_codec, payload_type }
}

/// Offers keys at 8 kHz beside those at 48: there are far ends that take no others, and the library
/// tells codecs by their names alone, so that it cannot.
fn with_both_clocks(offer: &str) -> String {
    let [(wide, _), (narrow, hz)] = KEYS;
    let (listed, mapped) = (format!(" {wide}\r\n"), format!("a=rtpmap:{wide} "));
    let add = |line: &str| match line {
        _ if line.starts_with("m=audio ") => {
            line.replace(&listed, &format!(" {wide} {narrow}\r\n"))
        }
        _ if line.starts_with(&mapped) => {
            format!("{line}a=rtpmap:{narrow} telephone-event/{hz}\r\na=fmtp:{narrow} 0-15\r\n")
        }
        _ => line.to_owned(),
    };
    offer.split_inclusive('\n').map(add).collect()
}

/// The payload type that a description gives a codec of this clock.
fn payload_type(sdp: &str, codec: &str, hz: u32) -> Option<u8> {
    sdp.lines().find_map(|line| {
        let (number, map) = line.trim().strip_prefix("a=rtpmap:")?.split_once(' ')?;
        let mut map = map.split('/');
        let is_it = map.next()?.eq_ignore_ascii_case(codec) && map.next()?.parse() == Ok(hz);
        is_it.then(|| number.parse().ok())?
    })
}

/// A packet of the sender's, as the library takes it.
fn packet(bytes: &[u8]) -> Option<rtc::rtp::Packet> {
    let it = rtp::Packet::parse(bytes).ok()?;
    let header = rtc::rtp::header::Header {
        version: 2,
        marker: it.marker,
        payload_type: it.payload_type,
        sequence_number: it.sequence,
        timestamp: it.timestamp,
        ssrc: it.ssrc,
        ..Default::default()
    };
    Some(rtc::rtp::Packet { header, payload: bytes::Bytes::copy_from_slice(it.payload) })
}
