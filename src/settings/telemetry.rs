//! `[telemetry]`: where figures and traces go.

use std::net::SocketAddr;

use serde::Deserialize;

use super::parse;

/// `[telemetry]`: where figures and traces go. None of it holds what callers say or who they are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TelemetrySettings {
    /// A listener of its own for `/metrics`, beside the one of the API; none is off.
    #[serde(deserialize_with = "parse::listen")]
    pub metrics_listen: Option<SocketAddr>,
    /// Where traces are sent, OTLP over HTTP; none is off.
    #[serde(deserialize_with = "parse::http_url")]
    pub otlp_endpoint: Option<String>,
}
