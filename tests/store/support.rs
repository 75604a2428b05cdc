//! Stores in folders of their own, entries, and waiting for what must come.

use std::path::Path;
use std::time::Duration;

use cordboard::store::{Store, StoreFault, StoreOptions};
use cordboard::timeline::{CallId, Entry, LegKind, Outcome, What};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Longer than anything here takes on a slow machine.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) fn options(folder: &Path) -> StoreOptions {
    StoreOptions {
        folder: folder.to_owned(),
        recording: true,
        keep_inputs: true,
        retain_segments: 2,
    }
}

/// A store with its projection running.
pub(crate) struct Running {
    pub store: Store,
    stop: CancellationToken,
    projection: JoinHandle<()>,
}

impl Running {
    pub(crate) async fn open(folder: &Path) -> Self {
        // The last store's thread lets go of the folder when it has written all it was sent.
        let mut opened = Store::open(options(folder)).await;
        eventually("the folder is free", async || match &opened {
            Err(StoreFault::InUse { .. }) => {
                opened = Store::open(options(folder)).await;
                None
            }
            _ => Some(()),
        })
        .await;
        let store = opened.unwrap();
        let stop = CancellationToken::new();
        let projection = tokio::spawn(store.clone().project(stop.clone()));
        Self { store, stop, projection }
    }

    pub(crate) async fn stop(self) {
        assert!(self.store.flush(PATIENCE));
        self.stop.cancel();
        self.projection.await.unwrap();
    }

    pub(crate) async fn caught_up(&self) {
        assert!(self.store.flush(PATIENCE));
        eventually("the database has all of the spool", async || {
            (self.store.health().lag_bytes == 0).then_some(())
        })
        .await;
    }
}

pub(crate) async fn eventually<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let mut pause = tokio::time::interval(Duration::from_millis(5));
    let found = tokio::time::timeout(PATIENCE, async {
        loop {
            if let Some(found) = look().await {
                return found;
            }
            pause.tick().await;
        }
    });
    found.await.unwrap_or_else(|_| panic!("in vain: {what}"))
}

pub(crate) fn call(number: u32) -> CallId {
    CallId(format!("01JD0000000000000000{number:06}"))
}

pub(crate) fn rang(number: u32) -> Entry {
    let what = What::Rang {
        from: format!("sip:{number}@127.0.0.1"),
        to: "sip:parcel@127.0.0.1".into(),
        leg: LegKind::Phone,
        wall_unix_ms: 1_700_000_000_000 + u64::from(number),
        build: "0.1.0".into(),
        flow: "parcel".into(),
        flow_version: "f".into(),
        seed: 1,
    };
    entry(0, what)
}

pub(crate) fn ended(at_ms: u64) -> Entry {
    entry(at_ms, What::Ended { outcome: Outcome::Resolved, cause: "bye".into() })
}

pub(crate) const fn entry(at_ms: u64, what: What) -> Entry {
    Entry { v: 1, at_ms, what }
}
