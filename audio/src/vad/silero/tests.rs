//! The forward pass and the reading of weights, on weights made up here: no file is needed.

use std::sync::Arc;

use proptest::prelude::*;
use prost::Message;

use super::onnx::{Attribute, FLOAT, Graph, Model, Node, Tensor};
use super::*;

/// Names, shapes and a scale that keeps made-up weights from saturating the gates.
const TENSORS: [(&str, &[i64], f32); 15] = [
    ("stft.forward_basis_buffer", &[130, 1, 128], 0.2),
    ("encoder.0.reparam_conv.weight", &[128, 65, 3], 0.1),
    ("encoder.0.reparam_conv.bias", &[128], 0.2),
    ("encoder.1.reparam_conv.weight", &[64, 128, 3], 0.1),
    ("encoder.1.reparam_conv.bias", &[64], 0.2),
    ("encoder.2.reparam_conv.weight", &[64, 64, 3], 0.1),
    ("encoder.2.reparam_conv.bias", &[64], 0.2),
    ("encoder.3.reparam_conv.weight", &[128, 64, 3], 0.1),
    ("encoder.3.reparam_conv.bias", &[128], 0.2),
    ("decoder.rnn.weight_ih", &[512, 128], 0.1),
    ("decoder.rnn.weight_hh", &[512, 128], 0.2),
    ("decoder.rnn.bias_ih", &[512], 0.2),
    ("decoder.rnn.bias_hh", &[512], 0.2),
    ("decoder.decoder.2.weight", &[1, 128, 1], 0.6),
    ("decoder.decoder.2.bias", &[1], 0.2),
];

/// Numbers of [-1, 1] from a linear congruential generator (Knuth's MMIX constants).
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> f32 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 40) as f32 / (1_u64 << 23) as f32 - 1.0
    }
}

fn made_up(seed: u64) -> Vec<Tensor> {
    let mut noise = Noise(seed);
    TENSORS
        .iter()
        .map(|&(name, dims, scale)| {
            let size = dims.iter().product::<i64>();
            let values = (0..size).map(|_| scale * noise.next());
            let raw_data = values.flat_map(f32::to_le_bytes).collect();
            Tensor { name: name.to_owned(), dims: dims.to_vec(), data_type: FLOAT, raw_data }
        })
        .collect()
}

fn branch(tensors: Vec<Tensor>) -> Attribute {
    let constant =
        |tensor| Node { attributes: vec![Attribute { tensor: Some(tensor), graph: None }] };
    let nodes = tensors.into_iter().map(constant).collect();
    Attribute { tensor: None, graph: Some(Box::new(Graph { nodes, initializers: vec![] })) }
}

/// A file whose `If` has a 16 kHz branch first, as Silero's own has it second.
fn file(tensors: Vec<Tensor>) -> Vec<u8> {
    let mut wide = made_up(0);
    wide[0].dims = vec![258, 1, 256];
    let node = Node { attributes: vec![branch(wide), branch(tensors)] };
    let graph = Graph { nodes: vec![node], initializers: vec![] };
    Model { graph: Some(graph) }.encode_to_vec()
}

/// The graph written out slowly, in `f64`, straight from the tensors.
struct Slow {
    tensors: Vec<Vec<f64>>,
    context: Vec<f64>,
    hidden: Vec<f64>,
    cell: Vec<f64>,
}

impl Slow {
    fn new(tensors: &[Tensor]) -> Self {
        let floats = |tensor: &Tensor| {
            let (fours, _) = tensor.raw_data.as_chunks::<4>();
            fours.iter().map(|&bytes| f64::from(f32::from_le_bytes(bytes))).collect()
        };
        Self {
            tensors: tensors.iter().map(floats).collect(),
            context: vec![0.0; 32],
            hidden: vec![0.0; 128],
            cell: vec![0.0; 128],
        }
    }

