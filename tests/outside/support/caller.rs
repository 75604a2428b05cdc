//! A caller made of two sockets: it knows when each packet came, which no phone tells.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use cordboard::clock;
use tokio::net::UdpSocket;
use tokio::task::JoinHandle;

use super::{PATIENCE, Serving, until};

/// A packet of sound, as it came.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Packet {
    pub(crate) at: Duration,
    pub(crate) sequence: u16,
    /// Whether there is more than silence in it.
    pub(crate) is_loud: bool,
}

#[derive(Debug, Default)]
struct Seen {
    packets: Vec<Packet>,
    answers: Vec<String>,
    hung_up: bool,
}

/// A call under way; PCMU, no telephone events.
#[derive(Debug)]
pub(crate) struct Caller {
    name: String,
    user: String,
    far: SocketAddr,
    sip: Arc<UdpSocket>,
    rtp: SocketAddr,
    to: String,
    sent: u32,
    seen: Arc<Mutex<Seen>>,
    tasks: Vec<JoinHandle<()>>,
}

impl Caller {
    /// Rings a user of the service and is answered.
    pub(crate) async fn ring(service: &Serving, user: &str, name: &str) -> Self {
        let ip = service.udp.ip();
        let sip = Arc::new(UdpSocket::bind((ip, 0)).await.unwrap());
        let rtp = Arc::new(UdpSocket::bind((ip, 0)).await.unwrap());
        let seen = Arc::<Mutex<Seen>>::default();
        let signalling = tokio::spawn(signal(sip.clone(), seen.clone()));
        let mut caller = Self {
            name: name.to_owned(),
            user: user.to_owned(),
            far: service.udp,
            sip,
            rtp: rtp.local_addr().unwrap(),
            to: String::new(),
            sent: 0,
            seen,
            tasks: vec![signalling],
        };
        let port = caller.rtp.port();
        let offer = format!(
            "v=0\r\no=- 1 1 IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\n\
             m=audio {port} RTP/AVP 0\r\n"
        );
        let answer = caller.request("INVITE", "application/sdp", &offer).await;
        assert!(answer.starts_with("SIP/2.0 200"), "{name}: {answer}");
        let port = answer.split("m=audio ").nth(1).and_then(|it| it.split(' ').next()).unwrap();
        let far = SocketAddr::new(ip, port.parse().unwrap());
        caller.send("ACK", 1, "", "").await;
        caller.tasks.push(tokio::spawn(listen(rtp.clone(), caller.seen.clone())));
        caller.tasks.push(tokio::spawn(be_silent(rtp, far)));
        caller
    }

    /// Presses a key, by INFO; it counts where the call still lives.
    pub(crate) async fn key(&mut self, digit: char) {
        let body = format!("Signal={digit}\r\nDuration=160\r\n");
        self.request("INFO", "application/dtmf-relay", &body).await;
    }

    /// Hangs up.
    pub(crate) async fn hang_up(&mut self) {
        self.request("BYE", "", "").await;
    }

    /// What came so far.
    pub(crate) fn packets(&self) -> Vec<Packet> {
        self.seen().packets.clone()
    }

    /// Whether the far end has hung up.
    pub(crate) fn is_hung_up(&self) -> bool {
        self.seen().hung_up
    }

    /// The longest stretch without any packet, and without any sound, from a time on; ms.
    pub(crate) fn gaps_ms(&self, since: Duration) -> (u128, u128) {
        let packets: Vec<_> = self.packets().into_iter().filter(|it| it.at >= since).collect();
        let longest = |times: Vec<Duration>| {
            times.windows(2).map(|pair| (pair[1] - pair[0]).as_millis()).max().unwrap_or(0)
        };
        let loud = packets.iter().filter(|it| it.is_loud).map(|it| it.at).collect();
        (longest(packets.iter().map(|it| it.at).collect()), longest(loud))
    }

