//! A call that we place, until it is answered or not (RFC 3261 §13.2, §9.1): one place after the
//! other, each INVITE again where it is challenged or asked for a longer session.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use rsipstack::sip::headers::make_header;
use rsipstack::sip::prelude::HeadersExt;
use rsipstack::sip::{Header, Method, Request, Response, StatusCodeKind};
use rsipstack::transaction::transaction::Transaction;
use rsipstack::transport::{SipAddr, SipConnection};
use tokio::sync::mpsc::error::SendError;
use tokio::task::AbortHandle;

use super::carrier::{Carrier, Target};
use super::challenge::{MOST_ANSWERS, Peer, with_credentials};
use super::dialog::{Dialog, Reply, sdp_of, source_of, via};
use super::early::Early;
use super::established::Talk;
use super::line::{Attempted, Command, Ends, Input, LegSignal};
use super::outgoing::Draft;
use super::pump::{self, ClientEvent};
use super::refresh::{self, Session};
use super::{Core, Entered, dispatch};

/// Requests kept that overtook the answer.
const MOST_STASHED: usize = 8;
/// How many T1 a place has to say something before the next is tried: 1.5 s.
const PLACE_T1: u32 = 3;

/// A place that the call may be sent to, and the trunk that it is of.
pub(super) struct Way {
    pub(super) carrier: Option<Arc<Carrier>>,
    pub(super) target: Target,
}

/// How far our giving up is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cancel {
    No,
    /// Not to be sent before a provisional answer (RFC 3261 §9.1).
    Wanted,
    Sent,
}

/// An INVITE on its way.
struct Attempt {
    number: u32,
    way: Way,
    invite: Request,
    sending: Option<AbortHandle>,
    sent: Option<(Option<SipConnection>, Option<SipAddr>)>,
    /// Something has been heard.
    heard: bool,
}

impl Attempt {
    /// How the INVITE went out, and to whom.
    fn way_taken(&self) -> (Option<SipConnection>, Option<SocketAddr>) {
        let (connection, destination) = self.sent.clone().unwrap_or_default();
        let source = destination.as_ref().and_then(|it| it.get_socketaddr().ok());
        let source = source.or_else(|| source_of(connection.as_ref()));
        (connection, source)
    }
}

/// A call that rings, at one place after the other.
pub(super) struct Calling {
    draft: Draft,
    ways: VecDeque<Way>,
    /// Number of the attempt that counts.
    current: Arc<AtomicU32>,
    seq: u32,
    /// Challenges answered at this place.
    answers: u32,
    attempt: Option<Attempt>,
    ends: Ends,
    entered: Entered,
    cancel: Cancel,
    stashed: VecDeque<Transaction>,
    session: Session,
    early: Early,
}

/// What news of an attempt come to.
enum News {
    GoOn,
    Over,
    Answered(Response),
}

impl Calling {
    /// A call that has rung nobody yet.
    pub(super) fn new(draft: Draft, ways: VecDeque<Way>, ends: Ends, entered: Entered) -> Self {
        let session = Session::new(&draft.core);
        Self {
            draft,
            ways,
            current: Arc::default(),
            seq: 0,
            answers: 0,
            attempt: None,
            ends,
            entered,
            cancel: Cancel::No,
            stashed: VecDeque::new(),
            session,
            early: Early::default(),
        }
    }

    /// Rings until somebody has answered, and then carries the call to its end.
    pub(super) async fn run(mut self) {
        if !self.advance() {
            return refused(&self.ends, 500, "cannot write the request");
        }
        let mut commanded = true;
        loop {
            tokio::select! {
                command = self.ends.commands.recv(), if commanded => {
                    commanded = command.is_some();
                    self.commanded(command);
                }
                Some(input) = self.ends.inbox.recv() => match input {
                    Input::Client(Attempted { number, event }) => {
                        match self.news(number, event) {
                            News::GoOn => {}
                            News::Over => return,
                            News::Answered(response) => return self.answered(response).await,
                        }
                    }
                    Input::GaveUp => {
                        self.abort();
                        return self.over(487, "given up", None);
                    }
                    Input::Arrived(tx) => self.arrived(tx),
                    Input::Server(..) | Input::Reinvited(_) | Input::Refreshed(_)
                    | Input::ByeDone => {}
                },
            }
        }
    }

