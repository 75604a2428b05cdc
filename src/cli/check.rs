//! `cordboard check`: everything that a start would stumble over, told at once.
//!
//! Nothing is left behind, nobody is called, and a service that runs is not disturbed.

use std::fs::{self, File};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, ToSocketAddrs, UdpSocket};
use std::path::Path;
use std::sync::Arc;

use cordboard_sip::access::Access;
use cordboard_sip::trunk::{Place, Trunk, Way, plain_number, way_of_user};
use serde_json::json;

use super::{Fault, reach, say};
use crate::clock;
use crate::conversation::Flow;
use crate::settings::Settings;
use crate::shell::{self, Log};

/// So long before its end a certificate is told of.
const WARN_BEFORE_S: i64 = 14 * 86_400;

/// What was found.
#[derive(Debug, Default)]
struct Findings {
    /// What stops a start, or makes a call fail.
    faults: Vec<String>,
    /// What is as it should be where it is meant.
    notes: Vec<String>,
}

impl Findings {
    fn fault(&mut self, text: impl Into<String>) {
        self.faults.push(text.into());
    }

    fn note(&mut self, text: impl Into<String>) {
        self.notes.push(text.into());
    }
}

/// Checks a file of settings and all that it names.
pub(super) fn check(file: Option<&Path>, as_json: bool) -> Result<(), Fault> {
    let mut findings = Findings::default();
    let (settings, faults) = Settings::load_all(file, std::env::vars());
    faults.iter().for_each(|fault| findings.fault(with_sources(fault)));
    if let Some(settings) = &settings {
        if let Err(fault) = Log::filter(&settings.log) {
            findings.fault(fault.to_string());
        }
        let flows = check_flows(settings, &mut findings);
        for fault in shell::engine_faults(settings, &flows) {
            findings.fault(with_sources(&fault));
        }
        findings.notes.extend(shell::fallbacks(&settings.models));
        check_trunks(settings, &mut findings);
        check_agents(settings, &mut findings);
        findings.faults.extend(reach::faults(settings));
        if check_folder(settings, &mut findings) {
            check_addresses(settings, &mut findings);
        }
    }
    let name = file.map_or_else(|| "the defaults".to_owned(), |file| file.display().to_string());
    tell(&name, &findings, as_json);
    match findings.faults.len() {
        0 => Ok(()),
        1 => Err(format!("{name}: 1 fault").into()),
        count => Err(format!("{name}: {count} faults").into()),
    }
}

fn tell(name: &str, findings: &Findings, as_json: bool) {
    let Findings { faults, notes } = findings;
    if as_json {
        let all = json!({ "ok": faults.is_empty(), "faults": faults, "notes": notes });
        say(&format!("{all:#}"));
        return;
    }
    faults.iter().for_each(|fault| say(&format!("fault: {fault}")));
    notes.iter().for_each(|note| say(&format!("note: {note}")));
    if faults.is_empty() {
        say(&format!("{name}: no faults"));
    }
}

/// An error with what it came from.
fn with_sources(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}

fn check_flows(settings: &Settings, findings: &mut Findings) -> Vec<Arc<Flow>> {
    if settings.routes.is_empty() {
        findings.note("there is no [[route]]: every call is answered 404; add one");
    }
    let queues: Vec<&str> = settings.queues.iter().map(|queue| queue.name.as_str()).collect();
    let mut flows = Vec::new();
    for route in &settings.routes {
        let path = route.flow.display().to_string();
        let text = match fs::read_to_string(&route.flow) {
            Ok(text) => text,
            Err(error) => {
                findings.fault(format!(
                    "flow {path} cannot be read: {error}; set [[route]] flow to a file that exists"
                ));
                continue;
            }
        };
        match Flow::parse(&text, &path, &route.variables) {
            Ok(flow) => {
                for queue in flow.queue_names().iter().filter(|it| !queues.contains(&it.as_str())) {
                    findings.note(format!(
                        "flow {path} hands over to the queue {queue:?}, which is no [[queue]]: \
                         callers will be told that nobody is there"
                    ));
                }
                flows.push(Arc::new(flow));
            }
            Err(faults) => faults.into_iter().for_each(|it| findings.fault(it.to_string())),
        }
    }
    flows
}

