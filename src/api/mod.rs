//! The HTTP side: calls, timelines, context packets and recordings, to be read.
//!
//! On loopback nobody is asked who they are; on any other address a bearer token is required, and a
//! context packet can be had with its own token. Live calls can be read while they run. Absent:
//! anything that changes a call, and the decision where to listen (`settings`).

mod access;
mod calls;
mod context;
mod fault;
mod health;
mod recording;
mod wire;

use std::future::Future;
use std::io;
use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderValue;
use axum::http::header;
use axum::response::Response;
use axum::routing::get;
use axum::{Json, Router, middleware};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use crate::settings::Token;
use crate::store::Store;
use crate::timeline::CallId;
use fault::ApiFault;

pub use wire::{
    CallDetail, CallLinks, CallSummary, CallsPage, ErrorBody, ErrorDetail, Health, HealthDetail,
    TimelineEntry, TimelinePage,
};

/// Gives a list of agents or queues as JSON, as it is now.
pub type Listing = Arc<dyn Fn() -> Value + Send + Sync>;

/// Somebody showed a context packet's token and was given the packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PacketFetched {
    /// The call.
    pub call: CallId,
    /// The packet's id.
    pub packet_id: String,
}

/// What the HTTP side knows.
#[derive(Clone)]
pub struct ApiState {
    /// Where timelines are.
    pub store: Store,
    /// What an asker must show; none where only loopback is listened on.
    pub token: Option<Token>,
    /// The agents.
    pub agents: Listing,
    /// The queues.
    pub queues: Listing,
    /// Where fetches of packets are told; when it is full the fetch is answered and not told.
    pub fetched: mpsc::Sender<PacketFetched>,
    /// Wall time, ms since 1970 UTC.
    pub now_unix_ms: Arc<dyn Fn() -> u64 + Send + Sync>,
}

impl std::fmt::Debug for ApiState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ApiState").field("token", &self.token).finish_non_exhaustive()
    }
}

/// Answers on a listener until `shutdown`, and then what has been asked.
///
/// # Errors
/// The listener's own.
pub async fn serve(
    listener: TcpListener,
    state: ApiState,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    axum::serve(listener, router(state)).with_graceful_shutdown(shutdown).await
}

/// All addresses.
fn router(state: ApiState) -> Router {
    let guarded = Router::new()
        .route("/v1/calls", get(calls::list))
        .route("/v1/calls/{id}", get(calls::one))
        .route("/v1/calls/{id}/timeline", get(calls::timeline))
        .route("/v1/calls/{id}/recording", get(recording::whole))
        .route("/v1/agents", get(agents))
        .route("/v1/queues", get(queues))
        .route_layer(middleware::from_fn_with_state(state.clone(), access::guard));
    Router::new()
        .route("/healthz", get(health::health))
        .route("/v1/calls/{id}/context", get(context::packet))
        .merge(guarded)
        .fallback(async || ApiFault::NoSuchAddress)
        .method_not_allowed_fallback(async || ApiFault::NotAllowed)
        .layer(middleware::map_response(with_security_headers))
        .with_state(state)
}

async fn agents(State(state): State<ApiState>) -> Json<Value> {
    Json((state.agents)())
}

async fn queues(State(state): State<ApiState>) -> Json<Value> {
    Json((state.queues)())
}

/// Answers hold what callers said: not to be kept, framed, guessed at, or told to others.
async fn with_security_headers(mut response: Response) -> Response {
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}
