//! A leg from outside: commands in, signals out.

use std::net::SocketAddr;

use rsipstack::sip::Response;
use rsipstack::transaction::transaction::Transaction;
use tokio::sync::mpsc;

use super::pump::{ClientEvent, ServerEvent};
use crate::srtp::SrtpPolicy;

/// A call that rings here.
#[derive(Debug)]
pub struct Incoming {
    /// Call-ID.
    pub call_id: String,
    /// URI of `From`.
    pub from_uri: String,
    /// User of `From`: the caller's number, as far as the trunk is to be believed.
    pub from_user: String,
    /// Display name of `From`.
    pub from_display: Option<String>,
    /// URI of `To`.
    pub to_uri: String,
    /// URI that the request is for.
    pub request_uri: String,
    /// User of it: the number or name that was rung.
    pub to_user: String,
    /// Whom the packets came from.
    pub source: SocketAddr,
    /// Whether the request came over TLS.
    pub secure: bool,
    /// The trunk that it came from.
    pub trunk: Option<String>,
    /// Whether that trunk's media is to be secured.
    pub srtp: SrtpPolicy,
    /// The offer; none means that ours is expected in the answer, and theirs comes in the ACK.
    pub offer: Option<String>,
    /// All header fields in order.
    pub headers: Vec<(String, String)>,
    /// The leg, ringing.
    pub leg: Leg,
}

impl Incoming {
    /// First header field of that name, in any case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(it, _)| it.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }
}

/// One leg: the line to it and what it says.
#[derive(Debug)]
pub struct Leg {
    /// Commands. When all clones are dropped, the leg is hung up.
    pub line: Line,
    /// What happens; it ends when the leg is gone for good.
    pub events: mpsc::UnboundedReceiver<LegSignal>,
}

/// What happens on a leg.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LegSignal {
    /// Our answer, first or to a re-INVITE, was acknowledged; with their answer where the offer
    /// was ours.
    Acked {
        /// Session description of the ACK.
        sdp: Option<String>,
    },
    /// They want to change the session: accept or refuse. Without description ours is asked for.
    Reinvited {
        /// Their offer.
        sdp: Option<String>,
    },
    /// They took their re-INVITE back; the session stays as it was.
    ReinviteCancelled,
    /// Our re-INVITE was accepted: one that was asked for, or the session timer's, which offers our
    /// last description again.
    ReinviteAccepted {
        /// Their answer.
        sdp: Option<String>,
    },
    /// Our re-INVITE was refused (491: both at once, try again later); the session stays.
    ReinviteRefused {
        /// Status.
        code: u16,
    },
    /// INFO, answered 200.
    Info {
        /// `Content-Type`.
        content_type: String,
        /// Body.
        body: Vec<u8>,
    },
    /// They ask us to ring somebody else (REFER, RFC 3515); nobody is rung, and 405 has been sent.
    Referred {
        /// `Refer-To`, as they wrote it, cut at 200 signs.
        to: String,
    },
    /// The far side rings. A description is its answer to our offer, for ringback and
    /// announcements; the last one counts where branches differ.
    Progress {
        /// 101 to 199.
        code: u16,
        /// Early media.
        sdp: Option<String>,
    },
    /// The far side answered; the ACK has been sent.
    Accepted {
        /// Their answer.
        sdp: Option<String>,
    },
    /// The far side did not answer the call, or could not be reached, or we took it back (487).
    Refused {
        /// Status.
        code: u16,
        /// Reason phrase.
        reason: String,
        /// `Retry-After`.
        retry_after_s: Option<u32>,
    },
    /// The caller gave up before the answer; 487 has been sent.
    Cancelled,
    /// They hung up.
    Bye {
        /// `Reason`.
        reason: Option<String>,
    },
    /// Our answer, or what we said before it, was not acknowledged within 64·T1; BYE or 504 has
    /// been sent.
    NoAck,
    /// The far end vanished: nobody refreshed the session (RFC 4028). BYE has been sent.
    Expired,
    /// A message of the leg passed; told only where [`super::Endpoint::set_trace`] wants it.
    Trace {
        /// Whether we sent it.
        sent: bool,
        /// One line, without addresses, credentials and keys.
        summary: String,
    },
    /// The connection under the leg broke. The call goes on: the next request opens another.
    TransportLost,
}

/// Commands to a leg. None waits, and none is an error: one that comes too late is void.
#[derive(Clone, Debug)]
pub struct Line {
    commands: mpsc::UnboundedSender<Command>,
}

