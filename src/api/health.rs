//! `GET /healthz`: 200 for as long as the process answers; the status says how it is.
//! `GET /readyz`: 200 where new calls should be sent here, else 503.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};

use super::wire::{Health, HealthDetail, Readiness};
use super::{ApiState, access};

/// Says how the service is.
///
/// Whoever may not read calls is told the status alone.
#[utoipa::path(
    get,
    path = "/healthz",
    tag = "operation",
    responses((status = 200, description = "The process answers.", body = Health)),
    security((), ("bearer" = []))
)]
pub(super) async fn health(State(state): State<ApiState>, headers: HeaderMap) -> Json<Health> {
    let store = state.store.health();
    let status = if store.is_well() { "ok" } else { "degraded" };
    let detail = access::check(&state, &headers).is_ok().then_some(HealthDetail {
        calls_live: store.calls_live,
        spool_lag_bytes: store.lag_bytes,
        store_ok: !store.disk_failing,
        database_fault: store.database_fault,
        queued: store.queued,
        unwritten_bytes: store.unwritten_bytes,
        disk_failures: store.disk_failures,
        entries_dropped: store.entries_dropped,
        media_failures: store.media_failures,
        damaged: store.damaged,
        unknown: store.unknown,
        broken_off: store.broken_off,
    });
    Json(Health { status, detail })
}

/// Says whether new calls should be sent here.
///
/// Not while the process drains, while an address that callers are told is gone, while the disk
/// takes no timelines, or while there is no time or engine for more calls. A database that is away
/// is no reason: calls do not need it.
#[utoipa::path(
    get,
    path = "/readyz",
    tag = "operation",
    responses(
        (status = 200, description = "Calls are taken.", body = Readiness),
        (status = 503, description = "Send calls elsewhere.", body = Readiness),
    )
)]
pub(super) async fn ready(State(state): State<ApiState>) -> (StatusCode, Json<Readiness>) {
    let why = if (state.is_draining)() {
        Some("draining")
    } else if (state.is_stranded)() {
        Some("an address that callers are told is not this machine's any more")
    } else if state.store.health().disk_failing {
        Some("the disk takes no timelines")
    } else if (state.is_strained)() {
        Some("no time for more calls")
    } else {
        None
    };
    let status = if why.is_none() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(Readiness { ready: why.is_none(), why }))
}
