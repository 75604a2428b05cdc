//! A language model over server-sent events, in the form of OpenAI's chat completions; any host
//! that speaks it.
//!
//! An answer is a future that gives events as they come; dropping it cancels the request. Each
//! wait has a limit, and so has the whole. Deliberately absent: trying again, which is the asker's.

use std::time::Duration;

use eventsource_stream::Eventsource;
use futures_util::StreamExt;
use reqwest::Client;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use tokio::time::timeout;

use super::chat_wire::Assembly;
use super::fault::{is_gone, retry_after};
use super::{Address, ChatEvent, ChatRequest, RemoteFault, Secret};

/// How the model is reached.
#[derive(Clone, Debug)]
pub struct ChatConfig {
    /// Begin of all its URLs, `https://api.openai.com/v1`.
    pub address: Address,
    /// The key; none where the host wants none.
    pub key: Option<Secret>,
    /// The model.
    pub model: String,
    /// Further headers.
    pub headers: Vec<(String, String)>,
    /// The limits.
    pub limits: ChatLimits,
}

/// How long, and how much.
#[derive(Clone, Copy, Debug)]
pub struct ChatLimits {
    /// To a connection.
    pub connect: Duration,
    /// From the request to the first event.
    pub first: Duration,
    /// Between events.
    pub between: Duration,
    /// In all.
    pub whole: Duration,
    /// Bytes of text in all.
    pub text_bytes: usize,
}

impl Default for ChatLimits {
    fn default() -> Self {
        Self {
            connect: Duration::from_millis(1_000),
            first: Duration::from_millis(2_000),
            between: Duration::from_millis(2_000),
            whole: Duration::from_secs(8),
            text_bytes: 16 * 1024,
        }
    }
}

/// A language model in OpenAI's form.
#[derive(Clone, Debug)]
pub struct Chat {
    client: Client,
    config: ChatConfig,
    headers: HeaderMap,
}

impl Chat {
    /// Makes the client; nothing is sent yet. A [`Network`](super::Network) must have been started.
    ///
    /// # Errors
    /// `Malformed` where a header of the settings cannot be sent.
    pub fn new(config: ChatConfig) -> Result<Self, RemoteFault> {
        let client = Client::builder()
            .connect_timeout(config.limits.connect)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|error| unreachable_host(&error))?;
        let mut headers = HeaderMap::new();
        let unfit = |name: &str| RemoteFault::Malformed {
            why: format!("our own header {name:?}; check headers"),
        };
        for (name, value) in &config.headers {
            let key = HeaderName::try_from(name.as_str()).map_err(|_| unfit(name))?;
            let mut value = HeaderValue::try_from(value.as_str()).map_err(|_| unfit(name))?;
            value.set_sensitive(true);
            headers.insert(key, value);
        }
        if let Some(key) = &config.key {
            let value = HeaderValue::try_from(format!("Bearer {}", key.expose()));
            let mut value = value.map_err(|_| unfit("authorization"))?;
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        Ok(Self { client, config, headers })
    }

    /// The limits.
    #[must_use]
    pub const fn limits(&self) -> &ChatLimits {
        &self.config.limits
    }

    /// Asks, and gives the answer's events as they come. Tool calls come whole, before the end.
    ///
    /// # Errors
    /// Any [`RemoteFault`]; what was given before is to be taken for half an answer.
    pub async fn answer(
        &self,
        request: &ChatRequest,
        give: impl FnMut(ChatEvent),
    ) -> Result<(), RemoteFault> {
        let whole = self.config.limits.whole;
        let answered = timeout(whole, self.stream(request, give)).await;
        answered.map_err(|_| late("the whole answer", whole))?
    }

    async fn stream(
        &self,
        request: &ChatRequest,
        mut give: impl FnMut(ChatEvent),
    ) -> Result<(), RemoteFault> {
        let limits = self.config.limits;
        let first = timeout(limits.first, async {
            let response = self.send(request).await?;
            let mut events = Box::pin(response.bytes_stream().eventsource());
            let event = events.next().await;
            Ok::<_, RemoteFault>((event, events))
        });
        let (mut event, mut events) =
            first.await.map_err(|_| late("a first token", limits.first))??;
        let mut answer = Assembly::default();
        let mut text_bytes = 0;
        while let Some(next) = event {
            let data = next.map_err(|_| RemoteFault::Closed)?.data;
            if data.trim() == "[DONE]" {
                break;
            }
            if let Some(text) = answer.take(&data)? {
                text_bytes += text.len();
                if text_bytes > limits.text_bytes {
                    let limit = limits.text_bytes;
                    return Err(RemoteFault::Excess { limit, unit: "bytes of text" });
                }
                give(ChatEvent::Text(text));
            }
            event = timeout(limits.between, events.next())
                .await
                .map_err(|_| late("the next token", limits.between))?;
        }
        answer.end()?.into_iter().for_each(give);
        Ok(())
    }

    async fn send(&self, request: &ChatRequest) -> Result<reqwest::Response, RemoteFault> {
        let response = self
            .client
            .post(self.config.address.join("chat/completions"))
            .headers(self.headers.clone())
            .json(&request.body(&self.config.model))
            .send()
            .await
            .map_err(|error| unanswered(&error))?;
        if response.status().is_success() {
            return Ok(response);
        }
        let wait = response.headers().get("retry-after").and_then(|value| value.to_str().ok());
        let status = response.status().as_u16();
        Err(RemoteFault::Refused { status, retry_after: retry_after(wait) })
    }
}

fn late(what: &'static str, within: Duration) -> RemoteFault {
    let within_ms = u64::try_from(within.as_millis()).unwrap_or(u64::MAX);
    RemoteFault::Late { what, within_ms }
}

/// Why a request has no answer: a host that took it and is gone was reached before.
fn unanswered(error: &reqwest::Error) -> RemoteFault {
    let is_cut = innermost(error).downcast_ref().is_some_and(is_gone);
    if is_cut && !error.is_connect() { RemoteFault::Closed } else { unreachable_host(error) }
}

fn unreachable_host(error: &reqwest::Error) -> RemoteFault {
    RemoteFault::Unreachable { why: innermost(error).to_string() }
}

/// The innermost cause alone: the outer ones repeat the URL.
fn innermost(error: &reqwest::Error) -> &(dyn std::error::Error + 'static) {
    let mut cause: &(dyn std::error::Error + 'static) = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause
}
