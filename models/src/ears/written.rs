//! From written words to spoken ones: a recognizer that writes "Order 123,456, please." gives
//! "order one two three four five six please", as the border of speech has it.
//!
//! Pure. Each written word becomes none, one or several spoken words, so that word times can be
//! shared among them. Absent: abbreviations that nobody says on a phone.

use crate::speech::english::{DIGITS, ORDINALS, TEENS, TENS};

/// How a number of up to four figures is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Figures {
    /// One by one: order numbers, codes.
    OneByOne,
    /// As a cardinal number: counts, amounts, times.
    Cardinal,
}

/// The spoken words of a written one, lower case; none where it was no word (`[BLANK_AUDIO]`, `-`).
#[must_use]
pub fn spoken(word: &str, figures: Figures) -> Vec<String> {
    let word = word.trim().to_lowercase();
    if word.starts_with(['[', '(', '*', '♪', '<']) {
        return Vec::new();
    }
    let word = word.replace(['’', '`'], "'");
    if let Some(amount) = word.strip_prefix('$') {
        return dollars(trimmed(amount));
    }
    let word = trimmed(&word);
    match word {
        "p.m" | "pm" => return split("p m"),
        "a.m" | "am" if word.contains('.') => return split("a m"),
        "mr" => return split("mister"),
        "mrs" => return split("missus"),
        "dr" => return split("doctor"),
        "ok" => return split("okay"),
        "&" => return split("and"),
        _ => {}
    }
    if let Some(share) = word.strip_suffix('%') {
        return [spoken(share, figures), split("percent")].concat();
    }
    if let Some((hour, minute)) = word.split_once(':')
        && is_figures(hour)
        && is_figures(minute)
    {
        return clock(hour, minute);
    }
    if let Some(ordinal) = ordinal(word) {
        return ordinal;
    }
    let without_commas = word.replace(',', "");
    if is_figures(&without_commas) {
        return number(&without_commas, figures);
    }
    word.split(['-', '.', ',', '/', '–', '—'])
        .map(trimmed)
        .filter(|part| !part.is_empty())
        .flat_map(|part| if is_figures(part) { number(part, figures) } else { mixed(part) })
        .collect()
}

/// "b12" is said "b one two".
fn mixed(word: &str) -> Vec<String> {
    if !word.contains(|c: char| c.is_ascii_digit()) {
        return vec![word.to_owned()];
    }
    let mut parts: Vec<String> = Vec::new();
    for c in word.chars() {
        match (c.to_digit(10), parts.last_mut()) {
            (Some(digit), _) => parts.push(DIGIT_WORDS[digit as usize].to_owned()),
            (None, Some(last)) if !DIGIT_WORDS.contains(&last.as_str()) => last.push(c),
            (None, _) => parts.push(c.to_string()),
        }
    }
    parts
}

fn number(figures: &str, how: Figures) -> Vec<String> {
    let is_code = figures.len() > 4 || (figures.len() > 1 && figures.starts_with('0'));
    if how == Figures::OneByOne || is_code {
        return digits(figures);
    }
    figures.parse().map_or_else(|_| digits(figures), cardinal)
}

fn digits(figures: &str) -> Vec<String> {
    let digits = figures.chars().filter_map(|c| c.to_digit(10));
    digits.map(|digit| DIGIT_WORDS[digit as usize].to_owned()).collect()
}

fn cardinal(number: u32) -> Vec<String> {
    let word = |word: &str| vec![word.to_owned()];
    match number {
        0..10 => word(DIGIT_WORDS[number as usize]),
        10..20 => word(TEENS[number as usize - 10]),
        20..100 => {
            let tens = word(TENS[number as usize / 10 - 2]);
            if number.is_multiple_of(10) { tens } else { [tens, cardinal(number % 10)].concat() }
        }
        _ => {
            let (unit, name) = if number < 1_000 { (100, "hundred") } else { (1_000, "thousand") };
            let high = [cardinal(number / unit), word(name)].concat();
            if number.is_multiple_of(unit) {
                high
            } else {
                [high, cardinal(number % unit)].concat()
            }
        }
    }
}

