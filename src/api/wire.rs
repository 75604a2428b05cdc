//! What goes over the wire, in types of this room's own. Times are RFC 3339, UTC.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::store::{CallRow, EntryRow};

/// `GET /v1/calls`.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct CallsPage {
    /// Newest first.
    pub calls: Vec<CallSummary>,
    /// `before` of the next page; null on the last.
    pub next: Option<String>,
}

/// A call in a list.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct CallSummary {
    /// Its name.
    pub id: String,
    /// Caller's address as signalled.
    pub from: String,
    /// Dialled address.
    pub to: String,
    /// How the caller reached us.
    pub leg: String,
    /// Time of the ring.
    pub started: String,
    /// Time of the end; null while the call is live.
    pub ended: Option<String>,
    /// What came of it; null while the call is live.
    pub outcome: Option<String>,
}

/// `GET /v1/calls/{id}`.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct CallDetail {
    /// As in the list.
    #[serde(flatten)]
    pub summary: CallSummary,
    /// Time of the answer.
    pub answered: Option<String>,
    /// Who or what ended it.
    pub cause: Option<String>,
    /// The human who spoke with the caller.
    pub agent: Option<String>,
    /// Name of the flow.
    pub flow: String,
    /// Fingerprint of the flow's text.
    pub flow_version: String,
    /// Version of the product.
    pub build: String,
    /// Where more can be read.
    pub links: CallLinks,
}

/// Where more of a call can be read.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct CallLinks {
    /// Its timeline.
    pub timeline: String,
    /// Its context packet; null where none was made.
    pub context: Option<String>,
    /// Its recording; null where none is made.
    pub recording: Option<String>,
}

/// `GET /v1/calls/{id}/timeline`.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct TimelinePage {
    /// The call.
    pub call: String,
    /// Whether it is over: nothing will be added.
    pub ended: bool,
    /// In order.
    pub entries: Vec<TimelineEntry>,
    /// `after` of the next page; of a live call, to be asked with later.
    pub next: Option<i64>,
}

/// An entry of a timeline.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct TimelineEntry {
    /// Its number, growing within the call.
    pub seq: i64,
    /// Its time.
    pub at: String,
    /// The entry itself, as the timeline has it.
    #[serde(flatten)]
    #[schema(value_type = std::collections::HashMap<String, Value>)]
    pub entry: Value,
}

/// `GET /healthz`.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Health {
    /// "ok", or "degraded" where timelines are not kept or cannot be read.
    pub status: &'static str,
    /// The rest, for those who may know.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub detail: Option<HealthDetail>,
}

/// How things stand.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct HealthDetail {
    /// Calls that have begun and not ended.
    pub calls_live: usize,
    /// Bytes of the spool that the database does not have yet.
    pub spool_lag_bytes: u64,
    /// Whether timelines are kept.
    pub store_ok: bool,
    /// Whether timelines can be read; null where they can, else why not.
    pub database_fault: Option<String>,
    /// Messages that wait for the writing thread.
    pub queued: usize,
    /// Bytes that wait in memory for the disk.
    pub unwritten_bytes: usize,
    /// Writes and syncs that went wrong, so far.
    pub disk_failures: u64,
    /// Entries that were lost, so far.
    pub entries_dropped: u64,
    /// Recordings and records of inputs that could not be written, so far.
    pub media_failures: u64,
    /// Damaged stretches of the spool, so far.
    pub damaged: u64,
    /// Records of a form that is not known here, so far.
    pub unknown: u64,
    /// Calls that the last process left in the middle, marked at the start.
    pub broken_off: usize,
}

/// `GET /readyz`.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Readiness {
    /// Whether new calls should be sent here.
    pub ready: bool,
    /// Why not; null where they should.
    pub why: Option<&'static str>,
}

/// An agent, in `GET /v1/agents`.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct AgentPosition {
    /// The agent's name.
    pub name: String,
    /// Queues that the agent takes calls from.
    pub queues: Vec<String>,
    /// "free", "offered", "talking" or "resting".
    pub state: String,
    /// The call that the agent is offered or talks in; null where there is none.
    pub call: Option<String>,
    /// Whether the agent takes no calls for a while.
    pub paused: bool,
}

/// A queue, in `GET /v1/queues`.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct QueuePosition {
    /// Its name.
    pub name: String,
    /// Calls that wait, those with an agent being rung among them.
    pub waiting: usize,
    /// Of these, how many have an agent being rung.
    pub offered: usize,
}

/// Every answer that is a refusal.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct ErrorBody {
    /// The refusal.
    pub error: ErrorDetail,
}

/// A refusal.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct ErrorDetail {
    /// For programs.
    pub code: &'static str,
    /// For humans.
    pub message: String,
    /// What to do.
    pub remedy: &'static str,
}

impl From<CallRow> for CallSummary {
    fn from(row: CallRow) -> Self {
        Self {
            started: rfc3339(row.started_unix_ms),
            ended: row.ended_unix_ms.map(rfc3339),
            id: row.id,
            from: row.from_address,
            to: row.to_address,
            leg: row.leg,
            outcome: row.outcome,
        }
    }
}

impl TimelineEntry {
    /// Makes one of what the database has.
    ///
    /// # Errors
    /// Where the text is no JSON.
    pub(super) fn new(row: &EntryRow, started_unix_ms: i64) -> Result<Self, serde_json::Error> {
        let at = rfc3339(started_unix_ms.saturating_add(row.at_ms));
        Ok(Self { seq: row.seq, at, entry: serde_json::from_str(&row.json)? })
    }
}

/// A time as RFC 3339; times outside of years -9999 to 9999 are the nearest.
pub(super) fn rfc3339(unix_ms: i64) -> String {
    let nearest = if unix_ms < 0 { Timestamp::MIN } else { Timestamp::MAX };
    Timestamp::from_millisecond(unix_ms).unwrap_or(nearest).to_string()
}
