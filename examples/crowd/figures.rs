//! What all callers heard, in figures.

use std::io::{self, Write};
use std::time::Duration;

use super::caller::Heard;

/// All calls together.
#[derive(Debug, Default)]
pub(crate) struct Figures {
    /// Calls that did not come to be.
    pub(crate) failed: usize,
    calls: usize,
    spacing_us: Vec<u32>,
    /// The 99th percentile of the call that had the worst.
    worst_p99_us: u32,
    lost: u64,
    answers: Vec<Duration>,
    stayed: Duration,
    reasons: Vec<String>,
}

impl Figures {
    /// Adds a call.
    pub(crate) fn add(&mut self, mut heard: Heard) {
        self.calls += 1;
        if let Some(reason) = heard.failure {
            self.failed += 1;
            self.reasons.push(reason);
            return;
        }
        heard.spacing_us.sort_unstable();
        self.worst_p99_us = self.worst_p99_us.max(at(&heard.spacing_us, 0.99));
        self.spacing_us.append(&mut heard.spacing_us);
        self.lost += heard.lost;
        self.answers.push(heard.answered);
        self.stayed += heard.stayed;
    }

    /// Minutes on the line, of all calls together.
    pub(crate) fn call_minutes(&self) -> f64 {
        self.stayed.as_secs_f64() / 60.0
    }

    /// Prints all.
    pub(crate) fn print(&self, out: &mut impl Write) -> io::Result<()> {
        let mut spacing = self.spacing_us.clone();
        spacing.sort_unstable();
        let mut answers = self.answers.clone();
        answers.sort_unstable();
        let ms = |us: u32| f64::from(us) / 1_000.0;
        writeln!(out, "calls: {}, failed: {}", self.calls, self.failed)?;
        for reason in self.reasons.iter().take(5) {
            writeln!(out, "  {reason}")?;
        }
        writeln!(
            out,
            "rtp spacing at the caller: p50 {:.1} p99 {:.1} p99.9 {:.1} max {:.1} ms; worst call's \
             p99 {:.1} ms; {} packets, {} lost",
            ms(at(&spacing, 0.5)),
            ms(at(&spacing, 0.99)),
            ms(at(&spacing, 0.999)),
            ms(at(&spacing, 1.0)),
            ms(self.worst_p99_us),
            spacing.len(),
            self.lost,
        )?;
        let answer = |p| at(&answers, p).as_secs_f64() * 1_000.0;
        writeln!(out, "answered after: p50 {:.0} p99 {:.0} ms", answer(0.5), answer(0.99))
    }
}

/// The value below which the part `p` of them lies.
fn at<T: Copy + Default>(sorted: &[T], p: f64) -> T {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to the length")]
    let place = (sorted.len() as f64 * p) as usize;
    sorted.get(place.min(sorted.len().saturating_sub(1))).copied().unwrap_or_default()
}
