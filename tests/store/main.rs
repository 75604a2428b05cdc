//! The store from outside: what is appended can be read, whatever dies or is away.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod media;
mod projection;
mod restart;
mod retention;
mod support;
mod versions;
