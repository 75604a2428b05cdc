//! Values as callers say them and as programs give them: read as what they say, or not at all. What
//! was read and is read back to the caller means the same.
#![no_main]

use arbitrary::Arbitrary;
use cordboard::conversation::values::{SlotValue, digits};
use cordboard_models::speech::SlotKind;
use cordboard_models::speech::english::{DIGITS, MONTHS, ORDINALS, TEENS, TENS, WEEKDAYS};
use jiff::civil::{DateTime, date};
use libfuzzer_sys::fuzz_target;

/// Words beside those of numbers and dates.
const OTHERS: [&str; 56] = [
    "a",
    "the",
    "of",
    "on",
    "at",
    "and",
    "to",
    "past",
    "after",
    "half",
    "quarter",
    "minutes",
    "o'clock",
    "oh",
    "o",
    "am",
    "pm",
    "m",
    "p",
    "a.m",
    "in",
    "morning",
    "afternoon",
    "evening",
    "night",
    "noon",
    "midnight",
    "midday",
    "hundred",
    "thousand",
    "double",
    "triple",
    "treble",
    "dollar",
    "dollars",
    "cent",
    "cents",
    "pounds",
    "today",
    "tomorrow",
    "yesterday",
    "next",
    "this",
    "day",
    "yes",
    "no",
    "right",
    "my",
    "name",
    "is",
    "it's",
    "thirtieth",
    "small",
    "large",
    "9:15",
    "18:30",
];

#[derive(Arbitrary, Debug)]
enum Said<'a> {
    Words(Vec<u8>),
    Text(&'a str),
    Json(&'a str),
}

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    kind: u8,
    range: (u8, u8),
    day: i32,
    said: Said<'a>,
}

fuzz_target!(|input: Input<'_>| {
    let kind = kind(input.kind, input.range);
    let local = day(input.day);
    let known: Vec<&str> =
        [&DIGITS[..], &TEENS, &TENS, &MONTHS, &WEEKDAYS, &ORDINALS, &OTHERS].concat();
    let text = match input.said {
        Said::Words(words) => {
            let word = |at: u8| known[usize::from(at) % known.len()];
            words.into_iter().take(24).map(word).collect::<Vec<_>>().join(" ")
        }
        Said::Text(text) => text.to_lowercase(),
        Said::Json(text) => {
            let Ok(value) = serde_json::from_str(text) else { return };
            if let Some(read) = SlotValue::from_json(&kind, &value) {
                check(&kind, &read, local);
                assert!(SlotValue::from_json(&kind, &read.json()).is_some(), "{read:?}");
            }
            return;
        }
    };
    let words: Vec<&str> = text.split_whitespace().take(24).collect();
    if let Some(found) = digits::find(&words) {
        assert!(!found.is_empty() && found.bytes().all(|it| it.is_ascii_digit()));
    }
    if let Some(read) = SlotValue::parse(&kind, &words, local) {
        check(&kind, &read, local);
        again(&kind, &read, local);
    }
});

fn kind(kind: u8, (min, more): (u8, u8)) -> SlotKind {
    match kind % 9 {
        0 => SlotKind::Digits { min, max: min.saturating_add(more) },
        1 => SlotKind::Number,
        2 => SlotKind::Date,
        3 => SlotKind::Time,
        4 => SlotKind::Amount,
        5 => SlotKind::Name,
        6 => SlotKind::YesNo,
        7 => SlotKind::Choice(vec!["small".into(), "large".into(), "extra large".into()]),
        _ => SlotKind::Open,
    }
}

/// A day of this century.
fn day(days: i32) -> DateTime {
    let days = jiff::Span::new().days(i64::from(days % 36_000).abs());
    date(2001, 1, 1).saturating_add(days).at(12, 0, 0, 0)
}

/// What a value of the kind is, whoever gave it.
fn check(kind: &SlotKind, value: &SlotValue, local: DateTime) {
    assert!(!value.text().is_empty() && !value.spoken().is_empty(), "{value:?}");
    match (kind, value) {
        (SlotKind::Digits { min, max }, SlotValue::Digits(digits)) => {
            assert!((usize::from(*min)..=usize::from(*max)).contains(&digits.len()));
            assert!(digits.bytes().all(|it| it.is_ascii_digit()));
        }
        (SlotKind::Number, SlotValue::Number(number)) => assert!(*number <= 9_999),
        (SlotKind::Choice(among), SlotValue::Choice(chosen)) => assert!(among.contains(chosen)),
        (SlotKind::Amount, SlotValue::Amount(cents)) => assert!(*cents <= 100_000_000_000),
        (SlotKind::Date, SlotValue::Date(_))
        | (SlotKind::Time, SlotValue::Time(_))
        | (SlotKind::Name, SlotValue::Name(_))
        | (SlotKind::YesNo, SlotValue::YesNo(_))
        | (SlotKind::Open, SlotValue::Open(_)) => {}
        other => panic!("another kind than was asked for: {other:?} {local}"),
    }
}

/// What is read to the caller, said by the caller, is the same value.
fn again(kind: &SlotKind, value: &SlotValue, local: DateTime) {
    if let SlotValue::Date(read) = value {
        // A date is read without its year, and stands for the next such day.
        let year = jiff::Span::new().days(364);
        if *read < local.date() || *read > local.date().saturating_add(year) {
            return;
        }
    }
    let said = value.spoken().to_lowercase();
    let words: Vec<&str> = said.split_whitespace().collect();
    let read = SlotValue::parse(kind, &words, local);
    match value {
        // A name may begin with words that are left off.
        SlotValue::Name(_) => {}
        other => assert_eq!(read.as_ref(), Some(other), "{said:?}"),
    }
}
