//! Measures the ears on a list of recordings and fits the constants of their confidence.
//!
//! `cargo run --release -p cordboard-models --example calibrate_ears -- LIST [ACOUSTIC_MODEL DICT]`
//! where each line of LIST has three fields between tabs: what is expected (`digits6`, `menu`,
//! `yes_no`), the recordings (WAV files joined by `+`, or `flite:VOICE:TEXT`), and the words that
//! were said, or `-` where they are not of the grammar.

#![expect(clippy::print_stdout, reason = "a command line tool")]

#[path = "../tests/support/mod.rs"]
mod support;

use std::path::{Path, PathBuf};

use cordboard_models::ears::confidence::Evidence;
use cordboard_models::ears::{PocketSphinx, SphinxConfig};
use cordboard_models::speech::{
    Expectation, HypothesisKind, Phrase, PhrasePart, Recognizer, SlotKind,
};

/// Samples of a frame of the telephone, 20 ms.
const FRAME: usize = 160;

/// One line of the list with what was made of it.
struct Trial {
    expected: String,
    said: Option<String>,
    heard: String,
    accepted: bool,
    confidence: f32,
    evidence: Option<Evidence>,
    seconds: f64,
}

impl Trial {
    /// Whether it was heard word for word; yes and no by meaning ("yep" is as good as "yeah").
    fn is_right(&self) -> bool {
        let Some(said) = &self.said else { return false };
        let is_no = |text: &str| {
            text.split(' ').any(|word| ["no", "nope", "nah", "not", "wrong"].contains(&word))
        };
        *said == self.heard
            || self.expected == "yes_no"
                && !self.heard.is_empty()
                && is_no(said) == is_no(&self.heard)
    }
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let list = arguments.next().expect("name the list");
    let mut config = SphinxConfig::debian();
    if let Some(model) = arguments.next() {
        config.acoustic_model = PathBuf::from(model);
    }
    if let Some(dictionary) = arguments.next() {
        config.dictionary = PathBuf::from(dictionary);
    }
    let mut ears = PocketSphinx::open(&config).expect("the model opens");
    let text = std::fs::read_to_string(&list).expect("the list is readable");
    let trials: Vec<Trial> = text.lines().map(|line| attempt(&mut ears, line)).collect();
    for trial in &trials {
        println!(
            "{}\t{:.3}\t{:?}\t{}\t{}\t{:?}",
            trial.expected,
            trial.confidence,
            if trial.accepted { "accepted" } else { "rejected" },
            trial.said.as_deref().unwrap_or("-"),
            trial.heard,
            trial.evidence
        );
    }
    for expected in ["digits6", "menu", "yes_no", ""] {
        report(expected, &trials);
    }
    fit(&trials);
}

fn attempt(ears: &mut PocketSphinx, line: &str) -> Trial {
    let mut fields = line.split('\t');
    let mut field = || fields.next().expect("three fields in each line");
    let (expected, sound, said) = (field(), field(), field());
    let samples = if let Some(speech) = sound.strip_prefix("flite:") {
        let (voice, text) = speech.split_once(':').expect("flite:VOICE:TEXT");
        support::flite(voice, text)
    } else {
        let parts: Vec<Vec<f32>> =
            sound.split('+').map(|path| support::read_wav(Path::new(path))).collect();
        support::spliced(&parts, 80)
    };
    let samples = support::cut(&samples);
    ears.begin(&expectation(expected)).expect("the words are known");
    for frame in samples.chunks(FRAME) {
        ears.feed(frame).expect("sound is taken");
    }
    let verdict = ears.finish().expect("there is a verdict");
    Trial {
        expected: expected.into(),
        said: (said != "-").then(|| said.to_owned()),
        heard: verdict.text,
        accepted: verdict.kind == HypothesisKind::Final,
        confidence: verdict.confidence,
        evidence: ears.evidence().copied(),
        seconds: samples.len() as f64 / f64::from(support::RATE_HZ),
    }
}

