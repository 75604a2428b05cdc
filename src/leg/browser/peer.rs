//! The connection to a browser: ICE, DTLS and SRTP by `webrtc`, on the control runtime.
//!
//! The browser offers, always; we answer, anew where it offers anew (a restart of ICE keeps socket,
//! keys and stream). Candidates trickle both ways. What comes in passes the [`super::door`] first.
//! Absent: who may call and what messages look like
//! (`api/browser`).

use std::net::IpAddr;
use std::sync::{Arc, Weak};
use std::time::Duration;

use rtc::ice::mdns::MulticastDnsMode;
use rtc::interceptor::Slot;
use rtc::media_stream::MediaStreamTrack;
use rtc::peer_connection::configuration::interceptor_registry::register_default_interceptors;
use rtc::peer_connection::configuration::media_engine::{
    MIME_TYPE_OPUS, MIME_TYPE_TELEPHONE_EVENT, MediaEngine,
};
use rtc::rtp_transceiver::rtp_sender::{
    RTCRtpCodec, RTCRtpCodecParameters, RTCRtpCodingParameters, RTCRtpEncodingParameters,
    RtpCodecKind,
};
use tokio::sync::mpsc;
use webrtc::media_stream::track_local::static_rtp::TrackLocalStaticRTP;
use webrtc::media_stream::track_local::{TrackLocal, TrackLocalEvent};
use webrtc::media_stream::track_remote::{TrackRemote, TrackRemoteEvent};
use webrtc::peer_connection::{
    PeerConnection, PeerConnectionBuilder, PeerConnectionEventHandler, RTCConfigurationBuilder,
    RTCIceCandidateInit, RTCIceGatheringState, RTCPeerConnectionIceEvent, RTCPeerConnectionState,
    RTCSessionDescription, Registry, SettingEngineBuilder,
};

use super::reports::{self, ReportTap};
use super::socket::Guarded;
use super::{BrowserEnd, BrowserLeg, CLOCK_HZ, Word, ends, fragment, keys};
use crate::call::Shown;
use crate::clock;

/// Payload types where the browser has none of its own.
const OPUS: u8 = 111;
const TELEPHONE_EVENT: u8 = 110;
/// Opus with in-band FEC; what the browser is told besides stands in [`with_dtx`].
const OPUS_FMTP: &str = "minptime=10;useinbandfec=1";
/// Where reports are handed out in the chain of interceptors: the last before us.
const REPORTS: usize = 14_000;
/// Nothing comes for so long: the browser is away. ICE gives up after the second, and asks whether
/// the other is there each third.
const AWAY_AFTER: Duration = Duration::from_secs(3);
const FAILED_AFTER: Duration = Duration::from_secs(25);
const KEEPALIVE: Duration = Duration::from_secs(2);
/// Events that wait for the session.
const EVENTS: usize = 64;
/// How often a sender asks whether it has been agreed on by now.
const BOUND_EVERY: Duration = Duration::from_millis(100);
/// How often it is looked whether there are candidates by now.
const GATHERED_EVERY: Duration = Duration::from_millis(20);
/// The longest description that is read: a browser's offer of one audio stream takes 6 kB.
pub(crate) const SDP_BYTES_MAX: usize = 32_768;
/// Streams in one offer at most; each costs memory before it is refused.
const STREAMS_MAX: usize = 4;

/// How we are reached.
#[derive(Clone, Debug)]
pub(crate) struct Reach {
    /// Addresses of this machine where sockets are bound.
    pub(crate) bind: Vec<IpAddr>,
    /// The address that browsers are told instead, where a NAT stands before us.
    pub(crate) advertised: Option<IpAddr>,
    /// The ports, where they are not any.
    pub(crate) ports: Option<(u16, u16)>,
}

/// What a connection is made with.
#[derive(Clone, Debug)]
pub(crate) struct PeerSettings {
    /// How we are reached.
    pub(crate) reach: Reach,
    /// Seed of what has to be unguessable in the stream.
    pub(crate) seed: u64,
}

/// What becomes of a connection.
#[derive(Clone, Debug)]
pub(crate) enum PeerEvent {
    /// A candidate of ours, as the browser takes it; none after the last.
    Candidate(Option<serde_json::Value>),
    /// Sound may flow.
    Connected,
    /// The browser cannot be reached for the moment, or not any more.
    Away,
    /// The connection is over.
    Closed,
}

