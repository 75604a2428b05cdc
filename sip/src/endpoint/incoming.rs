//! A call that rings here, until it is answered or not (RFC 3261 §13.3, §9.2; RFC 3262 §3).
//!
//! What is said before the answer must arrive where the caller requires it, and where it carries
//! a description and the caller can acknowledge it. Such a description is the answer to the offer:
//! the 200 waits for its PRACK and then brings none.

use std::sync::Arc;

use rsipstack::sip::headers::make_header;
use rsipstack::sip::prelude::HeadersExt;
use rsipstack::sip::{Method, Request};
use rsipstack::transaction::transaction::Transaction;

use super::dialog::{Dialog, Reply, names, sdp_of};
use super::established::{Awaiting, Pending, Talk, inform};
use super::line::{Command, Ends, Incoming, Input, Leg, LegSignal};
use super::pump::{self, Answering, ServerEvent};
use super::refresh::Session;
use super::{Core, Entered, dispatch};
use crate::reliable::{Beat, Provisionals, RAck};

/// Serial of the INVITE that begins a leg.
pub(super) const FIRST: u32 = 0;
/// `Retry-After` where a change comes before its time.
const RETRY_AFTER_S: &str = "2";

/// What is said before the answer: 180 or 183, and a description.
pub(super) type Said = (u16, Option<String>);

/// A leg that rings.
struct Ringing {
    core: Arc<Core>,
    invite: Request,
    tag: String,
    dialog: Dialog,
    answering: Answering,
    ends: Ends,
    entered: Entered,
    said: Provisionals<Said>,
    /// Our description, where it was sent before the answer, and whether they have it for sure.
    described: Option<String>,
    settled: bool,
    /// The answer, while it waits for a PRACK.
    answer: Option<String>,
    /// A change of theirs that waits for our decision.
    change: Option<Box<Transaction>>,
}

/// Begins the leg; 100 is sent at once.
pub(super) fn begin(
    core: &Arc<Core>,
    tx: Transaction,
    dialog: Dialog,
    tag: String,
    call: impl FnOnce(Leg) -> Incoming,
) -> Incoming {
    let invite = tx.original.clone();
    let (leg, ends) = Ends::pair();
    let call = call(leg);
    let entered = core.enter((call.call_id.clone(), tag.clone()), ends.to_inbox.clone());
    core.tracer.follow(&call.call_id, &tag, &ends.signals);
    core.tracer.tell(false, &invite.clone().into());
    let cancelled = Reply { tag: Some(&tag), ..Reply::status(487) }.to(core, &invite);
    let inbox = ends.to_inbox.clone();
    let answering = pump::serve_invite(tx, cancelled, move |event| {
        let _ = inbox.send(Input::Server(FIRST, event));
    });
    answering.respond(Reply::status(100).to(core, &invite));
    let cseq = invite.cseq_header().ok().and_then(|it| it.seq().ok()).unwrap_or_default();
    let ringing = Ringing {
        core: Arc::clone(core),
        invite,
        tag,
        dialog,
        answering,
        ends,
        entered,
        said: Provisionals::new(cseq, rand::random()),
        described: None,
        settled: false,
        answer: None,
        change: None,
    };
    tokio::spawn(ringing.run());
    call
}

/// What becomes of the leg.
enum Next {
    Rings,
    Talks,
    Over,
}

impl Ringing {
    async fn run(mut self) {
        let mut beat = tokio::time::interval(self.core.t1());
        loop {
            if self.said.waiting().is_none() {
                beat.reset();
            }
            let next = tokio::select! {
                command = self.ends.commands.recv() => self.command(command),
                Some(input) = self.ends.inbox.recv() => match input {
                    Input::Server(FIRST, ServerEvent::Cancelled) => {
                        self.ends.signal(LegSignal::Cancelled);
                        Next::Over
                    }
                    Input::Server(FIRST, ServerEvent::Ended) => Next::Over,
                    Input::Arrived(tx) => self.early(*tx),
                    _ => Next::Rings,
                },
                _ = beat.tick(), if self.said.waiting().is_some() => self.beat(),
            };
            match next {
                Next::Rings => {}
                Next::Talks => return self.talk().run().await,
                Next::Over => return self.refuse_change(481),
            }
        }
    }

