//! A leg that talks, until somebody hangs up (RFC 3261 §12.2, §14, §15).
//!
//! ```text
//!              re-INVITE / UPDATE            accept              ACK
//!  (nothing) ─────────────────────► Decision ───────► Ack ─────────────► (nothing)
//!                                      │ refuse, CANCEL │ none in 64·T1 ──► BYE, NoAck
//!                                      └──► (nothing)   └ the first answer begins here
//! ```
//!
//! Beside that runs the session timer: refreshed by UPDATE, where they take it, else by a
//! re-INVITE with the description that they have already.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use rsipstack::sip::headers::make_header;
use rsipstack::sip::prelude::HeadersExt;
use rsipstack::sip::{Method, Request, Response, StatusCodeKind};
use rsipstack::transaction::transaction::Transaction;
use tokio_util::sync::CancellationToken;

use super::dialog::{Dialog, Reply, SDP, from_tag, sdp_of};
use super::incoming::{FIRST, Said};
use super::line::{Command, Ends, Input, LegSignal};
use super::pump::{self, Answering, ServerEvent};
use super::refresh::Session;
use super::{Core, Entered, dispatch, refresh};
use crate::reliable::{Provisionals, RAck};
use crate::session_timer::Due;

/// Requests kept for a moment because the ACK that they overtook has not come.
const MOST_STASHED: usize = 8;

/// How long the BYE of who knows no such call may be on its way.
const GRACE: Duration = Duration::from_secs(2);

/// What a change that they asked for waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Awaiting {
    /// Our accepting or refusing.
    Decision,
    /// Their ACK.
    Ack,
}

/// How a change is answered.
enum Answerer {
    Invite(Answering),
    Update(Box<Transaction>),
}

/// A change of theirs under way: the INVITE that began the call, a re-INVITE, an UPDATE.
pub(super) struct Pending {
    serial: u32,
    request: Request,
    answerer: Answerer,
    awaiting: Awaiting,
}

impl Pending {
    /// An INVITE.
    pub(super) fn invite(
        serial: u32,
        request: Request,
        answering: Answering,
        awaiting: Awaiting,
    ) -> Self {
        Self { serial, request, answerer: Answerer::Invite(answering), awaiting }
    }
}

/// What a re-INVITE of ours is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Changing {
    /// The leg wants another session.
    Session,
    /// The session timer.
    Refresh,
}

/// How far the end is.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Ending {
    /// Nobody has hung up.
    No,
    /// We have, but must wait for the ACK first (RFC 3261 §15).
    AfterAck { reason: Option<String> },
    /// Our BYE is on its way.
    Bye,
}

/// A leg with an answer.
pub(super) struct Talk {
    core: Arc<Core>,
    dialog: Dialog,
    ends: Ends,
    pending: Option<Pending>,
    stashed: VecDeque<Transaction>,
    serial: u32,
    /// Our re-INVITE is on its way.
    changing: Option<Changing>,
    ending: Ending,
    lost: Option<CancellationToken>,
    session: Session,
    /// When they said that they know no such call, or nothing at all.
    gone_at: Option<Duration>,
    /// Our description as they have it.
    ours: Option<String>,
    /// The description that our re-INVITE offers.
    offered: Option<String>,
    /// What was said before the answer and may still be acknowledged.
    said: Option<Provisionals<Said>>,
    _entered: Entered,
}

impl Talk {
    pub(super) fn new(
        core: Arc<Core>,
        dialog: Dialog,
        ends: Ends,
        entered: Entered,
        pending: Option<Pending>,
    ) -> Self {
        let lost = dialog.connection().and_then(|it| it.cancel_token());
        let session = Session::new(&core);
        Self {
            core,
            dialog,
            ends,
            pending,
            stashed: VecDeque::new(),
            serial: 0,
            changing: None,
            ending: Ending::No,
            lost,
            session,
            gone_at: None,
            ours: None,
            offered: None,
            said: None,
            _entered: entered,
        }
    }

