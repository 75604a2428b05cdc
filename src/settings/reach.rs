//! Ports of the media, and the token of the HTTP side.
//!
//! Absent: whom we may call, which is `cordboard_sip::access`'s.

use std::str::FromStr;

use serde::de::{Deserialize, Deserializer, Error};

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
