//! Changing the rate: by FFT with an anti-aliasing filter (rubato's synchronous resampler).
//!
//! [`resample`] is for whole clips, [`Resampler`] for a stream of frames. Absent: rates that
//! drift; clocks are reconciled in the jitter buffer's pauses.

use audioadapter_buffers::direct::SequentialSlice;
use rubato::{Fft, FixedSync, Resampler as _};

use crate::SampleRate;

/// Block of the filter for whole clips, samples of the input: sharp, delay does not matter.
const CLIP_BLOCK: usize = 1_024;

/// Resamples a whole clip; the delay of the filter is taken out, so that word times stay true.
///
/// # Panics
/// Where a rate is 0.
///
/// # Examples
/// ```
/// let second = vec![0.0; 22_050];
/// assert_eq!(cordboard_audio::resample(&second, 22_050, 8_000).len(), 8_000);
/// ```
#[must_use]
pub fn resample(samples: &[f32], from_hz: u32, to_hz: u32) -> Vec<f32> {
    assert!(from_hz > 0 && to_hz > 0, "a rate is above 0");
    if from_hz == to_hz || samples.is_empty() {
        return samples.to_vec();
    }
    // An even number of the smallest blocks, so that the delay is a whole number of samples.
    let smallest = 2 * (from_hz / divisor(from_hz, to_hz)) as usize;
    let mut fft = fft(from_hz, to_hz, CLIP_BLOCK.next_multiple_of(smallest));
    let input = SequentialSlice::new(samples, 1, samples.len()).expect("one channel of all");
    let output = fft.process_all(&input, samples.len(), None);
    output.expect("adapters are of the length that was said").take_data()
}

/// Resamples a stream of frames, 8 kHz from the telephone to the 16 kHz of a recognizer or back.
///
/// # Real-time
/// Allocates when made, never after. Delays by [`Resampler::delay_samples`]: 10 ms.
///
/// # Examples
/// ```
/// use cordboard_audio::{Resampler, SampleRate};
///
/// let mut resampler = Resampler::new(SampleRate::NARROW, SampleRate::WIDE);
/// let mut wide = [0.0; 320];
/// assert_eq!(resampler.push_into(&[0.1; 160], &mut wide), 320);
/// ```
#[derive(Debug)]
pub struct Resampler {
    /// Samples taken, and made of them, at a time: 20 ms of each rate.
    block: usize,
    made: usize,
    /// None where both rates are the same.
    fft: Option<Fft<f32>>,
    /// Input that does not make up a frame yet.
    pending: Vec<f32>,
}

impl Resampler {
    /// Makes one that has seen silence.
    #[must_use]
    pub fn new(from: SampleRate, to: SampleRate) -> Self {
        Self::between(from.hz(), to.hz()).expect("telephone rates have whole frames")
    }

    /// Makes one between any two rates of whole 20 ms frames, such as a sound card's 44.1 kHz;
    /// none where a rate has no whole frames.
    ///
    /// # Examples
    /// ```
    /// use cordboard_audio::Resampler;
    ///
    /// let mut resampler = Resampler::between(44_100, 16_000).expect("882 samples a frame");
    /// let mut wide = [0.0; 640];
    /// assert_eq!(resampler.push_into(&[0.1; 882], &mut wide), 320);
    /// assert!(Resampler::between(11_025, 16_000).is_none());
    /// ```
    #[must_use]
    pub fn between(from_hz: u32, to_hz: u32) -> Option<Self> {
        let frame = |hz: u32| (hz > 0 && hz.is_multiple_of(50)).then_some((hz / 50) as usize);
        let (block, made) = (frame(from_hz)?, frame(to_hz)?);
        let fft = (from_hz != to_hz).then(|| fft(from_hz, to_hz, block));
        Some(Self { block, made, fft, pending: Vec::with_capacity(block) })
    }

    /// Takes samples in any number and writes as many whole frames of the new rate as they, and
    /// those left from before, make; returns the samples written.
    ///
    /// # Panics
    /// Where `out` is shorter than [`Self::most_samples`] of the input.
    pub fn push_into(&mut self, samples: &[f32], out: &mut [f32]) -> usize {
        let Some(fft) = &mut self.fft else {
            out[..samples.len()].copy_from_slice(samples);
            return samples.len();
        };
        let (block, made) = (self.block, self.made);
        let (mut rest, mut written) = (samples, 0);
        while self.pending.len() + rest.len() >= block {
            let (now, later) = rest.split_at(block - self.pending.len());
            rest = later;
            self.pending.extend_from_slice(now);
            let out = &mut out[written..written + made];
            let input = SequentialSlice::new(&self.pending, 1, block).expect("block is full");
            let mut output = SequentialSlice::new_mut(out, 1, made).expect("cut to length");
            let done = fft.process_into_buffer(&input, &mut output, None);
            written += done.expect("block and output have the lengths that the filter has").1;
            self.pending.clear();
        }
        self.pending.extend_from_slice(rest);
        written
    }

    /// Samples that a push of so many can write at most.
    #[must_use]
    pub const fn most_samples(&self, pushed: usize) -> usize {
        (pushed / self.block + 1) * self.made
    }

