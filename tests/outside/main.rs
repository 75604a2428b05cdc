//! Cordboard from outside: the binary as a process of its own, rung by real peers.
//!
//! The peers are SIPp and baresip (Debian), scripted phones, raw datagrams, and a caller of ours
//! from `../shared`. Whatever is not installed is told in one line and passed over. Every wait has
//! a deadline and waits for the event itself.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod admission;
mod agent_phone;
mod answers;
mod breakdowns;
mod browser;
mod browser_ways;
mod calls;
mod capacity;
mod codecs;
mod corpora;
mod demo;
mod exact;
mod floods;
mod garbage;
mod impatience;
mod media_stream;
mod operation;
mod over_tls;
mod placed;
mod reached;
mod refusals;
mod replay;
mod replay_humans;
mod replay_recognized;
mod replay_whip;
mod ringer;
mod signals;
mod start;
mod storage;
mod support;
