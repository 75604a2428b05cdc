//! `cordboard talk`: a call on this machine's microphone and loudspeaker.

#[cfg(feature = "device")]
mod call;
#[cfg(feature = "device")]
mod keypad;

use std::path::Path;

use super::Fault;

/// Talks to a flow until either side hangs up.
#[cfg(feature = "device")]
pub(super) fn talk(flow: Option<&Path>, route: &str, config: Option<&Path>) -> Result<(), Fault> {
    call::talk(flow, route, config)
}

/// Says how a binary comes to know the sound card.
#[cfg(not(feature = "device"))]
pub(super) fn talk(_: Option<&Path>, _: &str, _: Option<&Path>) -> Result<(), Fault> {
    Err("this binary was built without the sound card; install libasound2-dev and build it with \
         cargo build --release --features device"
        .into())
}
