//! A Piper voice on real output: the weights of the manifest where they are in models/weights
//! (`scripts/fetch-weights.sh test`), and Debian's espeak-ng.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, OnceLock};
use std::thread;
use std::time::Duration;

use cordboard_audio::SampleRate;
use cordboard_audio::vad::{Silero, SileroWeights, Vad};
use cordboard_models::ears::{PocketSphinx, SphinxConfig};
use cordboard_models::manifest::Manifest;
use cordboard_models::speech::{
    EngineFault, Expectation, Recognizer, SlotKind, Speech, SpeechRequest, Synthesizer,
};
use cordboard_models::voice::{Piper, PiperError};

const MODEL: &str = "en_US-joe-medium.onnx";
const GREETING: &str = "Hello, this is the automated assistant of Northline Parcels.";

fn weights(name: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("weights").join(name);
    if path.exists() {
        return Some(path);
    }
    eprintln!("skipped: {} is not here; run scripts/fetch-weights.sh test", path.display());
    None
}

/// Another one of the voice, whose weights all tests share.
fn piper() -> Option<Piper> {
    static VOICE: Mutex<Option<Piper>> = Mutex::new(None);
    let path = weights(MODEL)?;
    let mut voice = VOICE.lock().expect("no test panics within");
    let voice = voice.get_or_insert_with(|| Piper::open(&path).expect("it opens"));
    Some(voice.another())
}

fn request(text: &str, stretch: f32) -> SpeechRequest {
    SpeechRequest { text: text.into(), rate: SampleRate::NARROW, stretch }
}

fn speak(voice: &mut Piper, text: &str) -> Speech {
    voice.speak(&request(text, 1.0)).expect("speech")
}

/// The greeting at 8 kHz, made once.
fn greeting() -> Option<&'static Speech> {
    static SPEECH: OnceLock<Option<Speech>> = OnceLock::new();
    SPEECH.get_or_init(|| piper().map(|mut voice| speak(&mut voice, GREETING))).as_ref()
}

fn rms(samples: &[f32]) -> f32 {
    (samples.iter().map(|s| s * s).sum::<f32>() / samples.len().max(1) as f32).sqrt()
}

fn at(time: Duration) -> usize {
    (time.as_secs_f64() * 8_000.0) as usize
}

fn written(speech: &Speech) -> Vec<&str> {
    speech.words.iter().map(|word| &*word.text).collect()
}

fn check_words(speech: &Speech, text: &str) {
    assert_eq!(written(speech), text.split_whitespace().collect::<Vec<_>>());
    for pair in speech.words.windows(2) {
        assert!(pair[0].end <= pair[1].begin, "{pair:?}");
    }
    for word in speech.words.iter() {
        let length = word.end.saturating_sub(word.begin).as_millis();
        let most = if word.text.contains(|c: char| c.is_ascii_digit()) { 4_000 } else { 1_500 };
        assert!((20..most).contains(&length), "{word:?}");
        assert!(word.end <= speech.duration(), "{word:?} of {:?}", speech.duration());
    }
}

#[test]
fn a_sentence_is_speech_of_its_length_at_the_promised_level_with_every_word() {
    let (Some(mut voice), Some(narrow)) = (piper(), greeting()) else { return };
    let rate = SampleRate::WIDE;
    let wide = voice.speak(&SpeechRequest { rate, ..request(GREETING, 1.0) }).unwrap();
    for (speech, rate) in [(narrow, SampleRate::NARROW), (&wide, SampleRate::WIDE)] {
        let length = speech.duration().as_secs_f32();
        assert!((2.3..5.0).contains(&length), "{length} s");
        check_words(speech, GREETING);
        let window = rate.hz() as usize / 50;
        let levels: Vec<f32> = speech.samples.chunks(window).map(rms).collect();
        let loudest = levels.iter().copied().fold(0.0, f32::max);
        let active: Vec<f32> = levels.iter().copied().filter(|l| *l > loudest * 0.056).collect();
        let level =
            10.0 * (active.iter().map(|l| l * l).sum::<f32>() / active.len() as f32).log10();
        assert!((-22.5..=-19.0).contains(&level), "{level:.1} dBFS");
        let peak = speech.samples.iter().fold(0.0_f32, |peak, s| peak.max(s.abs()));
        assert!(20.0 * peak.log10() < -1.0, "{peak}");
        assert!(levels[..2].iter().any(|l| *l > loudest * 0.0158), "it begins within 40 ms");
    }
}

