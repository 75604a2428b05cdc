//! The way between a browser and its call: what is sent on it to hurt, and what becomes of it when
//! it changes. A relay of ours stands in for the NAT.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use cordboard::clock;
use cordboard::replay::calls::Line;
use cordboard_audio::codec::{Codec, Encoder};
use serde_json::{Value, json};
use tokio::net::UdpSocket;
use tokio::task::JoinHandle;
use tokio::time::MissedTickBehavior;
use tokio_tungstenite::tungstenite::Message;

use futures_util::{SinkExt, StreamExt};

use crate::browser::{awaits, base, came, connect, given_token, offer, say, speak};
use crate::garbage::attacks;
use crate::support::{PATIENCE, Serving, spoken, until};

/// How often each datagram is sent from each source.
const ROUNDS: usize = 10;
/// What the service may grow by.
const GROWTH_MAX_BYTES: u64 = 10 << 20;
/// Lines that the log may grow by: none for each datagram.
const LINES_MAX: usize = 100;

/// Words of a text.
fn words(text: &Value) -> usize {
    text.as_str().unwrap_or_default().split_whitespace().count()
}

/// Carries datagrams between one browser and the service, as a NAT does.
struct Relay {
    /// What the browser reaches.
    near: SocketAddr,
    server: SocketAddr,
    /// Where the service sees the browser.
    far: Arc<Mutex<Arc<UdpSocket>>>,
    back: JoinHandle<()>,
    socket: Arc<UdpSocket>,
    browser: Arc<Mutex<Option<SocketAddr>>>,
    is_cut: Arc<AtomicBool>,
}

impl Relay {
    async fn towards(server: SocketAddr) -> Self {
        let socket = Arc::new(UdpSocket::bind("127.0.0.1:0").await.unwrap());
        let near = socket.local_addr().unwrap();
        let browser = Arc::new(Mutex::new(None));
        let outer = Arc::new(UdpSocket::bind("127.0.0.1:0").await.unwrap());
        let back = tokio::spawn(carry_back(outer.clone(), socket.clone(), browser.clone()));
        let far = Arc::new(Mutex::new(outer));
        let (reads, knows, outward) = (socket.clone(), browser.clone(), far.clone());
        let is_cut = Arc::new(AtomicBool::new(false));
        let cut = is_cut.clone();
        tokio::spawn(async move {
            let mut buffer = [0; 2_048];
            while let Ok((length, from)) = reads.recv_from(&mut buffer).await {
                *knows.lock().unwrap_or_else(PoisonError::into_inner) = Some(from);
                if cut.load(Ordering::Relaxed) {
                    continue;
                }
                let outer = outward.lock().unwrap_or_else(PoisonError::into_inner).clone();
                let _ = outer.send_to(&buffer[..length], server).await;
            }
        });
        Self { near, server, far, back, socket, browser, is_cut }
    }

    /// Where the service sees the browser.
    fn outer(&self) -> Arc<UdpSocket> {
        self.far.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Nothing comes through any more, either way, until [`Self::rebind`].
    fn stop(&self) {
        self.back.abort();
        self.is_cut.store(true, Ordering::Relaxed);
    }

    /// Forgets the way: from now on the browser is behind another port, and nothing comes by the
    /// old one.
    async fn rebind(&mut self) -> Arc<UdpSocket> {
        let outer = Arc::new(UdpSocket::bind("127.0.0.1:0").await.unwrap());
        self.back.abort();
        self.is_cut.store(false, Ordering::Relaxed);
        let (socket, browser) = (self.socket.clone(), self.browser.clone());
        self.back = tokio::spawn(carry_back(outer.clone(), socket, browser));
        std::mem::replace(
            &mut *self.far.lock().unwrap_or_else(PoisonError::into_inner),
            outer.clone(),
        )
    }
}

async fn carry_back(
    outer: Arc<UdpSocket>,
    socket: Arc<UdpSocket>,
    browser: Arc<Mutex<Option<SocketAddr>>>,
) {
    let mut buffer = [0; 2_048];
    while let Ok((length, _)) = outer.recv_from(&mut buffer).await {
        let to = *browser.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(to) = to {
            let _ = socket.send_to(&buffer[..length], to).await;
        }
    }
}

/// A call by WHIP whose only way is a relay.
struct Relayed {
    line: Line,
    relay: Relay,
    answer: String,
    place: String,
}

impl Relayed {
    /// Offers, and is answered; nothing has been sent yet.
    async fn answered(service: &Serving) -> Self {
        let (line, offer) = offer().await.unwrap();
        let offer = without_candidates(&offer);
        let posted = whip(service, offer).await.error_for_status().unwrap();
        let place = posted.headers()["location"].to_str().unwrap();
        let place = format!("{}{place}", base(service));
        let answer = posted.text().await.unwrap();
        let candidate = answer.lines().find(|line| line.starts_with("a=candidate")).unwrap();
        let port: u16 = candidate.split(' ').nth(5).unwrap().parse().unwrap();
        let relay = Relay::towards(SocketAddr::from(([127, 0, 0, 1], port))).await;
        let near = format!(" {} typ host", relay.near.port());
        let answer = answer.replace(&format!(" {port} typ host"), &near);
        Self { line, relay, answer, place }
    }

