//! What a run may cost its callers: `response.p95=800ms`, `passed=100%`.

use std::fmt;
use std::str::FromStr;

use super::figures::{Figures, METRICS, Summary};
use super::format::duration;

/// One limit.
#[derive(Clone, Debug, PartialEq)]
pub struct Budget {
    written: String,
    what: What,
    most: f64,
}

#[derive(Clone, Debug, PartialEq)]
enum What {
    /// A metric and how to take one figure of it, ms.
    Metric(&'static str, Point),
    /// Calls that did not go as they should.
    Failed,
    /// Share of calls that did, percent; a least.
    Passed,
    /// Turns without an answer.
    Unanswered,
    /// Interruptions that stopped nothing.
    NotStopped,
    /// Asides that stopped it.
    StoppedByAsides,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Point {
    P50,
    P95,
    P99,
    Max,
}

impl FromStr for Budget {
    type Err = String;

    fn from_str(written: &str) -> Result<Self, String> {
        let (name, most) = written
            .split_once('=')
            .ok_or("write it as response.p95=800ms, dead_air.max=3s, failed=0 or passed=100%")?;
        let count = || most.parse::<f64>().map_err(|_| format!("`{most}` is no number"));
        let (what, most) = match name.trim() {
            "failed" => (What::Failed, count()?),
            "unanswered" => (What::Unanswered, count()?),
            "not_stopped" => (What::NotStopped, count()?),
            "stopped_by_asides" => (What::StoppedByAsides, count()?),
            "passed" => {
                let share = most.trim_end_matches('%').parse::<f64>();
                (What::Passed, share.map_err(|_| format!("`{most}` is no share, as in 100%"))?)
            }
            other => {
                let (metric, point) = metric(other)?;
                let time =
                    duration(most).ok_or_else(|| format!("`{most}` is no time, as in 800ms"))?;
                (What::Metric(metric, point), time.as_secs_f64() * 1e3)
            }
        };
        Ok(Self { written: written.trim().to_owned(), what, most })
    }
}

fn metric(name: &str) -> Result<(&'static str, Point), String> {
    let (metric, point) = name.split_once('.').unwrap_or((name, ""));
    let known = METRICS.iter().find(|it| **it == metric).copied().ok_or_else(|| {
        format!(
            "there is no figure `{metric}`; there are {}, failed, passed, unanswered, not_stopped, \
             stopped_by_asides",
            METRICS.join(", ")
        )
    })?;
    let point = match point {
        "p50" => Point::P50,
        "p95" => Point::P95,
        "p99" => Point::P99,
        "max" => Point::Max,
        _ => return Err(format!("say which: {metric}.p50, .p95, .p99 or .max")),
    };
    Ok((known, point))
}

/// A budget that was kept or not.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// The budget as it was written.
    pub budget: String,
    /// What it came to; none where there was nothing to measure.
    pub came_to: Option<f64>,
    /// Whether it was kept. What could not be measured was not.
    pub kept: bool,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = if self.kept { "kept" } else { "MISSED" };
        match self.came_to {
            Some(came_to) => write!(f, "budget {}: {word}, {came_to:.1}", self.budget),
            None => write!(f, "budget {}: {word}, there was nothing to measure", self.budget),
        }
    }
}

impl Budget {
    /// Holds it against a run.
    #[must_use]
    pub fn judge(&self, all: &Summary) -> Verdict {
        let count = |count: usize| Some(count as f64);
        let came_to = match self.what {
            What::Metric(metric, point) => all.figures.get(metric).map(|it| figure(it, point)),
            What::Failed => count(all.calls - all.passed),
            What::Passed => Some(100.0 * all.passed as f64 / all.calls.max(1) as f64),
            What::Unanswered => count(all.unanswered),
            What::NotStopped => count(all.not_stopped),
            What::StoppedByAsides => count(all.stopped_by_asides),
        };
        let kept = came_to.is_some_and(|it| match self.what {
            What::Passed => it >= self.most,
            _ => it <= self.most,
        });
        Verdict { budget: self.written.clone(), came_to, kept }
    }
}

fn figure(figures: &Figures, point: Point) -> f64 {
    match point {
        Point::P50 => figures.p50.value,
        Point::P95 => figures.p95.value,
        Point::P99 => figures.p99.value,
        Point::Max => figures.max,
    }
}

#[cfg(test)]
mod tests {
    use super::super::figures::Values;
    use super::*;

    fn summary() -> Summary {
        let mut values = Values::new();
        (1..=100).for_each(|it| values.add(f64::from(it) * 10.0));
        let figures = [("response".to_owned(), values.figures().unwrap())].into();
        Summary { calls: 4, passed: 3, figures, ..Summary::default() }
    }

    #[test]
    fn a_budget_is_kept_up_to_its_limit_and_what_was_not_measured_is_missed() {
        for (written, kept) in [
            ("response.p95=960ms", true),
            ("response.p95=0.9s", false),
            ("response.max=1s", true),
            ("stop.p50=1s", false),
            ("failed=1", true),
            ("failed=0", false),
            ("passed=75%", true),
            ("passed=100%", false),
        ] {
            let budget: Budget = written.parse().unwrap();
            assert_eq!(budget.judge(&summary()).kept, kept, "{written}");
        }
    }

    #[test]
    fn a_budget_that_makes_no_sense_says_what_would() {
        for (written, says) in [
            ("response", "write it as"),
            ("response=800ms", "response.p50"),
            ("answers.p95=1s", "there are answer, response"),
            ("response.p95=800", "no time"),
            ("failed=none", "no number"),
        ] {
            let error = written.parse::<Budget>().unwrap_err();
            assert!(error.contains(says), "{written}: {error}");
        }
    }
}