    /// Delay of the output, in samples of it.
    #[must_use]
    pub fn delay_samples(&self) -> usize {
        self.fft.as_ref().map_or(0, |fft| fft.output_delay())
    }

    /// Forgets what it has seen.
    pub fn reset(&mut self) {
        self.pending.clear();
        if let Some(fft) = &mut self.fft {
            fft.reset();
        }
    }
}

fn fft(from_hz: u32, to_hz: u32, block: usize) -> Fft<f32> {
    Fft::new_custom(
        from_hz as usize,
        to_hz as usize,
        block,
        1,
        1,
        rubato::WindowFunction::BlackmanHarris2,
        FixedSync::Input,
    )
    .expect("rates and block are above 0")
}

/// Greatest common divisor (Euclid).
const fn divisor(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { divisor(b, a % b) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::level::rms;

    fn sine(hz: f32, rate_hz: u32, samples: usize) -> Vec<f32> {
        let step = std::f32::consts::TAU * hz / rate_hz as f32;
        (0..samples).map(|n| (n as f32 * step).sin() * 0.5).collect()
    }

    #[test]
    fn a_clip_keeps_its_place_in_time() {
        for (from_hz, to_hz) in
            [(8_000, 16_000), (16_000, 8_000), (22_050, 16_000), (48_000, 8_000)]
        {
            let goal = sine(440.0, to_hz, to_hz as usize);
            let got = resample(&sine(440.0, from_hz, from_hz as usize), from_hz, to_hz);
            assert_eq!(got.len(), goal.len());
            let inner = 800..goal.len() - 800;
            let off: Vec<f32> =
                got[inner.clone()].iter().zip(&goal[inner]).map(|(a, b)| a - b).collect();
            assert!(rms(&off) < 0.002, "{from_hz} to {to_hz}: off by {}", rms(&off));
        }
    }

    #[test]
    fn what_the_telephone_cannot_carry_is_taken_out() {
        let out = resample(&sine(5_000.0, 16_000, 16_000), 16_000, 8_000);
        assert!(rms(&out[400..7_600]) < 0.001);
    }

    #[test]
    fn a_stream_is_the_sine_delayed_by_what_it_says() {
        let mut resampler = Resampler::new(SampleRate::NARROW, SampleRate::WIDE);
        let input = sine(1_000.0, 8_000, 8_000);
        let mut out = vec![0.0; resampler.most_samples(input.len())];
        let written = resampler.push_into(&input, &mut out);
        assert_eq!(written, 16_000);
        let delay = resampler.delay_samples();
        assert_eq!(delay, 160);
        let goal = sine(1_000.0, 16_000, 16_000);
        let off: Vec<f32> =
            out[delay + 500..written].iter().zip(&goal[500..]).map(|(a, b)| a - b).collect();
        assert!(rms(&off) < 0.002, "{}", rms(&off));
    }

    #[test]
    fn a_sound_cards_rates_become_the_telephones_and_back() {
        for (from_hz, to_hz) in [
            (44_100, 16_000),
            (48_000, 16_000),
            (16_000, 44_100),
            (16_000, 48_000),
            (16_000, 96_000),
        ] {
            let mut resampler = Resampler::between(from_hz, to_hz).expect("whole frames");
            let input = sine(1_000.0, from_hz, from_hz as usize);
            let mut out = vec![0.0; resampler.most_samples(input.len())];
            assert_eq!(resampler.push_into(&input, &mut out), to_hz as usize);
            let delay = resampler.delay_samples();
            let goal = sine(1_000.0, to_hz, to_hz as usize);
            let off: Vec<f32> = out[delay + 2_000..to_hz as usize]
                .iter()
                .zip(&goal[2_000..])
                .map(|(a, b)| a - b)
                .collect();
            assert!(rms(&off) < 0.002, "{from_hz} to {to_hz}: {}", rms(&off));
        }
    }

    #[test]
    fn the_same_rate_passes_through() {
        let mut resampler = Resampler::new(SampleRate::WIDE, SampleRate::WIDE);
        let mut out = [0.0; 3];
        assert_eq!(resampler.push_into(&[0.1, 0.2, 0.3], &mut out), 3);
        assert_eq!(out, [0.1, 0.2, 0.3]);
        assert_eq!(resample(&[0.1], 8_000, 8_000), [0.1]);
    }

    proptest! {
        #[test]
        fn a_stream_is_the_same_however_it_is_cut(
            cuts in prop::collection::vec(0_usize..400, 1..9),
        ) {
            let input = sine(700.0, 8_000, cuts.iter().sum());
            let mut whole = Resampler::new(SampleRate::NARROW, SampleRate::WIDE);
            let mut goal = vec![0.0; whole.most_samples(input.len())];
            let length = whole.push_into(&input, &mut goal);
            prop_assert_eq!(length, input.len() / 160 * 320);

            let mut resampler = Resampler::new(SampleRate::NARROW, SampleRate::WIDE);
            let (mut got, mut rest) = (Vec::new(), &input[..]);
            for cut in cuts {
                let (now, later) = rest.split_at(cut);
                rest = later;
                let mut out = vec![0.0; resampler.most_samples(cut)];
                let written = resampler.push_into(now, &mut out);
                got.extend_from_slice(&out[..written]);
            }
            prop_assert_eq!(&got[..], &goal[..length]);
        }
    }
}
