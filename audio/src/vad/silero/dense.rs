//! The one loop that Silero's time goes into: weights times inputs, for several frames at once.
//!
//! Weights lie in the order in which the loop reads them: blocks of `LANES` outputs, in a block one
//! row of lanes per input. `FRAMES * LANES` accumulators stay in registers (eight of AVX2's), and
//! each row is loaded once for all frames. No intrinsics: the compiler vectorises it, which the
//! example `vad_cost` shows (10 µs a window with AVX2 and FMA, 35 µs without).

use std::fmt;

/// A row of weights, aligned so that no vector load crosses a cache line.
#[derive(Clone, Copy)]
#[repr(align(64))]
struct Lanes<const LANES: usize>([f32; LANES]);

/// An affine layer: `INPUTS` numbers of each of `FRAMES` frames to a row of outputs.
///
/// A convolution is one too: its frames are spans of the input that overlap.
pub(super) struct Dense<const INPUTS: usize, const FRAMES: usize, const LANES: usize> {
    blocks: Vec<[Lanes<LANES>; INPUTS]>,
    bias: Vec<Lanes<LANES>>,
}

impl<const INPUTS: usize, const FRAMES: usize, const LANES: usize> Dense<INPUTS, FRAMES, LANES> {
    /// Lays out the weights of `outputs` outputs, filled up with zeros to whole blocks.
    pub(super) fn new(
        outputs: usize,
        weight: impl Fn(usize, usize) -> f32,
        bias: impl Fn(usize) -> f32,
    ) -> Self {
        let lane = |block: usize, lane: usize, value: &dyn Fn(usize) -> f32| {
            let output = block * LANES + lane;
            if output < outputs { value(output) } else { 0.0 }
        };
        let blocks = 0..outputs.div_ceil(LANES);
        Self {
            bias: blocks
                .clone()
                .map(|block| Lanes(std::array::from_fn(|at| lane(block, at, &bias))))
                .collect(),
            blocks: blocks
                .map(|block| {
                    std::array::from_fn(|input| {
                        let value = |output| weight(output, input);
                        Lanes(std::array::from_fn(|at| lane(block, at, &value)))
                    })
                })
                .collect(),
        }
    }

    /// Writes each frame's outputs, one frame's row after the other's.
    ///
    /// Frame `n` reads `INPUTS` numbers of `inputs` from `n * hop` on. `FUSED` says that the
    /// machine fuses multiplication and addition; where it does not, asking for it is slow.
    ///
    /// # Panics
    /// Where `inputs` or `outputs` is too short: their lengths are constants of the caller's.
    #[inline(always)]
    pub(super) fn apply<const FUSED: bool>(&self, inputs: &[f32], hop: usize, outputs: &mut [f32]) {
        let frames: [&[f32; INPUTS]; FRAMES] = std::array::from_fn(|frame| {
            inputs[frame * hop..].first_chunk().expect("the caller's constants fit")
        });
        let row = self.bias.len() * LANES;
        for (at, (block, bias)) in self.blocks.iter().zip(&self.bias).enumerate() {
            let mut sums = [bias.0; FRAMES];
            for (input, weights) in block.iter().enumerate() {
                for (sum, frame) in sums.iter_mut().zip(&frames) {
                    let x = frame[input];
                    for (sum, weight) in sum.iter_mut().zip(&weights.0) {
                        *sum = if FUSED { x.mul_add(*weight, *sum) } else { *sum + x * *weight };
                    }
                }
            }
            for (frame, sum) in sums.iter().enumerate() {
                let start = frame * row + at * LANES;
                outputs[start..start + LANES].copy_from_slice(sum);
            }
        }
    }
}

impl<const INPUTS: usize, const FRAMES: usize, const LANES: usize> fmt::Debug
    for Dense<INPUTS, FRAMES, LANES>
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Dense({INPUTS} -> {})", self.bias.len() * LANES)
    }
}
