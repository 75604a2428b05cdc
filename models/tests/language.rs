//! The phrasebook: on the example flow's intents, and measured over public sets where they are.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use cordboard_models::language::Phrasebook;
use cordboard_models::speech::{Intent, LanguageModel, Ranked};
use proptest::prelude::*;

fn intent(name: &str, examples: &[&str]) -> Intent {
    let examples = examples.iter().map(|example| (*example).to_owned()).collect();
    Intent { name: Arc::from(name), examples }
}

fn parcel_intents() -> Vec<Intent> {
    vec![
        intent(
            "order_status",
            &[
                "where is my order",
                "i want to know the status of my order {order_number}",
                "has my parcel been sent",
                "when will my package arrive",
                "track my delivery",
            ],
        ),
        intent(
            "change_address",
            &[
                "change my delivery address",
                "i want it delivered to a different address",
                "i moved house",
                "the address on my order is wrong",
            ],
        ),
        intent(
            "opening_hours",
            &["what are your opening hours", "when are you open", "are you open on sunday"],
        ),
        intent(
            "complaint",
            &[
                "i want to complain",
                "make a complaint",
                "my parcel was damaged",
                "terrible service",
            ],
        ),
    ]
}

fn rank(said: &str, intents: &[Intent]) -> Vec<Ranked> {
    Phrasebook::default().rank(said, intents).expect("no engine that could give up")
}

fn none_of_these(ranked: &[Ranked]) -> f32 {
    1.0 - ranked.iter().map(|r| r.probability).sum::<f32>()
}

#[test]
fn callers_are_understood_in_words_near_the_examples() {
    let table = [
        ("where is my order", "order_status"),
        ("where's my parcel", "order_status"),
        ("can you tell me the status of order one two three four five six", "order_status"),
        ("i'd like to track my package please", "order_status"),
        ("i need to change the address for my delivery", "change_address"),
        ("i've moved to a new house", "change_address"),
        ("what time do you open", "opening_hours"),
        ("are you open on saturdays", "opening_hours"),
        ("i would like to make a complaint about the driver", "complaint"),
        ("it came damaged", "complaint"),
    ];
    let intents = parcel_intents();
    for (said, expected) in table {
        let ranked = rank(said, &intents);
        let best = &ranked[0];
        assert_eq!(&*best.name, expected, "{said}: {ranked:?}");
        assert!(best.probability > none_of_these(&ranked), "{said}: {ranked:?}");
    }
}

#[test]
fn what_is_like_no_example_is_none_of_these() {
    let intents = parcel_intents();
    for said in ["what is the capital of peru", "play some jazz", "hmm", "", "are you", "the"] {
        let ranked = rank(said, &intents);
        assert_eq!(ranked.len(), intents.len());
        assert!(none_of_these(&ranked) > 0.6, "{said}: {ranked:?}");
    }
}

#[test]
fn an_example_said_word_for_word_is_nearly_certain() {
    for intent in parcel_intents() {
        for example in &intent.examples {
            let ranked = rank(&example.replace("{order_number}", "one two"), &parcel_intents());
            assert_eq!(ranked[0].name, intent.name);
            assert!(ranked[0].probability > 0.85, "{example}: {ranked:?}");
        }
    }
}

#[test]
fn no_intents_and_intents_without_examples_are_no_fault() {
    assert_eq!(rank("hello", &[]), []);
    let ranked = rank("hello there", &[intent("empty", &[]), intent("greeting", &["hello there"])]);
    assert_eq!(&*ranked[0].name, "greeting");
    assert_eq!(ranked[1].probability, 0.0);
}

#[test]
fn common_words_count_only_where_they_are_an_example() {
    let intents = [intent("who", &["who are you"]), intent("hours", &["are you open today"])];
    let ranked = rank("who are you", &intents);
    assert_eq!(&*ranked[0].name, "who");
    assert!(ranked[0].probability > 0.8, "{ranked:?}");
    assert!(none_of_these(&rank("are you", &intents)) > 0.6);
}

