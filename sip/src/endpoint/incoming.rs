//! A call that rings here, until it is answered or not (RFC 3261 §13.3, §9.2).

use std::sync::Arc;

use rsipstack::sip::headers::make_header;
use rsipstack::sip::{Method, Request};
use rsipstack::transaction::transaction::Transaction;

use super::dialog::{Dialog, Reply};
use super::established::{Awaiting, Pending, Talk, inform};
use super::line::{Command, Ends, Incoming, Input, Leg, LegSignal};
use super::pump::{self, Answering, ServerEvent};
use super::{Core, Entered, dispatch};

/// Serial of the INVITE that begins a leg.
const FIRST: u32 = 0;

/// A leg that rings.
struct Ringing {
    core: Arc<Core>,
    invite: Request,
    tag: String,
    dialog: Dialog,
    answering: Answering,
    ends: Ends,
    entered: Entered,
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
    let cancelled = Reply { tag: Some(&tag), ..Reply::status(487) }.to(core, &invite);
    let inbox = ends.to_inbox.clone();
    let answering = pump::serve_invite(tx, cancelled, move |event| {
        let _ = inbox.send(Input::Server(FIRST, event));
    });
    answering.respond(Reply::status(100).to(core, &invite));
    let core = Arc::clone(core);
    let ringing = Ringing { core, invite, tag, dialog, answering, ends, entered };
    tokio::spawn(ringing.run());
    call
}

impl Ringing {
    async fn run(mut self) {
        loop {
            tokio::select! {
                command = self.ends.commands.recv() => match command {
                    Some(Command::Ringing) => self.respond(Reply::status(180)),
                    Some(Command::Answer(sdp)) => {
                        self.respond(Reply { sdp: Some(sdp), ..Reply::status(200) });
                        return self.talk().run().await;
                    }
                    Some(Command::Refuse { code, retry_after_s }) => {
                        return self.refuse(code, retry_after_s);
                    }
                    Some(Command::HangUp { .. }) | None => return self.refuse(480, None),
                    Some(
                        Command::Reinvite(_)
                        | Command::AcceptReinvite(_)
                        | Command::RefuseReinvite { .. }
                        | Command::Info { .. },
                    ) => {}
                },
                Some(input) = self.ends.inbox.recv() => match input {
                    Input::Server(FIRST, ServerEvent::Cancelled) => {
                        return self.ends.signal(LegSignal::Cancelled);
                    }
                    Input::Server(FIRST, ServerEvent::Ended) => return,
                    Input::Arrived(tx) => if self.early(*tx) { return },
                    Input::Server(..) | Input::Client(_) | Input::Reinvited(_) | Input::ByeDone
                    | Input::GaveUp => {}
                },
            }
        }
    }

    /// Requests before the answer; whether the leg is over by one.
    fn early(&self, tx: Transaction) -> bool {
        match tx.original.method {
            // RFC 3261 §15.1.2: BYE instead of CANCEL.
            Method::Bye => {
                dispatch::answer(&self.core, tx, Reply::status(200));
                self.respond(Reply::status(487));
                self.ends.signal(LegSignal::Cancelled);
                return true;
            }
            Method::Info => inform(&self.core, &self.ends, tx),
            Method::Options => dispatch::answer(&self.core, tx, dispatch::able()),
            // RFC 3311 §5.2: no answer yet that it could change.
            Method::Update | Method::Invite => {
                dispatch::answer(&self.core, tx, Reply::status(491));
            }
            Method::PRack => dispatch::answer(&self.core, tx, Reply::status(481)),
            _ => dispatch::answer(&self.core, tx, Reply::status(405)),
        }
        false
    }

    fn refuse(&self, code: u16, retry_after_s: Option<u32>) {
        let code = if (300..700).contains(&code) { code } else { 480 };
        let retry = retry_after_s.map(|it| make_header("Retry-After", it.to_string()));
        let headers = retry.into_iter().collect();
        self.respond(Reply { headers, ..Reply::status(code) });
    }

    fn respond(&self, reply: Reply<'_>) {
        let contact = (reply.code < 300).then(|| self.dialog.contact());
        let reply = Reply { tag: Some(&self.tag), contact, ..reply };
        self.answering.respond(reply.to(&self.core, &self.invite));
    }

    fn talk(self) -> Talk {
        let pending = Pending::invite(FIRST, self.invite, self.answering, Awaiting::Ack);
        Talk::new(self.core, self.dialog, self.ends, self.entered, Some(pending))
    }
}
