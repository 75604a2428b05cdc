//! Every collected SIP message in `../shared/data`, when there, at a running service, over UDP and
//! over TCP: it answers meanwhile, and its memory stays.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};

use crate::support::{PATIENCE, Serving, until};

/// Between two questions whether anybody is there.
const EVERY: usize = 10;
/// Messages a second; the collections name 200.
const RATE: u32 = 500;
/// How long an answer over TCP is waited for before the connection is closed.
const ANSWER_MAX: Duration = Duration::from_millis(5);
/// What the service may grow by.
const GROWTH_MAX_BYTES: u64 = 10 << 20;

#[tokio::test(flavor = "multi_thread")]
async fn collected_messages_are_survived_over_udp_and_tcp() {
    let Some(messages) = collected() else { return };
    let service = Serving::start("");
    let probe = Probe::new(&service).await;
    // What it needs for the first messages of all is not growth.
    replay_udp(&service, &probe, &messages[..EVERY * 20]).await;
    let before = service.memory_bytes();
    let udp = replay_udp(&service, &probe, &messages).await;
    let tcp = replay_tcp(&service, &probe, &messages).await;
    let grown = || service.memory_bytes().saturating_sub(before);
    udp.print("udp");
    tcp.print("tcp");
    eprintln!("memory grew by {} KiB", grown() / 1024);
    // What a busy machine answered late is forgotten late: transactions are kept for 32 s
    // (RFC 3261 §17, timers H and J).
    let small = async || (grown() <= GROWTH_MAX_BYTES).then_some(());
    until("the memory of the transactions to be given back", small).await;
    assert_eq!(service.api.calls_live().await, 0);
}

/// What came of a replay.
#[derive(Default)]
struct Replay {
    sent: usize,
    alive_ms: Vec<u128>,
    answers: BTreeMap<String, usize>,
}

impl Replay {
    fn print(mut self, transport: &str) {
        self.alive_ms.sort_unstable();
        let at = |share: usize| self.alive_ms[(self.alive_ms.len() - 1) * share / 100];
        let (p50, p99, max) = (at(50), at(99), at(100));
        eprintln!(
            "{transport}: {} sent; OPTIONS {} times, {p50} ms p50, {p99} ms p99, {max} ms at most; \
             answers {:?}",
            self.sent,
            self.alive_ms.len(),
            self.answers,
        );
    }

    fn heard(&mut self, bytes: &[u8]) {
        if let Some(code) = bytes.strip_prefix(b"SIP/2.0 ").and_then(|it| it.get(..3)) {
            *self.answers.entry(String::from_utf8_lossy(code).into_owned()).or_default() += 1;
        }
    }
}

/// Asks whether anybody is there.
struct Probe {
    socket: UdpSocket,
    local: u16,
}

impl Probe {
    async fn new(service: &Serving) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        socket.connect(service.udp).await.unwrap();
        let local = socket.local_addr().unwrap().port();
        Self { socket, local }
    }

    async fn ask(&self, after: &str) -> u128 {
        #[expect(clippy::disallowed_methods, reason = "a meter of this machine's time")]
        let begun = Instant::now();
        let mark = format!("alive-{:016x}", rand::random::<u64>());
        let text = format!(
            "OPTIONS sip:ping@127.0.0.1 SIP/2.0\r\n\
             Via: SIP/2.0/UDP 127.0.0.1:{};branch=z9hG4bK{mark};rport\r\n\
             From: <sip:probe@127.0.0.1>;tag=p\r\nTo: <sip:ping@127.0.0.1>\r\nCall-ID: {mark}\r\n\
             CSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n",
            self.local
        );
        let mut buffer = vec![0; 4096];
        let asking = async {
            loop {
                self.socket.send(text.as_bytes()).await.unwrap();
                let waiting = self.socket.recv(&mut buffer);
                let Ok(answer) = tokio::time::timeout(Duration::from_millis(500), waiting).await
                else {
                    continue;
                };
                let answer = String::from_utf8_lossy(&buffer[..answer.unwrap()]).into_owned();
                if answer.contains(&mark) && answer.starts_with("SIP/2.0 200") {
                    return;
                }
            }
        };
        let asked = tokio::time::timeout(PATIENCE, asking).await;
        assert!(asked.is_ok(), "no answer to OPTIONS after {after}");
        begun.elapsed().as_millis()
    }
}

