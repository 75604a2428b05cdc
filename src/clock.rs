//! The only place that reads a clock.

use std::sync::OnceLock;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

static BEGAN: OnceLock<Instant> = OnceLock::new();

/// Time since the process first asked, monotonic.
#[must_use]
pub fn monotonic() -> Duration {
    #[expect(clippy::disallowed_methods, reason = "this is the one place")]
    let now = Instant::now();
    now.duration_since(*BEGAN.get_or_init(|| now))
}

/// Wall time since 1970 UTC.
#[must_use]
pub fn wall_unix() -> Duration {
    #[expect(clippy::disallowed_methods, reason = "this is the one place")]
    let now = SystemTime::now();
    now.duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// Wall time, ms since 1970 UTC.
#[must_use]
pub fn wall_unix_ms() -> u64 {
    u64::try_from(wall_unix().as_millis()).unwrap_or(0)
}

/// The company's local date and time.
#[must_use]
pub fn local() -> jiff::civil::DateTime {
    jiff::Zoned::now().datetime()
}
