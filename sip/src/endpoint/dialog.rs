//! Dialogs (RFC 3261 §12): what both sides remember, and the messages made from it.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use rsipstack::sip::headers::{Headers, make_header};
use rsipstack::sip::prelude::HeadersExt;
use rsipstack::sip::{
    Header, Host, Method, Request, Response, Scheme, SipMessage, Transport, Uri, Version,
};
use rsipstack::transaction::key::{TransactionKey, TransactionRole};
use rsipstack::transport::{SipAddr, SipConnection};

use super::Core;

/// Methods that we serve, for `Allow`.
pub(super) const ALLOW: &str = "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, UPDATE, PRACK";
/// Extensions that we know, for `Supported` and against `Require`.
pub(super) const SUPPORTED: [&str; 2] = ["timer", "100rel"];
/// The body that we read in an INVITE.
pub(super) const SDP: &str = "application/sdp";

/// One side of a dialog.
pub(super) struct Dialog {
    core: Arc<Core>,
    call_id: String,
    /// `From` of our requests.
    local: String,
    /// `To` of our requests.
    remote: String,
    /// Their tag.
    pub(super) remote_tag: String,
    local_seq: Arc<AtomicU32>,
    remote_seq: u32,
    target: Uri,
    routes: Vec<String>,
    contact: String,
    connection: Option<SipConnection>,
    /// Where the request that began it came from.
    source: Option<SocketAddr>,
    /// Whether they take UPDATE.
    pub(super) updates: bool,
}

impl Dialog {
    /// Of a call that came in. `None` where the request lacks what a dialog needs.
    pub(super) fn of_server(
        core: &Arc<Core>,
        request: &Request,
        tag: &str,
        connection: Option<&SipConnection>,
    ) -> Option<Self> {
        let source = source_of(connection)?;
        let transport = connection.map_or(Transport::Udp, SipConnection::transport);
        Some(Self {
            core: Arc::clone(core),
            call_id: request.call_id_header().ok()?.value().to_owned(),
            local: tagged(request.to_header().ok()?.value(), tag),
            remote: request.from_header().ok()?.value().to_owned(),
            remote_tag: from_tag(&request.headers)?,
            local_seq: core.sequence(request.call_id_header().ok()?.value(), tag, 0),
            remote_seq: request.cseq_header().ok()?.seq().ok()?,
            target: contact_of(request)?,
            routes: record_routes(request),
            contact: core.addresses.contact(transport, source.ip()),
            connection: reliable(connection.cloned()),
            source: Some(source),
            updates: names(&request.headers, "Allow", "UPDATE"),
        })
    }

    /// Of a call that we began and that this response answers. Where it names no contact, the
    /// request's own target stays.
    pub(super) fn of_client(
        core: &Arc<Core>,
        invite: &Request,
        response: &Response,
        connection: Option<SipConnection>,
        source: Option<SocketAddr>,
    ) -> Self {
        let value = |header: &str| invite.header_value(header).unwrap_or_default();
        let source = source.or_else(|| rung_at(&invite.uri).filter(|_| core.confined));
        let mut routes = record_routes(response);
        routes.reverse();
        Self {
            core: Arc::clone(core),
            call_id: value("Call-ID"),
            local: value("From"),
            remote: response.header_value("To").unwrap_or_default(),
            remote_tag: to_tag(&response.headers).unwrap_or_default(),
            local_seq: core.sequence(
                &value("Call-ID"),
                &from_tag(&invite.headers).unwrap_or_default(),
                invite.cseq_header().ok().and_then(|it| it.seq().ok()).unwrap_or(1),
            ),
            remote_seq: 0,
            target: contact_of(response).unwrap_or_else(|| invite.uri.clone()),
            routes,
            contact: value("Contact"),
            connection: reliable(connection),
            source,
            updates: names(&response.headers, "Allow", "UPDATE"),
        }
    }

    /// Counts on from where an early dialog with the same branch stood.
    pub(super) fn goes_on(&mut self, early: &Self) {
        self.local_seq.fetch_max(early.local_seq.load(Ordering::Acquire), Ordering::AcqRel);
        self.remote_seq = self.remote_seq.max(early.remote_seq);
        self.updates |= early.updates;
    }

    /// Leaves room for requests that others of ours may have sent on this dialog.
    pub(super) fn skip(&self, requests: u32) {
        self.local_seq.fetch_add(requests, Ordering::AcqRel);
    }

    /// The sequence numbers of our requests.
    pub(super) fn sequence(&self) -> Arc<AtomicU32> {
        Arc::clone(&self.local_seq)
    }

    /// Our contact, as in `Contact`.
    pub(super) fn contact(&self) -> &str {
        &self.contact
    }

    /// The connection to send on, if it still stands; datagrams need none.
    pub(super) fn connection(&self) -> Option<SipConnection> {
        let alive = |it: &&SipConnection| it.cancel_token().is_none_or(|it| !it.is_cancelled());
        self.connection.as_ref().filter(alive).cloned()
    }

