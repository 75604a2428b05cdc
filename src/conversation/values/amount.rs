//! Amounts of money, in cents.
//!
//! The currency's name is taken off and not kept: a flow speaks one currency, its own.

use super::number;

const UNITS: [&str; 6] = ["dollar", "dollars", "pound", "pounds", "euro", "euros"];
const CENTS: [&str; 4] = ["cent", "cents", "pence", "penny"];

/// Reads an amount ("twelve dollars fifty", "twelve fifty", "fifty cents"), in cents.
#[must_use]
pub fn parse(words: &[&str]) -> Option<u64> {
    if let [head @ .., last] = words
        && CENTS.contains(last)
        && !head.iter().any(|word| UNITS.contains(word))
    {
        return number::parse(head).filter(|cents| *cents < 100).map(u64::from);
    }
    if let Some(at) = words.iter().position(|word| UNITS.contains(word)) {
        let units = u64::from(number::parse(&words[..at])?);
        let rest = &words[at + 1..];
        let rest = rest.strip_prefix(&["and"]).unwrap_or(rest);
        let rest = match rest {
            [head @ .., last] if CENTS.contains(last) => head,
            other => other,
        };
        let cents = if rest.is_empty() { 0 } else { number::below_hundred(rest)? };
        return Some(units * 100 + u64::from(cents));
    }
    // "twelve fifty": two numbers below a hundred, the second a full pair of digits.
    (1..words.len()).find_map(|at| {
        let units = number::below_hundred(&words[..at])?;
        let cents = number::below_hundred(&words[at..]).filter(|cents| *cents >= 10)?;
        // "twenty five" is one number.
        let joined = number::below_hundred(words).is_some();
        (!joined).then(|| u64::from(units) * 100 + u64::from(cents))
    })
}

/// Puts an amount into words, in dollars and cents.
#[must_use]
pub fn spoken(cents: u64) -> String {
    let in_words =
        |count: u64| u32::try_from(count).map_or_else(|_| count.to_string(), number::spoken);
    let (units, cents) = (cents / 100, cents % 100);
    let unit = if units == 1 { "dollar" } else { "dollars" };
    let cent = if cents == 1 { "cent" } else { "cents" };
    match (units, cents) {
        (units, 0) => format!("{} {unit}", in_words(units)),
        (0, cents) => format!("{} {cent}", in_words(cents)),
        (units, cents) => format!("{} {unit} and {} {cent}", in_words(units), in_words(cents)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_spoken_amount_is_read_back(cents in 0_u64..999_999) {
            let said = spoken(cents);
            prop_assert_eq!(parse(&said.split(' ').collect::<Vec<_>>()), Some(cents), "{}", said);
        }
    }

    #[test]
    fn usual_wordings_are_read() {
        for (said, cents) in [
            ("twelve dollars fifty", Some(1250)),
            ("twelve fifty", Some(1250)),
            ("fifty cents", Some(50)),
            ("a hundred pounds", Some(10_000)),
            ("twenty five", None),
            ("dollars", None),
        ] {
            assert_eq!(parse(&said.split(' ').collect::<Vec<_>>()), cents, "{said}");
        }
    }
}
