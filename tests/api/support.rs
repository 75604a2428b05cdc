//! A running HTTP side over a store with calls in it, and a client that sends what it is told.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use cordboard::api::{ApiState, PacketFetched, serve};
use cordboard::settings::Token;
use cordboard::store::{Store, StoreOptions};
use cordboard::timeline::{
    CallId, ContextPacket, Entry, LegKind, Links, Outcome, PACKET_VERSION, Trigger, What,
};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};
use tokio_util::sync::CancellationToken;

const PATIENCE: Duration = Duration::from_secs(60);
pub(crate) const TOKEN: &str = "a-bearer-token-of-32-characters!";
pub(crate) const STARTED_UNIX_MS: u64 = 1_700_000_000_000;

/// A running HTTP side.
pub(crate) struct Running {
    pub store: Store,
    pub fetched: mpsc::Receiver<PacketFetched>,
    pub now_unix_ms: Arc<AtomicU64>,
    pub draining: Arc<AtomicBool>,
    pub strained: Arc<AtomicBool>,
    pub address: SocketAddr,
    stop: oneshot::Sender<()>,
    server: JoinHandle<std::io::Result<()>>,
    _folder: TempDir,
}

/// What was answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|fault| panic!("{fault}: {self:?}"))
    }

    pub(crate) fn error_code(&self) -> String {
        self.json()["error"]["code"].as_str().unwrap().to_owned()
    }
}

impl Running {
    /// A WebSocket there, which has said this.
    pub(crate) async fn watches(&self, first: &Value, origin: Option<&str>) -> Watching {
        let mut request = format!("ws://{}/v1/live", self.address).into_client_request().unwrap();
        if let Some(origin) = origin {
            request.headers_mut().insert("origin", origin.parse().unwrap());
        }
        let (mut socket, _) = connect_async(request).await.unwrap();
        socket.send(Message::text(first.to_string())).await.unwrap();
        Watching(socket)
    }

    pub(crate) async fn start(token: Option<&str>) -> Self {
        let folder = TempDir::new().unwrap();
        let store = Store::open(StoreOptions {
            folder: folder.path().to_owned(),
            recording: true,
            keep_inputs: false,
            retain_segments: 2,
        })
        .await
        .unwrap();
        tokio::spawn(store.clone().project(CancellationToken::new()));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (fetched_sender, fetched) = mpsc::channel(8);
        let now_unix_ms = Arc::new(AtomicU64::new(STARTED_UNIX_MS));
        let clock = Arc::clone(&now_unix_ms);
        let draining = Arc::new(AtomicBool::new(false));
        let strained = Arc::new(AtomicBool::new(false));
        let state = ApiState {
            store: store.clone(),
            token: token.map(|token| token.parse::<Token>().unwrap()),
            agents: Arc::new(|| {
                json!([{
                    "name": "alice", "queues": ["service"], "state": "talking",
                    "call": call(1).0, "paused": false,
                }])
            }),
            queues: Arc::new(|| json!([{ "name": "service", "waiting": 0, "offered": 0 }])),
            fetched: fetched_sender,
            now_unix_ms: Arc::new(move || clock.load(Relaxed)),
            is_stranded: Arc::new(|| false),
            is_draining: {
                let draining = Arc::clone(&draining);
                Arc::new(move || draining.load(Relaxed))
            },
            is_strained: {
                let strained = Arc::clone(&strained);
                Arc::new(move || strained.load(Relaxed))
            },
            metrics: Arc::new(|| "# TYPE up gauge\nup 1\n".to_owned()),
            streams: None,
            live: cordboard::api::Live::of(&store),
            browsers: None,
        };
        let (stop, stopped) = oneshot::channel::<()>();
        let server = tokio::spawn(serve(listener, state, async {
            let _ = stopped.await;
        }));
        let running = Self {
            store,
            fetched,
            now_unix_ms,
            draining,
            strained,
            address,
            stop,
            server,
            _folder: folder,
        };
        // Before its tables are made, the database is away: 503.
        running.caught_up().await;
        running
    }

