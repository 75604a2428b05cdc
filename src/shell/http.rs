//! The HTTP side's listeners, and what it is told of the service.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::ServeError;
use super::services::ToDesk;
use super::telemetry::Scrape;
use crate::api::{self, ApiState};
use crate::clock;
use crate::settings::Settings;

/// What the HTTP side shows.
pub(super) fn state(
    settings: &Settings,
    positions: &watch::Receiver<serde_json::Value>,
    scrape: Scrape,
) -> ApiState {
    let (fetched, mut fetches) = mpsc::channel::<api::PacketFetched>(256);
    let services = scrape.services.clone();
    tokio::spawn(async move {
        while let Some(fetch) = fetches.recv().await {
            services.desk(ToDesk::PacketFetched { call: fetch.call });
        }
    });
    let shown = |key: &'static str| -> api::Listing {
        let positions = positions.clone();
        Arc::new(move || positions.borrow().get(key).cloned().unwrap_or_default())
    };
    let intake = scrape.intake.clone();
    ApiState {
        store: scrape.services.store.clone(),
        token: settings.api.token.clone(),
        agents: shown("agents"),
        queues: shown("queues"),
        fetched,
        now_unix_ms: Arc::new(clock::wall_unix_ms),
        is_draining: Arc::new(move || intake.is_draining()),
        metrics: Arc::new(move || scrape.page()),
    }
}

/// Answers until `stop`.
pub(super) fn spawn(
    listener: TcpListener,
    metrics: Option<TcpListener>,
    state: ApiState,
    stop: CancellationToken,
) {
    if let Some(metrics) = metrics {
        let serving = api::serve_metrics(metrics, state.clone(), stop.clone().cancelled_owned());
        tokio::spawn(async move {
            if let Err(error) = serving.await {
                tracing::error!(%error, "the listener for figures ended");
            }
        });
    }
    tokio::spawn(async move {
        if let Err(error) = api::serve(listener, state, stop.cancelled_owned()).await {
            tracing::error!(%error, "the HTTP side ended");
        }
    });
}

/// Listens where figures are shown.
pub(super) async fn listen_for_metrics(address: SocketAddr) -> Result<TcpListener, ServeError> {
    let bound = TcpListener::bind(address).await;
    bound.map_err(|source| ServeError::Metrics { address, source })
}
