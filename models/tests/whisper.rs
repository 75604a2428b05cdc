//! Whisper's files, each wrong in its own way, and a recognition from begin to end.

use std::path::{Path, PathBuf};

use cordboard_models::ears::ggml::{self, GgmlFault};

/// The folder of recordings and models; tests that need it are skipped where it is not.
fn shared(path: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data").join(path);
    if path.exists() {
        return Some(path);
    }
    eprintln!("skipped: {} is not here", path.display());
    None
}

/// A file of the process's own, removed at the end.
struct Made(PathBuf);

impl Made {
    fn new(name: &str, bytes: &[u8]) -> Self {
        let path = std::env::temp_dir().join(format!("whisper-{}-{name}", std::process::id()));
        std::fs::write(&path, bytes).expect("the folder of temporary files can be written");
        Self(path)
    }
}

impl Drop for Made {
    fn drop(&mut self) {
        std::fs::remove_file(&self.0).expect("it was made");
    }
}

#[test]
fn each_wrong_file_has_its_own_fault_with_the_remedy() {
    let missing = ggml::check(Path::new("/nowhere/ggml.bin")).expect_err("it is not there");
    assert!(matches!(missing, GgmlFault::Missing { .. }));
    let says = missing.to_string();
    assert!(says.contains("/nowhere/ggml.bin") && says.contains("models.whisper_model"), "{says}");
    for (name, bytes, expected) in [
        ("wav", &b"RIFF\x24\0\0\0WAVEfmt "[..], "a WAV file"),
        ("text", b"[models]\nrecognizer = 1\n", "a text file"),
        ("onnx", b"\x08\x08\x12\x07pytorch\x1a", "an ONNX file"),
        ("gguf", b"GGUF\x03\0\0\0\0\0\0\0", "a GGUF file"),
        ("zip", b"PK\x03\x04\x14\0\0\0\0\0\0\0", "PyTorch"),
        ("empty", b"", "an empty file"),
        ("noise", b"\xff\xfe\x01\x02\x03\x04\x05", "a file of another kind"),
    ] {
        let file = Made::new(name, bytes);
        let fault = ggml::check(&file.0).expect_err(name);
        assert!(matches!(fault, GgmlFault::Foreign { .. }), "{name}: {fault}");
        assert!(fault.to_string().contains(expected), "{name}: {fault}");
    }
    let folder = ggml::check(&std::env::temp_dir()).expect_err("a folder");
    assert!(matches!(folder, GgmlFault::Foreign { found: "a folder", .. }), "{folder}");
}

#[test]
fn a_model_cut_anywhere_is_truncated_and_a_changed_header_is_refused() {
    let Some(path) = shared("models/asr/for-tests-ggml-tiny.en.bin") else { return };
    let header = ggml::check(&path).expect("it is whole");
    assert_eq!((header.vocabulary, header.mels, header.tensors), (51_864, 80, 0));
    assert!(!header.is_multilingual());
    let whole = std::fs::read(&path).expect("it was read before");
    for kept in [4, 5, 47, 48, 56, 1_000, whole.len() / 2, whole.len() - 1] {
        let cut = Made::new("cut", &whole[..kept]);
        let fault = ggml::check(&cut.0).expect_err("it is cut");
        assert!(matches!(fault, GgmlFault::Truncated { .. }), "{kept}: {fault}");
        assert!(fault.to_string().contains("bring it again"), "{fault}");
    }
    // Each number of the header, of the filters and of the vocabulary, as whisper.cpp would trust.
    for at in (4..56).step_by(4).chain([64_376]) {
        for value in [0_u32, 7, 0x7fff_ffff, u32::MAX] {
            let mut changed = whole.clone();
            let old = u32::from_le_bytes(changed[at..at + 4].try_into().expect("4 bytes"));
            changed[at..at + 4].copy_from_slice(&value.to_le_bytes());
            let file = Made::new("changed", &changed);
            let verdict = ggml::check(&file.0);
            // 0 is the type of f32 weights, 7 that of 8-bit ones: both are models.
            let is_type = at == 44 && value <= 7;
            assert!(verdict.is_err() || is_type || old == value, "{at}: {old} -> {value}");
        }
    }
}

