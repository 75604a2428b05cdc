//! What can be asked of the database.
//!
//! The answers are a fraction of a second old, for live calls too. Absent: how they look on the
//! wire (`api`).

use std::path::Path;

use sqlx::SqlitePool;

use super::{StoreFault, database};
use crate::timeline::CallId;

/// A call as the database has it.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct CallRow {
    /// Its name.
    pub id: String,
    /// Caller's address as signalled.
    pub from_address: String,
    /// Dialled address.
    pub to_address: String,
    /// How the caller reached us.
    pub leg: String,
    /// Name of the flow.
    pub flow: String,
    /// Fingerprint of the flow's text.
    pub flow_version: String,
    /// Version of the product.
    pub build: String,
    /// Time of the ring.
    pub started_unix_ms: i64,
    /// Time of the answer.
    pub answered_unix_ms: Option<i64>,
    /// Time of the end; none while the call is live.
    pub ended_unix_ms: Option<i64>,
    /// What came of it.
    pub outcome: Option<String>,
    /// Who or what ended it.
    pub cause: Option<String>,
    /// The human who spoke with the caller.
    pub agent: Option<String>,
}

/// An entry as the database has it.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct EntryRow {
    /// Its number, growing within the call.
    pub seq: i64,
    /// Milliseconds since the ring.
    pub at_ms: i64,
    /// The entry, JSON.
    pub json: String,
}

/// A context packet as the database has it.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct PacketRow {
    /// Its id.
    pub id: String,
    /// SHA-256 of its token, hexadecimal.
    pub token_hash: String,
    /// The packet, JSON.
    pub json: String,
}

/// Questions to the database.
#[derive(Clone, Debug)]
pub struct Queries {
    pool: SqlitePool,
}

impl Queries {
    /// Asks the database in the folder of a store, which another process may have open; writes
    /// nothing.
    #[must_use]
    pub fn read_only(folder: &Path) -> Self {
        Self { pool: database::read_only(folder) }
    }

    pub(super) const fn new(pool: SqlitePool) -> Self {
        Self { pool }
    }

    /// The newest calls, or the newest before `before`, newest first.
    ///
    /// # Errors
    /// `Database` where it does not answer.
    pub async fn calls(
        &self,
        limit: u32,
        before: Option<&CallId>,
    ) -> Result<Vec<CallRow>, StoreFault> {
        // "~" is behind everything that a ULID may begin with.
        let before = before.map_or("~", |before| &before.0);
        let sql = "SELECT * FROM calls WHERE id < ? ORDER BY id DESC LIMIT ?";
        let rows = sqlx::query_as(sql).bind(before).bind(limit).fetch_all(&self.pool).await?;
        Ok(rows)
    }

    /// One call.
    ///
    /// # Errors
    /// `Database` where it does not answer.
    pub async fn call(&self, call: &CallId) -> Result<Option<CallRow>, StoreFault> {
        let sql = "SELECT * FROM calls WHERE id = ?";
        Ok(sqlx::query_as(sql).bind(&call.0).fetch_optional(&self.pool).await?)
    }

    /// The entries of a call after the one with the number `after`, in order.
    ///
    /// # Errors
    /// `Database` where it does not answer.
    pub async fn timeline(
        &self,
        call: &CallId,
        after: i64,
        limit: u32,
    ) -> Result<Vec<EntryRow>, StoreFault> {
        let sql = "SELECT seq, at_ms, json FROM entries WHERE call = ? AND seq > ? \
                   ORDER BY seq LIMIT ?";
        let query = sqlx::query_as(sql).bind(&call.0).bind(after).bind(limit);
        Ok(query.fetch_all(&self.pool).await?)
    }

    /// The last context packet of a call.
    ///
    /// # Errors
    /// `Database` where it does not answer.
    pub async fn packet(&self, call: &CallId) -> Result<Option<PacketRow>, StoreFault> {
        let sql = "SELECT id, token_hash, json FROM packets WHERE call = ? \
                   ORDER BY seq DESC LIMIT 1";
        Ok(sqlx::query_as(sql).bind(&call.0).fetch_optional(&self.pool).await?)
    }
}