    /// With a session timer that has been agreed on, and our description.
    pub(super) fn timed(self, session: Session, ours: Option<String>) -> Self {
        Self { session, ours, ..self }
    }

    /// With what was said before the answer.
    pub(super) fn rung(self, said: Provisionals<Said>) -> Self {
        Self { said: Some(said), ..self }
    }

    /// Hangs up before anything else: the answer to a call that we had given up.
    pub(super) async fn end(mut self) {
        self.bye(None);
        self.run().await;
    }

    /// Goes on with requests that came before the answer did.
    pub(super) async fn run_with(mut self, early: VecDeque<Transaction>) {
        for tx in early {
            if self.arrived(tx) {
                return;
            }
        }
        self.run().await;
    }

    /// Talks to the end.
    pub(super) async fn run(mut self) {
        let mut commanded = true;
        let mut second = tokio::time::interval(Session::second(&self.core));
        second.reset();
        loop {
            let lost = self.lost.clone();
            let over = tokio::select! {
                command = self.ends.commands.recv(), if commanded => {
                    commanded = command.is_some();
                    self.command(command.unwrap_or(Command::HangUp { reason: None }));
                    false
                }
                Some(input) = self.ends.inbox.recv() => self.input(input),
                _ = second.tick() => {
                    self.session.count();
                    self.mind_session();
                    false
                }
                () = broken(lost) => {
                    self.lost = None;
                    self.ends.signal(LegSignal::TransportLost);
                    false
                }
            };
            if over {
                break;
            }
        }
        for tx in std::mem::take(&mut self.stashed) {
            dispatch::answer(&self.core, tx, Reply::status(481));
        }
    }

    fn command(&mut self, command: Command) {
        match command {
            Command::HangUp { reason } => self.hang_up(reason),
            Command::Reinvite(sdp) => self.reinvite(sdp),
            Command::AcceptReinvite(sdp) => self.accept(sdp),
            Command::RefuseReinvite { code } => self.refuse(code),
            Command::Info { content_type, body } => {
                if let Some(request) = self.request(Method::Info, Some((&content_type, body))) {
                    let (at, to) = (self.dialog.connection(), self.dialog.destination());
                    tokio::spawn(pump::exchange(Arc::clone(&self.core), request, at, to));
                }
            }
            Command::Ringing
            | Command::Progress(_)
            | Command::Answer(_)
            | Command::Refuse { .. }
            | Command::RefuseSaying { .. } => {}
        }
    }

    /// Whether the leg is over.
    fn input(&mut self, input: Input) -> bool {
        match input {
            Input::Arrived(tx) => return self.arrived(*tx),
            Input::Server(serial, event) => return self.server(serial, event),
            Input::Reinvited(response) => self.reinvited(response.as_deref()),
            Input::Refreshed(response) => self.refreshed(response.as_deref()),
            Input::ByeDone => return true,
            Input::Client(_) | Input::GaveUp => {}
        }
        false
    }

    /// Our re-INVITE has been answered.
    fn reinvited(&mut self, response: Option<&Response>) {
        let purpose = self.changing.take();
        let offered = self.offered.take();
        let code = response.map_or(503, |it| it.status_code.code());
        match response.filter(|it| it.status_code.kind() == StatusCodeKind::Successful) {
            Some(it) => {
                self.dialog.retarget(it);
                self.session.accepted(it);
                self.ours = offered;
                // A refresh is an offer like any other: its answer may move the session.
                let sdp = sdp_of(&it.headers, &it.body);
                self.ends.signal(LegSignal::ReinviteAccepted { sdp });
            }
            None => {
                if purpose == Some(Changing::Session) {
                    self.ends.signal(LegSignal::ReinviteRefused { code });
                }
                self.refresh_refused(response);
            }
        }
    }

    /// Our refreshing UPDATE has been answered.
    fn refreshed(&mut self, response: Option<&Response>) {
        match response.filter(|it| it.status_code.kind() == StatusCodeKind::Successful) {
            Some(it) => {
                self.dialog.retarget(it);
                self.session.accepted(it);
            }
            None => {
                // Who says so has changed its mind since its Allow.
                let code = response.map(|it| it.status_code.code());
                self.dialog.updates &= !matches!(code, Some(405 | 501));
                self.refresh_refused(response);
            }
        }
    }