    fn commanded(&mut self, command: Option<Command>) {
        match command {
            Some(Command::HangUp { .. }) | None => self.give_up(),
            Some(Command::AcceptReinvite(sdp)) => self.early.decide(&self.draft.core, Ok(sdp)),
            Some(Command::RefuseReinvite { code }) => {
                self.early.decide(&self.draft.core, Err(code));
            }
            Some(_) => {}
        }
    }

    /// A request of a branch that rings, or whose answer it overtook.
    fn arrived(&mut self, tx: Box<Transaction>) {
        match self.early.arrived(&self.draft.core, tx) {
            Ok(Some(sdp)) => self.ends.signal(LegSignal::Reinvited { sdp: Some(sdp) }),
            Ok(None) => {}
            Err(tx) if self.stashed.len() < MOST_STASHED => self.stashed.push_back(*tx),
            Err(tx) => dispatch::answer(&self.draft.core, *tx, Reply::status(481)),
        }
    }

    fn news(&mut self, number: u32, event: ClientEvent) -> News {
        let Some(attempt) = self.attempt.as_mut().filter(|it| it.number == number) else {
            return News::GoOn;
        };
        match event {
            ClientEvent::Sent(connection, destination) => {
                attempt.sent = Some((connection, destination));
            }
            ClientEvent::Response(response) => {
                attempt.heard = true;
                let code = response.status_code.code();
                if let Some(carrier) = attempt.way.carrier.as_ref().filter(|_| code != 503) {
                    carrier.mark(&attempt.way.target, true);
                }
                match response.status_code.kind() {
                    StatusCodeKind::Provisional => self.provisional(code, &response),
                    StatusCodeKind::Successful => return News::Answered(*response),
                    _ if code == 422 && self.ask_longer(&response) => {}
                    _ if self.again(&response) => {}
                    _ => {
                        let retry = response.header_value("Retry-After");
                        let retry = retry.and_then(|it| leading_number(&it));
                        let reason = response.status_code.text().to_owned();
                        return self.failed(code, &reason, retry);
                    }
                }
            }
            ClientEvent::Late if attempt.heard || self.cancel != Cancel::No => {}
            ClientEvent::Late => return self.failed(408, "no answer", None),
            // What was heard before a connection broke stands: the transaction's own timers run.
            ClientEvent::Unreachable(_) if attempt.heard => {}
            ClientEvent::Unreachable(why) => return self.failed(503, &why, None),
            ClientEvent::Ended => return self.failed(408, "no answer", None),
        }
        News::GoOn
    }

    /// Answers a challenge of the trunk.
    fn again(&mut self, response: &Response) -> bool {
        let Some(attempt) = self.attempt.as_ref().filter(|_| self.cancel == Cancel::No) else {
            return false;
        };
        let Some(carrier) = &attempt.way.carrier else { return false };
        let target = &attempt.way.target;
        let peer = Peer { ip: target.address.ip(), transport: target.transport };
        let (core, seq) = (&self.draft.core, self.seq + 1);
        let invite = (self.answers < MOST_ANSWERS)
            .then(|| with_credentials(core, carrier, &attempt.invite, response, &peer, seq))
            .flatten();
        let Some(invite) = invite else { return false };
        self.answers += 1;
        if let Some(attempt) = self.attempt.take() {
            self.send(attempt.way, invite);
        }
        true
    }

    /// 422: the same INVITE again with a longer session interval (RFC 4028 §7.3); whether it went.
    fn ask_longer(&mut self, response: &Response) -> bool {
        if self.cancel != Cancel::No || !self.session.timer.raise(refresh::min_se(Some(response))) {
            return false;
        }
        let Some(attempt) = self.attempt.as_ref() else { return false };
        let (seq, fields) = (self.seq + 1, self.session.propose());
        let Some(invite) = again(&self.draft.core, attempt, seq, fields) else { return false };
        if let Some(attempt) = self.attempt.take() {
            self.send(attempt.way, invite);
        }
        true
    }

    /// A place that cannot take the call: the next, where there is one (RFC 3263 §4.3).
    fn failed(&mut self, code: u16, reason: &str, retry_after_s: Option<u32>) -> News {
        let silent = self.attempt.as_ref().is_some_and(|it| !it.heard);
        if code == 503 || (code == 408 && silent) {
            if let Some(Attempt { way: Way { carrier: Some(carrier), target }, .. }) = &self.attempt
            {
                carrier.mark(target, false);
            }
            if self.cancel == Cancel::No && self.advance() {
                return News::GoOn;
            }
        }
        self.over(code, reason, retry_after_s);
        News::Over
    }

