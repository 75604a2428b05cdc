//! The voice as its callers use it: words with times, level, edges, naughty texts, threads.

use std::sync::Arc;
use std::thread;

use cordboard_audio::SampleRate;
use cordboard_models::speech::{EngineFault, Speech, SpeechRequest, Synthesizer};
use cordboard_models::voice::flite::{TEXT_MAX_CHARS, VOICES};
use cordboard_models::voice::{Flite, sentences};
use proptest::prelude::*;

fn request(text: &str, rate: SampleRate, stretch: f32) -> SpeechRequest {
    SpeechRequest { text: Arc::from(text), rate, stretch }
}

fn speak(voice: &str, text: &str, rate: SampleRate) -> Speech {
    let mut flite = Flite::open(voice).expect("a voice that is linked");
    flite.speak(&request(text, rate, 1.0)).expect("speech")
}

fn rms(samples: &[f32]) -> f32 {
    (samples.iter().map(|s| s * s).sum::<f32>() / samples.len().max(1) as f32).sqrt()
}

/// The samples of one word.
fn sound_of(speech: &Speech, word: usize) -> &[f32] {
    let at = |time: std::time::Duration| {
        ((time.as_secs_f64() * f64::from(speech.rate.hz())) as usize).min(speech.samples.len())
    };
    let word = &speech.words[word];
    &speech.samples[at(word.begin)..at(word.end)]
}

const PROMPT: &str = "Thanks for calling Parcel Post. This is an automated assistant; your order \
                      1 2 3 4 5 6 is out for delivery, and we expect it by 6:30 p.m. today!";

#[test]
fn every_word_of_the_text_is_there_as_written_with_its_time() {
    for voice in VOICES {
        for rate in [SampleRate::NARROW, SampleRate::WIDE] {
            let speech = speak(voice, PROMPT, rate);
            let words: Vec<&str> = speech.words.iter().map(|word| &*word.text).collect();
            assert_eq!(words, PROMPT.split_whitespace().collect::<Vec<_>>());
            for pair in speech.words.windows(2) {
                assert!(pair[0].end <= pair[1].begin, "{voice}: {pair:?}");
            }
            for word in speech.words.iter() {
                let length = word.end.saturating_sub(word.begin).as_millis();
                assert!((20..1_500).contains(&length), "{voice}: {word:?}");
            }
            let last = speech.words.last().expect("words");
            assert!(last.end <= speech.duration(), "{voice}");
        }
    }
}

#[test]
fn words_sound_where_their_times_say_and_pauses_do_not() {
    for voice in VOICES {
        let speech = speak(voice, "Alpha. Bravo. Charlie.", SampleRate::NARROW);
        let whole = rms(&speech.samples);
        for word in 0..3 {
            let level = rms(sound_of(&speech, word));
            assert!(level > whole * 0.7, "{voice}: word {word} at {level}, whole at {whole}");
        }
        let narrow = |at: std::time::Duration| (at.as_secs_f64() * 8_000.0) as usize;
        // kal16, of diphones, goes on for up to 90 ms after the segment has ended.
        let after = if voice == "kal16" { 720 } else { 240 };
        for pair in speech.words.windows(2) {
            let pause = &speech.samples[narrow(pair[0].end) + after..narrow(pair[1].begin) - 160];
            assert!(pause.len() > 800, "{voice}: a pause of {} samples", pause.len());
            assert!(rms(pause) < whole * 0.1, "{voice}: {} in a pause", rms(pause));
        }
    }
}

#[test]
fn a_figure_takes_the_time_of_all_words_that_it_becomes() {
    let speech = speak("slt", "It costs 123456 dollars.", SampleRate::NARROW);
    let words: Vec<&str> = speech.words.iter().map(|word| &*word.text).collect();
    assert_eq!(words, ["It", "costs", "123456", "dollars."]);
    let figure = speech.words[2].end - speech.words[2].begin;
    assert!(figure.as_millis() > 1_000, "{figure:?}");
}

