//! Corrections of one digit: "no, the third digit is five", "it's five not nine".

use super::values::{digits, number};

/// What a correction of one digit came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Corrected {
    /// The value with the digit put right.
    Value(String),
    /// It was a correction, and it does not say which digit.
    Unclear,
}

/// Reads a correction of `value`; none where the words are not one.
pub(super) fn read(words: &[&str], value: &str) -> Option<Corrected> {
    let words: Vec<&str> = words
        .iter()
        .copied()
        .filter(|word| !matches!(*word, "no" | "nope" | "sorry" | "actually" | "but"))
        .collect();
    by_place(&words, value).or_else(|| by_digit(&words, value))
}

/// "the third digit is five", "third is five", "the last one should be five".
fn by_place(words: &[&str], value: &str) -> Option<Corrected> {
    let words = words.strip_prefix(&["the"]).unwrap_or(words);
    let (place, rest) = (1..=2.min(words.len())).rev().find_map(|length| {
        let place = match &words[..length] {
            ["last"] => value.len(),
            other => usize::try_from(number::ordinal(other)?).ok()?,
        };
        Some((place, &words[length..]))
    })?;
    let rest = match rest {
        ["digit" | "number" | "one" | "figure", tail @ ..] => tail,
        other => other,
    };
    let (["is" | "was", rest @ ..] | ["should" | "must", "be", rest @ ..]) = rest else {
        return None;
    };
    let rest = rest.strip_prefix(&["a"]).unwrap_or(rest);
    let (right, not) = rest.split_first()?;
    let right = digits::one(right)?;
    if !(not.is_empty() || matches!(not, ["not", ..])) {
        return None;
    }
    Some(replaced(value, place.checked_sub(1)?, right))
}

/// "it's five not nine", "not nine five".
fn by_digit(words: &[&str], value: &str) -> Option<Corrected> {
    let words = match words {
        ["it's" | "its" | "that's", tail @ ..] | ["it" | "that", "is", tail @ ..] => tail,
        other => other,
    };
    let words: Vec<&str> = words.iter().copied().filter(|word| *word != "a").collect();
    let (right, wrong) = match words.as_slice() {
        [right, "not", wrong] | ["not", wrong, right] => (right, wrong),
        ["not", wrong, "it's", right] => (right, wrong),
        _ => return None,
    };
    let (right, wrong) = (digits::one(right)?, digits::one(wrong)?);
    let mut places = value.char_indices().filter(|(_, digit)| *digit == wrong);
    match (places.next(), places.next()) {
        (Some((place, _)), None) => Some(replaced(value, place, right)),
        _ => Some(Corrected::Unclear),
    }
}

fn replaced(value: &str, place: usize, right: char) -> Corrected {
    if place >= value.len() {
        return Corrected::Unclear;
    }
    let digits = value.chars().enumerate();
    Corrected::Value(digits.map(|(at, digit)| if at == place { right } else { digit }).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn one_digit_is_put_right_as_people_say_it() {
        let value = |text: &str| Some(Corrected::Value(text.to_owned()));
        for (said, corrected) in [
            ("no the third digit is five", value("125456")),
            ("the last one should be nine", value("123459")),
            ("no it's nine not six", value("123459")),
            ("not six but nine", value("123459")),
            ("first is zero", value("023456")),
            ("it's five not nine", Some(Corrected::Unclear)),
            ("the ninth digit is five", Some(Corrected::Unclear)),
            ("no", None),
            ("one two three four five six", None),
            ("the third of may", None),
        ] {
            let words: Vec<&str> = said.split(' ').collect();
            assert_eq!(read(&words, "123456"), corrected, "{said}");
        }
    }

    proptest! {
        #[test]
        fn a_correction_by_place_changes_that_place_only(
            value in "[0-9]{1,9}",
            place in 0_usize..9,
            right in 0_u32..10,
        ) {
            prop_assume!(place < value.len());
            let ordinal = number::ordinal_spoken(u32::try_from(place + 1).unwrap());
            let said = format!("no the {ordinal} digit is {}", number::spoken(right));
            let words: Vec<&str> = said.split(' ').collect();
            let mut expected: Vec<char> = value.chars().collect();
            expected[place] = char::from_digit(right, 10).unwrap();
            let expected: String = expected.into_iter().collect();
            prop_assert_eq!(read(&words, &value), Some(Corrected::Value(expected)));
        }
    }
}
