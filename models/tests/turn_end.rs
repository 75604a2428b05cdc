//! The cheap judge of end of turn, by tables: what was said, what was expected, how long silent.

use std::time::Duration;

use cordboard_models::speech::{
    EndOfTurn, Expectation, Hypothesis, HypothesisKind, Phrase, PhrasePart, SlotKind, TurnSoFar,
};
use cordboard_models::turn_end::TextJudge;
use proptest::prelude::*;

fn heard(text: &str) -> Hypothesis {
    Hypothesis {
        text: text.to_owned(),
        words: Vec::new(),
        stable_words: 0,
        confidence: 0.9,
        kind: HypothesisKind::Partial,
    }
}

fn judge_heard(hypothesis: &Hypothesis, expectation: &Expectation, silence_ms: u64) -> f32 {
    let silence = Duration::from_millis(silence_ms);
    let hypothesis = Some(hypothesis);
    TextJudge.judge(&TurnSoFar { hypothesis, expectation, silence, samples: &[] })
}

fn judge(text: &str, expectation: &Expectation, silence_ms: u64) -> f32 {
    judge_heard(&heard(text), expectation, silence_ms)
}

fn kinds(kinds: &[SlotKind]) -> Expectation {
    Expectation { kinds: kinds.to_vec(), ..Expectation::default() }
}

fn six_digits() -> SlotKind {
    SlotKind::Digits { min: 6, max: 6 }
}

fn order_phrases() -> Expectation {
    let words = |text: &str| PhrasePart::Words(text.to_owned());
    let number = PhrasePart::Slot { name: "order_number".to_owned(), kind: six_digits() };
    let phrase = |tag: &str, parts: Vec<PhrasePart>| Phrase { tag: tag.to_owned(), parts };
    Expectation {
        kinds: vec![],
        phrases: vec![
            phrase("intent:order_status", vec![words("where is my order"), number.clone()]),
            phrase("intent:order_status", vec![words("the status of"), number, words("please")]),
            phrase("intent:hours", vec![words("what are your opening hours")]),
        ],
        open: true,
    }
}

/// After 400 ms a turn that is whole is over.
#[test]
fn a_whole_answer_is_over_soon() {
    let table = [
        ("one two three four five six", kinds(&[six_digits()])),
        ("it's one two three four five six", kinds(&[six_digits()])),
        ("um one double two three four five", kinds(&[six_digits()])),
        ("twelve thirty four fifty six", kinds(&[six_digits()])),
        ("oh zero oh one two three please", kinds(&[six_digits()])),
        ("yes", kinds(&[SlotKind::YesNo])),
        ("yes please", kinds(&[SlotKind::YesNo])),
        ("yeah that's right", kinds(&[SlotKind::YesNo])),
        ("no thank you", kinds(&[SlotKind::YesNo])),
        ("third of may", kinds(&[SlotKind::Date])),
        ("tomorrow", kinds(&[SlotKind::Date, six_digits()])),
        ("half past six", kinds(&[SlotKind::Time])),
        ("six p m", kinds(&[SlotKind::Time])),
        ("twelve dollars fifty", kinds(&[SlotKind::Amount])),
        ("my name is john smith", kinds(&[SlotKind::Name])),
        ("the red one", kinds(&[SlotKind::Choice(vec!["The red one".to_owned()])])),
        ("where is my order one two three four five six", order_phrases()),
        ("what are your opening hours", order_phrases()),
    ];
    for (text, expectation) in table {
        let probability = judge(text, &expectation, 400);
        assert!(probability > 0.9, "{text}: {probability}");
    }
}

/// After 800 ms a turn that is not whole is not over, though other words would nearly be.
#[test]
fn a_value_begun_or_a_sentence_that_trails_off_is_waited_for() {
    let table = [
        ("one two three four five", kinds(&[six_digits()])),
        ("it's one two three", kinds(&[six_digits()])),
        ("one two three four five double", kinds(&[six_digits()])),
        ("my order number is", kinds(&[six_digits()])),
        ("i want to know about my order and", order_phrases()),
        ("where is my order one two three", order_phrases()),
        ("where is my order", order_phrases()),
        ("well um", order_phrases()),
        ("my name is", kinds(&[SlotKind::Name])),
        ("half past", kinds(&[SlotKind::Time])),
        ("the third of", kinds(&[SlotKind::Date])),
        ("i would like to talk to the", kinds(&[SlotKind::Open])),
    ];
    for (text, expectation) in table {
        let probability = judge(text, &expectation, 800);
        assert!(probability < 0.2, "{text}: {probability}");
        let probability = judge(text, &expectation, 3_500);
        assert!(probability > 0.9, "{text} after 3.5 s: {probability}");
    }
}

#[test]
fn what_may_grow_is_given_a_little_longer_than_what_may_not() {
    let digits = kinds(&[SlotKind::Digits { min: 4, max: 8 }]);
    let table = [
        (judge("one two three four", &digits, 400), 0.05..0.4),
        (judge("one two three four", &digits, 800), 0.8..1.0),
        (judge("one two three four five six seven eight", &digits, 400), 0.9..1.0),
        (judge("twenty", &kinds(&[SlotKind::Number]), 400), 0.05..0.4),
        (judge("no", &kinds(&[SlotKind::YesNo]), 400), 0.05..0.4),
        (judge("my parcel has not arrived", &order_phrases(), 400), 0.0..0.2),
        (judge("my parcel has not arrived", &order_phrases(), 1_200), 0.9..1.0),
    ];
    for (row, (probability, range)) in table.into_iter().enumerate() {
        assert!(range.contains(&probability), "row {row}: {probability} not in {range:?}");
    }
}

