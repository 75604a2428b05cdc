//! A request again, with credentials (RFC 3261 §22): for the trunk's own challenge only.

use std::net::IpAddr;

use rsipstack::sip::headers::make_header;
use rsipstack::sip::prelude::HasHeaders;
use rsipstack::sip::{Header, Request, Response, Transport};
use rsipstack::transaction::make_uuid_v4;

use super::Core;
use super::carrier::Carrier;
use super::dialog::via;
use crate::digest::Challenge;

/// Times that one request is sent with credentials: once, and once more for a stale nonce.
pub(super) const MOST_ANSWERS: u32 = 2;

/// Who challenged, and how the next request goes there.
pub(super) struct Peer {
    pub(super) ip: IpAddr,
    pub(super) transport: Transport,
}

/// The request for the second time. `None` where the response is no challenge, where it is not
/// the trunk's (another realm, another address), or where our secret was refused.
pub(super) fn with_credentials(
    core: &Core,
    carrier: &Carrier,
    request: &Request,
    response: &Response,
    peer: &Peer,
    seq: u32,
) -> Option<Request> {
    let (asks, answers) = match response.status_code.code() {
        401 => ("WWW-Authenticate", "Authorization"),
        407 => ("Proxy-Authenticate", "Proxy-Authorization"),
        _ => return None,
    };
    let credentials = carrier.trunk.credentials.as_ref()?;
    let trunk = &carrier.trunk.name;
    if !carrier.knows(peer.ip) {
        tracing::warn!(%trunk, peer = %peer.ip, "a challenge of a stranger is not answered");
        return None;
    }
    let asked = response.headers().iter().filter(|it| it.name().eq_ignore_ascii_case(asks));
    let asked: Vec<&str> = asked.map(Header::value).collect();
    let own = |realm: &str| carrier.trunk.is_realm(realm);
    let Some(challenge) = Challenge::choose(asked.iter().copied(), own) else {
        if let Some(other) = Challenge::choose(asked, |_| true) {
            let realm = other.realm;
            tracing::warn!(%trunk, realm, "not the trunk's realm; if it is, set `realm` to it");
        }
        return None;
    };
    let is_answer = |it: &Header| it.name().eq_ignore_ascii_case(answers);
    if request.headers.iter().any(is_answer) && !challenge.stale {
        tracing::warn!(%trunk, "the trunk refuses our username and password");
        return None;
    }
    let (method, uri) = (request.method.to_string(), request.uri.to_string());
    let uses = carrier.use_nonce(&challenge.nonce);
    let client_nonce = make_uuid_v4();
    let answer = challenge.answer(credentials, (&method, &uri), uses, &client_nonce);

    let mut again = request.clone();
    let ours = |it: &Header| matches!(it, Header::Via(_) | Header::CSeq(_)) || is_answer(it);
    again.headers.retain(|it| !ours(it));
    again.headers.push_front(via(core, peer.transport, peer.ip)?);
    again.headers.push(make_header("CSeq", format!("{seq} {method}")));
    again.headers.push(make_header(answers, answer));
    Some(again)
}
