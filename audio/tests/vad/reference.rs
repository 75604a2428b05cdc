//! Silero on a made-up signal against the probabilities that ONNX Runtime gave for it.

use cordboard_audio::vad::{Silero, SpeechMeter, Vad};

use crate::{shared, signal};

/// ONNX Runtime's probabilities (CPU, one thread) of `silero_vad.onnx` (sha256 in
/// `models/manifest.toml`) at 8 kHz for [`signal::made_up`], window by window.
const ONNX_RUNTIME: [f32; 78] = [
    0.01737, 0.01747, 0.02241, 0.01489, 0.01110, 0.00981, 0.00883, 0.00787, 0.00732, 0.00689,
    0.00650, 0.00617, 0.00588, 0.00566, 0.00551, 0.02251, 0.01187, 0.00717, 0.00175, 0.00246,
    0.00237, 0.00418, 0.00273, 0.00185, 0.00269, 0.00237, 0.00299, 0.00239, 0.00188, 0.00233,
    0.00223, 0.13828, 0.82891, 0.99112, 0.99305, 0.98947, 0.99208, 0.99658, 0.99461, 0.99293,
    0.98464, 0.99586, 0.99066, 0.98641, 0.97874, 0.99093, 0.99227, 0.87832, 0.77769, 0.67168,
    0.61674, 0.50778, 0.42855, 0.37447, 0.37915, 0.32692, 0.29945, 0.27060, 0.22039, 0.19277,
    0.16948, 0.16361, 0.14849, 0.16963, 0.97233, 0.97296, 0.97548, 0.98869, 0.98503, 0.99227,
    0.98695, 0.95430, 0.98136, 0.97042, 0.96756, 0.96235, 0.96206, 0.98236,
];

#[test]
fn silero_agrees_with_onnx_runtime_on_a_made_up_signal() {
    let Some(weights) = shared::weights() else { return };
    let mut silero = Silero::new(weights);
    let signal = signal::made_up();
    let got: Vec<f32> = signal.chunks_exact(256).map(|it| silero.probability(it)).collect();
    assert_eq!(got.len(), ONNX_RUNTIME.len());
    for (window, (got, expected)) in got.iter().zip(ONNX_RUNTIME).enumerate() {
        assert!((got - expected).abs() < 1e-3, "{got} for {expected} in window {window}");
    }
}

#[test]
fn a_meter_with_silero_tells_the_vowel_from_the_noise() {
    let Some(weights) = shared::weights() else { return };
    let mut meter = SpeechMeter::silero(weights);
    let signal = signal::made_up();
    let heard: Vec<f32> = signal.chunks_exact(160).filter_map(|it| meter.hear(it)).collect();
    // Frames of 20 ms, one of which passed before the first window was full.
    let part = |from_ms: usize, to_ms: usize| &heard[from_ms / 20 - 1..to_ms / 20 - 1];
    assert!(part(100, 1_000).iter().all(|&it| it < 0.1), "silence and a tone are no speech");
    assert!(part(1_120, 1_480).iter().all(|&it| it > 0.9), "a vowel is");
    assert!(part(1_960, 2_000).iter().all(|&it| it < 0.25), "noise is none");
    assert!(part(2_120, 2_480).iter().all(|&it| it > 0.9), "a vowel in noise is");
}
