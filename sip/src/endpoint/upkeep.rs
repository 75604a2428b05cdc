//! What goes on beside the calls: trunks are located, asked whether they are there, registered
//! with; certificates are read again when they change; our own address is looked after.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use rsipstack::sip::headers::make_header;
use rsipstack::sip::prelude::HeadersExt;
use rsipstack::sip::{Header, Method, Request, Response, StatusCodeKind, Transport, Version};
use rsipstack::sip::{Uri, parse_uri};
use rsipstack::transaction::{make_tag, make_uuid_v4};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use super::Core;
use super::carrier::{Carrier, Target, TrunkCall};
use super::dialog::via;
use super::{addresses, pump};
use crate::registration::{ATTEMPT, Outcome, Registration};

/// How long a place has to answer OPTIONS.
const PROBE: Duration = Duration::from_secs(2);
/// How often a place that does not answer is asked again.
const PROBE_DOWN: Duration = Duration::from_secs(2);
/// How often a registration is looked at.
const LOOK: Duration = Duration::from_millis(200);
/// How often our address and the files of TLS are looked at.
const LOOK_AROUND: Duration = Duration::from_secs(1);

/// Begins all of it; it ends with the endpoint.
pub(super) fn begin(core: &Arc<Core>, stop: &CancellationToken) {
    for carrier in &core.carriers {
        let located = watch(Arc::clone(core), Arc::clone(carrier));
        tokio::spawn(stop.clone().run_until_cancelled_owned(located));
        if carrier.trunk.register.is_some() {
            let registered = register(Arc::clone(core), Arc::clone(carrier));
            tokio::spawn(stop.clone().run_until_cancelled_owned(registered));
        }
    }
    tokio::spawn(stop.clone().run_until_cancelled_owned(look_around(Arc::clone(core))));
}

