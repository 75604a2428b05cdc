//! The figures: curves of false cut-offs against dead air, false stops against stop time, as tables
//! and as JSON.

use std::fmt;

use serde_json::{Value, json};

use super::label::Kind;
use super::room::AS_SET;
use super::score::{Counted, Engine};
use super::stops::{OverScore, Stops};

/// The share of false cut-offs at which judges are compared.
const COMPARED_AT: f64 = 0.05;

/// What an engine did with turns of one kind at one threshold.
#[derive(Clone, Debug)]
pub(super) struct TurnScore {
    engine: Engine,
    threshold: f32,
    kind: Kind,
    turns: u32,
    turns_cut: u32,
    sum: Counted,
    dead_air_ms: Vec<u32>,
    never: u32,
}

impl TurnScore {
    pub(super) fn new((engine, threshold, kind): (Engine, f32, Kind), sum: Counted) -> Self {
        let (turns, turns_cut) = (1, u32::from(sum.cut));
        let (dead_air_ms, never) = (vec![sum.dead_air_ms], u32::from(sum.never));
        Self { engine, threshold, kind, turns, turns_cut, sum, dead_air_ms, never }
    }

    fn add(&mut self, other: &Self) {
        self.turns += other.turns;
        self.turns_cut += other.turns_cut;
        self.sum.pauses += other.sum.pauses;
        self.sum.pauses_cut += other.sum.pauses_cut;
        self.sum.groups += other.sum.groups;
        self.sum.groups_cut += other.sum.groups_cut;
        self.never += other.never;
        self.dead_air_ms.extend(&other.dead_air_ms);
    }
}

/// One point of a curve.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// The engine's threshold: ms for voice activity, a probability for Smart Turn, the room's own.
    pub threshold: f64,
    /// Share of pauses in which the turn was taken from the caller.
    pub pauses_cut: f64,
    /// Share of turns that were cut off, in a pause or elsewhere.
    pub turns_cut: f64,
    /// Share of pauses between groups of digits.
    pub groups_cut: f64,
    /// From true end to yield, ms: mean.
    pub mean_ms: f64,
    /// Half of them are below.
    pub p50_ms: f64,
    /// 95 % of them are below.
    pub p95_ms: f64,
    /// Share of ends that were not noticed before the recording's end.
    pub never: f64,
}

/// All figures of a run.
#[derive(Clone, Debug, Default)]
pub struct Report {
    turns: Vec<TurnScore>,
    pub(super) overs: Vec<OverScore>,
}

impl Report {
    pub(super) fn add_turn(&mut self, score: TurnScore) {
        let same = |it: &&mut TurnScore| {
            it.engine == score.engine && it.kind == score.kind && it.threshold == score.threshold
        };
        match self.turns.iter_mut().find(same) {
            Some(sum) => sum.add(&score),
            None => self.turns.push(score),
        }
    }

    /// The curve of an engine, by rising threshold; of one kind, or of all.
    #[must_use]
    pub fn curve(&self, engine: Engine, kind: Option<Kind>) -> Vec<Point> {
        let point = |threshold: &f32| {
            let mut wanted = self.turns.iter().filter(|it| {
                it.engine == engine
                    && it.threshold == *threshold
                    && kind.is_none_or(|kind| it.kind == kind)
            });
            let mut sum = wanted.next()?.clone();
            wanted.for_each(|other| sum.add(other));
            Some(Point::of(&sum))
        };
        engine.thresholds().iter().filter_map(point).collect()
    }

    /// Where the curve crosses 5 % of a share, between its two nearest points.
    #[must_use]
    pub fn at_five_percent(curve: &[Point], share: impl Fn(&Point) -> f64) -> Option<Point> {
        let pair = curve.windows(2).find(|pair| {
            (share(&pair[0]) - COMPARED_AT) * (share(&pair[1]) - COMPARED_AT) <= 0.0
        })?;
        let (from, to) = (share(&pair[0]), share(&pair[1]));
        let part = if from == to { 0.0 } else { (COMPARED_AT - from) / (to - from) };
        Some(Point::between(&pair[0], &pair[1], part))
    }

    fn engines(&self) -> Vec<Engine> {
        let all = [Engine::Vad, Engine::Smart, Engine::Own, Engine::Joint];
        all.into_iter().filter(|engine| !self.curve(*engine, None).is_empty()).collect()
    }

    /// All figures as one JSON object.
    #[must_use]
    pub fn json(&self) -> Value {
        let curve = |engine: Engine, kind: Option<Kind>| {
            let curve = self.curve(engine, kind);
            let value = |point: Option<Point>| point.as_ref().map_or(Value::Null, Point::value);
            json!({
                "engine": engine.name(),
                "kind": kind.map_or("all", Kind::name),
                "points": curve.iter().map(Point::value).collect::<Vec<_>>(),
                "at_5_percent_of_pauses": value(Self::at_five_percent(&curve, |it| it.pauses_cut)),
                "at_5_percent_of_turns": value(Self::at_five_percent(&curve, |it| it.turns_cut)),
            })
        };
        let kinds = [None, Some(Kind::Talk), Some(Kind::Digits), Some(Kind::YesNo)];
        let curves: Vec<Value> = self
            .engines()
            .into_iter()
            .flat_map(|engine| kinds.map(|kind| (engine, kind)))
            .filter(|(engine, kind)| !self.curve(*engine, *kind).is_empty())
            .map(|(engine, kind)| curve(engine, kind))
            .collect();
        let stops: Vec<Value> = self.stops().iter().map(Stops::value).collect();
        json!({ "curves": curves, "stops": stops })
    }