    fn seen(&self) -> std::sync::MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends a request, again while nothing is answered; gives the final answer.
    async fn request(&mut self, method: &str, kind: &str, body: &str) -> String {
        self.sent += 1;
        let number = self.sent;
        let sequence = format!("{number} {method}");
        let answered = |text: &&String| {
            let lower = text.to_lowercase();
            lower.contains(&format!("cseq: {}", sequence.to_lowercase()))
                && !text.starts_with("SIP/2.0 1")
        };
        let began = clock::monotonic();
        let mut last = Duration::ZERO;
        let answer = until(method, async || {
            let now = clock::monotonic();
            if last.is_zero() || now - last > Duration::from_millis(500) {
                last = now;
                self.send(method, number, kind, body).await;
            }
            assert!(now - began < PATIENCE, "{method} is not answered");
            self.seen().answers.iter().find(answered).cloned()
        })
        .await;
        let to = answer.lines().find(|line| line.to_lowercase().starts_with("to:"));
        if self.to.is_empty()
            && let Some((_, tag)) = to.and_then(|line| line.split_once(";tag="))
        {
            self.to = format!(";tag={}", tag.trim());
        }
        answer
    }

    async fn send(&self, method: &str, number: u32, kind: &str, body: &str) {
        let (ours, theirs) = (self.sip.local_addr().unwrap(), self.far);
        let Self { name, user, to, .. } = self;
        let kind = match kind {
            "" => String::new(),
            kind => format!("Content-Type: {kind}\r\n"),
        };
        let text = format!(
            "{method} sip:{user}@{theirs} SIP/2.0\r\n\
             Via: SIP/2.0/UDP {ours};branch=z9hG4bK{name}{number}{method}\r\n\
             From: <sip:{name}@{ours}>;tag={name}\r\nTo: <sip:{user}@{theirs}>{to}\r\n\
             Call-ID: {name}-{ours}\r\nCSeq: {number} {method}\r\nContact: <sip:{name}@{ours}>\r\n\
             Max-Forwards: 70\r\n{kind}Content-Length: {}\r\n\r\n{body}",
            body.len(),
        );
        // An address that is gone for a while takes nothing; the next try may.
        drop(self.sip.send_to(text.as_bytes(), theirs).await);
    }
}

impl Drop for Caller {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

/// Takes answers, and says yes to every request.
async fn signal(sip: Arc<UdpSocket>, seen: Arc<Mutex<Seen>>) {
    let mut buffer = [0; 4_096];
    while let Ok((length, from)) = sip.recv_from(&mut buffer).await {
        let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
        if text.starts_with("SIP/2.0") {
            seen.lock().unwrap_or_else(PoisonError::into_inner).answers.push(text);
            continue;
        }
        let copied = ["via:", "from:", "to:", "call-id:", "cseq:"];
        let lines = text.lines().filter(|line| {
            let line = line.to_lowercase();
            copied.iter().any(|name| line.starts_with(name))
        });
        let headers: String = lines.map(|line| format!("{line}\r\n")).collect();
        let answer = format!("SIP/2.0 200 OK\r\n{headers}Content-Length: 0\r\n\r\n");
        drop(sip.send_to(answer.as_bytes(), from).await);
        let hung_up = text.starts_with("BYE");
        seen.lock().unwrap_or_else(PoisonError::into_inner).hung_up |= hung_up;
    }
}

async fn listen(rtp: Arc<UdpSocket>, seen: Arc<Mutex<Seen>>) {
    let mut buffer = [0; 1_500];
    while let Ok(length) = rtp.recv(&mut buffer).await {
        if length != 172 || buffer[1] & 0x7f != 0 {
            continue;
        }
        // 0xff and 0x7f are silence in PCMU.
        let is_loud = buffer[12..length].iter().any(|it| it & 0x7f < 0x60);
        let sequence = u16::from_be_bytes([buffer[2], buffer[3]]);
        let packet = Packet { at: clock::monotonic(), sequence, is_loud };
        seen.lock().unwrap_or_else(PoisonError::into_inner).packets.push(packet);
    }
}

/// Sends silence, packet after packet.
async fn be_silent(rtp: Arc<UdpSocket>, far: SocketAddr) {
    let mut tick = tokio::time::interval(Duration::from_millis(20));
    for number in 0_u32.. {
        tick.tick().await;
        let mut packet = [0xff_u8; 172];
        packet[..2].copy_from_slice(&[0x80, 0]);
        packet[2..4].copy_from_slice(&(number as u16).to_be_bytes());
        packet[4..8].copy_from_slice(&(number * 160).to_be_bytes());
        packet[8..12].copy_from_slice(&7_u32.to_be_bytes());
        drop(rtp.send_to(&packet, far).await);
    }
}
