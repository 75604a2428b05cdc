//! The HTTP side from outside, over real sockets.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod access;
mod document;
mod live;
mod reading;
mod support;
