//! Ranks intents by how near what was said is to their example phrases. No weights.
//!
//! Each example is a vector of its features (`features`) weighted by kind and by rarity among the
//! book's intents; what was said is compared by the cosine with each example and with each intent
//! as a whole. A softmax turns scores into probabilities, with one more class, "none of these",
//! whose score is fixed: what is like no example leaves the mass there. Deliberately absent:
//! meaning. "Cheers, that's all" is far from "goodbye" until somebody writes it down.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::features::{Kind, features};
use crate::speech::{EngineFault, Intent, LanguageModel, Ranked};

// The figures below: least log loss over the validation parts of CLINC150 (a third of the sentences
// out of scope) and over BANKING77, 40 draws of ten intents with 5 and 10 examples each. The
// neighbourhood is flat; `tests/language.rs` measures the test parts.

/// How much a feature of each kind counts.
const fn weight(kind: Kind) -> f32 {
    match kind {
        Kind::Content => CONTENT,
        Kind::Common => COMMON,
        Kind::Pair => PAIR,
        Kind::Part => PART,
    }
}

const CONTENT: f32 = 1.0;
const COMMON: f32 = 0.4;
const PAIR: f32 = 0.5;
const PART: f32 = 0.35;

/// Part of the nearest example in a score; the rest is the intent's as a whole.
const NEAREST: f32 = 0.4;
/// How sharply a difference of scores tells.
const SHARPNESS: f32 = 22.0;
/// The score of "none of these" among ten intents.
const NONE_SCORE: f32 = 0.15;
/// Among how many intents that is; more find more by chance, and its odds grow with them.
const NONE_AMONG: f32 = 10.0;
/// Power that what was said is taken to have besides its words, so that a word or two that say
/// little ("are you") are near to nothing.
const VAGUENESS: f32 = 0.5;

/// Cosine from which two sentences are the same.
const SAME: f32 = 0.9;

/// Books kept for lists of intents seen before: a flow has a list for each of its steps.
const BOOKS_MAX: usize = 16;

/// Ranks intents by their example phrases; learns a list of intents when it first sees it.
///
/// ```
/// use std::sync::Arc;
/// use cordboard_models::language::Phrasebook;
/// use cordboard_models::speech::{Intent, LanguageModel};
/// let intent = |name: &str, examples: &[&str]| Intent {
///     name: Arc::from(name),
///     examples: examples.iter().map(|e| (*e).to_owned()).collect(),
/// };
/// let intents = [
///     intent("order_status", &["where is my order", "has my parcel been sent"]),
///     intent("hours", &["what are your opening hours", "when are you open"]),
/// ];
/// let ranked = Phrasebook::default().rank("when do you open tomorrow", &intents).unwrap();
/// assert_eq!(&*ranked[0].name, "hours");
/// ```
#[derive(Clone, Debug, Default)]
pub struct Phrasebook {
    /// The latest used last.
    books: Vec<Arc<Book>>,
}

impl Phrasebook {
    fn book(&mut self, intents: &[Intent]) -> Arc<Book> {
        let known = self.books.iter().position(|book| book.intents == intents);
        let book = match known {
            Some(index) => self.books.remove(index),
            None => Arc::new(Book::new(intents)),
        };
        if self.books.len() >= BOOKS_MAX {
            self.books.remove(0);
        }
        self.books.push(Arc::clone(&book));
        book
    }
}

impl LanguageModel for Phrasebook {
    /// Ranks every intent given; intents without examples come last with probability zero.
    ///
    /// # Errors
    /// None.
    fn rank(&mut self, said: &str, intents: &[Intent]) -> Result<Vec<Ranked>, EngineFault> {
        Ok(self.book(intents).rank(said))
    }
}

/// A sparse vector of length at most one, by ascending feature.
type Vector = Vec<(u32, f32)>;

/// One list of intents, learnt.
#[derive(Debug)]
struct Book {
    intents: Vec<Intent>,
    numbers: HashMap<String, u32>,
    /// Weight of each feature by its rarity, and last that of a feature never seen.
    rarity: Vec<f32>,
    examples: Vec<Vec<Vector>>,
    wholes: Vec<Vector>,
}