fn interval(period: Duration) -> tokio::time::Interval {
    let mut ticks = tokio::time::interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

/// Locates a trunk and asks its places whether they are there.
async fn watch(core: Arc<Core>, carrier: Arc<Carrier>) {
    let rest = Duration::from_secs(30);
    loop {
        let is_unknown = carrier.locate(&core).await;
        if carrier.trunk.keepalive.is_some() {
            let probes = carrier.targets().into_iter().map(|target| {
                let (core, carrier) = (Arc::clone(&core), Arc::clone(&carrier));
                tokio::spawn(async move {
                    let is_up = is_there(&core, &carrier, &target).await;
                    carrier.mark(&target, is_up);
                })
            });
            for probe in probes.collect::<Vec<_>>() {
                let _ = probe.await;
            }
        } else {
            carrier.forgive();
        }
        let period = carrier.trunk.keepalive.unwrap_or(rest);
        let is_probed = carrier.trunk.keepalive.is_some() && carrier.is_any_down();
        let is_urgent = is_unknown || is_probed || carrier.targets().is_empty();
        pump::pass(if is_urgent { period.min(PROBE_DOWN) } else { period }).await;
    }
}

/// OPTIONS: every answer but 503 is one of somebody who is there.
async fn is_there(core: &Arc<Core>, carrier: &Carrier, target: &Target) -> bool {
    let call_id = make_uuid_v4();
    let Some(request) = request(core, carrier, target, (Method::Options, &call_id, 1), None) else {
        return false;
    };
    let answer = ask(core, request, target, None);
    let answer = tokio::time::timeout(PROBE, answer).await.ok().flatten();
    answer.is_some_and(|it| !matches!(it.status_code.code(), 408 | 503))
}

async fn ask(
    core: &Arc<Core>,
    request: Request,
    target: &Target,
    call: Option<TrunkCall>,
) -> Option<Response> {
    let connection = match target.transport {
        Transport::Tls => Some(super::tls::connect(core, &target.name, target.address).await.ok()?),
        _ => None,
    };
    let to = Some(target.sip_address());
    pump::exchange_for(Arc::clone(core), request, connection, to, call).await
}

/// Keeps us registered with a trunk until we leave.
async fn register(core: Arc<Core>, carrier: Arc<Carrier>) {
    let Some(expiry) = carrier.trunk.register else { return };
    let mut registration = Registration::new(expiry, rand::random());
    let mut ticks = interval(LOOK);
    let began = ticks.tick().await;
    let mut told: Option<String> = None;
    let mut was_down = false;
    while !carrier.left.load(Ordering::Acquire) {
        let now = ticks.tick().await.duration_since(began);
        carrier.set_registered(registration.is_registered(now));
        let targets = carrier.targets();
        let Some(target) = targets.first() else { continue };
        let contact = contact(&core, &carrier, target);
        if told.as_ref().is_some_and(|it| *it != contact) {
            tracing::info!(trunk = %carrier.trunk.name, "our address has changed: registering");
            told = None;
            registration.hurry(now);
        }
        if std::mem::replace(&mut was_down, carrier.is_any_down()) && !was_down {
            // Who was away may have forgotten us.
            registration.hurry(now);
        }
        let Some(expires_s) = registration.attempt(now) else { continue };
        let outcome = attempt(&core, &carrier, target, expires_s).await;
        let now = ticks.tick().await.duration_since(began);
        match outcome {
            Outcome::Accepted { .. } => {
                told = Some(contact);
                carrier.mark(target, true);
            }
            Outcome::Unanswered => drop(carrier.mark(target, false)),
            Outcome::TooBrief { .. } | Outcome::Refused { .. } => {}
        }
        registration.outcome(now, outcome);
        let is_registered = registration.is_registered(now);
        if carrier.is_registered() != is_registered {
            let trunk = &carrier.trunk.name;
            tracing::info!(%trunk, is_registered, ?outcome, "a registration has changed");
        }
        carrier.set_registered(is_registered);
    }
}

/// One REGISTER, with the challenge that may come.
async fn attempt(
    core: &Arc<Core>,
    carrier: &Arc<Carrier>,
    target: &Target,
    expires_s: u32,
) -> Outcome {
    let seq = carrier.seq.fetch_add(1, Ordering::AcqRel) + 1;
    let id = carrier.registration_id.as_str();
    let expires = Some(expires_s);
    let Some(request) = request(core, carrier, target, (Method::Register, id, seq), expires) else {
        return Outcome::Unanswered;
    };
    let call =
        TrunkCall { carrier: Arc::clone(carrier), seq: Arc::clone(&carrier.seq), _seat: None };
    let answer = tokio::time::timeout(ATTEMPT, ask(core, request, target, Some(call)));
    let Some(answer) = answer.await.ok().flatten() else { return Outcome::Unanswered };
    let outcome = outcome_of(&answer, expires_s, &contact(core, carrier, target));
    let is_refused = matches!(outcome, Outcome::Refused { .. });
    carrier.set_refused(is_refused.then(|| answer.status_code.code()));
    outcome
}

fn outcome_of(answer: &Response, asked_s: u32, ours: &str) -> Outcome {
    let number = |name: &str| answer.header_value(name).and_then(|it| it.trim().parse().ok());
    match answer.status_code.code() {
        _ if answer.status_code.kind() == StatusCodeKind::Successful => {
            let contacts: Vec<&str> = answer
                .headers
                .iter()
                .filter_map(|it| if let Header::Contact(it) = it { Some(it.value()) } else { None })
                .flat_map(each_contact)
                .collect();
            let granted = granted_s(&contacts, ours, number("Expires"));
            Outcome::Accepted { expires_s: granted.unwrap_or(asked_s).max(1) }
        }
        423 => Outcome::TooBrief { min_s: number("Min-Expires").unwrap_or(asked_s) },
        408 | 500..600 => Outcome::Unanswered,
        _ => Outcome::Refused { retry_after_s: number("Retry-After") },
    }
}

/// How long we are registered for (RFC 3261 §10.2.4): the `expires` of our own contact among all
/// that the number has, else the common one. One that stands alone is ours, rewritten on its way.
/// Where nothing tells which is ours, the least: too early does no harm.
fn granted_s(contacts: &[&str], ours: &str, common: Option<u32>) -> Option<u32> {
    let own = contacts.iter().find(|it| address(it).eq_ignore_ascii_case(address(ours)));
    let alone = contacts.first().filter(|_| contacts.len() == 1);
    let own = own.or(alone).and_then(|it| contact_expiry(it));
    own.or(common).or_else(|| contacts.iter().filter_map(|it| contact_expiry(it)).min())
}

/// The contacts of a header field's value; commas within an address separate nothing.
fn each_contact(value: &str) -> impl Iterator<Item = &str> {
    let (mut quoted, mut bracketed) = (false, false);
    let parts = value.split(move |sign| {
        match sign {
            '"' => quoted = !quoted,
            '<' | '>' if !quoted => bracketed = sign == '<',
            _ => {}
        }
        sign == ',' && !quoted && !bracketed
    });
    parts.map(str::trim).filter(|it| !it.is_empty())
}

/// The address of a contact without its parameters: `sip:pbx@192.0.2.1:5060`.
fn address(contact: &str) -> &str {
    let uri = contact.split_once('<').map_or(contact, |(_, uri)| uri);
    uri.split(['>', ';', '?']).next().unwrap_or_default().trim()
}

/// The `expires` of a contact.
fn contact_expiry(contact: &str) -> Option<u32> {
    let parameters = contact.rsplit_once('>').map_or(contact, |(_, rest)| rest);
    let mut parts = parameters.split(';').filter_map(|it| it.split_once('='));
    let (_, value) = parts.find(|(name, _)| name.trim().eq_ignore_ascii_case("expires"))?;
    value.trim().parse().ok()
}

/// Takes our registrations back. Calls that are up go on.
pub(super) async fn leave(core: &Arc<Core>) {
    let leaving = core.carriers.iter().filter(|it| it.trunk.register.is_some()).map(|carrier| {
        carrier.left.store(true, Ordering::Release);
        let (core, carrier) = (Arc::clone(core), Arc::clone(carrier));
        core.runtime.clone().spawn(async move {
            let targets = carrier.targets();
            if let Some(target) = targets.first().filter(|_| carrier.is_registered()) {
                attempt(&core, &carrier, target, 0).await;
            }
            carrier.set_registered(false);
        })
    });
    for task in leaving.collect::<Vec<_>>() {
        let _ = task.await;
    }
}

fn contact(core: &Core, carrier: &Carrier, target: &Target) -> String {
    let user = carrier.trunk.credentials.as_ref().map_or("cordboard", |it| it.username.as_str());
    let contact = core.addresses.contact(carrier.transport(), target.address.ip());
    contact.replacen("<sip:", &format!("<sip:{user}@"), 1)
}

/// A request of the endpoint itself to a trunk.
fn request(
    core: &Core,
    carrier: &Carrier,
    target: &Target,
    (method, call_id, seq): (Method, &str, u32),
    expires_s: Option<u32>,
) -> Option<Request> {
    let trunk = &carrier.trunk;
    let user = trunk.credentials.as_ref().map_or("cordboard", |it| it.username.as_str());
    let us = format!("<sip:{user}@{}>", host(trunk.domain()));
    let to = match method {
        Method::Register => us.clone(),
        _ => format!("<sip:{}>", host(&target.name)),
    };
    let mut headers = vec![
        via(core, target.transport, target.address.ip())?,
        make_header("Max-Forwards", "70".to_owned()),
        make_header("From", format!("{us};tag={}", make_tag().value())),
        make_header("To", to),
        make_header("Call-ID", call_id.to_owned()),
        make_header("CSeq", format!("{seq} {method}")),
        make_header("Contact", contact(core, carrier, target)),
        make_header("User-Agent", core.user_agent.clone()),
    ];
    headers.extend(expires_s.map(|it| make_header("Expires", it.to_string())));
    headers.push(make_header("Content-Length", "0".to_owned()));
    let uri = trunk_uri(None, &target.name, target.transport)?;
    let version = Version::V2;
    Some(Request { method, uri, version, headers: headers.into(), body: Vec::new() })
}

/// An address at a trunk.
pub(super) fn trunk_uri(user: Option<&str>, at: &str, transport: Transport) -> Option<Uri> {
    let user = user.map(|it| format!("{it}@")).unwrap_or_default();
    let parameter = match transport {
        Transport::Tls => ";transport=tls",
        Transport::Tcp => ";transport=tcp",
        _ => "",
    };
    parse_uri(&format!("sip:{user}{}{parameter}", host(at))).ok()
}

/// An address of version 6 in brackets.
fn host(name: &str) -> String {
    if name.contains(':') { format!("[{name}]") } else { name.to_owned() }
}

/// Files of TLS that have changed are read; an address that is not ours any more is noted.
async fn look_around(core: Arc<Core>) {
    let mut ticks = interval(LOOK_AROUND);
    let mut is_refused = false;
    loop {
        ticks.tick().await;
        if core.tls.has_changed() {
            match core.tls.reload() {
                Ok(()) => tracing::info!("the certificates have been read again"),
                Err(error) if !is_refused => {
                    tracing::error!(%error, "changed certificates are refused; the old ones serve");
                }
                Err(_) => {}
            }
        }
        is_refused = core.tls.has_changed();
        let bound = core.addresses.bound().map(|it| it.ip());
        let is_gone = bound.is_some_and(|it| !is_anywhere(it) && !addresses::is_ours(it));
        if core.homeless.swap(is_gone, Ordering::AcqRel) != is_gone {
            tracing::error!(is_gone, "the address that sip is listened on has gone or come back");
        }
    }
}

const fn is_anywhere(ip: IpAddr) -> bool {
    ip.is_unspecified() || ip.is_loopback()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn granted(value: &str, common: Option<u32>) -> Option<u32> {
        let contacts: Vec<&str> = each_contact(value).collect();
        granted_s(&contacts, "<sip:pbx@192.0.2.1:5060;transport=tcp>", common)
    }

    #[test]
    fn the_expiry_of_our_own_contact_counts_whatever_others_the_number_has() {
        let ours = "<sip:pbx@192.0.2.1:5060;transport=tcp>";
        let others = "\"Bo, home\" <sip:bo@b>;expires=5, <sip:pbx@192.0.2.9>;expires=7";
        for (value, common, expected) in [
            (format!("{ours};q=0.1;Expires = 60, {others}"), Some(9), Some(60)),
            (format!("{others}, <SIP:pbx@192.0.2.1:5060>;expires=60"), Some(9), Some(60)),
            // Ours says nothing, or is not there to be told from the others.
            (format!("{others}, {ours}"), Some(3_600), Some(3_600)),
            (others.to_owned(), Some(3_600), Some(3_600)),
            (others.to_owned(), None, Some(5)),
            // Rewritten on its way.
            ("<sip:pbx@203.0.113.5:7000>;expires=60".to_owned(), Some(3_600), Some(60)),
            (ours.to_owned(), None, None),
            (String::new(), None, None),
        ] {
            assert_eq!(granted(&value, common), expected, "{value}");
        }
    }
}