#[test]
fn a_list_that_changed_is_learnt_anew() {
    let mut book = Phrasebook::default();
    let before = [intent("a", &["red car"]), intent("b", &["blue bird"])];
    let after = [intent("a", &["blue bird"]), intent("b", &["red car"])];
    for _ in 0..3 {
        assert_eq!(&*book.rank("a red car", &before).expect("ranks")[0].name, "a");
        assert_eq!(&*book.rank("a red car", &after).expect("ranks")[0].name, "b");
    }
}

proptest! {
    #[test]
    fn probabilities_are_sorted_and_sum_to_at_most_one(said in "\\PC{0,60}|[a-z ]{0,60}") {
        let ranked = rank(&said, &parcel_intents());
        prop_assert!(ranked.windows(2).all(|pair| pair[0].probability >= pair[1].probability));
        prop_assert!(ranked.iter().all(|r| (0.0..=1.0).contains(&r.probability)));
        prop_assert!(none_of_these(&ranked) > -1e-5);
    }
}

/// Sentences by their intent.
type Sentences = BTreeMap<String, Vec<String>>;

fn shared(path: &str) -> Option<String> {
    let beside = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared");
    let root = std::env::var_os("CORDBOARD_SHARED").map_or_else(beside, PathBuf::from);
    let path = root.join("data/text").join(path);
    let text = std::fs::read_to_string(&path).ok();
    if text.is_none() {
        eprintln!("skipped: {} is not there", path.display());
    }
    text
}

fn by_intent(pairs: impl IntoIterator<Item = (String, String)>) -> Sentences {
    let mut sentences = Sentences::new();
    for (text, label) in pairs {
        sentences.entry(label).or_default().push(text);
    }
    sentences
}

/// `text,label` records; a text with a comma, a quote or a line end in it is quoted.
fn banking(file: &str) -> Option<Sentences> {
    let csv = shared(&format!("banking77/{file}"))?;
    let mut records: Vec<String> = Vec::new();
    for line in csv.lines().skip(1) {
        match records.last_mut().filter(|record| record.matches('"').count() % 2 == 1) {
            Some(open) => *open = format!("{open} {line}"),
            None => records.push(line.to_owned()),
        }
    }
    let pair = |record: &String| {
        let (text, label) = record.rsplit_once(',')?;
        let plain = text.trim_matches('"').replace("\"\"", "\"");
        Some((plain, label.trim().to_owned()))
    };
    Some(by_intent(records.iter().filter_map(pair)))
}

/// The `[text, label]` pairs under one key of CLINC150's JSON, which has no escapes but `\"`.
fn clinc(key: &str) -> Option<Sentences> {
    let json = shared("clinc150/data_small.json")?;
    let from = json.find(&format!("\"{key}\""))? + key.len() + 2;
    let to = json[from..].find("]\n    ]").map_or(json.len(), |length| from + length);
    let mut strings = Vec::new();
    let mut rest = &json[from..to];
    while let Some(begin) = rest.find('"') {
        let body = &rest[begin + 1..];
        let end =
            body.match_indices('"').map(|(at, _)| at).find(|at| !body[..*at].ends_with('\\'))?;
        strings.push(body[..end].replace("\\\"", "\""));
        rest = &body[end + 1..];
    }
    let pairs = strings.chunks_exact(2).map(|pair| (pair[0].clone(), pair[1].clone()));
    Some(by_intent(pairs))
}

/// A small generator, so that every run draws the same (Numerical Recipes' constants).
struct Draw(u64);

impl Draw {
    fn below(&mut self, bound: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % bound
    }

    fn some<T: Clone>(&mut self, from: &[T], count: usize) -> Vec<T> {
        let mut left = from.to_vec();
        (0..count.min(left.len())).map(|_| left.swap_remove(self.below(left.len()))).collect()
    }
}

