//! Whom to ring: what is asked for, whether it may be, and where it is (RFC 3261 §13.2, RFC 3263).

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;

use rsipstack::sip::headers::make_header;
use rsipstack::sip::{Header, Host, Method, Request, Scheme, Transport, Uri, Version, parse_uri};
use rsipstack::transaction::{make_tag, make_uuid_v4};

use super::calling::{Calling, Way, refused};
use super::carrier::{Carrier, Route, Target};
use super::dialog::{ALLOW, SDP, uri_transport, via};
use super::line::{Ends, Leg};
use super::refresh::Session;
use super::tls::is_secure;
use super::upkeep::trunk_uri;
use super::{Core, Entered};
use crate::srtp::SrtpPolicy;
use crate::trunk::{Carriage, Place, Trunk, Way as Finding, plain_number, way_of_user};

/// Whom to ring, and as whom.
#[derive(Clone, Debug)]
pub struct DialRequest {
    /// `sip:` or `sips:` URI, with `;transport=tcp` or `tls` where it is to be that; or `tel:` and
    /// a number, which goes by the first trunk that may ring it.
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
    /// No trunk may ring it.
    #[error("not allowed: no trunk may ring `{number}`; add its begin to the trunk's `numbers`")]
    Number {
        /// What was to be rung.
        number: String,
    },
    /// As many calls on the trunk as there may be.
    #[error("not allowed: the trunk `{trunk}` has no room; raise its `calls_max`")]
    Full {
        /// Which.
        trunk: String,
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
pub(super) struct Draft {
    pub(super) core: Arc<Core>,
    to: Uri,
    /// Number or user, and the trunks that may carry it.
    user: String,
    carriers: Vec<Arc<Carrier>>,
    from: Uri,
    display: String,
    tag: String,
    call_id: String,
    sdp: String,
    headers: Vec<Header>,
}

/// Checks the request and begins.
pub(super) fn dial(core: &Arc<Core>, request: DialRequest) -> Result<Leg, DialError> {
    let (to, user, carriers) = destination(core, &request.to)?;
    let from = sip_uri(&request.from)?;
    let headers = fields(request.headers)?;
    let display = request.display.unwrap_or_default();
    if display.contains(|it: char| it.is_control()) {
        return Err(DialError::Field { name: "From".to_owned() });
    }
    let tag = make_tag().value().to_owned();
    let display = display.replace('\\', "\\\\").replace('"', "\\\"");
    let call_id = make_uuid_v4();
    let (leg, ends) = Ends::pair();
    core.tracer.follow(&call_id, &tag, &ends.signals);
    let key = (call_id.clone(), tag.clone());
    let entered = core.enter(key.clone(), ends.to_inbox.clone());
    if !carriers.is_empty() {
        let Some(call) = carriers.iter().find_map(Carrier::call) else {
            return Err(DialError::Full { trunk: carriers[0].trunk.name.clone() });
        };
        core.enter_trunk(key, call);
    }
    let core = Arc::clone(core);
    let sdp = request.sdp;
    let draft = Draft { core, to, user, carriers, from, display, tag, call_id, sdp, headers };
    draft.core.runtime.clone().spawn(draft.run(ends, entered));
    Ok(leg)
}

/// Where a call would go, for those who make its offer.
pub(super) fn route(core: &Core, to: &str) -> Result<Route, DialError> {
    let (to, _, carriers) = destination(core, to)?;
    Ok(match carriers.first() {
        Some(first) => Route {
            trunk: Some(first.trunk.name.clone()),
            srtp: first.trunk.srtp,
            secure: first.trunk.carriage == Carriage::Tls,
            peer: first.peer(),
            from: identity(&first.trunk).map(|it| it.to_string()),
        },
        None => Route {
            trunk: None,
            srtp: SrtpPolicy::None,
            secure: is_secure(&to),
            peer: to.host_with_port.host.to_string().trim_matches(['[', ']']).parse().ok(),
            from: None,
        },
    })
}

/// Who we are to a trunk: what it says itself, else the user of its credentials.
fn identity(trunk: &Trunk) -> Option<Uri> {
    let said = trunk.from_uri.as_ref().and_then(|it| sip_uri(it).ok());
    let user = trunk.credentials.as_ref().map(|it| it.username.as_str());
    said.or_else(|| trunk_uri(Some(user?), trunk.domain(), Transport::Udp))
}

/// Reads an address, and finds the trunks that may carry it: none for one that is rung directly.
fn destination(core: &Core, to: &str) -> Result<(Uri, String, Vec<Arc<Carrier>>), DialError> {
    let trunks = || core.carriers.iter().map(|it| &it.trunk);
    if let Some(number) = to.strip_prefix("tel:") {
        let number = plain_number(number);
        let able = core.carriers.iter().filter(|it| it.trunk.allows(&number));
        let mut able: Vec<_> = able.cloned().collect();
        let Some(first) = able.first().map(|it| it.trunk.clone()) else {
            return Err(DialError::Number { number });
        };
        // The offer is made once: others must secure the media and the signalling alike.
        able.retain(|it| it.trunk.srtp == first.srtp && it.trunk.carriage == first.carriage);
        let wrong = || DialError::Uri { uri: to.to_owned() };
        let uri = trunk_uri(Some(&number), first.domain(), Transport::Udp).ok_or_else(wrong)?;
        return Ok((uri, number, able));
    }
    let uri = sip_uri(to)?;
    let host = uri.host_with_port.host.to_string();
    let port = uri.host_with_port.port.map(|it| it.value());
    let user = uri.user().unwrap_or_default().to_owned();
    let bare = host.trim_matches(['[', ']']);
    match way_of_user(trunks(), &user, bare, port) {
        Finding::Trunk(index) => Ok((uri, user, vec![Arc::clone(&core.carriers[index])])),
        Finding::Forbidden => Err(DialError::Number { number: user }),
        Finding::Direct => match uri.host_with_port.host {
            Host::IpAddr(ip) if !core.access.may_dial(&host, Some(ip)) => {
                Err(DialError::NotAllowed { host })
            }
            Host::IpAddr(_) | Host::Domain(_) => Ok((uri, user, Vec::new())),
        },
    }
}

fn sip_uri(text: &str) -> Result<Uri, DialError> {
    let wrong = || DialError::Uri { uri: text.to_owned() };
    let clean =
        !text.contains(|it: char| it.is_control() || it.is_whitespace() || "<>\"".contains(it));
    let uri = parse_uri(text).ok().filter(|_| clean).ok_or_else(wrong)?;
    let is_sip = matches!(uri.scheme, Some(Scheme::Sip | Scheme::Sips));
    if is_sip && uri.headers.is_empty() { Ok(uri) } else { Err(wrong()) }
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
        let found = tokio::time::timeout(self.core.patience, self.ways()).await;
        let ways = match found {
            Ok(Ok(it)) => it,
            Ok(Err((code, reason))) => return refused(&ends, code, reason),
            Err(_) => return refused(&ends, 503, "name server did not answer"),
        };
        Calling::new(self, ways, ends, entered).run().await;
    }

    /// All places in the order in which they are to be tried.
    async fn ways(&self) -> Result<VecDeque<Way>, (u16, &'static str)> {
        let mut ways = VecDeque::new();
        for carrier in &self.carriers {
            if carrier.targets().is_empty() {
                carrier.locate(&self.core).await;
            }
            let way = |target| Way { carrier: Some(Arc::clone(carrier)), target };
            ways.extend(carrier.targets().into_iter().map(way));
        }
        if !self.carriers.is_empty() {
            return if ways.is_empty() { Err((503, "the trunk has no address")) } else { Ok(ways) };
        }
        let (allowed, host) = self.addresses().await?;
        let transport = uri_transport(&self.to);
        if transport == Transport::Tls && self.core.addresses.tls.is_none() {
            tracing::warn!(
                "a call over tls, and no tls listened on: the far side may hang up in vain"
            );
        }
        let way = |address| {
            let target = Target { address, transport, name: host.clone() };
            Way { carrier: None, target }
        };
        Ok(allowed.into_iter().map(way).collect())
    }

    /// The addresses that are checked are the addresses that are rung.
    async fn addresses(&self) -> Result<(Vec<SocketAddr>, String), (u16, &'static str)> {
        let port = self.to.host_with_port.port.map(|it| it.value());
        let carriage = match uri_transport(&self.to) {
            Transport::Tls => Carriage::Tls,
            Transport::Tcp => Carriage::Tcp,
            _ => Carriage::Udp,
        };
        let host = match &self.to.host_with_port.host {
            Host::IpAddr(ip) => ip.to_string(),
            Host::Domain(name) => name.to_string(),
        };
        let place = Place { host: host.clone(), port };
        let resolver = &self.core.resolver;
        let mut told = resolver.places(&place, carriage, rand::random()).await;
        if told.is_partial && told.addresses.is_empty() {
            // Nothing stands that could be rung instead: better by chance than not at all.
            told = resolver.own_addresses(&place, carriage).await;
        }
        let mut found = told.addresses;
        let is_ipv4 = self.core.addresses.bound().is_none_or(|it| it.is_ipv4());
        found.sort_by_key(|it| it.is_ipv4() != is_ipv4);
        if found.is_empty() {
            return Err((404, "host not found"));
        }
        found.retain(|it| self.core.access.may_dial(&host, Some(it.ip())));
        if found.is_empty() { Err((403, "destination not allowed")) } else { Ok((found, host)) }
    }

    /// The INVITE for a place.
    pub(super) fn invite(&self, way: &Way, seq: u32, session: &Session) -> Option<Request> {
        let Target { address, transport, name } = &way.target;
        let (peer, transport) = (address.ip(), *transport);
        let (uri, from) = match &way.carrier {
            Some(carrier) => {
                let trunk = &carrier.trunk;
                let number = format!("{}{}", trunk.prefix, self.user);
                let us = identity(trunk).unwrap_or_else(|| self.from.clone());
                (trunk_uri(Some(&number), name, transport)?, us)
            }
            None => (self.to.clone(), self.from.clone()),
        };
        let shown = match self.display.as_str() {
            "" => String::new(),
            display => format!("\"{display}\" "),
        };
        let mut headers = vec![
            via(&self.core, transport, peer)?,
            make_header("Max-Forwards", "70".to_owned()),
            make_header("From", format!("{shown}<{from}>;tag={}", self.tag)),
            make_header("To", format!("<{uri}>")),
            make_header("Call-ID", self.call_id.clone()),
            make_header("CSeq", format!("{seq} INVITE")),
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
        let (method, version) = (Method::Invite, Version::V2);
        Some(Request { method, uri, version, headers: headers.into(), body })
    }
}