    async fn connect(&mut self) {
        self.line.accept(self.answer.clone()).await.unwrap();
    }
}

fn without_candidates(sdp: &str) -> String {
    sdp.split_inclusive('\n').filter(|line| !line.starts_with("a=candidate")).collect()
}

async fn whip(service: &Serving, offer: String) -> reqwest::Response {
    let posting = reqwest::Client::new().post(format!("{}/v1/whip/parcel", base(service)));
    let posting = posting.bearer_auth(given_token(service).await);
    posting.header("content-type", "application/sdp").body(offer).send().await.unwrap()
}

/// Sends each from both, twelve a tick; gives how many were sent.
async fn attack(from: [&UdpSocket; 2], to: SocketAddr, datagrams: &[Vec<u8>]) -> u64 {
    let mut tick = tokio::time::interval(Duration::from_millis(20));
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut sent = 0;
    for datagram in datagrams {
        for socket in from {
            if sent % 12 == 0 {
                tick.tick().await;
            }
            socket.send_to(datagram, to).await.unwrap();
            sent += 1;
        }
    }
    sent
}

/// Descriptions made to hurt; where there is none, that is said.
fn bombs() -> Vec<String> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared");
    let shared = std::env::var_os("CORDBOARD_SHARED").map_or_else(beside, PathBuf::from);
    let folder = shared.join("data/sip/sdp-bombs");
    let Ok(files) = std::fs::read_dir(&folder) else {
        eprintln!("passed over: {} is not there", folder.display());
        return Vec::new();
    };
    let read = files.map(|it| std::fs::read(it.unwrap().path()).unwrap());
    read.map(|it| String::from_utf8_lossy(&it).into_owned()).collect()
}

/// A figure, or 0 where it is not there.
async fn figure(service: &Serving, name: &str) -> u64 {
    let page = service.api.text("/metrics").await;
    let line = page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.map_or(0, |it| it.parse().unwrap())
}

/// Offers each description that was made to hurt, both ways, while a call goes on; gives how many.
async fn explode(service: &Serving, line: &mut Line, encoder: &mut Encoder) -> u64 {
    let mut tried = 0;
    for bomb in bombs() {
        let answer = whip(service, bomb.clone()).await;
        let told = answer.status().as_u16();
        assert!(matches!(told, 400 | 413), "{told}: {}", answer.text().await.unwrap());
        let mut socket = connect(service).await;
        let token = given_token(service).await;
        let begin = json!({ "type": "begin", "token": token, "sdp": bomb });
        socket.send(Message::text(begin.to_string())).await.unwrap();
        let first = tokio::time::timeout(PATIENCE, socket.next()).await.unwrap();
        if let Some(Ok(Message::Text(told))) = first {
            assert!(told.contains("\"code\":\"malformed\""), "{told}");
        }
        tried += 2;
        speak(line, encoder, &[], 2).await;
    }
    tried
}

