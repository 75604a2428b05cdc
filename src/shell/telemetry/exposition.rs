//! Counters and histograms without locks, and the text form that Prometheus reads.
//!
//! Source: the Prometheus text format 0.0.4. Counting is wait-free and allocates nothing, so that a
//! media worker may do it. Absent: which figures there are (`figures`).

use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// A number that only grows.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    /// One more.
    pub(crate) fn count(&self) {
        self.add(1);
    }

    /// So many more.
    pub(crate) fn add(&self, number: u64) {
        self.0.fetch_add(number, Relaxed);
    }

    pub(crate) fn total(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// Counters of one name, told apart by one label with few values; the last takes all others.
#[derive(Debug)]
pub(crate) struct Tallies {
    label: &'static str,
    values: &'static [&'static str],
    counters: Box<[Counter]>,
}

impl Tallies {
    pub(super) fn new(label: &'static str, values: &'static [&'static str]) -> Self {
        Self { label, values, counters: values.iter().map(|_| Counter::default()).collect() }
    }

    /// So many more of that value.
    pub(crate) fn add(&self, value: &str, number: u64) {
        let last = self.counters.len() - 1;
        let index = self.values.iter().position(|known| *known == value).unwrap_or(last);
        self.counters[index].add(number);
    }

    /// One more of that value.
    pub(crate) fn count(&self, value: &str) {
        self.add(value, 1);
    }

    /// In the order of the values.
    pub(super) fn counters(&self) -> &[Counter] {
        &self.counters
    }
}

/// How often a time was how long.
#[derive(Debug)]
pub(crate) struct Histogram {
    bounds_s: &'static [f64],
    /// One more than bounds: the last is beyond all of them.
    counts: Box<[AtomicU64]>,
    sum_us: AtomicU64,
}

impl Histogram {
    pub(super) fn new(bounds_s: &'static [f64]) -> Self {
        let counts = (0..=bounds_s.len()).map(|_| AtomicU64::new(0)).collect();
        Self { bounds_s, counts, sum_us: AtomicU64::new(0) }
    }

    /// Takes one time.
    pub(crate) fn observe(&self, time: Duration) {
        let seconds = time.as_secs_f64();
        let index = self.bounds_s.partition_point(|bound| *bound < seconds);
        self.counts[index].fetch_add(1, Relaxed);
        self.sum_us.fetch_add(u64::try_from(time.as_micros()).unwrap_or(u64::MAX), Relaxed);
    }
}

/// A page of figures in the making.
#[derive(Debug, Default)]
pub(super) struct Page(String);

impl Page {
    /// Begins a family; its samples follow.
    pub(super) fn family(&mut self, name: &str, kind: &str, help: &str) {
        // Writing to a text cannot go wrong.
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    /// Adds a sample of the family begun last.
    pub(super) fn sample(
        &mut self,
        name: &str,
        labels: &[(&str, &str)],
        value: impl std::fmt::Display,
    ) {
        self.0.push_str(name);
        for (index, (label, text)) in labels.iter().enumerate() {
            let text = text.replace('\\', r"\\").replace('"', "\\\"").replace('\n', r"\n");
            let open = if index == 0 { '{' } else { ',' };
            let _ = write!(self.0, "{open}{label}=\"{text}\"");
        }
        self.0.push_str(if labels.is_empty() { " " } else { "} " });
        let _ = writeln!(self.0, "{value}");
    }

    /// A family of one gauge.
    pub(super) fn gauge(&mut self, name: &str, help: &str, value: impl std::fmt::Display) {
        self.family(name, "gauge", help);
        self.sample(name, &[], value);
    }

    /// A family of one number that only grows.
    pub(super) fn total(&mut self, name: &str, help: &str, value: impl std::fmt::Display) {
        self.family(name, "counter", help);
        self.sample(name, &[], value);
    }

    /// A family of one counter.
    pub(super) fn counter(&mut self, name: &str, help: &str, counter: &Counter) {
        self.total(name, help, counter.total());
    }

    /// A family of counters.
    pub(super) fn tallies(&mut self, name: &str, help: &str, tallies: &Tallies) {
        self.family(name, "counter", help);
        for (value, counter) in tallies.values.iter().zip(&tallies.counters) {
            self.sample(name, &[(tallies.label, value)], counter.total());
        }
    }

    /// A family of one histogram.
    pub(super) fn histogram(&mut self, name: &str, help: &str, histogram: &Histogram) {
        self.family(name, "histogram", help);
        let bucket = format!("{name}_bucket");
        let mut below = 0;
        for (bound, count) in histogram.bounds_s.iter().zip(&histogram.counts) {
            below += count.load(Relaxed);
            self.sample(&bucket, &[("le", &bound.to_string())], below);
        }
        below += histogram.counts[histogram.bounds_s.len()].load(Relaxed);
        self.sample(&bucket, &[("le", "+Inf")], below);
        let sum_s = histogram.sum_us.load(Relaxed) as f64 / 1e6;
        self.sample(&format!("{name}_sum"), &[], sum_s);
        self.sample(&format!("{name}_count"), &[], below);
    }

    /// The whole text.
    pub(super) fn finish(self) -> String {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_histogram_counts_up_to_its_bounds_and_beyond() {
        let histogram = Histogram::new(&[0.1, 1.0]);
        for ms in [50, 100, 101, 5_000] {
            histogram.observe(Duration::from_millis(ms));
        }
        let mut page = Page::default();
        page.histogram("t_seconds", "Times.", &histogram);
        let expected = "# HELP t_seconds Times.\n# TYPE t_seconds histogram\n\
                        t_seconds_bucket{le=\"0.1\"} 2\nt_seconds_bucket{le=\"1\"} 3\n\
                        t_seconds_bucket{le=\"+Inf\"} 4\nt_seconds_sum 5.251\nt_seconds_count 4\n";
        assert_eq!(page.finish(), expected);
    }

    #[test]
    fn what_a_label_does_not_know_is_counted_as_the_last() {
        let tallies = Tallies::new("cause", &["bye", "other"]);
        tallies.count("bye");
        tallies.count("sip:13800@trunk");
        let mut page = Page::default();
        page.tallies("ends_total", "Ends.", &tallies);
        assert!(page.finish().ends_with("{cause=\"bye\"} 1\nends_total{cause=\"other\"} 1\n"));
    }

    #[test]
    fn signs_that_would_end_a_label_are_escaped() {
        let mut page = Page::default();
        page.sample("x", &[("queue", "a\"b\\c\nd")], 1);
        assert_eq!(page.finish(), "x{queue=\"a\\\"b\\\\c\\nd\"} 1\n");
    }
}
