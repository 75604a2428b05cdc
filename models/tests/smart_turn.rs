//! Smart Turn by rten against ONNX Runtime with pipecat's own features, on recordings.

use std::path::{Path, PathBuf};

use cordboard_models::manifest::Manifest;
use cordboard_models::turn_end::{SmartTurn, SmartTurnError};

/// Recordings of `shared/data/audio` at 16 kHz, and what pipecat 1.14's
/// `compute_whisper_log_mel_features` with onnxruntime 1.31 says of them.
const REFERENCE: [(&str, f32); 17] = [
    ("turns/billing_department.wav", 0.970843),
    ("turns/multi_speaker.wav", 0.940313),
    ("turns/nope.wav", 0.490154),
    ("turns/not_so_sure.wav", 0.985989),
    ("turns/vad.wav", 0.374717),
    ("turns/yes.wav", 0.102818),
    ("utterances/230pm.wav", 0.519683),
    ("utterances/book_a_room.wav", 0.854759),
    ("utterances/gc_brooklyn.wav", 0.988007),
    ("utterances/gc_silence_padding.wav", 0.989329),
    ("utterances/half_an_hour.wav", 0.012963),
    ("utterances/intent.wav", 0.017009),
    ("utterances/mountain_view.wav", 0.018377),
    ("utterances/today.wav", 0.957368),
    ("utterances/two_people.wav", 0.118288),
    ("utterances/whatstheweatherlike.wav", 0.099241),
    ("utterances/wreck-a-nice-beach.wav", 0.967305),
];
/// The weights are 8-bit; engines round differently.
const TOLERANCE: f32 = 0.03;

fn shared(path: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data").join(path);
    if path.exists() {
        return Some(path);
    }
    eprintln!("skipped: {} is not here", path.display());
    None
}

/// Samples of a mono WAV file of 16 bits.
fn wide(path: &Path) -> Vec<f32> {
    let bytes = std::fs::read(path).expect("it is there");
    let at = bytes.windows(4).position(|four| four == b"data").expect("it has samples") + 8;
    let pairs = bytes[at..].chunks_exact(2);
    pairs.map(|pair| f32::from(i16::from_le_bytes([pair[0], pair[1]])) / 32_768.0).collect()
}

#[test]
fn probabilities_are_those_of_the_reference() {
    let Some(weights) = shared("models/turn/smart-turn-v3.2-cpu.onnx") else { return };
    let entry = Manifest::builtin().entry("smart-turn-v3.2-cpu.onnx").expect("it is listed");
    let bytes = std::fs::read(&weights).expect("it is there");
    cordboard_models::manifest::check(&bytes, entry).expect("the manifest names this file");
    let judge = SmartTurn::open(&weights).expect("it opens");
    let mut worst = 0.0_f32;
    for (name, expected) in REFERENCE {
        let Some(path) = shared(&format!("audio/{name}")) else { return };
        let got = judge.wide_probability(&wide(&path)).expect("it judges");
        worst = worst.max((got - expected).abs());
        assert!((got - expected).abs() < TOLERANCE, "{name}: {got} instead of {expected}");
    }
    eprintln!("smart turn: {} recordings, max |difference| {worst:.1e}", REFERENCE.len());
}

#[test]
fn a_sentence_through_the_telephone_s_band_is_over_and_its_half_is_not() {
    let Some(weights) = shared("models/turn/smart-turn-v3.2-cpu.onnx") else { return };
    let Some(sound) = shared("audio/turns/billing_department.wav") else { return };
    let judge = SmartTurn::open(&weights).expect("it opens");
    let narrow = cordboard_audio::resample(&wide(&sound), 16_000, 8_000);
    let whole = judge.probability(&narrow).expect("it judges");
    let half = judge.probability(&narrow[..narrow.len() / 2]).expect("it judges");
    assert!(whole > 0.5 && half < whole, "{whole} {half}");
    for odd in [&[][..], &[0.0; 100], &[f32::NAN; 8_000]] {
        let verdict = judge.probability(odd);
        assert!(verdict.is_err() || verdict.is_ok_and(|p| (0.0..=1.0).contains(&p)));
    }
}

#[test]
fn each_wrong_file_has_its_own_fault() {
    let missing = SmartTurn::open(Path::new("/nowhere/smart.onnx")).expect_err("not there");
    assert!(matches!(missing, SmartTurnError::Missing { .. }));
    let foreign = SmartTurn::open(&Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml"));
    assert!(matches!(foreign.expect_err("a text"), SmartTurnError::Foreign { .. }));
    if let Some(other) = shared("models/vad/silero_vad.onnx") {
        let unfit = SmartTurn::open(&other).expect_err("another model");
        assert!(matches!(unfit, SmartTurnError::Unfit { .. }), "{unfit}");
        assert!(unfit.to_string().contains("cordboard models pull"));
    }
}
