//! Business hours: on which days, from when to when, the humans are there.

use jiff::civil::{DateTime, Time, Weekday};

use super::format::Hours;
use crate::conversation::values::date::weekday;

/// Hours in force.
#[derive(Clone, Debug, Default)]
pub(super) struct OpenHours {
    spans: Vec<(Weekday, Time, Option<Time>)>,
}

impl OpenHours {
    /// Reads them, or gives the keys whose values cannot be read.
    pub(super) fn read(hours: &Hours) -> Result<Self, Vec<String>> {
        let mut spans = Vec::new();
        let mut bad = Vec::new();
        for (day, text) in &hours.days {
            match weekday(day).zip(span(text)) {
                Some((day, (from, to))) => spans.push((day, from, to)),
                None => bad.push(day.clone()),
            }
        }
        if bad.is_empty() { Ok(Self { spans }) } else { Err(bad) }
    }

    /// Whether somebody is there; always where no hours are given.
    pub(super) fn open_at(&self, local: DateTime) -> bool {
        self.spans.is_empty()
            || self.spans.iter().any(|(day, from, to)| {
                *day == local.date().weekday()
                    && local.time() >= *from
                    && to.is_none_or(|to| local.time() < to)
            })
    }
}

/// "09:00-17:30"; a day that ends at 24:00 has no end.
fn span(text: &str) -> Option<(Time, Option<Time>)> {
    let (from, to) = text.split_once('-')?;
    let from = clock(from)?;
    if to.trim() == "24:00" {
        return Some((from, None));
    }
    let to = clock(to)?;
    (from < to).then_some((from, Some(to)))
}

fn clock(text: &str) -> Option<Time> {
    let (hour, minute) = text.trim().split_once(':')?;
    Time::new(hour.parse().ok()?, minute.parse().ok()?, 0, 0).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    #[test]
    fn the_end_of_a_span_is_closed_and_a_missing_day_too() {
        let days = [("monday".to_owned(), "09:00-17:30".to_owned())].into();
        let hours = OpenHours::read(&Hours { days, closed: String::new() }).unwrap();
        // The 23rd of November 2026 is a Monday.
        for (day, hour, minute, open) in
            [(23, 8, 59, false), (23, 9, 0, true), (23, 17, 29, true), (23, 17, 30, false)]
        {
            let local = date(2026, 11, day).at(hour, minute, 0, 0);
            assert_eq!(hours.open_at(local), open, "{local}");
        }
        assert!(!hours.open_at(date(2026, 11, 24).at(12, 0, 0, 0)));
        assert!(OpenHours::default().open_at(date(2026, 11, 24).at(3, 0, 0, 0)));
    }

    #[test]
    fn spans_that_run_backwards_are_refused() {
        for text in ["17:00-09:00", "9-5", "25:00-26:00"] {
            assert!(span(text).is_none(), "{text}");
        }
        assert_eq!(span("00:00-24:00"), Some((Time::midnight(), None)));
    }
}
