//! Strangers, floods and broken streams at an endpoint: who is told what, what is kept for it, and
//! that everybody else is served meanwhile.

mod support;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use cordboard_sip::access::Access;
use cordboard_sip::bans::BanRule;
use cordboard_sip::endpoint::{Endpoint, EndpointConfig, T1};
use support::{PATIENCE, Phone, Side, call, field, sdp, settled, to_tag, until};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream, UdpSocket};

/// Not on any list.
const STRANGER: &str = "127.0.0.66:0";
/// Methods that somebody without an account tries.
const METHODS: [&str; 12] = [
    "INVITE",
    "OPTIONS",
    "REGISTER",
    "MESSAGE",
    "SUBSCRIBE",
    "REFER",
    "INFO",
    "NOTIFY",
    "PUBLISH",
    "BYE",
    "UPDATE",
    "PRACK",
];

/// An endpoint that trusts 127.0.0.1 and 127.0.0.2 alone.
async fn guarded(bans: BanRule) -> Side {
    let any = "127.0.0.1:0".parse().ok();
    let access = Access::new(["127.0.0.1", "127.0.0.2"], []).expect("both are addresses");
    let config = EndpointConfig {
        bind_udp: any,
        bind_tcp: any,
        access: access.with_bans(bans),
        user_agent: "test".to_owned(),
        t1: T1,
        ..EndpointConfig::default()
    };
    Endpoint::bind(config).await.expect("loopback is there")
}

async fn phone_at(address: &str, endpoint: &Endpoint) -> Phone {
    let socket = UdpSocket::bind(address).await.expect("loopback is there");
    Phone { socket, peer: endpoint.local_udp().expect("udp is on") }
}

async fn connect_from(address: &str, endpoint: &Endpoint) -> TcpStream {
    let socket = TcpSocket::new_v4().expect("a socket");
    let local: SocketAddr = address.parse().expect("an address");
    socket.bind(local).expect("loopback is there");
    let peer = endpoint.local_tcp().expect("tcp is on");
    socket.connect(peer).await.expect("it listens")
}

async fn connect(endpoint: &Endpoint) -> TcpStream {
    connect_from("127.0.0.1:0", endpoint).await
}

/// Reads until the answer is whole; empty where the far side has closed.
async fn read(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let reading = async {
        while !bytes.ends_with(b"\r\n\r\n") && bytes != b"\r\n" {
            if stream.read_buf(&mut bytes).await.unwrap_or(0) == 0 {
                break;
            }
        }
    };
    tokio::time::timeout(PATIENCE * 2, reading).await.expect("an answer in time");
    String::from_utf8(bytes).expect("an answer is text")
}

async fn say(stream: &mut TcpStream, text: &str) {
    stream.write_all(text.as_bytes()).await.expect("it listens");
}

fn request(method: &str, call: &str) -> String {
    format!(
        "{method} sip:100@127.0.0.1 SIP/2.0\r\n\
         Via: SIP/2.0/TCP 127.0.0.1:9;branch=z9hG4bK{call}\r\n\
         From: <sip:bo@127.0.0.1>;tag=bo\r\nTo: <sip:100@127.0.0.1>\r\nCall-ID: {call}\r\n\
         CSeq: 1 {method}\r\nContact: <sip:bo@127.0.0.1:9>\r\nMax-Forwards: 70\r\n\
         Content-Length: 0\r\n\r\n"
    )
}

#[tokio::test]
async fn strangers_are_refused_whatever_they_ask_and_nothing_is_kept_for_them() {
    let (here, mut calls) = guarded(BanRule { offences: 1_000, ..BanRule::default() }).await;
    let stranger = phone_at(STRANGER, &here).await;
    for method in METHODS {
        stranger.send(&stranger.request(method, method, 1, "", &sdp(4000))).await;
        let answer = stranger.receive().await;
        assert!(answer.starts_with("SIP/2.0 403 "), "{method}: {answer}");
        assert!(!to_tag(&answer).is_empty(), "{answer}");
        stranger.send(&stranger.request(method, method, 2, "guessed", "")).await;
        let answer = stranger.receive().await;
        assert!(answer.starts_with("SIP/2.0 481 "), "{method}: {answer}");
    }
    // Copies are answered alike, and an ACK is not answered.
    let invite = stranger.request("INVITE", "copies", 1, "", &sdp(4000));
    stranger.send(&invite).await;
    let first = stranger.receive().await;
    stranger.send(&stranger.request("ACK", "copies", 1, &to_tag(&first), "")).await;
    stranger.send(&invite).await;
    assert_eq!(stranger.receive().await, first);
    let counters = here.counters();
    assert_eq!((counters.transactions, counters.finished_transactions), (0, 0));
    assert_eq!((counters.dialogs, counters.bans), (0, 0));
    assert!(calls.try_recv().is_err());
}

