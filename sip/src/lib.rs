//! The telephone side of Cordboard: SIP user agent, session descriptions, RTP and keys.
//!
//! The modules here are pure: they read no clock, draw no random number and open no socket; time
//! and seeds are arguments. The exception is [`endpoint`], the one place that knows rsipstack and
//! tokio. RTP sockets are nobody's business here: the endpoint carries session descriptions as
//! text, and the phone leg of the root package owns the media sockets.
//!
//! - [`sdp`] and [`negotiation`]: what is offered, what is agreed (RFC 3264, RFC 8866).
//! - [`rtp`] and [`sender`]: packets in, packets out (RFC 3550, RFC 3551).
//! - [`srtp`] and [`rtcp`]: the same secured, and reports on it (RFC 3711, RFC 3550, RFC 3611).
//! - [`latch`]: where the far side's packets may come from.
//! - [`dtmf`]: keys as telephone events (RFC 4733).
//! - [`ports`] and [`access`]: which ports we use, whom we listen to and whom we may ring.
//! - [`bans`]: whom we do not listen to for a while.
//! - [`session_timer`] and [`reliable`]: calls whose far end vanished, and provisional responses
//!   that must arrive (RFC 4028, RFC 3262).
//! - [`trunk`], [`digest`], [`registration`], [`srv`], [`certificate`]: carriers, and how we are
//!   known to them and they to us.
//! - [`endpoint`]: transports, calls in and out (RFC 3261).
#![forbid(unsafe_code)]

pub mod access;
pub mod bans;
pub mod certificate;
pub mod digest;
pub mod dtmf;
pub mod endpoint;
pub mod latch;
pub mod negotiation;
pub mod ports;
pub mod registration;
pub mod reliable;
pub mod rtcp;
pub mod rtp;
pub mod sdp;
pub mod sender;
pub mod session_timer;
pub mod srtp;
pub mod srv;
pub mod trunk;
