//! Where the servers of a name are (RFC 3263 §4.2): SRV, and addresses where there is none.
//!
//! Absent: NAPTR. A trunk says what it is spoken to by.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{
    ConnectionConfig, LookupIpStrategy, NameServerConfig, ResolverConfig,
};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::RData;

use crate::srv::{Server, order};
use crate::trunk::{Carriage, Place};

/// How long one name server has, each time.
const TIMEOUT: Duration = Duration::from_millis(700);
/// Most addresses that are tried of one place.
const MOST_ADDRESSES: usize = 16;

/// What the name system said of a place.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// In the order in which they are to be tried.
    pub(super) addresses: Vec<SocketAddr>,
    /// Whether a question found no answer, neither records nor that there are none: more may be
    /// there than was found.
    pub(super) is_partial: bool,
}

/// A question found no answer.
#[derive(Debug)]
struct Unanswered;

/// See the module.
pub(super) struct Resolver {
    /// None where the system's settings cannot be read.
    names: Option<TokioResolver>,
    /// Asked for addresses, too, and not only for services.
    ours: bool,
}

impl Resolver {
    /// One that asks these servers, or those of the system where there are none.
    pub(super) fn new(servers: &[SocketAddr]) -> Self {
        let provider = TokioRuntimeProvider::default;
        let builder = if servers.is_empty() {
            TokioResolver::builder_tokio().ok()
        } else {
            let servers = servers.iter().map(|it| {
                let (mut udp, mut tcp) = (ConnectionConfig::udp(), ConnectionConfig::tcp());
                (udp.port, tcp.port) = (it.port(), it.port());
                NameServerConfig::new(it.ip(), true, vec![udp, tcp])
            });
            let config = ResolverConfig::from_parts(None, Vec::new(), servers.collect());
            Some(TokioResolver::builder_with_config(config, provider()))
        };
        let names = builder.and_then(|mut builder| {
            let options = builder.options_mut();
            options.ip_strategy = LookupIpStrategy::Ipv4thenIpv6;
            options.timeout = TIMEOUT;
            options.attempts = 1;
            builder.build().ok()
        });
        if names.is_none() {
            tracing::warn!("the name servers are not known; names of trunks are not looked up");
        }
        Self { names, ours: !servers.is_empty() }
    }

    /// Addresses of a place. Those of its name itself are asked for only where it is known to have
    /// no services: an answer that was lost does not lead calls away to another port.
    pub(super) async fn places(&self, place: &Place, carriage: Carriage, seed: u64) -> Found {
        if place.port.is_some() || place.host.parse::<IpAddr>().is_ok() {
            return self.own_addresses(place, carriage).await;
        }
        let Ok(services) = self.services(&place.host, carriage).await else {
            return Found { is_partial: true, ..Found::default() };
        };
        let mut found = Found::default();
        for server in order(services, seed) {
            match self.lookup(&server.target, server.port).await {
                Ok(addresses) => found.addresses.extend(addresses),
                Err(Unanswered) => found.is_partial = true,
            }
            if found.addresses.len() >= MOST_ADDRESSES {
                break;
            }
        }
        if found.addresses.is_empty() && !found.is_partial {
            found = self.own_addresses(place, carriage).await;
        }
        found.addresses.truncate(MOST_ADDRESSES);
        found
    }

    /// Addresses of a place's name itself, whatever services it has.
    pub(super) async fn own_addresses(&self, place: &Place, carriage: Carriage) -> Found {
        let port = place.port.unwrap_or_else(|| carriage.default_port());
        match self.lookup(&place.host, port).await {
            Ok(mut addresses) => {
                addresses.truncate(MOST_ADDRESSES);
                Found { addresses, is_partial: false }
            }
            Err(Unanswered) => Found { is_partial: true, ..Found::default() },
        }
    }

    /// Addresses of a host, IPv4 first.
    pub(super) async fn addresses(&self, host: &str, port: u16) -> Vec<SocketAddr> {
        self.lookup(host, port).await.unwrap_or_default()
    }

    async fn services(&self, host: &str, carriage: Carriage) -> Result<Vec<Server>, Unanswered> {
        // Names of this machine and those that are none (RFC 6761 §6.4) have no services.
        let Some(names) = self.names.as_ref().filter(|_| is_global(host)) else {
            return Ok(Vec::new());
        };
        let answer = match names.srv_lookup(format!("{}.{host}.", carriage.service())).await {
            Ok(answer) => answer,
            Err(error) if error.is_no_records_found() => return Ok(Vec::new()),
            Err(_) => return Err(Unanswered),
        };
        let server = |data: &RData| match data {
            RData::SRV(it) => Some(Server {
                target: it.target.to_string().trim_end_matches('.').to_owned(),
                port: it.port,
                priority: it.priority,
                weight: it.weight,
            }),
            _ => None,
        };
        Ok(answer.answers().iter().filter_map(|it| server(&it.data)).collect())
    }

    /// The system's own resolver does not tell a name that has no address from a question that
    /// found no answer.
    async fn lookup(&self, host: &str, port: u16) -> Result<Vec<SocketAddr>, Unanswered> {
        if let Ok(ip) = host.trim_matches(['[', ']']).parse::<IpAddr>() {
            return Ok(vec![SocketAddr::new(ip, port)]);
        }
        let mut found: Vec<SocketAddr> = match self.names.as_ref().filter(|_| self.ours) {
            Some(names) => match names.lookup_ip(format!("{host}.")).await {
                Ok(answer) => answer.iter().map(|ip| SocketAddr::new(ip, port)).collect(),
                Err(error) if error.is_no_records_found() => Vec::new(),
                Err(_) => return Err(Unanswered),
            },
            None => match tokio::net::lookup_host((host, port)).await {
                Ok(answer) => answer.collect(),
                Err(_) => return Err(Unanswered),
            },
        };
        found.sort_by_key(SocketAddr::is_ipv6);
        Ok(found)
    }
}

fn is_global(host: &str) -> bool {
    let last = host.rsplit('.').next().unwrap_or_default();
    host.contains('.') && last != "invalid" && last != "localhost"
}