    /// Where requests go when not along a route set or a connection: to the contact, unless that
    /// is an address of some private network that the peer is seen not to send from.
    /// Where nothing may be sent but to addresses that were named, to the peer itself.
    pub(super) fn destination(&self) -> Option<SipAddr> {
        if let Some(source) = self.source.filter(|_| self.core.confined) {
            return Some(SipAddr { r#type: Some(Transport::Udp), addr: source.into() });
        }
        if !self.routes.is_empty() {
            return None;
        }
        let transport = uri_transport(&self.target);
        let port = self.target.host_with_port.port;
        let port = port.map_or_else(|| transport.default_port().value(), |it| it.value());
        let at = match (&self.target.host_with_port.host, self.source) {
            (Host::IpAddr(ip), Some(source)) if is_private(*ip) && *ip != source.ip() => source,
            (Host::IpAddr(ip), _) => SocketAddr::new(*ip, port),
            (Host::Domain(_), source) => source?,
        };
        Some(SipAddr { r#type: Some(transport), addr: at.into() })
    }

    /// Takes the sequence number of their request; `false` where it is an old one.
    pub(super) fn in_order(&mut self, request: &Request) -> bool {
        let seq = request.cseq_header().ok().and_then(|it| it.seq().ok()).unwrap_or_default();
        let in_order = seq >= self.remote_seq;
        self.remote_seq = self.remote_seq.max(seq);
        in_order
    }

    /// Takes the contact of a request that may move it (RFC 3261 §12.2).
    pub(super) fn retarget(&mut self, message: &impl HeadersExt) {
        if let Some(target) = contact_of(message) {
            self.target = target;
        }
    }

    /// A request within the dialog.
    #[expect(clippy::needless_pass_by_ref_mut, reason = "a step of the dialog, one at a time")]
    pub(super) fn request(
        &mut self,
        method: Method,
        mut extra: Vec<Header>,
        body: Option<(&str, Vec<u8>)>,
    ) -> Option<Request> {
        let seq = self.local_seq.fetch_add(1, Ordering::AcqRel) + 1;
        let peer = self.source.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |it| it.ip());
        let connected = self.connection().map(|it| it.transport());
        let transport = connected.unwrap_or_else(|| uri_transport(&self.target));
        let mut headers = vec![
            via(&self.core, transport, peer)?,
            make_header("Max-Forwards", "70".to_owned()),
            make_header("From", self.local.clone()),
            make_header("To", self.remote.clone()),
            make_header("Call-ID", self.call_id.clone()),
            make_header("CSeq", format!("{seq} {method}")),
            make_header("Contact", self.contact.clone()),
            make_header("User-Agent", self.core.user_agent.clone()),
        ];
        headers.extend(self.routes.iter().map(|it| make_header("Route", it.clone())));
        headers.append(&mut extra);
        let (kind, body) = body.unwrap_or_default();
        if !body.is_empty() {
            headers.push(make_header("Content-Type", kind.to_owned()));
        }
        headers.push(make_header("Content-Length", body.len().to_string()));
        let uri = self.target.clone();
        Some(Request { method, uri, version: Version::V2, headers: headers.into(), body })
    }
}

/// An answer to be: status and what goes with it.
#[derive(Default)]
pub(super) struct Reply<'a> {
    pub(super) code: u16,
    /// Our tag, where the request has none yet.
    pub(super) tag: Option<&'a str>,
    pub(super) contact: Option<&'a str>,
    pub(super) headers: Vec<Header>,
    pub(super) sdp: Option<String>,
}

impl Reply<'_> {
    /// A mere status.
    pub(super) fn status(code: u16) -> Self {
        Self { code, ..Self::default() }
    }

    /// The message.
    pub(super) fn to(self, core: &Core, request: &Request) -> Response {
        let mut headers = Headers::default();
        for header in request.headers.iter() {
            match header {
                Header::Via(_) | Header::From(_) | Header::CallId(_) | Header::CSeq(_) => {
                    headers.push(header.clone());
                }
                Header::RecordRoute(_) if self.code < 300 => headers.push(header.clone()),
                Header::To(to) => match self.tag {
                    Some(tag) if to_tag(&request.headers).is_none() => {
                        headers.push(make_header("To", tagged(to.value(), tag)));
                    }
                    _ => headers.push(header.clone()),
                },
                _ => {}
            }
        }
        if let Some(contact) = self.contact {
            headers.push(make_header("Contact", contact.to_owned()));
        }
        if self.code > 100 {
            headers.push(make_header("Allow", ALLOW.to_owned()));
            headers.push(make_header("Supported", SUPPORTED.join(", ")));
            headers.push(make_header("Server", core.user_agent.clone()));
        }
        headers.extend(self.headers);
        let body = self.sdp.unwrap_or_default().into_bytes();
        if !body.is_empty() {
            headers.push(make_header("Content-Type", SDP.to_owned()));
        }
        headers.push(make_header("Content-Length", body.len().to_string()));
        let (status_code, version) = (self.code.into(), Version::V2);
        Response { status_code, wire_reason: None, version, headers, body }
    }
}

/// A new `Via` of ours.
pub(super) fn via(core: &Core, transport: Transport, peer: IpAddr) -> Option<Header> {
    let address = core.addresses.listener(transport, peer);
    let address = SipAddr { r#type: Some(transport), addr: address.into() };
    core.stack.get_via(Some(address), None).ok().map(Into::into)
}

/// Who sent what came over this connection.
pub(super) fn source_of(connection: Option<&SipConnection>) -> Option<SocketAddr> {
    connection?.get_remote_addr()?.get_socketaddr().ok()
}

/// Where a URI that names an address is rung.
fn rung_at(uri: &Uri) -> Option<SocketAddr> {
    let Host::IpAddr(ip) = uri.host_with_port.host else { return None };
    let default = uri_transport(uri).default_port().value();
    Some(SocketAddr::new(ip, uri.host_with_port.port.map_or(default, |it| it.value())))
}

/// UDP, TCP and TLS are what we speak.
pub(super) fn uri_transport(uri: &Uri) -> Transport {
    let named = uri.params.iter().find_map(|it| match it {
        rsipstack::sip::Param::Transport(transport) => Some(*transport),
        _ => None,
    });
    match named {
        _ if uri.scheme == Some(Scheme::Sips) => Transport::Tls,
        Some(transport @ (Transport::Tcp | Transport::Tls)) => transport,
        _ => Transport::Udp,
    }
}

/// The description that a message carries.
pub(super) fn sdp_of(headers: &Headers, body: &[u8]) -> Option<String> {
    let kind = headers.iter().find_map(|it| match it {
        Header::ContentType(kind) => Some(kind.value()),
        _ => None,
    });
    let is_sdp = kind.is_none_or(|it| media_type(it).eq_ignore_ascii_case(SDP));
    (is_sdp && !body.is_empty()).then(|| String::from_utf8_lossy(body).into_owned())
}

/// `application/sdp` of `application/sdp; charset=utf-8`.
pub(super) fn media_type(content_type: &str) -> &str {
    content_type.split(';').next().unwrap_or_default().trim()
}

/// Whether a list field, in all its lines, names a token.
pub(super) fn names(headers: &Headers, field: &str, token: &str) -> bool {
    listed(headers, field).any(|it| it.eq_ignore_ascii_case(token))
}

/// The tokens of a list field, in all its lines.
pub(super) fn listed<'a>(headers: &'a Headers, field: &'a str) -> impl Iterator<Item = &'a str> {
    let lines = headers.iter().filter(move |it| it.name().eq_ignore_ascii_case(field));
    lines.flat_map(|it| it.value().split(',')).map(str::trim).filter(|it| !it.is_empty())
}

/// Tag of `To`.
pub(super) fn to_tag(headers: &Headers) -> Option<String> {
    let to = headers.get(|it| if let Header::To(to) = it { Some(to) } else { None })?;
    to.tag().ok().flatten().map(|it| it.value().to_owned())
}

/// Tag of `From`.
pub(super) fn from_tag(headers: &Headers) -> Option<String> {
    let from = headers.get(|it| if let Header::From(from) = it { Some(from) } else { None })?;
    from.tag().ok().flatten().map(|it| it.value().to_owned())
}

/// Reads of a message what a dialog reads. For fuzzing.
pub(super) fn try_reading(message: &SipMessage) {
    let (SipMessage::Request(Request { headers, body, .. })
    | SipMessage::Response(Response { headers, body, .. })) = message;
    let _ = (to_tag(headers), from_tag(headers), sdp_of(headers, body));
    let _ = (contact_of(message), record_routes(message));
    let _ = SipConnection::get_destination(message);
    if let SipMessage::Request(request) = message {
        let _ = TransactionKey::from_request(request, TransactionRole::Server);
    }
}

fn contact_of(message: &impl HeadersExt) -> Option<Uri> {
    message.typed_contact_headers().ok()?.into_iter().next().map(|it| it.uri)
}

fn record_routes(message: &impl HeadersExt) -> Vec<String> {
    let routes = message.typed_record_route_headers().unwrap_or_default();
    routes.iter().map(ToString::to_string).collect()
}

fn tagged(value: &str, tag: &str) -> String {
    format!("{value};tag={tag}")
}

fn reliable(connection: Option<SipConnection>) -> Option<SipConnection> {
    connection.filter(SipConnection::is_reliable)
}

fn is_private(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => ip.is_private() || ip.is_unspecified() || ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_unspecified() || ip.is_unique_local(),
    }
}
