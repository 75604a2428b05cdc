//! Requests to the legs that they belong to; the rest answered here (RFC 3261 §8.2).

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use rsipstack::sip::headers::make_header;
use rsipstack::sip::prelude::HeadersExt;
use rsipstack::sip::{Header, Method, Request, parse_uri};
use rsipstack::transaction::key::{TransactionKey, TransactionRole};
use rsipstack::transaction::transaction::Transaction;
use rsipstack::transaction::{TransactionReceiver, TransactionTimer, make_tag};
use rsipstack::transport::SipConnection;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::carrier::TrunkCall;
use super::dialog::{
    Dialog, Reply, SDP, SUPPORTED, from_tag, listed, media_type, source_of, to_tag,
};
use super::line::{Incoming, Input};
use super::{Admission, BUSY_RETRY_AFTER_S, Core, Tally, incoming, pump, refresh};
use crate::srtp::SrtpPolicy;

/// rsipstack's timer queue can miss the waking for a timer that became its first; a timer set
/// now and then makes it look again.
const HEARTBEAT: Duration = Duration::from_millis(500);

/// Serves requests until the endpoint stops.
pub(super) async fn run(
    core: Arc<Core>,
    mut transactions: TransactionReceiver,
    calls: mpsc::Sender<Incoming>,
    stop: CancellationToken,
) {
    let mut beat = tokio::time::interval(HEARTBEAT);
    let key = heartbeat_key();
    let began = beat.tick().await;
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            now = beat.tick() => {
                core.gate.set_now(now.duration_since(began));
                if let Some(key) = key.clone() {
                    core.stack.timers.timeout(Duration::ZERO, TransactionTimer::TimerCleanup(key));
                }
            },
            tx = transactions.recv() => match tx {
                Some(tx) => dispatch(&core, tx, &calls),
                None => return,
            },
        }
    }
}

fn dispatch(core: &Arc<Core>, tx: Transaction, calls: &mpsc::Sender<Incoming>) {
    let request = &tx.original;
    if let Some(inbox) = leg_of(core, request) {
        if let Err(mpsc::error::SendError(Input::Arrived(tx))) =
            inbox.send(Input::Arrived(tx.into()))
        {
            answer(core, *tx, Reply::status(481));
        }
        return;
    }
    let source = source_of(tx.connection.as_ref());
    if !source.is_some_and(|it| core.access.trusts(it.ip())) && to_tag(&request.headers).is_none() {
        Tally::count(&core.tally.untrusted);
        refuse_stranger(core, tx);
        return;
    }
    if let Some(reply) = at_once(core, request) {
        answer(core, tx, reply);
        return;
    }
    if request.method == Method::Invite {
        begin(core, tx, calls);
    }
}

/// Those who know Call-ID and both tags belong to the call, wherever they send from.
pub(super) fn leg_of(core: &Core, request: &Request) -> Option<mpsc::UnboundedSender<Input>> {
    let tag = to_tag(&request.headers)?;
    let call_id = request.call_id_header().ok()?.value().to_owned();
    core.legs().get(&(call_id, tag)).cloned()
}

/// The answer to a request of no leg that is the same whatever else goes on; none where a call may
/// begin, and to what is not answered.
pub(super) fn at_once(core: &Core, request: &Request) -> Option<Reply<'static>> {
    let method = request.method;
    if matches!(method, Method::Cancel | Method::Ack) {
        return None;
    }
    if to_tag(&request.headers).is_some() {
        return Some(Reply::status(481));
    }
    if let Some(reply) = unsupported(request) {
        return Some(reply);
    }
    match method {
        Method::Invite => objection(request).or_else(|| unknown(core, request)),
        Method::Options => Some(options(core)),
        Method::Bye | Method::Info | Method::Update | Method::PRack | Method::Notify => {
            Some(Reply::status(481))
        }
        Method::Message
        | Method::Publish
        | Method::Refer
        | Method::Register
        | Method::Subscribe => Some(Reply::status(405)),
        Method::Cancel | Method::Ack => None,
    }
}

/// A number that nobody answers here.
fn unknown(core: &Core, invite: &Request) -> Option<Reply<'static>> {
    let answers = core.answers.lock().unwrap_or_else(PoisonError::into_inner);
    let answers = answers.as_ref()?;
    (!answers(invite.uri.user().unwrap_or_default())).then(|| Reply::status(404))
}

/// One packet back, and nothing kept waiting for an ACK.
fn refuse_stranger(core: &Arc<Core>, mut tx: Transaction) {
    let tag = make_tag().value().to_owned();
    let reply = Reply { tag: Some(&tag), ..Reply::status(403) };
    let response = reply.to(core, &tx.original);
    tokio::spawn(async move { tx.respond(response).await.is_ok() });
}

/// Answers with a tag of its own.
pub(super) fn answer(core: &Core, tx: Transaction, reply: Reply<'_>) {
    let tag = make_tag().value().to_owned();
    let response = Reply { tag: Some(&tag), ..reply }.to(core, &tx.original);
    pump::answer(tx, response);
}

/// What we can do, or that we do nothing at present (RFC 3261 §11.2).
fn options(core: &Core) -> Reply<'static> {
    match core.admission() {
        Admission::Open => able(),
        Admission::Refuse { code, retry_after_s } => unavailable(code, retry_after_s),
    }
}

/// What we can do.
pub(super) fn able() -> Reply<'static> {
    Reply { headers: vec![make_header("Accept", SDP.to_owned())], ..Reply::status(200) }
}

pub(super) fn unavailable(code: u16, retry_after_s: u32) -> Reply<'static> {
    let headers = vec![make_header("Retry-After", retry_after_s.to_string())];
    Reply { headers, ..Reply::status(code) }
}