/// Why a connection cannot be.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PeerFault {
    /// No socket could be had.
    #[error("no media socket could be had: {0}")]
    NoSocket(String),
    /// The description cannot be read, or offers nothing that we speak.
    #[error("the offer cannot be taken: {0}")]
    Offer(String),
    /// The candidate cannot be read.
    #[error("the candidate cannot be taken: {0}")]
    Candidate(String),
}

/// A connection to a browser.
pub(crate) struct Peer {
    connection: Arc<dyn PeerConnection>,
    pub(crate) end: Arc<BrowserEnd>,
    advertised: Option<IpAddr>,
}

impl std::fmt::Debug for Peer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Peer").field("end", &self.end).finish_non_exhaustive()
    }
}

/// A connection just made: itself, the call's end of it, what its page is to be shown, and what
/// becomes of it.
pub(crate) struct Opened {
    pub(crate) peer: Peer,
    pub(crate) leg: BrowserLeg,
    pub(crate) shown: mpsc::Receiver<Shown>,
    pub(crate) events: mpsc::Receiver<PeerEvent>,
}

impl Peer {
    /// Makes a connection that nothing has been agreed on.
    ///
    /// # Errors
    /// [`PeerFault::NoSocket`].
    pub(crate) async fn open(settings: &PeerSettings) -> Result<Opened, PeerFault> {
        let ssrc = (settings.seed >> 32) as u32 | 1;
        let track = Arc::new(TrackLocalStaticRTP::new(outgoing(ssrc)));
        let (leg, end, shown) = ends(track.clone(), ssrc, settings.seed);
        let end = Arc::new(end);
        let (say, events) = mpsc::channel(EVENTS);
        let connection = bound(&settings.reach, &end, &say).await?;
        let added = connection.add_track(track.clone() as Arc<dyn TrackLocal>).await;
        added.map_err(|error| PeerFault::NoSocket(error.to_string()))?;
        tokio::spawn(hear_reports(track, Arc::downgrade(&end)));
        let peer = Self { connection, end, advertised: settings.reach.advertised };
        Ok(Opened { peer, leg, shown, events })
    }

    /// Answers an offer: the first, or one that changes or restarts the connection.
    ///
    /// # Errors
    /// [`PeerFault::Offer`]; the connection stays as it was.
    pub(crate) async fn answer(&self, offer: &str) -> Result<String, PeerFault> {
        let refuse = |why: String| PeerFault::Offer(why);
        may_be_taken(offer).map_err(|why| refuse(why.to_owned()))?;
        let offer = RTCSessionDescription::offer(keys::with_one_clock(offer));
        let offer = offer.map_err(|error| refuse(error.to_string()))?;
        let set = self.connection.set_remote_description(offer).await;
        set.map_err(|error| refuse(error.to_string()))?;
        let answer = self.connection.create_answer(None).await;
        let answer = answer.map_err(|error| refuse(error.to_string()))?;
        let sdp = answer.sdp.clone();
        let Some(sound) = keys::payload_type(&sdp, "opus") else {
            return Err(refuse("it has no Opus".to_owned()));
        };
        self.end.gate.open(&sdp);
        let set = self.connection.set_local_description(answer).await;
        set.map_err(|error| refuse(error.to_string()))?;
        self.end.agreed(sound, keys::agreed(&sdp));
        Ok(with_dtx(&sdp))
    }

    /// An offer like the last, with the ICE session that a part of a description names.
    ///
    /// # Errors
    /// [`PeerFault::Offer`].
    pub(crate) async fn offer_with(&self, part: &str) -> Result<String, PeerFault> {
        let last = self.connection.current_remote_description().await;
        let offer = last.and_then(|last| fragment::offered(&last.sdp, part));
        offer.ok_or_else(|| PeerFault::Offer("it names no ICE session".to_owned()))
    }

    /// The description once candidates are in it; the answer, where there are none in time.
    pub(crate) async fn gathered(&self, answer: String, within: Duration) -> String {
        let gathering = async {
            let mut look = tokio::time::interval(GATHERED_EVERY);
            loop {
                look.tick().await;
                let description = self.description().await;
                if let Some(it) = description.filter(|it| it.contains("a=candidate:")) {
                    return it;
                }
            }
        };
        tokio::time::timeout(within, gathering).await.unwrap_or(answer)
    }

    /// The description as it stands, with the candidates that are known.
    pub(crate) async fn description(&self) -> Option<String> {
        let description = self.connection.local_description().await?;
        Some(self.advertise(&with_dtx(&description.sdp)))
    }