#[test]
fn level_and_edges_are_as_promised_in_every_voice() {
    for voice in VOICES {
        for rate in [SampleRate::NARROW, SampleRate::WIDE] {
            let speech = speak(voice, PROMPT, rate);
            let window = rate.hz() as usize / 50;
            let levels: Vec<f32> = speech.samples.chunks(window).map(rms).collect();
            let loudest = levels.iter().copied().fold(0.0, f32::max);
            let active: Vec<f32> =
                levels.iter().copied().filter(|l| *l > loudest * 0.056).collect();
            let power = active.iter().map(|l| l * l).sum::<f32>() / active.len() as f32;
            let level = 10.0 * power.log10();
            assert!((-21.5..=-19.5).contains(&level), "{voice} at {level:.1} dBFS");
            let peak = speech.samples.iter().fold(0.0_f32, |peak, s| peak.max(s.abs()));
            assert!(20.0 * peak.log10() < -1.0, "{voice} peaks at {peak}");

            let heard = |window: &[f32]| rms(window) > loudest * 0.0158;
            let windows: Vec<_> = speech.samples.chunks(rate.hz() as usize / 100).collect();
            let silent_ms = windows.iter().take_while(|w| !heard(w)).count() * 10;
            assert!(silent_ms <= 20, "{voice} begins after {silent_ms} ms");
            let silent_ms = windows.iter().rev().take_while(|w| !heard(w)).count() * 10;
            assert!(silent_ms <= 60, "{voice} ends with {silent_ms} ms");
        }
    }
}

#[test]
fn stretch_makes_it_longer_and_shorter() {
    for voice in VOICES {
        let mut flite = Flite::open(voice).expect("a voice that is linked");
        let mut length = |stretch| {
            let asked = request("Where is my order, please?", SampleRate::NARROW, stretch);
            flite.speak(&asked).expect("speech").duration().as_secs_f64()
        };
        let (usual, slow, fast) = (length(1.0), length(1.3), length(0.8));
        assert!((1.15..1.45).contains(&(slow / usual)), "{voice}: {slow} of {usual}");
        assert!((0.7..0.95).contains(&(fast / usual)), "{voice}: {fast} of {usual}");
    }
}

#[test]
fn a_text_without_words_is_empty_speech() {
    for text in ["", "   \n\t ", "... !?", "😀 🎉", "\u{0}\u{1}\u{7f}", "— – -"] {
        let speech = speak("slt", text, SampleRate::NARROW);
        assert_eq!((speech.samples.len(), speech.words.len()), (0, 0), "{text:?}");
    }
}

#[test]
fn what_cannot_be_spoken_is_a_typed_fault() {
    let mut flite = Flite::open("kal16").expect("a voice that is linked");
    let long = "word ".repeat(TEXT_MAX_CHARS / 5) + "x";
    for (text, stretch, says) in [
        (long.as_str(), 1.0, "2001 characters"),
        ("hello", 0.0, "stretch"),
        ("hello", f32::NAN, "stretch"),
        ("привет мир", 1.0, "not Latin"),
    ] {
        let fault = flite.speak(&request(text, SampleRate::NARROW, stretch)).expect_err(says);
        assert!(matches!(fault, EngineFault::Unsupported { engine: "flite", .. }), "{fault:?}");
        assert!(fault.to_string().contains(says), "{fault}");
    }
}

#[test]
fn the_longest_text_is_spoken_whole() {
    let text = "Your parcel has left the depot and is on its way to you now. ".repeat(32);
    let speech = speak("kal16", text.trim(), SampleRate::NARROW);
    assert_eq!(speech.words.len(), 14 * 32);
    assert!(speech.duration().as_secs() > 60);
}

#[test]
fn a_foreign_word_among_others_keeps_its_place() {
    let speech = speak("slt", "Say привет to me", SampleRate::NARROW);
    assert_eq!(&*speech.words[1].text, "привет");
    assert_eq!(speech.words[1].begin, speech.words[1].end);
    assert!(speech.words[2].begin >= speech.words[1].end);
}

