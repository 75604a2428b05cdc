//! A phone's leg and what its signalling says; where it matters what is said to the far end, that
//! is a peer by hand.

use std::collections::HashSet;
use std::net::Ipv4Addr;

use cordboard_sip::access::Access;
use cordboard_sip::endpoint::{DialRequest, Endpoint, EndpointConfig};
use tokio::net::UdpSocket;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::timeout;

use super::*;

/// Far longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(10);
const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// A description of PCMU and keys.
fn description(port: u16, direction: &str) -> String {
    format!(
        "v=0\r\no=- 1 {port} IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n\
         m=audio {port} RTP/AVP 0 101\r\na=rtpmap:101 telephone-event/8000\r\na={direction}\r\n"
    )
}

fn media() -> MediaSettings {
    let first = 30_000 + (std::process::id() % 100) as u16 * 200;
    let ports = Ports::new(first..=first + 199, rand::random()).unwrap();
    let codecs = vec![AudioCodec::Pcmu, AudioCodec::Pcma];
    let srtp = SrtpPolicy::None;
    MediaSettings {
        bind: HERE,
        advertised: HERE,
        ports,
        codecs,
        srtp,
        keys_may_travel: false,
        stamps: false,
    }
}

async fn endpoint() -> Endpoint {
    let config = EndpointConfig {
        bind_udp: "127.0.0.1:0".parse().ok(),
        access: Access::new(["127.0.0.0/8"], ["127.0.0.0/8"]).unwrap(),
        ..EndpointConfig::default()
    };
    Endpoint::bind(config).await.unwrap().0
}

fn dial(to: String) -> DialRequest {
    let from = "sip:4471@127.0.0.1".to_owned();
    DialRequest { to, from, display: None, sdp: String::new(), headers: Vec::new() }
}

/// A leg that has been rung with this offer, and the endpoint under it. Its line leads nowhere.
async fn rung(offer: Option<&str>) -> (PhoneLeg, Endpoint) {
    let endpoint = endpoint().await;
    let nobody = format!("sip:nobody@{}", endpoint.local_udp().unwrap());
    let line = endpoint.dial(dial(nobody)).unwrap().line;
    (PhoneLeg::inbound(line, offer, &media(), 7).unwrap(), endpoint)
}

/// A leg that has been answered, and the endpoint under it.
async fn answered() -> (PhoneLeg, Endpoint) {
    let (mut leg, endpoint) = rung(Some(&description(4_000, "sendrecv"))).await;
    let told = leg.signal(LegSignal::Acked { sdp: None });
    assert!(matches!(told, [None, Some(LegEvent::Answered)]), "{told:?}");
    (leg, endpoint)
}

fn at(port: u16) -> Option<SocketAddr> {
    Some(SocketAddr::new(HERE, port))
}

#[tokio::test]
async fn the_answer_in_the_ack_of_a_change_without_offer_is_taken() {
    let (mut leg, _endpoint) = answered().await;
    for (port, direction, expected) in
        [(5_000, "sendonly", "held"), (6_000, "sendrecv", "resumed"), (7_000, "sendrecv", "")]
    {
        let asked = leg.signal(LegSignal::Reinvited { sdp: None });
        assert!(matches!(asked, [None, None]), "{asked:?}");
        let [codec, hold] =
            leg.signal(LegSignal::Acked { sdp: Some(description(port, direction)) });
        assert!(matches!(codec, Some(LegEvent::Renegotiated(Codec::Pcmu))), "{codec:?}");
        let told = match hold {
            Some(LegEvent::Held) => "held",
            Some(LegEvent::Resumed) => "resumed",
            None => "",
            other => panic!("{other:?}"),
        };
        assert_eq!((leg.peer(), told), (at(port), expected));
    }
}

#[tokio::test]
async fn an_answer_that_makes_no_sense_or_that_nobody_asked_for_changes_nothing() {
    let (mut leg, _endpoint) = answered().await;
    let unasked = leg.signal(LegSignal::Acked { sdp: Some(description(5_000, "sendonly")) });
    assert!(matches!(unasked, [None, None]), "{unasked:?}");
    leg.signal(LegSignal::Reinvited { sdp: None });
    let spoilt = leg.signal(LegSignal::Acked { sdp: Some("v=0\r\n".to_owned()) });
    assert!(matches!(spoilt, [None, None]), "{spoilt:?}");
    assert_eq!((leg.peer(), leg.is_held()), (at(4_000), false));
}

