//! A call that we place, until it is answered or not (RFC 3261 §13.2, §9.1).

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use rsipstack::sip::headers::make_header;
use rsipstack::sip::prelude::{HeadersExt, ToTypedHeader};
use rsipstack::sip::{
    Header, Host, Method, Request, Response, Scheme, StatusCodeKind, Uri, Version, parse_uri,
};
use rsipstack::transaction::transaction::Transaction;
use rsipstack::transaction::{make_tag, make_uuid_v4};
use rsipstack::transport::{SipAddr, SipConnection};
use tokio::task::AbortHandle;

use super::dialog::{ALLOW, Dialog, Reply, SDP, sdp_of, source_of, uri_transport, via};
use super::early::Early;
use super::established::Talk;
use super::line::{Command, Ends, Input, Leg, LegSignal};
use super::pump::{self, ClientEvent};
use super::refresh::{self, Session};
use super::{Core, Entered, dispatch};

/// Requests kept that overtook the answer.
const MOST_STASHED: usize = 8;

/// Whom to ring, and as whom.
#[derive(Clone, Debug)]
pub struct DialRequest {
    /// `sip:` URI, with `;transport=tcp` where it is to be TCP.
    pub to: String,
    /// `sip:` URI that the far side is shown.
    pub from: String,
    /// Name that the far side is shown.
    pub display: Option<String>,
    /// Our offer.
    pub sdp: String,
    /// Further header fields, such as `User-to-User` (RFC 7433).
    pub headers: Vec<(String, String)>,
}

/// Why nobody was rung.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DialError {
    /// Not a `sip:` URI.
    #[error("api misuse: `{uri}` is no sip uri")]
    Uri {
        /// What was given.
        uri: String,
    },
    /// A header field, or a name, with a line break or of a kind that is ours to write.
    #[error("api misuse: header field `{name}` cannot be sent")]
    Field {
        /// Its name.
        name: String,
    },
    /// Not among the allowed destinations.
    #[error("not allowed: `{host}` is no allowed destination")]
    NotAllowed {
        /// The host.
        host: String,
    },
}

/// Fields that a dialog lives by.
const OURS: [&str; 11] = [
    "Via",
    "From",
    "To",
    "Call-ID",
    "CSeq",
    "Contact",
    "Max-Forwards",
    "Content-Length",
    "Content-Type",
    "Route",
    "Record-Route",
];

/// What is needed to write the INVITE, once it is known where to.
struct Draft {
    core: Arc<Core>,
    to: Uri,
    from: String,
    call_id: String,
    sdp: String,
    headers: Vec<Header>,
}

/// Checks the request and begins.
pub(super) fn dial(core: &Arc<Core>, request: DialRequest) -> Result<Leg, DialError> {
    let to = sip_uri(&request.to)?;
    let from = sip_uri(&request.from)?;
    let headers = fields(request.headers)?;
    let display = request.display.unwrap_or_default();
    if display.contains(|it: char| it.is_control()) {
        return Err(DialError::Field { name: "From".to_owned() });
    }
    let host = to.host_with_port.host.to_string();
    if let Host::IpAddr(ip) = to.host_with_port.host
        && !core.access.may_dial(&host, Some(ip))
    {
        return Err(DialError::NotAllowed { host });
    }
    let tag = make_tag().value().to_owned();
    let display = display.replace('\\', "\\\\").replace('"', "\\\"");
    let name = if display.is_empty() { display } else { format!("\"{display}\" ") };
    let from = format!("{name}<{from}>;tag={tag}");
    let call_id = make_uuid_v4();
    let (leg, ends) = Ends::pair();
    core.tracer.follow(&call_id, &tag, &ends.signals);
    let entered = core.enter((call_id.clone(), tag), ends.to_inbox.clone());
    let draft = Draft { core: Arc::clone(core), to, from, call_id, sdp: request.sdp, headers };
    core.runtime.spawn(draft.run(ends, entered));
    Ok(leg)
}