    fn command(&mut self, command: Option<Command>) -> Next {
        match command {
            Some(Command::Ringing) => self.say((180, None)),
            Some(Command::Progress(sdp)) => {
                if self.described.is_none() && self.is_offered() {
                    self.say((183, Some(sdp.clone())));
                    self.described = Some(sdp);
                }
            }
            Some(Command::Answer(sdp)) => {
                // RFC 3262 §3: not while a description may not have arrived.
                self.answer = Some(self.described.clone().unwrap_or(sdp));
                if self.said.waiting().is_none_or(|(_, sdp)| sdp.is_none()) {
                    return Next::Talks;
                }
            }
            Some(Command::Refuse { code, retry_after_s }) => {
                self.refuse(code, retry_after_s);
                return Next::Over;
            }
            Some(Command::RefuseSaying { code, why }) => {
                self.refuse_saying(code, &why);
                return Next::Over;
            }
            Some(Command::HangUp { .. }) | None => {
                self.refuse(480, None);
                return Next::Over;
            }
            Some(Command::AcceptReinvite(sdp)) => self.accept_change(sdp),
            Some(Command::RefuseReinvite { code }) => self.refuse_change(code),
            Some(Command::Reinvite(_) | Command::Info { .. }) => {}
        }
        Next::Rings
    }

    /// Sends 180 or 183, such that it must arrive where that is wanted.
    fn say(&mut self, said: Said) {
        let required = names(&self.invite.headers, "Require", "100rel");
        let able = required || names(&self.invite.headers, "Supported", "100rel");
        if required && !self.is_offered() && said.1.is_none() {
            // It would have to carry an offer (RFC 3262 §5).
            return;
        }
        if !(required || able && said.1.is_some()) {
            self.respond(Reply { sdp: said.1, ..Reply::status(said.0) });
            return;
        }
        let now = self.said.push(said).map(|(rseq, said)| (rseq, said.clone()));
        if let Some((rseq, said)) = now {
            self.send(rseq, said);
        }
    }

    fn send(&self, rseq: u32, (code, sdp): Said) {
        let headers = vec![
            make_header("Require", "100rel".to_owned()),
            make_header("RSeq", rseq.to_string()),
        ];
        self.respond(Reply { headers, sdp, ..Reply::status(code) });
    }

    /// T1 has passed while a PRACK is awaited.
    fn beat(&mut self) -> Next {
        match self.said.beat() {
            Beat::Nothing => {}
            Beat::Again(rseq, said) => {
                let said = said.clone();
                self.send(rseq, said);
            }
            Beat::GiveUp => {
                self.respond(Reply::status(504));
                self.ends.signal(LegSignal::NoAck);
                return Next::Over;
            }
        }
        Next::Rings
    }

    /// Requests before the answer.
    fn early(&mut self, tx: Transaction) -> Next {
        if !self.dialog.in_order(&tx.original) {
            dispatch::answer(&self.core, tx, Reply::status(500));
            return Next::Rings;
        }
        match tx.original.method {
            // RFC 3261 §15.1.2: BYE instead of CANCEL.
            Method::Bye => {
                dispatch::answer(&self.core, tx, Reply::status(200));
                self.respond(Reply::status(487));
                self.ends.signal(LegSignal::Cancelled);
                return Next::Over;
            }
            Method::Info => inform(&self.core, &self.ends, tx),
            Method::Options => dispatch::answer(&self.core, tx, dispatch::able()),
            Method::PRack => return self.acknowledged(tx),
            Method::Update => self.updated(tx),
            Method::Invite => dispatch::answer(&self.core, tx, Self::later()),
            _ => dispatch::answer(&self.core, tx, Reply::status(405)),
        }
        Next::Rings
    }

