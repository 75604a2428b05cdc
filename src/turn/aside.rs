//! What was said over the assistant without stopping it, or has stopped it: whether it was meant
//! for the assistant, by its words.
//!
//! Acknowledgements are those of V. H. Yngve, "On getting a word in edgewise" (CLS 6, 1970), as far
//! as English callers use them. Deliberately absent: sound (`overlap`).

use std::time::Duration;

use cordboard_models::speech::{Expectation, SlotKind};

use super::Utterance;

/// Longer than this, what was not understood was no cough and no "mm-hm".
const SHORT: Duration = Duration::from_millis(1_400);

/// Words that say "I am listening".
const ACKNOWLEDGEMENTS: [&str; 22] = [
    "mm", "mhm", "mm-hm", "mmhm", "hm", "hmm", "uh", "uh-huh", "huh", "um", "ah", "oh", "okay",
    "ok", "yeah", "yes", "yep", "right", "sure", "alright", "i see", "got it",
];

/// What it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aside {
    /// "mm-hm": the caller listens.
    Acknowledgement,
    /// A cough, a noise, somebody else: nothing that was understood, and short.
    Noise,
    /// It was meant: an answer, a wish, a protest.
    Meant,
}

/// What an utterance over the assistant was, where this was expected of the caller. `answers` is
/// whether the question itself was being asked, so that a yes may be its answer.
#[must_use]
pub fn aside(utterance: &Utterance, expectation: &Expectation, answers: bool) -> Aside {
    let text = utterance.text.trim();
    let short = utterance.ended.since(utterance.began) <= SHORT;
    if utterance.rejected || text.is_empty() {
        return if short { Aside::Noise } else { Aside::Meant };
    }
    let yes_no = expectation
        .kinds
        .iter()
        .any(|kind| matches!(kind, SlotKind::YesNo | SlotKind::Choice(_) | SlotKind::Open));
    if !short || (answers && yes_no) || !is_acknowledgement(text) {
        return Aside::Meant;
    }
    Aside::Acknowledgement
}

/// Whether a text is made of such words alone.
fn is_acknowledgement(text: &str) -> bool {
    let lower = text.to_lowercase();
    if ACKNOWLEDGEMENTS.contains(&lower.as_str()) {
        return true;
    }
    let mut words = lower.split_whitespace();
    words.all(|word| ACKNOWLEDGEMENTS.contains(&word.trim_matches([',', '.', '!'])))
}

#[cfg(test)]
mod tests {
    use cordboard_audio::MediaTime;

    use super::*;

    fn said(text: &str, lasting_ms: u64, rejected: bool) -> Utterance {
        let began = MediaTime::from_millis(1_000);
        let ended = began + Duration::from_millis(lasting_ms);
        Utterance { text: text.to_owned(), confidence: 0.9, rejected, began, ended }
    }

    fn expecting(kind: SlotKind) -> Expectation {
        Expectation { kinds: vec![kind], ..Expectation::default() }
    }

    #[test]
    fn acknowledgements_and_noises_are_told_from_what_is_meant() {
        let digits = expecting(SlotKind::Digits { min: 6, max: 6 });
        for (text, lasting_ms, rejected, expected) in [
            ("mm-hm", 400, false, Aside::Acknowledgement),
            ("okay yeah", 600, false, Aside::Acknowledgement),
            ("Okay, right.", 600, false, Aside::Acknowledgement),
            ("i see", 500, false, Aside::Acknowledgement),
            ("stop", 300, false, Aside::Meant),
            ("no", 300, false, Aside::Meant),
            ("wait", 300, false, Aside::Meant),
            ("okay but where is it", 900, false, Aside::Meant),
            ("yeah yeah yeah okay yeah right", 2_000, false, Aside::Meant),
            ("", 300, false, Aside::Noise),
            ("one", 300, true, Aside::Noise),
            ("", 2_000, true, Aside::Meant),
        ] {
            let spoken = said(text, lasting_ms, rejected);
            assert_eq!(aside(&spoken, &digits, true), expected, "{text:?}");
        }
    }

    #[test]
    fn a_short_yes_is_an_answer_where_the_question_is_out_and_an_acknowledgement_before_it() {
        let yes = said("yes", 300, false);
        let yes_no = expecting(SlotKind::YesNo);
        assert_eq!(aside(&yes, &yes_no, true), Aside::Meant);
        assert_eq!(aside(&yes, &yes_no, false), Aside::Acknowledgement);
    }
}
