//! Silero's weights: from the bytes of `silero_vad.onnx` (v6, MIT) to layers ready to run.
//!
//! The file's graph is one `If` on the sample rate; its 8 kHz branch is the one whose STFT has a
//! window of 128. The tensors keep PyTorch's names and its gates' order (input, forget, cell,
//! output).
//! Where the file comes from is `models/manifest.toml`'s; here are only bytes.

use prost::Message;

use super::dense::Dense;
use super::onnx::{FLOAT, Graph, Model, Tensor};

/// Frequencies of the STFT: half of its window of 128, and one.
pub(super) const BINS: usize = 65;
/// Samples of one STFT window.
pub(super) const STFT_SAMPLES: usize = 128;
/// Numbers that the LSTM remembers, twice (hidden and cell).
pub(super) const MEMORY: usize = 128;

/// The basis of the STFT: its name tells a Silero file, its shape the 8 kHz branch.
const BASIS: (&str, [usize; 3]) = ("stft.forward_basis_buffer", [2 * BINS, 1, STFT_SAMPLES]);

/// The weights of Silero v6 at 8 kHz, laid out for the forward pass; about 0.9 MB, shared by all
/// calls behind an `Arc`.
///
/// ```no_run
/// use std::sync::Arc;
///
/// use cordboard_audio::vad::{SileroWeights, SpeechMeter};
///
/// let bytes = std::fs::read("models/weights/silero_vad.onnx")?;
/// let weights = Arc::new(SileroWeights::from_onnx(&bytes)?);
/// let mut meter = SpeechMeter::silero(Arc::clone(&weights));
/// assert_eq!(meter.hear(&[0.0; 160]), None);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct SileroWeights {
    pub(super) stft: Dense<STFT_SAMPLES, 4, 16>,
    pub(super) encoder0: Dense<{ 3 * BINS }, 4, 16>,
    pub(super) encoder1: Dense<384, 2, 32>,
    pub(super) encoder2: Dense<128, 1, 64>,
    pub(super) encoder3: Dense<64, 1, 64>,
    pub(super) gates: Dense<{ 2 * MEMORY }, 1, 64>,
    pub(super) decoder: [f32; MEMORY],
    pub(super) decoder_bias: f32,
}

/// Why bytes are no Silero weights.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WeightsError {
    /// The bytes are no ONNX file.
    #[error("not an onnx file")]
    NotOnnx(#[source] prost::DecodeError),
    /// It is an ONNX file, but of another model, or of one without an 8 kHz branch.
    #[error("no silero branch for 8 kHz in the onnx file")]
    BranchMissing,
    /// The branch lacks a tensor.
    #[error("tensor {name} is missing")]
    TensorMissing {
        /// The tensor's name.
        name: &'static str,
    },
    /// A tensor has another shape than Silero v6's.
    #[error("tensor {name} has shape {got:?}, not {expected:?}")]
    WrongShape {
        /// The tensor's name.
        name: &'static str,
        /// The shape of Silero v6.
        expected: Vec<usize>,
        /// The shape in the file.
        got: Vec<i64>,
    },
    /// A tensor does not hold 32-bit floats.
    #[error("tensor {name} holds values of onnx type {got}, not of {FLOAT} (float)")]
    WrongType {
        /// The tensor's name.
        name: &'static str,
        /// The type's number in `TensorProto.DataType`.
        got: i32,
    },
    /// A tensor's bytes are fewer or more than its shape asks for.
    #[error("tensor {name} has {got} bytes, not {expected}")]
    WrongSize {
        /// The tensor's name.
        name: &'static str,
        /// Bytes that the shape asks for.
        expected: usize,
        /// Bytes in the file.
        got: usize,
    },
    /// A tensor holds an infinity or what is no number.
    #[error("tensor {name} holds a value that is not finite")]
    NotFinite {
        /// The tensor's name.
        name: &'static str,
    },
}

impl SileroWeights {
    /// Reads the 8 kHz branch of a `silero_vad.onnx`.
    ///
    /// # Errors
    /// Names what is wrong: the file, the branch, or the tensor.
    pub fn from_onnx(bytes: &[u8]) -> Result<Self, WeightsError> {
        let model = Model::decode(bytes).map_err(WeightsError::NotOnnx)?;
        let graph = model.graph.ok_or(WeightsError::BranchMissing)?;
        let branch = graph.branches().find(|branch| is_narrow(branch));
        Self::from_branch(branch.ok_or(WeightsError::BranchMissing)?)
    }

