//! A caller in a browser, without the browser: WHIP (RFC 9725), ICE, DTLS-SRTP and Opus.
//!
//! The connection lives on the runtime; the tick hands it frames and takes what came, by queues.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender};
use rtc::media_stream::MediaStreamTrack;
use rtc::peer_connection::configuration::interceptor_registry::register_default_interceptors;
use rtc::peer_connection::configuration::media_engine::{MIME_TYPE_OPUS, MediaEngine};
use rtc::rtp_transceiver::rtp_sender::{
    RTCRtpCodec, RTCRtpCodecParameters, RTCRtpCodingParameters, RTCRtpEncodingParameters,
    RtpCodecKind,
};
use tokio::sync::{mpsc, watch};
use webrtc::media_stream::track_local::TrackLocal;
use webrtc::media_stream::track_local::static_rtp::TrackLocalStaticRTP;
use webrtc::media_stream::track_remote::{TrackRemote, TrackRemoteEvent};
use webrtc::peer_connection::{
    PeerConnection, PeerConnectionBuilder, PeerConnectionEventHandler, RTCConfigurationBuilder,
    RTCIceGatheringState, RTCPeerConnectionState, RTCSessionDescription, Registry,
    SettingEngineBuilder,
};

use crate::clock;

const OPUS: u8 = 111;
const CLOCK_HZ: u32 = 48_000;
const FRAME_TICKS: u32 = 960;
/// Frames that wait to be sent, at most.
const WAITING: usize = 50;
/// How long candidates of our own may take.
const GATHERS: Duration = Duration::from_secs(5);

/// Where a WHIP endpoint is, and what it is shown.
#[derive(Clone, Debug)]
pub struct WhipTarget {
    /// The endpoint.
    pub url: String,
    /// `Authorization: Bearer`; none asks a Cordboard for a token of one call.
    pub token: Option<String>,
}

/// What the connection tells the tick.
#[derive(Debug)]
pub(super) enum News {
    /// Sound may flow.
    Connected,
    /// A packet.
    Came { at: Duration, ssrc: u32, timestamp: u32, payload: bytes::Bytes },
    /// It was not to be: a status, or none, and why.
    Refused { code: Option<u16>, why: String },
    /// Its media would be there, which was not given.
    Elsewhere(IpAddr),
    /// The far end has closed it.
    Ended,
}

/// The tick's end of a connection; dropping it hangs up.
#[derive(Debug)]
pub(super) struct Whip {
    frames: mpsc::Sender<bytes::Bytes>,
    pub(super) news: Receiver<News>,
}

impl Whip {
    /// Begins a call; needs a runtime.
    pub(super) fn call(target: WhipTarget, allowed: Arc<[IpAddr]>, from: IpAddr) -> Self {
        let (frames, waiting) = mpsc::channel(WAITING);
        let (tell, news) = crossbeam_channel::unbounded();
        tokio::spawn(async move {
            if let Err(fault) = talk(&target, &allowed, from, waiting, &tell).await {
                // Who asked may have gone.
                let _ = tell.send(fault);
            }
        });
        Self { frames, news }
    }

    /// Sends 20 ms; what the connection does not take is lost, as any packet may be.
    pub(super) fn send(&self, frame: &[u8]) {
        let _ = self.frames.try_send(bytes::Bytes::copy_from_slice(frame));
    }
}

fn refused(why: impl std::fmt::Display) -> News {
    News::Refused { code: None, why: why.to_string() }
}

async fn talk(
    target: &WhipTarget,
    allowed: &[IpAddr],
    from: IpAddr,
    mut frames: mpsc::Receiver<bytes::Bytes>,
    tell: &Sender<News>,
) -> Result<(), News> {
    let (connection, track, mut standing) = offer(from, tell.clone()).await.map_err(refused)?;
    let http = Http::new(target).await?;
    let offer = connection.local_description().await.ok_or_else(|| refused("no offer"))?.sdp;
    let (answer, place) = http.post(offer).await?;
    if let Some(elsewhere) = candidates(&answer).find(|it| !allowed.contains(it)) {
        http.delete(&place).await;
        let _ = connection.close().await;
        return Err(News::Elsewhere(elsewhere));
    }
    let answer = RTCSessionDescription::answer(answer).map_err(refused)?;
    connection.set_remote_description(answer).await.map_err(refused)?;
    if left(&mut standing, Standing::Begun).await != Standing::Connected {
        return Err(refused("no way was found between the two (ICE)"));
    }
    let _ = tell.send(News::Connected);
    let ssrc = track.1;
    let (mut sequence, mut timestamp): (u16, u32) = (rand::random(), rand::random());
    let ended = loop {
        tokio::select! {
            frame = frames.recv() => {
                let Some(payload) = frame else { break false };
                sequence = sequence.wrapping_add(1);
                timestamp = timestamp.wrapping_add(FRAME_TICKS);
                // An empty frame is one that is lost on the way.
                if payload.is_empty() { continue }
                let header = rtc::rtp::header::Header {
                    version: 2,
                    payload_type: OPUS,
                    sequence_number: sequence,
                    timestamp,
                    ssrc,
                    ..Default::default()
                };
                let _ = track.0.write_rtp(rtc::rtp::Packet { header, payload }).await;
            }
            _ = left(&mut standing, Standing::Connected) => break true,
        }
    };
    if ended {
        let _ = tell.send(News::Ended);
    } else {
        http.delete(&place).await;
    }
    let _ = connection.close().await;
    Ok(())
}

/// Waits until the connection stands otherwise; how it stands then.
async fn left(standing: &mut watch::Receiver<Standing>, it: Standing) -> Standing {
    let now = standing.wait_for(|now| *now != it).await;
    now.map_or(Standing::Over, |now| *now)
}