fn sip_uri(text: &str) -> Result<Uri, DialError> {
    let wrong = || DialError::Uri { uri: text.to_owned() };
    let clean =
        !text.contains(|it: char| it.is_control() || it.is_whitespace() || "<>\"".contains(it));
    let uri = parse_uri(text).ok().filter(|_| clean).ok_or_else(wrong)?;
    if uri.scheme == Some(Scheme::Sip) && uri.headers.is_empty() { Ok(uri) } else { Err(wrong()) }
}

fn fields(given: Vec<(String, String)>) -> Result<Vec<Header>, DialError> {
    let token = |it: char| it.is_ascii_alphanumeric() || "-.!%*_+`'~".contains(it);
    given
        .into_iter()
        .map(|(name, value)| {
            let sound = !name.is_empty()
                && name.chars().all(token)
                && !value.contains(|it: char| it.is_control())
                && !OURS.iter().any(|it| it.eq_ignore_ascii_case(&name));
            if sound { Ok(make_header(&name, value)) } else { Err(DialError::Field { name }) }
        })
        .collect()
}

impl Draft {
    async fn run(self, ends: Ends, entered: Entered) {
        // Whoever hangs up meanwhile is heard when the name server has answered, or not.
        let found = tokio::time::timeout(self.core.patience, self.resolve()).await;
        let destination = match found {
            Ok(Ok(it)) => it,
            Ok(Err((code, reason))) => return refused(&ends, code, reason),
            Err(_) => return refused(&ends, 503, "name server did not answer"),
        };
        let session = Session::new(&self.core);
        let Some(invite) = self.invite(destination.ip(), &session) else {
            return refused(&ends, 500, "cannot write the request");
        };
        let to = SipAddr { r#type: Some(uri_transport(&self.to)), addr: destination.into() };
        let inbox = ends.to_inbox.clone();
        let tell = move |event| {
            let _ = inbox.send(Input::Client(event));
        };
        let sending = pump::send_invite(Arc::clone(&self.core), invite.clone(), to, tell);
        let calling = Calling {
            core: self.core,
            invite,
            ends,
            entered,
            sending,
            sent: None,
            ringing: false,
            cancel: Cancel::No,
            stashed: VecDeque::new(),
            session,
            early: Early::default(),
            superseded: 0,
        };
        calling.run().await;
    }

    /// The address that is checked is the address that is rung.
    async fn resolve(&self) -> Result<SocketAddr, (u16, &'static str)> {
        let port = self.to.host_with_port.port.map_or(5060, |it| it.value());
        let name = match &self.to.host_with_port.host {
            Host::IpAddr(ip) => return Ok(SocketAddr::new(*ip, port)),
            Host::Domain(name) => name.to_string(),
        };
        let found = tokio::net::lookup_host((name.as_str(), port)).await;
        let found: Vec<SocketAddr> = found.map_err(|_| (404, "host not found"))?.collect();
        let family = self.core.addresses.udp.or(self.core.addresses.tcp).map(|it| it.is_ipv4());
        let fits = found.iter().find(|it| Some(it.is_ipv4()) == family);
        let address = *fits.or_else(|| found.first()).ok_or((404, "host not found"))?;
        if self.core.access.may_dial(&name, Some(address.ip())) {
            Ok(address)
        } else {
            Err((403, "destination not allowed"))
        }
    }

    fn invite(&self, peer: IpAddr, session: &Session) -> Option<Request> {
        let transport = uri_transport(&self.to);
        let mut headers = vec![
            via(&self.core, transport, peer)?,
            make_header("Max-Forwards", "70".to_owned()),
            make_header("From", self.from.clone()),
            make_header("To", format!("<{}>", self.to)),
            make_header("Call-ID", self.call_id.clone()),
            make_header("CSeq", "1 INVITE".to_owned()),
            make_header("Contact", self.core.addresses.contact(transport, peer)),
            make_header("Allow", ALLOW.to_owned()),
            make_header("User-Agent", self.core.user_agent.clone()),
        ];
        headers.extend(session.propose());
        headers.extend(self.headers.iter().cloned());
        let body = self.sdp.clone().into_bytes();
        if !body.is_empty() {
            headers.push(make_header("Content-Type", SDP.to_owned()));
        }
        headers.push(make_header("Content-Length", body.len().to_string()));
        let (method, uri, version) = (Method::Invite, self.to.clone(), Version::V2);
        Some(Request { method, uri, version, headers: headers.into(), body })
    }
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
struct Calling {
    core: Arc<Core>,
    invite: Request,
    ends: Ends,
    entered: Entered,
    sending: Option<AbortHandle>,
    sent: Option<(Option<SipConnection>, Option<SipAddr>)>,
    ringing: bool,
    cancel: Cancel,
    stashed: VecDeque<Transaction>,
    session: Session,
    early: Early,
    /// INVITEs of ours that were answered such that another took their place, and whose
    /// transactions have still to end.
    superseded: u32,
}

impl Calling {
    async fn run(mut self) {
        let mut commanded = true;
        loop {
            tokio::select! {
                command = self.ends.commands.recv(), if commanded => {
                    commanded = command.is_some();
                    match command {
                        Some(Command::HangUp { .. }) | None => self.give_up(),
                        Some(Command::AcceptReinvite(sdp)) => {
                            self.early.decide(&self.core, Ok(sdp));
                        }
                        Some(Command::RefuseReinvite { code }) => {
                            self.early.decide(&self.core, Err(code));
                        }
                        Some(_) => {}
                    }
                }
                Some(input) = self.ends.inbox.recv() => match input {
                    Input::Client(ClientEvent::Sent(connection, destination)) => {
                        self.sent = Some((connection, destination));
                    }
                    Input::Client(ClientEvent::Response(response)) => {
                        let code = response.status_code.code();
                        match response.status_code.kind() {
                            StatusCodeKind::Provisional => self.provisional(code, &response),
                            StatusCodeKind::Successful => return self.answered(*response).await,
                            _ if code == 422 && self.ask_longer(&response) => {}
                            _ => {
                                let retry = response.header_value("Retry-After");
                                let retry = retry.and_then(|it| leading_number(&it));
                                let reason = response.status_code.text().to_owned();
                                return self.over(code, &reason, retry);
                            }
                        }
                    }
                    Input::Client(ClientEvent::Unreachable) => {
                        return self.over(503, "unreachable", None);
                    }
                    Input::Client(ClientEvent::Ended) if self.superseded > 0 => {
                        self.superseded -= 1;
                    }
                    Input::Client(ClientEvent::Ended) => return self.over(408, "no answer", None),
                    Input::GaveUp => {
                        if let Some(sending) = &self.sending {
                            sending.abort();
                        }
                        return self.over(487, "given up", None);
                    }
                    Input::Arrived(tx) => self.arrived(tx),
                    Input::Server(..) | Input::Reinvited(_) | Input::Refreshed(_)
                    | Input::ByeDone => {}
                },
            }
        }
    }

    fn provisional(&mut self, code: u16, response: &Response) {
        self.ringing = true;
        if self.cancel == Cancel::Wanted {
            self.send_cancel();
        }
        if code == 100 {
            return;
        }
        let (connection, source) = self.way();
        let early = &mut self.early;
        let sdp = early.provisional(&self.core, &self.invite, response, (connection, source));
        if let Some(sdp) = sdp.filter(|_| self.cancel == Cancel::No) {
            self.ends.signal(LegSignal::Progress { code, sdp });
        }
    }

    /// A request of a branch that rings, or whose answer it overtook.
    fn arrived(&mut self, tx: Box<Transaction>) {
        match self.early.arrived(&self.core, tx) {
            Ok(Some(sdp)) => self.ends.signal(LegSignal::Reinvited { sdp: Some(sdp) }),
            Ok(None) => {}
            Err(tx) if self.stashed.len() < MOST_STASHED => self.stashed.push_back(*tx),
            Err(tx) => dispatch::answer(&self.core, *tx, Reply::status(481)),
        }
    }

    /// 422: the same INVITE again with a longer session interval (RFC 4028 §7.3); whether it went.
    fn ask_longer(&mut self, response: &Response) -> bool {
        if self.cancel != Cancel::No || !self.session.timer.raise(refresh::min_se(Some(response))) {
            return false;
        }
        let Some(invite) = again(&self.core, &self.invite, self.session.propose()) else {
            return false;
        };
        let Some(to) = self.sent.clone().and_then(|(_, destination)| destination) else {
            return false;
        };
        let inbox = self.ends.to_inbox.clone();
        let tell = move |event| {
            let _ = inbox.send(Input::Client(event));
        };
        self.superseded += 1;
        self.ringing = false;
        self.sending = pump::send_invite(Arc::clone(&self.core), invite.clone(), to, tell);
        self.invite = invite;
        true
    }

    /// How the INVITE went out, and to whom.
    fn way(&self) -> (Option<SipConnection>, Option<SocketAddr>) {
        let (connection, destination) = self.sent.clone().unwrap_or_default();
        let source = destination.as_ref().and_then(|it| it.get_socketaddr().ok());
        let source = source.or_else(|| source_of(connection.as_ref()));
        (connection, source)
    }

    /// The INVITE may be on its way although we have not been told: it is waited for.
    fn give_up(&mut self) {
        if self.cancel == Cancel::No {
            self.cancel = Cancel::Wanted;
            if self.ringing {
                self.send_cancel();
            }
        }
    }

    /// CANCEL carries the INVITE's branch (RFC 3261 §9.1); then a final answer is owed in 64·T1.
    fn send_cancel(&mut self) {
        self.cancel = Cancel::Sent;
        let mut cancel = self.invite.clone();
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
        let seq = self.invite.cseq_header().ok().and_then(|it| it.seq().ok()).unwrap_or(1);
        cancel.headers.push(make_header("CSeq", format!("{seq} CANCEL")));
        let (connection, destination) = self.sent.clone().unwrap_or_default();
        let connection = connection.filter(SipConnection::is_reliable);
        let (core, inbox) = (Arc::clone(&self.core), self.ends.to_inbox.clone());
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
        let (connection, source) = self.way();
        let mut dialog = Dialog::of_client(&self.core, &self.invite, &response, connection, source);
        let before = self.early.answered(&self.core, &mut dialog);
        let sdp = sdp_of(&response.headers, &response.body).or(before);
        self.session.accepted(&response);
        let ours = sdp_of(&self.invite.headers, &self.invite.body);
        if self.cancel == Cancel::No {
            self.ends.signal(LegSignal::Accepted { sdp });
            let talk = Talk::new(self.core, dialog, self.ends, self.entered, None);
            return talk.timed(self.session, ours).run_with(self.stashed).await;
        }
        refused(&self.ends, 487, "given up");
        Talk::new(self.core, dialog, self.ends, self.entered, None).end().await;
    }

    fn over(&mut self, code: u16, reason: &str, retry_after_s: Option<u32>) {
        let reason = reason.to_owned();
        self.ends.signal(LegSignal::Refused { code, reason, retry_after_s });
        for tx in std::mem::take(&mut self.stashed) {
            dispatch::answer(&self.core, tx, Reply::status(481));
        }
    }
}

/// An INVITE again, as a new transaction with these fields in the place of their like.
fn again(core: &Core, invite: &Request, fields: Vec<Header>) -> Option<Request> {
    let seq = invite.cseq_header().ok()?.seq().ok()? + 1;
    let Some(Header::Via(sent)) = invite.headers.iter().find(|it| matches!(it, Header::Via(_)))
    else {
        return None;
    };
    let sent = sent.typed().ok()?;
    let address = SipAddr { r#type: Some(sent.transport), addr: sent.uri.host_with_port };
    let via: Header = core.stack.get_via(Some(address), None).ok()?.into();
    let mut request = invite.clone();
    let replaced = |it: &Header| {
        matches!(it, Header::Via(_) | Header::CSeq(_))
            || fields.iter().any(|field| field.name().eq_ignore_ascii_case(it.name()))
    };
    let kept: Vec<Header> = invite.headers.iter().filter(|it| !replaced(it)).cloned().collect();
    let mut headers = vec![via, make_header("CSeq", format!("{seq} INVITE"))];
    headers.extend(kept);
    headers.extend(fields);
    request.headers = headers.into();
    Some(request)
}

fn refused(ends: &Ends, code: u16, reason: &str) {
    let reason = reason.to_owned();
    ends.signal(LegSignal::Refused { code, reason, retry_after_s: None });
}

/// `120;duration=60 (at lunch)`.
fn leading_number(value: &str) -> Option<u32> {
    let digits: String = value.trim().chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}