#[test]
fn silero_takes_it_for_speech() {
    let (Some(speech), Some(weights)) = (greeting(), weights("silero_vad.onnx")) else { return };
    let silero = SileroWeights::from_onnx(&fs::read(weights).unwrap()).unwrap();
    let mut silero = Silero::new(silero.into());
    let windows = speech.samples.chunks_exact(silero.window_samples());
    let heard: Vec<bool> = windows.map(|window| silero.probability(window) > 0.5).collect();
    let share = heard.iter().filter(|it| **it).count() as f32 / heard.len() as f32;
    assert!(share > 0.7, "{share} of it is speech");
}

#[test]
fn the_ears_hear_the_figures_that_it_says() {
    let Some(mut voice) = piper() else { return };
    let speech = speak(&mut voice, "1 2 3 4 5 6");
    assert_eq!(written(&speech), ["1", "2", "3", "4", "5", "6"]);
    let mut ears = PocketSphinx::open(&SphinxConfig::debian()).expect("Debian's model");
    let kinds = vec![SlotKind::Digits { min: 6, max: 6 }];
    ears.begin(&Expectation { kinds, ..Expectation::default() }).unwrap();
    for frame in speech.samples.chunks(160) {
        ears.feed(frame).unwrap();
    }
    assert_eq!(ears.finish().unwrap().text, "one two three four five six");
}

#[test]
fn pauses_lie_between_the_words_that_the_marks_are_between() {
    let Some(mut voice) = piper() else { return };
    let text = "It arrived this morning, the driver left. Nobody was at home.";
    let speech = speak(&mut voice, text);
    check_words(&speech, text);
    let whole = rms(&speech.samples);
    for (before, after) in [(3, 4), (6, 7)] {
        let (before, after) = (&speech.words[before], &speech.words[after]);
        // The quietest 60 ms about the mark are in the gap that the times leave.
        let from = at(before.begin + before.end) / 2;
        let to = at(after.begin + after.end) / 2;
        let quiet = |at: &usize| (rms(&speech.samples[*at..*at + 480]) * 1e6) as u32;
        let quietest = (from..to - 480).step_by(40).min_by_key(quiet).expect("a gap");
        assert!(rms(&speech.samples[quietest..quietest + 480]) < whole * 0.3, "{before:?}");
        let middle = quietest + 240;
        assert!(middle + 400 > at(before.end), "the pause at {middle} is within {before:?}");
        assert!(middle < at(after.begin) + 400, "the pause at {middle} is within {after:?}");
    }
    for word in speech.words.iter() {
        let level = rms(&speech.samples[at(word.begin)..at(word.end)]);
        assert!(level > whole * 0.2, "{word:?} at {level}, whole at {whole}");
    }
}

#[test]
fn figures_take_the_time_of_all_words_that_they_become() {
    let Some(mut voice) = piper() else { return };
    let text = "It costs $123.50 by 6:30 p.m. on May 21st.";
    let speech = speak(&mut voice, text);
    check_words(&speech, text);
    let amount = speech.words[2].end - speech.words[2].begin;
    assert!(amount.as_millis() > 800, "{amount:?}");
}

#[test]
fn sentences_come_one_after_the_other_and_stop_when_no_more_is_wanted() {
    let Some(mut voice) = piper() else { return };
    let text = "It is here. Your parcel is out for delivery today, and the driver will be with \
                you between two and four, or a little later. Goodbye.";
    let mut pieces = Vec::new();
    let all = voice.speak_into(&request(text, 1.0), &mut |speech| {
        pieces.push(speech);
        pieces.len() < 3
    });
    all.unwrap();
    let words: Vec<String> = pieces.iter().map(|piece| written(piece).join(" ")).collect();
    assert_eq!(words.len(), 3, "the fourth was not wanted");
    assert_eq!(words[0], "It is here.");
    assert_eq!(words[1], "Your parcel is out for delivery today,");
    assert!(words[2].starts_with("and the driver") && words[2].ends_with("later."));
    for (piece, words) in pieces.iter().zip(&words) {
        check_words(piece, words);
        assert_eq!(&*piece.text, words);
    }
}

