//! Callers in browsers: what `[browser]` says.

use std::net::IpAddr;

use serde::Deserialize;

use super::parse;
use super::reach::{PortRange, Token};

/// `[browser]`: callers in browsers.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BrowserSettings {
    /// Whether browsers may call.
    pub on: bool,
    /// Addresses of this machine for their media; none is SIP's, or each where that is every.
    pub listen: Vec<IpAddr>,
    /// The address that browsers are told instead, where a NAT stands before it.
    pub advertised: Option<IpAddr>,
    /// UDP ports of their media; none is any.
    pub rtp_ports: Option<PortRange>,
    /// Origins beside our own whose pages may call, e.g. `https://shop.example`.
    #[serde(deserialize_with = "parse::origins")]
    pub origins: Vec<String>,
    /// Whether those pages get call tokens without `api.token`.
    pub anyone: bool,
    /// Call tokens that one address may have in a minute that way.
    #[serde(deserialize_with = "parse::within::<_, 1, 10_000>")]
    pub tokens_a_minute: u64,
    /// How long a call token opens.
    #[serde(deserialize_with = "parse::within::<_, 5, 3_600>")]
    pub token_s: u64,
    /// How long a caller may be away, as when a phone changes its network, before the call ends.
    #[serde(deserialize_with = "parse::within::<_, 5, 600>")]
    pub away_s: u64,
    /// STUN and TURN servers that pages are told of.
    pub ice_servers: Vec<IceServer>,
}

impl Default for BrowserSettings {
    fn default() -> Self {
        Self {
            on: true,
            listen: Vec::new(),
            advertised: None,
            rtp_ports: None,
            origins: Vec::new(),
            anyone: true,
            tokens_a_minute: 30,
            token_s: 60,
            away_s: 45,
            ice_servers: Vec::new(),
        }
    }
}

/// `[[browser.ice_servers]]`: a STUN or TURN server.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IceServer {
    /// `stun:` and `turn:` addresses.
    pub urls: Vec<String>,
    /// Name at a TURN server.
    pub username: Option<String>,
    /// Secret at a TURN server; every caller is told it.
    pub credential: Option<Token>,
}