    /// Takes a candidate of the browser's.
    ///
    /// # Errors
    /// [`PeerFault::Candidate`].
    pub(crate) async fn candidate(&self, candidate: serde_json::Value) -> Result<(), PeerFault> {
        let refuse = |why: String| PeerFault::Candidate(why);
        let candidate: RTCIceCandidateInit =
            serde_json::from_value(candidate).map_err(|error| refuse(error.to_string()))?;
        let added = self.connection.add_ice_candidate(candidate).await;
        added.map_err(|error| refuse(error.to_string()))
    }

    /// Names the address that browsers reach in place of ours.
    pub(crate) fn advertise(&self, text: &str) -> String {
        let Some(advertised) = self.advertised else { return text.to_owned() };
        let lines = text.split_inclusive('\n').map(|line| as_advertised(line, advertised));
        lines.collect()
    }

    /// Ends it.
    pub(crate) async fn close(&self) {
        if let Err(error) = self.connection.close().await {
            tracing::debug!(%error, "a browser's connection did not close");
        }
    }
}

/// Binds at each address; where ports are few, at the next that is free.
async fn bound(
    reach: &Reach,
    end: &Arc<BrowserEnd>,
    events: &mpsc::Sender<PeerEvent>,
) -> Result<Arc<dyn PeerConnection>, PeerFault> {
    let ports = match reach.ports {
        None => 0..=0,
        Some((first, last)) => first..=last,
    };
    // Where to begin is drawn, so that calls do not all try the same ones first.
    let span = usize::from(ports.end() - ports.start()) + 1;
    let from = rand::random_range(0..span);
    let mut why = String::from("there is no port");
    for port in ports.clone().cycle_from(from, span) {
        match built(reach, port, end, events).await {
            Ok(connection) => return Ok(connection),
            Err(error) => why = error,
        }
    }
    Err(PeerFault::NoSocket(why))
}

/// A range of ports, begun in its middle.
trait CycleFrom {
    fn cycle_from(self, from: usize, count: usize) -> impl Iterator<Item = u16>;
}

impl CycleFrom for std::ops::RangeInclusive<u16> {
    fn cycle_from(self, from: usize, count: usize) -> impl Iterator<Item = u16> {
        self.cycle().skip(from).take(count)
    }
}

async fn built(
    reach: &Reach,
    port: u16,
    end: &Arc<BrowserEnd>,
    events: &mpsc::Sender<PeerEvent>,
) -> Result<Arc<dyn PeerConnection>, String> {
    let mut media = MediaEngine::default();
    let opus = codec(MIME_TYPE_OPUS, 2, OPUS_FMTP, OPUS);
    let keys = codec(MIME_TYPE_TELEPHONE_EVENT, 0, "0-16", TELEPHONE_EVENT);
    for known in [opus, keys] {
        media.register_codec(known, RtpCodecKind::Audio).map_err(|error| error.to_string())?;
    }
    let chain = register_default_interceptors(Registry::new(), &mut media);
    let chain = chain.map_err(|error| error.to_string())?;
    let engine = SettingEngineBuilder::new()
        // A browser without a microphone's permission names itself by mDNS; it is found by its
        // first packet.
        .with_multicast_dns_mode(MulticastDnsMode::Disabled)
        .with_ice_timeouts(Some(AWAY_AFTER), Some(FAILED_AFTER), Some(KEEPALIVE))
        .build();
    let witness = Witness { end: Arc::downgrade(end), events: events.clone() };
    let tap = ReportTap::new(end.gate.clone());
    let addresses = reach.bind.iter().map(|ip| std::net::SocketAddr::new(*ip, port).to_string());
    let connection = PeerConnectionBuilder::new()
        .with_configuration(RTCConfigurationBuilder::new().build())
        .with_media_engine(media)
        .with_setting_engine(engine)
        .with_interceptor_registry(chain.with(Slot::from(REPORTS), tap))
        .with_runtime(Arc::new(Guarded(end.gate.clone())))
        .with_handler(Arc::new(witness))
        .with_udp_addrs(addresses.collect::<Vec<_>>())
        .build()
        .await;
    Ok(Arc::new(connection.map_err(|error| error.to_string())?))
}

/// What the connection says of itself. It holds the connection's end weakly: the connection holds
/// the witness.
struct Witness {
    end: Weak<BrowserEnd>,
    events: mpsc::Sender<PeerEvent>,
}

impl Witness {
    fn say(&self, event: PeerEvent) {
        // A session that has ended misses nothing.
        let _ = self.events.try_send(event);
    }
}