    /// A convolution of width 3 with padding 1, rectified; frames of channels.
    fn convolution(&self, at: usize, stride: usize, frames: &[Vec<f64>]) -> Vec<Vec<f64>> {
        let (weights, bias) = (&self.tensors[at], &self.tensors[at + 1]);
        let channels = frames[0].len();
        (0..frames.len().div_ceil(stride))
            .map(|frame| {
                let output = |output: usize| {
                    let mut sum = bias[output];
                    for tap in 0..3 {
                        let Some(heard) =
                            (frame * stride + tap).checked_sub(1).and_then(|at| frames.get(at))
                        else {
                            continue;
                        };
                        for (channel, x) in heard.iter().enumerate() {
                            sum += x * weights[(output * channels + channel) * 3 + tap];
                        }
                    }
                    sum.max(0.0)
                };
                (0..bias.len()).map(output).collect()
            })
            .collect()
    }

    fn probability(&mut self, window: &[f32]) -> f64 {
        let mut heard = self.context.clone();
        heard.extend(window.iter().map(|&sample| f64::from(sample)));
        self.context = heard[256..].to_vec();
        heard.extend((0..32).map(|at| heard[286 - at]).collect::<Vec<_>>());
        let magnitude = |frame: usize, bin: usize| {
            let part = |row: usize| -> f64 {
                (0..128).map(|n| heard[frame * 64 + n] * self.tensors[0][row * 128 + n]).sum()
            };
            part(bin).hypot(part(65 + bin))
        };
        let spectrum: Vec<Vec<f64>> =
            (0..4).map(|frame| (0..65).map(|bin| magnitude(frame, bin)).collect()).collect();
        let first = self.convolution(1, 1, &spectrum);
        let second = self.convolution(3, 2, &first);
        let third = self.convolution(5, 2, &second);
        let features = self.convolution(7, 1, &third);
        self.remember(&features[0]);
        let weighted = self.hidden.iter().zip(&self.tensors[13]).map(|(h, w)| h.max(0.0) * w);
        logistic(weighted.sum::<f64>() + self.tensors[14][0])
    }

    fn remember(&mut self, features: &[f64]) {
        let gates: Vec<f64> = (0..512)
            .map(|gate| {
                let weighted = |tensor: &[f64], values: &[f64]| -> f64 {
                    values.iter().zip(&tensor[gate * 128..]).map(|(x, w)| x * w).sum()
                };
                weighted(&self.tensors[9], features)
                    + weighted(&self.tensors[10], &self.hidden)
                    + self.tensors[11][gate]
                    + self.tensors[12][gate]
            })
            .collect();
        for at in 0..128 {
            let kept = logistic(gates[128 + at]) * self.cell[at];
            self.cell[at] = kept + logistic(gates[at]) * gates[256 + at].tanh();
            self.hidden[at] = logistic(gates[384 + at]) * self.cell[at].tanh();
        }
    }
}

fn logistic(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

fn silero(tensors: Vec<Tensor>) -> Silero {
    let weights = SileroWeights::from_onnx(&file(tensors)).expect("the file is whole");
    Silero::new(Arc::new(weights))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]
    #[test]
    fn the_fast_pass_agrees_with_the_graph_written_out_slowly(seed: u64, gain in 0.0_f32..1.0) {
        let tensors = made_up(seed);
        let mut slow = Slow::new(&tensors);
        let mut fast = silero(tensors);
        let mut noise = Noise(seed ^ 1);
        for _ in 0..6 {
            let window: Vec<f32> = (0..WINDOW_SAMPLES).map(|_| gain * noise.next()).collect();
            let (got, expected) = (fast.probability(&window), slow.probability(&window));
            prop_assert!((f64::from(got) - expected).abs() < 1e-4, "{got} for {expected}");
        }
    }
}