fn expectation(name: &str) -> Expectation {
    match name {
        "digits6" => Expectation {
            kinds: vec![SlotKind::Digits { min: 6, max: 6 }],
            ..Expectation::default()
        },
        "yes_no" => Expectation { kinds: vec![SlotKind::YesNo], ..Expectation::default() },
        _ => Expectation { phrases: menu(), ..Expectation::default() },
    }
}

fn menu() -> Vec<Phrase> {
    let mut phrases: Vec<Phrase> = MENU
        .iter()
        .map(|words| Phrase {
            tag: "intent:any".into(),
            parts: vec![PhrasePart::Words((*words).into())],
        })
        .collect();
    let slot =
        PhrasePart::Slot { name: "order_number".into(), kind: SlotKind::Digits { min: 6, max: 6 } };
    for words in ["i'd like to know the status of my order number", "where is my order number"] {
        let parts = vec![PhrasePart::Words(words.into()), slot.clone()];
        phrases.push(Phrase { tag: "intent:order_status".into(), parts });
    }
    phrases
}

/// What a caller of the parcel service may say first.
const MENU: [&str; 24] = [
    "where is my order",
    "where is my parcel",
    "i want to know where my order is",
    "i'd like to check my order status",
    "track my parcel",
    "what are your opening hours",
    "when are you open",
    "are you open today",
    "change my delivery address",
    "i want to change my delivery address",
    "i have moved",
    "i want to complain",
    "i want to make a complaint",
    "this is not good enough",
    "can i speak to a person",
    "i want to speak to somebody",
    "agent",
    "operator",
    "help",
    "repeat that",
    "say that again",
    "slower",
    "goodbye",
    "i smell gas",
];

fn report(expected: &str, trials: &[Trial]) {
    let of_kind = || trials.iter().filter(|t| expected.is_empty() || t.expected == expected);
    let share = |part: usize, all: usize| 100.0 * part as f64 / all.max(1) as f64;
    let inside: Vec<&Trial> = of_kind().filter(|t| t.said.is_some()).collect();
    let outside: Vec<&Trial> = of_kind().filter(|t| t.said.is_none()).collect();
    let right_ones = inside.iter().filter(|t| t.is_right()).count();
    let rejected = inside.iter().filter(|t| !t.accepted).count();
    let rejected_right = inside.iter().filter(|t| !t.accepted && t.is_right()).count();
    let wrong_accepted = inside.iter().filter(|t| t.accepted && !t.is_right()).count();
    let accepted = outside.iter().filter(|t| t.accepted).count();
    let (errors, words) = inside.iter().fold((0, 0), |(errors, words), trial| {
        let said: Vec<&str> = trial.said.as_deref().unwrap_or("").split(' ').collect();
        let heard: Vec<&str> = trial.heard.split(' ').collect();
        (errors + distance(&said, &heard), words + said.len())
    });
    println!(
        "{:8} in grammar {}: right {:.1} %, word errors {:.1} %, rejected {:.1} % (right ones \
         {:.1} %), wrong but accepted {:.1} %; outside {}: accepted {:.1} %; {:.0} s",
        if expected.is_empty() { "all" } else { expected },
        inside.len(),
        share(right_ones, inside.len()),
        share(errors, words),
        share(rejected, inside.len()),
        share(rejected_right, right_ones),
        share(wrong_accepted, inside.len()),
        outside.len(),
        share(accepted, outside.len()),
        of_kind().map(|t| t.seconds).sum::<f64>(),
    );
}

/// Words to insert, delete and change (Levenshtein).
fn distance(said: &[&str], heard: &[&str]) -> usize {
    let mut row: Vec<usize> = (0..=heard.len()).collect();
    for (i, word) in said.iter().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, other) in heard.iter().enumerate() {
            let change = diagonal + usize::from(word != other);
            diagonal = row[j + 1];
            row[j + 1] = change.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[heard.len()]
}