    fn refresh_refused(&mut self, response: Option<&Response>) {
        if self.session.refused(response) {
            // Their own BYE may be on its way: they would say the same then.
            self.gone_at = Some(self.session.now());
        }
    }

    /// A second has passed.
    fn mind_session(&mut self) {
        if self.ending != Ending::No {
            return;
        }
        let now = self.session.now();
        if self.gone_at.is_some_and(|at| now >= at + GRACE) {
            self.expire();
            return;
        }
        match self.session.timer.poll(now) {
            Some(Due::HangUp) => self.expire(),
            Some(Due::Refresh) if self.changing.is_none() && self.pending.is_none() => {
                self.refresh();
            }
            Some(Due::Refresh) | None => {}
        }
    }

    fn expire(&mut self) {
        self.ends.signal(LegSignal::Expired);
        self.hang_up(Some("SIP;cause=408;text=\"Session expired\"".to_owned()));
    }

    /// RFC 4028 §7.4, §10.
    fn refresh(&mut self) {
        if !self.dialog.updates {
            if let Some(sdp) = self.ours.clone() {
                self.session.timer.refreshing();
                self.offer(sdp, Changing::Refresh);
            }
            return;
        }
        let headers = self.session.propose();
        let Some(request) = self.dialog.request(Method::Update, headers, None) else { return };
        self.session.timer.refreshing();
        let (at, to) = (self.dialog.connection(), self.dialog.destination());
        let (core, inbox) = (Arc::clone(&self.core), self.ends.to_inbox.clone());
        tokio::spawn(async move {
            let response = pump::exchange(core, request, at, to).await;
            let _ = inbox.send(Input::Refreshed(response.map(Box::new)));
        });
    }

    fn server(&mut self, serial: u32, event: ServerEvent) -> bool {
        if self.pending.as_ref().is_none_or(|it| it.serial != serial) {
            return false;
        }
        let unanswered = self.pending.take().is_none_or(|it| it.awaiting == Awaiting::Decision);
        match event {
            ServerEvent::Acked(sdp) => self.ends.signal(LegSignal::Acked { sdp }),
            // It was there before our answer, which has not been sent then.
            ServerEvent::Cancelled if serial == FIRST => {
                self.ends.signal(LegSignal::Cancelled);
                return true;
            }
            ServerEvent::Cancelled => self.ends.signal(LegSignal::ReinviteCancelled),
            ServerEvent::Ended if unanswered => {}
            ServerEvent::Ended => {
                self.ends.signal(LegSignal::NoAck);
                if self.ending == Ending::No {
                    self.bye(None);
                }
            }
        }
        if let Ending::AfterAck { reason } = self.ending.clone() {
            self.bye(reason);
        }
        for tx in std::mem::take(&mut self.stashed) {
            if self.arrived(tx) {
                return true;
            }
        }
        false
    }

