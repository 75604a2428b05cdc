//! `[[trunk]]`: a carrier that calls come from and go to.

use std::path::PathBuf;

use cordboard_sip::srtp::SrtpPolicy;
use cordboard_sip::trunk::{Carriage, Place};
use ipnet::IpNet;
use serde::Deserialize;
use serde::de::{Deserializer, Error};

use super::parse;

/// `[[trunk]]`: a carrier.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrunkSettings {
    /// Its name, which is also a host that it is dialled by: `sip:NUMBER@NAME`.
    #[serde(deserialize_with = "parse::name")]
    pub name: String,
    /// Its places, the preferred first.
    #[serde(deserialize_with = "places")]
    pub hosts: Vec<Place>,
    /// What it is spoken to over.
    #[serde(default)]
    pub transport: TransportChoice,
    /// Networks that its calls come from.
    #[serde(default, deserialize_with = "parse::networks")]
    pub from: Vec<IpNet>,
    /// Who we are to it.
    #[serde(default)]
    pub username: Option<String>,
    /// Our secret; better kept in `password_file`.
    #[serde(default)]
    pub password: Option<Secret>,
    /// File whose first line is our secret.
    #[serde(default)]
    pub password_file: Option<PathBuf>,
    /// Our address in the From of calls to it, where that is not `username` at its host.
    #[serde(default, deserialize_with = "from_uri")]
    pub from_uri: Option<String>,
    /// Realm of its challenges, where that is none of its hosts.
    #[serde(default)]
    pub realm: Option<String>,
    /// Whether we register.
    #[serde(default)]
    pub register: bool,
    /// For how long each time.
    #[serde(
        default = "TrunkSettings::expires_s",
        deserialize_with = "parse::within::<_, 60, 86_400>"
    )]
    pub expires_s: u64,
    /// Whether its media is secured.
    #[serde(default)]
    pub srtp: SrtpChoice,
    /// Calls at a time, both ways.
    #[serde(
        default = "TrunkSettings::calls_max",
        deserialize_with = "parse::count::<_, 1, 30_000>"
    )]
    pub calls_max: usize,
    /// Begins of the numbers that may be dialled; none by default.
    #[serde(default, deserialize_with = "numbers")]
    pub numbers: Vec<String>,
    /// Put before each number that is dialled.
    #[serde(default)]
    pub prefix: String,
    /// How often its places are asked whether they are there; 0 is never.
    #[serde(
        default = "TrunkSettings::keepalive_s",
        deserialize_with = "parse::within::<_, 0, 3_600>"
    )]
    pub keepalive_s: u64,
}

impl TrunkSettings {
    const fn expires_s() -> u64 {
        600
    }

    const fn calls_max() -> usize {
        30
    }

    const fn keepalive_s() -> u64 {
        10
    }
}

/// What a trunk is spoken to over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TransportChoice {
    /// UDP.
    #[default]
    Udp,
    /// TCP.
    Tcp,
    /// TLS.
    Tls,
}

impl From<TransportChoice> for Carriage {
    fn from(choice: TransportChoice) -> Self {
        match choice {
            TransportChoice::Udp => Self::Udp,
            TransportChoice::Tcp => Self::Tcp,
            TransportChoice::Tls => Self::Tls,
        }
    }
}

/// Whether a trunk's media is secured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SrtpChoice {
    /// Never.
    #[default]
    None,
    /// Where the trunk can.
    Prefer,
    /// Always.
    Require,
}

impl From<SrtpChoice> for SrtpPolicy {
    fn from(choice: SrtpChoice) -> Self {
        match choice {
            SrtpChoice::None => Self::None,
            SrtpChoice::Prefer => Self::Prefer,
            SrtpChoice::Require => Self::Require,
        }
    }
}

/// A secret of any length that is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// The secret itself.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("…")
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(de: D) -> Result<Self, D::Error> {
        let text = parse::text(de).map_err(|_| D::Error::custom("a text that is not empty"))?;
        Ok(Self(text))
    }
}

/// Reads hosts, each with a port or without.
fn places<'de, D: Deserializer<'de>>(de: D) -> Result<Vec<Place>, D::Error> {
    let allowed = "one or more hosts, as in \"sip.example.com\", \"sip.example.com:5080\" or \
                   \"192.0.2.1\"";
    let texts = Vec::<String>::deserialize(de).map_err(|_| D::Error::custom(allowed))?;
    let places: Result<Vec<Place>, ()> = texts.iter().map(|it| it.parse()).collect();
    places.ok().filter(|it| !it.is_empty()).ok_or_else(|| D::Error::custom(allowed))
}

/// Reads our own address.
fn from_uri<'de, D: Deserializer<'de>>(de: D) -> Result<Option<String>, D::Error> {
    let allowed = "a SIP address, as in \"sip:+4930123456@pbx.example.com\"";
    let uri = parse::sip_uri(de).map_err(|_| D::Error::custom(allowed))?;
    let sign = |it: char| !it.is_control() && !"<>\"?;".contains(it);
    let rest = uri.strip_prefix("sips:").or_else(|| uri.strip_prefix("sip:"));
    let sound = rest.is_some_and(|it| {
        let mut parts = it.split('@');
        parts.clone().count() == 2 && parts.all(|part| !part.is_empty()) && it.chars().all(sign)
    });
    if sound { Ok(Some(uri)) } else { Err(D::Error::custom(allowed)) }
}

/// Reads begins of numbers.
fn numbers<'de, D: Deserializer<'de>>(de: D) -> Result<Vec<String>, D::Error> {
    let allowed = "begins of numbers as they are dialled, as in \"+4930\" or \"1001\"";
    let texts = Vec::<String>::deserialize(de).map_err(|_| D::Error::custom(allowed))?;
    let sign = |it: char| it.is_ascii_alphanumeric() || "+*#-_.".contains(it);
    let sound = |it: &String| it.chars().any(|it| it != '+') && it.chars().all(sign);
    if texts.iter().all(sound) { Ok(texts) } else { Err(D::Error::custom(allowed)) }
}
