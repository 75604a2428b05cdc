//! Requests that rsipstack has read and not yet kept: what has one answer whatever else goes on,
//! and what there is no room for, is answered here without a transaction (RFC 3261 §8.2.7).
//!
//! Datagrams and what comes over TLS pass here on rsipstack's own way. What comes over TCP asks
//! from its reader. A peer that does not read its answers holds up nobody else.

use std::collections::hash_map::RandomState;
use std::future::Future;
use std::hash::BuildHasher;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use rsipstack::sip::prelude::HeadersExt;
use rsipstack::sip::{Method, Request, Response, SipMessage, Transport};
use rsipstack::transaction::endpoint::TransportEventInspector;
use rsipstack::transaction::key::{TransactionKey, TransactionRole};
use rsipstack::transport::TransportEvent;

use super::dialog::{Reply, source_of, to_tag};
use super::dispatch::{at_once, leg_of, unavailable};
use super::gate::Gate;
use super::{Admission, BUSY_RETRY_AFTER_S, Core, Tally};

/// Transactions at once, finished ones with them: rsipstack keeps each for 64·T1, with its last
/// message. Some 2 KiB each; 500 calls a second are within it.
const MOST_TRANSACTIONS: usize = 32 * 1024;

/// How long a peer over TLS may leave an answer unread.
const UNREAD: Duration = Duration::from_secs(10);

/// See the module.
pub(super) struct Usher {
    gate: Arc<Gate>,
    core: Arc<OnceLock<Weak<Core>>>,
    /// Makes tags that are the same for every copy of a request, and that nobody can guess.
    tags: RandomState,
}

/// The usher on rsipstack's way.
pub(super) struct Inspector(pub(super) Arc<Usher>);

/// What becomes of a request.
pub(super) enum Way {
    /// rsipstack shall have it.
    In,
    /// This is said, and nothing kept.
    Answer(Box<Response>),
    Silence,
}

/// Not even refused.
struct Unheard;

impl Usher {
    /// `core` is filled when there is one.
    pub(super) fn new(gate: Arc<Gate>, core: Arc<OnceLock<Weak<Core>>>) -> Self {
        Self { gate, core, tags: RandomState::new() }
    }

    async fn usher(&self, event: TransportEvent) -> Option<TransportEvent> {
        let TransportEvent::Incoming(message, connection, _) = &event else { return Some(event) };
        self.gate.leave();
        let SipMessage::Request(request) = message else { return Some(event) };
        let is_tls = connection.transport() == Transport::Tls;
        let asks = is_tls || !connection.is_reliable();
        let Some(source) = source_of(Some(connection)).filter(|_| asks) else { return Some(event) };
        match self.decide(request, source) {
            Way::In => return Some(event),
            Way::Answer(response) if is_tls => {
                let connection = connection.clone();
                tokio::spawn(async move {
                    let answer = connection.send((*response).into(), None);
                    let _ = tokio::time::timeout(UNREAD, answer).await;
                });
            }
            // It goes where the request came from: `received` and `rport` have been written in.
            Way::Answer(response) => drop(connection.send((*response).into(), None).await),
            Way::Silence => {}
        }
        None
    }

    /// What becomes of a request.
    pub(super) fn decide(&self, request: &Request, source: SocketAddr) -> Way {
        let Some(core) = self.core.get().and_then(Weak::upgrade) else { return Way::Silence };
        match self.way(&core, request, source) {
            Some(Ok(reply)) => {
                let named = |it: &str| request.header_value(it);
                let hash = self.tags.hash_one((named("Call-ID"), named("CSeq"), named("From")));
                let tag = format!("{hash:016x}");
                Way::Answer(Reply { tag: Some(&tag), ..reply }.to(&core, request).into())
            }
            Some(Err(Unheard)) => Way::Silence,
            None => Way::In,
        }
    }

    /// Nothing where it may come in.
    fn way(
        &self,
        core: &Core,
        request: &Request,
        source: SocketAddr,
    ) -> Option<Result<Reply<'static>, Unheard>> {
        if leg_of(core, request).is_some() {
            return None;
        }
        if core.access.trusts(source.ip()) {
            if is_known(core, request) {
                return None;
            }
            let full = || refusal(core, request).inspect(|_| Tally::count(&core.tally.refused));
            return at_once(core, request).or_else(full).map(Ok);
        }
        let tagged = to_tag(&request.headers).is_some();
        // A phone that we rang may repeat what it sent before the leg was gone.
        if tagged && is_known(core, request) {
            return None;
        }
        Tally::count(&core.tally.untrusted);
        if !self.gate.offended(source.ip()) || request.method == Method::Ack {
            return Some(Err(Unheard));
        }
        Some(Ok(Reply::status(if tagged { 481 } else { 403 })))
    }
}

/// Why a call is not taken now.
fn refusal(core: &Core, request: &Request) -> Option<Reply<'static>> {
    if request.method != Method::Invite {
        return None;
    }
    if core.stack.transactions.len() + core.stack.finished_transactions.len() >= MOST_TRANSACTIONS {
        return Some(unavailable(503, BUSY_RETRY_AFTER_S));
    }
    match core.room() {
        Admission::Refuse { code, retry_after_s } => Some(unavailable(code, retry_after_s)),
        Admission::Open => None,
    }
}

/// Whether it is a copy of what has been taken before.
fn is_known(core: &Core, request: &Request) -> bool {
    TransactionKey::from_request(request, TransactionRole::Server).is_ok_and(|key| {
        core.stack.transactions.get(&key).is_some()
            || core.stack.finished_transactions.get(&key).is_some()
    })
}

impl TransportEventInspector for Inspector {
    fn handle<'life0, 'async_trait>(
        &'life0 self,
        event: TransportEvent,
    ) -> Pin<Box<dyn Future<Output = Option<TransportEvent>> + Send + 'async_trait>>
    where
        'life0: 'async_trait,
        Self: 'async_trait,
    {
        Box::pin(self.0.usher(event))
    }
}
