//! Calendar dates, said in full ("the third of may") or relative to today ("next tuesday").
//!
//! Deliberately simple: "tuesday", "this tuesday" and "next tuesday" all mean the first Tuesday
//! after today; the read-back says the full date, and the caller may object.

use cordboard_models::speech::english::MONTHS;
use jiff::ToSpan;
use jiff::civil::{Date, Weekday};

use super::number;

const WEEKDAYS: [(&str, Weekday); 7] = [
    ("monday", Weekday::Monday),
    ("tuesday", Weekday::Tuesday),
    ("wednesday", Weekday::Wednesday),
    ("thursday", Weekday::Thursday),
    ("friday", Weekday::Friday),
    ("saturday", Weekday::Saturday),
    ("sunday", Weekday::Sunday),
];

/// Reads a date; without a year it is the next such day, today included.
#[must_use]
pub fn parse(words: &[&str], today: Date) -> Option<Date> {
    match words {
        ["on", tail @ ..] if !tail.is_empty() => parse(tail, today),
        ["today"] => Some(today),
        ["tomorrow"] => today.checked_add(1.day()).ok(),
        ["yesterday"] => today.checked_sub(1.day()).ok(),
        ["the", "day", "after", "tomorrow"] | ["day", "after", "tomorrow"] => {
            today.checked_add(2.days()).ok()
        }
        ["next" | "this", day] => next(weekday(day)?, today),
        [day] => next(weekday(day)?, today),
        [day, tail @ ..] if weekday(day).is_some() => in_full(tail, today),
        other => in_full(other, today),
    }
}

/// Puts a date into words, weekday first, without the year.
#[must_use]
pub fn spoken(date: Date) -> String {
    let weekday =
        WEEKDAYS.iter().find(|(_, day)| *day == date.weekday()).map_or("", |(name, _)| *name);
    let day = number::ordinal_spoken(u32::from(date.day().unsigned_abs()));
    let month = MONTHS[usize::from(date.month().unsigned_abs()) - 1];
    format!("{} the {day} of {}", capital(weekday), capital(month))
}

/// The weekday of this name.
#[must_use]
pub fn weekday(word: &str) -> Option<Weekday> {
    WEEKDAYS.iter().find(|(name, _)| *name == word).map(|(_, day)| *day)
}

fn capital(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

fn next(day: Weekday, today: Date) -> Option<Date> {
    today.nth_weekday(1, day).ok()
}

/// "the third of may", "may the third", "third may", each with or without a year.
fn in_full(words: &[&str], today: Date) -> Option<Date> {
    let words = words.strip_prefix(&["the"]).unwrap_or(words);
    let at = words.iter().position(|word| MONTHS.contains(word))?;
    let month = i8::try_from(MONTHS.iter().position(|month| *month == words[at])? + 1).ok()?;
    let (before, after) = (&words[..at], &words[at + 1..]);
    let (day, year) = if before.is_empty() {
        let after = after.strip_prefix(&["the"]).unwrap_or(after);
        (1..=after.len().min(2)).rev().find_map(|length| {
            let day = day_of_month(&after[..length])?;
            let rest = &after[length..];
            (rest.is_empty() || year(rest).is_some()).then_some((day, rest))
        })?
    } else {
        (day_of_month(before.strip_suffix(&["of"]).unwrap_or(before))?, after)
    };
    if year.is_empty() {
        let this_year = Date::new(today.year(), month, day).ok().filter(|date| *date >= today);
        // The 29th of February may be up to eight years away.
        return this_year.or_else(|| {
            (1..=8).find_map(|years| Date::new(today.year() + years, month, day).ok())
        });
    }
    Date::new(self::year(year)?, month, day).ok()
}

fn day_of_month(words: &[&str]) -> Option<i8> {
    let day = number::ordinal(words).or_else(|| number::below_hundred(words))?;
    i8::try_from(day).ok().filter(|day| (1..=31).contains(day))
}

/// "twenty twenty seven", "two thousand twenty seven", "2027".
fn year(words: &[&str]) -> Option<i16> {
    let whole = number::parse(words).and_then(|year| i16::try_from(year).ok());
    let in_pairs = || {
        let (century, tail) = words.split_first()?;
        let low = number::below_hundred(tail).filter(|low| *low >= 10)?;
        i16::try_from(number::below_hundred(&[century])? * 100 + low).ok()
    };
    whole.filter(|year| *year >= 1900).or_else(in_pairs).filter(|year| (1900..2200).contains(year))
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;
    use proptest::prelude::*;

    /// A Saturday.
    const TODAY: Date = date(2026, 11, 21);

    proptest! {
        #[test]
        fn a_spoken_date_is_read_back(days in 0_i32..365) {
            let day = TODAY.checked_add(days.days()).unwrap();
            let said = spoken(day).to_lowercase();
            prop_assert_eq!(parse(&said.split(' ').collect::<Vec<_>>(), TODAY), Some(day));
        }
    }

    #[test]
    fn usual_wordings_are_read() {
        for (said, expected) in [
            ("today", Some(TODAY)),
            ("tomorrow", Some(date(2026, 11, 22))),
            ("the day after tomorrow", Some(date(2026, 11, 23))),
            ("next tuesday", Some(date(2026, 11, 24))),
            ("on saturday", Some(date(2026, 11, 28))),
            ("the third of may", Some(date(2027, 5, 3))),
            ("december twenty fifth", Some(date(2026, 12, 25))),
            ("may the third twenty twenty eight", Some(date(2028, 5, 3))),
            ("third of may two thousand twenty seven", Some(date(2027, 5, 3))),
            ("the thirtieth of february", None),
            ("may", None),
            ("someday", None),
        ] {
            assert_eq!(parse(&said.split(' ').collect::<Vec<_>>(), TODAY), expected, "{said}");
        }
    }
}