/// Whether the secrets of the trunks and the files of TLS can be read.
fn check_trunks(settings: &Settings, findings: &mut Findings) {
    let (faults, expiry_unix_s) = shell::trunk_faults(settings);
    faults.iter().for_each(|fault| findings.fault(with_sources(fault)));
    let now_s = i64::try_from(clock::wall_unix_ms() / 1_000).unwrap_or(i64::MAX);
    let Some(left_s) = expiry_unix_s.map(|it| it - now_s).filter(|it| *it < WARN_BEFORE_S) else {
        return;
    };
    let days = left_s.div_euclid(86_400);
    if left_s < 0 {
        findings.fault("sip.tls_certificate has expired: replace the file");
    } else {
        findings.note(format!("sip.tls_certificate expires in {days} days: replace the file"));
    }
}

/// Whether the trunks say who may be rung at this address: that he may, or may not.
fn rings_by_trunk(settings: &Settings, uri: &str) -> Option<bool> {
    let trunks: Vec<Trunk> = settings
        .trunks
        .iter()
        .map(|it| Trunk { numbers: it.numbers.clone(), ..Trunk::named(&it.name, it.hosts.clone()) })
        .collect();
    if let Some(number) = uri.strip_prefix("tel:") {
        let number = plain_number(number);
        return Some(trunks.iter().any(|it| it.allows(&number)));
    }
    let rest = uri.split_once(':').map_or(uri, |(_, rest)| rest);
    let rest = rest.split([';', '?']).next().unwrap_or(rest);
    let (user, at) = rest.rsplit_once('@').unwrap_or(("", rest));
    let place: Place = at.parse().ok()?;
    match way_of_user(&trunks, user, &place.host, place.port) {
        Way::Trunk(_) => Some(true),
        Way::Forbidden => Some(false),
        Way::Direct => None,
    }
}

/// Whether the phones of the agents may be called.
fn check_agents(settings: &Settings, findings: &mut Findings) {
    let destinations = settings.sip.destinations.iter().map(String::as_str);
    let access = match Access::new([], destinations) {
        Ok(access) => access,
        Err(error) => return findings.fault(error.to_string()),
    };
    for agent in &settings.agents {
        match rings_by_trunk(settings, &agent.uri) {
            Some(true) => continue,
            Some(false) => {
                findings.fault(format!(
                    "agent {} cannot be rung: no [[trunk]] may ring {}; add its begin to the \
                     trunk's numbers",
                    agent.name, agent.uri
                ));
                continue;
            }
            None => {}
        }
        let host = host_of(&agent.uri);
        let address = || (host, 5060).to_socket_addrs().ok()?.next().map(|it| it.ip());
        if !access.may_dial(host, None) && !access.may_dial(host, address()) {
            findings.fault(format!(
                "agent {} cannot be rung: {host} is not among sip.destinations; add \"{host}\"",
                agent.name
            ));
        }
    }
    for queue in &settings.queues {
        if !settings.agents.iter().any(|agent| agent.queues.contains(&queue.name)) {
            let name = &queue.name;
            findings.note(format!("queue {name:?} has no agent: callers will find nobody"));
        }
    }
}

/// The host of a SIP address (RFC 3261 §19.1.1).
pub(super) fn host_of(uri: &str) -> &str {
    let rest = uri.split_once(':').map_or(uri, |(_, rest)| rest);
    let rest = rest.split([';', '?']).next().unwrap_or(rest);
    let host = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
    match host.strip_prefix('[') {
        Some(literal) => literal.split(']').next().unwrap_or(literal),
        None => host.split(':').next().unwrap_or(host),
    }
}

