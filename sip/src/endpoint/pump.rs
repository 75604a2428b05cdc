//! Transactions in tasks of their own.
//!
//! rsipstack's `Transaction::receive` sends retransmissions and ACKs from within: it must not be
//! cancelled half-way, as a `select!` would. Each INVITE transaction is therefore received by one
//! task that does nothing else and tells the leg's task what happened.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use rsipstack::sip::{Method, Request, Response, SipMessage, StatusCodeKind, Transport};
use rsipstack::transaction::key::{TransactionKey, TransactionRole};
use rsipstack::transaction::transaction::{Transaction, TransactionEvent, TransactionEventSender};
use rsipstack::transport::{SipAddr, SipConnection};
use tokio::task::AbortHandle;
use tokio_util::sync::CancellationToken;

use super::carrier::TrunkCall;
use super::challenge::{self, MOST_ANSWERS, Peer};
use super::dialog::{Dialog, sdp_of, source_of, to_tag};
use super::{Core, tls};

/// Far more than any branch rings.
const MOST_PRACKS: u32 = 1_000;

/// News of an INVITE that we answer.
pub(super) enum ServerEvent {
    /// ACK for our 2xx.
    Acked(Option<String>),
    /// CANCEL came in time; 487 has been sent.
    Cancelled,
    /// Over.
    Ended,
}

/// News of an INVITE that we sent.
pub(super) enum ClientEvent {
    /// On its way, thus.
    Sent(Option<SipConnection>, Option<SipAddr>),
    /// An answer; each 2xx of the branch that answered first is told once.
    Response(Box<Response>),
    /// Nobody to send to, and why.
    Unreachable(String),
    /// Nothing has been heard for as long as one place is given.
    Late,
    /// Over.
    Ended,
}

/// The answering side of a server INVITE transaction.
pub(super) struct Answering {
    key: TransactionKey,
    sender: TransactionEventSender,
}

impl Answering {
    /// Sends a response; void after a final one.
    pub(super) fn respond(&self, response: Response) {
        let _ = self.sender.send(TransactionEvent::Respond(response));
    }

    /// Stops retransmitting.
    pub(super) fn stop(&self) {
        let _ = self.sender.send(TransactionEvent::Terminate(self.key.clone()));
    }
}

/// Receives a server INVITE transaction to its end. `cancelled` is the 487 for it.
pub(super) fn serve_invite(
    mut tx: Transaction,
    cancelled: Response,
    tell: impl Fn(ServerEvent) + Send + 'static,
) -> Answering {
    let answering = Answering { key: tx.key.clone(), sender: tx.tu_sender.clone() };
    tokio::spawn(async move {
        while let Some(message) = tx.receive().await {
            let SipMessage::Request(request) = message else { continue };
            match request.method {
                Method::Ack if is_success(tx.last_response.as_ref()) => {
                    tell(ServerEvent::Acked(sdp_of(&request.headers, &request.body)));
                }
                // Answered here and not by the leg, so that no answer slips in between.
                Method::Cancel if tx.respond(cancelled.clone()).await.is_ok() => {
                    tell(ServerEvent::Cancelled);
                }
                _ => {}
            }
        }
        drop(tx);
        tell(ServerEvent::Ended);
    });
    answering
}

/// Sends an INVITE and receives its transaction to its end: 64·T1 after a 2xx, for which
/// rsipstack sends the ACKs. `name` is who is to be there, where that is proved (TLS). Further
/// branches that answer are hung up (RFC 3261 §13.2.2.4).
pub(super) fn send_invite(
    core: Arc<Core>,
    invite: Request,
    destination: SipAddr,
    name: String,
    tell: impl Fn(ClientEvent) + Send + Sync + 'static,
) -> Option<AbortHandle> {
    let key = TransactionKey::from_request(&invite, TransactionRole::Client).ok()?;
    let stack = Arc::clone(&core.stack);
    let mut tx = Transaction::new_client(key, invite.clone(), stack, None);
    let tell = Arc::new(tell);
    let task = tokio::spawn(async move {
        if let (Some(Transport::Tls), Ok(at)) = (destination.r#type, destination.get_socketaddr()) {
            match tls::connect(&core, &name, at).await {
                Ok(connection) => tx.connection = Some(connection),
                Err(why) => return tell(ClientEvent::Unreachable(why)),
            }
        }
        tx.destination = Some(destination);
        let sent = tokio::time::timeout(core.patience, tx.send()).await;
        if !matches!(sent, Ok(Ok(()))) || tx.connection.is_none() {
            tell(ClientEvent::Unreachable("unreachable".to_owned()));
            return;
        }
        tell(ClientEvent::Sent(tx.connection.clone(), tx.destination.clone()));
        let over = CancellationToken::new();
        let under = tx.connection.as_ref().filter(|it| it.is_reliable());
        if let Some(broken) = under.and_then(SipConnection::cancel_token) {
            let (tell, over) = (Arc::clone(&tell), over.clone());
            tokio::spawn(async move {
                tokio::select! {
                    () = over.cancelled() => {}
                    () = broken.cancelled() => {
                        tell(ClientEvent::Unreachable("the connection broke".to_owned()));
                    }
                }
            });
        }
        let _over = over.drop_guard();
        let mut branch: Option<String> = None;
        let mut forks: Vec<String> = Vec::new();
        while let Some(message) = tx.receive().await {
            let SipMessage::Response(response) = message else { continue };
            if !is_success(Some(&response)) {
                tell(ClientEvent::Response(Box::new(response)));
                continue;
            }
            let tag = to_tag(&response.headers).unwrap_or_default();
            match &branch {
                None => {
                    branch = Some(tag);
                    tell(ClientEvent::Response(Box::new(response)));
                }
                Some(first) if *first == tag || forks.contains(&tag) => {}
                Some(_) => {
                    forks.push(tag);
                    hang_up_fork(&core, &invite, &response, tx.connection.clone());
                }
            }
        }
        drop(tx);
        tell(ClientEvent::Ended);
    });
    Some(task.abort_handle())
}