#[test]
fn stretch_makes_it_longer_and_shorter() {
    let Some(mut voice) = piper() else { return };
    let mut length = |stretch| {
        let asked = request("Where is my order, please?", stretch);
        voice.speak(&asked).unwrap().duration().as_secs_f64()
    };
    let (usual, slow, fast) = (length(1.0), length(1.5), length(0.7));
    assert!(slow > usual * 1.15 && fast < usual * 0.95, "{slow}, {usual}, {fast}");
}

#[test]
fn what_has_no_sound_is_empty_or_a_fault_and_keeps_its_place_among_words() {
    let Some(mut voice) = piper() else { return };
    for text in ["", "  \n", "... !?", "😀", "\u{0}\u{1}", "— –"] {
        let speech = speak(&mut voice, text);
        assert_eq!((speech.samples.len(), speech.words.len()), (0, 0), "{text:?}");
    }
    let mut pieces = 0;
    for (text, stretch, says) in [
        ("word ".repeat(401), 1.0, "2005"),
        ("hi".into(), 9.0, "stretch"),
        ("привет".into(), 1.0, "Latin"),
    ] {
        let fault = voice.speak(&request(&text, stretch)).unwrap_err();
        let unsupported = matches!(fault, EngineFault::Unsupported { engine: "piper", .. });
        assert!(unsupported && fault.to_string().contains(says), "{fault}");
        let fault = voice.speak_into(&request(&text, stretch), &mut |_| {
            pieces += 1;
            true
        });
        assert!(fault.unwrap_err().to_string().contains(says));
    }
    assert_eq!(pieces, 0, "nothing came before a fault");
    let speech = speak(&mut voice, "Say привет to me");
    assert_eq!(&*speech.words[1].text, "привет");
    assert_eq!(speech.words[1].begin, speech.words[1].end);
    assert!(speech.words[2].begin >= speech.words[1].end);
}

#[test]
fn two_threads_speak_at_once_with_the_same_weights() {
    let Some(voice) = piper() else { return };
    thread::scope(|scope| {
        for text in ["The first parcel.", "Another one, at 6 p.m."] {
            let mut voice = voice.another();
            scope.spawn(move || check_words(&speak(&mut voice, text), text));
        }
    });
}

/// A folder with a model's path in it, whose description is the voice's own.
fn folder_with(description: Option<&str>) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let model = folder.path().join("voice.onnx");
    if let Some(text) = description {
        fs::write(folder.path().join("voice.onnx.json"), text).expect("it is written");
    }
    (folder, model)
}

#[test]
fn each_wrong_file_has_its_own_fault_that_says_what_to_do() {
    let Some(right) = weights(MODEL) else { return };
    let entry = Manifest::builtin().entry(MODEL).unwrap();
    let bytes = entry.read(right.parent().unwrap()).expect("the manifest names this file");
    let description = fs::read_to_string(weights("en_US-joe-medium.onnx.json").unwrap()).unwrap();

    let fault = |model: &Path, says: &str| {
        let fault = Piper::open(model).unwrap_err();
        let said = fault.to_string();
        assert!(
            said.contains(says) && said.contains("models.piper_voice")
                || said.contains("cordboard models pull"),
            "{said}"
        );
        fault
    };
    let (_folder, model) = folder_with(Some(&description));
    assert!(matches!(fault(&model, "cannot be read"), PiperError::Missing { .. }));
    for cut in [0, 100, bytes.len() - 1_000] {
        fs::write(&model, &bytes[..cut]).unwrap();
        let fault = fault(&model, "");
        assert!(matches!(fault, PiperError::Foreign { .. } | PiperError::Unfit { .. }), "{fault}");
    }
    fs::write(&model, "a text").unwrap();
    assert!(matches!(fault(&model, "no ONNX model"), PiperError::Foreign { .. }));
    if let Some(other) = weights("silero_vad.onnx") {
        fs::copy(other, &model).unwrap();
        assert!(matches!(fault(&model, "no Piper voice"), PiperError::Unfit { .. }));
    }
    let (_folder, model) = folder_with(None);
    fs::write(&model, &bytes).unwrap();
    assert!(matches!(fault(&model, "beside its model"), PiperError::NoDescription { .. }));
    let (_folder, model) = folder_with(Some("{}"));
    fs::write(&model, &bytes).unwrap();
    assert!(matches!(fault(&model, "audio"), PiperError::BadDescription { .. }));
}

