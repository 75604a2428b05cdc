//! Strings of decimal digits, as people say them: one by one, doubled, or in pairs.

use super::number;

/// Reads digits ("one two double three", "twelve thirty four", "oh five") of which there must be
/// `min` to `max`; all words must belong to it.
#[must_use]
pub fn parse(words: &[&str], min: usize, max: usize) -> Option<String> {
    let fits = |digits: &String| (min..=max).contains(&digits.len());
    run(words, true).filter(fits).or_else(|| run(words, false).filter(fits))
}

/// The longest run of digit words anywhere in `words`, whatever its length.
#[must_use]
pub fn find(words: &[&str]) -> Option<String> {
    let mut best: Option<String> = None;
    let mut begin = 0;
    while begin < words.len() {
        let longest = (begin + 1..=words.len())
            .rev()
            .find_map(|end| run(&words[begin..end], true).map(|digits| (end, digits)));
        if let Some((end, digits)) = longest {
            if best.as_ref().is_none_or(|best| best.len() < digits.len()) {
                best = Some(digits);
            }
            begin = end;
        } else {
            begin += 1;
        }
    }
    best
}

/// One digit word.
#[must_use]
pub fn one(word: &str) -> Option<char> {
    if matches!(word, "oh" | "o" | "nought" | "naught") {
        return Some('0');
    }
    if word.len() == 1 {
        return word.chars().next().filter(char::is_ascii_digit);
    }
    number::unit(word).filter(|unit| *unit < 10).and_then(|unit| char::from_digit(unit, 10))
}

/// The digits with spaces between, so that every voice reads them one by one.
#[must_use]
pub fn spaced(digits: &str) -> String {
    let each: Vec<String> = digits.chars().map(String::from).collect();
    each.join(" ")
}

/// Reads all of `words`; `pairs` takes "thirty four" for 34 rather than for 304.
fn run(words: &[&str], pairs: bool) -> Option<String> {
    let mut digits = String::new();
    let mut rest = words;
    while let Some((word, tail)) = rest.split_first() {
        rest = tail;
        let times = match *word {
            "double" => 2,
            "triple" | "treble" => 3,
            _ => 1,
        };
        if times > 1 {
            let (next, tail) = rest.split_first()?;
            rest = tail;
            digits.extend(std::iter::repeat_n(one(next)?, times));
        } else if let Some(digit) = one(word) {
            digits.push(digit);
        } else if let Some(teen) = number::unit(word) {
            digits.push_str(&teen.to_string());
        } else if let Some(tens) = number::tens(word) {
            let low = rest.first().and_then(|next| number::unit(next));
            match low.filter(|low| pairs && (1..10).contains(low)) {
                Some(low) => {
                    rest = &rest[1..];
                    digits.push_str(&(tens + low).to_string());
                }
                None => digits.push_str(&tens.to_string()),
            }
        } else if word.bytes().all(|byte| byte.is_ascii_digit()) && !word.is_empty() {
            digits.push_str(word);
        } else {
            return None;
        }
    }
    (!digits.is_empty()).then_some(digits)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn words(text: &str) -> Vec<&str> {
        text.split(' ').collect()
    }

    proptest! {
        #[test]
        fn digits_said_one_by_one_are_read_back(digits in "[0-9]{1,12}") {
            let said: Vec<String> = digits
                .chars()
                .map(|digit| number::spoken(digit.to_digit(10).unwrap()))
                .collect();
            let said: Vec<&str> = said.iter().map(String::as_str).collect();
            prop_assert_eq!(parse(&said, 1, 12), Some(digits.clone()));
            prop_assert_eq!(parse(&words(&spaced(&digits)), 1, 12), Some(digits));
        }

        #[test]
        fn digits_said_in_pairs_are_read_back(pairs in prop::collection::vec(10_u32..100, 1..5)) {
            let said: Vec<String> = pairs.iter().map(|pair| number::spoken(*pair)).collect();
            let said = said.join(" ");
            let plain: String = pairs.iter().map(u32::to_string).collect();
            // "twenty" before a teen stays apart; before nothing else does a pair end in zero.
            prop_assert_eq!(parse(&words(&said), plain.len(), plain.len()), Some(plain));
        }
    }

    #[test]
    fn usual_wordings_are_read() {
        for (said, digits) in [
            ("oh double five triple one", Some("055111")),
            ("twelve thirty four fifty six", Some("123456")),
            ("one twenty three four fifty six", Some("123456")),
            ("123 456", Some("123456")),
            ("double", None),
            ("one two please", None),
        ] {
            assert_eq!(parse(&words(said), 6, 6).as_deref(), digits, "{said}");
        }
    }

    #[test]
    fn a_tens_word_is_taken_alone_where_only_that_fits() {
        assert_eq!(parse(&words("twenty three"), 3, 3).as_deref(), Some("203"));
        assert_eq!(parse(&words("twenty three"), 2, 2).as_deref(), Some("23"));
    }

    #[test]
    fn a_run_is_found_among_other_words() {
        let found = find(&words("it is one i think one two three thanks"));
        assert_eq!(found.as_deref(), Some("123"));
        assert_eq!(find(&words("no idea")), None);
    }
}
