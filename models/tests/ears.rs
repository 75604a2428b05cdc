//! The ears against speech as a phone brings it: flite's voices always, recordings of people where
//! `../shared/data` is there.
//!
//! Needs Debian's packages flite and pocketsphinx-en-us.

mod support;

use std::path::{Path, PathBuf};
use std::time::Duration;

use cordboard_models::ears::{OpenError, PocketSphinx, SphinxConfig};
use cordboard_models::speech::{
    EngineFault, Expectation, Hypothesis, HypothesisKind, Phrase, PhrasePart, Recognizer, SlotKind,
};

/// Samples of a frame of the telephone, 20 ms.
const FRAME: usize = 160;

fn words(text: &str) -> PhrasePart {
    PhrasePart::Words(text.into())
}

fn phrase(parts: Vec<PhrasePart>) -> Phrase {
    Phrase { tag: "intent:any".into(), parts }
}

fn number() -> PhrasePart {
    let kind = SlotKind::Digits { min: 6, max: 6 };
    PhrasePart::Slot { name: "order_number".into(), kind }
}

/// What a caller of the parcel service may say first.
fn menu() -> Expectation {
    let mut phrases: Vec<Phrase> = [
        "where is my order",
        "what are your opening hours",
        "when are you open",
        "change my delivery address",
        "i want to complain",
        "can i speak to a person",
        "agent",
        "help",
        "repeat",
        "goodbye",
        "i smell gas",
    ]
    .map(|text| phrase(vec![words(text)]))
    .into();
    for text in ["i'd like to know the status of my order number", "where is my order"] {
        phrases.push(phrase(vec![words(text), number()]));
    }
    Expectation { phrases, ..Expectation::default() }
}

fn only(kind: SlotKind) -> Expectation {
    Expectation { kinds: vec![kind], ..Expectation::default() }
}

fn ears() -> PocketSphinx {
    PocketSphinx::open(&SphinxConfig::debian()).expect("pocketsphinx-en-us is installed")
}

/// Listens to a recording in frames of 20 ms; gives the partials and the verdict.
fn listen(
    ears: &mut PocketSphinx,
    expectation: &Expectation,
    samples: &[f32],
) -> (Vec<Hypothesis>, Hypothesis) {
    ears.begin(expectation).expect("the words are known");
    let partials = samples
        .chunks(FRAME)
        .filter_map(|frame| ears.feed(frame).expect("sound is taken"))
        .collect();
    (partials, ears.finish().expect("there is a verdict"))
}

fn spoken(voice: &str, text: &str) -> Vec<f32> {
    support::cut(&support::flite(voice, text))
}

#[test]
fn the_scenes_of_the_parcel_service_are_understood_word_for_word() {
    let mut ears = ears();
    let digits = only(SlotKind::Digits { min: 6, max: 6 });
    let yes_no = only(SlotKind::YesNo);
    for (expectation, voice, text) in [
        (&menu(), "slt", "where is my order"),
        (&menu(), "awb", "what are your opening hours"),
        (&menu(), "slt", "change my delivery address"),
        (&menu(), "rms", "i want to complain"),
        (&menu(), "slt", "can i speak to a person"),
        (
            &menu(),
            "rms",
            "i'd like to know the status of my order number one two three four five six",
        ),
        (&digits, "rms", "one two three four five six"),
        (&digits, "rms", "nine oh four two seven seven"),
        (&yes_no, "rms", "yes"),
        (&yes_no, "rms", "no"),
        (&yes_no, "slt", "that's right"),
    ] {
        let (_, verdict) = listen(&mut ears, expectation, &spoken(voice, text));
        assert_eq!(verdict.text, text, "{voice}: {:?}", ears.evidence());
        assert_eq!(verdict.kind, HypothesisKind::Final, "{voice}: {text}: {verdict:?}");
        assert!(verdict.confidence > 0.4, "{voice}: {text}: {}", verdict.confidence);
    }
}

