//! How many words of a growing hypothesis will not change any more, by local agreement: a word is
//! stable once successive partials agree on it and on all before it (Liu et al. 2020, LA-n).
//!
//! Pure. Stability never falls: a word that was called stable is not taken back by a partial.

/// Partials that must agree, each 100 ms of sound after the other.
const AGREEING: usize = 3;

/// Local agreement over the partials of one utterance.
#[derive(Clone, Debug, Default)]
pub struct Agreement {
    recent: Vec<Vec<String>>,
    stable: usize,
}

impl Agreement {
    /// Takes the words of the next partial and tells how many of them are stable.
    pub fn stable_words(&mut self, words: &[&str]) -> usize {
        if self.recent.len() == AGREEING - 1 {
            let agreed = words
                .iter()
                .enumerate()
                .take_while(|(at, word)| {
                    self.recent
                        .iter()
                        .all(|partial| partial.get(*at).is_some_and(|known| known == *word))
                })
                .count();
            self.stable = self.stable.max(agreed);
            self.recent.remove(0);
        }
        self.recent.push(words.iter().map(|&word| word.to_owned()).collect());
        self.stable.min(words.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_stable_after_three_partials_agree() {
        let mut agreement = Agreement::default();
        for (partial, stable) in [
            ("one", 0),
            ("one two", 0),
            ("one three", 1),
            ("one three four", 1),
            ("one three four five", 2),
            ("one", 1),
            ("one three four five", 2),
        ] {
            let words: Vec<&str> = partial.split(' ').collect();
            assert_eq!(agreement.stable_words(&words), stable, "{partial}");
        }
    }
}
