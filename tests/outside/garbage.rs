//! Datagrams that are no RTP of the call, at its port.

use std::net::{Ipv4Addr, UdpSocket};
use std::time::Duration;

use cordboard::replay::{Act, Phone, Script, Step, When};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::support::{Serving, until};

const DATAGRAMS: u64 = 2_000;

#[tokio::test(flavor = "multi_thread")]
async fn garbage_on_the_media_port_is_counted_and_the_call_goes_on() {
    let service = Serving::start("");
    let before = service.udp_ports();
    let phone = Phone::bind("127.0.0.1:0".parse().unwrap(), 30_000..=30_999).await.unwrap();
    let key = |after, keys: &str| Step {
        when: When::Answered(Duration::from_secs(after)),
        act: Act::Key(keys.to_owned()),
    };
    let hang_up = Step { when: When::Answered(Duration::from_secs(12)), act: Act::HangUp };
    let script = Script::new([key(2, "5"), key(10, "7"), hang_up]);
    let uri = service.uri("parcel");
    let talk = phone.ring(&uri, script, Duration::from_secs(30));
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
        send_garbage(ports[0]).await;
        id
    };
    let (played, id) = tokio::join!(talk, flood);
    let played = played.unwrap();
    assert!(!played.ended_by_far);
    let media = service.api.entry(&id, |entry| entry["what"] == "media").await;
    let garbage = media["garbage"].as_u64().unwrap();
    // The system itself drops what does not fit into the socket's buffer.
    assert!((DATAGRAMS * 98 / 100..=DATAGRAMS).contains(&garbage), "{media}");
    let received = media["received"].as_u64().unwrap();
    assert!((500..=600).contains(&received), "{media}");
    let timeline = service.api.timeline(&id).await;
    let keyed = timeline.iter().filter(|entry| entry["what"] == "keyed");
    let keys: String = keyed.map(|entry| entry["digit"].as_str().unwrap()).collect();
    assert_eq!(keys, "57");
}

/// Twelve of random length and content a tick: within what a leg reads in one.
async fn send_garbage(port: u16) {
    let mut random = StdRng::seed_from_u64(7);
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let mut tick = tokio::time::interval(Duration::from_millis(20));
    for number in 0..DATAGRAMS {
        if number % 12 == 0 {
            tick.tick().await;
        }
        let mut datagram = vec![0; random.random_range(1..400)];
        random.fill(datagram.as_mut_slice());
        if number % 2 == 0 {
            // Half of it looks like PCMU.
            datagram[0] = 0x80;
            if let Some(second) = datagram.get_mut(1) {
                *second = 0;
            }
        }
        socket.send_to(&datagram, (Ipv4Addr::LOCALHOST, port)).unwrap();
    }
}
