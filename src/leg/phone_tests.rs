//! A phone's leg and what its signalling says; the far end is a peer by hand that never answers.

use std::net::Ipv4Addr;

use cordboard_sip::access::Access;
use cordboard_sip::endpoint::{DialRequest, Endpoint, EndpointConfig};

use super::*;

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
    MediaSettings { bind: HERE, advertised: HERE, ports, codecs, srtp, keys_may_travel: false }
}

/// A leg that has been rung with this offer, and the endpoint under it.
async fn rung(offer: Option<&str>) -> (PhoneLeg, Endpoint) {
    let config = EndpointConfig {
        bind_udp: "127.0.0.1:0".parse().ok(),
        access: Access::new(["127.0.0.0/8"], ["127.0.0.0/8"]).unwrap(),
        ..EndpointConfig::default()
    };
    let (endpoint, _calls) = Endpoint::bind(config).await.unwrap();
    let request = DialRequest {
        to: format!("sip:nobody@{}", endpoint.local_udp().unwrap()),
        from: "sip:4471@127.0.0.1".to_owned(),
        display: None,
        sdp: String::new(),
        headers: Vec::new(),
    };
    let line = endpoint.dial(request).unwrap().line;
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