#[tokio::test]
async fn a_call_is_answered_once_however_often_it_is_changed() {
    let (mut late, _endpoint) = rung(None).await;
    let told = late.signal(LegSignal::Acked { sdp: Some(description(4_000, "sendrecv")) });
    assert!(matches!(told, [Some(LegEvent::Renegotiated(_)), Some(LegEvent::Answered)]));
    let (early, _endpoint) = answered().await;
    for mut leg in [early, late] {
        leg.signal(LegSignal::Reinvited { sdp: Some(description(4_000, "sendonly")) });
        let told = leg.signal(LegSignal::Acked { sdp: None });
        assert!(matches!(told, [None, None]), "{told:?}");
    }
}

#[tokio::test]
async fn a_far_end_that_answers_our_change_on_hold_has_put_us_on_hold() {
    let (mut leg, _endpoint) = answered().await;
    for (direction, expected) in [("sendonly", "Held"), ("sendrecv", "Resumed")] {
        leg.command(&LegCommand::Renegotiate);
        let sdp = Some(description(4_000, direction));
        let [_, hold] = leg.signal(LegSignal::ReinviteAccepted { sdp });
        assert_eq!(hold.map(|it| format!("{it:?}")).as_deref(), Some(expected));
    }
}

#[tokio::test]
async fn an_answer_to_a_session_timers_offer_moves_the_sound() {
    let (mut leg, _endpoint) = answered().await;
    let sdp = Some(description(5_000, "sendrecv"));
    let told = leg.signal(LegSignal::ReinviteAccepted { sdp });
    assert!(matches!(told, [Some(LegEvent::Renegotiated(_)), None]), "{told:?}");
    assert_eq!(leg.peer(), at(5_000));
}

#[tokio::test]
async fn two_keys_that_one_packet_tells_are_both_told() {
    let far = std::net::UdpSocket::bind((HERE, 0)).unwrap();
    let port = far.local_addr().unwrap().port();
    let (mut leg, _endpoint) = rung(Some(&description(port, "sendrecv"))).await;
    leg.signal(LegSignal::Acked { sdp: None });
    // The begin of a "1" whose end is lost, and the end of a "2".
    for (sequence, timestamp, event) in [(1, 0, [1, 10, 0, 160]), (9, 40, [2, 0x8a, 3, 0x20])] {
        let mut packet = vec![0x80, 101, 0, sequence, 0, 0, timestamp, 0, 0, 0, 0, 7];
        packet.extend(event);
        far.send_to(&packet, (HERE, leg.path.port())).unwrap();
    }
    leg.refill(MediaTime::ZERO);
    let (mut told, mut buffer) = (String::new(), [0; 1_500]);
    while let Some(event) = leg.poll(MediaTime::ZERO, &mut buffer) {
        if let LegEvent::Digit { digit, .. } = event {
            told.push(digit);
        }
    }
    assert_eq!(told, "12");
}

/// The far end of a leg that we have dialled, by hand.
struct Peer {
    socket: UdpSocket,
    endpoint: Endpoint,
    signals: UnboundedReceiver<LegSignal>,
}

impl Peer {
    /// One that has picked up with this answer, and the leg to it.
    async fn picked_up(answer: &str) -> (Self, PhoneLeg) {
        let socket = UdpSocket::bind((HERE, 0)).await.unwrap();
        let endpoint = endpoint().await;
        let to = format!("sip:far@{}", socket.local_addr().unwrap());
        let mut signals = None;
        let mut leg = PhoneLeg::outbound(&media(), 7, false, |sdp| {
            let dialled = endpoint.dial(DialRequest { sdp, ..dial(to) })?;
            signals = Some(dialled.events);
            Ok(dialled.line)
        })
        .unwrap();
        let mut peer = Self { socket, endpoint, signals: signals.unwrap() };
        let (invite, from) = peer.request("INVITE").await;
        peer.answer(&invite, from, "200 OK", answer).await;
        let told = peer.tell(&mut leg).await;
        assert!(matches!(told, [_, Some(LegEvent::Answered)]), "{told:?}");
        (peer, leg)
    }

