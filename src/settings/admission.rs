//! `[admission]`: when new calls are refused because the service cannot keep up.

use serde::Deserialize;

use super::parse;

/// `[admission]`: new calls are refused before those under way sound worse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AdmissionSettings {
    /// Whether anything is refused at all.
    pub on: bool,
    /// Part of a media worker's time from which it is too busy.
    #[serde(deserialize_with = "parse::within::<_, 1, 100>")]
    pub busy_percent: u64,
    /// Part of a media worker's ticks from which too many are late.
    #[serde(deserialize_with = "parse::within::<_, 1, 100>")]
    pub late_percent: u64,
    /// From when on a tick is late: by default a whole packet, which a phone's jitter buffer still
    /// makes good.
    #[serde(deserialize_with = "parse::within::<_, 1, 1_000>")]
    pub late_ms: u64,
    /// For how long a worker must have been at one of the limits.
    #[serde(deserialize_with = "parse::within::<_, 0, 60_000>")]
    pub strained_ms: u64,
    /// Part of both limits below which calls are taken again.
    #[serde(deserialize_with = "parse::within::<_, 1, 100>")]
    pub resume_percent: u64,
    /// For how long it must have been below it.
    #[serde(deserialize_with = "parse::within::<_, 0, 3600>")]
    pub calm_s: u64,
    /// For how long after a caller found no recognizer or synthesizer free; 0 is never.
    #[serde(deserialize_with = "parse::within::<_, 0, 3600>")]
    pub no_engine_s: u64,
}

impl Default for AdmissionSettings {
    fn default() -> Self {
        Self {
            on: true,
            busy_percent: 85,
            late_percent: 10,
            late_ms: 20,
            strained_ms: 1_000,
            resume_percent: 70,
            calm_s: 5,
            no_engine_s: 10,
        }
    }
}
