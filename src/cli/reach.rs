//! Whether those that we talk with are told an address at which they reach us.
//!
//! A peer is told one in Contact and in session descriptions; where that is loopback and the peer
//! is elsewhere, no sound of it ever comes. Nobody is called, and no name is looked up: a peer of
//! which only a name is known stands for one beyond the default route.

use std::net::IpAddr;

use ipnet::IpNet;

use super::check::host_of;
use crate::settings::Settings;
use crate::shell;

/// Those who would be told a loopback address and are not this machine.
pub(super) fn faults(settings: &Settings) -> Vec<String> {
    let told = |(who, peer): (String, Option<IpAddr>)| {
        let address = shell::told(&settings.sip, peer);
        address.is_loopback().then(|| {
            format!(
                "{who} would be told to send sound to {address}, which is this machine's alone; \
                 listen on an address that it reaches, or set sip.advertised"
            )
        })
    };
    peers(settings).into_iter().filter_map(told).collect()
}

/// All that are not this machine: who it is, and an address of it, where one is known.
fn peers(settings: &Settings) -> Vec<(String, Option<IpAddr>)> {
    let mut peers = Vec::new();
    for trunk in &settings.trunks {
        let name = format!("trunk {:?}", trunk.name);
        let hosts =
            trunk.hosts.iter().map(|it| (format!("{name} ({})", it.host), it.host.as_str()));
        peers.extend(hosts.filter_map(|(who, host)| Some((who, elsewhere(host)?))));
        let networks = trunk.from.iter().filter_map(|it| Some((it, one_of(it)?)));
        peers.extend(networks.map(|(it, peer)| (format!("{name} (from {it})"), peer)));
    }
    for agent in settings.agents.iter().filter(|it| !it.uri.starts_with("tel:")) {
        let host = host_of(&agent.uri);
        let is_trunk = settings.trunks.iter().any(|it| it.name.eq_ignore_ascii_case(host));
        let peer = elsewhere(host).filter(|_| !is_trunk);
        peers.extend(peer.map(|it| (format!("agent {} ({host})", agent.name), it)));
    }
    // Where loopback alone is listened on, nobody of these comes in, and nobody is told anything.
    let sip = &settings.sip;
    let listening = [sip.listen_udp, sip.listen_tcp, sip.listen_tls];
    if listening.iter().flatten().any(|it| !it.ip().is_loopback()) {
        let networks = sip.trusted.iter().filter_map(|it| Some((it, one_of(it)?)));
        peers.extend(networks.map(|(it, peer)| (format!("a caller of sip.trusted {it}"), peer)));
    }
    let is_v4 = listening.iter().flatten().all(|it| it.is_ipv4());
    peers.retain(|(_, peer)| peer.is_none_or(|it| it.is_ipv4() || !is_v4));
    peers
}

/// The address that a host is; nothing where it is this machine.
fn elsewhere(host: &str) -> Option<Option<IpAddr>> {
    match host.parse::<IpAddr>() {
        Ok(address) => (!address.is_loopback()).then_some(Some(address)),
        Err(_) => (!host.eq_ignore_ascii_case("localhost")).then_some(None),
    }
}

/// An address of a network, where it is not this machine: the network's own is no host's, and the
/// system may take it for a broadcast.
fn one_of(network: &IpNet) -> Option<Option<IpAddr>> {
    match network.prefix_len() {
        0 => Some(None),
        _ if network.addr().is_loopback() => None,
        _ => Some(network.hosts().next()),
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn settings(toml: &str) -> Settings {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("c.toml");
        std::fs::write(&path, toml).unwrap();
        Settings::load(Some(&path), []).unwrap()
    }

    #[test]
    fn who_is_told_loopback_and_is_elsewhere_is_named_and_nobody_else() {
        let queue = "[[queue]]\nname = \"q\"\n";
        let agent = |at: &str| {
            format!("{queue}[[agent]]\nname = \"ada\"\nuri = \"{at}\"\nqueues = [\"q\"]")
        };
        let trunk = |more: &str| format!("[[trunk]]\nname = \"carrier\"\n{more}");
        let outer = "[sip]\nlisten_udp = \"10.0.0.7:5060\"\n";
        let nat = "[sip]\nadvertised = \"203.0.113.7\"\n";
        let wrong = "[sip]\nlisten_udp = \"10.0.0.7:5060\"\nadvertised = \"127.0.0.1\"\n";
        let calls_in = "trusted = [\"127.0.0.0/8\", \"10.0.0.0/8\"]\n";
        for (toml, named) in [
            (String::new(), &[][..]),
            (trunk("hosts = [\"192.0.2.1\", \"127.0.0.1\"]"), &["carrier\" (192.0.2.1)"][..]),
            (trunk("hosts = [\"sip.carrier.example\"]"), &["sip.carrier.example"]),
            (trunk("hosts = [\"localhost\"]\nfrom = [\"127.0.0.1\"]"), &[]),
            (
                trunk("hosts = [\"127.0.0.1\"]\nfrom = [\"198.51.100.0/24\"]"),
                &["from 198.51.100.0/24"],
            ),
            (format!("{outer}{}", trunk("hosts = [\"192.0.2.1\"]")), &[]),
            (format!("{nat}{}", trunk("hosts = [\"192.0.2.1\"]")), &[]),
            (format!("{wrong}{}", trunk("hosts = [\"192.0.2.1\"]")), &["carrier"]),
            (format!("[sip]\n{calls_in}"), &[]),
            (format!("{wrong}{calls_in}"), &["sip.trusted 10.0.0.0/8"]),
            (agent("sip:ada@192.0.2.7"), &["agent ada (192.0.2.7)"]),
            (agent("sip:ada@127.0.0.1:5090"), &[]),
            (agent("tel:+4930123"), &[]),
        ] {
            let faults = faults(&settings(&toml));
            assert_eq!(faults.len(), named.len(), "{toml}\n{faults:?}");
            for (fault, name) in faults.iter().zip(named) {
                assert!(fault.contains(name) && fault.contains("127.0.0.1"), "{toml}\n{fault}");
            }
        }
    }

    #[test]
    fn a_network_is_stood_for_by_one_of_its_hosts() {
        let one = |text: &str| one_of(&text.parse().unwrap());
        assert_eq!(one("10.0.0.0/8"), Some(Some(Ipv4Addr::new(10, 0, 0, 1).into())));
        assert_eq!(one("192.0.2.9/32"), Some(Some(Ipv4Addr::new(192, 0, 2, 9).into())));
        assert_eq!((one("127.0.0.0/8"), one("0.0.0.0/0")), (None, Some(None)));
    }
}
