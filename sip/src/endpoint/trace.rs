//! What passed between us and a far end, for the call's timeline.
//!
//! Each message becomes one line made of what is known to be harmless: first line without address,
//! sequence number, fields that steer dialogs and timers, the audio line of a description. Nothing
//! that could be a credential, a key (`a=crypto`) or a word of the caller's is ever copied.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rsipstack::sip::SipMessage;
use rsipstack::sip::headers::Headers;
use rsipstack::sip::prelude::{HasHeaders, HeadersExt};
use rsipstack::transaction::endpoint::MessageInspector;
use rsipstack::transport::SipAddr;
use tokio::sync::mpsc;

use super::dialog::{from_tag, sdp_of, to_tag};
use super::line::LegSignal;

/// Most messages told of one leg; a peer that sends more is not worth a longer timeline.
const MOST_TOLD: u32 = 200;
/// Fields whose values are told, cut at this length.
const FIELD_CHARS: usize = 80;
const FIELDS: [&str; 8] = [
    "Session-Expires",
    "Min-SE",
    "Require",
    "RSeq",
    "RAck",
    "Retry-After",
    "Reason",
    "Content-Type",
];

struct Followed {
    tag: String,
    told: u32,
    signals: mpsc::UnboundedSender<LegSignal>,
}

/// Who wants to be told, by Call-ID.
#[derive(Default)]
pub(super) struct Tracer {
    on: AtomicBool,
    legs: Mutex<HashMap<String, Vec<Followed>>>,
}

impl Tracer {
    /// Whether legs that begin from now on are told their messages.
    pub(super) fn turn(&self, on: bool) {
        self.on.store(on, Ordering::Relaxed);
    }

    /// Tells a leg its messages from now on, if that is wanted at all.
    pub(super) fn follow(
        &self,
        call_id: &str,
        tag: &str,
        signals: &mpsc::UnboundedSender<LegSignal>,
    ) {
        if self.on.load(Ordering::Relaxed) {
            let followed = Followed { tag: tag.to_owned(), told: 0, signals: signals.clone() };
            self.legs().entry(call_id.to_owned()).or_default().push(followed);
        }
    }

    /// The leg is over.
    pub(super) fn forget(&self, call_id: &str, tag: &str) {
        let mut legs = self.legs();
        if let Some(followed) = legs.get_mut(call_id) {
            followed.retain(|it| it.tag != tag);
            if followed.is_empty() {
                legs.remove(call_id);
            }
        }
    }

    /// Tells of a message, where somebody wants to know.
    pub(super) fn tell(&self, sent: bool, message: &SipMessage) {
        if !self.on.load(Ordering::Relaxed) {
            return;
        }
        let headers = message.headers();
        let Ok(call_id) = message.call_id_header().map(|it| it.value().to_owned()) else { return };
        let mut legs = self.legs();
        let Some(followed) = legs.get_mut(&call_id) else { return };
        // Ours is the tag of whoever began the transaction and is us, or answered it and is us.
        let tag = match (message, sent) {
            (SipMessage::Request(_), true) | (SipMessage::Response(_), false) => from_tag(headers),
            (SipMessage::Request(_), false) | (SipMessage::Response(_), true) => to_tag(headers),
        };
        // CANCEL and 100 have none.
        let ours = |it: &&mut Followed| tag.as_ref().is_none_or(|tag| *tag == it.tag);
        if let Some(leg) = followed.iter_mut().find(ours)
            && leg.told < MOST_TOLD
        {
            leg.told += 1;
            let summary = summary(message);
            let _ = leg.signals.send(LegSignal::Trace { sent, summary });
        }
    }

    fn legs(&self) -> MutexGuard<'_, HashMap<String, Vec<Followed>>> {
        self.legs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// rsipstack's look at every message that belongs to a transaction.
pub(super) struct Inspector(pub(super) Arc<Tracer>);

impl MessageInspector for Inspector {
    fn before_send(&self, message: SipMessage, _: Option<&SipAddr>) -> SipMessage {
        self.0.tell(true, &message);
        message
    }

    fn after_received(&self, message: SipMessage, _: Option<&SipAddr>) -> SipMessage {
        self.0.tell(false, &message);
        message
    }
}

/// `200 OK, 2 INVITE, Require: timer, audio RTP/AVP 0 101 sendrecv`.
fn summary(message: &SipMessage) -> String {
    let (first, body) = match message {
        SipMessage::Request(it) => (it.method.to_string(), &it.body),
        SipMessage::Response(it) => {
            (format!("{} {}", it.status_code.code(), it.status_code.text()), &it.body)
        }
    };
    let mut text = first;
    if let Ok(cseq) = message.cseq_header() {
        let _ = write!(text, ", {}", cseq.value().trim());
    }
    fields(&mut text, message.headers());
    if let Some(sdp) = sdp_of(message.headers(), body) {
        description(&mut text, &sdp);
    }
    text
}

fn fields(text: &mut String, headers: &Headers) {
    for header in headers.iter() {
        if FIELDS.iter().any(|it| it.eq_ignore_ascii_case(header.name())) {
            let value: String = header.value().trim().chars().take(FIELD_CHARS).collect();
            let _ = write!(text, ", {}: {value}", header.name());
        }
    }
}

/// The kind of each section, its profile and formats, and which way sound flows.
fn description(text: &mut String, sdp: &str) {
    for line in sdp.lines() {
        let line = line.trim_end();
        if let Some(section) = line.strip_prefix("m=") {
            let section: String = section.chars().take(FIELD_CHARS).collect();
            let mut words = section.split(' ');
            let _ = write!(text, ", {}", words.next().unwrap_or_default());
            // The port is passed over, but for a section that is switched off.
            if words.next() == Some("0") {
                text.push_str(" off");
            }
            words.for_each(|word| {
                let _ = write!(text, " {word}");
            });
        } else if let Some(way @ ("sendrecv" | "sendonly" | "recvonly" | "inactive")) =
            line.strip_prefix("a=")
        {
            let _ = write!(text, " {way}");
        }
    }
}