    /// Rings the next place; whether there is one.
    fn advance(&mut self) -> bool {
        while let Some(way) = self.ways.pop_front() {
            if !self.is_seated(&way) {
                continue;
            }
            if let Some(invite) = self.draft.invite(&way, self.seq + 1, &self.session) {
                if self.attempt.as_ref().is_some_and(|it| it.sent.is_none()) {
                    self.abort();
                }
                self.answers = 0;
                std::mem::take(&mut self.early).decide(&self.draft.core, Err(504));
                self.send(way, invite);
                return true;
            }
        }
        false
    }

    /// Whether the trunk of this place has room for the call, or is the one that it has room at.
    fn is_seated(&self, way: &Way) -> bool {
        let Some(carrier) = &way.carrier else { return true };
        let (core, key) = (&self.draft.core, self.entered.key.clone());
        let seated = core.trunk_calls().get(&key).map(|it| Arc::clone(&it.carrier));
        if seated.is_some_and(|it| Arc::ptr_eq(&it, carrier)) {
            return true;
        }
        let call = carrier.call();
        let has_room = call.is_some();
        if let Some(call) = call {
            core.enter_trunk(key, call);
        }
        has_room
    }

    fn send(&mut self, way: Way, invite: Request) {
        self.seq += 1;
        let number = self.seq;
        self.current.store(number, Ordering::Release);
        let core = &self.draft.core;
        let (inbox, current) = (self.ends.to_inbox.clone(), Arc::clone(&self.current));
        let stray = Stray::new(core, &invite, &way.target);
        let tell = move |event| {
            if current.load(Ordering::Acquire) != number {
                return stray.news(event);
            }
            let told = inbox.send(Input::Client(Attempted { number, event }));
            if let Err(SendError(Input::Client(it))) = told {
                stray.news(it.event);
            }
        };
        let (to, name) = (way.target.sip_address(), way.target.name.clone());
        let sending = pump::send_invite(Arc::clone(core), invite.clone(), to, name, tell);
        if !self.ways.is_empty() {
            let (patience, inbox) = (core.patience / 64 * PLACE_T1, self.ends.to_inbox.clone());
            tokio::spawn(async move {
                pump::pass(patience).await;
                let event = ClientEvent::Late;
                let _ = inbox.send(Input::Client(Attempted { number, event }));
            });
        }
        let (sent, heard) = (None, false);
        self.attempt = Some(Attempt { number, way, invite, sending, sent, heard });
    }

    fn abort(&self) {
        if let Some(sending) = self.attempt.as_ref().and_then(|it| it.sending.as_ref()) {
            sending.abort();
        }
    }

    fn provisional(&mut self, code: u16, response: &Response) {
        if self.cancel == Cancel::Wanted {
            self.send_cancel();
        }
        let Some(attempt) = self.attempt.as_ref().filter(|_| code > 100) else { return };
        let way = attempt.way_taken();
        let sdp = self.early.provisional(&self.draft.core, &attempt.invite, response, way);
        if let Some(sdp) = sdp.filter(|_| self.cancel == Cancel::No) {
            self.ends.signal(LegSignal::Progress { code, sdp });
        }
    }

    /// The INVITE may be on its way although we have not been told: it is waited for.
    fn give_up(&mut self) {
        if self.cancel == Cancel::No {
            self.cancel = Cancel::Wanted;
            if self.attempt.as_ref().is_some_and(|it| it.heard) {
                self.send_cancel();
            }
        }
    }

    /// CANCEL carries the INVITE's branch (RFC 3261 §9.1); then a final answer is owed in 64·T1.
    fn send_cancel(&mut self) {
        self.cancel = Cancel::Sent;
        let Some(attempt) = &self.attempt else { return };
        let cancel = cancel_of(&attempt.invite);
        let (connection, destination) = attempt.sent.clone().unwrap_or_default();
        let connection = connection.filter(SipConnection::is_reliable);
        let (core, inbox) = (Arc::clone(&self.draft.core), self.ends.to_inbox.clone());
        tokio::spawn(async move {
            let patience = core.patience;
            let answer = pump::exchange(core, cancel, connection, destination).await;
            if answer.is_some_and(|it| it.status_code.kind() == StatusCodeKind::Successful) {
                // Dropped with the leg's inbox when the INVITE is answered meanwhile.
                tokio::select! {
                    () = pump::pass(patience) => {}
                    () = inbox.closed() => {}
                }
            }
            let _ = inbox.send(Input::GaveUp);
        });
    }

