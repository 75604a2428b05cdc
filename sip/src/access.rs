//! Whom we listen to, and whom we may ring. Nobody, until configured.
//!
//! Inbound: networks of the trunks and phones that may send us requests. Outbound: hosts and
//! networks that we may dial, so that no flow and no agent's entry can ring the world.

use std::net::IpAddr;
use std::str::FromStr;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use ipnet::IpNet;

use crate::bans::BanRule;

/// An entry of the configuration that is neither network nor host.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("misconfigured: `{entry}` is no address, network or host name")]
pub struct AccessError {
    /// What was written.
    pub entry: String,
}

/// Where we may dial.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destination {
    /// `*`.
    Anywhere,
    /// `192.0.2.0/24`, `192.0.2.1`.
    Net(IpNet),
    /// `pbx.example.com`.
    Host(String),
    /// `*.example.com`: hosts below it, not itself.
    Below(String),
}

impl FromStr for Destination {
    type Err = AccessError;

    fn from_str(entry: &str) -> Result<Self, Self::Err> {
        let text = entry.trim();
        if text == "*" {
            return Ok(Self::Anywhere);
        }
        if let Some(net) = net(text) {
            return Ok(Self::Net(net));
        }
        let (below, name) = text.strip_prefix("*.").map_or((false, text), |it| (true, it));
        let name = name.trim_end_matches('.').to_ascii_lowercase();
        let is_name = |it: char| it.is_ascii_alphanumeric() || matches!(it, '-' | '.' | '_');
        // All digits and dots would be an address that did not parse.
        let numeric = name.chars().all(|it| it.is_ascii_digit() || it == '.');
        if name.is_empty() || numeric || !name.chars().all(is_name) {
            return Err(AccessError { entry: entry.to_owned() });
        }
        Ok(if below { Self::Below(name) } else { Self::Host(name) })
    }
}

impl Destination {
    fn covers(&self, host: &str, ip: Option<IpAddr>) -> bool {
        match self {
            Self::Anywhere => true,
            Self::Net(net) => ip.is_some_and(|ip| net.contains(&ip)),
            Self::Host(name) => name == host,
            Self::Below(name) => {
                host.strip_suffix(name.as_str()).is_some_and(|it| it.len() > 1 && it.ends_with('.'))
            }
        }
    }
}

/// Both lists. Clones are the same ones: what [`Access::replace`] changes, all of them have.
///
/// ```
/// use cordboard_sip::access::Access;
/// let access = Access::new(["192.0.2.0/24"], ["*.pbx.example", "10.0.0.7"])?;
/// assert!(access.trusts("192.0.2.9".parse()?));
/// assert!(access.may_dial("a.pbx.example", None));
/// assert!(!access.may_dial("premium.example", None));
/// assert!(!Access::default().trusts("127.0.0.1".parse()?));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Access(Arc<RwLock<Lists>>);

#[derive(Clone, Debug, Default)]
struct Lists {
    inbound: Vec<IpNet>,
    outbound: Vec<Destination>,
    bans: BanRule,
}

