//! Figures of many calls: percentiles with the bounds between which the true ones lie.
//!
//! Bounds are of order statistics, without a model of the distribution: the ranks that the true
//! quantile lies between with 95 % (binomial, by its normal approximation; David and Nagaraja,
//! Order Statistics, 3rd ed., 7.1). With few values they are the least and the greatest.

use std::collections::BTreeMap;

use base64::Engine;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Serializer, V2DeflateSerializer};
use serde::{Deserialize, Serialize};

use super::human::Human;
use super::score::{Score, TurnKind};

/// A histogram's unit is 100 µs; it holds up to an hour.
const UNIT_MS: f64 = 0.1;
const MOST: u64 = 36_000_000;

/// The metrics, in the order in which they are told.
pub const METRICS: [&str; 9] = [
    "answer",
    "response",
    "duck",
    "stop",
    "dead_air",
    "talk_over",
    "human",
    "human_wait",
    "spacing",
];

/// One quantile, ms, and its bounds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Quantile {
    /// As measured.
    pub value: f64,
    /// The true one is above this with 97.5 %.
    pub low: f64,
    /// And below this.
    pub high: f64,
}

/// What is known of one metric, ms.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Figures {
    /// How many values.
    pub count: u64,
    /// Median.
    pub p50: Quantile,
    /// 95 %.
    pub p95: Quantile,
    /// 99 %.
    pub p99: Quantile,
    /// The greatest.
    pub max: f64,
    /// HDR histogram, V2 deflated, base64; its unit is 100 µs.
    pub histogram: String,
}

/// Values of one metric, ms.
pub(super) struct Values(Histogram<u64>, f64);

impl Values {
    pub(super) fn new() -> Self {
        Self(Histogram::new_with_bounds(1, MOST, 3).expect("these bounds are allowed"), 0.0)
    }

    pub(super) fn add(&mut self, value_ms: f64) {
        self.1 = self.1.max(value_ms);
        self.0.saturating_record((value_ms / UNIT_MS).round().max(0.0) as u64);
    }

    pub(super) fn figures(&self) -> Option<Figures> {
        let count = self.0.len();
        if count == 0 {
            return None;
        }
        let at_rank = |rank: f64| {
            let rank = rank.clamp(1.0, count as f64);
            let value = self.0.value_at_quantile((rank - 0.5).max(0.0) / count as f64);
            (value as f64 * UNIT_MS).min(self.1)
        };
        let quantile = |q: f64| {
            let (n, middle) = (count as f64, count as f64 * q);
            let half = 1.96 * (n * q * (1.0 - q)).sqrt();
            Quantile {
                value: at_rank(middle.ceil()),
                low: at_rank((middle - half).floor()),
                high: at_rank((middle + half).ceil() + 1.0),
            }
        };
        let mut bytes = Vec::new();
        V2DeflateSerializer::new().serialize(&self.0, &mut bytes).ok()?;
        Some(Figures {
            count,
            p50: quantile(0.5),
            p95: quantile(0.95),
            p99: quantile(0.99),
            max: self.1,
            histogram: base64::engine::general_purpose::STANDARD.encode(bytes),
        })
    }
}

/// Figures of a scenario, or of all.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Summary {
    /// Which scenario; empty of all.
    pub scenario: String,
    /// Calls that were placed.
    pub calls: usize,
    /// Of them those that were answered.
    pub answered: usize,
    /// Of them those that went as they should.
    pub passed: usize,
    /// Turns that wanted an answer and had none before the caller spoke again or the end.
    pub unanswered: usize,
    /// Interruptions that stopped nothing within 3 s, and all.
    pub not_stopped: usize,
    /// All.
    pub interruptions: usize,
    /// Coughs and the like over the far end that stopped it, and all.
    pub stopped_by_asides: usize,
    /// All.
    pub asides: usize,
    /// Calls in which a human was heard, owed or not.
    #[serde(default)]
    pub humans_heard: usize,
    /// Calls that owed a human, in a run without a phone of one.
    #[serde(default)]
    pub humans_not_scored: usize,
    /// Calls in which a transfer was asked for by signalling.
    #[serde(default)]
    pub transfers: usize,
    /// Packets that came.
    pub packets: u64,
    /// Of them too late for a phone.
    pub packets_late: u64,
    /// By metric.
    pub figures: BTreeMap<String, Figures>,
}