#[test]
fn machines_without_avx2_hear_the_same() {
    let weights = silero(made_up(5)).weights;
    let (mut plain, mut chosen) = (Memory::EMPTY, Memory::EMPTY);
    let mut noise = Noise(6);
    for _ in 0..20 {
        let window: [f32; WINDOW_SAMPLES] = std::array::from_fn(|_| noise.next());
        let got = forward::forward_anywhere::<false>(&weights, &mut plain, &window);
        let expected = forward(&weights, &mut chosen, &window);
        assert!((got - expected).abs() < 1e-5, "{got} for {expected}");
    }
}

#[test]
fn a_sample_that_is_no_number_counts_as_silence() {
    let (mut spoiled, mut silent) = (silero(made_up(1)), silero(made_up(1)));
    spoiled.probability(&[f32::NAN; WINDOW_SAMPLES]);
    silent.probability(&[0.0; WINDOW_SAMPLES]);
    let window = [0.25; WINDOW_SAMPLES];
    assert_eq!(spoiled.probability(&window), silent.probability(&window));
}

#[test]
fn no_input_spoils_what_the_detector_remembers() {
    let mut silero = silero(made_up(1));
    for sample in [f32::MAX, f32::MIN, f32::INFINITY, f32::NAN, f32::MIN_POSITIVE] {
        for length in [0, 1, WINDOW_SAMPLES, 2 * WINDOW_SAMPLES] {
            let probability = silero.probability(&vec![sample; length]);
            assert!((0.0..=1.0).contains(&probability), "{probability} after {sample}");
        }
    }
}

#[test]
fn a_reset_detector_answers_as_a_new_one() {
    let mut used = silero(made_up(2));
    let fresh = used.probability(&[0.5; WINDOW_SAMPLES]);
    assert_ne!(used.probability(&[0.5; WINDOW_SAMPLES]), fresh);
    used.reset();
    assert_eq!(used.probability(&[0.5; WINDOW_SAMPLES]), fresh);
}

#[test]
fn a_call_keeps_less_than_four_kilobytes() {
    assert!(size_of::<Silero>() < 4096);
}

#[test]
fn broken_files_are_refused_by_name() {
    let broken = |spoil: fn(&mut Vec<Tensor>)| {
        let mut tensors = made_up(3);
        spoil(&mut tensors);
        SileroWeights::from_onnx(&file(tensors)).expect_err("it is broken").to_string()
    };
    let missing = broken(|tensors| drop(tensors.remove(9)));
    assert_eq!(missing, "tensor decoder.rnn.weight_ih is missing");
    let shape = broken(|tensors| tensors[2].dims = vec![64]);
    assert_eq!(shape, "tensor encoder.0.reparam_conv.bias has shape [64], not [128]");
    let kind = broken(|tensors| tensors[14].data_type = 10);
    assert!(kind.starts_with("tensor decoder.decoder.2.bias holds values of onnx type 10"));
    let size = broken(|tensors| tensors[14].raw_data.push(0));
    assert_eq!(size, "tensor decoder.decoder.2.bias has 5 bytes, not 4");
    let infinite = broken(|tensors| tensors[14].raw_data = f32::INFINITY.to_le_bytes().to_vec());
    assert_eq!(infinite, "tensor decoder.decoder.2.bias holds a value that is not finite");
    let branch = broken(|tensors| tensors[0].dims = vec![258, 1, 256]);
    assert_eq!(branch, "no silero branch for 8 kHz in the onnx file");
}

#[test]
fn what_is_no_onnx_file_is_refused() {
    let text = SileroWeights::from_onnx(b"<html>404 Not Found</html>");
    assert!(matches!(text, Err(WeightsError::NotOnnx(_))));
    assert!(matches!(SileroWeights::from_onnx(&[]), Err(WeightsError::BranchMissing)));
}

proptest! {
    #[test]
    fn a_file_cut_short_is_refused(length in 0_usize..600_000) {
        let whole = file(made_up(4));
        let cut = &whole[..length.min(whole.len() - 1)];
        prop_assert!(SileroWeights::from_onnx(cut).is_err());
    }
}