/// Says something until it is understood; gives how many packets came meanwhile.
async fn talks(service: &Serving, id: &str, line: &mut Line, encoder: &mut Encoder) -> usize {
    came(line);
    let asks = spoken("rms", &["where is my order".to_owned()]);
    let speaking = async {
        loop {
            speak(line, encoder, &asks, asks.len() / 160 + 300).await;
        }
    };
    let understood = service.api.entry(id, |entry| {
        entry["what"] == "caller_spoke" && entry["text"].as_str().unwrap().contains("order")
    });
    tokio::select! {
        _ = understood => {}
        () = speaking => {}
    }
    came(line).len()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_sent_to_hurt_a_browsers_call_is_refused_and_counted_and_the_call_goes_on() {
    let service = Serving::start("[browser]\ntokens_a_minute = 1000");
    let datagrams = attacks();
    let mut call = Relayed::answered(&service).await;
    let stranger = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let server = call.relay.server;
    // Before anything is agreed on, and while it is.
    let early = attack([&call.relay.outer(), &stranger], server, &datagrams).await;
    call.connect().await;
    let mut encoder = Encoder::new(Codec::Opus);
    speak(&mut call.line, &mut encoder, &[], 100).await;
    let live = service.api.call_of("browser:").await;
    let id = live["id"].as_str().unwrap().to_owned();
    let (memory, lines) = (service.memory_bytes(), service.log().lines().count());

    let outer = call.relay.outer();
    let mut sent = 0;
    let attacking = async {
        for _ in 0..ROUNDS {
            sent += attack([&outer, &stranger], server, &datagrams).await;
        }
    };
    let speaking = async {
        loop {
            speak(&mut call.line, &mut encoder, &[], 5).await;
        }
    };
    tokio::select! {
        () = attacking => {}
        () = speaking => {}
    }
    let back = tokio::time::timeout(Duration::from_millis(100), stranger.recv(&mut [0; 64])).await;
    assert!(back.is_err(), "a stranger is answered");
    let tried = explode(&service, &mut call.line, &mut encoder).await;
    let grown = service.memory_bytes().saturating_sub(memory);
    let logged = service.log().lines().count().saturating_sub(lines);

    // It hears, and is heard.
    let heard = talks(&service, &id, &mut call.line, &mut encoder).await;
    reqwest::Client::new().delete(&call.place).send().await.unwrap();
    let media = service.api.entry(&id, |entry| entry["what"] == "media").await;
    let garbage = media["garbage"].as_u64().unwrap();
    let counted = figure(&service, "cordboard_rtp_packets_foreign_total{leg=\"caller\"}").await;
    let offers = figure(&service, "cordboard_browser_refusals_total{what=\"offer\"}").await;
    // What is longer than a message may be is none.
    let messages = figure(&service, "cordboard_browser_refusals_total{what=\"message\"}").await;
    println!(
        "{early} datagrams sent before and {sent} in the call, {garbage} refused; {tried} \
         descriptions, {offers} refused, {messages} not even read; memory \
         grew by {} KiB, the log by {logged} lines; {heard} packets heard after it; {media}",
        grown / 1024,
    );
    assert!(heard > 50, "{heard} packets came");
    // The system itself drops what does not fit into the socket's buffer.
    assert!((sent * 90 / 100..=sent + early).contains(&garbage), "{sent} sent: {media}");
    assert!(counted >= garbage, "{counted} of {garbage} in the figures");
    assert_eq!(offers + messages, tried, "{offers} and {messages} of {tried} in the figures");
    assert!(grown <= GROWTH_MAX_BYTES, "memory grew by {grown}");
    assert!(logged < LINES_MAX, "{}", service.log());
    assert!(!service.log().contains("panicked"), "{}", service.log());
    let entries = service.api.timeline(&id).await;
    let held: Vec<&Value> = entries.iter().filter(|entry| entry["what"] == "held").collect();
    assert!(held.is_empty(), "{held:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_behind_another_port_of_a_sudden_is_heard_and_hears_on() {
    let service = Serving::start("[turn]\nno_input_ms = 20000");
    let mut call = Relayed::answered(&service).await;
    call.connect().await;
    let mut encoder = Encoder::new(Codec::Opus);
    speak(&mut call.line, &mut encoder, &[], 100).await;
    let live = service.api.call_of("browser:").await;
    let id = live["id"].as_str().unwrap().to_owned();
    for round in 1..=2 {
        let old = call.relay.rebind().await;
        let began = clock::monotonic();
        came(&call.line);
        let speaking = async {
            loop {
                speak(&mut call.line, &mut encoder, &[], 5).await;
            }
        };
        // The voice may be silent for a while; its packets come in silence as well.
        let _ = tokio::time::timeout(Duration::from_secs(8), speaking).await;
        let came = came(&call.line);
        let first = came.get(3).map(|it| it.at.saturating_sub(began));
        let more = came.len();
        println!("port {round}: heard again {first:?} after it changed; {more} packets in 8 s");
        drop(old);
        assert!(first.is_some_and(|it| it < Duration::from_secs(5)), "{first:?}");
    }
    let entries = service.api.timeline(&id).await;
    let held = entries.iter().filter(|entry| entry["what"] == "held").count();
    let resumed = entries.iter().filter(|entry| entry["what"] == "resumed").count();
    println!("held {held} times, resumed {resumed} times");
    assert_eq!(held, resumed, "{entries:?}");
    reqwest::Client::new().delete(&call.place).send().await.unwrap();
    let call = service.api.ended_call_of("browser:").await;
    assert_eq!(call["cause"], "bye", "{call}");
    until("no call", async || (service.api.calls_live().await == 0).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_whip_client_restarts_ice_by_a_part_of_a_description_and_talks_on() {
    let service = Serving::start("");
    let (mut line, offer) = offer().await.unwrap();
    let posted = whip(&service, offer).await.error_for_status().unwrap();
    let tag = posted.headers()["etag"].clone();
    let place = format!("{}{}", base(&service), posted.headers()["location"].to_str().unwrap());
    let answer = posted.text().await.unwrap();
    line.accept(answer.clone()).await.unwrap();
    let mut encoder = Encoder::new(Codec::Opus);
    speak(&mut line, &mut encoder, &[], 50).await;
    let patch = async |if_match: Option<&str>, part: &str| {
        let patch = reqwest::Client::new().patch(&place).body(part.to_owned());
        let patch = patch.header("content-type", "application/trickle-ice-sdpfrag");
        let patch = match if_match {
            Some(it) => patch.header("if-match", it),
            None => patch,
        };
        patch.send().await.unwrap()
    };
    let offer = line.offer_anew().await.unwrap();
    let names = ["a=ice-ufrag:", "a=ice-pwd:", "a=candidate:", "m=audio", "a=mid:"];
    let part: String = offer
        .split_inclusive('\n')
        .filter(|line| names.iter().any(|name| line.starts_with(name)))
        .collect();
    let part = part.as_str();
    let tag = tag.to_str().unwrap();
    for (if_match, part, status) in [
        (None, part, 428),
        (Some("\"another\""), part, 412),
        (Some("*"), "a=ice-ufrag:abcd\r\n", 400),
        (Some("*"), "a=ice-ufrag:a b\r\na=ice-pwd:0123456789012345678901\r\n", 400),
        (Some(tag), "a=candidate:1 1 udp 1 127.0.0.1 9 typ host\r\n", 204),
    ] {
        let answer = patch(if_match, part).await;
        assert_eq!(answer.status().as_u16(), status, "{if_match:?} {part}");
    }
    let began = clock::monotonic();
    let restarted = patch(Some("*"), part).await;
    assert_eq!(restarted.status().as_u16(), 200);
    assert_eq!(restarted.headers()["content-type"], "application/trickle-ice-sdpfrag");
    let next = restarted.headers()["etag"].clone();
    assert_ne!(next, tag);
    let theirs = restarted.text().await.unwrap();
    assert!(theirs.contains("a=candidate:"), "{theirs}");
    let of = |name: &str| theirs.lines().find(|line| line.starts_with(name)).unwrap();
    let put = |line: &str| match line.split(':').next().unwrap() {
        "a=ice-ufrag" => format!("{}\r\n", of("a=ice-ufrag")),
        "a=ice-pwd" => format!("{}\r\n", of("a=ice-pwd")),
        _ => format!("{line}\r\n"),
    };
    let answer: String = answer.lines().map(put).collect();
    line.accept(answer).await.unwrap();
    came(&line);
    speak(&mut line, &mut encoder, &[], 150).await;
    let came = came(&line);
    let first = came.get(3).map(|it| it.at.saturating_sub(began));
    println!("heard {first:?} after the restart was asked for; {} packets", came.len());
    assert!(came.len() > 100, "{} packets", came.len());
    let stale = "a=candidate:1 1 udp 1 127.0.0.1 9 typ host\r\n";
    assert_eq!(patch(Some(tag), stale).await.status().as_u16(), 412, "the session before");
    assert_eq!(reqwest::Client::new().delete(&place).send().await.unwrap().status().as_u16(), 200);
    let call = service.api.ended_call_of("browser:").await;
    assert_eq!(call["cause"], "bye", "{call}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sentence_that_was_said_while_nothing_came_from_the_browser_is_said_again() {
    let service = Serving::start("[turn]\nno_input_ms = 20000");
    let (mut line, offer) = offer().await.unwrap();
    let mut socket = connect(&service).await;
    let token = given_token(&service).await;
    let offer = without_candidates(&offer);
    say(&mut socket, json!({ "type": "begin", "token": token, "sdp": offer })).await;
    let answer = awaits(&mut socket, "answer").await;
    let candidate = awaits(&mut socket, "candidate").await;
    let candidate = candidate["candidate"]["candidate"].as_str().unwrap();
    let port: u16 = candidate.split(' ').nth(5).unwrap().parse().unwrap();
    let mut relay = Relay::towards(SocketAddr::from(([127, 0, 0, 1], port))).await;
    let near = format!(" {} typ host", relay.near.port());
    let candidate = candidate.replace(&format!(" {port} typ host"), &near);
    line.accept(format!("{}a={candidate}\r\n", answer["sdp"].as_str().unwrap())).await.unwrap();
    let id = answer["call"].as_str().unwrap();
    let mut encoder = Encoder::new(Codec::Opus);
    let before = tokio::time::timeout(PATIENCE, async {
        // Within the first sentence, and past its begin.
        loop {
            tokio::select! {
                shown = awaits(&mut socket, "assistant") => {
                    if words(&shown["heard"]) >= 2 {
                        return shown;
                    }
                }
                () = speak(&mut line, &mut encoder, &[], 500) => {}
            }
        }
    });
    let before = before.await.unwrap();
    relay.stop();
    let held = service.api.entry(id, |entry| entry["what"] == "held");
    tokio::select! {
        _ = held => {}
        () = speak(&mut line, &mut encoder, &[], 3_000) => panic!("nobody notices"),
    }
    let mut last = before.clone();
    while let Ok(message) =
        tokio::time::timeout(Duration::from_millis(200), awaits(&mut socket, "assistant")).await
    {
        last = message;
    }
    relay.rebind().await;
    let resumed = service.api.entry(id, |entry| entry["what"] == "resumed");
    tokio::select! {
        _ = resumed => {}
        () = speak(&mut line, &mut encoder, &[], 3_000) => panic!("it is not back"),
    }
    let after = tokio::select! {
        shown = awaits(&mut socket, "assistant") => shown,
        () = speak(&mut line, &mut encoder, &[], 3_000) => panic!("nothing is said"),
    };
    // The lines before it, which ended meanwhile, are taken for heard.
    println!("cut at {before}; until it was noticed {last}; on at {after}");
    assert_eq!(last["prompt"], after["prompt"], "{before} {last} {after}");
    assert!(words(&after["heard"]) < words(&last["heard"]), "{last} {after}");
    say(&mut socket, json!({ "type": "bye" })).await;
    awaits(&mut socket, "ended").await;
}
