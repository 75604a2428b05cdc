//! The company's systems, over HTTP.
//!
//! An invocation's intent is on the disk before it is sent; it is sent again only where the flow
//! declares the tool idempotent, or where nothing left the machine; its answer always comes back.

use std::time::Duration;

use reqwest::{Client, Method, StatusCode};
use serde_json::Value;

use super::mailbox::ReplyTo;
use crate::call::Input;
use crate::clock;
use crate::conversation::{Flow, Invocation, Tool, ToolOutcome, ToolRequest};
use crate::store::Store;
use crate::timeline::{CallId, ToolVerdict};

/// How long the disk is waited for before a tool is called all the same: the caller waits too.
const SPOOL_WITHIN: Duration = Duration::from_millis(500);
/// The most that a result may be; more is refused as malformed.
const BODY_BYTES_MAX: usize = 256 * 1024;

/// Speaks to the company's systems.
#[derive(Clone, Debug)]
pub(crate) struct Tools {
    client: Client,
}

enum Failure {
    /// Nothing left the machine.
    NotSent,
    /// It may have arrived.
    Lost,
    /// No answer in time.
    TimedOut,
}

impl Tools {
    /// Makes a client without redirects: an answer that points elsewhere is no answer.
    pub(crate) fn new() -> Result<Self, reqwest::Error> {
        // The client panics without a provider of TLS; an error means that there is one.
        drop(rustls::crypto::ring::default_provider().install_default());
        let redirects = reqwest::redirect::Policy::none();
        Ok(Self { client: Client::builder().redirect(redirects).build()? })
    }

    /// Carries an invocation out and gives the call its outcome.
    pub(crate) async fn invoke(
        &self,
        store: &Store,
        flow: &Flow,
        call: &CallId,
        invocation: Invocation,
        reply: ReplyTo,
    ) {
        let began = clock::monotonic();
        let id = invocation.id;
        let on_disk = store.clone();
        let spooled = tokio::task::spawn_blocking(move || on_disk.flush(SPOOL_WITHIN)).await;
        if !matches!(spooled, Ok(true)) {
            tracing::warn!(%call, "a tool is called before its intent is on the disk");
        }
        let outcome = match flow.tool(&invocation.tool) {
            Some(tool) => self.attempts(tool, &invocation, began).await,
            None => outcome(ToolVerdict::Unreachable, began),
        };
        reply.give(Input::ToolAnswered { invocation: id, outcome });
    }

    async fn attempts(&self, tool: &Tool, invocation: &Invocation, began: Duration) -> ToolOutcome {
        let Ok(request) = tool.request(&invocation.arguments) else {
            // What is wrong with it may quote a value.
            let tool = &invocation.tool;
            tracing::error!(%tool, "a tool's templates cannot be filled");
            return outcome(ToolVerdict::Unreachable, began);
        };
        let mut left = tool.retries();
        loop {
            let failure = match self.attempt(tool, &request, invocation).await {
                Ok((status, body)) if left == 0 || !worth_retrying(status) => {
                    return tool.judge(status.as_u16(), body, since(began));
                }
                Ok(_) => Failure::Lost,
                Err(failure) => failure,
            };
            let verdict = match failure {
                Failure::TimedOut => ToolVerdict::TimedOut,
                Failure::NotSent | Failure::Lost => ToolVerdict::Unreachable,
            };
            if left == 0 || matches!(failure, Failure::TimedOut) {
                return outcome(verdict, began);
            }
            left -= 1;
        }
    }

    async fn attempt(
        &self,
        tool: &Tool,
        request: &ToolRequest,
        invocation: &Invocation,
    ) -> Result<(StatusCode, Value), Failure> {
        let method = Method::from_bytes(request.method.as_bytes()).map_err(|_| Failure::NotSent)?;
        let mut sending = self
            .client
            .request(method, &request.url)
            .header("Idempotency-Key", &invocation.key)
            .timeout(Duration::from_millis(tool.timeout_ms()));
        if let Some(body) = &request.body {
            sending = sending.json(body);
        }
        let mut answer = sending.send().await.map_err(|error| failure(&error))?;
        let status = answer.status();
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(|error| failure(&error))? {
            if body.len() + chunk.len() > BODY_BYTES_MAX {
                return Ok((status, Value::Null));
            }
            body.extend_from_slice(&chunk);
        }
        Ok((status, serde_json::from_slice(&body).unwrap_or(Value::Null)))
    }
}

fn failure(error: &reqwest::Error) -> Failure {
    if error.is_timeout() {
        Failure::TimedOut
    } else if error.is_connect() {
        Failure::NotSent
    } else {
        Failure::Lost
    }
}

const fn worth_retrying(status: StatusCode) -> bool {
    matches!(status, StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE)
}

fn outcome(verdict: ToolVerdict, began: Duration) -> ToolOutcome {
    ToolOutcome { verdict, result: Value::Null, took_ms: since(began) }
}

fn since(began: Duration) -> u64 {
    let took = clock::monotonic().saturating_sub(began);
    u64::try_from(took.as_millis()).unwrap_or(u64::MAX)
}