    /// Whether the leg is over.
    fn arrived(&mut self, tx: Transaction) -> bool {
        let of_dialog = from_tag(&tx.original.headers).is_some_and(|it| {
            // A 2xx without tag is of the time before tags (RFC 3261 §12.1.2).
            self.dialog.remote_tag.is_empty() || it == self.dialog.remote_tag
        });
        if !of_dialog {
            self.answer(tx, 481);
            return false;
        }
        // An INVITE that overtook the ACK waits for it, and with it all that came later.
        let early = self.pending.as_ref().is_some_and(|it| it.awaiting == Awaiting::Ack);
        let changes = matches!(tx.original.method, Method::Invite | Method::Update);
        if early && changes && self.stashed.len() < MOST_STASHED {
            self.stashed.push_back(tx);
            return false;
        }
        if !self.dialog.in_order(&tx.original) {
            self.answer(tx, 500);
            return false;
        }
        match tx.original.method {
            Method::Bye => {
                let reason = tx.original.header_value("Reason");
                self.answer(tx, 200);
                self.abandon();
                self.ends.signal(LegSignal::Bye { reason });
                return true;
            }
            _ if self.ending == Ending::Bye => self.answer(tx, 481),
            Method::Invite => self.invited(tx),
            Method::Update => self.updated(tx),
            Method::Info => inform(&self.core, &self.ends, tx),
            Method::Options => dispatch::answer(&self.core, tx, dispatch::able()),
            Method::PRack => {
                let rack = tx.original.header_value("RAck").and_then(|it| RAck::parse(&it));
                let known = self.said.as_mut().zip(rack);
                let known = known.and_then(|(said, rack)| said.acknowledge(rack)).is_some();
                self.answer(tx, if known { 200 } else { 481 });
            }
            Method::Notify => self.answer(tx, 481),
            Method::Refer => {
                let target = ["Refer-To", "r"].iter().find_map(|it| tx.original.header_value(it));
                let target = target.unwrap_or_default();
                let to = target.chars().filter(|it| !it.is_control()).take(200).collect();
                self.ends.signal(LegSignal::Referred { to });
                self.answer(tx, 405);
            }
            _ => self.answer(tx, 405),
        }
        false
    }

    /// RFC 3261 §14.2.
    fn invited(&mut self, tx: Transaction) {
        let Some(tx) = self.unobjectionable(tx) else { return };
        self.serial += 1;
        let serial = self.serial;
        let request = tx.original.clone();
        let cancelled = Reply::status(487).to(&self.core, &request);
        let inbox = self.ends.to_inbox.clone();
        let answering = pump::serve_invite(tx, cancelled, move |event| {
            let _ = inbox.send(Input::Server(serial, event));
        });
        answering.respond(Reply::status(100).to(&self.core, &request));
        self.ends.signal(LegSignal::Reinvited { sdp: sdp_of(&request.headers, &request.body) });
        self.pending = Some(Pending::invite(serial, request, answering, Awaiting::Decision));
    }

    /// RFC 3311 §5.2.
    fn updated(&mut self, tx: Transaction) {
        let request = tx.original.clone();
        let Some(sdp) = sdp_of(&request.headers, &request.body) else {
            if let Some(reply) = refresh::objection(&self.core, &request) {
                dispatch::answer(&self.core, tx, reply);
                return;
            }
            self.dialog.retarget(&request);
            let headers = self.session.grant(&request);
            let contact = Some(self.dialog.contact());
            dispatch::answer(&self.core, tx, Reply { contact, headers, ..Reply::status(200) });
            return;
        };
        let Some(tx) = self.unobjectionable(tx) else { return };
        self.serial += 1;
        self.ends.signal(LegSignal::Reinvited { sdp: Some(sdp) });
        let (serial, awaiting) = (self.serial, Awaiting::Decision);
        let answerer = Answerer::Update(tx.into());
        self.pending = Some(Pending { serial, request, answerer, awaiting });
    }

    /// Refuses a change that crosses another (RFC 3261 §14.2, RFC 3311 §5.2), or whose session
    /// would be too short.
    fn unobjectionable(&self, tx: Transaction) -> Option<Transaction> {
        let reply = if self.changing.is_some() {
            Some(Reply::status(491))
        } else if self.pending.is_some() {
            let headers = vec![make_header("Retry-After", "1".to_owned())];
            Some(Reply { headers, ..Reply::status(500) })
        } else {
            refresh::objection(&self.core, &tx.original)
        };
        match reply {
            Some(reply) => {
                dispatch::answer(&self.core, tx, reply);
                None
            }
            None => Some(tx),
        }
    }

    fn accept(&mut self, sdp: String) {
        let Some(mut pending) = self.pending.take_if(|it| it.awaiting == Awaiting::Decision) else {
            return;
        };
        self.dialog.retarget(&pending.request);
        let headers = self.session.grant(&pending.request);
        self.ours = Some(sdp.clone());
        let contact = Some(self.dialog.contact());
        let reply = Reply { contact, headers, sdp: Some(sdp), ..Reply::status(200) };
        let response = reply.to(&self.core, &pending.request);
        match pending.answerer {
            Answerer::Invite(ref answering) => {
                answering.respond(response);
                pending.awaiting = Awaiting::Ack;
                self.pending = Some(pending);
            }
            Answerer::Update(tx) => pump::answer(*tx, response),
        }
    }

