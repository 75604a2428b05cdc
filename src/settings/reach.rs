//! Whom we talk to: destinations, ports, and the token of the HTTP side.
//!
//! Follows DESIGN "Reach": nothing is allowed outbound unless it is named. Absent: the check of a
//! real call, which is the shell's.

use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use ipnet::IpNet;
use serde::de::{Deserialize, Deserializer, Error};

/// A place that may be called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destination {
    /// One address with one port: `127.0.0.1:5090`.
    Socket(SocketAddr),
    /// All addresses of a network, any port: `10.0.0.0/8`, `10.0.0.5`.
    Network(IpNet),
    /// One host name: `pbx.example.com`, with a port or any.
    Host {
        /// The name, lower case.
        name: String,
        /// Its port; none is any.
        port: Option<u16>,
    },
    /// All names under a domain, any port: `*.example.com`.
    Under(String),
}

impl Destination {
    /// Whether it covers a host, as an address or a name, and a port.
    #[must_use]
    pub fn covers(&self, host: &str, port: u16) -> bool {
        let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
        let host = host.to_ascii_lowercase();
        let host = host.trim_end_matches('.');
        match (self, address) {
            (Self::Socket(socket), Ok(ip)) => socket.ip() == ip && socket.port() == port,
            (Self::Network(network), Ok(ip)) => network.contains(&ip),
            (Self::Host { name, port: only }, Err(_)) => {
                name == host && only.is_none_or(|only| only == port)
            }
            (Self::Under(domain), Err(_)) => {
                host.strip_suffix(domain).is_some_and(|rest| rest.len() > 1 && rest.ends_with('.'))
            }
            (Self::Socket(_) | Self::Network(_), Err(_))
            | (Self::Host { .. } | Self::Under(_), Ok(_)) => false,
        }
    }
}

/// What is allowed as a destination.
const DESTINATIONS: &str = "\"127.0.0.1:5090\", \"10.0.0.0/8\", \"pbx.example.com\", \
                            \"pbx.example.com:5060\" or \"*.example.com\"";

impl FromStr for Destination {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Ok(socket) = text.parse() {
            return Ok(Self::Socket(socket));
        }
        if let Ok(network) = text.parse() {
            return Ok(Self::Network(network));
        }
        if let Ok(ip) = text.parse::<IpAddr>() {
            return Ok(Self::Network(ip.into()));
        }
        let text = text.to_ascii_lowercase();
        if let Some(domain) = text.strip_prefix("*.") {
            return if is_host_name(domain) {
                Ok(Self::Under(domain.into()))
            } else {
                Err(DESTINATIONS)
            };
        }
        let (name, port) = match text.split_once(':') {
            Some((name, port)) => (name, Some(port.parse().map_err(|_| DESTINATIONS)?)),
            None => (text.as_str(), None),
        };
        if is_host_name(name) {
            Ok(Self::Host { name: name.into(), port })
        } else {
            Err(DESTINATIONS)
        }
    }
}

/// Whether a text can be a host's name (RFC 1123 §2.1), and not an address that is mistyped.
fn is_host_name(text: &str) -> bool {
    let is_label = |label: &str| {
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
    };
    let last = text.rsplit('.').next().unwrap_or_default();
    text.split('.').all(is_label) && !last.chars().all(|c| c.is_ascii_digit())
}

impl<'de> Deserialize<'de> for Destination {
    fn deserialize<D: Deserializer<'de>>(de: D) -> Result<Self, D::Error> {
        let text = String::deserialize(de).map_err(|_| D::Error::custom(DESTINATIONS))?;
        text.parse().map_err(D::Error::custom)
    }
}

/// A range of UDP ports; the even ones carry RTP, the odd ones after them RTCP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PortRange {
    /// First port, even.
    pub first: u16,
    /// Last port, odd.
    pub last: u16,
}

impl PortRange {
    /// How many legs find a place in it.
    #[must_use]
    pub fn pairs(self) -> usize {
        (usize::from(self.last) + 1 - usize::from(self.first)) / 2
    }
}

impl<'de> Deserialize<'de> for PortRange {
    fn deserialize<D: Deserializer<'de>>(de: D) -> Result<Self, D::Error> {
        let allowed = "a range from an even port to an odd one within 1024-65535, \
                       as in \"20000-21999\"";
        let text = String::deserialize(de).map_err(|_| D::Error::custom(allowed))?;
        let (first, last) = text.split_once('-').ok_or_else(|| D::Error::custom(allowed))?;
        match (first.trim().parse::<u16>(), last.trim().parse::<u16>()) {
            (Ok(first), Ok(last))
                if first < last && first >= 1024 && first % 2 == 0 && last % 2 == 1 =>
            {
                Ok(Self { first, last })
            }
            _ => Err(D::Error::custom(allowed)),
        }
    }
}

/// A secret of at least 16 characters; it is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// The secret itself, for a comparison.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

/// What is allowed as a token.
const TOKENS: &str = "at least 16 characters, none of them a space";

impl FromStr for Token {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_token = text.len() >= 16 && text.chars().all(|c| c.is_ascii_graphic());
        if is_token { Ok(Self(text.to_owned())) } else { Err(TOKENS) }
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("…")
    }
}

impl<'de> Deserialize<'de> for Token {
    fn deserialize<D: Deserializer<'de>>(de: D) -> Result<Self, D::Error> {
        let text = super::parse::text(de).map_err(|_| D::Error::custom(TOKENS))?;
        text.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_destination_covers_what_it_names_and_nothing_else() {
        let table = [
            ("127.0.0.1:5090", "127.0.0.1", 5090, true),
            ("127.0.0.1:5090", "127.0.0.1", 5091, false),
            ("127.0.0.1:5090", "127.0.0.2", 5090, false),
            ("10.0.0.0/8", "10.9.8.7", 5060, true),
            ("10.0.0.0/8", "11.9.8.7", 5060, false),
            ("10.0.0.5", "10.0.0.5", 1, true),
            ("[::1]:5060", "[::1]", 5060, true),
            ("pbx.example.com", "PBX.example.com.", 5080, true),
            ("pbx.example.com:5060", "pbx.example.com", 5080, false),
            ("*.example.com", "a.b.example.com", 5060, true),
            ("*.example.com", "example.com", 5060, false),
            ("*.example.com", "badexample.com", 5060, false),
            ("*.example.com", "example.com.evil.org", 5060, false),
            ("10.0.0.0/8", "10.example.com", 5060, false),
        ];
        for (allowed, host, port, expected) in table {
            let destination: Destination = allowed.parse().unwrap();
            assert_eq!(destination.covers(host, port), expected, "{allowed} for {host}:{port}");
        }
    }

    #[test]
    fn what_is_no_destination_is_refused() {
        for text in ["", "*", "*.", "300.0.0.1", "10.0.0.0/33", "a b", "host:port", "-a.example"] {
            assert!(text.parse::<Destination>().is_err(), "{text:?} was taken");
        }
    }
}