    fn stops(&self) -> Vec<Stops> {
        let mut rows = Vec::new();
        for engine in [Engine::Vad, Engine::Own] {
            for kind in Kind::ALL {
                let of = |it: &&OverScore| it.engine == engine && it.kind == kind;
                let all: Vec<&OverScore> = self.overs.iter().filter(of).collect();
                if !all.is_empty() {
                    rows.push(Stops::of(engine, kind, &all));
                }
            }
        }
        rows
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for engine in self.engines() {
            writeln!(f, "{}, all turns", engine.name())?;
            writeln!(f, "{}", Point::HEAD)?;
            let curve = self.curve(engine, None);
            for point in &curve {
                writeln!(f, "{}", point.line(&point.threshold_text()))?;
            }
            writeln!(f)?;
        }
        for (what, share) in SHARES {
            writeln!(f, "At 5 % false cut-offs, by {what}")?;
            writeln!(f, "{}", Point::HEAD)?;
            for kind in [None, Some(Kind::Talk), Some(Kind::Digits)] {
                for engine in self.engines() {
                    let point = Self::at_five_percent(&self.curve(engine, kind), share);
                    let name = format!("{} {}", engine.name(), kind.map_or("all", Kind::name));
                    let line = point.map(|point| point.line(&name));
                    writeln!(f, "{}", line.unwrap_or_else(|| format!("{name:<14} not reached")))?;
                }
            }
            writeln!(f)?;
        }
        self.as_set(f)?;
        writeln!(f, "{}", Stops::HEAD)?;
        self.stops().iter().try_for_each(|row| writeln!(f, "{row}"))
    }
}

impl Report {
    fn as_set(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for engine in [Engine::Own, Engine::Joint] {
            let set = |kind| {
                let curve = self.curve(engine, kind);
                curve.into_iter().find(|point| (point.threshold - f64::from(AS_SET)).abs() < 1e-6)
            };
            if set(None).is_none() {
                continue;
            }
            writeln!(f, "{}, as it is set", engine.name())?;
            writeln!(f, "{}", Point::HEAD)?;
            for kind in [None, Some(Kind::Talk), Some(Kind::Digits), Some(Kind::YesNo)] {
                if let Some(point) = set(kind) {
                    writeln!(f, "{}", point.line(kind.map_or("all", Kind::name)))?;
                }
            }
            writeln!(f)?;
        }
        Ok(())
    }
}

type Share = fn(&Point) -> f64;
const SHARES: [(&str, Share); 2] =
    [("pause", |point| point.pauses_cut), ("turn", |point| point.turns_cut)];

impl Point {
    const HEAD: &str = "threshold      pauses cut  turns cut  digit groups cut   \
                        dead air mean     p50     p95   never";

    fn of(sum: &TurnScore) -> Self {
        let share = |part: u32, all: u32| f64::from(part) / f64::from(all.max(1));
        let mut dead_air = sum.dead_air_ms.clone();
        dead_air.sort_unstable();
        let all: u64 = dead_air.iter().map(|ms| u64::from(*ms)).sum();
        Self {
            threshold: f64::from(sum.threshold),
            pauses_cut: share(sum.sum.pauses_cut, sum.sum.pauses),
            turns_cut: share(sum.turns_cut, sum.turns),
            groups_cut: share(sum.sum.groups_cut, sum.sum.groups),
            mean_ms: all as f64 / dead_air.len().max(1) as f64,
            p50_ms: percentile(&dead_air, 50),
            p95_ms: percentile(&dead_air, 95),
            never: share(sum.never, sum.turns),
        }
    }

    fn between(from: &Self, to: &Self, part: f64) -> Self {
        let mix = |value: fn(&Self) -> f64| value(from) + (value(to) - value(from)) * part;
        Self {
            threshold: mix(|it| it.threshold),
            pauses_cut: mix(|it| it.pauses_cut),
            turns_cut: mix(|it| it.turns_cut),
            groups_cut: mix(|it| it.groups_cut),
            mean_ms: mix(|it| it.mean_ms),
            p50_ms: mix(|it| it.p50_ms),
            p95_ms: mix(|it| it.p95_ms),
            never: mix(|it| it.never),
        }
    }

    fn threshold_text(&self) -> String {
        // Shortest text of the `f32` that was swept.
        (self.threshold as f32).to_string()
    }

    fn line(&self, name: &str) -> String {
        format!(
            "{name:<14} {:>8.1} % {:>8.1} % {:>15.1} %   {:>10.0} ms {:>7.0} {:>7.0} {:>6.1} %",
            self.pauses_cut * 100.0,
            self.turns_cut * 100.0,
            self.groups_cut * 100.0,
            self.mean_ms,
            self.p50_ms,
            self.p95_ms,
            self.never * 100.0
        )
    }

    fn value(&self) -> Value {
        json!({
            "threshold": self.threshold,
            "pauses_cut": self.pauses_cut,
            "turns_cut": self.turns_cut,
            "groups_cut": self.groups_cut,
            "dead_air_ms": { "mean": self.mean_ms, "p50": self.p50_ms, "p95": self.p95_ms },
            "never": self.never,
        })
    }
}

/// The value that so many percent are not above; 0 of none.
pub(super) fn percentile(sorted: &[u32], percent: usize) -> f64 {
    let at = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
    sorted.get(at).copied().map_or(0.0, f64::from)
}
