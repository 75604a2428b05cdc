//! `GET /healthz`: 200 for as long as the process answers; the status says how it is.

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;

use super::wire::{Health, HealthDetail};
use super::{ApiState, access};

/// Whoever may not read calls is told the status alone.
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