/// What was found over all draws.
#[derive(Debug, Default)]
struct Tally {
    asked: usize,
    right: usize,
    accepted: usize,
    accepted_right: usize,
    foreign: usize,
    foreign_refused: usize,
    log_loss: f64,
}

impl Tally {
    fn part(of: usize, all: usize) -> f64 {
        of as f64 / all.max(1) as f64
    }

    fn print(&self, what: &str) {
        eprintln!(
            "{what}: best is right {:.3}; taken {:.3}, of these right {:.3}; out of scope refused \
             {:.3}; log loss {:.3} ({} asked, {} out of scope)",
            Self::part(self.right, self.asked),
            Self::part(self.accepted, self.asked),
            Self::part(self.accepted_right, self.accepted),
            Self::part(self.foreign_refused, self.foreign),
            self.log_loss / (self.asked + self.foreign).max(1) as f64,
            self.asked,
            self.foreign,
        );
    }
}

const DRAWS: u64 = 12;

/// So many intents with so many examples each (`size`), asked with what other people said, and
/// with `foreign`.
fn measure(train: &Sentences, test: &Sentences, foreign: &[String], size: [usize; 2]) -> Tally {
    let mut tally = Tally::default();
    let [count, shots] = size;
    let names: Vec<String> = train.keys().cloned().collect();
    for seed in 0..DRAWS {
        let mut draw = Draw(seed);
        let intents: Vec<Intent> = draw
            .some(&names, count)
            .iter()
            .map(|name| Intent {
                name: Arc::from(name.as_str()),
                examples: draw.some(&train[name], shots),
            })
            .collect();
        let mut book = Phrasebook::default();
        for intent in &intents {
            for said in &test[&*intent.name] {
                let ranked = book.rank(said, &intents).expect("ranks");
                let none = none_of_these(&ranked);
                let right = ranked[0].name == intent.name;
                let taken = ranked[0].probability > none;
                let own = ranked.iter().find(|r| r.name == intent.name).expect("ranks all");
                tally.asked += 1;
                tally.right += usize::from(right);
                tally.accepted += usize::from(taken);
                tally.accepted_right += usize::from(taken && right);
                tally.log_loss -= f64::from(own.probability.max(1e-4)).ln();
            }
        }
        for said in foreign {
            let ranked = book.rank(said, &intents).expect("ranks");
            let none = none_of_these(&ranked);
            tally.foreign += 1;
            tally.foreign_refused += usize::from(ranked[0].probability <= none);
            tally.log_loss -= f64::from(none.max(1e-4)).ln();
        }
    }
    tally
}

#[test]
fn a_bank_s_intents_of_few_examples_are_told_apart() {
    let (Some(train), Some(test)) = (banking("train.csv"), banking("test.csv")) else { return };
    assert_eq!((train.len(), test.len()), (77, 77));
    for size in [[4, 5], [10, 5], [10, 10]] {
        let tally = measure(&train, &test, &[], size);
        tally.print(&format!("BANKING77, intents and examples {size:?}"));
        assert!(Tally::part(tally.right, tally.asked) > 0.8);
    }
}

#[test]
fn intents_of_few_examples_are_told_apart_and_other_topics_refused() {
    let (Some(train), Some(test)) = (clinc("train"), clinc("test")) else { return };
    let Some(foreign) =
        clinc("oos_test").map(|all| all.into_values().flatten().collect::<Vec<_>>())
    else {
        return;
    };
    assert_eq!((train.len(), test.len(), foreign.len()), (150, 150, 1_000));
    for size in [[4, 5], [10, 5], [10, 10], [30, 10]] {
        let tally = measure(&train, &test, &foreign, size);
        tally.print(&format!("CLINC150, intents and examples {size:?}"));
        assert!(Tally::part(tally.right, tally.asked) > 0.80);
        assert!(Tally::part(tally.foreign_refused, tally.foreign) > 0.8);
    }
}