    async fn request(&self, method: &str) -> (String, SocketAddr) {
        let mut buffer = vec![0; 4_096];
        let mut seen = HashSet::new();
        loop {
            let received = timeout(PATIENCE, self.socket.recv_from(&mut buffer)).await;
            let (len, from) = received.expect("a request in time").unwrap();
            let text = String::from_utf8_lossy(&buffer[..len]).into_owned();
            if text.starts_with(method) && seen.insert(text.clone()) {
                return (text, from);
            }
        }
    }

    async fn answer(&self, request: &str, to: SocketAddr, status: &str, sdp: &str) {
        let copied = request.lines().filter(|line| {
            ["Via:", "From:", "Call-ID:", "CSeq:"].iter().any(|name| line.starts_with(name))
        });
        let copied: String = copied.map(|line| format!("{line}\r\n")).collect();
        let target = request.lines().find(|line| line.starts_with("To:")).unwrap();
        let tag = if target.contains(";tag=") { "" } else { ";tag=far" };
        let at = self.socket.local_addr().unwrap();
        let answer = format!(
            "SIP/2.0 {status}\r\n{copied}{target}{tag}\r\nContact: <sip:far@{at}>\r\n\
             Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{sdp}",
            sdp.len(),
        );
        self.socket.send_to(answer.as_bytes(), to).await.unwrap();
    }

    /// Gives the leg the next of its signals.
    async fn tell(&mut self, leg: &mut PhoneLeg) -> [Option<LegEvent<'static>>; 2] {
        let signal = timeout(PATIENCE, self.signals.recv()).await.expect("a signal in time");
        leg.signal(signal.expect("the leg is there"))
    }
}

#[tokio::test]
async fn a_key_goes_by_info_where_no_telephone_events_were_agreed_on() {
    let plain = description(4_000, "sendrecv").replace(" 0 101", " 0").replace("rtpmap:101", "x:");
    let (peer, mut leg) = Peer::picked_up(&plain).await;
    leg.command(&LegCommand::SendDigit { digit: '#', duration_ms: 160 });
    let (info, from) = peer.request("INFO").await;
    assert!(info.contains("Content-Type: application/dtmf-relay\r\n"), "{info}");
    assert!(info.ends_with("\r\n\r\nSignal=#\r\nDuration=160\r\n"), "{info}");
    peer.answer(&info, from, "200 OK", "").await;
    assert_eq!(peer.endpoint.counters().dialogs, 1);
}

#[tokio::test]
async fn a_change_that_crossed_theirs_is_offered_once_more() {
    let (mut peer, mut leg) = Peer::picked_up(&description(4_000, "sendrecv")).await;
    let after = |ms| MediaTime::ZERO + Duration::from_millis(ms);
    leg.command(&LegCommand::Renegotiate);
    for expected in ["2 INVITE", "3 INVITE"] {
        let (invite, from) = peer.request("INVITE").await;
        assert!(invite.contains(&format!("CSeq: {expected}\r\n")), "{invite}");
        peer.answer(&invite, from, "491 Request Pending", "").await;
        let told = peer.tell(&mut leg).await;
        assert!(matches!(told, [None, None]), "{told:?}");
        let waits = |leg: &PhoneLeg| matches!(leg.crossed, Crossed::Until(_));
        leg.refill(after(0));
        leg.refill(after(2_000));
        assert_eq!(waits(&leg), expected == "2 INVITE", "2.1 s at least");
        leg.refill(after(4_100));
        assert!(!waits(&leg));
    }
}

#[test]
fn a_change_that_crossed_another_waits_as_long_as_the_standard_says() {
    for seed in 0..2_000 {
        assert!((2_100..=4_000).contains(&pause(seed, true).as_millis()), "{seed}");
        assert!((0..=2_000).contains(&pause(seed, false).as_millis()), "{seed}");
    }
}