impl Book {
    fn new(intents: &[Intent]) -> Self {
        let mut numbers: HashMap<String, u32> = HashMap::new();
        let mut intents_with: Vec<Vec<usize>> = Vec::new();
        for (index, intent) in intents.iter().enumerate() {
            for feature in intent.examples.iter().flat_map(|example| features(example)) {
                let next = numbers.len() as u32;
                let number = *numbers.entry(feature.text).or_insert(next) as usize;
                if number == intents_with.len() {
                    intents_with.push(Vec::new());
                }
                if intents_with[number].last() != Some(&index) {
                    intents_with[number].push(index);
                }
            }
        }
        let all = intents.len() as f32;
        let rarity = |with: usize| ((all + 1.0) / (with as f32 + 0.5)).ln().max(0.1);
        let rarity = intents_with.iter().map(Vec::len).chain([0]).map(rarity).collect();
        let mut book = Self {
            intents: intents.to_vec(),
            numbers,
            rarity,
            examples: Vec::new(),
            wholes: Vec::new(),
        };
        for intent in intents {
            let vector = |example: &String| book.vector(example, 0.0);
            let vectors: Vec<Vector> = intent.examples.iter().map(vector).collect();
            book.wholes.push(mean(&vectors));
            book.examples.push(vectors);
        }
        book
    }

    /// The vector of a sentence; features never seen have a place in its length only.
    fn vector(&self, sentence: &str, vagueness: f32) -> Vector {
        let unseen = self.rarity.len() - 1;
        let mut weights: BTreeMap<u32, f32> = BTreeMap::new();
        let mut unseen_power = 0.0;
        for feature in features(sentence) {
            let number = self.numbers.get(&feature.text).copied();
            let rarity = self.rarity[number.map_or(unseen, |number| number as usize)];
            let value = weight(feature.kind) * rarity;
            match number {
                Some(number) => *weights.entry(number).or_insert(0.0) += value,
                None => unseen_power += value * value,
            }
        }
        let power = weights.values().map(|w| w * w).sum::<f32>() + unseen_power + vagueness;
        let length = power.sqrt().max(f32::EPSILON);
        weights.into_iter().map(|(number, weight)| (number, weight / length)).collect()
    }

    fn scores(&self, said: &str) -> Vec<f32> {
        // "are you" and "what is it" say nothing, unless they are an example ("who are you").
        let empty = !features(said).iter().any(|feature| feature.kind == Kind::Content);
        let said = self.vector(said, VAGUENESS);
        let length = said.iter().map(|(_, w)| w * w).sum::<f32>().sqrt();
        let score = |(examples, whole): (&Vec<Vector>, &Vector)| {
            let nearest = examples.iter().map(|e| dot(e, &said)).fold(0.0, f32::max);
            if empty && nearest < SAME * length {
                return 0.0;
            }
            NEAREST * nearest + (1.0 - NEAREST) * dot(whole, &said)
        };
        self.examples.iter().zip(&self.wholes).map(score).collect()
    }

    fn rank(&self, said: &str) -> Vec<Ranked> {
        let scores = self.scores(said);
        let odds = |score: &f32| (SHARPNESS * (score - NONE_SCORE)).exp();
        let heard = |score: &f32| if *score > 0.0 { odds(score) } else { 0.0 };
        let none = scores.len() as f32 / NONE_AMONG;
        let sum = none + scores.iter().map(heard).sum::<f32>();
        let ranked = |(intent, score): (&Intent, &f32)| Ranked {
            name: Arc::clone(&intent.name),
            probability: heard(score) / sum,
        };
        let mut all: Vec<Ranked> = self.intents.iter().zip(&scores).map(ranked).collect();
        all.sort_by(|a, b| b.probability.total_cmp(&a.probability));
        all
    }
}

fn mean(vectors: &[Vector]) -> Vector {
    let mut sum: BTreeMap<u32, f32> = BTreeMap::new();
    for (number, weight) in vectors.iter().flatten() {
        *sum.entry(*number).or_insert(0.0) += weight;
    }
    let length = sum.values().map(|w| w * w).sum::<f32>().sqrt().max(f32::EPSILON);
    sum.into_iter().map(|(number, weight)| (number, weight / length)).collect()
}

fn dot(a: &[(u32, f32)], b: &[(u32, f32)]) -> f32 {
    let (mut i, mut j, mut sum) = (0, 0, 0.0);
    while i < a.len() && j < b.len() {
        match a[i].0.cmp(&b[j].0) {
            std::cmp::Ordering::Less => i += 1,
            std::cmp::Ordering::Greater => j += 1,
            std::cmp::Ordering::Equal => {
                sum += a[i].1 * b[j].1;
                i += 1;
                j += 1;
            }
        }
    }
    sum
}
