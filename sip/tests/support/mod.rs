//! Endpoints on loopback, and a telephone that writes its own bytes.
#![expect(dead_code, reason = "each test binary uses a part of it")]
#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up has failed")]

use std::net::SocketAddr;
use std::time::Duration;

use cordboard_sip::access::Access;
use cordboard_sip::endpoint::{
    Counters, DialRequest, Endpoint, EndpointConfig, Incoming, Leg, LegSignal, T1,
};
use tokio::net::UdpSocket;
use tokio::sync::mpsc;

/// Far longer than anything here takes, on machines that are busy too.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A session description with a mark in it.
pub(crate) fn sdp(mark: u16) -> String {
    format!(
        "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n\
         m=audio {mark} RTP/AVP 0\r\n"
    )
}

pub(crate) type Side = (Endpoint, mpsc::Receiver<Incoming>);

pub(crate) async fn endpoint(t1: Duration) -> Side {
    let any = "127.0.0.1:0".parse().ok();
    let config = EndpointConfig {
        bind_udp: any,
        bind_tcp: any,
        access: Access::new(["127.0.0.0/8"], ["127.0.0.0/8", "localhost"]).unwrap(),
        user_agent: "test".to_owned(),
        t1,
        ..EndpointConfig::default()
    };
    Endpoint::bind(config).await.unwrap()
}

pub(crate) async fn two() -> (Side, Side) {
    (endpoint(T1).await, endpoint(T1).await)
}

pub(crate) fn request(to: String) -> DialRequest {
    DialRequest {
        to,
        from: "sip:4471@127.0.0.1".to_owned(),
        display: Some("Anna \"A\" Bell".to_owned()),
        sdp: sdp(4000),
        headers: vec![("User-to-User".to_owned(), "70617463683d31;encoding=hex".to_owned())],
    }
}

pub(crate) fn udp_uri(endpoint: &Endpoint) -> String {
    format!("sip:desk@{}", endpoint.local_udp().unwrap())
}

pub(crate) fn tcp_uri(endpoint: &Endpoint) -> String {
    format!("sip:desk@{};transport=tcp", endpoint.local_tcp().unwrap())
}

pub(crate) async fn call(calls: &mut mpsc::Receiver<Incoming>) -> Incoming {
    tokio::time::timeout(PATIENCE, calls.recv()).await.expect("a call in time").unwrap()
}

/// The next signal; `None` when the leg is gone.
pub(crate) async fn next(leg: &mut Leg) -> Option<LegSignal> {
    tokio::time::timeout(PATIENCE, leg.events.recv()).await.expect("a signal in time")
}

/// Waits until no leg is left.
pub(crate) async fn settled(endpoint: &Endpoint) {
    until(endpoint, |it| it.dialogs == 0).await;
}

/// Waits until no transaction is under way.
pub(crate) async fn without_transactions(endpoint: &Endpoint) {
    until(endpoint, |it| it.transactions == 0).await;
}

/// Waits until the counters are as wanted.
pub(crate) async fn until(endpoint: &Endpoint, wanted: impl Fn(Counters) -> bool) {
    let mut beat = tokio::time::interval(Duration::from_millis(10));
    let wait = async {
        while !wanted(endpoint.counters()) {
            beat.tick().await;
        }
    };
    let waited = tokio::time::timeout(PATIENCE, wait).await;
    assert!(waited.is_ok(), "in time: {:?}", endpoint.counters());
}

/// A call that is up, with both its legs.
pub(crate) async fn established(
    calls: &mut mpsc::Receiver<Incoming>,
    from: &Endpoint,
    uri: String,
) -> (Leg, Leg) {
    let mut caller = from.dial(request(uri)).unwrap();
    let mut callee = call(calls).await.leg;
    callee.line.answer(sdp(5000));
    assert_eq!(next(&mut caller).await, Some(LegSignal::Accepted { sdp: Some(sdp(5000)) }));
    assert_eq!(next(&mut callee).await, Some(LegSignal::Acked { sdp: None }));
    (caller, callee)
}

/// A telephone by hand.
pub(crate) struct Phone {
    pub(crate) socket: UdpSocket,
    pub(crate) peer: SocketAddr,
}

impl Phone {
    pub(crate) async fn new(endpoint: &Endpoint) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        Self { socket, peer: endpoint.local_udp().unwrap() }
    }

    pub(crate) async fn send(&self, text: &str) {
        self.socket.send_to(text.as_bytes(), self.peer).await.unwrap();
    }

    /// A request of call `call`, with a `To` tag where there is one.
    pub(crate) fn request(
        &self,
        method: &str,
        call: &str,
        seq: u32,
        tag: &str,
        sdp: &str,
    ) -> String {
        let at = self.socket.local_addr().unwrap();
        let branch = if method == "CANCEL" { "INVITE" } else { method };
        let tag = if tag.is_empty() { String::new() } else { format!(";tag={tag}") };
        let kind = if sdp.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
        format!(
            "{method} sip:100@{} SIP/2.0\r\n\
             Via: SIP/2.0/UDP {at};branch=z9hG4bK{branch}{seq}{call}\r\n\
             From: \"Bo\" <sip:bo@{at}>;tag=bo\r\nTo: <sip:100@127.0.0.1>{tag}\r\n\
             Call-ID: {call}\r\nCSeq: {seq} {method}\r\nContact: <sip:bo@{at}>\r\n\
             Max-Forwards: 70\r\n{kind}Content-Length: {}\r\n\r\n{sdp}",
            self.peer,
            sdp.len(),
        )
    }

    /// The next message.
    pub(crate) async fn receive(&self) -> String {
        let mut buffer = vec![0; 8192];
        let received = tokio::time::timeout(PATIENCE, self.socket.recv(&mut buffer)).await;
        let length = received.expect("a message in time").unwrap();
        String::from_utf8_lossy(&buffer[..length]).into_owned()
    }

    /// The next message that begins thus; others are passed over.
    pub(crate) async fn receive_of(&self, beginning: &str) -> String {
        loop {
            let message = self.receive().await;
            if message.starts_with(beginning) {
                return message;
            }
        }
    }
}

/// The value of the first header field of that name.
pub(crate) fn field<'a>(message: &'a str, name: &str) -> Option<&'a str> {
    message.lines().find_map(|line| {
        let (found, value) = line.split_once(':')?;
        found.eq_ignore_ascii_case(name).then_some(value.trim())
    })
}

/// The tag of `To`.
pub(crate) fn to_tag(message: &str) -> String {
    let to = field(message, "To").unwrap();
    to.split_once("tag=").map(|(_, tag)| tag.to_owned()).unwrap_or_default()
}
