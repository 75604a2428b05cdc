//! The cheap judge: weighs the silence by what the words and the expectation say.
//!
//! | the turn so far | silence at which it is even odds |
//! |---|---|
//! | nothing said | 2.5 s |
//! | a whole value or phrase, nothing more can come | 0.2 s |
//! | enough of one, more may come ("twenty") | 0.55 s |
//! | words that end as sentences do | 0.62 s |
//! | other words | 0.75 s |
//! | to a yes/no question, an answer and one word more ("yes i"), or one word | 0.75 s |
//! | a value begun (five of six digits, "half past") | 1.6 s |
//! | trailing off ("and", "um", "my order number is") | 1.9 s |
//!
//! Pauses inside callers' turns: 0.5 to 2.9 s with half of them below 1.03 s, between groups of
//! figures half of them below 0.74 s and 95 % below 2.2 s (82 calls of the Harper Valley corpus),
//! so that a cut at a value begun must wait far longer than one at a value that is whole.
//! Whether words end as sentences do
//! is learnt (`ends`). Deliberately absent: prosody, a clock.

use std::time::Duration;

use super::ends::log_odds;
use super::fit::{Fit, slot_fit};
use super::phrase::phrase_fit;
use super::unfinished::is_unfinished;
use crate::speech::{EndOfTurn, Expectation, Hypothesis, HypothesisKind, SlotKind, TurnSoFar};

/// Judges by words, expectation and silence. Under 0.1 ms for any turn; keeps nothing.
///
/// ```
/// use std::time::Duration;
/// use cordboard_models::speech::{EndOfTurn, Expectation, TurnSoFar};
/// use cordboard_models::turn_end::TextJudge;
/// let expectation = Expectation::default();
/// let at = |silence| {
///     TurnSoFar { hypothesis: None, expectation: &expectation, silence, samples: &[] }
/// };
/// let mut judge = TextJudge;
/// assert!(judge.judge(&at(Duration::from_millis(200))) < 0.1);
/// assert!(judge.judge(&at(Duration::from_secs(5))) > 0.9);
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct TextJudge;

/// How the turn stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    Nothing,
    Whole,
    Enough,
    Sentence,
    Words,
    Begun,
    Trailing,
}

impl Standing {
    /// Silence at which the turn is as likely over as not, ms.
    const fn even_odds_ms(self) -> f32 {
        match self {
            Self::Nothing => 2_500.0,
            Self::Whole => 200.0,
            Self::Enough => 550.0,
            Self::Sentence => 620.0,
            Self::Words => 750.0,
            Self::Begun => 1_600.0,
            Self::Trailing => 1_900.0,
        }
    }
}

/// How much longer than at even odds the silence must be for the odds to grow e-fold, as a part of
/// the silence at even odds.
const SPREAD: f32 = 0.22;

/// Log odds of an end: from here on it is one; from here on it may be one although the last words
/// lean forward; below this it is none, whatever the last words are. Chosen on the settings half of
/// the tuning bench.
const ENDS: f32 = 0.5;
const MAY_END: f32 = -2.6;
const GOES_ON: f32 = -4.5;

/// Below this confidence the words are not trusted to be whole.
const TRUSTED: f32 = 0.35;

impl EndOfTurn for TextJudge {
    fn judge(&mut self, turn: &TurnSoFar<'_>) -> f32 {
        let standing = turn
            .hypothesis
            .map_or(Standing::Nothing, |hypothesis| standing(hypothesis, turn.expectation));
        probability(standing, turn.silence)
    }
}

/// A logistic curve in the silence.
fn probability(standing: Standing, silence: Duration) -> f32 {
    let even = standing.even_odds_ms();
    let over = silence.as_secs_f32() * 1_000.0 - even;
    1.0 / (1.0 + (-over / (even * SPREAD)).exp())
}

fn standing(hypothesis: &Hypothesis, expectation: &Expectation) -> Standing {
    let text = hypothesis.text.to_lowercase();
    let words: Vec<&str> = text.split_whitespace().collect();
    let (trimmed, polite) = without_edges(&words);
    let Some(last) = words.last() else { return Standing::Nothing };
    let log_odds = log_odds(&words);
    if FILLERS.contains(last) && (!MEANT.contains(last) || log_odds < MAY_END) {
        return Standing::Trailing;
    }
    let fit = expected_fit(trimmed, expectation);
    // Where anything may be said, any words are enough, and no value.
    let is_value = !expectation.kinds.contains(&SlotKind::Open);
    let doubted = hypothesis.confidence < TRUSTED || hypothesis.kind == HypothesisKind::Rejected;
    let goes_on = match fit {
        Fit::Enough if is_value => is_unfinished(trimmed),
        _ => leaves_open(trimmed, log_odds),
    };
    match fit {
        Fit::Whole | Fit::Enough if doubted => Standing::Words,
        Fit::Whole => Standing::Whole,
        Fit::Begun | Fit::No if may_be_answer(trimmed, expectation) => Standing::Words,
        Fit::Begun => Standing::Begun,
        Fit::Enough | Fit::No if goes_on => Standing::Trailing,
        // "no, thank you" closes what "no" leaves open.
        Fit::Enough if polite => Standing::Whole,
        Fit::Enough if is_value => Standing::Enough,
        Fit::Enough | Fit::No if log_odds >= ENDS && !doubted => Standing::Sentence,
        Fit::Enough | Fit::No => Standing::Words,
    }
}