#[async_trait::async_trait]
impl PeerConnectionEventHandler for Witness {
    async fn on_ice_candidate(&self, event: RTCPeerConnectionIceEvent) {
        let candidate = event.candidate.to_json().ok();
        if let Some(candidate) = candidate.and_then(|it| serde_json::to_value(it).ok()) {
            self.say(PeerEvent::Candidate(Some(candidate)));
        }
    }

    async fn on_ice_gathering_state_change(&self, state: RTCIceGatheringState) {
        if state == RTCIceGatheringState::Complete {
            self.say(PeerEvent::Candidate(None));
        }
    }

    async fn on_connection_state_change(&self, state: RTCPeerConnectionState) {
        match state {
            RTCPeerConnectionState::Connected => self.say(PeerEvent::Connected),
            RTCPeerConnectionState::Disconnected | RTCPeerConnectionState::Failed => {
                self.say(PeerEvent::Away);
            }
            RTCPeerConnectionState::Closed => self.say(PeerEvent::Closed),
            _ => {}
        }
    }

    async fn on_track(&self, track: Arc<dyn TrackRemote>) {
        // Handlers are awaited by the connection's own task: what loops has a task of its own.
        tokio::spawn(hear_sound(track, self.end.clone()));
    }
}

/// Passes on what comes, until the connection closes.
async fn hear_sound(track: Arc<dyn TrackRemote>, end: Weak<BrowserEnd>) {
    while let Some(event) = track.poll().await {
        let Some(end) = end.upgrade() else { return };
        if let TrackRemoteEvent::OnRtpPacket(packet) = event {
            end.give(packet);
        }
    }
}

/// Passes on what the browser reports of our stream, until the connection closes.
async fn hear_reports(track: Arc<TrackLocalStaticRTP>, end: Weak<BrowserEnd>) {
    let mut look = tokio::time::interval(BOUND_EVERY);
    loop {
        let event = track.poll().await;
        let Some(end) = end.upgrade() else { return };
        if end.over.is_cancelled() {
            return;
        }
        match event {
            Some(TrackLocalEvent::OnRtcpPacket(packets)) => {
                if let Some(network) = reports::read(&packets, clock::wall_unix_ms()) {
                    end.tell(Word::Network(network));
                }
            }
            Some(_) => {}
            // Not agreed on yet.
            None => {
                drop(end);
                look.tick().await;
            }
        }
    }
}

fn outgoing(ssrc: u32) -> MediaStreamTrack {
    let coding = RTCRtpCodingParameters { ssrc: Some(ssrc), ..Default::default() };
    let encoding = RTCRtpEncodingParameters {
        rtp_coding_parameters: coding,
        codec: codec(MIME_TYPE_OPUS, 2, OPUS_FMTP, OPUS).rtp_codec,
        ..Default::default()
    };
    let (stream, track, label) = ("cordboard".into(), "assistant".into(), "assistant".into());
    MediaStreamTrack::new(stream, track, label, RtpCodecKind::Audio, vec![encoding])
}

fn codec(mime_type: &str, channels: u16, fmtp: &str, payload_type: u8) -> RTCRtpCodecParameters {
    let rtp_codec = RTCRtpCodec {
        mime_type: mime_type.to_owned(),
        clock_rate: CLOCK_HZ,
        channels,
        sdp_fmtp_line: fmtp.to_owned(),
        rtcp_feedback: Vec::new(),
    };
    RTCRtpCodecParameters { rtp_codec, payload_type }
}

/// Whether an offer is worth to be given to the parser.
fn may_be_taken(offer: &str) -> Result<(), &'static str> {
    if offer.len() > SDP_BYTES_MAX {
        return Err("it is longer than 32,768 bytes");
    }
    let streams = offer.lines().filter(|line| line.starts_with("m=")).count();
    if streams > STREAMS_MAX {
        return Err("it has more than four streams");
    }
    if !offer.lines().any(|line| line.starts_with("m=audio ")) {
        return Err("it has no sound");
    }
    Ok(())
}

/// Asks the browser to send nothing while its side is silent. The answer repeats the offer's
/// parameters whatever we have registered.
fn with_dtx(sdp: &str) -> String {
    sdp.replace("useinbandfec=1\r\n", "useinbandfec=1;usedtx=1\r\n")
}

/// A line of a description, or a candidate alone, with this address where it names a host.
fn as_advertised(line: &str, advertised: IpAddr) -> String {
    let is_host = line.contains("candidate:") && line.contains(" typ host");
    let mut words: Vec<&str> = line.split(' ').collect();
    let advertised = advertised.to_string();
    if let Some(address) = words.get_mut(4).filter(|_| is_host) {
        *address = &advertised;
    }
    words.join(" ")
}