#[test]
fn speech_outside_the_grammar_is_rejected() {
    let mut ears = ears();
    let mut accepted = Vec::new();
    for text in [
        "my neighbour took it to his garage",
        "the weather has been terrible this week",
        "could you tell me a joke",
        "i need a taxi to the airport",
        "hold on let me get a pen",
    ] {
        for expectation in [menu(), only(SlotKind::Digits { min: 6, max: 6 })] {
            for voice in ["slt", "rms"] {
                let (_, verdict) = listen(&mut ears, &expectation, &spoken(voice, text));
                if verdict.kind != HypothesisKind::Rejected {
                    accepted.push(format!("{voice}: {text}: {verdict:?} {:?}", ears.evidence()));
                }
            }
        }
    }
    assert!(accepted.len() <= 1, "more than 5 % of 20 accepted: {accepted:#?}");
}

#[test]
fn silence_noise_and_clicks_have_no_words() {
    let mut ears = ears();
    let noise: Vec<f32> = (0..8_000_u32)
        .map(|n| (n.wrapping_mul(2_654_435_761) >> 16) as f32 / 65_536.0 - 0.5)
        .map(|sample| sample * 0.002)
        .collect();
    let mut click = vec![0.0; 4_000];
    click[2_000] = 0.9;
    for samples in [vec![], vec![0.0; 700], vec![0.0; 16_000], noise, click] {
        let (_, verdict) = listen(&mut ears, &menu(), &samples);
        assert_eq!((verdict.text.as_str(), verdict.kind), ("", HypothesisKind::Rejected));
        assert_eq!(verdict.confidence, 0.0);
    }
}

#[test]
fn partials_grow_while_the_caller_speaks_and_words_have_times() {
    let mut ears = ears();
    let sound = spoken("rms", "one two three four five six");
    let (partials, verdict) = listen(&mut ears, &only(SlotKind::Digits { min: 6, max: 6 }), &sound);
    assert!(partials.len() >= 4, "{partials:?}");
    assert!(partials.len() <= sound.len() / 800, "more than one in 100 ms");
    assert!(partials.iter().all(|partial| partial.kind == HypothesisKind::Partial));
    assert!(partials.iter().any(|partial| partial.stable_words >= 3), "{partials:?}");
    assert!(partials.windows(2).all(|pair| pair[0].text != pair[1].text));
    let length = Duration::from_secs_f64(sound.len() as f64 / f64::from(support::RATE_HZ));
    assert!(verdict.words.windows(2).all(|pair| pair[0].end <= pair[1].begin));
    assert!(verdict.words[0].begin >= Duration::from_millis(100), "200 ms of silence come first");
    assert!(verdict.words.iter().all(|word| word.begin < word.end && word.end <= length));
}

#[test]
fn a_verdict_depends_on_its_own_utterance_only() {
    let mut ears = ears();
    let yes_no = only(SlotKind::YesNo);
    let yes = spoken("slt", "that's right");
    let (_, first) = listen(&mut ears, &yes_no, &yes);
    ears.begin(&menu()).expect("the words are known");
    ears.feed(&spoken("slt", "where is my order")).expect("sound is taken");
    let (_, second) = listen(&mut ears, &yes_no, &yes);
    assert_eq!(first, second);
}

#[test]
fn open_speech_is_heard_by_the_language_model() {
    let mut ears = ears();
    let expectation = Expectation { open: true, ..menu() };
    let (_, inside) = listen(&mut ears, &expectation, &spoken("slt", "i want to complain"));
    assert_eq!(inside.text, "i want to complain");
    let (_, outside) =
        listen(&mut ears, &expectation, &spoken("slt", "the driver has broken the window"));
    assert_eq!(outside.kind, HypothesisKind::Final, "{outside:?}");
    assert!(outside.text.contains("window") || outside.text.contains("driver"), "{outside:?}");
    assert!(outside.confidence <= 0.5, "{outside:?}");
}