impl Access {
    /// Reads both lists as configured: networks or addresses in, [`Destination`]s out.
    ///
    /// # Errors
    /// [`AccessError`] with the entry that makes no sense.
    pub fn new<'a>(
        inbound: impl IntoIterator<Item = &'a str>,
        outbound: impl IntoIterator<Item = &'a str>,
    ) -> Result<Self, AccessError> {
        let trusted =
            |entry: &str| net(entry.trim()).ok_or_else(|| AccessError { entry: entry.to_owned() });
        let lists = Lists {
            inbound: inbound.into_iter().map(trusted).collect::<Result<_, _>>()?,
            outbound: outbound.into_iter().map(str::parse).collect::<Result<_, _>>()?,
            bans: BanRule::default(),
        };
        Ok(Self(Arc::new(RwLock::new(lists))))
    }

    /// Takes the lists of another, in all clones and at once.
    pub fn replace(&self, other: &Self) {
        let lists = other.lists().clone();
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = lists;
    }

    fn lists(&self) -> RwLockReadGuard<'_, Lists> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// With another rule for those who ask for what they may not have.
    #[must_use]
    pub fn with_bans(self, bans: BanRule) -> Self {
        self.0.write().unwrap_or_else(PoisonError::into_inner).bans = bans;
        self
    }

    /// The rule that bans go by.
    #[must_use]
    pub fn ban_rule(&self) -> BanRule {
        self.lists().bans
    }

    /// Whether this address is on one of the lists by itself, not by a name or `*`. Such a source
    /// is never banned: whoever forges its address could cut it off.
    #[must_use]
    pub fn knows(&self, source: IpAddr) -> bool {
        let source = source.to_canonical();
        let listed =
            |it: &Destination| matches!(it, Destination::Net(net) if net.contains(&source));
        self.trusts(source) || self.lists().outbound.iter().any(listed)
    }

    /// With more networks that may call in.
    #[must_use]
    pub fn trusting_too(self, networks: impl IntoIterator<Item = IpNet>) -> Self {
        self.0.write().unwrap_or_else(PoisonError::into_inner).inbound.extend(networks);
        self
    }

    /// Whether requests of this address are served.
    #[must_use]
    pub fn trusts(&self, source: IpAddr) -> bool {
        let source = source.to_canonical();
        self.lists().inbound.iter().any(|it| it.contains(&source))
    }

    /// Whether this host may be rung; `ip` is what it resolved to, as far as known. The caller
    /// rings that very address and does not ask the name server again.
    #[must_use]
    pub fn may_dial(&self, host: &str, ip: Option<IpAddr>) -> bool {
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let ip = bare.parse().ok().or(ip).map(|it: IpAddr| it.to_canonical());
        self.lists().outbound.iter().any(|it| it.covers(&host, ip))
    }
}

fn net(text: &str) -> Option<IpNet> {
    text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_allowed_by_default() {
        let access = Access::default();
        assert!(!access.trusts(IpAddr::from([127, 0, 0, 1])));
        assert!(!access.may_dial("127.0.0.1", None));
    }

    #[test]
    fn networks_hosts_and_subdomains_are_told_apart() {
        let outbound = ["10.1.0.0/16", "::1", "pbx.example.com", "*.trunk.example"];
        let access = Access::new(["10.0.0.0/8"], outbound).unwrap();
        for (host, ip, allowed) in [
            ("10.1.2.3", None, true),
            ("10.2.2.3", None, false),
            ("[::1]", None, true),
            ("::ffff:10.1.2.3", None, true),
            ("PBX.example.com.", None, true),
            ("pbx.example.com.evil.test", None, false),
            ("xpbx.example.com", None, false),
            ("a.trunk.example", None, true),
            ("trunk.example", None, false),
            ("eviltrunk.example", None, false),
            ("unknown.example", Some("10.1.0.9"), true),
            ("unknown.example", Some("192.0.2.1"), false),
        ] {
            let ip = ip.map(|it| it.parse().unwrap());
            assert_eq!(access.may_dial(host, ip), allowed, "{host}");
        }
        assert!(access.trusts("::ffff:10.9.9.9".parse().unwrap()));
        assert!(!access.trusts("11.0.0.1".parse().unwrap()));
    }

    #[test]
    fn only_listed_addresses_are_safe_from_bans() {
        let access = Access::new(["10.0.0.0/8"], ["192.0.2.1", "pbx.example.com", "*"]).unwrap();
        let known = |it: &str| access.knows(it.parse().unwrap());
        assert!(known("10.1.1.1") && known("192.0.2.1") && known("::ffff:192.0.2.1"));
        assert!(!known("192.0.2.2"));
    }

    #[test]
    fn what_is_replaced_is_replaced_for_all_who_have_it() {
        let access = Access::new(["10.0.0.0/8"], ["a.example"]).unwrap();
        let elsewhere = access.clone();
        access.replace(&Access::new(["192.0.2.0/24"], ["b.example"]).unwrap());
        assert!(elsewhere.trusts(IpAddr::from([192, 0, 2, 1])));
        assert!(!elsewhere.trusts(IpAddr::from([10, 0, 0, 1])));
        assert!(elsewhere.may_dial("b.example", None) && !elsewhere.may_dial("a.example", None));
        access.replace(&elsewhere);
        assert!(access.may_dial("b.example", None), "with itself it changes nothing");
    }

    #[test]
    fn entries_without_sense_are_named() {
        for entry in ["", "*.", "300.1.2.3", "10.0.0.0/33", "a b", "sip:x@y"] {
            let refused = Access::new([], [entry]).unwrap_err();
            assert_eq!(refused.entry, entry);
        }
        assert!(Access::new(["pbx.example.com"], []).is_err());
    }
}
