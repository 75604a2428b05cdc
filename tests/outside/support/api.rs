//! The HTTP side, as an asker sees it.

use std::net::SocketAddr;

use reqwest::Client;
use serde_json::Value;

use super::until;

/// Asks a service.
#[derive(Clone, Debug)]
pub(crate) struct Api {
    client: Client,
    base: String,
    address: SocketAddr,
}

impl Api {
    pub(crate) fn new(address: SocketAddr) -> Self {
        // reqwest is built without a provider of its own.
        let _ = rustls::crypto::ring::default_provider().install_default();
        Self { client: Client::new(), base: format!("http://{address}"), address }
    }

    /// Where it listens.
    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// What is at an address; nothing while it cannot be had.
    pub(crate) async fn try_get(&self, path: &str) -> Option<Value> {
        let answer = self.client.get(format!("{}{path}", self.base)).send().await.ok()?;
        answer.error_for_status().ok()?.json().await.ok()
    }

    /// The answer at an address.
    pub(crate) async fn answer(&self, path: &str) -> reqwest::Response {
        let url = format!("{}{path}", self.base);
        let answer = until(path, async || self.client.get(&url).send().await.ok());
        answer.await
    }

    /// The text at an address.
    pub(crate) async fn text(&self, path: &str) -> String {
        self.answer(path).await.text().await.unwrap()
    }

    /// What is at an address, as soon as it is there.
    pub(crate) async fn get(&self, path: &str) -> Value {
        until(path, async || self.try_get(path).await).await
    }

    pub(crate) async fn calls_live(&self) -> u64 {
        self.get("/healthz").await["calls_live"].as_u64().expect("a number")
    }

    /// Waits until so many calls are up.
    pub(crate) async fn until_live(&self, calls: u64) {
        until(&format!("{calls} calls"), async || (self.calls_live().await == calls).then_some(()))
            .await;
    }

    /// The newest call of a caller, by the user part of the address or its begin.
    pub(crate) async fn call_of(&self, caller: &str) -> Value {
        let from = format!("sip:{caller}@");
        until(&format!("a call of {caller}"), async || {
            let page = self.try_get("/v1/calls?limit=200").await?;
            let calls = page["calls"].as_array()?.clone();
            let is_its = |from_it: &str| from_it.contains(&from) || from_it.starts_with(caller);
            calls.into_iter().find(|call| is_its(text(call, "from")))
        })
        .await
    }

    /// The newest call of a caller, once it is over.
    pub(crate) async fn ended_call_of(&self, caller: &str) -> Value {
        let id = text(&self.call_of(caller).await, "id").to_owned();
        until(&format!("the end of the call of {caller}"), async || {
            let call = self.try_get(&format!("/v1/calls/{id}")).await?;
            (!call["ended"].is_null()).then_some(call)
        })
        .await
    }

    /// All calls, once that many at least are in the store and all of them are over there. The
    /// store follows the spool: a call that lives no more may be written a little later.
    pub(crate) async fn until_ended(&self, calls: usize) -> Vec<Value> {
        until(&format!("{calls} calls that ended in the store"), async || {
            let page = self.try_get("/v1/calls?limit=200").await?;
            let ended = page["calls"].as_array()?.clone();
            let all = ended.len() >= calls && ended.iter().all(|call| !call["ended"].is_null());
            all.then_some(ended)
        })
        .await
    }

    /// All entries of a call so far.
    pub(crate) async fn timeline(&self, call: &str) -> Vec<Value> {
        let page = self.get(&format!("/v1/calls/{call}/timeline")).await;
        page["entries"].as_array().expect("entries").clone()
    }

    /// The first entry of a call that fits, as soon as there is one.
    pub(crate) async fn entry(&self, call: &str, fits: impl Fn(&Value) -> bool) -> Value {
        let fits = &fits;
        until("an entry", async || self.timeline(call).await.into_iter().find(fits)).await
    }
}

/// A text in an object; empty where there is none.
fn text<'v>(value: &'v Value, key: &str) -> &'v str {
    value[key].as_str().unwrap_or_default()
}
