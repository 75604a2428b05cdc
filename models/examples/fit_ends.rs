//! Fits the judge of ends by words: `fit_ends WEIGHTS < TEXTS`, a text a line, as it was written or
//! spoken. Sentences end at `.`, `?` and `!`. One text in ten is held back, and how well ends are
//! told from other places in these is printed.

use std::io::Read;

use cordboard_models::turn_end::{fit_ends, log_odds_by};

type Text<'a> = Vec<Vec<&'a str>>;

fn main() -> std::io::Result<()> {
    let Some(to) = std::env::args().nth(1) else {
        eprintln!("usage: fit_ends WEIGHTS < TEXTS");
        std::process::exit(2);
    };
    let mut all = String::new();
    std::io::stdin().read_to_string(&mut all)?;
    let all = all.to_lowercase().replace('’', "'");
    let texts: Vec<Text<'_>> = all.lines().map(sentences).collect();
    let is_held = |at: &usize| at.is_multiple_of(10);
    let part = |held: bool| -> Vec<Text<'_>> {
        let taken = texts.iter().enumerate().filter(|(at, _)| is_held(at) == held);
        taken.map(|(_, text)| text.clone()).collect()
    };
    let weights = fit_ends(&part(false));
    println!("{} texts, told apart in {:.3} of pairs", texts.len(), apart(&weights, &part(true)));
    std::fs::write(to, fit_ends(&texts))
}

fn sentences(line: &str) -> Text<'_> {
    line.split(['.', '?', '!']).map(words).filter(|sentence| !sentence.is_empty()).collect()
}

fn words(sentence: &str) -> Vec<&str> {
    let words = sentence.split(|c: char| !c.is_alphanumeric() && c != '\'');
    words.map(|word| word.trim_matches('\'')).filter(|word| !word.is_empty()).collect()
}

/// How often an end has the higher odds of two places (area under the curve).
fn apart(weights: &[u8], texts: &[Text<'_>]) -> f64 {
    let mut odds: Vec<(f32, bool)> = Vec::new();
    for words in texts.iter().flatten() {
        for length in 1..=words.len() {
            odds.push((log_odds_by(weights, &words[..length]), length == words.len()));
        }
    }
    odds.sort_by(|one, two| one.0.total_cmp(&two.0));
    let (mut others, mut pairs, mut right) = (0_u64, 0_u64, 0_u64);
    for (_, is_end) in odds {
        if is_end {
            right += others;
            pairs += 1;
        } else {
            others += 1;
        }
    }
    right as f64 / (pairs * others).max(1) as f64
}
