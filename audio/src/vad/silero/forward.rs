//! Silero v6's forward pass at 8 kHz, one window at a time.
//!
//! ```text
//! 32 + 256 samples ─reflect 32─► STFT 4 × 65 ─► conv 4 × 128 ─► conv/2 2 × 64 ─► conv/2 1 × 64
//!   ─► conv 1 × 128 ─► LSTM 128 ─► rectifier, weighted sum, sigmoid ─► probability
//! ```
//!
//! Every convolution is three frames wide with a frame of zeros at each end, and rectified. The
//! pass is written once and compiled twice: for the machine at hand and for AVX2 with FMA, which
//! is chosen at run time. This is the one file of the room with `unsafe` in it.
//!
//! Source: the graph of `silero_vad.onnx` 6.2 (snakers4/silero-vad, MIT).

use super::activation::{rectify, sigmoid, tanh};
use super::weights::{BINS, MEMORY, STFT_SAMPLES, SileroWeights};

/// Samples of one window: 32 ms.
pub(super) const WINDOW_SAMPLES: usize = 256;
/// Samples of the window before that are heard again.
pub(super) const CONTEXT_SAMPLES: usize = 32;

/// Samples from one STFT window to the next.
const STFT_HOP: usize = 64;
/// Samples mirrored at the end, so that the last STFT window is full.
const MIRRORED: usize = 32;
const HEARD: usize = CONTEXT_SAMPLES + WINDOW_SAMPLES;
/// STFT windows in what is heard.
const FRAMES: usize = (HEARD + MIRRORED - STFT_SAMPLES) / STFT_HOP + 1;
/// The STFT's outputs per frame, real and imaginary, filled up to whole blocks of 16.
const BASIS_ROW: usize = (2 * BINS).next_multiple_of(16);

/// What a call's detector remembers between windows.
#[derive(Clone, Debug)]
pub(super) struct Memory {
    pub(super) context: [f32; CONTEXT_SAMPLES],
    hidden: [f32; MEMORY],
    cell: [f32; MEMORY],
}

impl Memory {
    pub(super) const EMPTY: Self =
        Self { context: [0.0; CONTEXT_SAMPLES], hidden: [0.0; MEMORY], cell: [0.0; MEMORY] };
}

/// Hears a window and returns the probability of speech in it.
pub(super) fn forward(
    weights: &SileroWeights,
    memory: &mut Memory,
    window: &[f32; WINDOW_SAMPLES],
) -> f32 {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
        #[expect(unsafe_code, reason = "calling it needs the two features just detected")]
        // SAFETY: the function asks for AVX2 and FMA, and the machine has them.
        return unsafe { forward_avx2(weights, memory, window) };
    }
    // AArch64 fuses in its base instruction set; other machines may not.
    forward_anywhere::<{ cfg!(target_arch = "aarch64") }>(weights, memory, window)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn forward_avx2(
    weights: &SileroWeights,
    memory: &mut Memory,
    window: &[f32; WINDOW_SAMPLES],
) -> f32 {
    forward_anywhere::<true>(weights, memory, window)
}

/// The pass itself; `FUSED` where the machine fuses multiplication and addition.
#[inline(always)]
pub(super) fn forward_anywhere<const FUSED: bool>(
    weights: &SileroWeights,
    memory: &mut Memory,
    window: &[f32; WINDOW_SAMPLES],
) -> f32 {
    let magnitudes = spectrum::<FUSED>(weights, memory, window);
    let mut first = [0.0; (1 + FRAMES) * 128];
    weights.encoder0.apply::<FUSED>(&magnitudes, BINS, &mut first[128..]);
    rectify(&mut first);
    let mut second = [0.0; 2 * 64];
    weights.encoder1.apply::<FUSED>(&first, 2 * 128, &mut second);
    rectify(&mut second);
    let mut third = [0.0; 64];
    weights.encoder2.apply::<FUSED>(&second, 0, &mut third);
    rectify(&mut third);
    let mut features = [0.0; 2 * MEMORY];
    weights.encoder3.apply::<FUSED>(&third, 0, &mut features[..MEMORY]);
    rectify(&mut features[..MEMORY]);
    features[MEMORY..].copy_from_slice(&memory.hidden);
    remember::<FUSED>(weights, memory, &features);
    let sum: f32 =
        memory.hidden.iter().zip(&weights.decoder).map(|(h, weight)| h.max(0.0) * weight).sum();
    sigmoid(sum + weights.decoder_bias)
}

/// Magnitudes of the STFT, one frame's bins after the other's, a frame of zeros at each end.
#[inline(always)]
fn spectrum<const FUSED: bool>(
    weights: &SileroWeights,
    memory: &mut Memory,
    window: &[f32; WINDOW_SAMPLES],
) -> [f32; (FRAMES + 2) * BINS] {
    let mut heard = [0.0; HEARD + MIRRORED];
    heard[..CONTEXT_SAMPLES].copy_from_slice(&memory.context);
    heard[CONTEXT_SAMPLES..HEARD].copy_from_slice(window);
    memory.context.copy_from_slice(&window[WINDOW_SAMPLES - CONTEXT_SAMPLES..]);
    for distance in 1..=MIRRORED {
        heard[HEARD - 1 + distance] = heard[HEARD - 1 - distance];
    }
    let mut parts = [0.0; FRAMES * BASIS_ROW];
    weights.stft.apply::<FUSED>(&heard, STFT_HOP, &mut parts);
    let mut magnitudes = [0.0; (FRAMES + 2) * BINS];
    let frames = magnitudes[BINS..].chunks_exact_mut(BINS);
    for (frame, parts) in frames.zip(parts.chunks_exact(BASIS_ROW)) {
        let (real, imaginary) = parts.split_at(BINS);
        for ((magnitude, re), im) in frame.iter_mut().zip(real).zip(imaginary) {
            *magnitude = (re * re + im * im).sqrt();
        }
    }
    magnitudes
}

/// The LSTM's step; its gates lie in PyTorch's order: input, forget, cell, output.
#[inline(always)]
fn remember<const FUSED: bool>(
    weights: &SileroWeights,
    memory: &mut Memory,
    features: &[f32; 2 * MEMORY],
) {
    let mut gates = [0.0; 4 * MEMORY];
    weights.gates.apply::<FUSED>(features, 0, &mut gates);
    let (input, rest) = gates.split_at(MEMORY);
    let (forget, rest) = rest.split_at(MEMORY);
    let (cell, output) = rest.split_at(MEMORY);
    for at in 0..MEMORY {
        let kept = sigmoid(forget[at]) * memory.cell[at];
        memory.cell[at] = kept + sigmoid(input[at]) * tanh(cell[at]);
        memory.hidden[at] = sigmoid(output[at]) * tanh(memory.cell[at]);
    }
}
