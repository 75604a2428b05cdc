//! `GET /v1/calls`, a call, and its timeline.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use serde::Deserialize;

use super::ApiState;
use super::access::CallName;
use super::fault::ApiFault;
use super::wire::{
    CallDetail, CallLinks, CallSummary, CallsPage, ErrorBody, TimelineEntry, TimelinePage, rfc3339,
};
use crate::store::{CallRow, is_call_id};
use crate::timeline::CallId;

const CALLS_DEFAULT: u32 = 50;
const CALLS_MAX: u32 = 200;
/// A call of an hour has some thousand entries.
const ENTRIES_DEFAULT: u32 = 5_000;
const ENTRIES_MAX: u32 = 20_000;

/// What of the list is wanted.
#[derive(Debug, Deserialize)]
pub(super) struct CallsWanted {
    limit: Option<u32>,
    before: Option<String>,
}

/// Lists calls, newest first.
#[utoipa::path(
    get,
    path = "/v1/calls",
    tag = "calls",
    params(
        ("limit" = Option<u32>, Query, description = "How many, 1 to 200; 50 where not said."),
        ("before" = Option<String>, Query, description = "`next` of the page before."),
    ),
    responses(
        (status = 200, description = "Calls, newest first.", body = CallsPage),
        (status = 400, description = "A parameter is not allowed.", body = ErrorBody),
        (status = 401, description = "A token is required.", body = ErrorBody),
    ),
    security((), ("bearer" = []))
)]
pub(super) async fn list(
    State(state): State<ApiState>,
    wanted: Result<Query<CallsWanted>, QueryRejection>,
) -> Result<Json<CallsPage>, ApiFault> {
    let limit_fault =
        || ApiFault::BadParameter { name: "limit", expected: "a number from 1 to 200" };
    let Query(wanted) = wanted.map_err(|_| limit_fault())?;
    let limit = wanted.limit.unwrap_or(CALLS_DEFAULT);
    if !(1..=CALLS_MAX).contains(&limit) {
        return Err(limit_fault());
    }
    let before = match wanted.before {
        Some(before) if is_call_id(&before) => Some(CallId(before)),
        Some(_) => return Err(ApiFault::BadParameter { name: "before", expected: "a call's id" }),
        None => None,
    };
    // One more than wanted, to know whether there is a next page.
    let mut rows = state.store.queries().calls(limit + 1, before.as_ref()).await?;
    let has_next = rows.len() > limit as usize;
    rows.truncate(limit as usize);
    let next = rows.last().filter(|_| has_next).map(|row| row.id.clone());
    Ok(Json(CallsPage { calls: rows.into_iter().map(CallSummary::from).collect(), next }))
}

/// Shows a call.
#[utoipa::path(
    get,
    path = "/v1/calls/{id}",
    tag = "calls",
    params(("id" = String, Path, description = "The call, a ULID.")),
    responses(
        (status = 200, description = "The call.", body = CallDetail),
        (status = 401, description = "A token is required.", body = ErrorBody),
        (status = 404, description = "There is no such call.", body = ErrorBody),
    ),
    security((), ("bearer" = []))
)]
pub(super) async fn one(
    State(state): State<ApiState>,
    CallName(call): CallName,
) -> Result<Json<CallDetail>, ApiFault> {
    let row = found(&state, &call).await?;
    let has_packet = state.store.live_packet(&call).is_some()
        || state.store.queries().packet(&call).await?.is_some();
    let recording = state.store.recording(&call).map(|(path, _)| path);
    let has_recording = match recording {
        Some(path) => tokio::fs::try_exists(path).await.unwrap_or(false),
        None => false,
    };
    let link = |what: &str| format!("/v1/calls/{call}/{what}");
    let links = CallLinks {
        timeline: link("timeline"),
        context: has_packet.then(|| link("context")),
        recording: has_recording.then(|| link("recording")),
    };
    Ok(Json(CallDetail {
        answered: row.answered_unix_ms.map(rfc3339),
        cause: row.cause.clone(),
        agent: row.agent.clone(),
        flow: row.flow.clone(),
        flow_version: row.flow_version.clone(),
        build: row.build.clone(),
        links,
        summary: row.into(),
    }))
}

/// What of the timeline is wanted.
#[derive(Debug, Deserialize)]
pub(super) struct EntriesWanted {
    after: Option<i64>,
    limit: Option<u32>,
}

/// Shows a call's timeline.
#[utoipa::path(
    get,
    path = "/v1/calls/{id}/timeline",
    tag = "calls",
    params(
        ("id" = String, Path, description = "The call, a ULID."),
        ("after" = Option<i64>, Query, description = "`next` of the page before."),
        ("limit" = Option<u32>, Query, description = "How many, 1 to 20000; 5000 if not said."),
    ),
    responses(
        (status = 200, description = "Entries in order.", body = TimelinePage),
        (status = 400, description = "A parameter is not allowed.", body = ErrorBody),
        (status = 401, description = "A token is required.", body = ErrorBody),
        (status = 404, description = "There is no such call.", body = ErrorBody),
    ),
    security((), ("bearer" = []))
)]
pub(super) async fn timeline(
    State(state): State<ApiState>,
    CallName(call): CallName,
    wanted: Result<Query<EntriesWanted>, QueryRejection>,
) -> Result<Json<TimelinePage>, ApiFault> {
    let expected = "a number; limit is from 1 to 20000";
    let fault = || ApiFault::BadParameter { name: "after or limit", expected };
    let Query(wanted) = wanted.map_err(|_| fault())?;
    let limit = wanted.limit.unwrap_or(ENTRIES_DEFAULT);
    if !(1..=ENTRIES_MAX).contains(&limit) {
        return Err(fault());
    }
    let row = found(&state, &call).await?;
    let after = wanted.after.unwrap_or(-1);
    let rows = state.store.queries().timeline(&call, after, limit).await?;
    let is_cut = rows.len() == limit as usize;
    let is_live = row.ended_unix_ms.is_none();
    let last = rows.last().map(|last| last.seq);
    let entries: Result<Vec<_>, _> =
        rows.iter().map(|entry| TimelineEntry::new(entry, row.started_unix_ms)).collect();
    Ok(Json(TimelinePage {
        call: call.0,
        ended: !is_live,
        entries: entries?,
        next: if is_cut || is_live { last.or(wanted.after) } else { None },
    }))
}

async fn found(state: &ApiState, call: &CallId) -> Result<CallRow, ApiFault> {
    state.store.queries().call(call).await?.ok_or(ApiFault::NoSuchCall)
}
