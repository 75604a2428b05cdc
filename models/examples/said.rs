//! How many sentences are rightly known by their words, and how many others are taken for them.
//!
//! `cargo run -p cordboard-models --example said -- [PIPER.onnx]`: the prompts of
//! `scenarios/parcel` in flite's voice, and in a Piper voice where one is named, over a telephone's
//! line, each listened for as itself; then sentences that differ from one of them in a word, each
//! of the two for the other, and all that differ from "Order 1 2 3 4 5 6. Is that right?" in one
//! digit.

#![expect(clippy::print_stdout, reason = "a command line tool")]
#![expect(clippy::disallowed_methods, reason = "measures")]

use std::path::Path;
use std::time::{Duration, Instant};

use cordboard_audio::SampleRate;
use cordboard_audio::codec::g711;
use cordboard_models::ears::said::Sentence;
use cordboard_models::ears::{PocketSphinx, SphinxConfig};
use cordboard_models::speech::{SpeechRequest, Synthesizer};
use cordboard_models::voice::{Flite, Piper};

const PROMPTS: [&str; 20] = [
    "Hello, this is the automated assistant of Northline Parcels.",
    "How can I help you?",
    "I am sorry to hear that. Please tell me in one sentence what happened.",
    "I am still looking, one moment please.",
    "I can't hear you, so I will hang up now. Goodbye.",
    "I cannot find an order 4 0 4 4 0 4.",
    "I'm sorry, our system does not answer just now.",
    "Is there anything else?",
    "On Sunday they are closed.",
    "One moment, I will get a colleague for you.",
    "Order 1 2 3 4 5 6 is out for delivery. It will be with you by six this evening.",
    "Order 1 2 3 4 5 6. Is that right?",
    "Order 2 2 2 2 2 2 is delayed. It will be with you tomorrow. I am sorry about that.",
    "Order 2 2 2 2 2 2. Is that right?",
    "Our depots are open from eight to six, Monday to Saturday. On Sunday they are closed.",
    "Thank you for calling Northline Parcels. Goodbye.",
    "Thank you for telling me. A colleague should deal with this.",
    "The address of order 1 2 3 4 5 6 is changed.",
    "What is the new address? Please say street, number and town.",
    "What is your order number? It has six digits.",
];
/// The number of a prompt, and what is said instead.
const OTHERS: [(usize, &str); 17] = [
    (14, "Our depots are open from nine to six, Monday to Saturday. On Sunday they are closed."),
    (14, "Our depots are open from eight to six, Monday to Friday. On Sunday they are closed."),
    (8, "On Monday they are closed."),
    (8, "On Sunday they are open."),
    (12, "Order 2 2 2 2 2 2 is lost. It will be with you tomorrow. I am sorry about that."),
    (10, "Order 1 2 3 4 5 6 is out for delivery. It will be with you by nine this evening."),
    (10, "Order 1 2 3 4 5 6 is delayed. It will be with you by six this evening."),
    (7, "Can I do anything else?"),
    (7, "Is there something else?"),
    (1, "How may I help you?"),
    (19, "What is your customer number? It has six digits."),
    (19, "What is your order number? It has eight digits."),
    (4, "I can hear you, so I will not hang up now. Goodbye."),
    (9, "One moment, I will get a taxi for you."),
    (17, "The address of order 1 2 3 4 5 6 is not changed."),
    (15, "Thank you for calling Southern Railways. Goodbye."),
    (6, "I'm sorry, our system does not work just now."),
];
/// The prompt whose digits are changed.
const DIGITS: usize = 11;

fn main() {
    let mut ears = PocketSphinx::open(&SphinxConfig::debian()).expect("pocketsphinx-en-us");
    let slt: Box<dyn Synthesizer> = Box::new(Flite::open("slt").expect("flite"));
    let mut voices = vec![("flite".to_owned(), slt)];
    if let Some(path) = std::env::args().nth(1) {
        let piper = Piper::open(Path::new(&path)).expect("a Piper voice and espeak-ng");
        voices.push((path, Box::new(piper)));
    }
    let digits = (0..6).flat_map(|at| {
        (0..=9).filter(move |digit| *digit != at + 1).map(move |digit| {
            let said = (0..6).map(|it| if it == at { digit } else { it + 1 }.to_string());
            format!("Order {}. Is that right?", said.collect::<Vec<_>>().join(" "))
        })
    });
    let own = |it: &&str| ((*it).to_owned(), (*it).to_owned());
    let pairs = OTHERS.iter().map(|(n, other)| (PROMPTS[*n].to_owned(), (*other).to_owned()));
    let there_and_back = pairs.flat_map(|(one, two)| [(one.clone(), two.clone()), (two, one)]);
    // What is listened for, and what is said.
    let sets: [(&str, Vec<(String, String)>); 3] = [
        ("as they are", PROMPTS.iter().map(own).collect()),
        ("another word", there_and_back.collect()),
        ("another digit", digits.map(|it| (PROMPTS[DIGITS].to_owned(), it)).collect()),
    ];
    for (name, voice) in &mut voices {
        for (what, sentences) in &sets {
            let (mut taken, mut took, mut sounded) = (0, Duration::ZERO, 0.0);
            for (wanted, said) in sentences {
                let sound = over_the_line(voice.as_mut(), said);
                sounded += sound.len() as f64 / 8_000.0;
                let began = Instant::now();
                let verdict = Sentence::new(wanted).judge(&mut ears, &sound);
                took += began.elapsed();
                let verdict = verdict.expect("its words are known");
                taken += usize::from(verdict.is_said);
                let is_right = verdict.is_said == (wanted == said);
                if !is_right {
                    println!("  {said:?}: {verdict:?}");
                }
            }
            let cost = took.as_secs_f64() / sounded;
            let count = sentences.len();
            println!("{name}, {what}: {taken} of {count} taken; {cost:.2} of the sound's time");
        }
    }
}

/// 250 ms of silence on either side, 9 dB lower, coded.
fn over_the_line(voice: &mut dyn Synthesizer, text: &str) -> Vec<f32> {
    let request = SpeechRequest { text: text.into(), rate: SampleRate::NARROW, stretch: 1.0 };
    let speech = voice.speak(&request).expect("it has words");
    let silence = || std::iter::repeat_n(0.0, 2_000);
    let low = silence().chain(speech.samples.iter().map(|it| it * 0.35)).chain(silence());
    let low: Vec<f32> = low.collect();
    let (mut coded, mut back) = (vec![0; low.len()], vec![0.0; low.len()]);
    g711::encode_ulaw_into(&low, &mut coded);
    g711::decode_ulaw_into(&coded, &mut back);
    back
}
