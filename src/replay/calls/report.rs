//! What a run came to: as JSON, and as a table for people.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::figures::{Figures, METRICS, Sum, Summary};
use super::human::HumanTally;
use super::recognized::Listener;
use super::score::{Score, score};
use super::take::Take;

/// Version of the JSON; a reader refuses another.
pub const REPORT_VERSION: u32 = 1;

/// Calls of which it is told what was wrong, and words of which it is told what was recognized.
const TOLD: usize = 40;

/// A run, scored.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Report {
    /// [`REPORT_VERSION`].
    pub cordboard_replay: u32,
    /// Version of the program.
    pub build: String,
    /// Whom it rang.
    pub to: String,
    /// When it began, ms since 1970.
    pub began_unix_ms: u64,
    /// How it was asked for: concurrency, rate and what was laid over.
    pub asked: BTreeMap<String, String>,
    /// The latest that a tick of ours was, ms: what is above is not the far end's.
    pub own_lateness_ms: f64,
    /// Of all calls.
    pub overall: Summary,
    /// Of each scenario.
    pub scenarios: Vec<Summary>,
    /// How the far end's own figures differ from ours, where its timeline was read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub truth: Option<Truth>,
    /// What came to the humans' phones, where the run had any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub humans: Option<HumanTally>,
    /// Each call.
    pub calls: Vec<Score>,
}

/// Our response times less the far end's own, ms.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Truth {
    /// Turns that both tell of.
    pub turns: usize,
    /// Turns in which another sound came before the words, or none of them.
    pub other_sounds: usize,
    /// Mean of the differences, ms.
    pub mean_ms: f64,
    /// 95 % of them are no further from nothing than this, ms.
    pub p95_ms: f64,
    /// The furthest, ms.
    pub max_ms: f64,
}

/// Adds calls up as they end.
pub struct Tally {
    overall: Sum,
    scenarios: BTreeMap<String, Sum>,
    calls: Vec<Score>,
    listener: Option<Listener>,
}

impl fmt::Debug for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tally").field("calls", &self.calls.len()).finish_non_exhaustive()
    }
}

impl Default for Tally {
    fn default() -> Self {
        Self {
            overall: Sum::new(""),
            scenarios: BTreeMap::new(),
            calls: Vec::new(),
            listener: None,
        }
    }
}

impl Tally {
    /// One for which calls are listened to again, where one listens.
    #[must_use]
    pub fn with_listener(listener: Option<Listener>) -> Self {
        Self { listener, ..Self::default() }
    }

    /// Scores a call and adds it.
    pub fn add(&mut self, take: &Take) -> &Score {
        let mut score = score(take);
        if let Some(listener) = &mut self.listener {
            listener.judge(take, &mut score);
        }
        self.overall.add(&score, &take.far.spacing_us);
        let name = score.scenario.clone();
        let of_scenario = self.scenarios.entry(name.clone()).or_insert_with(|| Sum::new(&name));
        of_scenario.add(&score, &take.far.spacing_us);
        self.calls.push(score);
        self.calls.last().expect("one was just put there")
    }

    /// The figures so far.
    #[must_use]
    pub fn so_far(&self) -> Summary {
        self.overall.summary()
    }

    /// All of it.
    #[must_use]
    pub fn report(self, head: Head) -> Report {
        let mut calls = self.calls;
        calls.sort_by_key(|call| call.number);
        Report {
            cordboard_replay: REPORT_VERSION,
            build: env!("CARGO_PKG_VERSION").to_owned(),
            to: head.to,
            began_unix_ms: head.began_unix_ms,
            asked: head.asked,
            own_lateness_ms: head.own_lateness_ms,
            overall: self.overall.summary(),
            scenarios: self.scenarios.values().map(Sum::summary).collect(),
            truth: None,
            humans: head.humans,
            calls,
        }
    }
}

/// What a report begins with.
#[derive(Clone, Debug, Default)]
pub struct Head {
    /// Whom it rang.
    pub to: String,
    /// When it began, ms since 1970.
    pub began_unix_ms: u64,
    /// How it was asked for.
    pub asked: BTreeMap<String, String>,
    /// The latest that a tick of ours was, ms.
    pub own_lateness_ms: f64,
    /// What came to the humans' phones, where the run had any.
    pub humans: Option<HumanTally>,
}