/// Whether more must come, by the last words and by the odds of an end there: "what's the weather
/// like" ends in a verb that wants an object, and is whole.
fn leaves_open(words: &[&str], log_odds: f32) -> bool {
    if is_unfinished(words) { log_odds < MAY_END } else { log_odds < GOES_ON }
}

/// Whether these words that begin something may as well be a yes or a no, where one is expected: a
/// recognizer that is not through with a short answer takes its last sound, or the noise behind it,
/// for the begin of a word ("yes i", "no oh one"), or all of it for another ("get"). PocketSphinx
/// so leaves 17 of the bench's 28 in the silence, and comes to a yes or a no with 12 of these.
/// Where anything may be said, a lone word is taken at its face.
fn may_be_answer(words: &[&str], expectation: &Expectation) -> bool {
    let answers = |said: &str| slot_fit(&SlotKind::YesNo, &[said]) >= Fit::Enough;
    expectation.kinds.contains(&SlotKind::YesNo)
        && match words {
            // The "oh" is the end of the "no".
            [said, more] | [said, "oh", more] => answers(said) && !CORRECTING.contains(more),
            [_] => expectation.kinds.len() == 1 && !expectation.open,
            _ => false,
        }
}

/// What a correction begins with behind a "no": the value follows.
const CORRECTING: [&str; 3] = ["it's", "its", "that's"];

/// Sounds of hesitation.
const FILLERS: [&str; 10] = ["um", "uh", "er", "erm", "hmm", "hm", "uhm", "ah", "like", "well"];

/// Those of them that mean something too: "what's the weather like".
const MEANT: [&str; 2] = ["like", "well"];

/// Words that are put around an answer without being part of it.
const POLITE: [&str; 4] = ["please", "thanks", "thank", "you"];

/// The most words at the end of a turn among which a value is looked for; dates are the longest.
const TAIL_MAX: usize = 16;

/// Without hesitation before and politeness after, and whether there was any after.
fn without_edges<'a>(words: &'a [&'a str]) -> (&'a [&'a str], bool) {
    let begin = words.iter().position(|w| !FILLERS.contains(w)).unwrap_or(words.len());
    let spoken = &words[begin..];
    let polite = spoken.iter().rev().take_while(|w| POLITE.contains(w)).count();
    // A "you" without thanks before it is of the sentence: "how are you".
    let polite = polite - usize::from(spoken.get(spoken.len() - polite) == Some(&"you"));
    if polite == spoken.len() {
        (spoken, false)
    } else {
        (&spoken[..spoken.len() - polite], polite > 0)
    }
}

/// The best fit of all that is expected, also of a value at the end of other words.
fn expected_fit(words: &[&str], expectation: &Expectation) -> Fit {
    let phrases = expectation.phrases.iter().map(|phrase| phrase_fit(&phrase.parts, words));
    let whole_turn = phrases
        .chain(expectation.kinds.iter().map(|kind| slot_fit(kind, words)))
        .max()
        .unwrap_or(Fit::No);
    if whole_turn >= Fit::Enough {
        return whole_turn;
    }
    // "it's one two three", "yeah my number is one two": the value is what the words end in.
    let first = words.len().saturating_sub(TAIL_MAX).max(1);
    let tails = (first..words.len()).flat_map(|from| {
        let (before, tail) = words.split_at(from);
        expectation.kinds.iter().map(move |kind| tail_fit(kind, before, tail))
    });
    whole_turn.max(tails.max().unwrap_or(Fit::No))
}

/// How far the words at the end of others fill a slot; only where they cannot well be other words.
fn tail_fit(kind: &SlotKind, before: &[&str], tail: &[&str]) -> Fit {
    let fit = slot_fit(kind, tail);
    match kind {
        SlotKind::Digits { .. } => fit,
        SlotKind::Open => Fit::No,
        SlotKind::Name => match before.last() {
            Some(&("is" | "it's" | "i'm" | "name's")) => fit,
            _ => Fit::No,
        },
        SlotKind::Number
        | SlotKind::Date
        | SlotKind::Time
        | SlotKind::Amount
        | SlotKind::YesNo
        | SlotKind::Choice(_) => {
            if fit == Fit::Begun {
                Fit::No
            } else {
                fit
            }
        }
    }
}