#[tokio::test]
async fn a_stranger_who_goes_on_is_banned_and_a_trunk_never_is() {
    // A busy machine does not answer a hundred within the two seconds that are usual.
    let rule = BanRule { window: Duration::from_secs(60), ..BanRule::default() };
    let (here, mut calls) = guarded(rule).await;
    tokio::spawn(async move {
        while let Some(call) = calls.recv().await {
            call.leg.line.refuse(486, None);
        }
    });
    let stranger = phone_at(STRANGER, &here).await;
    let mut told = 0;
    for number in 0..300 {
        stranger.send(&stranger.request("OPTIONS", "scan", number, "", "")).await;
        let short = Duration::from_millis(if told < 99 { 5_000 } else { 20 });
        let Ok(answer) = tokio::time::timeout(short, stranger.receive()).await else { break };
        assert!(answer.starts_with("SIP/2.0 403 "));
        told += 1;
    }
    assert_eq!(told, 99);
    stranger.send("INVITE sip:x@y SIP/2.0\r\n\r\n").await;
    until(&here, |it| it.bans == 1 && it.banned >= 1).await;
    // A trunk that is refused as often, and sends nonsense too.
    let trunk = phone_at("127.0.0.2:0", &here).await;
    for number in 0..500 {
        let id = format!("call-{number}");
        let invite = trunk.request("INVITE", &id, 1, "", &sdp(4000));
        trunk.send(&invite).await;
        let busy = trunk.receive_of("SIP/2.0 486").await;
        trunk.send(&trunk.request("ACK", &id, 1, &to_tag(&busy), "")).await;
        trunk.send("FLY sip:x@y SIP/2.0\r\nVia: SIP/2.0/UDP a\r\nCSeq: 1 FLY\r\n\r\n").await;
        trunk.receive_of("SIP/2.0 400").await;
    }
    assert_eq!(here.counters().bans, 1);
}

#[tokio::test]
async fn a_full_house_answers_without_keeping_anything() {
    let (here, mut calls) = guarded(BanRule::default()).await;
    let live = Arc::new(AtomicUsize::new(0));
    here.set_room(Arc::clone(&live), 1, 7);
    let phone = Phone::new(&here).await;
    let invite = phone.request("INVITE", "in", 1, "", &sdp(4000));
    phone.send(&invite).await;
    let leg = call(&mut calls).await.leg;
    leg.line.ringing();
    let ringing = phone.receive_of("SIP/2.0 180").await;
    live.store(1, Ordering::Release);
    let kept = here.counters();
    for number in 0..200 {
        let id = format!("out-{number}");
        phone.send(&phone.request("INVITE", &id, 1, "", &sdp(4000))).await;
        let full = phone.receive_of("SIP/2.0 503").await;
        assert_eq!((field(&full, "Retry-After"), field(&full, "Call-ID")), (Some("7"), Some(&*id)));
        phone.send(&phone.request("ACK", &id, 1, &to_tag(&full), "")).await;
    }
    // The call that is in has its copy answered as ever.
    phone.send(&invite).await;
    assert_eq!(phone.receive_of("SIP/2.0 180").await, ringing);
    let now = here.counters();
    assert_eq!(now.refused, 200);
    assert_eq!(now.transactions + now.finished_transactions, kept.transactions);
    live.store(0, Ordering::Release);
    phone.send(&phone.request("INVITE", "next", 1, "", &sdp(4000))).await;
    assert_eq!(call(&mut calls).await.call_id, "next");
}

#[tokio::test]
async fn a_stream_lives_through_what_it_cannot_read() {
    let (here, _calls) = guarded(BanRule::default()).await;
    let mut stream = connect(&here).await;
    for (sent, expected) in [
        (request("FLY", "a"), "SIP/2.0 501"),
        (request("BYE", "b").replace("1 BYE", "1 INFO"), "SIP/2.0 400"),
        (request("OPTIONS", "c").replace(" SIP/2.0\r\nVia", " SIP/3.0\r\nVia"), "SIP/2.0 505"),
        (request("OPTIONS", "d"), "SIP/2.0 200"),
        ("\r\n\r\n".to_owned(), "\r\n"),
        (request("OPTIONS", "e"), "SIP/2.0 200"),
    ] {
        say(&mut stream, &sent).await;
        let answer = read(&mut stream).await;
        assert!(answer.starts_with(expected), "{sent}\n{answer}");
    }
    // In pieces, and two at once.
    let (one, two) = (request("OPTIONS", "f"), request("OPTIONS", "g"));
    for piece in one.as_bytes().chunks(37) {
        stream.write_all(piece).await.expect("it listens");
        stream.flush().await.expect("it listens");
        tokio::task::yield_now().await;
    }
    assert_eq!(field(&read(&mut stream).await, "Call-ID"), Some("f"));
    say(&mut stream, &(one.replace("bK", "bKx") + &two)).await;
    let mut both = String::new();
    while both.matches("SIP/2.0 200").count() < 2 {
        both += &read(&mut stream).await;
    }
    assert_eq!(here.counters().connections, 1);
}