fn dollars(amount: &str) -> Vec<String> {
    let amount = amount.replace(',', "");
    let (whole, cents) = amount.split_once('.').unwrap_or((&amount, ""));
    let mut words = number(whole, Figures::Cardinal);
    words.push(if whole == "1" { "dollar" } else { "dollars" }.to_owned());
    if let Ok(cents @ 1..) = cents.parse::<u32>() {
        words.extend(cardinal(cents));
        words.push(if cents == 1 { "cent" } else { "cents" }.to_owned());
    }
    words
}

fn clock(hour: &str, minute: &str) -> Vec<String> {
    let hour = number(hour.trim_start_matches('0'), Figures::Cardinal);
    match minute.parse::<u32>() {
        Ok(0) | Err(_) => hour,
        Ok(few @ 1..10) => [hour, split("oh"), cardinal(few)].concat(),
        Ok(minutes) => [hour, cardinal(minutes)].concat(),
    }
}

/// "3rd" is said "third".
fn ordinal(word: &str) -> Option<Vec<String>> {
    let figures = ["st", "nd", "rd", "th"].iter().find_map(|end| word.strip_suffix(end))?;
    let number: usize = if is_figures(figures) { figures.parse().ok()? } else { return None };
    match number {
        1..=20 => Some(split(ORDINALS[number - 1])),
        30 => Some(split("thirtieth")),
        21..=31 => Some(vec![TENS[number / 10 - 2].to_owned(), ORDINALS[number % 10 - 1].into()]),
        _ => None,
    }
}

fn is_figures(word: &str) -> bool {
    !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit())
}

fn trimmed(word: &str) -> &str {
    word.trim_matches(|c: char| !c.is_alphanumeric() && !matches!(c, '$' | '%' | '&'))
}

fn split(words: &str) -> Vec<String> {
    words.split(' ').map(str::to_owned).collect()
}

/// Without "oh", which stands second in the list of digits.
const DIGIT_WORDS: [&str; 10] = {
    let d = DIGITS;
    [d[0], d[2], d[3], d[4], d[5], d[6], d[7], d[8], d[9], d[10]]
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn written_words_are_said() {
        for (written, figures, said) in [
            ("Order", Figures::Cardinal, "order"),
            ("123,456,", Figures::Cardinal, "one two three four five six"),
            ("12", Figures::OneByOne, "one two"),
            ("12", Figures::Cardinal, "twelve"),
            ("007", Figures::Cardinal, "zero zero seven"),
            ("1,250", Figures::Cardinal, "one thousand two hundred fifty"),
            ("$12.50", Figures::Cardinal, "twelve dollars fifty cents"),
            ("2:30", Figures::Cardinal, "two thirty"),
            ("2:05", Figures::Cardinal, "two oh five"),
            ("p.m.", Figures::Cardinal, "p m"),
            ("3rd", Figures::Cardinal, "third"),
            ("21st.", Figures::Cardinal, "twenty first"),
            ("555-1234", Figures::OneByOne, "five five five one two three four"),
            ("thirty-four", Figures::Cardinal, "thirty four"),
            ("I'm", Figures::Cardinal, "i'm"),
            ("'Yes!'", Figures::Cardinal, "yes"),
            ("50%", Figures::Cardinal, "fifty percent"),
            ("B12", Figures::Cardinal, "b one two"),
            ("[BLANK_AUDIO]", Figures::Cardinal, ""),
            ("-", Figures::Cardinal, ""),
        ] {
            assert_eq!(spoken(written, figures).join(" "), said, "{written}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_gives_words_without_spaces_or_figures(word in "\\PC{0,20}") {
            for spoken in spoken(&word, Figures::Cardinal) {
                proptest::prop_assert!(!spoken.is_empty());
                proptest::prop_assert!(!spoken.contains(|c: char| c.is_ascii_digit()), "{spoken}");
            }
        }
    }
}
