//! People's names: up to four words, taken as they are said.

/// Words that no name consists of; a name with one of them was something else.
const NOT_NAMES: [&str; 16] = [
    "the", "a", "is", "my", "to", "what", "where", "how", "i", "you", "want", "yes", "no", "not",
    "order", "please",
];
/// A first name, a particle or two, a family name.
const MAX_WORDS: usize = 4;

/// Reads a name ("my name is mary ann smith", "smith"), in title case.
#[must_use]
pub fn parse(words: &[&str]) -> Option<String> {
    let words = [&["my", "name", "is"][..], &["it", "is"], &["it's"], &["this", "is"], &["i'm"]]
        .iter()
        .find_map(|lead| words.strip_prefix(*lead))
        .unwrap_or(words);
    let sayable = |word: &&str| {
        word.chars().all(|letter| letter.is_alphabetic() || matches!(letter, '\'' | '-'))
    };
    let fits = (1..=MAX_WORDS).contains(&words.len())
        && words.iter().all(|word| sayable(word) && !NOT_NAMES.contains(word));
    fits.then(|| words.iter().map(|word| title(word)).collect::<Vec<_>>().join(" "))
}

fn title(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_in_title_case() {
        for (said, name) in [
            ("smith", Some("Smith")),
            ("my name is mary ann o'neill", Some("Mary Ann O'neill")),
            ("i want to know", None),
            ("a b c d e", None),
        ] {
            assert_eq!(parse(&said.split(' ').collect::<Vec<_>>()).as_deref(), name, "{said}");
        }
    }
}