#[cfg(feature = "whisper")]
mod engine {
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::time::Duration;

    use cordboard_models::ears::{Whisper, WhisperConfig, WhisperOpenError};
    use cordboard_models::speech::{
        EngineFault, Expectation, Hypothesis, HypothesisKind, Recognizer, SlotKind,
    };

    use super::*;

    fn config(model: PathBuf, clock: fn() -> Duration) -> WhisperConfig {
        WhisperConfig { model, threads: 1, decode_max: Duration::from_secs(60), clock }
    }

    fn standing() -> Duration {
        Duration::ZERO
    }

    /// Goes on by a minute whenever it is read.
    fn hasty() -> Duration {
        static READ: AtomicU64 = AtomicU64::new(0);
        Duration::from_secs(61 * READ.fetch_add(1, Ordering::Relaxed))
    }

    fn digits() -> Expectation {
        let kinds = vec![SlotKind::Digits { min: 6, max: 6 }];
        Expectation { kinds, ..Expectation::default() }
    }

    fn hear(ears: &mut Whisper, expected: &Expectation, sound: &[f32]) -> Hypothesis {
        ears.begin(expected).expect("it can be listened for");
        for frame in sound.chunks(160) {
            ears.feed(frame).expect("it is taken");
        }
        ears.finish().expect("there is a verdict")
    }

    #[test]
    fn a_model_without_weights_loads_and_hears_nothing() {
        let Some(path) = shared("models/asr/for-tests-ggml-tiny.en.bin") else { return };
        let mut ears = Whisper::open(&config(path, standing)).expect("it loads");
        let misused = ears.feed(&[0.0; 160]).expect_err("nothing was begun");
        assert!(matches!(misused, EngineFault::ApiMisuse { .. }));
        assert!(ears.finish().is_err());
        assert!(ears.begin(&Expectation::default()).is_err(), "nothing is expected");
        let tone: Vec<f32> = (0..8_000).map(|n| (n as f32 * 0.3).sin() * 0.3).collect();
        for sound in [&[][..], &[0.1; 500], &tone] {
            let verdict = hear(&mut ears, &digits(), sound);
            assert_eq!((verdict.kind, verdict.text.as_str()), (HypothesisKind::Rejected, ""));
            assert_eq!(verdict.confidence.to_bits(), 0);
        }
        let mut other = ears.another().expect("a second session");
        assert_eq!(hear(&mut other, &digits(), &tone[..4_000]).text, "");
    }

    #[test]
    fn a_decode_can_be_cancelled_and_ends_at_its_deadline() {
        let Some(path) = shared("models/asr/for-tests-ggml-tiny.en.bin") else { return };
        let mut ears = Whisper::open(&config(path.clone(), standing)).expect("it loads");
        ears.begin(&digits()).expect("it can be listened for");
        ears.feed(&[0.1; 4_000]).expect("too little for a partial");
        ears.stopper().expect("it has one").store(true, Ordering::Relaxed);
        let verdict = ears.finish().expect("a cancelled decode is no fault");
        assert_eq!(verdict.kind, HypothesisKind::Rejected);
        let mut ears = Whisper::open(&config(path, hasty)).expect("it loads");
        ears.begin(&digits()).expect("it can be listened for");
        ears.feed(&[0.1; 4_000]).expect("too little for a partial");
        let fault = ears.finish().expect_err("the clock runs fast").to_string();
        assert!(fault.contains("not done within 60s"), "{fault}");
    }

    #[test]
    fn a_broken_file_never_reaches_the_library() {
        let Some(path) = shared("models/asr/for-tests-ggml-tiny.en.bin") else { return };
        let whole = std::fs::read(path).expect("it is there");
        let half = Made::new("half", &whole[..whole.len() / 2]);
        let fault = Whisper::open(&config(half.0.clone(), standing)).expect_err("half a file");
        assert!(matches!(fault, WhisperOpenError::File(GgmlFault::Truncated { .. })), "{fault}");
    }
}