/// As asked within a pause, where what is below 0.3 waits for longest.
#[test]
fn a_yes_or_a_no_with_a_word_that_may_be_none_is_not_waited_for_as_a_sentence() {
    let yes_no = kinds(&[SlotKind::YesNo]);
    let correction = PhrasePart::Slot { name: "order_number".to_owned(), kind: six_digits() };
    let words = |text: &str| vec![PhrasePart::Words(text.to_owned())];
    let phrase = |parts| Phrase { tag: "any".to_owned(), parts };
    let phrases = vec![
        phrase(vec![PhrasePart::Words("no".to_owned()), correction.clone()]),
        phrase(vec![PhrasePart::Words("no it's".to_owned()), correction]),
        phrase(words("get me a person")),
    ];
    let confirming = Expectation { phrases: phrases.clone(), ..yes_no.clone() };
    let anything = Expectation { open: true, ..confirming.clone() };
    for text in ["yes i", "yes it", "yeah the", "no i", "no one", "no oh one", "um yes i"] {
        for expectation in [&yes_no, &confirming, &anything] {
            let probability = judge(text, expectation, 700);
            assert!((0.3..0.9).contains(&probability), "{text}: {probability}");
        }
    }
    assert!((0.3..0.9).contains(&judge("get", &confirming, 700)));
    let begun = [("get", &anything), ("no it's", &confirming), ("no one two three", &confirming)];
    for (text, expectation) in begun.into_iter().chain([("yes i want to", &anything)]) {
        assert!(judge(text, expectation, 700) < 0.3, "{text}");
    }
    assert!(judge("yes i", &order_phrases(), 700) < 0.3, "nobody has asked for a yes");
}

#[test]
fn words_that_end_as_a_sentence_does_are_over_sooner_than_others_and_never_at_once() {
    let said = |text: &str, expectation: &Expectation| judge(text, expectation, 700);
    for expectation in [kinds(&[SlotKind::Open]), order_phrases()] {
        for text in [
            "how can i change my address",
            "when will my new card arrive",
            "i ordered a pair of shoes last week",
            "i'd like to check my order status please",
        ] {
            let over = said(text, &expectation);
            assert!(over >= 0.6, "{text}: {over}");
        }
        for text in ["i ordered a pair", "it is the second", "well that was a long"] {
            let over = said(text, &expectation);
            assert!(over < 0.6, "{text}: {over}");
        }
    }
}

#[test]
fn a_whole_sentence_may_end_in_a_word_that_leans_forward() {
    for text in ["what's the weather like", "hi how are you"] {
        let over = judge(text, &kinds(&[SlotKind::Open]), 700);
        assert!((0.3..0.9).contains(&over), "{text}: {over}");
    }
    for text in ["i'd like", "and then can you", "would you like the new"] {
        let over = judge(text, &kinds(&[SlotKind::Open]), 700);
        assert!(over < 0.3, "{text}: {over}");
    }
}

#[test]
fn doubtful_words_are_not_taken_for_a_whole_answer() {
    let sure = heard("one two three four five six");
    let doubtful = Hypothesis { confidence: 0.2, ..sure.clone() };
    let rejected = Hypothesis { kind: HypothesisKind::Rejected, ..sure.clone() };
    let expectation = kinds(&[six_digits()]);
    let least = judge_heard(&sure, &expectation, 400);
    for hypothesis in [doubtful, rejected] {
        let probability = judge_heard(&hypothesis, &expectation, 400);
        assert!(probability < 0.2 && least > 0.9, "{hypothesis:?}: {probability}");
    }
}

#[test]
fn silence_without_words_is_over_only_after_long() {
    let expectation = kinds(&[SlotKind::YesNo]);
    let at = |ms| {
        let silence = Duration::from_millis(ms);
        TextJudge.judge(&TurnSoFar {
            hypothesis: None,
            expectation: &expectation,
            silence,
            samples: &[],
        })
    };
    assert!(at(1_000) < 0.1 && at(5_000) > 0.9);
    assert!(judge("", &expectation, 1_000) < 0.1);
}

fn word() -> impl Strategy<Value = &'static str> {
    proptest::sample::select(vec![
        "one", "two", "oh", "double", "twenty", "hundred", "yes", "no", "half", "past", "six",
        "may", "the", "third", "of", "um", "and", "please", "dollars", "p", "m", "where", "is",
        "my", "order",
    ])
}

proptest! {
    #[test]
    fn more_silence_never_makes_a_turn_less_over(
        words in proptest::collection::vec(word(), 0..40),
        one in 0_u64..6_000,
        other in 0_u64..6_000,
    ) {
        let mut expectation = order_phrases();
        expectation.kinds = vec![
            six_digits(), SlotKind::YesNo, SlotKind::Date, SlotKind::Time, SlotKind::Amount,
            SlotKind::Number, SlotKind::Name,
        ];
        let text = words.join(" ");
        let less = judge(&text, &expectation, one.min(other));
        let more = judge(&text, &expectation, one.max(other));
        prop_assert!((0.0..=1.0).contains(&less) && less <= more && more <= 1.0);
    }
}