#[tokio::test]
async fn a_stream_of_which_the_next_message_cannot_be_found_is_told_so_and_closed() {
    let (here, _calls) = guarded(BanRule::default()).await;
    let many = "X: y\r\n".repeat(257) + "Content-Length";
    for (sent, expected) in [
        (request("OPTIONS", "a").replace("h: 0", "h: -1"), "SIP/2.0 400"),
        (request("OPTIONS", "b").replace("h: 0", "h: 99999999999999999999"), "SIP/2.0 400"),
        (request("OPTIONS", "c").replace("h: 0", "h: 18446744073709551615"), "SIP/2.0 513"),
        (request("OPTIONS", "d").replace("h: 0", "h: 262145"), "SIP/2.0 513"),
        (request("OPTIONS", "e").replace("h: 0", "h: 0\r\nl: 1"), "SIP/2.0 400"),
        (request("OPTIONS", "f").trim_end().to_owned() + &"x".repeat(70_000), "SIP/2.0 513"),
    ] {
        let mut stream = connect(&here).await;
        say(&mut stream, &sent).await;
        let answer = read(&mut stream).await;
        assert!(answer.starts_with(expected), "{answer}");
        assert_eq!(read(&mut stream).await, "", "closed");
    }
    // Too many lines, but of a known length: the stream goes on.
    let mut stream = connect(&here).await;
    say(&mut stream, &request("OPTIONS", "g").replace("Content-Length", &many)).await;
    assert!(read(&mut stream).await.starts_with("SIP/2.0 513"));
    say(&mut stream, &request("OPTIONS", "h")).await;
    assert!(read(&mut stream).await.starts_with("SIP/2.0 200"));
    drop(stream);
    until(&here, |it| it.connections == 0).await;
}

#[tokio::test]
async fn connections_that_say_nothing_or_never_end_are_few_and_given_up() {
    let (here, _calls) = guarded(BanRule::default()).await;
    let mut held = Vec::new();
    for number in 0..300 {
        let mut stream = connect(&here).await;
        if number % 2 == 0 {
            // Where there is no room it has been closed already.
            let _ = stream.write_all(b"INVITE sip:slow@127.0.0.1 SIP/2.0\r\nX: ").await;
        }
        held.push(stream);
    }
    until(&here, |it| it.refused >= 172).await;
    assert_eq!(here.counters().connections, 128);
    // Another source has room.
    let mut other = connect_from("127.0.0.2:0", &here).await;
    say(&mut other, &request("OPTIONS", "other")).await;
    assert!(read(&mut other).await.starts_with("SIP/2.0 200"));
    // One more byte now and then does not make a message whole.
    for stream in &mut held {
        let _ = stream.write_all(b"x").await;
    }
    let mut beat = tokio::time::interval(Duration::from_millis(100));
    let given_up = async {
        while here.counters().connections > 1 {
            beat.tick().await;
        }
    };
    tokio::time::timeout(PATIENCE * 3, given_up).await.expect("given up in time");
}

#[tokio::test]
async fn calls_whose_connection_closes_in_the_middle_leave_nothing() {
    let (here, mut calls) = guarded(BanRule::default()).await;
    let whole = request("INVITE", "cut");
    for number in 0..1_000_usize {
        let mut stream = connect(&here).await;
        say(&mut stream, &whole[..number % whole.len()]).await;
    }
    // And after it is whole, before the answer.
    for number in 0..50 {
        let mut stream = connect(&here).await;
        say(&mut stream, &request("INVITE", &format!("gone-{number}"))).await;
        let incoming = call(&mut calls).await;
        drop(stream);
        incoming.leg.line.refuse(486, None);
    }
    let mut stream = connect(&here).await;
    say(&mut stream, &request("OPTIONS", "alive")).await;
    assert!(read(&mut stream).await.starts_with("SIP/2.0 200"));
    drop(stream);
    until(&here, |it| it.connections == 0).await;
    settled(&here).await;
}
