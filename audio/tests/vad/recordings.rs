//! Silero against rten, an independent ONNX engine, on real telephone recordings.
//!
//! rten takes ten times as long, so that only some recordings are heard, and of each the beginning.

use std::path::{Path, PathBuf};

use cordboard_audio::vad::{Silero, Vad};
use rten::{Model, NodeId, Value};

use crate::shared;

const WINDOW: usize = 256;
const CONTEXT: usize = 32;
const RECORDINGS: usize = 120;
const LONGEST_SAMPLES: usize = 10 * 8_000;
/// The bar: natively computed probabilities are the reference's, within this.
const TOLERANCE: f32 = 1e-3;

/// The reference: the ONNX graph itself, with the state and the context that it leaves to callers.
struct Reference {
    model: Model,
    inputs: [NodeId; 3],
    state: Value,
    context: [f32; CONTEXT],
}

impl Reference {
    fn new(onnx: Vec<u8>) -> Self {
        let model = Model::load(onnx).expect("rten reads it");
        let inputs =
            ["input", "state", "sr"].map(|name| model.node_id(name).expect("Silero's inputs"));
        Self { model, inputs, state: empty_state(), context: [0.0; CONTEXT] }
    }

    fn reset(&mut self) {
        self.state = empty_state();
        self.context = [0.0; CONTEXT];
    }

    fn probability(&mut self, window: &[f32]) -> f32 {
        let heard = [&self.context[..], window].concat();
        self.context.copy_from_slice(&heard[WINDOW..]);
        let heard = Value::from_shape([1, CONTEXT + WINDOW], heard).expect("the shape fits");
        let rate_hz = Value::from_shape([], vec![8_000_i32]).expect("one number");
        let [input, state, rate] = self.inputs;
        let fed = vec![
            (input, heard.into()),
            (state, self.state.as_view().into()),
            (rate, rate_hz.into()),
        ];
        let outputs = self.model.output_ids().to_vec();
        let mut results = self.model.run(fed, &outputs, None).expect("the graph runs").into_iter();
        let probability = results.next().expect("the probability comes first");
        self.state = results.next().expect("the state comes second");
        probability.into_shape_vec::<f32, 2>().expect("one row of one").1[0]
    }
}

fn empty_state() -> Value {
    Value::from_shape([2, 1, 128], vec![0.0_f32; 256]).expect("the shape fits")
}

/// All WAV files below a folder, sorted.
fn wavs(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("the folder is there").flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(wavs(&path));
        } else if path.extension().is_some_and(|ending| ending == "wav") {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// The first channel at 8 kHz; `None` for other rates than 8 and 16 kHz and other forms than
/// 16-bit integers.
fn narrow(path: &Path) -> Option<Vec<f32>> {
    let mut reader = hound::WavReader::open(path).ok()?;
    let spec = reader.spec();
    if spec.bits_per_sample != 16 || spec.sample_format != hound::SampleFormat::Int {
        return None;
    }
    let samples = reader.samples::<i16>().step_by(usize::from(spec.channels));
    let samples: Vec<f32> =
        samples.map_while(Result::ok).map(|it| f32::from(it) / 32_768.0).collect();
    match spec.sample_rate {
        8_000 => Some(samples),
        16_000 => Some(halved(&samples)),
        _ => None,
    }
}

/// Halves the rate: a Hann-windowed half-band low-pass of 47 taps, then every other sample.
fn halved(wide: &[f32]) -> Vec<f32> {
    let taps: Vec<f32> = (-23_i16..=23)
        .map(|at| {
            let x = std::f32::consts::FRAC_PI_2 * f32::from(at);
            let sinc = if at == 0 { 1.0 } else { x.sin() / x };
            0.5 * sinc * (x / 24.0).cos().powi(2)
        })
        .collect();
    let sample = |spans: &[f32]| spans.iter().zip(&taps).map(|(x, tap)| x * tap).sum();
    wide.windows(taps.len()).step_by(2).map(sample).collect()
}

#[test]
fn silero_agrees_with_an_onnx_engine_on_recordings() {
    let (Some(data), Some(onnx), Some(weights)) =
        (shared::data(), shared::onnx(), shared::weights())
    else {
        eprintln!("skipped: no ../shared/data, so no recordings to compare on");
        return;
    };
    let paths = wavs(&data.join("audio"));
    let every = paths.len().div_ceil(RECORDINGS).max(1);
    let mut reference = Reference::new(onnx);
    let mut native = Silero::new(weights);
    let (mut heard, mut windows, mut worst, mut highest) = (0, 0, 0.0_f32, 0.0_f32);
    for path in paths.iter().skip(every / 2).step_by(every) {
        let Some(samples) = narrow(path) else { continue };
        reference.reset();
        native.reset();
        heard += 1;
        for window in samples[..samples.len().min(LONGEST_SAMPLES)].chunks_exact(WINDOW) {
            let (got, expected) = (native.probability(window), reference.probability(window));
            let difference = (got - expected).abs();
            assert!(difference < TOLERANCE, "{got} for {expected}: {}", path.display());
            worst = worst.max(difference);
            highest = highest.max(expected);
            windows += 1;
        }
    }
    eprintln!("silero/rten: {heard} recordings, {windows} windows, max |difference| {worst:.1e}");
    assert!(heard > 0 && highest > 0.9, "no speech was compared");
}
