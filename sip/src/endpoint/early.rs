//! Early dialogs of a call that we place: one for each branch that rings (RFC 3261 §12.1,
//! RFC 3262 §4, RFC 3311 §5).

use std::net::SocketAddr;
use std::sync::Arc;

use rsipstack::sip::headers::make_header;
use rsipstack::sip::prelude::HeadersExt;
use rsipstack::sip::{Method, Request, Response};
use rsipstack::transaction::transaction::Transaction;
use rsipstack::transport::SipConnection;

use super::dialog::{Dialog, Reply, from_tag, names, sdp_of, to_tag};
use super::{Core, dispatch, pump};
use crate::reliable::{Arrival, Arrivals, RAck};

/// Most branches of one call that are followed; others ring unheard.
const MOST_BRANCHES: usize = 8;
/// `Retry-After` where a change is under way.
const RETRY_AFTER_S: &str = "2";

struct Branch {
    tag: String,
    dialog: Dialog,
    arrivals: Arrivals,
    /// Their answer to our offer, and whether it came in a response that must arrive.
    sdp: Option<String>,
    settled: bool,
}

/// What rings.
#[derive(Default)]
pub(super) struct Early {
    branches: Vec<Branch>,
    /// An UPDATE of theirs that awaits our answer.
    pending: Option<(String, Box<Transaction>)>,
}

impl Early {
    /// Takes a provisional answer, and acknowledges it where that is wanted. `None`: seen before
    /// or out of order; else their description, if any.
    pub(super) fn provisional(
        &mut self,
        core: &Arc<Core>,
        invite: &Request,
        response: &Response,
        way: (Option<SipConnection>, Option<SocketAddr>),
    ) -> Option<Option<String>> {
        let sdp = sdp_of(&response.headers, &response.body);
        let Some(tag) = to_tag(&response.headers) else { return Some(sdp) };
        let index = self.branches.iter().position(|it| it.tag == tag);
        if index.is_none() && self.branches.len() >= MOST_BRANCHES {
            return None;
        }
        let index = index.unwrap_or_else(|| {
            let dialog = Dialog::of_client(core, invite, response, way.0, way.1);
            let arrivals = Arrivals::default();
            self.branches.push(Branch { tag, dialog, arrivals, sdp: None, settled: false });
            self.branches.len() - 1
        });
        let branch = &mut self.branches[index];
        let rseq = response.header_value("RSeq").and_then(|it| it.parse().ok());
        let reliable = rseq.filter(|_| names(&response.headers, "Require", "100rel"));
        if let Some(rseq) = reliable {
            if branch.arrivals.take(rseq) != Arrival::New {
                return None;
            }
            branch.dialog.retarget(response);
            acknowledge(core, invite, &mut branch.dialog, rseq);
            branch.settled |= sdp.is_some();
        }
        if sdp.is_some() {
            branch.sdp.clone_from(&sdp);
        }
        Some(sdp)
    }

    /// Takes a request of a branch; gives it back where it has to wait for the answer. The offer
    /// of an UPDATE is told to the leg.
    pub(super) fn arrived(
        &mut self,
        core: &Core,
        tx: Box<Transaction>,
    ) -> Result<Option<String>, Box<Transaction>> {
        let tag = from_tag(&tx.original.headers).unwrap_or_default();
        let Some(branch) = self.branches.iter_mut().find(|it| it.tag == tag) else {
            return Err(tx);
        };
        if tx.original.method != Method::Update {
            return Err(tx);
        }
        if !branch.dialog.in_order(&tx.original) {
            dispatch::answer(core, *tx, Reply::status(500));
            return Ok(None);
        }
        let Some(sdp) = sdp_of(&tx.original.headers, &tx.original.body) else {
            branch.dialog.retarget(&tx.original);
            let contact = Some(branch.dialog.contact());
            dispatch::answer(core, *tx, Reply { contact, ..Reply::status(200) });
            return Ok(None);
        };
        // RFC 3311 §5.2: our own offer is open, or theirs is.
        if !branch.settled {
            dispatch::answer(core, *tx, Reply::status(491));
            return Ok(None);
        }
        if self.pending.is_some() {
            let headers = vec![make_header("Retry-After", RETRY_AFTER_S.to_owned())];
            dispatch::answer(core, *tx, Reply { headers, ..Reply::status(500) });
            return Ok(None);
        }
        self.pending = Some((tag, tx));
        Ok(Some(sdp))
    }

    /// Answers their UPDATE: with a description, or a status.
    pub(super) fn decide(&mut self, core: &Core, decision: Result<String, u16>) {
        let Some((tag, tx)) = self.pending.take() else { return };
        let Some(branch) = self.branches.iter_mut().find(|it| it.tag == tag) else { return };
        let reply = match decision {
            Ok(sdp) => {
                branch.dialog.retarget(&tx.original);
                // What they will answer the call with has been said.
                branch.sdp = sdp_of(&tx.original.headers, &tx.original.body);
                let contact = Some(branch.dialog.contact());
                Reply { contact, sdp: Some(sdp), ..Reply::status(200) }
            }
            Err(code) => Reply::status(code),
        };
        let response = reply.to(core, &tx.original);
        pump::answer(*tx, response);
    }

    /// The branch answered: its dialog goes on counting where the early one stood. Gives the
    /// description that it sent before, for a 2xx without one.
    pub(super) fn answered(mut self, core: &Core, dialog: &mut Dialog) -> Option<String> {
        self.decide(core, Err(504));
        let branch = self.branches.into_iter().find(|it| it.tag == dialog.remote_tag)?;
        dialog.goes_on(&branch.dialog);
        branch.sdp
    }
}

/// PRACK: a transaction of its own, which repeats itself. Whether it arrived is not awaited; a
/// response that is repeated meanwhile is known by its number.
fn acknowledge(core: &Arc<Core>, invite: &Request, dialog: &mut Dialog, rseq: u32) {
    let cseq = invite.cseq_header().ok().and_then(|it| it.seq().ok()).unwrap_or(1);
    let headers = vec![make_header("RAck", RAck { rseq, cseq }.to_string())];
    if let Some(request) = dialog.request(Method::PRack, headers, None) {
        let (at, to) = (dialog.connection(), dialog.destination());
        tokio::spawn(pump::exchange(Arc::clone(core), request, at, to));
    }
}
