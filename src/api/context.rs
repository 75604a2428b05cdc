//! `GET /v1/calls/{id}/context`: the context packet.
//!
//! Opens with the bearer token, as all else, or with the packet's own token, which the agent's side
//! was given: that fetch is told to the call, for it acknowledges. The packet's token opens while
//! the call is live and a quarter of an hour after; it may be used more than once, since phones and
//! desks fetch again.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, Method};
use serde::Deserialize;
use serde_json::Value;

use super::access::{self, CallName};
use super::fault::ApiFault;
use super::{ApiState, ErrorBody, PacketFetched};
use crate::timeline::CallId;

/// How long a packet's token opens after the call's end, ms.
const OPEN_AFTER_END_MS: u64 = 15 * 60 * 1_000;
const TOKEN_HEADER: &str = "x-packet-token";

/// The packet's token, where it is in the address.
#[derive(Debug, Deserialize)]
pub(super) struct PacketWanted {
    token: Option<String>,
}

/// A packet, from wherever it was had.
struct Found {
    id: String,
    token_hash: String,
    json: Value,
    is_live: bool,
}

/// Shows a call's context packet.
#[utoipa::path(
    get,
    path = "/v1/calls/{id}/context",
    tag = "calls",
    params(
        ("id" = String, Path, description = "The call, a ULID."),
        ("token" = Option<String>, Query, description = "The packet's own token."),
        ("X-Packet-Token" = Option<String>, Header, description = "The packet's own token."),
    ),
    responses(
        (
            status = 200,
            description = "The packet; its form is schemas/context-packet.v1.json.",
            body = Object
        ),
        (status = 401, description = "A token is required.", body = ErrorBody),
        (status = 404, description = "The call has no packet.", body = ErrorBody),
    ),
    security((), ("bearer" = []))
)]
pub(super) async fn packet(
    State(state): State<ApiState>,
    CallName(call): CallName,
    method: Method,
    headers: HeaderMap,
    wanted: Result<Query<PacketWanted>, QueryRejection>,
) -> Result<Json<Value>, ApiFault> {
    let in_header = headers.get(TOKEN_HEADER).and_then(|value| value.to_str().ok());
    let in_address = wanted.ok().and_then(|Query(wanted)| wanted.token);
    let Some(token) = in_header.map(str::to_owned).or(in_address) else {
        access::check(&state, &headers)?;
        return find(&state, &call).await?.map(|found| Json(found.json)).ok_or(ApiFault::NoPacket);
    };
    // Whether there is a packet is not told to somebody with a wrong token.
    let found = find(&state, &call).await?.ok_or(ApiFault::Unauthorized)?;
    if !access::opens(&token, &found.token_hash) || !is_open(&state, &call, &found).await? {
        return Err(ApiFault::Unauthorized);
    }
    let fetched = PacketFetched { call, packet_id: found.id };
    // HEAD shows nothing to anybody, so it acknowledges nothing.
    if method == Method::GET
        && let Err(fault) = state.fetched.try_send(fetched)
    {
        tracing::warn!(%fault, "fetch of a context packet not told to its call");
    }
    Ok(Json(found.json))
}

async fn find(state: &ApiState, call: &CallId) -> Result<Option<Found>, ApiFault> {
    if let Some(stored) = state.store.live_packet(call) {
        // By way of text, as the other one: a `Value` made at once widens 0.8_f32.
        return Ok(Some(Found {
            id: stored.packet.packet_id.clone(),
            token_hash: stored.token_hash.clone(),
            json: serde_json::from_str(&serde_json::to_string(&stored.packet)?)?,
            is_live: true,
        }));
    }
    let Some(row) = state.store.queries().packet(call).await? else { return Ok(None) };
    let json = serde_json::from_str(&row.json)?;
    Ok(Some(Found { id: row.id, token_hash: row.token_hash, json, is_live: false }))
}

async fn is_open(state: &ApiState, call: &CallId, found: &Found) -> Result<bool, ApiFault> {
    if found.is_live {
        return Ok(true);
    }
    let row = state.store.queries().call(call).await?.ok_or(ApiFault::Unauthorized)?;
    let ended_unix_ms =
        row.ended_unix_ms.map_or(u64::MAX, |ended| u64::try_from(ended).unwrap_or(0));
    Ok((state.now_unix_ms)() <= ended_unix_ms.saturating_add(OPEN_AFTER_END_MS))
}
