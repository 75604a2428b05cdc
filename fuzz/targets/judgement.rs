//! Words as a recognizer has them, before those who judge: intents are ranked by probabilities, and
//! the end of a turn is one, which silence only makes more likely.
#![no_main]

use std::time::Duration;

use arbitrary::Arbitrary;
use cordboard_models::ears::grammar::{Net, PHONE_MARK, rule};
use cordboard_models::language::Phrasebook;
use cordboard_models::speech::{
    EndOfTurn, Expectation, Hypothesis, HypothesisKind, Intent, LanguageModel, Phrase, PhrasePart,
    SlotKind, TurnSoFar, Word,
};
use cordboard_models::turn_end::TextJudge;
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    said: &'a str,
    intents: Vec<Vec<&'a str>>,
    confidence: u8,
    silence_ms: u16,
    longer_ms: u16,
    kinds: Vec<u8>,
    open: bool,
}

fuzz_target!(|input: Input<'_>| {
    ranked(input.said, &input.intents);
    let expectation = expectation(&input);
    let words: Vec<Word> = input
        .said
        .split_whitespace()
        .map(|text| Word {
            text: text.to_lowercase(),
            begin: Duration::ZERO,
            end: Duration::ZERO,
            confidence: f32::from(input.confidence) / 255.0,
        })
        .collect();
    let hypothesis = Hypothesis {
        text: words.iter().map(|it| it.text.as_str()).collect::<Vec<_>>().join(" "),
        stable_words: words.len(),
        words,
        confidence: f32::from(input.confidence) / 255.0,
        kind: HypothesisKind::Partial,
    };
    let mut judge = TextJudge;
    let mut over = |silence_ms: u64| {
        let silence = Duration::from_millis(silence_ms);
        let turn = TurnSoFar {
            hypothesis: Some(&hypothesis),
            expectation: &expectation,
            silence,
            samples: &[],
        };
        let probability = judge.judge(&turn);
        assert!((0.0..=1.0).contains(&probability));
        probability
    };
    let (shorter, more) = (u64::from(input.silence_ms), u64::from(input.longer_ms));
    assert!(over(shorter) <= over(shorter + more), "silence only makes it more likely");
    grammar(&expectation, &hypothesis.text);
});

fn ranked(said: &str, examples: &[Vec<&str>]) {
    let intents: Vec<Intent> = examples
        .iter()
        .take(8)
        .enumerate()
        .map(|(at, examples)| Intent {
            name: format!("intent_{at}").into(),
            examples: examples.iter().take(8).map(|it| (*it).to_owned()).collect(),
        })
        .collect();
    let ranked = Phrasebook::default().rank(said, &intents).expect("it has no fault");
    assert_eq!(ranked.len(), intents.len());
    assert!(ranked.iter().all(|it| (0.0..=1.0).contains(&it.probability)), "{ranked:?}");
    assert!(ranked.is_sorted_by(|a, b| a.probability >= b.probability), "{ranked:?}");
    assert!(ranked.iter().map(|it| it.probability).sum::<f32>() <= 1.001, "{ranked:?}");
}

fn expectation(input: &Input<'_>) -> Expectation {
    let kind = |kind: &u8| match kind % 9 {
        0 => SlotKind::Digits { min: kind / 32, max: kind / 16 },
        1 => SlotKind::Number,
        2 => SlotKind::Date,
        3 => SlotKind::Time,
        4 => SlotKind::Amount,
        5 => SlotKind::Name,
        6 => SlotKind::YesNo,
        7 => SlotKind::Choice(vec!["small".into(), "extra large".into()]),
        _ => SlotKind::Open,
    };
    let texts = input.intents.iter().flatten().filter(|it| !it.trim().is_empty()).take(4);
    let phrases = texts.map(|text| Phrase {
        tag: "tag".to_owned(),
        parts: vec![PhrasePart::Words(text.split_whitespace().collect::<Vec<_>>().join(" "))],
    });
    Expectation {
        kinds: input.kinds.iter().take(2).map(kind).collect(),
        phrases: phrases.collect(),
        open: input.open,
    }
}

/// What a recognizer is made to listen for: a net that ends, and that takes what was written.
fn grammar(expectation: &Expectation, said: &str) {
    let Some(rule) = rule(expectation) else { return };
    let net = Net::new(&rule);
    assert!(!net.accepts(said) || !said.is_empty(), "nothing is not said");
    let last = net.last_state();
    for (from, to, word) in net.steps() {
        assert!(from <= last && to <= last && !word.contains(char::is_whitespace), "{word:?}");
    }
    let phones = net.steps().any(|(_, _, word)| word.starts_with(PHONE_MARK));
    assert_eq!(net.has_phones(), phones);
    assert!(net.words().all(|word| !word.starts_with(PHONE_MARK)), "phones are no words");
}
