//! What a request is refused with: a status, a code, a message and a remedy.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::wire::{ErrorBody, ErrorDetail};
use crate::store::StoreFault;

/// Why a request is refused.
#[derive(Debug, thiserror::Error)]
pub(super) enum ApiFault {
    #[error("a call's name is a ULID of 26 characters")]
    BadCallId,
    #[error("{name} is {expected}")]
    BadParameter { name: &'static str, expected: &'static str },
    #[error("a token is required")]
    Unauthorized,
    #[error("the Host of the request is not this machine")]
    ForeignHost,
    #[error("there is nothing at this address")]
    NoSuchAddress,
    #[error("this address can only be read")]
    NotAllowed,
    #[error("there is no room for more at the moment")]
    NoRoom,
    #[error("pages of this origin may not call")]
    ForeignOrigin,
    #[error("there is no such flow")]
    NoSuchFlow,
    #[error("too many tokens were asked for")]
    TooMany { after_s: u64 },
    #[error("the call token does not open a call of this flow")]
    CallTokenUnfit,
    #[error("the request does not say which ICE session it changes")]
    NoPrecondition,
    #[error("the request is for another ICE session than the present one")]
    OtherSession,
    #[error("the body is not {expected}")]
    BadType { expected: &'static str },
    #[error("{0}")]
    BadOffer(String),
    #[error("there is no such call")]
    NoSuchCall,
    #[error("the call has no context packet")]
    NoPacket,
    #[error("the call has no recording")]
    NoRecording,
    #[error("the database does not answer")]
    Store(#[from] StoreFault),
    #[error("the recording cannot be read")]
    Unreadable(#[source] std::io::Error),
    #[error("what is stored is not of a known form")]
    Malformed(#[from] serde_json::Error),
}

impl ApiFault {
    const fn status(&self) -> StatusCode {
        match self {
            Self::BadCallId | Self::BadParameter { .. } | Self::BadOffer(_) => {
                StatusCode::BAD_REQUEST
            }
            Self::Unauthorized | Self::CallTokenUnfit => StatusCode::UNAUTHORIZED,
            Self::ForeignHost | Self::ForeignOrigin => StatusCode::FORBIDDEN,
            Self::TooMany { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::NoPrecondition => StatusCode::PRECONDITION_REQUIRED,
            Self::OtherSession => StatusCode::PRECONDITION_FAILED,
            Self::BadType { .. } => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::NoSuchFlow
            | Self::NoSuchAddress
            | Self::NoSuchCall
            | Self::NoPacket
            | Self::NoRecording => StatusCode::NOT_FOUND,
            Self::NotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::Store(_) | Self::NoRoom => StatusCode::SERVICE_UNAVAILABLE,
            Self::Unreadable(_) | Self::Malformed(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    const fn code_and_remedy(&self) -> (&'static str, &'static str) {
        match self {
            Self::BadCallId => ("bad_call_id", "take the id from GET /v1/calls"),
            Self::BadParameter { .. } => {
                ("bad_parameter", "correct the parameter, or leave it out")
            }
            Self::Unauthorized => (
                "unauthorized",
                "send Authorization: Bearer with api.token of the settings; a context packet also \
                 opens with its own token as ?token= or X-Packet-Token, until shortly after",
            ),
            Self::ForeignHost => {
                ("foreign_host", "ask by IP address or localhost, or set api.token in the settings")
            }
            Self::NoSuchAddress => ("not_found", "begin at GET /v1/calls"),
            Self::NotAllowed => ("method_not_allowed", "use GET"),
            Self::NoRoom => ("no_room", "try again in a moment"),
            Self::ForeignOrigin => {
                ("foreign_origin", "name the page's origin in browser.origins of the settings")
            }
            Self::NoSuchFlow => ("no_such_flow", "take a flow from GET /v1/flows"),
            Self::TooMany { .. } => ("too_many", "try again when Retry-After has passed"),
            Self::CallTokenUnfit => (
                "call_token_unfit",
                "get a token by POST /v1/tokens, and show it once, soon, as Authorization: Bearer",
            ),
            Self::NoPrecondition => {
                ("no_if_match", "send If-Match: the ETag of the last answer, or * for a restart")
            }
            Self::OtherSession => {
                ("other_ice_session", "send the ETag of the last answer, or restart with *")
            }
            Self::BadType { .. } => ("bad_type", "set Content-Type, and send what it says"),
            Self::BadOffer(_) => ("bad_offer", "offer one stream of sound with Opus"),
            Self::NoSuchCall => {
                ("no_such_call", "a call that began just now is here within a second")
            }
            Self::NoPacket => ("no_packet", "a packet is made when the call is escalated"),
            Self::NoRecording => {
                ("no_recording", "calls are recorded where store.recording is true")
            }
            Self::Store(_) => ("store_away", "ask again; timelines wait in the spool meanwhile"),
            Self::Unreadable(_) => ("recording_unreadable", "look at the disk of store.folder"),
            Self::Malformed(_) => {
                ("store_malformed", "delete the database: the spool makes it anew")
            }
        }
    }
}

impl IntoResponse for ApiFault {
    fn into_response(self) -> Response {
        let status = self.status();
        if status.is_server_error() {
            // What is wrong with a stored text may quote it.
            let quotes = matches!(self, Self::Malformed(_));
            let source = std::error::Error::source(&self).filter(|_| !quotes);
            tracing::warn!(fault = %self, ?source, "api");
        }
        let (code, remedy) = self.code_and_remedy();
        let error = ErrorDetail { code, message: self.to_string(), remedy };
        let mut response = (status, Json(ErrorBody { error })).into_response();
        if let Self::TooMany { after_s } = self {
            response.headers_mut().insert(header::RETRY_AFTER, after_s.into());
        }
        if status == StatusCode::UNAUTHORIZED {
            let scheme = HeaderValue::from_static("Bearer");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, scheme);
        }
        response
    }
}
