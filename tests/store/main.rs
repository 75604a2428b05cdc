//! The store from outside: what is appended can be read, whatever dies or is away.

mod media;
mod projection;
mod restart;
mod support;