impl Report {
    /// Reads one from JSON.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn read(text: &str) -> Result<Self, String> {
        #[derive(Deserialize)]
        struct Version {
            cordboard_replay: Option<u32>,
        }
        let version: Version =
            serde_json::from_str(text).map_err(|why| format!("is no JSON: {why}"))?;
        match version.cordboard_replay {
            Some(REPORT_VERSION) => {
                serde_json::from_str(text).map_err(|why| format!("is no report of a run: {why}"))
            }
            Some(other) => Err(format!("is a report of version {other}, not {REPORT_VERSION}")),
            None => Err("is no report of `cordboard replay --json`".to_owned()),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = &self.overall;
        writeln!(
            f,
            "{}: {} calls, {} answered, {} as they should be",
            self.to, all.calls, all.answered, all.passed
        )?;
        table(f, all)?;
        writeln!(
            f,
            "turns without an answer {}; interruptions that stopped nothing {} of {}; asides \
             that stopped it {} of {}",
            all.unanswered, all.not_stopped, all.interruptions, all.stopped_by_asides, all.asides
        )?;
        writeln!(f, "packets {}, too late for a phone {}", all.packets, all.packets_late)?;
        humans(f, self)?;
        if let Some(truth) = &self.truth {
            writeln!(
                f,
                "our response less the far end's own, {} turns ({} began with another sound): mean \
                 {:.1} ms, p95 {:.1} ms from nothing, max {:.1} ms",
                truth.turns, truth.other_sounds, truth.mean_ms, truth.p95_ms, truth.max_ms
            )?;
        }
        if self.own_lateness_ms > 40.0 {
            writeln!(
                f,
                "our own ticks were up to {:.0} ms late: fewer calls, or another machine",
                self.own_lateness_ms
            )?;
        }
        if self.scenarios.len() > 1 {
            writeln!(
                f,
                "\n{:<44} {:>5} {:>6} {:>8} {:>8} {:>8} {:>8}",
                "scenario", "calls", "passed", "response", "p95", "stop", "dead air"
            )?;
            for one in &self.scenarios {
                let figure = |name: &str, of: fn(&Figures) -> f64| {
                    one.figures
                        .get(name)
                        .map_or_else(|| "-".to_owned(), |it| format!("{:.0}", of(it)))
                };
                writeln!(
                    f,
                    "{:<44} {:>5} {:>6} {:>8} {:>8} {:>8} {:>8}",
                    one.scenario.chars().take(44).collect::<String>(),
                    one.calls,
                    one.passed,
                    figure("response", |it| it.p50.value),
                    figure("response", |it| it.p95.value),
                    figure("stop", |it| it.p50.value),
                    figure("dead_air", |it| it.max)
                )?;
            }
        }
        for call in self.calls.iter().filter(|it| !it.faults.is_empty()).take(TOLD) {
            writeln!(f, "call {} ({}): {}", call.number, call.scenario, call.faults.join("; "))?;
        }
        let heard = self.calls.iter().flat_map(|call| call.said.iter().map(move |it| (call, it)));
        let heard = heard.filter(|(_, it)| it.heard == Some(true) && it.recognized.is_some());
        for (call, said) in heard.take(TOLD) {
            let (words, recognized) = (&said.words, said.recognized.as_deref().unwrap_or_default());
            let sure = said.confidence.unwrap_or_default() * 100.0;
            let number = call.number;
            writeln!(
                f,
                "call {number}: `{words}` recognized: \"{recognized}\", sure to {sure:.0} %"
            )?;
        }
        Ok(())
    }
}

/// What came of transfers.
fn humans(f: &mut fmt::Formatter<'_>, report: &Report) -> fmt::Result {
    let all = &report.overall;
    if let Some(HumanTally { rung, answered, busy, elsewhere }) = report.humans {
        writeln!(
            f,
            "a human was heard in {} calls; their phones were rung {rung} times, answered \
             {answered}, busy {busy}",
            all.humans_heard
        )?;
        if let Some(address) = elsewhere {
            writeln!(
                f,
                "a call to a human was refused: its sound is at {address}, which was not given: \
                 --allow {address}"
            )?;
        }
    }
    if all.humans_not_scored > 0 {
        writeln!(
            f,
            "a human is owed in {} calls, which is not scored: no phone of one, see --human",
            all.humans_not_scored
        )?;
    }
    if all.transfers > 0 {
        let mut asked: Vec<&str> =
            report.calls.iter().filter_map(|it| it.transfer.as_deref()).collect();
        asked.sort_unstable();
        asked.dedup();
        asked.truncate(5);
        writeln!(
            f,
            "a transfer was asked for by REFER in {} calls, and not followed: {}",
            all.transfers,
            asked.join(", ")
        )?;
    }
    Ok(())
}

/// Quantiles with their bounds, ms.
fn table(f: &mut fmt::Formatter<'_>, summary: &Summary) -> fmt::Result {
    writeln!(f, "{:<10} {:>6} {:>20} {:>20} {:>20} {:>8}", "ms", "n", "p50", "p95", "p99", "max")?;
    for (name, it) in METRICS.iter().filter_map(|name| summary.figures.get_key_value(*name)) {
        let quantile = |it: super::figures::Quantile| {
            let decimals = usize::from(name == "spacing");
            format!("{:.decimals$} ({:.decimals$}-{:.decimals$})", it.value, it.low, it.high)
        };
        writeln!(
            f,
            "{name:<10} {:>6} {:>20} {:>20} {:>20} {:>8.0}",
            it.count,
            quantile(it.p50),
            quantile(it.p95),
            quantile(it.p99),
            it.max
        )?;
    }
    Ok(())
}
