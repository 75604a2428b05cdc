//! The HTTP side from outside, over real sockets.

mod access;
mod reading;
mod support;