/// Checks that the folder can be written; whether no service has it.
fn check_folder(settings: &Settings, findings: &mut Findings) -> bool {
    let folder = &settings.store.folder;
    let shown = folder.display();
    if !folder.exists() {
        let parent = folder.ancestors().find(|it| it.is_dir()).unwrap_or_else(|| Path::new("."));
        if let Err(error) = tempfile_in(parent) {
            findings.fault(format!(
                "store.folder {shown} cannot be made: {error}; set store.folder to a folder that \
                 this user may write"
            ));
        }
        return true;
    }
    if let Err(error) = tempfile_in(folder) {
        findings.fault(format!(
            "store.folder {shown} cannot be written: {error}; let this user own it"
        ));
        return true;
    }
    let lock = File::open(folder.join("lock"));
    let is_taken = lock.is_ok_and(|lock| lock.try_lock_shared().is_err());
    if is_taken {
        findings.note(format!(
            "a service runs with store.folder {shown}: its addresses are taken, and not checked"
        ));
    }
    !is_taken
}

/// Makes a file and deletes it.
fn tempfile_in(folder: &Path) -> std::io::Result<()> {
    let path = folder.join(format!(".cordboard-check-{}", std::process::id()));
    File::create_new(&path)?;
    fs::remove_file(&path)
}

/// Whether every address can be listened on.
fn check_addresses(settings: &Settings, findings: &mut Findings) {
    let sip = &settings.sip;
    let udp = |address: SocketAddr| UdpSocket::bind(address).err();
    let tcp = |address: SocketAddr| TcpListener::bind(address).err();
    let taken = [
        ("sip.listen_udp", sip.listen_udp, sip.listen_udp.and_then(udp)),
        ("sip.listen_tcp", sip.listen_tcp, sip.listen_tcp.and_then(tcp)),
        ("sip.listen_tls", sip.listen_tls, sip.listen_tls.and_then(tcp)),
        ("api.listen", Some(settings.api.listen), tcp(settings.api.listen)),
        (
            "telemetry.metrics_listen",
            settings.telemetry.metrics_listen,
            settings.telemetry.metrics_listen.and_then(tcp),
        ),
    ];
    for (name, address, error) in taken {
        if let (Some(address), Some(error)) = (address, error) {
            findings.fault(format!(
                "{name} {address} cannot be listened on: {error}; set it to an address of this \
                 machine and a port that is free"
            ));
        }
    }
    let host = sip.listen_udp.or(sip.listen_tcp).or(sip.listen_tls).map(|address| address.ip());
    let host = host.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST));
    let pairs = (sip.rtp_ports.first..sip.rtp_ports.last).step_by(2);
    let free = pairs.filter(|port| udp((host, *port).into()).is_none()).count();
    let (all, most) = (sip.rtp_ports.pairs(), sip.calls_max);
    if free < most {
        findings.fault(format!(
            "sip.rtp_ports has {free} free pairs of {all}, and sip.calls_max is {most}; choose \
             ports that nobody uses, or fewer calls"
        ));
    } else if free < all {
        findings.note(format!("{} pairs of sip.rtp_ports are taken by others", all - free));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_agent_behind_a_trunk_may_be_rung_as_the_trunk_may() {
        let trunk = "[[trunk]]\nname = \"carrier\"\nhosts = [\"192.0.2.1\"]\nnumbers = [\"+49\"]";
        let folder = std::env::temp_dir().join(format!("check-{}.toml", std::process::id()));
        fs::write(&folder, trunk).unwrap();
        let settings = Settings::load(Some(&folder), []).unwrap();
        fs::remove_file(&folder).unwrap();
        for (uri, rung) in [
            ("tel:+49 30-123", Some(true)),
            ("tel:+33123", Some(false)),
            ("sip:+4930@carrier", Some(true)),
            ("sip:+3330@192.0.2.1", Some(false)),
            ("sip:ada@127.0.0.1:5090", None),
        ] {
            assert_eq!(rings_by_trunk(&settings, uri), rung, "{uri}");
        }
    }

    #[test]
    fn the_host_of_an_address_is_found_in_all_its_forms() {
        for (uri, host) in [
            ("sip:alice@127.0.0.1:5090", "127.0.0.1"),
            ("sip:127.0.0.1", "127.0.0.1"),
            ("sips:a:secret@pbx.example;transport=tcp", "pbx.example"),
            ("sip:a@[2001:db8::1]:5060?subject=x", "2001:db8::1"),
        ] {
            assert_eq!(host_of(uri), host, "{uri}");
        }
    }
}
