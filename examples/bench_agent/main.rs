//! Cordboard as the side-by-side bench of voice agents wants to meet it: sound by RTP on known
//! ports, an answer at once after each finished turn, and models that cost nothing.
//!
//! ```text
//! cargo run --release --example bench_agent -- --calls 10 --secs 30 [--cut]
//! ```
//!
//! Call i is RTP/PCMU on 127.0.0.1:40000+2i, sent to from 127.0.0.1:50000+2i. One line with "ready"
//! is printed once all calls stand. It is the whole service (signalling, media workers, turns,
//! conversation, timeline) with the stub recognizer and the stub voice: each turn is answered with
//! a tone of 20 s. All settings are the committed defaults, but for what the options change. The
//! bench's echo mode cannot be served: it looks for marks in the first samples of each packet, and
//! a jitter buffer that shortens pauses moves them.

mod agent;

use std::io::Write;
use std::time::Duration;

use clap::Parser;

/// As the product has it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

pub(crate) type Failure = Box<dyn std::error::Error + Send + Sync>;

/// First port of ours, and first of the bench's.
pub(crate) const OURS: u16 = 40_000;
pub(crate) const THEIRS: u16 = 50_000;

/// A server for the side-by-side bench.
#[derive(Debug, Parser)]
pub(crate) struct Options {
    /// Calls at a time.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=5_000))]
    calls: u16,
    /// How long it serves after it is ready, s.
    #[arg(long, default_value_t = 33)]
    secs: u64,
    /// Speech stops the tone at once, whatever it is (`turn.barge_in = "cut"`).
    #[arg(long)]
    cut: bool,
    /// No judge hears whether a turn is over (`models.turn_judge = "none"`).
    #[arg(long)]
    no_turn_judge: bool,
    /// How much of a core's time that judge may use (`models.turn_judge_percent`).
    #[arg(long)]
    turn_judge_percent: Option<u64>,
}

fn main() -> Result<(), Failure> {
    agent::serve(&Options::parse())
}

/// Says that all calls stand.
pub(crate) fn ready(calls: u16) -> Result<(), Failure> {
    let mut out = std::io::stdout();
    writeln!(out, "{{\"ready\": true, \"server_calls\": {calls}}}")?;
    Ok(out.flush()?)
}

/// For how long it is served once it is ready.
pub(crate) fn lasting(options: &Options) -> Duration {
    Duration::from_secs(options.secs)
}