impl Line {
    pub(super) fn new(commands: mpsc::UnboundedSender<Command>) -> Self {
        Self { commands }
    }

    /// Rings on: 180.
    pub fn ringing(&self) {
        self.send(Command::Ringing);
    }

    /// Sends sound before the answer: 183 with our description, which is that of the answer too.
    /// Void where the INVITE brought no offer.
    pub fn progress(&self, sdp: String) {
        self.send(Command::Progress(sdp));
    }

    /// Answers the call with a session description: 200.
    pub fn answer(&self, sdp: String) {
        self.send(Command::Answer(sdp));
    }

    /// Refuses the call with a status from 300 to 699.
    pub fn refuse(&self, code: u16, retry_after_s: Option<u32>) {
        self.send(Command::Refuse { code, retry_after_s });
    }

    /// Refuses the call and says why in a `Warning` (RFC 3261 §20.43).
    pub fn refuse_saying(&self, code: u16, why: String) {
        self.send(Command::RefuseSaying { code, why });
    }

    /// Ends the leg whatever its state: CANCEL, 480 or BYE. `reason` is a `Reason` header's value
    /// (RFC 3326), for BYE.
    pub fn hang_up(&self, reason: Option<String>) {
        self.send(Command::HangUp { reason });
    }

    /// Changes the session: re-INVITE with an offer.
    pub fn reinvite(&self, sdp: String) {
        self.send(Command::Reinvite(sdp));
    }

    /// Accepts their change with an answer (or with our offer, where they brought none).
    pub fn accept_reinvite(&self, sdp: String) {
        self.send(Command::AcceptReinvite(sdp));
    }

    /// Refuses their change; the session stays.
    pub fn refuse_reinvite(&self, code: u16) {
        self.send(Command::RefuseReinvite { code });
    }

    /// Sends INFO. Whether it arrived is not told.
    pub fn info(&self, content_type: &str, body: Vec<u8>) {
        self.send(Command::Info { content_type: content_type.to_owned(), body });
    }

    fn send(&self, command: Command) {
        // The leg's task is gone with the leg: nothing is left to be told.
        let _ = self.commands.send(command);
    }
}

/// See [`Line`].
#[derive(Debug)]
pub(super) enum Command {
    Ringing,
    Progress(String),
    Answer(String),
    Refuse { code: u16, retry_after_s: Option<u32> },
    RefuseSaying { code: u16, why: String },
    HangUp { reason: Option<String> },
    Reinvite(String),
    AcceptReinvite(String),
    RefuseReinvite { code: u16 },
    Info { content_type: String, body: Vec<u8> },
}

/// What comes to a leg's task from the network side.
pub(super) enum Input {
    /// A request within the dialog.
    Arrived(Box<Transaction>),
    /// News of an INVITE that we are answering, by its serial.
    Server(u32, ServerEvent),
    /// News of an INVITE that began the leg.
    Client(Attempted),
    /// Final answer to our re-INVITE; none came where none is.
    Reinvited(Option<Box<Response>>),
    /// Final answer to our refreshing UPDATE.
    Refreshed(Option<Box<Response>>),
    /// Our BYE has been answered, or never will be.
    ByeDone,
    /// No final answer to an INVITE that we cancelled.
    GaveUp,
}

/// News of one of the INVITEs that a call may need until somebody is there.
pub(super) struct Attempted {
    /// Which, from 1.
    pub(super) number: u32,
    pub(super) event: ClientEvent,
}

/// The inside ends of a leg's channels.
pub(super) struct Ends {
    pub(super) commands: mpsc::UnboundedReceiver<Command>,
    pub(super) signals: mpsc::UnboundedSender<LegSignal>,
    pub(super) to_inbox: mpsc::UnboundedSender<Input>,
    pub(super) inbox: mpsc::UnboundedReceiver<Input>,
}

impl Ends {
    /// Both ends of a new leg.
    pub(super) fn pair() -> (Leg, Self) {
        let (to_commands, commands) = mpsc::unbounded_channel();
        let (signals, events) = mpsc::unbounded_channel();
        let (to_inbox, inbox) = mpsc::unbounded_channel();
        let leg = Leg { line: Line::new(to_commands), events };
        (leg, Self { commands, signals, to_inbox, inbox })
    }

    pub(super) fn signal(&self, signal: LegSignal) {
        // Nobody listens where the receiver has been dropped; the line still works.
        let _ = self.signals.send(signal);
    }
}
