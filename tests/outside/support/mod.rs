//! What the tests share: the service, its API, SIPp, and waiting.

mod api;
mod baresip;
mod caller;
mod service;
mod sipp;
mod sound;

use std::time::Duration;

pub(crate) use api::Api;
pub(crate) use baresip::{Baresip, has_srtp};
pub(crate) use caller::{Caller, Packet};
pub(crate) use service::{Companion, Serving, failed_start, free_udp_port, run, settings};
pub(crate) use sipp::{Sipp, has};
pub(crate) use sound::{digits, find, loudest_second, spoken, write_wav};

/// How long anything is waited for; far above what it takes, for machines that are busy.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Looks until something is there.
pub(crate) async fn until<T>(what: &str, look: impl AsyncFnMut() -> Option<T>) -> T {
    until_within(PATIENCE, what, look).await
}

/// Looks until something is there, which may take so long.
pub(crate) async fn until_within<T>(
    patience: Duration,
    what: &str,
    mut look: impl AsyncFnMut() -> Option<T>,
) -> T {
    let mut pause = tokio::time::interval(Duration::from_millis(50));
    let wait = async {
        loop {
            pause.tick().await;
            if let Some(found) = look().await {
                return found;
            }
        }
    };
    let found = tokio::time::timeout(patience, wait).await;
    found.unwrap_or_else(|_| panic!("waited {patience:?} in vain: {what}"))
}

/// Tells a line of the table of faults: which, by which test, what the caller heard, and how long
/// it was silent at most, ms.
pub(crate) fn told(fault: &str, heard: &str, silent_ms: u128) {
    let test = std::thread::current().name().unwrap_or_default().to_owned();
    eprintln!("{fault} | {test} | {heard} | {silent_ms}");
}

/// Lets a stretch of a call pass.
pub(crate) async fn pass(stretch: Duration) {
    let _ = tokio::time::timeout(stretch, std::future::pending::<()>()).await;
}