    async fn answered(mut self, response: Response) {
        let Some(attempt) = self.attempt else { return };
        let core = self.draft.core;
        let (connection, source) = attempt.way_taken();
        let invite = &attempt.invite;
        let mut dialog = Dialog::of_client(&core, invite, &response, connection, source);
        let before = self.early.answered(&core, &mut dialog);
        let sdp = sdp_of(&response.headers, &response.body).or(before);
        self.session.accepted(&response);
        let ours = sdp_of(&invite.headers, &invite.body);
        if self.cancel == Cancel::No {
            self.ends.signal(LegSignal::Accepted { sdp });
            let talk = Talk::new(core, dialog, self.ends, self.entered, None);
            return talk.timed(self.session, ours).run_with(self.stashed).await;
        }
        refused(&self.ends, 487, "given up");
        Talk::new(core, dialog, self.ends, self.entered, None).end().await;
    }

    fn over(&mut self, code: u16, reason: &str, retry_after_s: Option<u32>) {
        let reason = reason.to_owned();
        self.ends.signal(LegSignal::Refused { code, reason, retry_after_s });
        for tx in std::mem::take(&mut self.stashed) {
            dispatch::answer(&self.draft.core, tx, Reply::status(481));
        }
    }
}

/// An INVITE that nobody waits for any more: it is taken back once something is heard of it.
struct Stray {
    core: Arc<Core>,
    invite: Request,
    destination: SipAddr,
    cancelled: AtomicBool,
}

impl Stray {
    fn new(core: &Arc<Core>, invite: &Request, target: &Target) -> Self {
        let (core, invite) = (Arc::clone(core), invite.clone());
        Self { core, invite, destination: target.sip_address(), cancelled: AtomicBool::new(false) }
    }

    fn news(&self, event: ClientEvent) {
        let ClientEvent::Response(response) = event else { return };
        match response.status_code.kind() {
            StatusCodeKind::Provisional if !self.cancelled.swap(true, Ordering::AcqRel) => {
                let cancel = cancel_of(&self.invite);
                let to = Some(self.destination.clone());
                tokio::spawn(pump::exchange(Arc::clone(&self.core), cancel, None, to));
            }
            StatusCodeKind::Successful => {
                pump::hang_up_fork(&self.core, &self.invite, &response, None);
            }
            _ => {}
        }
    }
}

/// The CANCEL of an INVITE (RFC 3261 §9.1).
fn cancel_of(invite: &Request) -> Request {
    let seq = invite.cseq_header().ok().and_then(|it| it.seq().ok()).unwrap_or(1);
    let mut cancel = invite.clone();
    cancel.method = Method::Cancel;
    cancel.body = Vec::new();
    cancel.headers.retain(|it| {
        matches!(
            it,
            Header::Via(_)
                | Header::From(_)
                | Header::To(_)
                | Header::CallId(_)
                | Header::MaxForwards(_)
                | Header::UserAgent(_)
        )
    });
    cancel.headers.push(make_header("CSeq", format!("{seq} CANCEL")));
    cancel
}

/// An INVITE again, as a new transaction with these fields in the place of their like.
fn again(core: &Core, attempt: &Attempt, seq: u32, fields: Vec<Header>) -> Option<Request> {
    let target = &attempt.way.target;
    let mut request = attempt.invite.clone();
    request.headers.retain(|it| {
        !matches!(it, Header::Via(_) | Header::CSeq(_))
            && !fields.iter().any(|field| field.name().eq_ignore_ascii_case(it.name()))
    });
    request.headers.push_front(via(core, target.transport, target.address.ip())?);
    request.headers.push(make_header("CSeq", format!("{seq} INVITE")));
    fields.into_iter().for_each(|it| request.headers.push(it));
    Some(request)
}

/// Tells that nobody is there.
pub(super) fn refused(ends: &Ends, code: u16, reason: &str) {
    let reason = reason.to_owned();
    ends.signal(LegSignal::Refused { code, reason, retry_after_s: None });
}

/// `120;duration=60 (at lunch)`.
fn leading_number(value: &str) -> Option<u32> {
    let digits: String = value.trim().chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}
