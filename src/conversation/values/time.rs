//! Times of day.
//!
//! Without "a m", "p m" or a part of the day, hours 1 to 6 are taken for the afternoon and the
//! rest as said: people who ring companies speak of office hours. The read-back says which.

use jiff::civil::Time;

use super::number;

/// Reads a time of day ("half past six", "six thirty p m", "ten to eight in the morning").
#[must_use]
pub fn parse(words: &[&str]) -> Option<Time> {
    let words = words.strip_prefix(&["at"]).unwrap_or(words);
    match words {
        ["noon"] | ["midday"] | ["twelve", "noon"] => return Time::new(12, 0, 0, 0).ok(),
        ["midnight"] => return Time::new(0, 0, 0, 0).ok(),
        _ => {}
    }
    let (words, half) = half_of_day(words);
    let (hour, minute) = clock(words)?;
    let hour = match (half, hour) {
        (Some(Half::Morning), 12) => 0,
        (Some(Half::Morning), hour) => hour,
        (Some(Half::Evening), hour @ 1..=11) | (None, hour @ 1..=6) => hour + 12,
        (Some(Half::Evening) | None, hour) => hour,
    };
    Time::new(i8::try_from(hour).ok()?, i8::try_from(minute).ok()?, 0, 0).ok()
}

/// Puts a time into words ("six thirty p m").
#[must_use]
pub fn spoken(time: Time) -> String {
    let (hour, minute) =
        (u32::from(time.hour().unsigned_abs()), u32::from(time.minute().unsigned_abs()));
    if minute == 0 && hour.is_multiple_of(12) {
        return (if hour == 0 { "midnight" } else { "noon" }).to_owned();
    }
    let half = if hour < 12 { "a m" } else { "p m" };
    let hour = number::spoken((hour + 11) % 12 + 1);
    match minute {
        0 => format!("{hour} {half}"),
        1..=9 => format!("{hour} oh {} {half}", number::spoken(minute)),
        _ => format!("{hour} {} {half}", number::spoken(minute)),
    }
}

#[derive(Clone, Copy)]
enum Half {
    Morning,
    Evening,
}

/// Cuts a mark of the half of the day off the end.
fn half_of_day<'a, 'w>(words: &'a [&'w str]) -> (&'a [&'w str], Option<Half>) {
    match words {
        [head @ .., "a", "m"] | [head @ .., "am" | "a.m"] | [head @ .., "in", "the", "morning"] => {
            (head, Some(Half::Morning))
        }
        [head @ .., "p", "m"]
        | [head @ .., "pm" | "p.m"]
        | [head @ .., "in", "the", "afternoon" | "evening"]
        | [head @ .., "at", "night"] => (head, Some(Half::Evening)),
        other => (other, None),
    }
}

/// Hour and minute as said, before the half of the day is known.
fn clock(words: &[&str]) -> Option<(u32, u32)> {
    let hour = |word: &str| number::below_hundred(&[word]).filter(|hour| *hour <= 23);
    if let [word] = words
        && let Some((hours, minutes)) = word.split_once(':')
    {
        let (hours, minutes) = (hours.parse().ok()?, minutes.parse().ok()?);
        return (hours <= 23 && minutes <= 59).then_some((hours, minutes));
    }
    let at = words.iter().position(|word| matches!(*word, "past" | "to" | "after"));
    if let Some(at) = at {
        let [said] = &words[at + 1..] else { return None };
        let said = hour(said).filter(|hour| (1..=12).contains(hour))?;
        let offset = match &words[..at] {
            ["half"] => 30,
            ["quarter"] | ["a", "quarter"] => 15,
            [head @ .., "minutes"] => number::below_hundred(head)?,
            other => number::below_hundred(other)?,
        };
        let to = words[at] == "to";
        return match (to, offset) {
            (false, 1..=59) => Some((said, offset)),
            (true, 1..=59) => Some(((said + 10) % 12 + 1, 60 - offset)),
            _ => None,
        };
    }
    match words {
        [word] | [word, "o'clock"] => Some((hour(word)?, 0)),
        [word, "oh" | "o" | "zero", minute] => {
            let minute = number::unit(minute).filter(|minute| (1..10).contains(minute))?;
            Some((hour(word)?, minute))
        }
        [head, minute @ ..] => {
            let minute = number::below_hundred(minute).filter(|at| (10..60).contains(at))?;
            Some((hour(head)?, minute))
        }
        [] => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_spoken_time_is_read_back(hour in 0_i8..24, minute in 0_i8..60) {
            let time = Time::new(hour, minute, 0, 0).unwrap();
            let said = spoken(time);
            prop_assert_eq!(parse(&said.split(' ').collect::<Vec<_>>()), Some(time), "{}", said);
        }
    }

    #[test]
    fn usual_wordings_are_read() {
        for (said, expected) in [
            ("half past six", Some((18, 30))),
            ("half past six in the morning", Some((6, 30))),
            ("quarter to nine", Some((8, 45))),
            ("ten to one", Some((12, 50))),
            ("twenty past eleven p m", Some((23, 20))),
            ("five minutes past ten", Some((10, 5))),
            ("at six o'clock", Some((18, 0))),
            ("eighteen thirty", Some((18, 30))),
            ("ten", Some((10, 0))),
            ("9:15", Some((9, 15))),
            ("twenty five", None),
            ("half past", None),
            ("", None),
        ] {
            let time = expected.map(|(hour, minute)| Time::new(hour, minute, 0, 0).unwrap());
            assert_eq!(parse(&said.split(' ').collect::<Vec<_>>()), time, "{said}");
        }
    }
}
