//! When retention sweeps: at the start, and each hour.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::telemetry::Figures;
use crate::clock;
use crate::settings::Settings;
use crate::store::{Retention, Store};

/// How often what is too old is looked for.
const SWEEP_PERIOD: Duration = Duration::from_secs(3_600);

/// After how many days what is deleted.
pub(super) const fn retention(settings: &Settings) -> Retention {
    Retention {
        timelines_days: settings.store.keep_timelines_days,
        recordings_days: settings.store.keep_recordings_days,
        inputs_days: settings.store.keep_inputs_days,
    }
}

/// Deletes what is too old, now and each hour.
pub(super) async fn hourly(
    store: Store,
    keep: Retention,
    figures: Arc<Figures>,
    stop: CancellationToken,
) {
    if !keep.is_any() {
        return;
    }
    let mut hours = tokio::time::interval(SWEEP_PERIOD);
    loop {
        tokio::select! {
            _ = hours.tick() => {}
            () = stop.cancelled() => return,
        }
        match store.sweep(&keep, clock::wall_unix_ms()).await {
            Ok(swept) => {
                figures.deleted.add("timeline", swept.timelines);
                figures.deleted.add("recording", swept.recordings);
                figures.deleted.add("inputs", swept.inputs);
                figures.deleted.add("segment", swept.segments);
            }
            Err(fault) => tracing::warn!(%fault, "old timelines are deleted in an hour"),
        }
    }
}
