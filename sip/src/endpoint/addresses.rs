//! Which of our addresses a peer is told: in Via, in Contact, and in session descriptions.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use rsipstack::sip::Transport;

/// What is bound, and what the world sees of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Addresses {
    pub(super) udp: Option<SocketAddr>,
    pub(super) tcp: Option<SocketAddr>,
    pub(super) tls: Option<SocketAddr>,
    pub(super) advertised: Option<IpAddr>,
}

impl Addresses {
    /// The advertised address, save towards this very machine; else the one bound; else the one
    /// that the system would send from.
    pub(super) fn towards(&self, peer: IpAddr) -> IpAddr {
        if let Some(advertised) = self.advertised.filter(|_| !peer.is_loopback()) {
            return advertised;
        }
        let bound = self.bound().map(|it| it.ip());
        bound.filter(|it| !it.is_unspecified()).unwrap_or_else(|| source_towards(peer))
    }

    /// An address that is listened on.
    pub(super) fn bound(&self) -> Option<SocketAddr> {
        self.udp.or(self.tcp).or(self.tls)
    }

    /// Address and port of a transport, as told to a peer.
    pub(super) fn listener(&self, transport: Transport, peer: IpAddr) -> SocketAddr {
        let bound = match transport {
            Transport::Tls => self.tls.or(self.tcp).or(self.udp),
            Transport::Tcp => self.tcp.or(self.udp).or(self.tls),
            _ => self.udp.or(self.tcp).or(self.tls),
        };
        SocketAddr::new(self.towards(peer), bound.map_or(5060, |it| it.port()))
    }

    /// Contact URI for a peer.
    pub(super) fn contact(&self, transport: Transport, peer: IpAddr) -> String {
        let address = self.listener(transport, peer);
        match transport {
            Transport::Tcp => format!("<sip:{address};transport=tcp>"),
            Transport::Tls => format!("<sip:{address};transport=tls>"),
            _ => format!("<sip:{address}>"),
        }
    }
}

/// Connecting a datagram socket sends nothing and shows the route's source address.
fn source_towards(peer: IpAddr) -> IpAddr {
    let (any, loopback): (IpAddr, IpAddr) = if peer.is_ipv4() {
        (Ipv4Addr::UNSPECIFIED.into(), Ipv4Addr::LOCALHOST.into())
    } else {
        (Ipv6Addr::UNSPECIFIED.into(), Ipv6Addr::LOCALHOST.into())
    };
    let found = UdpSocket::bind((any, 0)).and_then(|socket| {
        socket.connect((peer, 9))?;
        socket.local_addr()
    });
    found.map_or(loopback, |it| it.ip())
}

/// Whether the system would let us send from this address.
pub(super) fn is_ours(ip: IpAddr) -> bool {
    UdpSocket::bind((ip, 0)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_advertised_address_is_told_to_all_but_this_machine() {
        let bound = |ip: &str| Some(SocketAddr::new(ip.parse().unwrap(), 5070));
        let public: IpAddr = "203.0.113.1".parse().unwrap();
        for (udp, advertised, peer, expected) in [
            (bound("10.0.0.2"), None, "10.0.0.9", "10.0.0.2"),
            (bound("10.0.0.2"), Some(public), "192.0.2.1", "203.0.113.1"),
            (bound("127.0.0.1"), Some(public), "127.0.0.1", "127.0.0.1"),
            (bound("0.0.0.0"), None, "127.0.0.1", "127.0.0.1"),
            (bound("0.0.0.0"), Some(public), "127.0.0.1", "127.0.0.1"),
        ] {
            let addresses = Addresses { udp, tcp: None, tls: None, advertised };
            assert_eq!(addresses.towards(peer.parse().unwrap()).to_string(), expected);
        }
    }

    #[test]
    fn contacts_name_their_transport() {
        let addresses = Addresses {
            udp: Some("127.0.0.1:5060".parse().unwrap()),
            tcp: Some("127.0.0.1:5080".parse().unwrap()),
            tls: Some("127.0.0.1:5061".parse().unwrap()),
            advertised: None,
        };
        let peer = IpAddr::from([127, 0, 0, 1]);
        assert_eq!(addresses.contact(Transport::Udp, peer), "<sip:127.0.0.1:5060>");
        let tcp = addresses.contact(Transport::Tcp, peer);
        assert_eq!(tcp, "<sip:127.0.0.1:5080;transport=tcp>");
        let tls = addresses.contact(Transport::Tls, peer);
        assert_eq!(tls, "<sip:127.0.0.1:5061;transport=tls>");
    }

    #[test]
    fn an_address_of_another_machine_is_not_ours() {
        assert!(is_ours(IpAddr::from([127, 0, 0, 1])));
        assert!(!is_ours(IpAddr::from([203, 0, 113, 1])));
    }
}
