//! A run as one page without anything outside it: plots, tables, and the worst turns to be heard.

use minijinja::Environment;
use minijinja::value::Serde;
use serde::Serialize;

use super::clips::{Clip, Clips};
use super::figures::{Figures, METRICS, values};
use super::human::Human;
use super::report::Report;
use super::score::{Said, Score};

const PLOT_WIDTH: f64 = 600.0;
const PLOT_HEIGHT: f64 = 160.0;

/// A distribution as it is drawn.
#[derive(Debug, Serialize)]
struct Plot {
    metric: &'static str,
    figures: Figures,
    /// Share of values up to each time: an SVG path.
    path: String,
    /// Ticks below it: where, and what time.
    ticks: Vec<(f64, String)>,
}

/// What became of a hand-over.
#[derive(Debug, Serialize)]
struct Handed<'a> {
    call: &'a Score,
    at_ms: Option<f64>,
    wait_ms: Option<f64>,
    told: &'static str,
}

impl<'a> Handed<'a> {
    fn of(call: &'a Score) -> Option<Self> {
        let told = match call.human {
            Some(Human::Heard { .. }) => "heard",
            Some(Human::NotHeard) => "not heard",
            Some(Human::NotScored) => "not scored",
            None => "",
        };
        let (at_ms, wait_ms) =
            (call.human.and_then(Human::at_ms), call.human.and_then(Human::wait_ms));
        let is_any = call.human.is_some() || call.transfer.is_some();
        is_any.then_some(Self { call, at_ms, wait_ms, told })
    }
}

/// What the template is given.
#[derive(Debug, Serialize)]
struct Shown<'a> {
    report: &'a Report,
    began: String,
    plots: Vec<Plot>,
    failed: Vec<&'a Score>,
    /// Calls in which a human could have been heard, was owed, or a transfer was asked for.
    handed: Vec<Handed<'a>>,
    /// Words that were recognized, with the call.
    recognized: Vec<(usize, &'a Said)>,
    clips: &'a [Clip],
}

/// Renders the page.
///
/// # Errors
/// Where its template does not fit, which is a fault of ours.
pub fn page(report: &Report, clips: &Clips) -> Result<String, minijinja::Error> {
    let mut pages = Environment::new();
    // The name's ending turns escaping on: names of scenarios and words are anybody's.
    pages.add_template("page.html", include_str!("page.html"))?;
    let plots: Vec<Plot> = METRICS.iter().filter_map(|metric| plot(report, metric)).collect();
    let began = jiff::Timestamp::from_millisecond(report.began_unix_ms.cast_signed())
        .map_or_else(|_| String::new(), |it| it.strftime("%F %T UTC").to_string());
    let failed: Vec<_> = report.calls.iter().filter(|it| !it.faults.is_empty()).take(200).collect();
    let handed: Vec<_> = report.calls.iter().filter_map(Handed::of).take(200).collect();
    let said = report.calls.iter().flat_map(|it| it.said.iter().map(|said| (it.number, said)));
    let recognized = said.filter(|(_, it)| it.recognized.is_some()).take(200).collect();
    let clips = clips.worst();
    let shown = Shown { report, began, plots, failed, handed, recognized, clips };
    pages.get_template("page.html")?.render(Serde(&shown))
}

fn plot(report: &Report, metric: &'static str) -> Option<Plot> {
    use std::fmt::Write;
    let figures = report.overall.figures.get(metric)?.clone();
    let mut all: Vec<f64> = report.calls.iter().flat_map(|call| values(metric, call)).collect();
    all.sort_by(f64::total_cmp);
    let most = all.last().copied().unwrap_or(figures.max).max(1.0) * 1.02;
    let mut path = format!("M0 {PLOT_HEIGHT}");
    let step = all.len().div_ceil(800).max(1);
    for (at, value) in
        all.iter().enumerate().filter(|(at, _)| at % step == 0 || at + 1 == all.len())
    {
        let x = value / most * PLOT_WIDTH;
        let y = PLOT_HEIGHT * (1.0 - (at + 1) as f64 / all.len() as f64);
        let _ = write!(path, "H{x:.1}V{y:.1}");
    }
    let _ = write!(path, "H{PLOT_WIDTH}");
    let ticks = (0..=4)
        .map(|at| {
            let share = f64::from(at) / 4.0;
            (share * PLOT_WIDTH, format!("{:.0}", share * most))
        })
        .collect();
    Some(Plot { metric, figures, path: if all.is_empty() { String::new() } else { path }, ticks })
}

#[cfg(test)]
mod tests {
    use super::super::report::{Head, Tally};
    use super::*;

    #[test]
    fn names_and_words_are_text_on_the_page_whatever_is_in_them() {
        let to = "<script>alert(1)</script>".to_owned();
        let report = Tally::default().report(Head { to, ..Head::default() });
        let page = page(&report, &Clips::default()).unwrap();
        assert!(page.contains("&lt;script&gt;alert(1)"), "{page}");
        assert!(!page.contains("<script>alert"));
    }
}
