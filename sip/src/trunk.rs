//! Trunks: the carriers that calls come from and go to, and which numbers may go there. Pure.
//!
//! Nothing may be dialled through a trunk but what begins with one of its `numbers`, compared sign
//! by sign: `+49` allows `+4930…` and neither `0049…` nor `49…`, so that no other way of writing a
//! number gets round the list.

use std::net::IpAddr;
use std::time::Duration;

use ipnet::IpNet;

use crate::digest::Credentials;
use crate::srtp::SrtpPolicy;

/// What signalling goes over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Carriage {
    /// UDP.
    #[default]
    Udp,
    /// TCP.
    Tcp,
    /// TLS over TCP, their certificate verified.
    Tls,
}

impl Carriage {
    /// Port where none is named (RFC 3261 §19.1.2).
    #[must_use]
    pub const fn default_port(self) -> u16 {
        match self {
            Self::Udp | Self::Tcp => 5060,
            Self::Tls => 5061,
        }
    }

    /// Begin of the name of its SRV record (RFC 3263 §4.1).
    #[must_use]
    pub const fn service(self) -> &'static str {
        match self {
            Self::Udp => "_sip._udp",
            Self::Tcp => "_sip._tcp",
            Self::Tls => "_sips._tcp",
        }
    }
}

/// One of a trunk's places: a host, with a port or to be looked up.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Place {
    /// Name or address, without brackets.
    pub host: String,
    /// None is found by SRV, or is the default.
    pub port: Option<u16>,
}

impl std::str::FromStr for Place {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        if let Ok(address) = text.parse::<std::net::SocketAddr>() {
            return Ok(Self { host: address.ip().to_string(), port: Some(address.port()) });
        }
        let bare = text.trim_start_matches('[').trim_end_matches(']');
        if let Ok(ip) = bare.parse::<IpAddr>() {
            return Ok(Self { host: ip.to_string(), port: None });
        }
        let (host, port) = match text.split_once(':') {
            Some((host, port)) => (host, Some(port.parse().map_err(|_| ())?)),
            None => (text, None),
        };
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        let sign = |it: char| it.is_ascii_alphanumeric() || matches!(it, '-' | '.' | '_');
        let numeric = host.chars().all(|it| it.is_ascii_digit() || it == '.');
        if host.is_empty() || numeric || port == Some(0) || !host.chars().all(sign) {
            return Err(());
        }
        Ok(Self { host, port })
    }
}

/// A carrier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trunk {
    /// What it is called in settings, logs and metrics.
    pub name: String,
    /// Its places, the preferred first.
    pub hosts: Vec<Place>,
    /// How it is spoken to.
    pub carriage: Carriage,
    /// Where its calls to us come from.
    pub from: Vec<IpNet>,
    /// Who we are to it.
    pub credentials: Option<Credentials>,
    /// Our address in the From of calls to it, where that is not the credentials' user at its host.
    pub from_uri: Option<String>,
    /// Realm of its challenges, where that is none of its hosts.
    pub realm: Option<String>,
    /// Whether a challenge of its places is its own whatever its realm: for who knows a name and a
    /// password alone, as a phone does.
    pub any_realm: bool,
    /// Whether we register, and for how long each time.
    pub register: Option<Duration>,
    /// Whether its media is secured.
    pub srtp: SrtpPolicy,
    /// Calls at a time, both ways.
    pub calls_max: usize,
    /// Begins of what may be dialled through it; nothing by default.
    pub numbers: Vec<String>,
    /// Put before each number that is dialled.
    pub prefix: String,
    /// How often its places are asked whether they are there (OPTIONS); never where none.
    pub keepalive: Option<Duration>,
}

impl Trunk {
    /// A trunk with nothing allowed: no number, no network, no secret.
    #[must_use]
    pub fn named(name: &str, hosts: Vec<Place>) -> Self {
        Self {
            name: name.to_owned(),
            hosts,
            carriage: Carriage::Udp,
            from: Vec::new(),
            credentials: None,
            from_uri: None,
            realm: None,
            any_realm: false,
            register: None,
            srtp: SrtpPolicy::None,
            calls_max: 30,
            numbers: Vec::new(),
            prefix: String::new(),
            keepalive: Some(Duration::from_secs(30)),
        }
    }

    /// Host that stands in addresses of it.
    #[must_use]
    pub fn domain(&self) -> &str {
        self.hosts.first().map_or("invalid", |it| it.host.as_str())
    }

    /// Whether a challenge of this realm is its own; nobody else is shown credentials.
    #[must_use]
    pub fn is_realm(&self, realm: &str) -> bool {
        match &self.realm {
            _ if self.any_realm => true,
            Some(own) => own == realm,
            None => self.hosts.iter().any(|it| it.host.eq_ignore_ascii_case(realm)),
        }
    }

    /// Whether its calls may come from there.
    #[must_use]
    pub fn calls_from(&self, source: IpAddr) -> bool {
        let source = source.to_canonical();
        self.from.iter().any(|it| it.contains(&source))
    }

