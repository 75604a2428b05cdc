//! Phones that follow a script: callers that ring an agent, and humans that are rung.
//!
//! A script says what is said or keyed and when, measured by what the far
//! end does, and the phone keeps both sides' sound. `turns` scores the floor by labelled
//! recordings; `exact` plays recorded calls again; `calls` places many at once and scores them.

pub mod calls;
pub mod exact;
mod likeness;
mod line;
mod mouth;
mod phone;
pub mod record;
mod script;
pub mod turns;

pub use likeness::Print;
pub use phone::{Phone, PhoneError, Played};
pub use script::{Act, Script, Step, When};
