//! `GET /v1/live`: what happens, as it happens, for the pages of calls.
//!
//! A watcher reads what the database has, and is woken by the store's observer: so that entries
//! have their numbers, none is missing and none comes twice, whenever the watching begins.

use std::time::Duration;

use axum::extract::State;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::broadcast;
use tokio::time::MissedTickBehavior;

use super::fault::ApiFault;
use super::wire::{CallSummary, ErrorBody, TimelineEntry};
use super::{ApiState, access};
use crate::store::{Store, is_call_id};
use crate::timeline::{CallId, Entry, What};

/// News that wait for a watcher; beyond, it looks at everything anew.
const NEWS: usize = 1_024;
/// How long a watcher may take until it says what it watches.
const FIRST_WITHIN: Duration = Duration::from_secs(10);
/// How often a watcher is told what is new: a little more than the database is late by.
const LOOK_EVERY: Duration = Duration::from_millis(120);
/// Looks at the database after the last news: it is late by less.
const LOOKS: u32 = 8;
/// How long a message of ours may take.
const WRITTEN_WITHIN: Duration = Duration::from_secs(5);
const MESSAGE_BYTES_MAX: usize = 4_096;
/// Entries read at once.
const ENTRIES: u32 = 500;
/// Calls at the top of the list that may have changed.
const CALLS: u32 = 50;
const REFUSED: u16 = 4_000;

/// Something happened to a call.
#[derive(Clone, Debug)]
struct News {
    call: CallId,
    /// Whether it is news for the list of calls.
    for_list: bool,
}

/// Wakes those who watch.
#[derive(Clone, Debug)]
pub struct Live(broadcast::Sender<News>);

impl Live {
    /// Sees everything that is entered from now on.
    #[must_use]
    pub fn of(store: &Store) -> Self {
        let (news, _) = broadcast::channel(NEWS);
        let told = news.clone();
        store.observe(Box::new(move |call: &CallId, entry: &Entry| {
            if told.receiver_count() > 0 {
                let for_list =
                    matches!(entry.what, What::Rang { .. } | What::Answered | What::Ended { .. });
                // Nobody may have stayed.
                let _ = told.send(News { call: call.clone(), for_list });
            }
        }));
        Self(news)
    }
}

/// What a watcher wants.
#[derive(Debug, Deserialize)]
struct Watch {
    token: Option<String>,
    call: Option<String>,
    after: Option<i64>,
}