/// Whether two renderings of a text differ by no more than the noise that flite draws from the C
/// library's one generator: it moves the edges by a window or two, and the level by under 1 dB.
fn alike(speech: &Speech, expected: &Speech) -> Result<(), String> {
    if speech.words.len() != expected.words.len() {
        return Err(format!("{} words of {}", speech.words.len(), expected.words.len()));
    }
    for (word, other) in speech.words.iter().zip(expected.words.iter()) {
        let apart = word.begin.abs_diff(other.begin).max(word.end.abs_diff(other.end));
        if word.text != other.text || apart.as_millis() > 30 {
            return Err(format!("{word:?} against {other:?}"));
        }
    }
    let (level, other) = (rms(&speech.samples), rms(&expected.samples));
    let apart_db = 20.0 * (level / other).log10();
    if apart_db.abs() > 1.0 {
        let (length, other) = (speech.duration(), expected.duration());
        return Err(format!("louder by {apart_db:.2} dB, lengths {length:?} and {other:?}"));
    }
    Ok(())
}

#[test]
fn many_threads_speak_what_one_speaks_alone() {
    let texts = ["The first order.", "Yes, 6 p.m.!", "Ten thousand and 12 parcels", "Goodbye."];
    let alone: Vec<Vec<Speech>> = VOICES
        .iter()
        .map(|v| texts.iter().map(|t| speak(v, t, SampleRate::NARROW)).collect())
        .collect();
    thread::scope(|scope| {
        for worker in 0..8 {
            let alone = &alone;
            scope.spawn(move || {
                for round in 0..6 {
                    let voice = (worker + round) % VOICES.len();
                    for (text, expected) in texts.iter().zip(&alone[voice]) {
                        let speech = speak(VOICES[voice], text, SampleRate::NARROW);
                        let name = VOICES[voice];
                        alike(&speech, expected).unwrap_or_else(|why| panic!("{name}: {why}"));
                    }
                }
            });
        }
    });
}

#[test]
fn sentences_are_cut_where_english_ends_them() {
    let table: [(&str, &[&str]); 10] = [
        ("", &[]),
        ("  \n ", &[]),
        ("Hello", &["Hello"]),
        ("Hello. Who is it? Me!", &["Hello.", "Who is it?", "Me!"]),
        ("Dr. Smith of Acme Inc. is in. Yes.", &["Dr. Smith of Acme Inc. is in.", "Yes."]),
        ("At 6 p.m. today. At 6 p.m. We wait.", &["At 6 p.m. today.", "At 6 p.m.", "We wait."]),
        ("It is 3.5 miles. No. 5 is next.", &["It is 3.5 miles.", "No. 5 is next."]),
        ("He said \"Stop!\" Then went...", &["He said \"Stop!\"", "Then went..."]),
        ("J. Smith and I. We agree.", &["J. Smith and I.", "We agree."]),
        ("One line\nAnother line", &["One line", "Another line"]),
    ];
    for (text, expected) in table {
        assert_eq!(sentences(text), expected, "{text}");
    }
}

proptest! {
    #[test]
    fn sentences_leave_out_nothing_but_white_space(text in "([a-zA-Z.!?, \n]|\\PC){0,600}") {
        let pieces = sentences(&text);
        let solid = |s: &str| s.chars().filter(|c| !c.is_whitespace()).collect::<String>();
        prop_assert_eq!(solid(&pieces.concat()), solid(&text));
        for piece in pieces {
            prop_assert!(!piece.is_empty() && piece.trim() == piece);
            prop_assert!(piece.chars().count() <= sentences::PIECE_MAX_CHARS);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn no_text_upsets_the_engine(text in "([ -~]|\\PC){0,60}|([$£0-9.,:'-]|[a-zA-Z ]){0,40}") {
        let mut flite = Flite::open("kal16").expect("a voice that is linked");
        match flite.speak(&request(&text, SampleRate::NARROW, 1.0)) {
            Ok(speech) => {
                prop_assert!(speech.samples.iter().all(|s| s.abs() <= 1.0));
                prop_assert!(speech.words.iter().all(|w| w.end <= speech.duration()));
            }
            Err(fault) => {
                let unsupported = matches!(fault, EngineFault::Unsupported { .. });
                prop_assert!(unsupported, "{}", fault);
            }
        }
    }
}
