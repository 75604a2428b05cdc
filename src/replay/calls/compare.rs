//! Two runs side by side: medians and tails, and between which bounds they differ.

use std::fmt;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::figures::{METRICS, values};
use super::report::Report;

/// Draws of the bootstrap (Efron, 1979): each run's values drawn anew, the difference taken.
const DRAWS: usize = 1_000;
const QUANTILES: [(&str, f64); 2] = [("p50", 0.5), ("p95", 0.95)];

/// Two runs.
#[derive(Clone, Debug)]
pub struct Comparison {
    names: [String; 2],
    shares: [String; 2],
    rows: Vec<Row>,
}

#[derive(Clone, Debug)]
struct Row {
    name: String,
    counts: [usize; 2],
    figures: [f64; 2],
    /// Second less first: 95 % bounds.
    bounds: (f64, f64),
}

impl Comparison {
    /// Compares the second run with the first.
    #[must_use]
    pub fn of(names: [String; 2], runs: [&Report; 2]) -> Self {
        let mut chance = StdRng::seed_from_u64(1);
        let mut rows = Vec::new();
        for metric in METRICS {
            let of_run = |run: &Report| -> Vec<f64> {
                let mut all: Vec<f64> =
                    run.calls.iter().flat_map(|call| values(metric, call)).collect();
                all.sort_by(f64::total_cmp);
                all
            };
            let both = runs.map(of_run);
            if both.iter().any(Vec::is_empty) {
                continue;
            }
            for (name, q) in QUANTILES {
                rows.push(Row {
                    name: format!("{metric}.{name}"),
                    counts: [both[0].len(), both[1].len()],
                    figures: [quantile(&both[0], q), quantile(&both[1], q)],
                    bounds: difference(&both, q, &mut chance),
                });
            }
        }
        let share = |run: &Report| format!("{} of {}", run.overall.passed, run.overall.calls);
        Self { names, shares: runs.map(share), rows }
    }
}

/// Of sorted values.
fn quantile(sorted: &[f64], q: f64) -> f64 {
    sorted[((sorted.len() as f64 * q).ceil() as usize).clamp(1, sorted.len()) - 1]
}

fn difference(both: &[Vec<f64>; 2], q: f64, chance: &mut StdRng) -> (f64, f64) {
    let mut drawn = |from: &[f64]| {
        let mut some: Vec<f64> =
            (0..from.len()).map(|_| from[chance.random_range(0..from.len())]).collect();
        some.sort_by(f64::total_cmp);
        quantile(&some, q)
    };
    let mut differences: Vec<f64> = (0..DRAWS).map(|_| drawn(&both[1]) - drawn(&both[0])).collect();
    differences.sort_by(f64::total_cmp);
    (quantile(&differences, 0.025), quantile(&differences, 0.975))
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "A is {}, B is {}", self.names[0], self.names[1])?;
        writeln!(f, "as they should be: A {}, B {}", self.shares[0], self.shares[1])?;
        writeln!(
            f,
            "{:<16} {:>6} {:>6} {:>9} {:>9} {:>9}  {:<20}",
            "ms", "n A", "n B", "A", "B", "B - A", "95 % bounds"
        )?;
        for Row { name, counts, figures, bounds } in &self.rows {
            let word = match bounds {
                (low, _) if *low > 0.0 => "more",
                (_, high) if *high < 0.0 => "less",
                _ => "",
            };
            let bounds = format!("{:.0} to {:.0}", bounds.0, bounds.1);
            writeln!(
                f,
                "{name:<16} {:>6} {:>6} {:>9.0} {:>9.0} {:>9.0}  {bounds:<20} {word}",
                counts[0],
                counts[1],
                figures[0],
                figures[1],
                figures[1] - figures[0]
            )?;
        }
        Ok(())
    }
}