pub(super) fn hang_up_fork(
    core: &Arc<Core>,
    invite: &Request,
    response: &Response,
    connection: Option<SipConnection>,
) {
    let mut fork = Dialog::of_client(core, invite, response, connection, None);
    // The leg's task may have acknowledged early responses of this branch.
    fork.skip(MOST_PRACKS);
    if let Some(bye) = fork.request(Method::Bye, Vec::new(), None) {
        let sending = exchange(Arc::clone(core), bye, fork.connection(), fork.destination());
        tokio::spawn(sending);
    }
}

/// Sends a request, not INVITE or within a dialog, and waits for its final answer. `None`: it
/// could not be sent. A peer that says nothing gives rsipstack's own 408 after 64·T1.
pub(super) async fn exchange(
    core: Arc<Core>,
    request: Request,
    connection: Option<SipConnection>,
    destination: Option<SipAddr>,
) -> Option<Response> {
    let call = core.trunk_call(&request);
    exchange_for(core, request, connection, destination, call).await
}

/// The same, and a trunk's own challenge is answered.
pub(super) async fn exchange_for(
    core: Arc<Core>,
    mut request: Request,
    connection: Option<SipConnection>,
    destination: Option<SipAddr>,
    call: Option<TrunkCall>,
) -> Option<Response> {
    let mut answers = 0;
    loop {
        let (at, to) = (connection.clone(), destination.clone());
        let (response, peer) = once(&core, request.clone(), at, to).await?;
        let Some((call, peer)) = call.as_ref().zip(peer).filter(|_| answers < MOST_ANSWERS) else {
            return Some(response);
        };
        if !matches!(response.status_code.code(), 401 | 407) {
            return Some(response);
        }
        answers += 1;
        let seq = call.seq.fetch_add(1, Ordering::AcqRel) + 1;
        let carrier = &call.carrier;
        match challenge::with_credentials(&core, carrier, &request, &response, &peer, seq) {
            Some(again) => request = again,
            None => return Some(response),
        }
    }
}

async fn once(
    core: &Arc<Core>,
    request: Request,
    connection: Option<SipConnection>,
    destination: Option<SipAddr>,
) -> Option<(Response, Option<Peer>)> {
    let connection = match connection {
        Some(connection) => Some(connection),
        None => tls::connection_for(core, &request, destination.as_ref()).await.ok()?,
    };
    let key = TransactionKey::from_request(&request, TransactionRole::Client).ok()?;
    let mut tx = Transaction::new_client(key, request, Arc::clone(&core.stack), connection);
    tx.destination = destination;
    tokio::time::timeout(core.patience, tx.send()).await.ok()?.ok()?;
    tx.connection.as_ref()?;
    while let Some(message) = tx.receive().await {
        if let SipMessage::Response(response) = message
            && response.status_code.kind() != StatusCodeKind::Provisional
        {
            return Some((response, peer_of(&tx)));
        }
    }
    None
}

/// Whom a request went to.
pub(super) fn peer_of(tx: &Transaction) -> Option<Peer> {
    let at = tx.destination.as_ref().and_then(|it| it.get_socketaddr().ok());
    let at = at.or_else(|| source_of(tx.connection.as_ref()))?;
    let transport = tx.connection.as_ref().map_or(Transport::Udp, SipConnection::transport);
    Some(Peer { ip: at.ip(), transport })
}

/// Answers a request in a task of its own; an INVITE's transaction is received to its end, which
/// absorbs the ACK and retransmits until it comes.
pub(super) fn answer(mut tx: Transaction, response: Response) {
    tokio::spawn(async move {
        if tx.respond(response).await.is_ok() && tx.original.method == Method::Invite {
            while tx.receive().await.is_some() {}
        }
    });
}

/// Lets a deadline pass.
pub(super) async fn pass(time: Duration) {
    let _ = tokio::time::timeout(time, std::future::pending::<()>()).await;
}

fn is_success(response: Option<&Response>) -> bool {
    response.is_some_and(|it| it.status_code.kind() == StatusCodeKind::Successful)
}
