//! Local servers: a WebSocket whose every connection is told what to do, and a bare HTTP one.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use cordboard_models::remote::{Address, Network, Scheme, Secret};
use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};
use tokio_tungstenite::{WebSocketStream, accept_hdr_async};

pub(crate) const KEY: &str = "canary-key-0123456789";

pub(crate) fn key() -> Option<Secret> {
    Secret::new(KEY)
}

pub(crate) fn network() -> Network {
    Network::start().expect("a thread")
}

/// A server on this machine; it ends with its value.
pub(crate) struct Server {
    address: SocketAddr,
    /// Request lines and headers of every connection, and texts that came.
    pub(crate) log: Arc<Mutex<Vec<String>>>,
    _runtime: Runtime,
}

impl Server {
    pub(crate) fn start<S, F>(serve: S) -> Self
    where
        S: Fn(usize, TcpStream, Log) -> F + Send + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime");
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a port");
        let address = listener.local_addr().expect("an address");
        let log = Log::default();
        let lines = log.0.clone();
        runtime.spawn(async move {
            let mut count = 0;
            while let Ok((stream, _)) = listener.accept().await {
                count += 1;
                tokio::spawn(serve(count, stream, log.clone()));
            }
        });
        Self { address, log: lines, _runtime: runtime }
    }

    pub(crate) fn url(&self, scheme: Scheme) -> Address {
        let text = match scheme {
            Scheme::WebSocket => format!("ws://{}/v1/listen", self.address),
            Scheme::Http => format!("http://{}/v1", self.address),
        };
        Address::parse(&text, scheme).expect("an address of this machine")
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        self.log.lock().expect("no test panicked in it").clone()
    }
}

#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    pub(crate) fn add(&self, line: impl Into<String>) {
        self.0.lock().expect("no test panicked in it").push(line.into());
    }
}

pub(crate) struct Line(WebSocketStream<TcpStream>);

impl Line {
    #[expect(clippy::result_large_err, reason = "the callback's type is tungstenite's")]
    pub(crate) async fn accept(stream: TcpStream, log: &Log) -> Self {
        let log = log.clone();
        let look = move |request: &Request, response: Response| {
            log.add(request.uri().to_string());
            for (name, value) in request.headers() {
                log.add(format!("{name}: {}", value.to_str().unwrap_or_default()));
            }
            Ok(response)
        };
        Self(accept_hdr_async(stream, look).await.expect("a WebSocket"))
    }

    pub(crate) async fn next(&mut self) -> Option<Message> {
        self.0.next().await?.ok()
    }

    /// Breaks the connection off without a word of either protocol (a TCP reset).
    pub(crate) fn reset(self) {
        self.0.get_ref().set_zero_linger().expect("a socket");
    }

    pub(crate) async fn say(&mut self, text: impl Into<String>) {
        // The engine may be gone: the test says what it expects.
        drop(self.0.send(Message::text(text.into())).await);
    }
}

/// Reads one HTTP request; gives its head and body.
pub(crate) async fn read_request(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4_096];
    loop {
        let got = stream.read(&mut buffer).await.unwrap_or(0);
        bytes.extend_from_slice(&buffer[..got]);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let body = text.split_once("\r\n\r\n").map(|(_, body)| body.len());
        let length = text.lines().find_map(|line| {
            let (name, value) = line.split_once(": ")?;
            name.eq_ignore_ascii_case("content-length").then(|| value.parse().ok())?
        });
        if got == 0 || body.is_some_and(|body| body >= length.unwrap_or(0)) {
            return text;
        }
    }
}

pub(crate) async fn write(stream: &mut TcpStream, text: &str) {
    drop(stream.write_all(text.as_bytes()).await);
    drop(stream.flush().await);
}
