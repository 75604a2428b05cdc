//! Requests that rsipstack has read and not yet kept: what has one answer whatever else goes on,
//! and what there is no room for, is answered here without a transaction (RFC 3261 §8.2.7).
//!
//! Datagrams only. Who has a connection is known, and connections are few; a peer that does not
//! read them must not hold up all others.

use std::collections::hash_map::RandomState;
use std::future::Future;
use std::hash::BuildHasher;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, OnceLock, Weak};

use rsipstack::sip::prelude::HeadersExt;
use rsipstack::sip::{Method, Request, SipMessage};
use rsipstack::transaction::endpoint::TransportEventInspector;
use rsipstack::transaction::key::{TransactionKey, TransactionRole};
use rsipstack::transport::{SipConnection, TransportEvent};

use super::dialog::{Reply, source_of, to_tag};
use super::dispatch::{at_once, leg_of, unavailable};
use super::gate::Gate;
use super::{Admission, BUSY_RETRY_AFTER_S, Core, Tally};

/// Transactions at once, finished ones with them: rsipstack keeps each for 64·T1, with its last
/// message. Some 2 KiB each; 500 calls a second are within it.
const MOST_TRANSACTIONS: usize = 32 * 1024;

/// See the module.
pub(super) struct Usher {
    gate: Arc<Gate>,
    core: Arc<OnceLock<Weak<Core>>>,
    /// Makes tags that are the same for every copy of a request, and that nobody can guess.
    tags: RandomState,
}

/// What becomes of a request.
enum Way {
    In,
    Answer(Reply<'static>),
    Silence,
}

impl Usher {
    /// `core` is filled when there is one.
    pub(super) fn new(gate: Arc<Gate>, core: Arc<OnceLock<Weak<Core>>>) -> Self {
        Self { gate, core, tags: RandomState::new() }
    }

    async fn usher(&self, event: TransportEvent) -> Option<TransportEvent> {
        let TransportEvent::Incoming(message, connection, _) = &event else { return Some(event) };
        self.gate.leave();
        let core = self.core.get().and_then(Weak::upgrade)?;
        let SipMessage::Request(request) = message else { return Some(event) };
        let Some(source) = source_of(Some(connection)).filter(|_| !connection.is_reliable()) else {
            return Some(event);
        };
        match self.way(&core, request, source) {
            Way::In => Some(event),
            Way::Answer(reply) => {
                self.answer(&core, request, connection, reply).await;
                None
            }
            Way::Silence => None,
        }
    }

    fn way(&self, core: &Core, request: &Request, source: SocketAddr) -> Way {
        if leg_of(core, request).is_some() {
            return Way::In;
        }
        if core.access.trusts(source.ip()) {
            let full = || refusal(core, request).inspect(|_| Tally::count(&core.tally.refused));
            return match at_once(core, request) {
                _ if is_known(core, request) => Way::In,
                Some(reply) => Way::Answer(reply),
                None => full().map_or(Way::In, Way::Answer),
            };
        }
        let tagged = to_tag(&request.headers).is_some();
        // A phone that we rang may repeat what it sent before the leg was gone.
        if tagged && is_known(core, request) {
            return Way::In;
        }
        Tally::count(&core.tally.untrusted);
        if !self.gate.offended(source.ip()) || request.method == Method::Ack {
            return Way::Silence;
        }
        Way::Answer(Reply::status(if tagged { 481 } else { 403 }))
    }

    async fn answer(
        &self,
        core: &Core,
        request: &Request,
        connection: &SipConnection,
        reply: Reply<'static>,
    ) {
        let named = |it: &str| request.header_value(it);
        let hash = self.tags.hash_one((named("Call-ID"), named("CSeq"), named("From")));
        let tag = format!("{hash:016x}");
        let response = Reply { tag: Some(&tag), ..reply }.to(core, request);
        // It goes where the request came from: `received` and `rport` have been written in.
        let _ = connection.send(response.into(), None).await;
    }
}

/// Why a request that would begin something is not taken now.
fn refusal(core: &Core, request: &Request) -> Option<Reply<'static>> {
    if matches!(request.method, Method::Ack | Method::Cancel) || to_tag(&request.headers).is_some()
    {
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

impl TransportEventInspector for Usher {
    fn handle<'life0, 'async_trait>(
        &'life0 self,
        event: TransportEvent,
    ) -> Pin<Box<dyn Future<Output = Option<TransportEvent>> + Send + 'async_trait>>
    where
        'life0: 'async_trait,
        Self: 'async_trait,
    {
        Box::pin(self.usher(event))
    }
}