/// The values of a metric in a call; of `spacing` they are not kept.
pub(super) fn values<'a>(metric: &str, score: &'a Score) -> Box<dyn Iterator<Item = f64> + 'a> {
    let answered = score.answer_ms.is_some();
    let turns = score.turns.iter();
    let wanted = |kind: TurnKind| matches!(kind, TurnKind::Words | TurnKind::Keys);
    match metric {
        "answer" => Box::new(score.answer_ms.into_iter()),
        "response" => Box::new(turns.filter_map(|it| it.response_ms)),
        "duck" => Box::new(turns.filter(move |it| wanted(it.kind)).filter_map(|it| it.duck_ms)),
        "stop" => Box::new(turns.filter(move |it| wanted(it.kind)).filter_map(|it| it.stop_ms)),
        "dead_air" => Box::new(answered.then_some(f64::from(score.dead_air_ms)).into_iter()),
        "human" => Box::new(score.human.and_then(Human::at_ms).into_iter()),
        "human_wait" => Box::new(score.human.and_then(Human::wait_ms).into_iter()),
        "talk_over" => Box::new(answered.then_some(f64::from(score.talk_over_ms)).into_iter()),
        _ => Box::new(std::iter::empty()),
    }
}

/// Adds calls up.
pub(super) struct Sum {
    summary: Summary,
    values: BTreeMap<&'static str, Values>,
}

impl Sum {
    pub(super) fn new(scenario: &str) -> Self {
        let summary = Summary { scenario: scenario.to_owned(), ..Summary::default() };
        Self { summary, values: METRICS.map(|name| (name, Values::new())).into() }
    }

    pub(super) fn add(&mut self, score: &Score, spacing_us: &[u32]) {
        let sum = &mut self.summary;
        sum.calls += 1;
        sum.answered += usize::from(score.answer_ms.is_some());
        sum.passed += usize::from(score.faults.is_empty());
        sum.humans_heard += usize::from(score.human.and_then(Human::at_ms).is_some());
        sum.humans_not_scored += usize::from(score.human == Some(Human::NotScored));
        sum.transfers += usize::from(score.transfer.is_some());
        sum.packets += score.packets;
        sum.packets_late += score.packets_late;
        for turn in &score.turns {
            let wants = matches!(turn.kind, TurnKind::Words | TurnKind::Keys);
            let stopped = turn.stop_ms.is_some();
            sum.unanswered += usize::from(wants && turn.response_ms.is_none() && !turn.over_far);
            sum.interruptions += usize::from(wants && turn.over_far);
            sum.not_stopped += usize::from(wants && turn.over_far && !stopped);
            let is_aside = turn.kind == TurnKind::Aside && turn.over_far;
            sum.asides += usize::from(is_aside);
            sum.stopped_by_asides += usize::from(is_aside && stopped);
        }
        for (name, kept) in &mut self.values {
            values(name, score).for_each(|value| kept.add(value));
        }
        if let Some(kept) = self.values.get_mut("spacing") {
            spacing_us.iter().for_each(|us| kept.add(f64::from(*us) / 1e3));
        }
    }

    pub(super) fn summary(&self) -> Summary {
        let figures = self.values.iter();
        let figures = figures.filter_map(|(name, it)| Some(((*name).to_owned(), it.figures()?)));
        Summary { figures: figures.collect(), ..self.summary.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_true_quantile_lies_within_the_bounds_in_19_of_20_runs() {
        use rand::{Rng, SeedableRng};
        let mut chance = rand::rngs::StdRng::seed_from_u64(1);
        let mut held = [0; 2];
        for _ in 0..400 {
            let mut values = Values::new();
            (0..200).for_each(|_| values.add(chance.random_range(0.0..1_000.0)));
            let figures = values.figures().unwrap();
            for (held, (quantile, true_value)) in
                held.iter_mut().zip([(figures.p50, 500.0), (figures.p95, 950.0)])
            {
                assert!(quantile.low <= quantile.value && quantile.value <= quantile.high);
                *held += u32::from(quantile.low <= true_value && true_value <= quantile.high);
            }
        }
        assert!(held.iter().all(|it| (365..=399).contains(it)), "{held:?} of 400");
    }

    #[test]
    fn one_value_has_itself_for_bounds_and_none_has_no_figures() {
        let mut values = Values::new();
        assert!(values.figures().is_none());
        values.add(431.0);
        let figures = values.figures().unwrap();
        let near = |value: f64| (value - 431.0).abs() < 0.5;
        assert!(near(figures.p50.low) && near(figures.p99.high) && near(figures.max));
    }
}