    fn acknowledged(&mut self, tx: Transaction) -> Next {
        let rack = tx.original.header_value("RAck").and_then(|it| RAck::parse(&it));
        let Some((_, sdp)) = rack.and_then(|it| self.said.acknowledge(it)) else {
            dispatch::answer(&self.core, tx, Reply::status(481));
            return Next::Rings;
        };
        self.settled |= sdp.is_some();
        match sdp_of(&tx.original.headers, &tx.original.body).filter(|_| self.settled) {
            Some(offer) => self.changed(tx, offer),
            None => dispatch::answer(&self.core, tx, Reply::status(200)),
        }
        let next = self.said.advance().map(|(rseq, said)| (rseq, said.clone()));
        if let Some((rseq, said)) = next {
            self.send(rseq, said);
        }
        let waits = self.said.waiting().is_some_and(|(_, sdp)| sdp.is_some());
        if self.answer.is_some() && !waits { Next::Talks } else { Next::Rings }
    }

    /// RFC 3311 §5.2: their first offer has to be answered for sure before they make another.
    fn updated(&mut self, tx: Transaction) {
        match sdp_of(&tx.original.headers, &tx.original.body) {
            None => {
                self.dialog.retarget(&tx.original);
                let contact = Some(self.dialog.contact());
                dispatch::answer(&self.core, tx, Reply { contact, ..Reply::status(200) });
            }
            Some(offer) if self.settled && self.change.is_none() => self.changed(tx, offer),
            Some(_) => dispatch::answer(&self.core, tx, Self::later()),
        }
    }

    fn changed(&mut self, tx: Transaction, offer: String) {
        self.ends.signal(LegSignal::Reinvited { sdp: Some(offer) });
        self.change = Some(Box::new(tx));
    }

    fn accept_change(&mut self, sdp: String) {
        let Some(tx) = self.change.take() else { return };
        self.dialog.retarget(&tx.original);
        self.described = Some(sdp.clone());
        let contact = Some(self.dialog.contact());
        let reply = Reply { contact, sdp: Some(sdp), ..Reply::status(200) };
        let response = reply.to(&self.core, &tx.original);
        pump::answer(*tx, response);
    }

    fn refuse_change(&mut self, code: u16) {
        let code = if (300..700).contains(&code) { code } else { 488 };
        if let Some(tx) = self.change.take() {
            dispatch::answer(&self.core, *tx, Reply::status(code));
        }
    }

    fn later() -> Reply<'static> {
        let headers = vec![make_header("Retry-After", RETRY_AFTER_S.to_owned())];
        Reply { headers, ..Reply::status(500) }
    }

    fn is_offered(&self) -> bool {
        sdp_of(&self.invite.headers, &self.invite.body).is_some()
    }

    fn refuse(&self, code: u16, retry_after_s: Option<u32>) {
        let code = if (300..700).contains(&code) { code } else { 480 };
        let retry = retry_after_s.map(|it| make_header("Retry-After", it.to_string()));
        let headers = retry.into_iter().collect();
        self.respond(Reply { headers, ..Reply::status(code) });
    }

    /// Code 399: what follows is for a human (RFC 3261 §27.2).
    fn refuse_saying(&self, code: u16, why: &str) {
        let why = why.replace(['"', '\\'], "'");
        let warning = make_header("Warning", format!("399 cordboard \"{why}\""));
        self.respond(Reply { headers: vec![warning], ..Reply::status(code) });
    }

    fn respond(&self, reply: Reply<'_>) {
        let contact = (reply.code < 300).then(|| self.dialog.contact());
        let reply = Reply { tag: Some(&self.tag), contact, ..reply };
        self.answering.respond(reply.to(&self.core, &self.invite));
    }

    /// Answers: 200, with our description unless they have it for sure.
    fn talk(mut self) -> Talk {
        self.refuse_change(504);
        let mut session = Session::new(&self.core);
        let headers = session.grant(&self.invite);
        let ours = self.answer.take();
        let sdp = ours.clone().filter(|_| !self.settled);
        self.respond(Reply { headers, sdp, ..Reply::status(200) });
        let pending = Pending::invite(FIRST, self.invite, self.answering, Awaiting::Ack);
        let talk = Talk::new(self.core, self.dialog, self.ends, self.entered, Some(pending));
        talk.timed(session, ours).rung(self.said)
    }
}
