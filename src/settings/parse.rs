//! Values of settings: how each is read, and what is said of one that cannot be.
//!
//! Every message says what is allowed; name and value are added by `fault`.

use std::net::{IpAddr, SocketAddr};

use cordboard_sip::access::Destination;
use cordboard_sip::negotiation::AudioCodec;
use cordboard_sip::srtp::SrtpPolicy;
use ipnet::IpNet;
use serde::de::{Deserialize, Deserializer, Error, Unexpected};

/// Reads a whole number from `MIN` to `MAX`.
pub(super) fn within<'de, D, const MIN: u64, const MAX: u64>(de: D) -> Result<u64, D::Error>
where
    D: Deserializer<'de>,
{
    let allowed = format!("a whole number from {MIN} to {MAX}");
    let number = i64::deserialize(de).map_err(|_| D::Error::custom(&allowed))?;
    match u64::try_from(number) {
        Ok(number) if (MIN..=MAX).contains(&number) => Ok(number),
        _ => Err(D::Error::custom(&allowed)),
    }
}

/// Reads a count from `MIN` to `MAX`.
pub(super) fn count<'de, D, const MIN: u64, const MAX: u64>(de: D) -> Result<usize, D::Error>
where
    D: Deserializer<'de>,
{
    let number = within::<D, MIN, MAX>(de)?;
    usize::try_from(number).map_err(|_| D::Error::custom("a smaller number"))
}

/// Reads a share from 0 to 1.
pub(super) fn share<'de, D: Deserializer<'de>>(de: D) -> Result<f32, D::Error> {
    let allowed = "a number from 0 to 1";
    let number = f64::deserialize(de).map_err(|_| D::Error::custom(allowed))?;
    if (0.0..=1.0).contains(&number) { Ok(number as f32) } else { Err(D::Error::custom(allowed)) }
}

/// Reads an address with its port, or "off".
pub(super) fn listen<'de, D>(de: D) -> Result<Option<SocketAddr>, D::Error>
where
    D: Deserializer<'de>,
{
    let allowed =
        "an IP address with a port, as in \"127.0.0.1:5060\" or \"[::1]:5060\", or \"off\"";
    let text = String::deserialize(de).map_err(|_| D::Error::custom(allowed))?;
    match text.as_str() {
        "off" => Ok(None),
        text => text.parse().map(Some).map_err(|_| D::Error::custom(allowed)),
    }
}

/// Reads whether media is secured.
pub(super) fn srtp<'de, D: Deserializer<'de>>(de: D) -> Result<SrtpPolicy, D::Error> {
    let allowed = "\"none\", \"prefer\" or \"require\"";
    let text = String::deserialize(de).map_err(|_| D::Error::custom(allowed))?;
    match text.as_str() {
        "none" => Ok(SrtpPolicy::None),
        "prefer" => Ok(SrtpPolicy::Prefer),
        "require" => Ok(SrtpPolicy::Require),
        _ => Err(D::Error::custom(allowed)),
    }
}

/// Reads a list of networks; an address alone is a network of one.
pub(super) fn networks<'de, D: Deserializer<'de>>(de: D) -> Result<Vec<IpNet>, D::Error> {
    /// One of them, so that an error has its place in the list.
    struct Network(IpNet);
    impl<'de> Deserialize<'de> for Network {
        fn deserialize<D: Deserializer<'de>>(de: D) -> Result<Self, D::Error> {
            let allowed = "a network or an address, as in \"10.0.0.0/8\" or \"203.0.113.7\"";
            let text = String::deserialize(de).map_err(|_| D::Error::custom(allowed))?;
            let address = || text.parse::<IpAddr>().map(IpNet::from);
            let network = text.parse().or_else(|_| address());
            network.map(Self).map_err(|_| D::Error::custom(allowed))
        }
    }
    Ok(Vec::<Network>::deserialize(de)?.into_iter().map(|network| network.0).collect())
}

/// Reads the codecs that are spoken: one or more, each once.
pub(super) fn codecs<'de, D: Deserializer<'de>>(de: D) -> Result<Vec<AudioCodec>, D::Error> {
    /// One of them, so that an error has its place in the list.
    struct Named(AudioCodec);
    impl<'de> Deserialize<'de> for Named {
        fn deserialize<D: Deserializer<'de>>(de: D) -> Result<Self, D::Error> {
            let allowed = "\"opus\", \"g722\", \"pcmu\" or \"pcma\"";
            let text = String::deserialize(de).map_err(|_| D::Error::custom(allowed))?;
            AudioCodec::from_name(&text).map(Self).ok_or_else(|| D::Error::custom(allowed))
        }
    }
    let codecs: Vec<_> = Vec::<Named>::deserialize(de)?.into_iter().map(|it| it.0).collect();
    let again = |(place, codec): (usize, &AudioCodec)| codecs[..place].contains(codec);
    if codecs.is_empty() || codecs.iter().enumerate().any(again) {
        return Err(D::Error::custom("one or more codecs, each once"));
    }
    Ok(codecs)
}

