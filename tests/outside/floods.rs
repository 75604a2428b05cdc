//! Floods at the SIP ports while somebody talks: who talks does not notice, and who may call in
//! still can. Short and small, since tests share a machine.

use std::net::SocketAddr;
use std::time::Duration;

use cordboard::replay::{Act, Phone, Script, Step, When};
use tokio::net::{TcpSocket, UdpSocket};

use crate::support::{Serving, until};

/// How long the flood lasts, and datagrams in each of its milliseconds.
const FLOOD_MS: usize = 2_000;
const DATAGRAMS_A_MS: usize = 3;
/// Half-open connections.
const CONNECTIONS: usize = 300;

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_is_up_and_one_that_comes_do_not_notice_a_flood() {
    let service = Serving::start("[sip]\ntrusted = [\"127.0.0.1/32\", \"127.0.0.2/32\"]");
    let phone = Phone::bind("127.0.0.1:0".parse().unwrap(), 30_000..=30_999).await.unwrap();
    let other = Phone::bind("127.0.0.1:0".parse().unwrap(), 31_000..=31_999).await.unwrap();
    let until_s =
        |after| Step { when: When::Answered(Duration::from_secs(after)), act: Act::HangUp };
    let uri = service.uri("parcel");
    let patience = Duration::from_secs(30);
    let talk = phone.ring(&uri, Script::new([until_s(15)]), patience);
    let idle = service.memory_bytes();
    let flood = async {
        let id = service.api.call_of("caller").await["id"].as_str().unwrap().to_owned();
        let answered = |entry: &serde_json::Value| entry["what"] == "answered";
        service.api.entry(&id, answered).await;
        let open = half_open(service.tcp).await;
        let late = other.ring(&uri, Script::new([until_s(4)]), patience);
        let (_, late) = tokio::join!(datagrams(service.udp), late);
        let peak = service.memory_bytes();
        drop(open);
        (id, late, peak)
    };
    let (talk, (id, late, peak)) = tokio::join!(talk, flood);
    let (talk, late) = (talk.unwrap(), late.unwrap());
    assert!(!talk.ended_by_far, "the call went on");
    assert!(late.far.iter().any(|it| it.abs() > 0.01), "the second caller was greeted");
    assert!(peak <= 2 * idle, "{peak} bytes, {idle} when idle");
    let media = service.api.entry(&id, |entry| entry["what"] == "media").await;
    let (received, lost) = (media["received"].as_u64().unwrap(), media["lost"].as_u64().unwrap());
    eprintln!("received {received}, lost {lost}; {} to {} KiB", idle / 1024, peak / 1024);
    assert!(received >= 450 && lost * 1_000 <= received, "{media}");
    until("the end of both calls", async || (service.api.calls_live().await == 0).then_some(()))
        .await;
}

/// INVITEs of strangers, each of another call, and noise, by turns.
async fn datagrams(service: SocketAddr) {
    let stranger = UdpSocket::bind("127.0.0.66:0").await.unwrap();
    let mut beat = tokio::time::interval(Duration::from_millis(1));
    for number in 0..FLOOD_MS * DATAGRAMS_A_MS {
        if number % DATAGRAMS_A_MS == 0 {
            beat.tick().await;
        }
        let datagram = if number % 2 == 0 { invite(number).into_bytes() } else { noise(number) };
        let _ = stranger.send_to(&datagram, service).await;
    }
}

fn noise(number: usize) -> Vec<u8> {
    (0..200 + number % 800).map(|at| (at * 31 + number) as u8).collect()
}

fn invite(number: usize) -> String {
    format!(
        "INVITE sip:parcel@127.0.0.1 SIP/2.0\r\n\
         Via: SIP/2.0/UDP 127.0.0.66:9;branch=z9hG4bK{number}\r\n\
         From: <sip:x@127.0.0.66>;tag={number}\r\nTo: <sip:parcel@127.0.0.1>\r\n\
         Call-ID: flood-{number}\r\nCSeq: 1 INVITE\r\nContact: <sip:x@127.0.0.66:9>\r\n\
         Max-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
    )
}

/// Connections of a source that may connect, and that never says a whole message.
async fn half_open(service: SocketAddr) -> Vec<tokio::net::TcpStream> {
    let mut open = Vec::new();
    for _ in 0..CONNECTIONS {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.2:0".parse().unwrap()).unwrap();
        let stream = socket.connect(service).await.unwrap();
        let _ = stream.try_write(b"INVITE sip:parcel@127.0.0.1 SIP/2.0\r\n");
        open.push(stream);
    }
    open
}
