//! A streaming voice over WebSocket in Cartesia's wire form (`wss …/tts/websocket`).
//!
//! A text is one context; its sound comes in base64 pieces with the times of its words. Where no
//! more is wanted the context is cancelled and what still comes of it is dropped. Source:
//! docs.cartesia.ai, "Text to Speech (WebSocket)".

use std::time::Duration;

use serde_json::json;

use super::cartesia_wire::{Progress, progress};
use super::cartesia_words::Pieces;
use super::socket::{self, Event, Limits, Socket, SocketPlan};
use super::{Address, Network, RemoteFault, Secret};
use crate::speech::{EngineFault, Speech, SpeechRequest, SpokenWord, Synthesizer};

const ENGINE: &str = "cartesia";
/// A ping after so long keeps the connection known on its way.
const KEEP_ALIVE_AFTER: Duration = Duration::from_secs(30);

/// How the voice is reached.
#[derive(Clone, Debug)]
pub struct CartesiaConfig {
    /// The endpoint, "wss://api.cartesia.ai/tts/websocket".
    pub address: Address,
    /// The key; none where the host wants none.
    pub key: Option<Secret>,
    /// The version of the interface, "2025-04-16".
    pub version: String,
    /// The model, "sonic-3".
    pub model: String,
    /// The voice's id at the vendor.
    pub voice: String,
    /// The language, "en".
    pub language: String,
    /// Further headers.
    pub headers: Vec<(String, String)>,
    /// Longest that connecting may take.
    pub connect_within: Duration,
    /// Longest that nothing may come while sound is owed.
    pub stall_after: Duration,
    /// Longest that one text may take in all.
    pub speech_within: Duration,
}

impl CartesiaConfig {
    /// The vendor's own host, with limits that leave time for another engine.
    #[must_use]
    pub fn new(address: Address, key: Option<Secret>, voice: &str) -> Self {
        Self {
            address,
            key,
            version: "2025-04-16".to_owned(),
            model: "sonic-3".to_owned(),
            voice: voice.to_owned(),
            language: "en".to_owned(),
            headers: Vec::new(),
            connect_within: Duration::from_millis(1_000),
            stall_after: Duration::from_millis(500),
            speech_within: Duration::from_secs(20),
        }
    }
}

/// Speaks by a server that speaks Cartesia's form.
#[derive(Debug)]
pub struct Cartesia {
    config: CartesiaConfig,
    network: Network,
    socket: Option<Socket>,
    contexts: u64,
}

impl Cartesia {
    /// Makes the voice; it connects with the first text.
    #[must_use]
    pub const fn new(network: Network, config: CartesiaConfig) -> Self {
        Self { config, network, socket: None, contexts: 0 }
    }

    /// The connection, which is made where there is none; what was left unread is dropped.
    fn connect(&mut self) -> &Socket {
        while let Some(event) = self.socket.as_ref().and_then(Socket::poll) {
            if matches!(event, Event::Failed(_)) {
                self.socket = None;
            }
        }
        self.socket.get_or_insert_with(|| {
            let mut headers = self.config.headers.clone();
            headers.push(("Cartesia-Version".to_owned(), self.config.version.clone()));
            if let Some(key) = &self.config.key {
                headers.push(("X-API-Key".to_owned(), key.expose().to_owned()));
            }
            let plan = SocketPlan {
                url: self.config.address.url().to_string(),
                headers,
                connect_within: self.config.connect_within,
                keep_alive: Some((socket::Message::Ping(Vec::new().into()), KEEP_ALIVE_AFTER)),
            };
            Socket::open(&self.network, plan)
        })
    }

    fn order(&self, request: &SpeechRequest, context: &str) -> String {
        let mut order = json!({
            "model_id": self.config.model,
            "transcript": &*request.text,
            "voice": { "mode": "id", "id": self.config.voice },
            "language": self.config.language,
            "context_id": context,
            "output_format": {
                "container": "raw",
                "encoding": "pcm_s16le",
                "sample_rate": request.rate.hz(),
            },
            "add_timestamps": true,
            "continue": false,
        });
        if (request.stretch - 1.0).abs() > 1e-3 {
            // Their speed is the inverse of our length, and has these bounds.
            let speed = (1.0 / request.stretch.max(0.1)).clamp(0.6, 1.5);
            order["generation_config"] = json!({ "speed": speed });
        }
        order.to_string()
    }

    fn stream(
        &mut self,
        request: &SpeechRequest,
        take: &mut dyn FnMut(Speech) -> bool,
    ) -> Result<(), RemoteFault> {
        self.contexts += 1;
        let context = format!("cordboard-{}", self.contexts);
        let order = self.order(request, &context);
        let (gap, whole) = (self.config.stall_after, self.config.speech_within);
        let key = self.config.key.clone();
        let socket = self.connect();
        socket.limit(Limits { gap: Some(gap), whole: Some(whole) })?;
        socket.text(order)?;
        let mut pieces = Pieces::new(&request.text, request.rate);
        loop {
            let late = |within: Duration| RemoteFault::Late {
                what: "sound",
                within_ms: u64::try_from(within.as_millis()).unwrap_or(u64::MAX),
            };
            let progress = match socket.wait() {
                Event::Text(text) => progress(&text, &context, key.as_ref(), &mut pieces)?,
                Event::Quiet => return Err(late(gap)),
                Event::Overdue => return Err(late(whole)),
                Event::Failed(fault) => return Err(fault),
            };
            let piece = match progress {
                Progress::Nothing => None,
                Progress::Grown => pieces.next(),
                Progress::Done => pieces.rest(),
            };
            if progress == Progress::Done && piece.is_none() && pieces.is_silent() {
                return Err(RemoteFault::Malformed { why: "an end without any sound".to_owned() });
            }
            let wanted = piece.is_none_or(&mut *take);
            if progress == Progress::Done {
                return socket.limit(Limits::default());
            }
            if !wanted {
                socket.text(json!({ "context_id": context, "cancel": true }).to_string())?;
                return socket.limit(Limits::default());
            }
        }
    }
}

impl Synthesizer for Cartesia {
    fn speak(&mut self, request: &SpeechRequest) -> Result<Speech, EngineFault> {
        let mut parts = Vec::new();
        self.speak_into(request, &mut |part| {
            parts.push(part);
            true
        })?;
        Ok(joined(request, &parts))
    }

    fn speak_into(
        &mut self,
        request: &SpeechRequest,
        take: &mut dyn FnMut(Speech) -> bool,
    ) -> Result<(), EngineFault> {
        if !request.text.contains(char::is_alphanumeric) {
            take(joined(request, &[]));
            return Ok(());
        }
        self.stream(request, take).map_err(|fault| {
            self.socket = None;
            fault.of(ENGINE)
        })
    }
}

fn joined(request: &SpeechRequest, parts: &[Speech]) -> Speech {
    let mut samples = Vec::new();
    let mut words = Vec::new();
    for part in parts {
        let before = Duration::from_secs_f64(samples.len() as f64 / f64::from(request.rate.hz()));
        samples.extend_from_slice(&part.samples);
        words.extend(part.words.iter().map(|word| SpokenWord {
            text: word.text.clone(),
            begin: before + word.begin,
            end: before + word.end,
        }));
    }
    Speech {
        text: request.text.clone(),
        rate: request.rate,
        samples: samples.into(),
        words: words.into(),
    }
}
