//! Where an engine is: a URL that may carry a key safely.

use std::net::IpAddr;

use reqwest::Url;

/// Which kind of address is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// `wss`, or `ws` to this machine.
    WebSocket,
    /// `https`, or `http` to this machine.
    Http,
}

/// An engine's URL: encrypted, or on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address(Url);

/// Why a URL is no address of an engine.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no address; allowed: {allowed}")]
pub struct AddressFault {
    text: String,
    allowed: &'static str,
}

impl Address {
    /// Reads a URL.
    ///
    /// # Errors
    /// Where it is none, has another scheme, or would send a key over the network unencrypted.
    pub fn parse(text: &str, scheme: Scheme) -> Result<Self, AddressFault> {
        let (safe, plain, allowed) = match scheme {
            Scheme::WebSocket => ("wss", "ws", "wss://host/path, or ws://127.0.0.1:port/path"),
            Scheme::Http => ("https", "http", "https://host/path, or http://127.0.0.1:port/path"),
        };
        let fault = || AddressFault { text: text.to_owned(), allowed };
        let url = Url::parse(text).map_err(|_| fault())?;
        let host = url.host_str().ok_or_else(fault)?;
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let own = host == "localhost" || bare.parse().is_ok_and(|ip: IpAddr| ip.is_loopback());
        let fits = url.scheme() == safe || (url.scheme() == plain && own);
        // A key in the URL would stand in logs.
        let bare = url.username().is_empty() && url.password().is_none();
        if fits && bare { Ok(Self(url)) } else { Err(fault()) }
    }

    /// The host and the port that are connected to.
    #[must_use]
    pub fn place(&self) -> (&str, u16) {
        let host = self.0.host_str().unwrap_or_default();
        let port = self.0.port_or_known_default().unwrap_or(443);
        (host.trim_start_matches('[').trim_end_matches(']'), port)
    }

    /// The URL.
    pub(super) const fn url(&self) -> &Url {
        &self.0
    }

    /// The URL with a path behind its own.
    pub(super) fn join(&self, path: &str) -> Url {
        let mut url = self.0.clone();
        let joined = format!("{}/{path}", url.path().trim_end_matches('/'));
        url.set_path(&joined);
        url
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_is_host_and_port_whether_written_or_not() {
        for (text, scheme, place) in [
            ("wss://api.deepgram.com/v1/listen", Scheme::WebSocket, ("api.deepgram.com", 443)),
            ("ws://[::1]:4/x", Scheme::WebSocket, ("::1", 4)),
            ("http://localhost/v1", Scheme::Http, ("localhost", 80)),
        ] {
            assert_eq!(Address::parse(text, scheme).unwrap().place(), place, "{text}");
        }
    }

    #[test]
    fn a_key_travels_encrypted_or_not_at_all() {
        for (text, scheme, good) in [
            ("wss://api.deepgram.com/v1/listen", Scheme::WebSocket, true),
            ("ws://127.0.0.1:4/x", Scheme::WebSocket, true),
            ("ws://[::1]:4/x", Scheme::WebSocket, true),
            ("ws://api.deepgram.com/v1/listen", Scheme::WebSocket, false),
            ("https://api.deepgram.com", Scheme::WebSocket, false),
            ("https://api.openai.com/v1", Scheme::Http, true),
            ("http://localhost:8000/v1", Scheme::Http, true),
            ("http://10.0.0.1:8000/v1", Scheme::Http, false),
            ("https://user:key@host/v1", Scheme::Http, false),
            ("openai", Scheme::Http, false),
        ] {
            assert_eq!(Address::parse(text, scheme).is_ok(), good, "{text}");
        }
    }

    #[test]
    fn a_path_goes_behind_the_addresss_own() {
        let address = Address::parse("https://host/v1/", Scheme::Http).unwrap();
        assert_eq!(address.join("chat/completions").as_str(), "https://host/v1/chat/completions");
    }
}