/// Fits the logistic function by gradient descent on standardized features, a quarter held out.
fn fit(trials: &[Trial]) {
    let samples: Vec<([f64; 5], f64)> = trials
        .iter()
        .filter_map(|trial| {
            let evidence = trial.evidence.as_ref().filter(|e| e.whole && e.words > 0)?;
            let right = f64::from(u8::from(trial.is_right()));
            Some((evidence.features().map(f64::from), right))
        })
        .collect();
    let (test, train): (Vec<_>, Vec<_>) = samples.iter().enumerate().partition(|(n, _)| n % 4 == 3);
    let train: Vec<_> = train.into_iter().map(|(_, sample)| *sample).collect();
    let test: Vec<_> = test.into_iter().map(|(_, sample)| *sample).collect();
    let weights = descend(&train);
    println!("held out: AUC {:.3}, log loss {:.3}", auc(&weights, &test), loss(&weights, &test));
    for at in 0..5 {
        let single: Vec<_> = samples.iter().map(|(x, y)| (x[at], *y)).collect();
        println!("feature {at} alone: AUC {:.3}", auc_of(&single));
    }
    let [bias, per_frame, worst_word, overall, log_frames, uncovered] = descend(&samples);
    println!("bias: {bias:.4}, per_frame: {per_frame:.5}, worst_word: {worst_word:.5},");
    println!("overall: {overall:.5}, log_frames: {log_frames:.4}, uncovered: {uncovered:.4}");
}

fn descend(samples: &[([f64; 5], f64)]) -> [f64; 6] {
    let count = samples.len().max(1) as f64;
    let mean: [f64; 5] =
        std::array::from_fn(|k| samples.iter().map(|s| s.0[k]).sum::<f64>() / count);
    let deviation: [f64; 5] = std::array::from_fn(|k| {
        (samples.iter().map(|s| (s.0[k] - mean[k]).powi(2)).sum::<f64>() / count).sqrt().max(1e-6)
    });
    let mut weights = [0.0; 6];
    for _ in 0..20_000 {
        let mut slope = [0.0; 6];
        for (features, right) in samples {
            let x: [f64; 5] = std::array::from_fn(|k| (features[k] - mean[k]) / deviation[k]);
            let sum = weights[0] + (0..5).map(|k| weights[k + 1] * x[k]).sum::<f64>();
            let error = 1.0 / (1.0 + (-sum).exp()) - right;
            slope[0] += error;
            for k in 0..5 {
                slope[k + 1] += error * x[k];
            }
        }
        for (k, weight) in weights.iter_mut().enumerate() {
            let decay = if k == 0 { 0.0 } else { 1e-3 * *weight };
            *weight -= 0.5 * (slope[k] / count + decay);
        }
    }
    let scaled: [f64; 5] = std::array::from_fn(|k| weights[k + 1] / deviation[k]);
    let bias = weights[0] - (0..5).map(|k| scaled[k] * mean[k]).sum::<f64>();
    [bias, scaled[0], scaled[1], scaled[2], scaled[3], scaled[4]]
}

fn probability(weights: &[f64; 6], features: &[f64; 5]) -> f64 {
    let sum = weights[0] + (0..5).map(|k| weights[k + 1] * features[k]).sum::<f64>();
    1.0 / (1.0 + (-sum).exp())
}

fn loss(weights: &[f64; 6], samples: &[([f64; 5], f64)]) -> f64 {
    let total: f64 = samples
        .iter()
        .map(|(x, y)| {
            let p = probability(weights, x).clamp(1e-6, 1.0 - 1e-6);
            -(y * p.ln() + (1.0 - y) * (1.0 - p).ln())
        })
        .sum();
    total / samples.len().max(1) as f64
}

fn auc(weights: &[f64; 6], samples: &[([f64; 5], f64)]) -> f64 {
    auc_of(&samples.iter().map(|(x, y)| (probability(weights, x), *y)).collect::<Vec<_>>())
}

/// Area under the curve: how often a right one scores above a wrong one.
fn auc_of(scored: &[(f64, f64)]) -> f64 {
    let (mut wins, mut pairs) = (0.0, 0.0);
    for (right, _) in scored.iter().filter(|s| s.1 > 0.5) {
        for (wrong, _) in scored.iter().filter(|s| s.1 < 0.5) {
            wins += if right > wrong {
                1.0
            } else if right < wrong {
                0.0
            } else {
                0.5
            };
            pairs += 1.0;
        }
    }
    wins / f64::max(pairs, 1.0)
}
