//! Whether the addresses that callers are told are this machine's.
//!
//! An address that was taken away (a lease that ended, an interface that changed) leaves every new
//! call without sound, and without an ACK. While one is gone new calls are sent elsewhere.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use cordboard_sip::endpoint::EndpointConfig;
use tokio_util::sync::CancellationToken;

use super::intake::Intake;
use crate::settings::SipSettings;

/// Time between two looks.
const LOOK_PERIOD: Duration = Duration::from_secs(1);

/// Says whether an address is this machine's.
type Probe = Box<dyn Fn(IpAddr) -> bool + Send>;

/// The addresses that are watched.
pub(super) struct Addresses {
    watched: Vec<IpAddr>,
    gone: Vec<IpAddr>,
    probe: Probe,
}

impl Addresses {
    /// Watches those of the candidates that are this machine's now: what is advertised may be a
    /// router's, and is not to be seen from here.
    pub(super) fn new(candidates: impl IntoIterator<Item = IpAddr>, probe: Probe) -> Self {
        let mut watched: Vec<_> = candidates.into_iter().collect();
        watched.sort_unstable();
        watched.dedup();
        watched.retain(|address| !address.is_unspecified() && probe(*address));
        Self { watched, gone: Vec::new(), probe }
    }

    /// Looks at all of them; true where something has changed.
    fn look(&mut self) -> bool {
        let gone = self.watched.iter().filter(|address| !(self.probe)(**address));
        let gone: Vec<_> = gone.copied().collect();
        let changed = gone != self.gone;
        self.gone = gone;
        changed
    }

    /// Those that are not this machine's any more.
    fn gone(&self) -> &[IpAddr] {
        &self.gone
    }
}

/// An address of nobody (RFC 5737, RFC 3849), to which a packet would take the default route: for a
/// peer whose own is not known yet. Of the kind of what is bound.
pub(super) const fn elsewhere(bound: IpAddr) -> IpAddr {
    match bound {
        IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::new(198, 51, 100, 1)),
        IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1)),
    }
}

/// The address of ours that this peer would be told by a service of these settings; none is a peer
/// that is elsewhere.
pub(crate) fn told(settings: &SipSettings, peer: Option<IpAddr>) -> IpAddr {
    let config = EndpointConfig {
        bind_udp: settings.listen_udp,
        bind_tcp: settings.listen_tcp,
        bind_tls: settings.listen_tls,
        advertised: settings.advertised,
        ..EndpointConfig::default()
    };
    let listen = settings.listen_udp.or(settings.listen_tcp).or(settings.listen_tls);
    let bound = listen.map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |it| it.ip());
    config.address_towards(peer.unwrap_or_else(|| elsewhere(bound)))
}

/// A socket can be bound to the addresses of this machine alone.
pub(super) fn is_ours(address: IpAddr) -> bool {
    UdpSocket::bind((address, 0)).is_ok()
}

/// Looks each second; tells the intake and the log.
pub(super) async fn watch(mut addresses: Addresses, intake: Arc<Intake>, stop: CancellationToken) {
    let mut looks = tokio::time::interval(LOOK_PERIOD);
    looks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = looks.tick() => {}
            () = stop.cancelled() => return,
        }
        if !addresses.look() {
            continue;
        }
        intake.set_stranded(!addresses.gone().is_empty());
        match addresses.gone() {
            [] => tracing::info!("every address is this machine's again; calls are taken"),
            gone => tracing::error!(
                ?gone,
                "not this machine's any more; new calls are refused until it is back, or restart"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[test]
    fn an_address_that_goes_and_comes_back_is_noticed_and_one_never_ours_is_not_watched() {
        let parse = |text: &str| text.parse::<IpAddr>().unwrap();
        let (ours, other, router) = (parse("10.0.0.7"), parse("10.0.0.8"), parse("203.0.113.9"));
        let present = Arc::new(Mutex::new(vec![ours, other]));
        let seen = present.clone();
        let probe = Box::new(move |address| seen.lock().unwrap().contains(&address));
        let candidates = [ours, router, other, ours, parse("0.0.0.0")];
        let mut addresses = Addresses::new(candidates, probe);
        assert_eq!(addresses.watched, [ours, other]);
        assert!(!addresses.look());
        present.lock().unwrap().retain(|it| *it != ours);
        assert!(addresses.look());
        assert_eq!(addresses.gone(), [ours]);
        assert!(!addresses.look(), "told once");
        present.lock().unwrap().push(ours);
        assert!(addresses.look());
        assert_eq!(addresses.gone(), [""; 0].map(|_| ours));
    }

    #[test]
    fn this_machine_s_addresses_are_ours_and_documentation_s_are_not() {
        assert!(is_ours(IpAddr::from([127, 0, 0, 1])));
        assert!(!is_ours(IpAddr::from([192, 0, 2, 1])));
    }
}
