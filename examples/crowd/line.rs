//! A browser's end of a call without the browser: offers Opus, sends, and writes down what comes.
//!
//! Signalling is whoever's holds it; [`Line::ring`] does it by WHIP.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use cordboard::clock;
use rtc::media_stream::MediaStreamTrack;
use rtc::peer_connection::configuration::interceptor_registry::register_default_interceptors;
use rtc::peer_connection::configuration::media_engine::{MIME_TYPE_OPUS, MediaEngine};
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

/// What went wrong.
pub(crate) type Fault = Box<dyn std::error::Error + Send + Sync>;

const OPUS: u8 = 111;
const CLOCK_HZ: u32 = 48_000;
const FRAME_TICKS: u32 = 960;
/// How long anything of the connection may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// A packet that came.
#[derive(Clone, Debug)]
pub(crate) struct Came {
    pub(crate) at: Duration,
    pub(crate) sequence: u16,
    pub(crate) payload: Vec<u8>,
}

/// What has come so far.
type Heard = Arc<Mutex<Vec<Came>>>;

/// One connection.
pub(crate) struct Line {
    connection: Arc<dyn PeerConnection>,
    track: Arc<TrackLocalStaticRTP>,
    standing: watch::Receiver<Standing>,
    heard: Heard,
    ssrc: u32,
    sequence: u16,
    timestamp: u32,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Standing {
    gathered: bool,
    connected: bool,
    over: bool,
}

struct Witness {
    standing: watch::Sender<Standing>,
    heard: Heard,
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
        let heard = self.heard.clone();
        tokio::spawn(async move {
            while let Some(event) = track.poll().await {
                if let TrackRemoteEvent::OnRtpPacket(packet) = event {
                    let at = clock::monotonic();
                    let sequence = packet.header.sequence_number;
                    let came = Came { at, sequence, payload: packet.payload.to_vec() };
                    heard.lock().unwrap_or_else(PoisonError::into_inner).push(came);
                }
            }
        });
    }
}

impl Line {
    /// Makes a connection, and its offer with all candidates.
    pub(crate) async fn offer() -> Result<(Self, String), Fault> {
        let mut media = MediaEngine::default();
        let opus = opus();
        media.register_codec(opus.clone(), RtpCodecKind::Audio)?;
        let chain = register_default_interceptors(Registry::new(), &mut media)?;
        let engine = SettingEngineBuilder::new()
            .with_multicast_dns_mode(rtc::ice::mdns::MulticastDnsMode::Disabled)
            .build();
        let (say, standing) = watch::channel(Standing::default());
        let heard = Heard::default();
        let connection = PeerConnectionBuilder::new()
            .with_configuration(RTCConfigurationBuilder::new().build())
            .with_media_engine(media)
            .with_setting_engine(engine)
            .with_interceptor_registry(chain)
            .with_handler(Arc::new(Witness { standing: say, heard: heard.clone() }))
            .with_udp_addrs(vec!["127.0.0.1:0".to_owned()])
            .build()
            .await?;
        let connection: Arc<dyn PeerConnection> = Arc::new(connection);
        let ssrc = rand::random();
        let coding = RTCRtpCodingParameters { ssrc: Some(ssrc), ..Default::default() };
        let encoding = RTCRtpEncodingParameters {
            rtp_coding_parameters: coding,
            codec: opus.rtp_codec,
            ..Default::default()
        };
        let name = || "caller".to_owned();
        let sound =
            MediaStreamTrack::new(name(), name(), name(), RtpCodecKind::Audio, vec![encoding]);
        let track = Arc::new(TrackLocalStaticRTP::new(sound));
        connection.add_track(track.clone() as Arc<dyn TrackLocal>).await?;
        let offer = connection.create_offer(None).await?;
        connection.set_local_description(offer).await?;
        let mut line = Self { connection, track, standing, heard, ssrc, sequence: 0, timestamp: 0 };
        line.wait("candidates", |it| it.gathered).await?;
        let offer = line.connection.local_description().await.ok_or("no offer")?.sdp;
        Ok((line, offer))
    }

    /// Calls a flow by WHIP; gives where it may be hung up as well.
    pub(crate) async fn ring(base: &str, flow: &str) -> Result<(Self, String), Fault> {
        let client = reqwest::Client::new();
        let wanted = serde_json::json!({ "flow": flow });
        let given = client.post(format!("{base}/v1/tokens")).json(&wanted).send().await?;
        let given: serde_json::Value = given.error_for_status()?.json().await?;
        let token = given["token"].as_str().ok_or("no token")?;
        let (mut line, offer) = Self::offer().await?;
        let posted = client
            .post(format!("{base}/v1/whip/{flow}"))
            .bearer_auth(token)
            .header("content-type", "application/sdp")
            .body(offer)
            .send()
            .await?
            .error_for_status()?;
        let place = posted.headers().get("location").and_then(|it| it.to_str().ok());
        let place = format!("{base}{}", place.ok_or("no location")?);
        line.accept(posted.text().await?).await?;
        Ok((line, place))
    }

    /// Takes the answer, and waits until sound may flow.
    pub(crate) async fn accept(&mut self, answer: String) -> Result<(), Fault> {
        let answer = RTCSessionDescription::answer(answer)?;
        self.connection.set_remote_description(answer).await?;
        self.wait("a connection", |it| it.connected).await
    }

    async fn wait(&mut self, what: &str, is_so: impl Fn(&Standing) -> bool) -> Result<(), Fault> {
        let waiting = self.standing.wait_for(|it| it.over || is_so(it));
        let standing = tokio::time::timeout(PATIENCE, waiting).await;
        let standing = *standing.map_err(|_| format!("waited in vain for {what}"))??;
        if is_so(&standing) { Ok(()) } else { Err(format!("it ended before {what}").into()) }
    }

    /// Whether the far end has closed it.
    pub(crate) fn is_over(&self) -> bool {
        self.standing.borrow().over
    }

    /// Sends 20 ms of encoded sound.
    pub(crate) async fn send(&mut self, payload: &[u8]) {
        self.timestamp = self.timestamp.wrapping_add(FRAME_TICKS);
        self.sequence = self.sequence.wrapping_add(1);
        let header = rtc::rtp::header::Header {
            version: 2,
            payload_type: OPUS,
            sequence_number: self.sequence,
            timestamp: self.timestamp,
            ssrc: self.ssrc,
            ..Default::default()
        };
        let payload = bytes::Bytes::copy_from_slice(payload);
        // What the connection does not take is lost, as any packet may be on its way.
        let _ = self.track.write_rtp(rtc::rtp::Packet { header, payload }).await;
    }

    /// What has come so far.
    pub(crate) fn heard(&self) -> Vec<Came> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// An offer that restarts ICE.
    pub(crate) async fn offer_anew(&self) -> Result<String, Fault> {
        self.connection.restart_ice().await?;
        let offer = self.connection.create_offer(None).await?;
        self.connection.set_local_description(offer).await?;
        Ok(self.connection.local_description().await.ok_or("no offer")?.sdp)
    }

    /// Closes the connection.
    pub(crate) async fn close(&self) {
        let _ = self.connection.close().await;
    }
}

fn opus() -> RTCRtpCodecParameters {
    let rtp_codec = RTCRtpCodec {
        mime_type: MIME_TYPE_OPUS.to_owned(),
        clock_rate: CLOCK_HZ,
        channels: 2,
        sdp_fmtp_line: "minptime=10;useinbandfec=1".to_owned(),
        rtcp_feedback: Vec::new(),
    };
    RTCRtpCodecParameters { rtp_codec, payload_type: OPUS }
}