/// Addresses that a description has its media at.
fn candidates(description: &str) -> impl Iterator<Item = IpAddr> {
    description
        .lines()
        .filter_map(|line| line.trim().strip_prefix("a=candidate:"))
        .filter_map(|candidate| candidate.split_whitespace().nth(4)?.parse().ok())
}

/// The signalling.
struct Http<'a> {
    client: reqwest::Client,
    target: &'a WhipTarget,
    token: Option<String>,
}

impl<'a> Http<'a> {
    async fn new(target: &'a WhipTarget) -> Result<Self, News> {
        // The client wants one, also where nothing is encrypted.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let policy = reqwest::redirect::Policy::none();
        let client = reqwest::Client::builder().no_proxy().redirect(policy).build();
        let mut http = Self { client: client.map_err(refused)?, target, token: None };
        http.token = match &target.token {
            Some(token) => Some(token.clone()),
            None => http.ask_for_token().await,
        };
        Ok(http)
    }

    /// A Cordboard's `POST /v1/tokens`; none where there is nothing like it.
    async fn ask_for_token(&self) -> Option<String> {
        let (base, flow) = self.target.url.split_once("/v1/whip/")?;
        let wanted = serde_json::json!({ "flow": flow });
        let asked =
            self.client.post(format!("{base}/v1/tokens")).json(&wanted).send().await.ok()?;
        let given: serde_json::Value = asked.error_for_status().ok()?.json().await.ok()?;
        given["token"].as_str().map(str::to_owned)
    }

    /// Offers; gives the answer, and where the session is.
    async fn post(&self, offer: String) -> Result<(String, Option<reqwest::Url>), News> {
        let mut request = self.client.post(&self.target.url).body(offer);
        request = request.header("content-type", "application/sdp");
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        let answer = request.send().await.map_err(refused)?;
        let code = answer.status().as_u16();
        if !answer.status().is_success() {
            let why = answer.text().await.unwrap_or_default();
            return Err(News::Refused { code: Some(code), why });
        }
        let location = answer.headers().get("location").and_then(|it| it.to_str().ok());
        let place = location.and_then(|it| answer.url().join(it).ok());
        // Nothing is sent to another address than the one given.
        let place = place.filter(|it| it.host() == answer.url().host());
        Ok((answer.text().await.map_err(refused)?, place))
    }

    async fn delete(&self, place: &Option<reqwest::Url>) {
        let Some(place) = place else { return };
        let mut request = self.client.delete(place.clone());
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        // Closing the connection ends it too, if later.
        let _ = request.send().await;
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    Begun,
    Connected,
    Over,
}

struct Witness {
    gathered: watch::Sender<bool>,
    standing: watch::Sender<Standing>,
    tell: Sender<News>,
}

#[async_trait::async_trait]
impl PeerConnectionEventHandler for Witness {
    async fn on_ice_gathering_state_change(&self, state: RTCIceGatheringState) {
        self.gathered.send_replace(state == RTCIceGatheringState::Complete);
    }

    async fn on_connection_state_change(&self, state: RTCPeerConnectionState) {
        match state {
            RTCPeerConnectionState::Connected => {
                self.standing.send_replace(Standing::Connected);
            }
            RTCPeerConnectionState::Failed | RTCPeerConnectionState::Closed => {
                self.standing.send_replace(Standing::Over);
            }
            _ => {}
        }
    }

    async fn on_track(&self, track: Arc<dyn TrackRemote>) {
        let tell = self.tell.clone();
        tokio::spawn(async move {
            while let Some(event) = track.poll().await {
                if let TrackRemoteEvent::OnRtpPacket(packet) = event {
                    let at = clock::monotonic();
                    let rtc::rtp::header::Header { ssrc, timestamp, .. } = packet.header;
                    let payload = packet.payload;
                    let _ = tell.send(News::Came { at, ssrc, timestamp, payload });
                }
            }
        });
    }
}

type Offered =
    (Arc<dyn PeerConnection>, (Arc<TrackLocalStaticRTP>, u32), watch::Receiver<Standing>);

/// A connection that has offered Opus, with all candidates.
async fn offer(
    from: IpAddr,
    tell: Sender<News>,
) -> Result<Offered, Box<dyn std::error::Error + Send + Sync>> {
    let mut media = MediaEngine::default();
    let opus = opus();
    media.register_codec(opus.clone(), RtpCodecKind::Audio)?;
    let chain = register_default_interceptors(Registry::new(), &mut media)?;
    let engine = SettingEngineBuilder::new()
        .with_multicast_dns_mode(rtc::ice::mdns::MulticastDnsMode::Disabled)
        .build();
    let (gathered, mut is_gathered) = watch::channel(false);
    let (standing, stands) = watch::channel(Standing::Begun);
    let connection = PeerConnectionBuilder::new()
        .with_configuration(RTCConfigurationBuilder::new().build())
        .with_media_engine(media)
        .with_setting_engine(engine)
        .with_interceptor_registry(chain)
        .with_handler(Arc::new(Witness { gathered, standing, tell }))
        .with_udp_addrs(vec![format!("{from}:0")])
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
    let sound = MediaStreamTrack::new(name(), name(), name(), RtpCodecKind::Audio, vec![encoding]);
    let track = Arc::new(TrackLocalStaticRTP::new(sound));
    connection.add_track(track.clone() as Arc<dyn TrackLocal>).await?;
    let offer = connection.create_offer(None).await?;
    connection.set_local_description(offer).await?;
    tokio::time::timeout(GATHERS, is_gathered.wait_for(|it| *it)).await??;
    Ok((connection, (track, ssrc), stands))
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
