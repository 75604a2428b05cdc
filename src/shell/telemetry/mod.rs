//! What an operator sees of the service: figures, traces, log.
//!
//! All of it is read from timelines, or counted beside them; nothing of it holds what callers say,
//! key or are called.

mod exposition;
mod figures;
mod log;
mod otlp;
mod process;
mod scrape;
mod trace;

use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::settings::TelemetrySettings;
use crate::store::Store;
use figures::CallProjection;
pub(crate) use figures::Figures;
pub use log::{FilterError, Log};
use otlp::Export;
pub use otlp::ExportError;
pub(super) use scrape::Scrape;
use trace::TraceProjection;

/// Lets figures and, where the settings say so, traces follow the timelines of a store.
///
/// The task, where there is one, ends some time after `stop`.
///
/// # Errors
/// [`ExportError`].
pub(super) fn follow(
    store: &Store,
    settings: &TelemetrySettings,
    figures: &Arc<Figures>,
    stop: CancellationToken,
) -> Result<Option<JoinHandle<()>>, ExportError> {
    let mut calls = CallProjection::new(figures.clone());
    let Some(endpoint) = &settings.otlp_endpoint else {
        store.observe(Box::new(move |call, entry| calls.take(call, entry)));
        return Ok(None);
    };
    let (sender, spans) = mpsc::channel(otlp::QUEUE);
    let export = Export::new(endpoint, spans, figures.clone())?;
    let mut traces = TraceProjection::default();
    let figures = figures.clone();
    store.observe(Box::new(move |call, entry| {
        calls.take(call, entry);
        for span in traces.take(call, entry) {
            if sender.try_send(span).is_err() {
                figures.spans_dropped.count();
            }
        }
    }));
    Ok(Some(tokio::spawn(export.run(stop))))
}

#[cfg(test)]
mod tests;
