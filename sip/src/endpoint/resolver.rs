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

    /// Addresses of a place in the order in which they are to be tried.
    pub(super) async fn places(
        &self,
        place: &Place,
        carriage: Carriage,
        seed: u64,
    ) -> Vec<SocketAddr> {
        if let Ok(ip) = place.host.parse::<IpAddr>() {
            return vec![SocketAddr::new(
                ip,
                place.port.unwrap_or_else(|| carriage.default_port()),
            )];
        }
        if let Some(port) = place.port {
            return self.addresses(&place.host, port).await;
        }
        let mut found = Vec::new();
        for server in order(self.services(&place.host, carriage).await, seed) {
            found.extend(self.addresses(&server.target, server.port).await);
            if found.len() >= MOST_ADDRESSES {
                break;
            }
        }
        if found.is_empty() {
            found = self.addresses(&place.host, carriage.default_port()).await;
        }
        found.truncate(MOST_ADDRESSES);
        found
    }

    async fn services(&self, host: &str, carriage: Carriage) -> Vec<Server> {
        // Names of this machine and those that are none (RFC 6761 §6.4) have no services.
        let Some(names) = self.names.as_ref().filter(|_| is_global(host)) else {
            return Vec::new();
        };
        let Ok(answer) = names.srv_lookup(format!("{}.{host}.", carriage.service())).await else {
            return Vec::new();
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
        answer.answers().iter().filter_map(|it| server(&it.data)).collect()
    }

    /// Addresses of a host, IPv4 first.
    pub(super) async fn addresses(&self, host: &str, port: u16) -> Vec<SocketAddr> {
        if let Ok(ip) = host.trim_matches(['[', ']']).parse::<IpAddr>() {
            return vec![SocketAddr::new(ip, port)];
        }
        let mut found: Vec<SocketAddr> = match self.names.as_ref().filter(|_| self.ours) {
            Some(names) => match names.lookup_ip(format!("{host}.")).await {
                Ok(answer) => answer.iter().map(|ip| SocketAddr::new(ip, port)).collect(),
                Err(_) => Vec::new(),
            },
            None => match tokio::net::lookup_host((host, port)).await {
                Ok(answer) => answer.collect(),
                Err(_) => Vec::new(),
            },
        };
        found.sort_by_key(SocketAddr::is_ipv6);
        found
    }
}

fn is_global(host: &str) -> bool {
    let last = host.rsplit('.').next().unwrap_or_default();
    host.contains('.') && last != "invalid" && last != "localhost"
}
