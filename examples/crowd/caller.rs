//! One caller: rings, speaks, listens, hangs up.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use cordboard::clock;
use cordboard_audio::codec::g711;
use cordboard_audio::wav::read_mono;
use cordboard_sip::endpoint::{DialRequest, Endpoint, LegSignal};
use tokio::net::UdpSocket;
use tokio::time::MissedTickBehavior;

use super::{Failure, Options};

const FRAME_BYTES: usize = 160;
/// How long the far end has to answer.
const PATIENCE: Duration = Duration::from_secs(20);

/// What every caller does.
pub(crate) struct Script {
    uri: String,
    stay: Duration,
    /// μ-law; empty where the caller says nothing.
    speech: Vec<u8>,
    /// Frames from one utterance's begin to the next's.
    period_frames: u64,
}

impl Script {
    pub(crate) fn new(
        uri: &str,
        speech: Option<&Path>,
        options: &Options,
    ) -> Result<Self, Failure> {
        let speech = match speech {
            None => Vec::new(),
            Some(path) => {
                let file = std::fs::File::open(path)
                    .map_err(|error| format!("{}: {error}", path.display()))?;
                let (samples, rate) = read_mono(file)?;
                if rate.hz() != 8_000 {
                    return Err(format!("{}: want 8 kHz mono", path.display()).into());
                }
                let mut bytes = vec![0; samples.len()];
                g711::encode_ulaw_into(&samples, &mut bytes);
                bytes
            }
        };
        let stay = Duration::from_secs(options.seconds);
        let period_frames = options.speech_every_s.max(1) * 50;
        Ok(Self { uri: uri.to_owned(), stay, speech, period_frames })
    }

    /// Whether they call as browsers do.
    pub(crate) fn is_browser(&self) -> bool {
        self.uri.starts_with("http://")
    }

    /// Whom they ring.
    pub(crate) fn address(&self) -> &str {
        &self.uri
    }

    /// The payload of the n-th frame.
    fn frame(&self, n: u64) -> [u8; FRAME_BYTES] {
        // The quietest two values of μ-law in turn: a line, not a digital silence.
        let mut frame = std::array::from_fn(|at| if at % 2 == 0 { 0xff } else { 0x7f });
        if n >= self.period_frames {
            let at = usize::try_from(n % self.period_frames).unwrap_or(0) * FRAME_BYTES;
            let part = &self.speech[at.min(self.speech.len())..];
            let part = &part[..part.len().min(FRAME_BYTES)];
            frame[..part.len()].copy_from_slice(part);
        }
        frame
    }
}

/// What one caller heard.
#[derive(Debug, Default)]
pub(crate) struct Heard {
    /// Why the call did not come to be, or broke.
    pub(crate) failure: Option<String>,
    /// From one packet to the next, µs.
    pub(crate) spacing_us: Vec<u32>,
    /// Sequence numbers that never came.
    pub(crate) lost: u64,
    /// From the INVITE to the answer.
    pub(crate) answered: Duration,
    /// From the answer to the hang-up.
    pub(crate) stayed: Duration,
}

/// Makes one call.
pub(crate) async fn call(endpoint: &Endpoint, script: &Script) -> Heard {
    match talk(endpoint, script).await {
        Ok(heard) => heard,
        Err(failure) => Heard { failure: Some(failure.to_string()), ..Heard::default() },
    }
}

async fn talk(endpoint: &Endpoint, script: &Script) -> Result<Heard, Failure> {
    let socket = UdpSocket::bind("127.0.0.1:0").await?;
    let port = socket.local_addr()?.port();
    let rang = clock::monotonic();
    let mut leg = endpoint.dial(DialRequest {
        to: script.uri.clone(),
        from: "sip:crowd@127.0.0.1".to_owned(),
        display: None,
        sdp: format!(
            "v=0\r\no=- {port} 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n\
             m=audio {port} RTP/AVP 0 101\r\na=rtpmap:101 telephone-event/8000\r\n"
        ),
        headers: Vec::new(),
    })?;
    let remote = tokio::time::timeout(PATIENCE, answer(&mut leg)).await??;
    let mut heard = Heard { answered: clock::monotonic() - rang, ..Heard::default() };
    let answered = clock::monotonic();
    let mut tick = tokio::time::interval(Duration::from_millis(20));
    tick.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let (mut sent, mut last) = (0_u64, None::<(u16, Duration)>);
    let mut buffer = [0; 1_500];
    while clock::monotonic() - answered < script.stay {
        tokio::select! {
            _ = tick.tick() => {
                let packet = packet(port, sent, &script.frame(sent));
                // What the system does not take is lost, as any packet may be on its way.
                let _ = socket.try_send_to(&packet, remote);
                sent += 1;
            }
            got = socket.recv_from(&mut buffer) => {
                let (len, _) = got?;
                if len > 12 && buffer[1] & 0x7f == 0 {
                    let sequence = u16::from_be_bytes([buffer[2], buffer[3]]);
                    arrived(&mut heard, &mut last, sequence, clock::monotonic());
                }
            }
            signal = leg.events.recv() => match signal {
                Some(LegSignal::Bye { .. }) | None => break,
                Some(_) => {}
            },
        }
    }
    heard.stayed = clock::monotonic() - answered;
    leg.line.hang_up(None);
    Ok(heard)
}

async fn answer(leg: &mut cordboard_sip::endpoint::Leg) -> Result<SocketAddr, Failure> {
    loop {
        match leg.events.recv().await {
            Some(LegSignal::Accepted { sdp: Some(sdp) }) => return remote(&sdp),
            Some(LegSignal::Refused { code, .. }) => return Err(format!("refused: {code}").into()),
            None => return Err("the leg ended before an answer".into()),
            Some(_) => {}
        }
    }
}

fn remote(sdp: &str) -> Result<SocketAddr, Failure> {
    let field = |prefix: &str| sdp.lines().find_map(|line| line.strip_prefix(prefix));
    let ip = field("c=IN IP4 ").ok_or("an answer without an address")?.trim();
    let port = field("m=audio ").and_then(|rest| rest.split(' ').next());
    Ok(SocketAddr::new(ip.parse()?, port.ok_or("an answer without a port")?.parse()?))
}

/// Writes down that a packet came.
pub(crate) fn arrived(
    heard: &mut Heard,
    last: &mut Option<(u16, Duration)>,
    sequence: u16,
    now: Duration,
) {
    if let Some((before, at)) = *last {
        let step = sequence.wrapping_sub(before);
        if step == 0 || step > u16::MAX / 2 {
            return;
        }
        heard.lost += u64::from(step - 1);
        heard.spacing_us.push(u32::try_from((now - at).as_micros()).unwrap_or(u32::MAX));
    }
    *last = Some((sequence, now));
}

/// An RTP packet (RFC 3550 §5.1) of 20 ms of μ-law.
fn packet(ssrc: u16, n: u64, frame: &[u8; FRAME_BYTES]) -> [u8; 12 + FRAME_BYTES] {
    let mut packet = [0; 12 + FRAME_BYTES];
    packet[0] = 0x80;
    packet[1] = if n == 0 { 0x80 } else { 0 };
    let low = n.to_be_bytes();
    packet[2..4].copy_from_slice(&low[6..]);
    packet[4..8].copy_from_slice(&(n * 160).to_be_bytes()[4..]);
    packet[10..12].copy_from_slice(&ssrc.to_be_bytes());
    packet[12..].copy_from_slice(frame);
    packet
}
