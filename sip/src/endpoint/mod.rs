//! Transports and calls.