#[test]
fn misuse_and_unknown_words_are_told() {
    let mut ears = ears();
    assert!(matches!(ears.feed(&[0.0; FRAME]), Err(EngineFault::ApiMisuse { .. })));
    assert!(matches!(ears.finish(), Err(EngineFault::ApiMisuse { .. })));
    let figures =
        Expectation { phrases: vec![phrase(vec![words("open 24h")])], ..Expectation::default() };
    assert_eq!(ears.check_words(&figures).expect_err("figures are no word").word, "24h");
    assert!(matches!(ears.begin(&figures), Err(EngineFault::Unsupported { .. })));
    assert!(matches!(ears.begin(&Expectation::default()), Err(EngineFault::Unsupported { .. })));
    let made_up = Expectation {
        phrases: vec![phrase(vec![words("call northline zorbex")])],
        ..Expectation::default()
    };
    assert!(ears.check_words(&made_up).is_ok());
    assert!(ears.begin(&made_up).is_ok());
}

#[test]
fn a_missing_file_is_named_with_what_to_install() {
    let broken = SphinxConfig {
        acoustic_model: PathBuf::from("/nonexistent/en-us"),
        ..SphinxConfig::debian()
    };
    let error = PocketSphinx::open(&broken).expect_err("there is no such model");
    assert!(matches!(error, OpenError::Missing { .. }));
    let text = error.to_string();
    assert!(text.contains("/nonexistent/en-us") && text.contains("pocketsphinx-en-us"), "{text}");
}

/// Folder of the recordings that this project may use but does not own; `None` where it is absent.
fn shared_data() -> Option<PathBuf> {
    let folder = std::env::var_os("CORDBOARD_SHARED").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data"),
        |shared| PathBuf::from(shared).join("data"),
    );
    if !folder.is_dir() {
        eprintln!("skipped: {} is not there", folder.display());
        return None;
    }
    Some(folder)
}

const DIGITS: [&str; 10] =
    ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"];

/// Strings of six digits by one speaker each, spliced of single ones (FSDD); error rate in percent.
fn digit_errors(ears: &mut PocketSphinx, folder: &Path) -> f64 {
    let expectation = only(SlotKind::Digits { min: 6, max: 6 });
    let (mut wrong, mut all) = (0, 0);
    for speaker in ["george", "jackson", "lucas", "theo"] {
        for seed in 0..6_usize {
            let said: Vec<usize> =
                (0..6).map(|n| (seed * 7 + n * (3 + seed) + n * n) % 10).collect();
            let parts: Vec<Vec<f32>> = said
                .iter()
                .map(|digit| folder.join(format!("{digit}_{speaker}_{}.wav", seed % 5)))
                .filter(|path| path.exists())
                .map(|path| support::read_wav(&path))
                .collect();
            if parts.len() < 6 {
                continue;
            }
            let sound = support::cut(&support::spliced(&parts, 80));
            let (_, verdict) = listen(ears, &expectation, &sound);
            let heard: Vec<&str> = verdict.text.split(' ').collect();
            all += 6;
            wrong += said
                .iter()
                .enumerate()
                .filter(|(n, digit)| {
                    heard.get(*n).map(|word| word.replace("oh", "zero"))
                        != Some(DIGITS[**digit].to_owned())
                })
                .count();
        }
    }
    assert!(all >= 60, "{all} digits only");
    100.0 * f64::from(u32::try_from(wrong).expect("few"))
        / f64::from(u32::try_from(all).expect("few"))
}

#[test]
fn spliced_digits_of_people_are_mostly_understood() {
    let Some(data) = shared_data() else { return };
    let digits = data.join("audio/fsdd8k");
    let wide = digit_errors(&mut ears(), &digits);
    let model = data.join("models/asr/pocketsphinx-8k/hub4wsj_sc_8k");
    let mut narrow =
        PocketSphinx::open(&SphinxConfig::telephone(model)).expect("the telephone model opens");
    let narrow = digit_errors(&mut narrow, &digits);
    eprintln!("digit errors: en-us {wide:.1} %, hub4wsj_sc_8k {narrow:.1} %");
    assert!(wide < 35.0, "{wide:.1} %");
    assert!(narrow < 35.0, "{narrow:.1} %");
}