    fn from_branch(branch: &Graph) -> Result<Self, WeightsError> {
        let read = |name, shape: &[usize]| values(branch, name, shape);
        let basis = read(BASIS.0, &BASIS.1)?;
        let (conv0, bias0) = (
            read("encoder.0.reparam_conv.weight", &[128, BINS, 3])?,
            read("encoder.0.reparam_conv.bias", &[128])?,
        );
        let (conv1, bias1) = (
            read("encoder.1.reparam_conv.weight", &[64, 128, 3])?,
            read("encoder.1.reparam_conv.bias", &[64])?,
        );
        let (conv2, bias2) = (
            read("encoder.2.reparam_conv.weight", &[64, 64, 3])?,
            read("encoder.2.reparam_conv.bias", &[64])?,
        );
        let (conv3, bias3) = (
            read("encoder.3.reparam_conv.weight", &[128, 64, 3])?,
            read("encoder.3.reparam_conv.bias", &[128])?,
        );
        let from_input = read("decoder.rnn.weight_ih", &[4 * MEMORY, MEMORY])?;
        let from_memory = read("decoder.rnn.weight_hh", &[4 * MEMORY, MEMORY])?;
        let input_bias = read("decoder.rnn.bias_ih", &[4 * MEMORY])?;
        let memory_bias = read("decoder.rnn.bias_hh", &[4 * MEMORY])?;
        let gate = |output: usize, input: usize| match input.checked_sub(MEMORY) {
            None => from_input[output * MEMORY + input],
            Some(memory) => from_memory[output * MEMORY + memory],
        };
        let decoder = read("decoder.decoder.2.weight", &[1, MEMORY, 1])?;
        Ok(Self {
            stft: Dense::new(2 * BINS, |bin, at| basis[bin * STFT_SAMPLES + at], |_| 0.0),
            encoder0: Dense::new(128, convolution(&conv0, BINS, 0), |output| bias0[output]),
            encoder1: Dense::new(64, convolution(&conv1, 128, 0), |output| bias1[output]),
            // One frame is left after the strides: its neighbours outside are zero, and the taps
            // that meet them are not kept.
            encoder2: Dense::new(64, convolution(&conv2, 64, 1), |output| bias2[output]),
            encoder3: Dense::new(128, convolution(&conv3, 64, 1), |output| bias3[output]),
            gates: Dense::new(4 * MEMORY, gate, |output| input_bias[output] + memory_bias[output]),
            decoder: std::array::from_fn(|at| decoder[at]),
            decoder_bias: read("decoder.decoder.2.bias", &[1])?[0],
        })
    }
}

/// The weight of a convolution (`[output, channel, 3]`) by output and by position in the span of
/// frames that it reads, the first of which meets `first_tap`.
fn convolution(weights: &[f32], channels: usize, first_tap: usize) -> impl Fn(usize, usize) -> f32 {
    move |output, input| {
        let (frame, channel) = (input / channels, input % channels);
        weights[(output * channels + channel) * 3 + first_tap + frame]
    }
}

fn is_narrow(branch: &Graph) -> bool {
    branch.tensors().any(|tensor| tensor.name == BASIS.0 && has_shape(tensor, &BASIS.1))
}

fn has_shape(tensor: &Tensor, shape: &[usize]) -> bool {
    let dims = tensor.dims.iter().map(|&dim| usize::try_from(dim).ok());
    dims.eq(shape.iter().map(|&dim| Some(dim)))
}

/// The values of the branch's tensor `name`, checked.
fn values(graph: &Graph, name: &'static str, shape: &[usize]) -> Result<Vec<f32>, WeightsError> {
    let tensor = graph
        .tensors()
        .find(|tensor| tensor.name == name)
        .ok_or(WeightsError::TensorMissing { name })?;
    if !has_shape(tensor, shape) {
        let got = tensor.dims.clone();
        return Err(WeightsError::WrongShape { name, expected: shape.to_vec(), got });
    }
    if tensor.data_type != FLOAT {
        return Err(WeightsError::WrongType { name, got: tensor.data_type });
    }
    let (expected, got) = (4 * shape.iter().product::<usize>(), tensor.raw_data.len());
    if got != expected {
        return Err(WeightsError::WrongSize { name, expected, got });
    }
    let (fours, _) = tensor.raw_data.as_chunks::<4>();
    let values: Vec<f32> = fours.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect();
    if values.iter().any(|value| !value.is_finite()) {
        return Err(WeightsError::NotFinite { name });
    }
    Ok(values)
}
