//! The HTTP side: calls, timelines, context packets and recordings, to be read.
//!
//! On loopback nobody is asked who they are; on any other address a bearer token is required, and a
//! context packet can be had with its own token. Live calls can be read while they run. Absent:
//! anything that changes a call, and the decision where to listen (`settings`).

mod access;
mod browser;
mod calls;
mod context;
mod fault;
mod health;
mod live;
mod media_stream;
mod media_words;
mod metrics;
mod openapi;
mod pages;
mod recording;
mod signature;
mod wire;

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderValue;
use axum::http::header;
use axum::response::Response;
use axum::routing::{MethodRouter, get, patch, post};
use axum::{Json, Router, middleware};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use crate::settings::Token;
use crate::store::Store;
use crate::timeline::CallId;
use browser::whip;
use fault::ApiFault;

pub(crate) use browser::{BrowserCall, BrowserSide, NotTaken, REFUSALS};
pub use browser::{Browsers, schema as browser_call_schema};
pub use live::Live;
pub use media_stream::MediaStreams;
pub(crate) use media_stream::{STREAM_ENDS, StreamCall};
pub(crate) use media_words::StreamFault;
pub use openapi::openapi;
pub use wire::{
    AgentPosition, CallDetail, CallLinks, CallSummary, CallsPage, ErrorBody, ErrorDetail, Health,
    HealthDetail, QueuePosition, Readiness, TimelineEntry, TimelinePage,
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
    /// Whether no new calls are taken, since the process is about to end.
    pub is_draining: Arc<dyn Fn() -> bool + Send + Sync>,
    /// Whether no new calls are taken, since an address that callers are told is gone.
    pub is_stranded: Arc<dyn Fn() -> bool + Send + Sync>,
    /// Whether no new calls are taken, since there is no time for them.
    pub is_strained: Arc<dyn Fn() -> bool + Send + Sync>,
    /// The figures, as Prometheus reads them.
    pub metrics: Arc<dyn Fn() -> String + Send + Sync>,
    /// Carriers' media streams, where they are taken.
    pub streams: Option<MediaStreams>,
    /// Wakes those who watch calls.
    pub live: Live,
    /// Callers in browsers, where they are taken.
    pub browsers: Option<Browsers>,
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
    let service = router(state, |_| true).into_make_service_with_connect_info::<SocketAddr>();
    axum::serve(listener, service).with_graceful_shutdown(shutdown).await
}

/// Answers with the figures alone, and with how the service is.
///
/// # Errors
/// The listener's own.
pub async fn serve_metrics(
    listener: TcpListener,
    state: ApiState,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let is_shown = |path: &str| matches!(path, "/metrics" | "/healthz" | "/readyz");
    let router = router(state, is_shown);
    axum::serve(listener, router).with_graceful_shutdown(shutdown).await
}

type Address = (&'static str, MethodRouter<ApiState>);

/// Addresses that show nothing to somebody without the token.
fn guarded() -> Vec<Address> {
    vec![
        ("/v1/calls", get(calls::list)),
        ("/v1/calls/{id}", get(calls::one)),
        ("/v1/calls/{id}/timeline", get(calls::timeline)),
        ("/v1/calls/{id}/recording", get(recording::whole)),
        ("/v1/agents", get(agents)),
        ("/v1/queues", get(queues)),
        ("/metrics", get(metrics::metrics)),
    ]
}

/// Addresses that everybody may ask, or that ask for a token of their own.
fn open() -> Vec<Address> {
    vec![
        ("/healthz", get(health::health)),
        ("/readyz", get(health::ready)),
        ("/v1/openapi.json", get(openapi::document)),
        ("/v1/calls/{id}/context", get(context::packet)),
        ("/v1/media-streams/{route}", get(media_stream::join)),
        ("/v1/media-streams/{route}/answer", post(media_stream::answer)),
        ("/v1/live", get(live::watch)),
        ("/v1/flows", get(browser::tokens::flows)),
        ("/v1/tokens", post(browser::tokens::mint).options(browser::tokens::preflight)),
        ("/v1/browser-calls", get(browser::signalling::join)),
        ("/v1/whip/{flow}", post(whip::begin)),
        ("/v1/whip-calls/{call}/{secret}", patch(whip::change).delete(whip::end)),
    ]
}

/// The addresses that shall be shown.
fn router(state: ApiState, is_shown: impl Fn(&str) -> bool) -> Router {
    let of = |addresses: Vec<Address>| {
        let shown = addresses.into_iter().filter(|(path, _)| is_shown(path));
        shown.fold(Router::new(), |router, (path, methods)| router.route(path, methods))
    };
    let guard = middleware::from_fn_with_state(state.clone(), access::guard);
    of(open())
        .merge(of(pages::pages()))
        .merge(of(guarded()).route_layer(guard))
        .fallback(async || ApiFault::NoSuchAddress)
        .method_not_allowed_fallback(async || ApiFault::NotAllowed)
        .layer(middleware::map_response(with_security_headers))
        .with_state(state)
}

/// Shows the agents.
#[utoipa::path(
    get,
    path = "/v1/agents",
    tag = "desk",
    responses(
        (status = 200, description = "The agents.", body = Vec<AgentPosition>),
        (status = 401, description = "A token is required.", body = ErrorBody),
    ),
    security((), ("bearer" = []))
)]
async fn agents(State(state): State<ApiState>) -> Json<Value> {
    Json((state.agents)())
}

/// Shows the queues.
#[utoipa::path(
    get,
    path = "/v1/queues",
    tag = "desk",
    responses(
        (status = 200, description = "The queues.", body = Vec<QueuePosition>),
        (status = 401, description = "A token is required.", body = ErrorBody),
    ),
    security((), ("bearer" = []))
)]
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
        // A page has its own.
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    response
}