async fn replay_udp(service: &Serving, probe: &Probe, messages: &[(String, Vec<u8>)]) -> Replay {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let mut replay = Replay::default();
    let mut buffer = vec![0; 65_535];
    let mut beat = tokio::time::interval(Duration::from_secs(1) / RATE);
    for (name, message) in messages {
        beat.tick().await;
        let most = message.len().min(65_000);
        socket.send_to(&message[..most], service.udp).await.unwrap();
        replay.sent += 1;
        while let Ok(length) = socket.try_recv(&mut buffer) {
            replay.heard(&buffer[..length]);
        }
        if replay.sent.is_multiple_of(EVERY) {
            replay.alive_ms.push(probe.ask(name).await);
        }
    }
    replay
}

async fn replay_tcp(service: &Serving, probe: &Probe, messages: &[(String, Vec<u8>)]) -> Replay {
    let mut replay = Replay::default();
    let mut beat = tokio::time::interval(Duration::from_secs(1) / RATE);
    for (name, message) in messages {
        beat.tick().await;
        let mut stream = TcpStream::connect(service.tcp).await.unwrap();
        // It may close in the middle of what it will not read.
        let _ = stream.write_all(message).await;
        let mut answer = Vec::with_capacity(4096);
        let _ = tokio::time::timeout(ANSWER_MAX, stream.read_buf(&mut answer)).await;
        replay.heard(&answer);
        replay.sent += 1;
        if replay.sent.is_multiple_of(EVERY) {
            replay.alive_ms.push(probe.ask(name).await);
        }
    }
    replay
}

/// All messages with their names, or nothing where they are not there.
fn collected() -> Option<Vec<(String, Vec<u8>)>> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared");
    let shared = std::env::var_os("CORDBOARD_SHARED").map_or_else(beside, PathBuf::from);
    let data = shared.join("data/sip");
    if !data.is_dir() {
        eprintln!("passed over: {} is not there", data.display());
        return None;
    }
    let unpacked = TempDir::new().unwrap();
    for archive in ["sip-malformed/protos-like-dev.tar.gz", "fuzz-seeds.tar.gz"] {
        let mut tar = Command::new("tar");
        tar.arg("xzf").arg(data.join(archive)).arg("-C").arg(unpacked.path());
        assert!(tar.status().unwrap().success(), "{archive}");
    }
    let mut messages = Vec::new();
    for folder in ["sip-torture", "sip-callflows", "sdp", "sdp-bombs", "media-attacks", "stun"] {
        read_below(&data.join(folder), &mut messages);
    }
    read_below(unpacked.path(), &mut messages);
    let lines = std::fs::read_to_string(data.join("sip-attacks/scan_tollfraud_dev.jsonl")).unwrap();
    for (number, line) in lines.lines().enumerate() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        let text = line["msg"].as_str().unwrap().replace("TARGET", "127.0.0.1");
        messages.push((format!("attack {number}"), text.into_bytes()));
    }
    Some(messages)
}

fn read_below(folder: &Path, messages: &mut Vec<(String, Vec<u8>)>) {
    let mut paths: Vec<PathBuf> =
        std::fs::read_dir(folder).unwrap().map(|it| it.unwrap().path()).collect();
    paths.sort();
    for path in paths {
        let is_note = path.extension().is_some_and(|it| it == "json" || it == "tsv");
        if path.is_dir() {
            read_below(&path, messages);
        } else if !is_note {
            messages.push((path.display().to_string(), std::fs::read(&path).unwrap()));
        }
    }
}
