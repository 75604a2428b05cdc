//! `cordboard check`: everything that a start would stumble over, told at once.
//!
//! Nothing is left behind, nobody is called, and a service that runs is not disturbed.

use std::fs::{self, File};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, ToSocketAddrs, UdpSocket};
use std::path::Path;
use std::sync::Arc;

use cordboard_sip::access::Access;
use serde_json::json;

use super::{Fault, say};
use crate::conversation::Flow;
use crate::settings::Settings;
use crate::shell::{self, Log};

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
        for fault in shell::engine_faults(&settings.models, &flows) {
            findings.fault(with_sources(&fault));
        }
        check_agents(settings, &mut findings);
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

/// Whether the phones of the agents may be called.
fn check_agents(settings: &Settings, findings: &mut Findings) {
    let destinations = settings.sip.destinations.iter().map(String::as_str);
    let access = match Access::new([], destinations) {
        Ok(access) => access,
        Err(error) => return findings.fault(error.to_string()),
    };
    for agent in &settings.agents {
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
fn host_of(uri: &str) -> &str {
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
    let host = sip.listen_udp.or(sip.listen_tcp).map(|address| address.ip());
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