    /// Whether this may be dialled through it.
    ///
    /// ```
    /// use cordboard_sip::trunk::Trunk;
    /// let mut trunk = Trunk::named("carrier", vec!["sip.carrier.example".parse().unwrap()]);
    /// assert!(!trunk.allows("+4930123456"));
    /// trunk.numbers = vec!["+4930".to_owned()];
    /// assert!(trunk.allows("+4930123456"));
    /// assert!(!trunk.allows("004930123456") && !trunk.allows("+49"));
    /// ```
    #[must_use]
    pub fn allows(&self, number: &str) -> bool {
        let sign = |it: char| it.is_ascii_alphanumeric() || "+*#-_.".contains(it);
        let sound = !number.is_empty() && number.chars().all(sign);
        sound && self.numbers.iter().any(|it| !it.is_empty() && number.starts_with(it.as_str()))
    }

    fn is_at(&self, host: &str, port: Option<u16>) -> bool {
        let at = |it: &Place| {
            it.host.eq_ignore_ascii_case(host)
                && (port.is_none() || it.port.is_none() || port == it.port)
        };
        host.eq_ignore_ascii_case(&self.name) || self.hosts.iter().any(at)
    }
}

/// Where an address leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Through the trunk with this index.
    Trunk(usize),
    /// To no trunk: whether it may be rung is said by [`crate::access`].
    Direct,
    /// Nowhere: no trunk is allowed to ring this number.
    Forbidden,
}

/// Finds the trunk for a user at a host (`sip:`), by its name or one of its hosts.
#[must_use]
pub fn way_of_user<'t>(
    trunks: impl IntoIterator<Item = &'t Trunk>,
    user: &str,
    host: &str,
    port: Option<u16>,
) -> Way {
    let mut there =
        trunks.into_iter().enumerate().filter(|(_, it)| it.is_at(host, port)).peekable();
    if there.peek().is_none() {
        return Way::Direct;
    }
    there.find(|(_, it)| it.allows(user)).map_or(Way::Forbidden, |(index, _)| Way::Trunk(index))
}

/// A `tel:` number without the marks that are there for the eye (RFC 3966 §5.1.1).
#[must_use]
pub fn plain_number(number: &str) -> String {
    number.chars().filter(|it| !matches!(it, '-' | '.' | '(' | ')' | ' ')).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trunk(name: &str, host: &str, numbers: &[&str]) -> Trunk {
        let numbers = numbers.iter().map(|it| (*it).to_owned()).collect();
        Trunk { numbers, ..Trunk::named(name, vec![host.parse().unwrap()]) }
    }

    #[test]
    fn a_host_of_a_trunk_is_rung_as_that_trunk_may_ring() {
        let trunks = [
            trunk("a", "a.example", &["+4420"]),
            trunk("b", "b.example", &["+44", "1001"]),
            trunk("c", "c.example", &[]),
        ];
        assert_eq!(way_of_user(&trunks, "1001", "B.example", None), Way::Trunk(1));
        assert_eq!(way_of_user(&trunks, "1001", "b", None), Way::Trunk(1));
        assert_eq!(way_of_user(&trunks, "1002", "b.example", Some(5060)), Way::Forbidden);
        assert_eq!(way_of_user(&trunks, "+4420", "c.example", None), Way::Forbidden);
        assert_eq!(way_of_user(&trunks, "alice", "office.example", None), Way::Direct);
    }

    #[test]
    fn no_other_way_of_writing_a_number_gets_round_the_list() {
        let trunk = trunk("a", "a.example", &["+4420"]);
        for number in [
            "",
            "+",
            "+44",
            "4420",
            "004420",
            "00 4420",
            "+44 20",
            "+4420;phone-context=x",
            "+4420@evil.example",
            "+4420%2c",
            " +4420",
        ] {
            assert!(!trunk.allows(number), "{number:?}");
        }
    }

    #[test]
    fn places_are_names_or_addresses_with_a_port_or_without() {
        let place = |host: &str, port| Ok(Place { host: host.to_owned(), port });
        for (text, expected) in [
            ("SIP.example.com.", place("sip.example.com", None)),
            ("sip.example.com:5080", place("sip.example.com", Some(5080))),
            ("192.0.2.1", place("192.0.2.1", None)),
            ("192.0.2.1:5080", place("192.0.2.1", Some(5080))),
            ("[2001:db8::1]:5080", place("2001:db8::1", Some(5080))),
            ("2001:db8::1", place("2001:db8::1", None)),
            ("", Err(())),
            ("300.1.1.1", Err(())),
            ("a b", Err(())),
            ("a:b", Err(())),
            ("a:0", Err(())),
            ("sip:a", Err(())),
        ] {
            assert_eq!(text.parse(), expected, "{text}");
        }
    }

    #[test]
    fn only_its_own_realm_is_a_trunks() {
        let mut trunk = trunk("a", "a.example", &[]);
        assert!(trunk.is_realm("A.example"));
        assert!(!trunk.is_realm("asterisk"));
        trunk.realm = Some("asterisk".to_owned());
        assert!(trunk.is_realm("asterisk") && !trunk.is_realm("a.example"));
        trunk.any_realm = true;
        assert!(trunk.is_realm("a.example"));
    }
}
