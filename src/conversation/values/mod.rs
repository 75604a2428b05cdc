//! Values that callers say: parsed from words, and put into words again.
//!
//! Each kind has a `parse` over whole word lists and a `spoken` that `parse` reads back to the
//! same value; a property test holds each pair together. Deliberately absent: validation, which
//! the flow's conditions do.

pub mod amount;
pub mod choice;
pub mod date;
pub mod digits;
pub mod name;
pub mod number;
pub mod time;
pub mod yes_no;

use cordboard_models::speech::SlotKind;
use jiff::civil::{Date, DateTime, Time};
use serde_json::json;

/// Longest text that a program may give for a name or for anything, in characters.
const TEXT_MAX: usize = 200;

/// A value of a slot.
#[derive(Clone, Debug, PartialEq)]
pub enum SlotValue {
    /// Decimal digits, leading zeros kept.
    Digits(String),
    /// A cardinal number.
    Number(u32),
    /// A calendar date.
    Date(Date),
    /// A time of day.
    Time(Time),
    /// Money, in cents.
    Amount(u64),
    /// A person's name, in title case.
    Name(String),
    /// Yes or no.
    YesNo(bool),
    /// One of the wordings that the slot allows.
    Choice(String),
    /// Anything, as it was said.
    Open(String),
}

impl SlotValue {
    /// Reads a value of `kind` out of `words`, all of which must belong to it.
    ///
    /// `local` is the company's date and time, for "tomorrow".
    #[must_use]
    pub fn parse(kind: &SlotKind, words: &[&str], local: DateTime) -> Option<Self> {
        if words.is_empty() {
            return None;
        }
        match kind {
            SlotKind::Digits { min, max } => {
                digits::parse(words, usize::from(*min), usize::from(*max)).map(Self::Digits)
            }
            SlotKind::Number => number::parse(words).map(Self::Number),
            SlotKind::Date => date::parse(words, local.date()).map(Self::Date),
            SlotKind::Time => time::parse(words).map(Self::Time),
            SlotKind::Amount => amount::parse(words).map(Self::Amount),
            SlotKind::Name => name::parse(words).map(Self::Name),
            SlotKind::YesNo => yes_no::parse(words).map(Self::YesNo),
            SlotKind::Choice(among) => choice::parse(words, among).map(Self::Choice),
            SlotKind::Open => Some(Self::Open(words.join(" "))),
        }
    }

    /// The value as conditions and templates see it: digits and names as strings, dates as
    /// `2026-05-03`, times as `18:30`, amounts in units of money.
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        match self {
            Self::Digits(text) | Self::Name(text) | Self::Choice(text) | Self::Open(text) => {
                json!(text)
            }
            Self::Number(number) => json!(number),
            Self::Amount(cents) => json!(*cents as f64 / 100.0),
            Self::YesNo(yes) => json!(yes),
            Self::Date(_) | Self::Time(_) => json!(self.text()),
        }
    }

    /// Reads a value of `kind` in the form of [`Self::json`], as a program gives it.
    #[must_use]
    pub fn from_json(kind: &SlotKind, value: &serde_json::Value) -> Option<Self> {
        let text = || value.as_str().map(str::trim).filter(|text| !text.is_empty());
        let short = || text().filter(|text| text.chars().count() <= TEXT_MAX).map(str::to_owned);
        match kind {
            SlotKind::Digits { min, max } => {
                let digits = text().filter(|text| text.bytes().all(|it| it.is_ascii_digit()))?;
                let fits = (usize::from(*min)..=usize::from(*max)).contains(&digits.len());
                fits.then(|| Self::Digits(digits.to_owned()))
            }
            SlotKind::Number => {
                let number = u32::try_from(value.as_u64()?).ok()?;
                (number <= 9_999).then_some(Self::Number(number))
            }
            SlotKind::Date => text()?.parse().ok().map(Self::Date),
            SlotKind::Time => text()?.parse().ok().map(Self::Time),
            SlotKind::Amount => {
                let cents = value.as_f64()? * 100.0;
                (0.0..1e11).contains(&cents).then(|| Self::Amount(cents.round() as u64))
            }
            SlotKind::YesNo => value.as_bool().map(Self::YesNo),
            SlotKind::Choice(among) => {
                let chosen = text()?.to_owned();
                among.contains(&chosen).then_some(Self::Choice(chosen))
            }
            SlotKind::Name => short().map(Self::Name),
            SlotKind::Open => short().map(Self::Open),
        }
    }

    /// The value as timelines and context packets carry it.
    #[must_use]
    pub fn text(&self) -> String {
        match self {
            Self::Digits(text) | Self::Name(text) | Self::Choice(text) | Self::Open(text) => {
                text.clone()
            }
            Self::Number(number) => number.to_string(),
            Self::Date(date) => date.to_string(),
            Self::Time(time) => format!("{:02}:{:02}", time.hour(), time.minute()),
            Self::Amount(cents) => format!("{}.{:02}", cents / 100, cents % 100),
            Self::YesNo(yes) => (if *yes { "yes" } else { "no" }).to_owned(),
        }
    }

    /// The value as it is read to the caller.
    #[must_use]
    pub fn spoken(&self) -> String {
        match self {
            Self::Digits(text) => digits::spaced(text),
            Self::Number(number) => number::spoken(*number),
            Self::Date(date) => date::spoken(*date),
            Self::Time(time) => time::spoken(*time),
            Self::Amount(cents) => amount::spoken(*cents),
            Self::YesNo(_) | Self::Name(_) | Self::Choice(_) | Self::Open(_) => self.text(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_program_gives_is_read_as_the_same_value_or_not_at_all() {
        let choice = SlotKind::Choice(vec!["small".to_owned()]);
        let digits = SlotKind::Digits { min: 6, max: 6 };
        for (kind, value) in [
            (&digits, json!("012345")),
            (&SlotKind::Number, json!(12)),
            (&SlotKind::Date, json!("2026-11-24")),
            (&SlotKind::Time, json!("18:30")),
            (&SlotKind::Amount, json!(12.5)),
            (&SlotKind::YesNo, json!(true)),
            (&choice, json!("small")),
            (&SlotKind::Name, json!("Ada King")),
            (&SlotKind::Open, json!("5 Oak Street")),
        ] {
            let read = SlotValue::from_json(kind, &value).map(|read| read.json());
            assert_eq!(read.as_ref(), Some(&value), "{kind:?}");
            for other in [json!(null), json!([value]), json!(""), json!({ "a": value })] {
                assert_eq!(SlotValue::from_json(kind, &other), None, "{kind:?} {other}");
            }
        }
        for (kind, value) in [
            (&digits, json!("12345")),
            (&digits, json!(123_456)),
            (&SlotKind::Number, json!(-1)),
            (&SlotKind::Amount, json!(-1.0)),
            (&SlotKind::Date, json!("tomorrow")),
            (&choice, json!("large")),
            (&SlotKind::Open, json!("a".repeat(201))),
        ] {
            assert_eq!(SlotValue::from_json(kind, &value), None, "{kind:?} {value}");
        }
    }
}
