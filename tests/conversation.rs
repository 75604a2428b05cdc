//! The conversation with the example flow, as a caller would have it, and flows with faults.

#[path = "conversation/answers.rs"]
mod answers;
#[path = "conversation/desk.rs"]
mod desk;
#[path = "conversation/faults.rs"]
mod faults;
#[path = "conversation/properties.rs"]
mod properties;
#[path = "conversation/talks.rs"]
mod talks;