/// Shows what happens as it happens.
#[utoipa::path(
    get,
    path = "/v1/live",
    operation_id = "watch_live",
    tag = "calls",
    responses(
        (
            status = 101,
            description = "A WebSocket. First `{\"type\":\"watch\",\"token\":...,\"call\":...,\
                           \"after\":...}`; then `call` messages with a CallSummary for each call \
                           that begins or ends, or `entry` messages with the TimelineEntries of \
                           the call watched."
        ),
        (status = 403, description = "A page of another origin.", body = ErrorBody),
    ),
)]
pub(super) async fn watch(
    State(state): State<ApiState>,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Result<Response, ApiFault> {
    // A page of another origin must not read calls by an operator's browser.
    let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    let host = text(header::ORIGIN).map(|it| it.split_once("://").map_or(it, |(_, host)| host));
    if host.is_some_and(|host| text(header::HOST) != Some(host)) {
        return Err(ApiFault::ForeignOrigin);
    }
    let upgrade = upgrade.max_message_size(MESSAGE_BYTES_MAX).max_frame_size(MESSAGE_BYTES_MAX);
    Ok(upgrade.on_upgrade(async move |mut socket| {
        let first = tokio::time::timeout(FIRST_WITHIN, socket.recv()).await;
        let Ok(Some(Ok(Message::Text(first)))) = first else { return };
        let told = match serde_json::from_str::<Watch>(&first) {
            Ok(watch) if !may(&state, &headers, &watch) => {
                Some(("unauthorized", "send api.token of the settings as `token`"))
            }
            Ok(Watch { call: Some(call), .. }) if !is_call_id(&call) => {
                Some(("bad_call_id", "take the id from GET /v1/calls"))
            }
            Ok(watch) => {
                follow(&state, &mut socket, watch).await;
                None
            }
            Err(_) => Some(("malformed", "send a watch message first")),
        };
        if let Some((code, remedy)) = told {
            let refusal =
                json!({ "type": "error", "code": code, "message": code, "remedy": remedy });
            write(&mut socket, &refusal).await;
            let frame = CloseFrame { code: REFUSED, reason: code.into() };
            drop(socket.send(Message::Close(Some(frame))).await);
        }
    }))
}

/// A browser's WebSocket has no Authorization header: the token is in the first message.
fn may(state: &ApiState, headers: &HeaderMap, watch: &Watch) -> bool {
    let mut headers = headers.clone();
    let shown = watch.token.as_ref().map(|token| format!("Bearer {token}"));
    if let Some(shown) = shown.and_then(|it| HeaderValue::from_str(&it).ok()) {
        headers.insert(header::AUTHORIZATION, shown);
    }
    access::check(state, &headers).is_ok()
}

/// Tells what is new until the watcher goes away.
async fn follow(state: &ApiState, socket: &mut WebSocket, watch: Watch) {
    let mut news = state.live.0.subscribe();
    let call = watch.call.map(CallId);
    let mut seen = Seen { after: watch.after.unwrap_or(-1), calls: None };
    let mut look = tokio::time::interval(LOOK_EVERY);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut looks = LOOKS;
    loop {
        tokio::select! {
            one = news.recv() => match one {
                Ok(News { call: of, for_list }) => {
                    let concerns = call.as_ref().map_or(for_list, |call| *call == of);
                    looks = if concerns { LOOKS } else { looks };
                }
                Err(broadcast::error::RecvError::Lagged(_)) => looks = LOOKS,
                Err(broadcast::error::RecvError::Closed) => return,
            },
            _ = look.tick(), if looks > 0 => {
                looks -= 1;
                let fresh = match &call {
                    Some(call) => seen.entries(state, call).await,
                    None => seen.calls(state).await,
                };
                for message in fresh {
                    if !write(socket, &message).await {
                        return;
                    }
                }
            }
            message = socket.recv() => match message {
                Some(Ok(Message::Close(_)) | Err(_)) | None => return,
                Some(Ok(_)) => {}
            },
        }
    }
}

/// What a watcher has been told.
struct Seen {
    /// Number of the last entry.
    after: i64,
    /// The calls at the top of the list; none before the first look.
    calls: Option<Vec<CallSummary>>,
}

impl Seen {
    async fn entries(&mut self, state: &ApiState, call: &CallId) -> Vec<Value> {
        let queries = state.store.queries();
        let Ok(Some(row)) = queries.call(call).await else { return Vec::new() };
        let Ok(rows) = queries.timeline(call, self.after, ENTRIES).await else {
            return Vec::new();
        };
        self.after = rows.last().map_or(self.after, |last| last.seq);
        let entries = rows.iter().filter_map(|entry| {
            let entry = TimelineEntry::new(entry, row.started_unix_ms).ok()?;
            Some(json!({ "type": "entry", "call": call.0, "entry": entry }))
        });
        entries.collect()
    }

    /// The calls that are new or not as they were, oldest first; at the first look all are: what
    /// began since a page was loaded is among them.
    async fn calls(&mut self, state: &ApiState) -> Vec<Value> {
        let Ok(rows) = state.store.queries().calls(CALLS, None).await else { return Vec::new() };
        let calls: Vec<CallSummary> = rows.into_iter().map(CallSummary::from).collect();
        let known = self.calls.as_ref();
        let is_fresh = |call: &&CallSummary| known.is_none_or(|known| !known.contains(call));
        let fresh = calls.iter().rev().filter(is_fresh);
        let fresh: Vec<Value> = fresh.map(|call| json!({ "type": "call", "call": call })).collect();
        self.calls = Some(calls);
        fresh
    }
}

/// Sends a message; whether it left.
async fn write(socket: &mut WebSocket, message: &Value) -> bool {
    let sending = socket.send(Message::Text(message.to_string().into()));
    matches!(tokio::time::timeout(WRITTEN_WITHIN, sending).await, Ok(Ok(())))
}
