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
