//! Whether English words leave a sentence open: nobody ends one with "the", "would you" or "i'd
//! like to".
//!
//! Pure. A list of the words that lean forward, and of verbs that want an object; what is on none
//! of them may be an end. Deliberately absent: grammar, and whatever needs to know what a word
//! means.

/// Words after which a sentence goes on: articles and possessives, prepositions that hardly end
/// one, conjunctions, verbs that help others, adverbs that lean on what follows.
const FORWARD: &str = "\
    a about across against almost although always am an and are aren't as at be because been \
    before being between both but by can't cannot could couldn't didn't does doesn't don't \
    during each either every for from had hadn't has hasn't haven't her his how's i'm i've if \
    in into is isn't it's its just may might missis mister mr mrs must my never nor number of \
    often on or our per quite rather shall should shouldn't since so such than that's the their \
    then there's these they're though through till to toward towards unless until very via was \
    wasn't we're were weren't what's when's where's whether which while who's whose with won't \
    would wouldn't you're";

/// Pronouns that begin a clause; those that are objects too count only behind a verb that helps.
const SUBJECTS: [&str; 5] = ["i", "we", "he", "she", "they"];
const EITHER: [&str; 6] = ["you", "it", "that", "this", "there", "anyone"];
const HELPERS: [&str; 18] = [
    "can", "can't", "could", "couldn't", "did", "didn't", "do", "does", "doesn't", "don't", "had",
    "has", "have", "shall", "should", "will", "would", "wouldn't",
];
const BEING: [&str; 12] = [
    "am", "are", "aren't", "hasn't", "haven't", "is", "isn't", "was", "wasn't", "were", "weren't",
    "won't",
];

/// Pronouns with a verb that helps, in one word: "i'd", "we're", "it'll".
const CLIPPED: [&str; 6] = ["'d", "'ll", "'ve", "'re", "'m", "n't"];

/// Question words; at an end only behind others ("i don't know why").
const ASKING: [&str; 7] = ["what", "when", "where", "who", "why", "how", "what's"];

/// Verbs that want an object, behind one of these.
const TRANSITIVE: [&str; 12] =
    ["like", "want", "need", "have", "get", "make", "take", "give", "tell", "let", "let's", "put"];
const WISHING: [&str; 9] = ["i", "i'd", "i'll", "we", "we'd", "to", "you", "please", "can"];

/// Whether something must still come after these words, lower case.
pub(super) fn is_unfinished(words: &[&str]) -> bool {
    let Some((last, before)) = words.split_last() else { return false };
    if is_short_answer(words) {
        return false;
    }
    let previous = before.last();
    let behind = |list: &[&str]| previous.is_some_and(|word| list.contains(word));
    FORWARD.split(' ').any(|word| word == *last)
        || SUBJECTS.contains(last)
        || CLIPPED.iter().any(|ending| last.ends_with(ending))
        || (EITHER.contains(last) && behind(&HELPERS))
        || (ASKING.contains(last) && before.len() < 2)
        || (TRANSITIVE.contains(last) && behind(&WISHING))
        || matches!((previous, *last), (_, "let's") | (None, "can" | "will" | "do"))
}

/// "i don't", "yes it is", "no they haven't".
fn is_short_answer(words: &[&str]) -> bool {
    let words = match words {
        ["yes" | "yeah" | "yep" | "no" | "nope", rest @ ..] => rest,
        _ => words,
    };
    let [subject, verb] = words else { return false };
    (SUBJECTS.contains(subject) || EITHER.contains(subject))
        && (HELPERS.contains(verb) || BEING.contains(verb))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unfinished(text: &str) -> bool {
        is_unfinished(&text.split_whitespace().collect::<Vec<_>>())
    }

    #[test]
    fn a_sentence_that_leans_on_what_follows_is_unfinished() {
        for text in [
            "let's go with the",
            "would you",
            "okay sure would you",
            "i'd like",
            "i'd like to",
            "hi i'd",
            "and i was wondering whether",
            "my number is",
            "where",
            "i want",
            "the parcel that they",
            "it was almost",
            "i really don't",
        ] {
            assert!(unfinished(text), "{text}");
        }
    }

    #[test]
    fn a_sentence_that_may_end_is_finished() {
        for text in [
            "",
            "where is it",
            "i don't know why",
            "thank you",
            "that's what i would like",
            "i want that",
            "can you help me with that",
            "let's go with the black one",
            "yes",
            "hold me",
            "no i haven't",
            "it is",
        ] {
            assert!(!unfinished(text), "{text}");
        }
    }
}
