//! The HTTP side's listeners, and what it is told of the service.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::ServeError;
use super::services::ToDesk;
use super::telemetry::Scrape;
use crate::api::{self, ApiState};
use crate::clock;
use crate::leg::browser::Reach;
use crate::settings::Settings;

/// What the HTTP side shows.
pub(super) fn state(
    settings: &Settings,
    positions: &watch::Receiver<serde_json::Value>,
    scrape: Scrape,
    link_base: &str,
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
    let (addressed, strained) = (scrape.intake.clone(), scrape.intake.clone());
    let figures = scrape.figures.clone();
    let seating = scrape.intake.clone();
    let streams = settings.media_streams.token.clone().map(|token| {
        let seat = Arc::new(move |call| seating.take_stream(call));
        let closed = Arc::new(move |why| figures.streams_closed.count(why));
        let signing_key = settings.media_streams.signing_key.clone();
        api::MediaStreams::new(token, signing_key, link_base, seat, closed)
    });
    let scrape_store = scrape.services.store.clone();
    let browsers =
        settings.browser.on.then(|| api::Browsers::new(browser_side(settings, &scrape, link_base)));
    ApiState {
        store: scrape.services.store.clone(),
        token: settings.api.token.clone(),
        agents: shown("agents"),
        queues: shown("queues"),
        fetched,
        now_unix_ms: Arc::new(clock::wall_unix_ms),
        is_draining: Arc::new(move || intake.is_draining()),
        is_stranded: Arc::new(move || addressed.is_stranded()),
        is_strained: Arc::new(move || strained.strain().is_some()),
        metrics: Arc::new(move || scrape.page()),
        streams,
        live: api::Live::of(&scrape_store),
        browsers,
    }
}

/// What is known of callers in browsers.
fn browser_side(settings: &Settings, scrape: &Scrape, link_base: &str) -> api::BrowserSide {
    let browser = &settings.browser;
    let (seating, naming) = (scrape.intake.clone(), scrape.intake.clone());
    let figures = scrape.figures.clone();
    api::BrowserSide {
        reach: Reach {
            bind: browser_addresses(settings),
            advertised: browser.advertised,
            ports: browser.rtp_ports.map(|it| (it.first, it.last)),
        },
        origins: browser.origins.clone(),
        anyone: browser.anyone,
        tokens_a_minute: u32::try_from(browser.tokens_a_minute).unwrap_or(u32::MAX),
        token_opens: Duration::from_secs(browser.token_s),
        away_most: Duration::from_secs(browser.away_s),
        ice_servers: browser.ice_servers.clone(),
        base: link_base.to_owned(),
        seat: Arc::new(move |call, leg| seating.take_browser(call, leg)),
        flows: Arc::new(move || naming.flows()),
        refused: Arc::new(move |what| figures.browser_refusals.count(what)),
    }
}

/// Where media of browsers is bound: where the settings say, else where SIP is; a page on this very
/// machine must reach us as well.
fn browser_addresses(settings: &Settings) -> Vec<IpAddr> {
    if !settings.browser.listen.is_empty() {
        return settings.browser.listen.clone();
    }
    let sip = settings.sip.listen_udp.or(settings.sip.listen_tcp).or(settings.sip.listen_tls);
    let sip = sip.map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |it| it.ip());
    let loopback = sip.is_unspecified().then_some(IpAddr::V4(Ipv4Addr::LOCALHOST));
    [Some(sip), loopback].into_iter().flatten().collect()
}

/// Where HTTP is listened on.
#[derive(Debug)]
pub(super) struct Listeners {
    api: TcpListener,
    metrics: Option<TcpListener>,
}

impl Listeners {
    /// Listens as the settings say.
    pub(super) async fn open(settings: &Settings) -> Result<Self, ServeError> {
        let address = settings.api.listen;
        let api = TcpListener::bind(address).await;
        let api = api.map_err(|source| ServeError::Api { address, source })?;
        let metrics = match settings.telemetry.metrics_listen {
            Some(address) => {
                let bound = TcpListener::bind(address).await;
                Some(bound.map_err(|source| ServeError::Metrics { address, source })?)
            }
            None => None,
        };
        Ok(Self { api, metrics })
    }

    /// Address of the API, and of the figures where they have one of their own.
    pub(super) fn addresses(&self, settings: &Settings) -> (SocketAddr, Option<SocketAddr>) {
        let api = self.api.local_addr().unwrap_or(settings.api.listen);
        (api, self.metrics.as_ref().and_then(|it| it.local_addr().ok()))
    }

    /// Answers until `stop`.
    pub(super) fn spawn(self, state: ApiState, stop: &CancellationToken) {
        if let Some(metrics) = self.metrics {
            let stopped = stop.clone().cancelled_owned();
            let serving = api::serve_metrics(metrics, state.clone(), stopped);
            tokio::spawn(async move {
                if let Err(error) = serving.await {
                    tracing::error!(%error, "the listener for figures ended");
                }
            });
        }
        let serving = api::serve(self.api, state, stop.clone().cancelled_owned());
        tokio::spawn(async move {
            if let Err(error) = serving.await {
                tracing::error!(%error, "the HTTP side ended");
            }
        });
    }
}