/// Reads a name: a text that is not empty, without spaces or control characters in it.
pub(super) fn name<'de, D: Deserializer<'de>>(de: D) -> Result<String, D::Error> {
    let text = text(de)?;
    let is_name = !text.is_empty() && !text.contains(|c: char| c.is_whitespace() || c.is_control());
    if is_name { Ok(text) } else { Err(D::Error::custom("a name without spaces")) }
}

/// Reads a text that is not empty. A number is taken for its digits.
pub(super) fn text<'de, D: Deserializer<'de>>(de: D) -> Result<String, D::Error> {
    struct Text;
    impl serde::de::Visitor<'_> for Text {
        type Value = String;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("a text")
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<String, E> {
            if text.is_empty() {
                return Err(E::invalid_value(Unexpected::Str(text), &"a text that is not empty"));
            }
            Ok(text.to_owned())
        }

        fn visit_u64<E: Error>(self, number: u64) -> Result<String, E> {
            Ok(number.to_string())
        }

        fn visit_i64<E: Error>(self, number: i64) -> Result<String, E> {
            Ok(number.to_string())
        }
    }
    de.deserialize_any(Text)
}

/// Reads a `sip:`, `sips:` or `tel:` address.
pub(super) fn sip_uri<'de, D: Deserializer<'de>>(de: D) -> Result<String, D::Error> {
    let allowed = "a SIP address, as in \"sip:alice@127.0.0.1:5090\"";
    let uri = text(de).map_err(|_| D::Error::custom(allowed))?;
    let rest = ["sip:", "sips:", "tel:"].iter().find_map(|it| uri.strip_prefix(it));
    match rest {
        Some(rest) if !rest.is_empty() && !uri.contains(char::is_whitespace) => Ok(uri),
        _ => Err(D::Error::custom(allowed)),
    }
}

/// Reads the places that may be called; everywhere is none of them.
pub(super) fn destinations<'de, D: Deserializer<'de>>(de: D) -> Result<Vec<String>, D::Error> {
    let places = Vec::<Place>::deserialize(de)?;
    Ok(places.into_iter().map(|place| place.0).collect())
}

/// One place that may be called.
struct Place(String);

impl<'de> Deserialize<'de> for Place {
    fn deserialize<D: Deserializer<'de>>(de: D) -> Result<Self, D::Error> {
        let allowed = "\"127.0.0.1\", \"10.0.0.0/8\", \"pbx.example.com\" or \"*.example.com\"";
        let place = text(de).map_err(|_| D::Error::custom(allowed))?;
        match place.parse::<Destination>() {
            Ok(Destination::Anywhere) | Err(_) => Err(D::Error::custom(allowed)),
            Ok(_) => Ok(Self(place)),
        }
    }
}

/// Reads origins of web pages.
pub(super) fn origins<'de, D: Deserializer<'de>>(de: D) -> Result<Vec<String>, D::Error> {
    let allowed = "origins, as in \"https://shop.example\"";
    let origins = Vec::<String>::deserialize(de).map_err(|_| D::Error::custom(allowed))?;
    let is_origin = |it: &String| {
        let host = it.strip_prefix("https://").or_else(|| it.strip_prefix("http://"));
        host.is_some_and(|host| {
            !host.is_empty() && !host.contains(|c: char| c.is_whitespace() || "/*?#".contains(c))
        })
    };
    if origins.iter().all(is_origin) { Ok(origins) } else { Err(D::Error::custom(allowed)) }
}

/// Reads an address for links: `http://` or `https://`, without a slash at its end.
pub(super) fn http_url<'de, D: Deserializer<'de>>(de: D) -> Result<Option<String>, D::Error> {
    let allowed = "an address that begins with http:// or https://";
    let url = text(de).map_err(|_| D::Error::custom(allowed))?;
    let rest = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://"));
    match rest {
        Some(rest) if !rest.is_empty() && !url.contains(char::is_whitespace) => {
            Ok(Some(url.trim_end_matches('/').to_owned()))
        }
        _ => Err(D::Error::custom(allowed)),
    }
}