/// A call begins.
fn begin(core: &Arc<Core>, tx: Transaction, calls: &mpsc::Sender<Incoming>) {
    if let Some(reply) = refresh::objection(core, &tx.original) {
        answer(core, tx, reply);
        return;
    }
    let tag = make_tag().value().to_owned();
    let dialog = Dialog::of_server(core, &tx.original, &tag, tx.connection.as_ref());
    let call = dialog.and_then(|it| read(&tx.original, tx.connection.as_ref()).zip(Some(it)));
    let Some((call, dialog)) = call else {
        Tally::count(&core.tally.malformed);
        answer(core, tx, Reply::status(400));
        return;
    };
    if let Admission::Refuse { code, retry_after_s } = core.admission() {
        Tally::count(&core.tally.refused);
        answer(core, tx, unavailable(code, retry_after_s));
        return;
    }
    let Ok(seat) = core.seat_inbound(source_of(tx.connection.as_ref())) else {
        Tally::count(&core.tally.refused);
        answer(core, tx, unavailable(503, BUSY_RETRY_AFTER_S));
        return;
    };
    let Ok(place) = calls.try_reserve() else {
        Tally::count(&core.tally.refused);
        answer(core, tx, unavailable(503, BUSY_RETRY_AFTER_S));
        return;
    };
    let seq = dialog.sequence();
    let mut call = incoming::begin(core, tx, dialog, tag.clone(), call);
    if let Some(seat) = seat.map(|it| TrunkCall { seq, ..it }) {
        call.trunk = Some(seat.carrier.trunk.name.clone());
        call.srtp = seat.carrier.trunk.srtp;
        core.enter_trunk((call.call_id.clone(), tag), seat);
    }
    place.send(call);
}

/// Extensions that are asked for and that we do not have (RFC 3261 §8.2.2.3).
fn unsupported(request: &Request) -> Option<Reply<'static>> {
    let known = |it: &&str| SUPPORTED.iter().any(|known| known.eq_ignore_ascii_case(it));
    let unknown: Vec<&str> = listed(&request.headers, "Require").filter(|it| !known(it)).collect();
    let headers = vec![make_header("Unsupported", unknown.join(", "))];
    (!unknown.is_empty()).then(|| Reply { headers, ..Reply::status(420) })
}

/// What about an INVITE we cannot do (RFC 3261 §8.2.3).
fn objection(invite: &Request) -> Option<Reply<'static>> {
    let refuse = |code| {
        let headers = vec![make_header("Accept", SDP.to_owned())];
        Some(Reply { headers, ..Reply::status(code) })
    };
    let kind = invite.header_value("Content-Type");
    let readable = kind.is_none_or(|it| media_type(&it).eq_ignore_ascii_case(SDP));
    if !invite.body.is_empty() && !readable {
        return refuse(415);
    }
    let writable = |range: &str| {
        let range = media_type(range);
        ["*/*", "application/*", SDP].iter().any(|it| range.eq_ignore_ascii_case(it))
    };
    let accepted = invite.header_value("Accept");
    if accepted.is_some_and(|it| !it.split(',').any(writable)) {
        return refuse(406);
    }
    None
}

/// Everything of an [`Incoming`] but its leg.
fn read(
    invite: &Request,
    connection: Option<&SipConnection>,
) -> Option<impl FnOnce(super::Leg) -> Incoming + use<>> {
    let from = rsipstack::sip::typed::From::parse(invite.from_header().ok()?.value()).ok()?;
    let to = rsipstack::sip::typed::To::parse(invite.to_header().ok()?.value()).ok()?;
    let call_id = invite.call_id_header().ok()?.value().to_owned();
    let source = source_of(connection)?;
    let secure = connection.is_some_and(|it| it.transport().is_secure());
    from_tag(&invite.headers)?;
    let offer = super::dialog::sdp_of(&invite.headers, &invite.body);
    let named = |it: &Header| (it.name().to_owned(), it.value().to_owned());
    let headers = invite.headers.iter().map(named).collect();
    let to_user = invite.uri.user().unwrap_or_default().to_owned();
    let request_uri = invite.uri.to_string();
    Some(move |leg| Incoming {
        call_id,
        from_user: from.uri.user().unwrap_or_default().to_owned(),
        from_uri: from.uri.to_string(),
        from_display: from.display_name.map(|it| unquoted(&it)),
        to_uri: to.uri.to_string(),
        request_uri,
        to_user,
        source,
        secure,
        trunk: None,
        srtp: SrtpPolicy::None,
        offer,
        headers,
        leg,
    })
}

/// The text of a quoted string (RFC 3261 §25.1).
fn unquoted(text: &str) -> String {
    let text = text.trim();
    let inner = text.strip_prefix('"').map_or(text, |it| it.strip_suffix('"').unwrap_or(it));
    let mut signs = inner.chars();
    let mut out = String::with_capacity(inner.len());
    while let Some(sign) = signs.next() {
        out.extend(if sign == '\\' { signs.next() } else { Some(sign) });
    }
    out
}

/// A key that no transaction has.
fn heartbeat_key() -> Option<TransactionKey> {
    let headers = vec![
        make_header("Via", "SIP/2.0/UDP 127.0.0.1;branch=heartbeat".to_owned()),
        make_header("From", "<sip:heartbeat@127.0.0.1>;tag=heartbeat".to_owned()),
        make_header("Call-ID", "heartbeat".to_owned()),
        make_header("CSeq", "1 OPTIONS".to_owned()),
    ];
    let request = Request {
        method: Method::Options,
        uri: parse_uri("sip:127.0.0.1").ok()?,
        version: rsipstack::sip::Version::V2,
        headers: headers.into(),
        body: Vec::new(),
    };
    TransactionKey::from_request(&request, TransactionRole::Client).ok()
}