    fn refuse(&mut self, code: u16) {
        let code = if (300..700).contains(&code) { code } else { 488 };
        let Some(pending) = self.pending.take_if(|it| it.awaiting == Awaiting::Decision) else {
            return;
        };
        let response = Reply::status(code).to(&self.core, &pending.request);
        match pending.answerer {
            Answerer::Invite(answering) => answering.respond(response),
            Answerer::Update(tx) => pump::answer(*tx, response),
        }
    }

    fn reinvite(&mut self, sdp: String) {
        if self.changing.is_some() || self.pending.is_some() || self.ending != Ending::No {
            // Theirs came first: as if they had answered 491 (RFC 3261 §14.1).
            self.ends.signal(LegSignal::ReinviteRefused { code: 491 });
            return;
        }
        self.offer(sdp, Changing::Session);
    }

    fn offer(&mut self, sdp: String, purpose: Changing) {
        let headers = self.session.propose();
        let body = Some((SDP, sdp.clone().into_bytes()));
        let Some(request) = self.dialog.request(Method::Invite, headers, body) else { return };
        self.offered = Some(sdp);
        self.changing = Some(purpose);
        let (at, to) = (self.dialog.connection(), self.dialog.destination());
        let (core, inbox) = (Arc::clone(&self.core), self.ends.to_inbox.clone());
        tokio::spawn(async move {
            let response = pump::exchange(core, request, at, to).await;
            let _ = inbox.send(Input::Reinvited(response.map(Box::new)));
        });
    }

    fn hang_up(&mut self, reason: Option<String>) {
        if self.ending != Ending::No {
            return;
        }
        match &self.pending {
            Some(it) if it.awaiting == Awaiting::Ack => {
                self.ending = Ending::AfterAck { reason };
            }
            _ => self.bye(reason),
        }
    }

    fn bye(&mut self, reason: Option<String>) {
        self.refuse(487);
        self.ending = Ending::Bye;
        let headers = reason.filter(|it| !it.contains(['\r', '\n']));
        let headers = headers.map(|it| make_header("Reason", it)).into_iter().collect();
        let request = self.dialog.request(Method::Bye, headers, None);
        let (at, to) = (self.dialog.connection(), self.dialog.destination());
        let (core, inbox) = (Arc::clone(&self.core), self.ends.to_inbox.clone());
        tokio::spawn(async move {
            if let Some(request) = request {
                pump::exchange(core, request, at, to).await;
            }
            let _ = inbox.send(Input::ByeDone);
        });
    }

    /// Nothing of ours is retransmitted to who has hung up.
    fn abandon(&mut self) {
        if self.pending.as_ref().is_some_and(|it| it.awaiting == Awaiting::Decision) {
            self.refuse(487);
        } else if let Some(Answerer::Invite(answering)) = self.pending.take().map(|it| it.answerer)
        {
            answering.stop();
        }
    }

    fn request(&mut self, method: Method, body: Option<(&str, Vec<u8>)>) -> Option<Request> {
        self.dialog.request(method, Vec::new(), body)
    }

    fn answer(&self, tx: Transaction, code: u16) {
        dispatch::answer(&self.core, tx, Reply::status(code));
    }
}

/// INFO: 200, and told.
pub(super) fn inform(core: &Core, ends: &Ends, tx: Transaction) {
    let content_type = tx.original.header_value("Content-Type").unwrap_or_default();
    ends.signal(LegSignal::Info { content_type, body: tx.original.body.clone() });
    dispatch::answer(core, tx, Reply::status(200));
}

async fn broken(connection: Option<CancellationToken>) {
    match connection {
        Some(token) => token.cancelled().await,
        None => std::future::pending().await,
    }
}
