//! Cardinal numbers in English words, 0 to 9,999, and the ordinals of dates and places.

use cordboard_models::speech::english::{ORDINALS, TENS};

const UNITS: [&str; 20] = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
];

/// Largest number that is read.
const MAX: u32 = 9_999;

/// A single word below twenty ("oh" is not one of them).
#[must_use]
pub fn unit(word: &str) -> Option<u32> {
    UNITS.iter().position(|unit| *unit == word).and_then(|at| u32::try_from(at).ok())
}

/// A single word of tens, 20 to 90.
#[must_use]
pub fn tens(word: &str) -> Option<u32> {
    let at = TENS.iter().position(|tens| *tens == word)?;
    u32::try_from((at + 2) * 10).ok()
}

/// A number below a hundred in one or two words ("seven", "thirty four").
#[must_use]
pub fn below_hundred(words: &[&str]) -> Option<u32> {
    match words {
        [word] => unit(word).or_else(|| tens(word)).or_else(|| figures(word, 99)),
        [high, low] => {
            let low = unit(low).filter(|low| (1..10).contains(low))?;
            Some(tens(high)? + low)
        }
        _ => None,
    }
}

/// Reads a cardinal number, 0 to 9,999; all words must belong to it.
#[must_use]
pub fn parse(words: &[&str]) -> Option<u32> {
    if let [word] = words
        && let Some(number) = figures(word, MAX)
    {
        return Some(number);
    }
    let (thousands, rest) = split(words, "thousand")?;
    let (hundreds, rest) = split(rest, "hundred")?;
    let thousands = thousands.map_or(Some(0), multiplier)?;
    let hundreds_count = hundreds.map_or(Some(0), multiplier)?;
    let rest = match rest {
        ["and", tail @ ..] if hundreds.is_some() || words.len() > rest.len() => tail,
        other => other,
    };
    let low = if rest.is_empty() { (words.len() > 1).then_some(0)? } else { below_hundred(rest)? };
    // "twelve hundred" is said; "twelve hundred" after a thousand is not.
    if thousands > 9 || (hundreds_count > 9 && thousands > 0) || words.last() == Some(&"and") {
        return None;
    }
    Some(thousands * 1000 + hundreds_count * 100 + low).filter(|number| *number <= MAX)
}

/// Puts a number into words; above 9,999 into figures.
#[must_use]
pub fn spoken(number: u32) -> String {
    if number > MAX {
        return number.to_string();
    }
    let mut words = Vec::new();
    if number >= 1000 {
        words.push(format!("{} thousand", UNITS[(number / 1000) as usize]));
    }
    if number % 1000 >= 100 {
        words.push(format!("{} hundred", UNITS[(number % 1000 / 100) as usize]));
    }
    let low = (number % 100) as usize;
    if low > 0 && !words.is_empty() {
        words.push("and".to_owned());
    }
    if low >= 20 {
        words.push(TENS[low / 10 - 2].to_owned());
        if !low.is_multiple_of(10) {
            words.push(UNITS[low % 10].to_owned());
        }
    } else if low > 0 || words.is_empty() {
        words.push(UNITS[low].to_owned());
    }
    words.join(" ")
}

/// Reads an ordinal, first to thirty-first.
#[must_use]
pub fn ordinal(words: &[&str]) -> Option<u32> {
    match words {
        ["thirtieth"] => Some(30),
        [word] => {
            let at = ORDINALS.iter().position(|ordinal| ordinal == word);
            at.and_then(|at| u32::try_from(at + 1).ok())
        }
        [high @ ("twenty" | "thirty"), low] => {
            let low = ordinal(&[low]).filter(|low| *low < 10)?;
            Some(tens(high)? + low)
        }
        _ => None,
    }
}

/// Puts an ordinal into words, first to thirty-ninth.
#[must_use]
pub fn ordinal_spoken(number: u32) -> String {
    match number {
        1..=20 => ORDINALS[number as usize - 1].to_owned(),
        30 => "thirtieth".to_owned(),
        21..=39 => {
            format!("{} {}", TENS[(number / 10) as usize - 2], ORDINALS[(number % 10) as usize - 1])
        }
        _ => number.to_string(),
    }
}

fn figures(word: &str, max: u32) -> Option<u32> {
    let all_figures = word.len() <= 4 && word.bytes().all(|byte| byte.is_ascii_digit());
    all_figures.then(|| word.parse().ok()).flatten().filter(|number| *number <= max)
}

fn multiplier(words: &[&str]) -> Option<u32> {
    match words {
        ["a"] => Some(1),
        other => below_hundred(other).filter(|count| *count > 0),
    }
}

/// What stands before `mark` and what after it.
fn split<'a, 'w>(
    words: &'a [&'w str],
    mark: &str,
) -> Option<(Option<&'a [&'w str]>, &'a [&'w str])> {
    match words.iter().position(|word| *word == mark) {
        Some(0) => None,
        Some(at) => Some((Some(&words[..at]), &words[at + 1..])),
        None => Some((None, words)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_spoken_number_is_read_back(number in 0_u32..=9_999) {
            let words = spoken(number);
            prop_assert_eq!(parse(&words.split(' ').collect::<Vec<_>>()), Some(number));
        }

        #[test]
        fn a_spoken_ordinal_is_read_back(number in 1_u32..=31) {
            let words = ordinal_spoken(number);
            prop_assert_eq!(ordinal(&words.split(' ').collect::<Vec<_>>()), Some(number));
        }
    }

    #[test]
    fn usual_wordings_are_read() {
        for (words, number) in [
            ("a hundred and five", Some(105)),
            ("twelve hundred", Some(1200)),
            ("two thousand and five", Some(2005)),
            ("two thousand six", Some(2006)),
            ("42", Some(42)),
            ("hundred", None),
            ("five and", None),
            ("and five", None),
            ("five six", None),
        ] {
            assert_eq!(parse(&words.split(' ').collect::<Vec<_>>()), number, "{words}");
        }
    }
}
