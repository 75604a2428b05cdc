//! Callers in browsers: tokens, signalling, and WHIP.
//!
//! ```text
//! page ── POST /v1/tokens ──► token ── GET /v1/browser-calls (WebSocket) ──► session ──► call
//! own client ── POST /v1/whip/{flow} (RFC 9725) ─────────────────────────────┘
//! ```
//!
//! A token opens one call. Who may have one: whoever shows `api.token`; and, where
//! `browser.anyone` is on, a page of ours or of an allowed origin, so many a minute. A session
//! ([`session`]) is a call's connection and outlives the page's WebSocket for a while.

mod origin;
mod rate;
mod session;
pub(super) mod signalling;
mod tickets;
pub(super) mod tokens;
pub(super) mod whip;
mod wire;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Semaphore;

use crate::leg::browser::{BrowserLeg, Reach};
use crate::settings::IceServer;
use crate::timeline::CallId;
use rate::Rate;
use session::Session;
use tickets::Tickets;

pub use wire::schema;
pub(super) use wire::{FromPage, ToPage};

/// What may be refused, as the figures call it.
pub(crate) const REFUSALS: &[&str] = &["origin", "token", "rate", "offer", "candidate", "message"];
/// Connections that have not begun a call.
const STRANGERS_MAX: usize = 64;

/// A browser that wants to be a call.
#[derive(Clone, Debug)]
pub(crate) struct BrowserCall {
    /// Which flow.
    pub(crate) flow: String,
    /// Who calls, as far as is known.
    pub(crate) from: String,
}

/// Why a call is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotTaken {
    /// Nobody answers there.
    NoSuchFlow,
    /// There is no room.
    NoRoom,
}

/// Seats a call.
pub(crate) type Seating =
    Arc<dyn Fn(BrowserCall, BrowserLeg) -> Result<CallId, NotTaken> + Send + Sync>;

/// Names the flows that can be called.
pub(crate) type Flows = Arc<dyn Fn() -> Vec<String> + Send + Sync>;

/// What the HTTP side is told of callers in browsers.
#[derive(Clone)]
pub(crate) struct BrowserSide {
    /// How we are reached.
    pub(crate) reach: Reach,
    /// Origins beside our own whose pages may call.
    pub(crate) origins: Vec<String>,
    /// Whether pages get tokens without `api.token`.
    pub(crate) anyone: bool,
    /// Tokens that one address may have in a minute.
    pub(crate) tokens_a_minute: u32,
    /// How long a token opens.
    pub(crate) token_opens: Duration,
    /// How long a caller may be away.
    pub(crate) away_most: Duration,
    /// What pages find us with.
    pub(crate) ice_servers: Vec<IceServer>,
    /// How others reach the HTTP side.
    pub(crate) base: String,
    /// Seats a call.
    pub(crate) seat: Seating,
    /// Names the flows.
    pub(crate) flows: Flows,
    /// Counts something that was refused, one of [`REFUSALS`].
    pub(crate) refused: Arc<dyn Fn(&'static str) + Send + Sync>,
}

/// What the HTTP side knows of callers in browsers.
#[derive(Clone)]
pub struct Browsers(Arc<Shared>);

struct Shared {
    side: BrowserSide,
    tickets: Mutex<Tickets>,
    rate: Mutex<Rate>,
    sessions: Mutex<HashMap<CallId, Session>>,
    strangers: Arc<Semaphore>,
}

impl std::fmt::Debug for Browsers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Browsers").field("sessions", &self.sessions().len()).finish_non_exhaustive()
    }
}

impl Browsers {
    /// Takes callers as the settings say.
    pub(crate) fn new(side: BrowserSide) -> Self {
        Self(Arc::new(Shared {
            rate: Mutex::new(Rate::new(side.tokens_a_minute)),
            tickets: Mutex::new(Tickets::new(side.token_opens)),
            sessions: Mutex::default(),
            strangers: Arc::new(Semaphore::new(STRANGERS_MAX)),
            side,
        }))
    }

    fn side(&self) -> &BrowserSide {
        &self.0.side
    }

    fn refused(&self, what: &'static str) {
        (self.0.side.refused)(what);
    }

    fn tickets(&self) -> MutexGuard<'_, Tickets> {
        self.0.tickets.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn rate(&self) -> MutexGuard<'_, Rate> {
        self.0.rate.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn sessions(&self) -> MutexGuard<'_, HashMap<CallId, Session>> {
        self.0.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