    /// Asks with a GET, as the owner of the token would.
    pub(crate) async fn ask(&self, target: &str) -> Answer {
        self.send("GET", target, &[("Authorization", &format!("Bearer {TOKEN}"))]).await
    }

    /// Sends a request with exactly this target and these headers, and `Host` unless given.
    pub(crate) async fn send(
        &self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
    ) -> Answer {
        let mut request = format!("{method} {target} HTTP/1.1\r\nConnection: close\r\n");
        if !headers.iter().any(|(name, _)| *name == "Host") {
            request += &format!("Host: {}\r\n", self.address);
        }
        for (name, value) in headers {
            request += &format!("{name}: {value}\r\n");
        }
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(format!("{request}\r\n").as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        let read = stream.read_to_end(&mut answer);
        tokio::time::timeout(PATIENCE, read).await.expect("an answer").unwrap();
        let split = answer.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
        let head = String::from_utf8(answer[..split].to_vec()).unwrap().to_lowercase();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        assert!(!head.contains("chunked"), "this client reads bodies of a known length alone");
        Answer { status, head, body: answer[split + 4..].to_vec() }
    }

    pub(crate) async fn caught_up(&self) {
        assert!(self.store.flush(PATIENCE));
        let mut pause = tokio::time::interval(Duration::from_millis(5));
        let wait = async {
            while self.store.health().lag_bytes > 0 {
                pause.tick().await;
            }
        };
        tokio::time::timeout(PATIENCE, wait).await.expect("the database has all of the spool");
    }

    pub(crate) async fn stop(self) {
        self.stop.send(()).unwrap();
        tokio::time::timeout(PATIENCE, self.server).await.expect("an end").unwrap().unwrap();
    }
}

pub(crate) fn call(number: u32) -> CallId {
    CallId(format!("01JD0000000000000000{number:06}"))
}

pub(crate) fn rang(number: u32) -> Entry {
    let what = What::Rang {
        from: format!("sip:{number}@127.0.0.1"),
        to: "sip:parcel@127.0.0.1".into(),
        leg: LegKind::Phone,
        wall_unix_ms: STARTED_UNIX_MS,
        build: "0.1.0".into(),
        flow: "parcel".into(),
        flow_version: "f".into(),
        seed: 1,
    };
    Entry { v: 1, at_ms: 0, what }
}

pub(crate) fn answered(at_ms: u64) -> Entry {
    Entry { v: 1, at_ms, what: What::Answered }
}

pub(crate) fn ended(at_ms: u64) -> Entry {
    let what = What::Ended { outcome: Outcome::HandedOver, cause: "caller hung up".into() };
    Entry { v: 1, at_ms, what }
}

pub(crate) fn packet(call: &CallId) -> ContextPacket {
    ContextPacket {
        version: PACKET_VERSION,
        packet_id: "packet-1".into(),
        call_id: call.0.clone(),
        caller: "sip:1@127.0.0.1".into(),
        stated_issue: "where is my parcel".into(),
        intent: Some("order_status".into()),
        confidence: 0.8,
        slots: Vec::new(),
        actions: Vec::new(),
        resolved: Vec::new(),
        unresolved: vec!["order_status".into()],
        trigger: Trigger::Asked,
        reason: "the caller asked for a person".into(),
        transcript: Vec::new(),
        links: Links::default(),
    }
}

/// Somebody who watches calls.
pub(crate) struct Watching(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Watching {
    /// The next message; none where the connection is closed.
    pub(crate) async fn next(&mut self) -> Option<Value> {
        let message = tokio::time::timeout(PATIENCE, self.0.next()).await.expect("a message");
        match message?.unwrap() {
            Message::Text(text) => Some(serde_json::from_str(&text).unwrap()),
            _ => None,
        }
    }
}
