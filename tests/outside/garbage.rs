//! Datagrams that are no RTP of the call, at its port.

use std::net::{Ipv4Addr, UdpSocket};
use std::path::{Path, PathBuf};
use std::time::Duration;

use cordboard::replay::{Act, Phone, Script, Step, When};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tokio::sync::mpsc::unbounded_channel;
use tokio::time::MissedTickBehavior;

use crate::support::{PATIENCE, Serving, pass, until};

const DATAGRAMS: u64 = 2_000;
/// How often each of those that were made to hurt is sent.
const ROUNDS: u64 = 10;

#[tokio::test(flavor = "multi_thread")]
async fn garbage_on_the_media_port_is_counted_and_the_call_goes_on() {
    let service = Serving::start("");
    let before = service.udp_ports();
    let phone = Phone::bind("127.0.0.1:0".parse().unwrap(), 30_000..=30_999).await.unwrap();
    let key = Step { when: When::Answered(Duration::from_secs(2)), act: Act::Key("5".to_owned()) };
    let (act, director) = unbounded_channel();
    let uri = service.uri("parcel");
    let talk = phone.ring_directed(&uri, Script::new([key]), director, PATIENCE);
    let flood = async {
        let call = service.api.call_of("caller").await;
        let id = call["id"].as_str().unwrap().to_owned();
        let ports: Vec<u16> = until("a media port", async || {
            let ports: Vec<u16> = service.udp_ports().difference(&before).copied().collect();
            (!ports.is_empty()).then_some(ports)
        })
        .await;
        assert_eq!(ports.len(), 1, "{ports:?}");
        service.api.entry(&id, |entry| entry["what"] == "keyed").await;
        let sent = send_garbage(ports[0]).await;
        act.send(Act::Key("7".to_owned())).unwrap();
        service.api.entry(&id, |entry| entry["digit"] == "7").await;
        pass(Duration::from_secs(2)).await;
        act.send(Act::HangUp).unwrap();
        (id, sent)
    };
    let (played, (id, sent)) = tokio::join!(talk, flood);
    let played = played.unwrap();
    assert!(!played.ended_by_far);
    let media = service.api.entry(&id, |entry| entry["what"] == "media").await;
    let garbage = media["garbage"].as_u64().unwrap();
    // The system itself drops what does not fit into the socket's buffer.
    assert!((sent * 90 / 100..=sent).contains(&garbage), "{sent} sent: {media}");
    // What the phone sent in 20 ms each is counted, and of the garbage nothing.
    let received = media["received"].as_u64().unwrap();
    let spoken = played.near.len() as u64 / 160;
    assert!((300..=spoken + 50).contains(&received), "{spoken} sent: {media}");
    let timeline = service.api.timeline(&id).await;
    let keyed = timeline.iter().filter(|entry| entry["what"] == "keyed");
    let keys: String = keyed.map(|entry| entry["digit"].as_str().unwrap()).collect();
    assert_eq!(keys, "57");
}

/// Twelve of random length and content a tick, within what a leg reads in one; and those that were
/// made to hurt, where they are at hand. Gives their number; none is answered.
async fn send_garbage(port: u16) -> u64 {
    let mut random = StdRng::seed_from_u64(7);
    let attacks = attacks();
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let mut tick = tokio::time::interval(Duration::from_millis(20));
    // Ticks that were missed are not made up for: all at once they would not fit into the socket.
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let all = DATAGRAMS + attacks.len() as u64 * ROUNDS;
    for number in 0..all {
        if number % 12 == 0 {
            tick.tick().await;
        }
        let attack = number.checked_sub(DATAGRAMS).map(|it| it as usize % attacks.len());
        let mut datagram = vec![0; random.random_range(1..400)];
        random.fill(datagram.as_mut_slice());
        if number % 2 == 0 {
            // Half of it looks like PCMU.
            datagram[0] = 0x80;
            if let Some(second) = datagram.get_mut(1) {
                *second = 0;
            }
        }
        let datagram = attack.map_or(&datagram, |it| &attacks[it]);
        socket.send_to(datagram, (Ipv4Addr::LOCALHOST, port)).unwrap();
    }
    socket.set_nonblocking(true).unwrap();
    assert!(socket.recv(&mut [0; 1500]).is_err(), "nothing comes back");
    all
}

/// RTP, RTCP, STUN and DTLS made to hurt; where there is none, that is said.
pub(crate) fn attacks() -> Vec<Vec<u8>> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared");
    let shared = std::env::var_os("CORDBOARD_SHARED").map_or_else(beside, PathBuf::from);
    let folder = shared.join("data/sip/media-attacks");
    let Ok(files) = std::fs::read_dir(&folder) else {
        eprintln!("passed over: {} is not there", folder.display());
        return Vec::new();
    };
    let read = files.map(|it| std::fs::read(it.unwrap().path()).unwrap());
    // What no datagram holds cannot be sent.
    read.filter(|it| !it.is_empty() && it.len() < 65_000).collect()
}