/// A program that stands for espeak-ng.
fn program(folder: &Path, name: &str, script: &str) -> PathBuf {
    use std::os::unix::fs::PermissionsExt;
    let (text, path) = (folder.join(format!("{name}.txt")), folder.join(name));
    fs::write(&text, format!("#!/bin/sh\n{script}\n")).expect("it is written");
    fs::set_permissions(&text, fs::Permissions::from_mode(0o755)).expect("it is ours");
    // No file may be run that is open for writing, and a child that another test starts meanwhile
    // has all our open files until it runs its own program: let `cp` write it.
    let copied = Command::new("cp").arg("-p").args([&text, &path]).status().expect("cp runs");
    assert!(copied.success(), "{copied}");
    path
}

#[test]
fn an_espeak_that_is_missing_dies_hangs_or_babbles_is_a_fault_of_its_own() {
    let Some(model) = weights(MODEL) else { return };
    let folder = tempfile::tempdir().unwrap();
    let table = [
        ("dies", "exit 1", "has ended"),
        ("hangs", "exec sleep 60", "was killed"),
        ("silent", "while read -r line; do echo; done", "something else"),
        ("babbles", "exec yes ab", "something else"),
    ];
    for (name, script, says) in table {
        let espeak = program(folder.path(), name, script);
        let open = || Piper::open_with(&model, &espeak).unwrap_err();
        let mut fault = open();
        // A shell that a busy machine has not begun in time is killed too.
        if !says.contains("killed") && fault.to_string().contains("was killed") {
            fault = open();
        }
        let said = fault.to_string();
        assert!(matches!(fault, PiperError::NoPhonemes { .. }) && said.contains(says), "{said}");
        assert!(said.contains("apt-get install espeak-ng"), "{said}");
    }
    let fault = Piper::open_with(&model, &folder.path().join("absent")).unwrap_err();
    assert!(fault.to_string().contains("does not start"), "{fault}");
}

#[test]
fn an_espeak_that_dies_later_is_started_anew_and_one_that_stays_dead_is_a_fault() {
    let Some(model) = weights(MODEL) else { return };
    let folder = tempfile::tempdir().unwrap();
    // It takes one text, of two lines and an empty one each, and ends.
    let script = "[ -e ./gone ] && exit 1\nfor n in 1 2 3 4 5 6; do read -r line; \
         printf '%s\\n' \"$line\"; done | espeak-ng -q --ipa -v en-us";
    let script = script.replace("./gone", &folder.path().join("gone").display().to_string());
    let espeak = program(folder.path(), "short", &script);
    let mut voice = Piper::open_with(&model, &espeak).expect("it gives its first phonemes");
    for _ in 0..2 {
        assert_eq!(speak(&mut voice, "Hello.").words.len(), 1);
    }
    fs::write(folder.path().join("gone"), "").unwrap();
    let mut fault = None;
    for _ in 0..2 {
        fault = voice.speak(&request("Hello.", 1.0)).err().or(fault);
    }
    let fault = fault.expect("no phonemes, no speech").to_string();
    assert!(fault.contains("espeak-ng has ended"), "{fault}");
    fs::remove_file(folder.path().join("gone")).unwrap();
    assert_eq!(speak(&mut voice, "Hello.").words.len(), 1, "it is tried again for the next text");
}
