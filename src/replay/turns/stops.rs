//! What happens while the assistant speaks: stops that answer, stops that nothing asked for, and
//! how soon.

use std::fmt::{self, Write};

use serde_json::{Value, json};

use super::label::{Kind, Label};
use super::report::percentile;
use super::room::Said;
use super::score::Engine;

/// A stop this long after what it answers still answers it, ms.
const STOP_SLACK_MS: u32 = 300;

/// What an engine did in one recording over the assistant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct OverScore {
    pub(super) engine: Engine,
    pub(super) kind: Kind,
    /// From the begin of what must stop the assistant to the stop, ms.
    pub(super) stopped_ms: Option<u32>,
    /// Stops that nothing asked for.
    pub(super) false_stops: u32,
    pub(super) resumed: u32,
    pub(super) ducks: u32,
    /// From that begin to the first time the level went down, by ducking or stopping, ms.
    pub(super) ducked_ms: Option<u32>,
}

impl OverScore {
    pub(super) fn new(engine: Engine, label: &Label, said: &[(u32, Said)]) -> Self {
        let asked = label.events.iter().find(|_| label.kind.must_stop());
        let due = |at: &u32| {
            asked.is_some_and(|event| (event.begin_ms..event.end_ms + STOP_SLACK_MS).contains(at))
        };
        let times = |what: Said| said.iter().filter(move |it| it.1 == what).map(|it| it.0);
        let begin_ms = asked.map_or(0, |event| event.begin_ms);
        let first = |what: Said| times(what).find(due).map(|at| at - begin_ms);
        let stopped_ms = first(Said::Stopped);
        // An assistant that was stopped before cannot be stopped again: that is no answer.
        let ducked_ms = [first(Said::Ducked), stopped_ms].into_iter().flatten().min();
        Self {
            engine,
            kind: label.kind,
            stopped_ms,
            false_stops: times(Said::Stopped).filter(|at| !due(at)).count() as u32,
            resumed: times(Said::Resumed).count() as u32,
            ducks: times(Said::Ducked).count() as u32,
            ducked_ms,
        }
    }
}

/// What an engine did with recordings of one kind over the assistant.
#[derive(Clone, Debug)]
pub(super) struct Stops {
    engine: Engine,
    kind: Kind,
    recordings: usize,
    /// Recordings with a stop that answered.
    stopped: usize,
    /// Recordings with a stop that nothing asked for, and of these, with one that was taken back.
    falsely: usize,
    resumed: usize,
    ducked: usize,
    stop_ms: Vec<u32>,
    duck_ms: Vec<u32>,
}

impl Stops {
    pub(super) const HEAD: &str = "over the assistant          recordings  stopped  false stops  \
                                   resumed   ducked   stop p50     p95  quieter p50     p95";

    pub(super) fn of(engine: Engine, kind: Kind, all: &[&OverScore]) -> Self {
        let sorted = |value: fn(&OverScore) -> Option<u32>| {
            let mut values: Vec<u32> = all.iter().filter_map(|it| value(it)).collect();
            values.sort_unstable();
            values
        };
        let having = |test: fn(&OverScore) -> bool| all.iter().filter(|it| test(it)).count();
        Self {
            engine,
            kind,
            recordings: all.len(),
            stopped: having(|it| it.stopped_ms.is_some()),
            falsely: having(|it| it.false_stops > 0),
            resumed: having(|it| it.resumed > 0),
            ducked: having(|it| it.ducks > 0),
            stop_ms: sorted(|it| it.stopped_ms),
            duck_ms: sorted(|it| it.ducked_ms),
        }
    }

    fn share(&self, part: usize) -> f64 {
        part as f64 / self.recordings.max(1) as f64
    }

    pub(super) fn value(&self) -> Value {
        json!({
            "engine": self.engine.name(),
            "kind": self.kind.name(),
            "recordings": self.recordings,
            "stopped": self.share(self.stopped),
            "false_stops": self.share(self.falsely),
            "resumed": self.share(self.resumed),
            "ducked": self.share(self.ducked),
            "stop_ms": quantiles(&self.stop_ms),
            "quieter_ms": quantiles(&self.duck_ms),
        })
    }
}

impl fmt::Display for Stops {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut line = format!(
            "{:<27} {:>10}",
            format!("{} {}", self.engine.name(), self.kind.name()),
            self.recordings
        );
        for part in [self.stopped, self.falsely, self.resumed, self.ducked] {
            write!(line, " {:>8.1} %", self.share(part) * 100.0)?;
        }
        if self.kind.must_stop() {
            for (times, percent) in
                [(&self.stop_ms, 50), (&self.stop_ms, 95), (&self.duck_ms, 50), (&self.duck_ms, 95)]
            {
                write!(line, " {:>7.0}", percentile(times, percent))?;
            }
        }
        f.write_str(&line)
    }
}

fn quantiles(sorted: &[u32]) -> Value {
    json!({ "p50": percentile(sorted, 50), "p95": percentile(sorted, 95) })
}
