//! Which sentences the grammars take, and which they do not.

use proptest::prelude::*;

use super::*;

fn net(kinds: Vec<SlotKind>, phrases: &[&str]) -> Net {
    let phrases = phrases
        .iter()
        .map(|words| Phrase {
            tag: "intent:any".into(),
            parts: vec![PhrasePart::Words((*words).into())],
        })
        .collect();
    let expectation = Expectation { kinds, phrases, open: false };
    Net::new(&rule(&expectation).expect("something is expected"))
}

fn check(kind: &SlotKind, takes: &[&str], refuses: &[&str]) {
    let net = net(vec![kind.clone()], &[]);
    for text in takes {
        assert!(net.accepts(text), "{kind:?} should take {text:?}");
    }
    for text in refuses {
        assert!(!net.accepts(text), "{kind:?} should refuse {text:?}");
    }
}

#[test]
fn six_digits_are_taken_in_every_usual_grouping_and_in_no_other_number() {
    check(
        &SlotKind::Digits { min: 6, max: 6 },
        &[
            "one two three four five six",
            "oh one zero three four five",
            "twelve thirty four fifty six",
            "double three four five six seven",
            "triple three four five six",
            "one two double oh fifty",
            "um it's one two three four five six please",
        ],
        &[
            "one two three four five",
            "one two three four five six seven",
            "twelve thirty four",
            "double three double four",
            "six",
            "",
        ],
    );
}

#[test]
fn values_are_taken_as_people_say_them() {
    check(
        &SlotKind::Number,
        &[
            "zero",
            "seven",
            "twelve",
            "forty two",
            "a hundred and five",
            "nine thousand nine hundred",
        ],
        &["hundred", "forty twelve", "one two"],
    );
    check(
        &SlotKind::Date,
        &[
            "tomorrow",
            "next tuesday",
            "the third of may",
            "may the third",
            "june twenty first twenty twenty six",
            "on friday",
        ],
        &["the third of tuesday", "next may"],
    );
    check(
        &SlotKind::Time,
        &["half past six", "six p m", "at quarter to nine", "ten thirty", "eight o'clock", "noon"],
        &["half past", "p m"],
    );
    check(
        &SlotKind::Amount,
        &["twelve dollars fifty", "twelve dollars and fifty cents", "ninety nine cents"],
        &["dollars", "twelve"],
    );
    check(&SlotKind::Name, &["john smith", "my name is mary", "smith"], &["john john john"]);
    check(&SlotKind::YesNo, &["yes", "no", "yes please", "that's right"], &["yes no", "maybe"]);
    check(
        &SlotKind::Choice(vec!["Home".into(), "the office".into()]),
        &["home", "the office please"],
        &["office", "home office"],
    );
}

#[test]
fn phrases_take_their_slots_in_place() {
    let expectation = Expectation {
        phrases: vec![Phrase {
            tag: "intent:order_status".into(),
            parts: vec![
                PhrasePart::Words("where is my order".into()),
                PhrasePart::Slot {
                    name: "order_number".into(),
                    kind: SlotKind::Digits { min: 3, max: 4 },
                },
                PhrasePart::Words("now".into()),
            ],
        }],
        ..Expectation::default()
    };
    let net = Net::new(&rule(&expectation).expect("a phrase is expected"));
    assert!(net.accepts("hello where is my order one two three now please"));
    assert!(net.accepts("where is my order one two three four now"));
    assert!(!net.accepts("where is my order now"));
    assert!(!net.accepts("where is my order one two three"));
}

#[test]
fn an_open_slot_takes_phones_and_open_speech_needs_no_grammar() {
    let parts = vec![
        PhrasePart::Words("complain about".into()),
        PhrasePart::Slot { name: "issue".into(), kind: SlotKind::Open },
    ];
    let phrase = Phrase { tag: "intent:complaint".into(), parts };
    let expectation = Expectation { phrases: vec![phrase], ..Expectation::default() };
    let net = Net::new(&rule(&expectation).expect("a phrase is expected"));
    assert!(net.has_phones());
    assert!(net.accepts("complain about %ah %b"));
    assert!(!net.accepts("complain about"));
    assert!(net.words().all(|word| !word.starts_with(PHONE_MARK)));
    let anything = Expectation { kinds: vec![SlotKind::Open], ..Expectation::default() };
    assert_eq!(rule(&anything), None);
    assert!(is_open(&anything));
}

#[test]
fn the_printed_grammar_is_what_sphinxbase_reads() {
    let text = net(vec![], &["go home"]).to_fsg();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], "FSG_BEGIN <expected>");
    assert_eq!(lines.last(), Some(&"FSG_END"));
    assert!(lines.iter().any(|line| line.starts_with("TRANSITION 0 ") && line.ends_with(" go")));
    assert!(
        lines
            .iter()
            .skip(4)
            .all(|line| !line.starts_with("TRANSITION") || line.split(' ').count() == 5)
    );
}

#[test]
fn long_numbers_stay_small() {
    let net = net(vec![SlotKind::Digits { min: 16, max: 16 }], &[]);
    assert!(net.to_fsg().lines().count() < 2_500);
}

const WORDS: [&str; 10] =
    ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"];

proptest! {
    #[test]
    fn exactly_the_lengths_asked_for_are_taken(
        min in 1_u8..6,
        more in 0_u8..4,
        digits in prop::collection::vec(0_usize..10, 1..12),
    ) {
        let rule = Rule::Digits { min, max: min + more };
        let text: Vec<&str> = digits.iter().map(|&digit| WORDS[digit]).collect();
        let fits = (usize::from(min)..=usize::from(min + more)).contains(&digits.len());
        prop_assert_eq!(Net::new(&rule).accepts(&text.join(" ")), fits);
    }

    #[test]
    fn a_phrase_is_taken_as_it_is_written_and_not_shortened(
        words in prop::collection::vec("[a-z]{3,8}", 1..8),
    ) {
        let said = words.join(" ");
        let phrase = net(vec![], &[&said]);
        prop_assert!(phrase.accepts(&said));
        prop_assert!(!phrase.accepts(&words[1..].join(" ")));
    }
}
