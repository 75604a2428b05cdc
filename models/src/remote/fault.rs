//! What can go wrong with an engine over the network.

use std::io;
use std::time::Duration;

use crate::speech::EngineFault;

/// Why an engine over the network gave nothing. No text holds a key or what a caller said.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RemoteFault {
    /// The host was not reached.
    #[error("cannot be reached: {why}; check its address and the network")]
    Unreachable {
        /// What the system said.
        why: String,
    },
    /// The host answered with an HTTP status that is no success.
    #[error("refused with status {status}; {}", remedy(*status))]
    Refused {
        /// HTTP status.
        status: u16,
        /// Not to be asked again before, as the host says.
        retry_after: Option<Duration>,
    },
    /// Something did not come in time.
    #[error("{what} did not come within {within_ms} ms")]
    Late {
        /// What.
        what: &'static str,
        /// The limit.
        within_ms: u64,
    },
    /// The connection ended before the answer did.
    #[error("closed the connection before the end")]
    Closed,
    /// What came is not of the protocol.
    #[error("sent what its protocol does not have: {why}")]
    Malformed {
        /// What is wrong with it.
        why: String,
    },
    /// More came than is taken.
    #[error("sent more than {limit} {unit}")]
    Excess {
        /// The limit.
        limit: usize,
        /// Of what.
        unit: &'static str,
    },
    /// The engine itself reported an error.
    #[error("reported: {words}")]
    Reported {
        /// Its words, shortened, without the key.
        words: String,
    },
    /// More was sent than the connection took: it lags by the whole queue.
    #[error("takes less than it is sent")]
    Lagging,
}

const fn remedy(status: u16) -> &'static str {
    match status {
        401 | 403 => "check the key",
        404 => "check the address and the model",
        429 => "it is asked too often",
        500..=599 => "the host has trouble",
        _ => "check address, model and headers",
    }
}

impl RemoteFault {
    /// The same as the blocking traits have it.
    pub(super) fn of(self, engine: &'static str) -> EngineFault {
        match self {
            Self::Refused { status: 429 | 503 | 529, retry_after: Some(retry_after) } => {
                EngineFault::Busy { engine, retry_after }
            }
            other => EngineFault::ModelFailed { engine, why: other.to_string() },
        }
    }
}

/// Reads `Retry-After` (RFC 9110 §10.2.3) where it is in seconds; a date is left out, as the
/// clocks of two machines differ. At most an hour.
pub(super) fn retry_after(value: Option<&str>) -> Option<Duration> {
    let seconds: u64 = value?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds.min(3_600)))
}

/// Whether the peer of a connection is gone, with or without a word: a host that dies, or a middle
/// box that forgets, breaks it off (a reset) instead of closing it.
pub(super) fn is_gone(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::BrokenPipe
            | io::ErrorKind::UnexpectedEof
            | io::ErrorKind::NotConnected
    )
}

/// Where JSON is broken, without the text of it.
pub(super) fn place_of(error: &serde_json::Error) -> String {
    format!("JSON fails at line {} column {}", error.line(), error.column())
}
