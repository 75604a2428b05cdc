//! Smart Turn by rten against ONNX Runtime with pipecat's own features, on recordings.

use std::path::{Path, PathBuf};

use cordboard_models::manifest::Manifest;
use cordboard_models::turn_end::{SmartTurn, SmartTurnError};

/// Recordings of `shared/data/audio` at 16 kHz; what pipecat 1.14's own features with onnxruntime
/// 1.31 say of them; and the least and most of 12 runs with noise of 1e-5 on the features. The
/// weights' 8 bits make the model that unsure of turns near even odds, whichever engine runs it;
/// the features themselves are the reference's to the last bit.
const REFERENCE: [(&str, f32, f32, f32); 17] = [
    ("turns/billing_department.wav", 0.971, 0.966, 0.981),
    ("turns/multi_speaker.wav", 0.940, 0.878, 0.950),
    ("turns/nope.wav", 0.490, 0.288, 0.625),
    ("turns/not_so_sure.wav", 0.986, 0.984, 0.988),
    ("turns/vad.wav", 0.375, 0.321, 0.696),
    ("turns/yes.wav", 0.103, 0.035, 0.103),
    ("utterances/230pm.wav", 0.520, 0.296, 0.736),
    ("utterances/book_a_room.wav", 0.855, 0.712, 0.908),
    ("utterances/gc_brooklyn.wav", 0.988, 0.985, 0.988),
    ("utterances/gc_silence_padding.wav", 0.989, 0.989, 0.990),
    ("utterances/half_an_hour.wav", 0.013, 0.011, 0.015),
    ("utterances/intent.wav", 0.017, 0.015, 0.026),
    ("utterances/mountain_view.wav", 0.018, 0.015, 0.026),
    ("utterances/today.wav", 0.957, 0.911, 0.973),
    ("utterances/two_people.wav", 0.118, 0.067, 0.228),
    ("utterances/whatstheweatherlike.wav", 0.099, 0.092, 0.500),
    ("utterances/wreck-a-nice-beach.wav", 0.967, 0.960, 0.979),
];
/// How far the mean difference may be.
const TOLERANCE: f32 = 0.1;

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
    let length = u32::from_le_bytes(bytes[at - 4..at].try_into().expect("4 bytes")) as usize;
    let pairs = bytes[at..(at + length).min(bytes.len())].chunks_exact(2);
    pairs.map(|pair| f32::from(i16::from_le_bytes([pair[0], pair[1]])) / 32_768.0).collect()
}

#[test]
fn probabilities_are_those_of_the_reference() {
    let Some(weights) = shared("models/turn/smart-turn-v3.2-cpu.onnx") else { return };
    let entry = Manifest::builtin().entry("smart-turn-v3.2-cpu.onnx").expect("it is listed");
    let bytes = std::fs::read(&weights).expect("it is there");
    cordboard_models::manifest::check(&bytes, entry).expect("the manifest names this file");
    let judge = SmartTurn::open(&weights).expect("it opens");
    let (mut worst, mut sum) = (0.0_f32, 0.0);
    for (name, expected, least, most) in REFERENCE {
        let Some(path) = shared(&format!("audio/{name}")) else { return };
        let got = judge.wide_probability(&wide(&path)).expect("it judges");
        worst = worst.max((got - expected).abs());
        sum += (got - expected).abs();
        let is_sure = least > 0.8 || most < 0.2;
        assert!(!is_sure || (got > 0.5) == (expected > 0.5), "{name}: {got} is not {expected}");
    }
    let mean = sum / REFERENCE.len() as f32;
    eprintln!("smart turn: 17 recordings, |difference| {mean:.3} in the mean, {worst:.3} at most");
    assert!(mean < TOLERANCE, "{mean} in the mean");
}

#[test]
fn through_the_telephone_s_band_a_turn_is_over_and_one_cut_short_is_not() {
    let Some(weights) = shared("models/turn/smart-turn-v3.2-cpu.onnx") else { return };
    let judge = SmartTurn::open(&weights).expect("it opens");
    let narrow = |name: &str| {
        let path = shared(&format!("audio/{name}"))?;
        Some(cordboard_audio::resample(&wide(&path), 16_000, 8_000))
    };
    let probability = |name: &str| Some(judge.probability(&narrow(name)?).expect("it judges"));
    let Some(over) = probability("utterances/gc_brooklyn.wav") else { return };
    let Some(begun) = probability("utterances/intent.wav") else { return };
    assert!(over > 0.8 && begun < 0.2, "{over} {begun}");
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
