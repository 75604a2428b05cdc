//! Packet loss concealment for narrowband and wideband waveforms, in the manner of ITU-T G.711
//! Appendix I (1999): the last pitch period is repeated with overlapping joints, after 10 ms the
//! last two, after 20 ms the last three; it fades from 10 ms on and is silent after 60 ms; the
//! first sound after the loss is faded in over the made-up one.
//!
//! Unlike the Appendix it adds no delay: instead of holding the last 3.75 ms back to overlap them,
//! the step at the joint is measured and faded out. Absent: anything a codec knows of its own
//! loss (Opus, G.722 conceal for themselves).

use crate::SampleRate;

/// Shortest and longest pitch period looked for, as frequencies: 200 Hz to 66 Hz (Appendix I).
const PITCH_MAX_HZ: usize = 200;
const PITCH_MIN_HZ: usize = 66;
/// History kept: three of the longest periods and a quarter of one (Appendix I: 48.75 ms).
const HISTORY_PERIODS_QUARTERS: usize = 13;

/// Makes up sound where packets are lost. One for each decoder.
///
/// # Real-time
/// Allocates when made, never after. A loss costs one pitch search: some 10 000 multiplications
/// at 8 kHz.
///
/// # Examples
/// ```
/// use cordboard_audio::{Concealer, SampleRate};
///
/// let mut concealer = Concealer::new(SampleRate::NARROW);
/// let mut sound: Vec<f32> = (0..480).map(|n| (n as f32 * 0.1).sin()).collect();
/// concealer.receive(&mut sound);
/// let mut hole = [0.0; 160];
/// concealer.conceal_into(&mut hole);
/// assert!(hole.iter().any(|sample| sample.abs() > 0.5));
/// ```
#[derive(Clone, Debug)]
pub struct Concealer {
    rate: SampleRate,
    history: Box<[f32]>,
    /// The history as it was when the loss began, from which the sound is made.
    source: Box<[f32]>,
    loss: Option<Loss>,
}

/// A loss under way.
#[derive(Clone, Copy, Debug)]
struct Loss {
    /// Samples made up so far.
    made: usize,
    /// Pitch period, samples.
    period: usize,
    now: Cycle,
    /// The cycle being faded from, and the samples for which it is still to be heard.
    before: Option<(Cycle, usize)>,
    /// Step between the last sample received and the first made up.
    step: f32,
    /// The loudest that was heard: nothing louder is made up.
    loudest: f32,
}

/// A stretch of the source that is repeated.
#[derive(Clone, Copy, Debug)]
struct Cycle {
    periods: usize,
    position: usize,
}

impl Concealer {
    /// Makes one that has heard silence.
    #[must_use]
    pub fn new(rate: SampleRate) -> Self {
        let longest = rate.hz() as usize / PITCH_MIN_HZ;
        let history = vec![0.0; (longest * HISTORY_PERIODS_QUARTERS).div_ceil(4)];
        let history = history.into_boxed_slice();
        Self { rate, source: history.clone(), history, loss: None }
    }

    /// Takes note of sound received; where a loss ended it, its begin is faded in.
    pub fn receive(&mut self, samples: &mut [f32]) {
        if let Some(loss) = self.loss {
            let overlap = self.overlap(&loss).min(samples.len());
            for (n, sample) in samples[..overlap].iter_mut().enumerate() {
                let rise = (n + 1) as f32 / (overlap + 1) as f32;
                *sample = *sample * rise + self.make_up() * (1.0 - rise);
            }
            self.loss = None;
        }
        self.remember(samples);
    }

    /// Fills `out` with what might have come.
    pub fn conceal_into(&mut self, out: &mut [f32]) {
        if self.loss.is_none() {
            self.begin();
        }
        for sample in out.iter_mut() {
            *sample = self.make_up();
        }
        self.remember(out);
    }

    /// Whether the loss has lasted so long that only silence is made.
    #[must_use]
    pub fn is_muted(&self) -> bool {
        self.loss.is_some_and(|loss| loss.made >= self.samples_of_ms(60))
    }

    /// Forgets all sound.
    pub fn reset(&mut self) {
        self.history.fill(0.0);
        self.loss = None;
    }

    fn begin(&mut self) {
        self.source.copy_from_slice(&self.history);
        let end = self.source.len();
        let period = self.pitch();
        self.loss = Some(Loss {
            made: 0,
            period,
            now: Cycle { periods: 1, position: 0 },
            before: None,
            step: self.source[end - 1] - self.source[end - 1 - period],
            loudest: self.source.iter().fold(0.0, |most, sample| most.max(sample.abs())),
        });
    }

    fn make_up(&mut self) -> f32 {
        let (ten_ms, sixty_ms) = (self.samples_of_ms(10), self.samples_of_ms(60));
        let Some(mut loss) = self.loss else { return 0.0 };
        let quarter = loss.period / 4;
        let periods = (1 + loss.made / ten_ms).min(3);
        if periods > loss.now.periods {
            loss.before = Some((loss.now, quarter));
            loss.now.periods = periods;
        }
        let mut sample = loss.now.next(&self.source, loss.period);
        if let Some((mut cycle, left)) = loss.before {
            let fall = left as f32 / (quarter + 1) as f32;
            sample = sample * (1.0 - fall) + cycle.next(&self.source, loss.period) * fall;
            loss.before = (left > 1).then(|| (cycle, left - 1));
        }
        if loss.made < quarter {
            sample += loss.step * (1.0 - loss.made as f32 / quarter as f32);
        }
        // Appendix I: a fifth less at each 10 ms from the second on.
        let over = loss.made.saturating_sub(ten_ms);
        let gain = 1.0 - over as f32 / (sixty_ms - ten_ms) as f32;
        loss.made += 1;
        self.loss = Some(loss);
        (sample * gain.max(0.0)).clamp(-loss.loudest, loss.loudest)
    }

    /// Samples over which sound fades in after the loss: a quarter of a period, and 4 ms more for
    /// each 10 ms lost after the first, at most 10 ms.
    fn overlap(&self, loss: &Loss) -> usize {
        let tens = (loss.made / self.samples_of_ms(10)).saturating_sub(1);
        (loss.period / 4 + tens * self.samples_of_ms(4)).min(self.samples_of_ms(10))
    }

    /// Pitch period at which the last 20 ms correlate best with what was before them.
    fn pitch(&self) -> usize {
        let (shortest, longest) =
            (self.rate.hz() as usize / PITCH_MAX_HZ, self.rate.hz() as usize / PITCH_MIN_HZ);
        let window = self.samples_of_ms(20);
        // First every other period over every other sample, then all around the best.
        let coarse = (shortest..=longest).step_by(2);
        let best = self.best_of(coarse, window, 2);
        self.best_of(best.saturating_sub(1).max(shortest)..=(best + 1).min(longest), window, 1)
    }

    fn best_of(&self, periods: impl Iterator<Item = usize>, window: usize, stride: usize) -> usize {
        let end = self.source.len();
        let recent = &self.source[end - window..];
        let mut best = (self.rate.hz() as usize / PITCH_MIN_HZ, f32::MIN);
        for period in periods {
            let past = &self.source[end - window - period..end - period];
            let pairs = || recent.iter().zip(past).step_by(stride);
            let product: f32 = pairs().map(|(a, b)| a * b).sum();
            let energy: f32 = pairs().map(|(_, b)| b * b).sum();
            let match_of = product / energy.max(1e-6).sqrt();
            if match_of > best.1 {
                best = (period, match_of);
            }
        }
        best.0
    }

    fn remember(&mut self, samples: &[f32]) {
        let kept = self.history.len();
        let samples = &samples[samples.len().saturating_sub(kept)..];
        self.history.copy_within(samples.len().., 0);
        self.history[kept - samples.len()..].copy_from_slice(samples);
    }

    const fn samples_of_ms(&self, ms: usize) -> usize {
        self.rate.hz() as usize * ms / 1_000
    }
}

impl Cycle {
    /// Next sample of the cycle. Its last quarter period is faded into what lies before its begin,
    /// so that it closes without a step.
    fn next(&mut self, source: &[f32], period: usize) -> f32 {
        let (length, quarter) = (self.periods * period, period / 4);
        let begin = source.len() - length;
        let at = self.position;
        self.position = (at + 1) % length;
        let sample = source[begin + at];
        let left = length - at;
        if left > quarter {
            return sample;
        }
        let rise = (quarter - left + 1) as f32 / (quarter + 1) as f32;
        sample * (1.0 - rise) + source[begin - left] * rise
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::level::rms;

    /// A voiced sound: harmonics of 110 Hz.
    fn voice(rate: SampleRate, samples: usize) -> Vec<f32> {
        let step = std::f32::consts::TAU * 110.0 / rate.hz() as f32;
        (0..samples)
            .map(|n| (1..6).map(|k| (n as f32 * step * k as f32).sin() / k as f32).sum::<f32>())
            .map(|sample| sample * 0.2)
            .collect()
    }

    #[test]
    fn a_lost_frame_of_voice_is_nearly_what_was_lost() {
        for rate in [SampleRate::NARROW, SampleRate::WIDE] {
            let ten_ms = rate.frame_samples() / 2;
            let whole = voice(rate, 12 * ten_ms);
            let mut concealer = Concealer::new(rate);
            concealer.receive(&mut whole[..10 * ten_ms].to_vec());
            let mut made = vec![0.0; ten_ms];
            concealer.conceal_into(&mut made);
            let lost = &whole[10 * ten_ms..11 * ten_ms];
            let off: Vec<f32> = made.iter().zip(lost).map(|(a, b)| a - b).collect();
            assert!(rms(&off) < 0.2 * rms(lost), "{rate:?}: {} of {}", rms(&off), rms(lost));
        }
    }

    #[test]
    fn it_fades_and_is_silent_after_sixty_ms() {
        let mut concealer = Concealer::new(SampleRate::NARROW);
        concealer.receive(&mut voice(SampleRate::NARROW, 800));
        let mut levels = Vec::new();
        for _ in 0..8 {
            let mut made = [0.0; 80];
            concealer.conceal_into(&mut made);
            levels.push(rms(&made));
        }
        assert!(levels[0] > 0.1);
        assert!(levels[2] > levels[4] && levels[4] > levels[5], "{levels:?}");
        assert_eq!(levels[6..], [0.0, 0.0]);
        assert!(concealer.is_muted());
    }

    #[test]
    fn no_joint_steps_more_than_the_voice_does() {
        for (lost, phase) in [(80, 0), (160, 13), (240, 31), (400, 50), (800, 7)] {
            let whole = voice(SampleRate::NARROW, 2_400 + phase);
            let whole = &whole[phase..];
            let steepest = steepest(whole);
            let mut played = whole.to_vec();
            let mut concealer = Concealer::new(SampleRate::NARROW);
            concealer.receive(&mut played[..1_000]);
            concealer.conceal_into(&mut played[1_000..1_000 + lost]);
            concealer.receive(&mut played[1_000 + lost..]);
            assert!(
                self::steepest(&played) < 1.6 * steepest,
                "{lost} lost: {} against {steepest}",
                self::steepest(&played)
            );
        }
    }

    #[test]
    fn a_voice_that_swells_is_joined_without_a_step() {
        for end in 600..680 {
            let swelling = |n: usize| (n as f32 * 0.005).exp() * 0.01;
            let voice = voice(SampleRate::NARROW, end);
            let mut played: Vec<_> =
                voice.iter().enumerate().map(|(n, sample)| sample * swelling(n)).collect();
            let steepest = steepest(&played);
            let mut concealer = Concealer::new(SampleRate::NARROW);
            concealer.receive(&mut played);
            let mut made = [0.0; 160];
            concealer.conceal_into(&mut made);
            played.extend_from_slice(&made);
            let joint = self::steepest(&played[end - 1..]);
            assert!(joint < 1.1 * steepest, "end {end}: {joint} against {steepest}");
        }
    }

    #[test]
    fn silence_is_concealed_by_silence() {
        let mut concealer = Concealer::new(SampleRate::NARROW);
        let mut made = [1.0; 160];
        concealer.conceal_into(&mut made);
        assert_eq!(made, [0.0; 160]);
    }

    fn steepest(samples: &[f32]) -> f32 {
        samples.windows(2).map(|pair| (pair[1] - pair[0]).abs()).fold(0.0, f32::max)
    }

    /// 16-bit words of a vector of ITU-T's software tool library, where the vectors are.
    fn vector(name: &str) -> Option<Vec<i16>> {
        let folder = "../../shared/data/sip/codec-vectors/g711-plc";
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(folder).join(name);
        let Ok(bytes) = std::fs::read(&path) else {
            println!("left out: {} is not there", path.display());
            return None;
        };
        Some(bytes.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect())
    }

    /// What is wrong with `played`, as a share of the sound's power.
    fn off(played: &[f32], sound: &[f32]) -> f32 {
        let noise: Vec<f32> = played.iter().zip(sound).map(|(a, b)| a - b).collect();
        (rms(&noise) / rms(sound)).powi(2)
    }

    #[test]
    fn what_is_made_up_is_as_near_as_the_appendix_s_own() {
        const LOST: i16 = 0x6b20;
        for (lost, theirs) in [("fe10.g192", "f2_10.raw"), ("fe10_2.g192", "f2_10_2.raw")] {
            let (Some(sound), Some(lost), Some(theirs)) =
                (vector("f2.le"), vector(lost), vector(theirs))
            else {
                return;
            };
            let floats = |words: &[i16]| -> Vec<f32> {
                words.iter().map(|word| f32::from(*word) / 32_768.0).collect()
            };
            let (sound, theirs) = (floats(&sound), floats(&theirs));
            let mut ours = sound.clone();
            let mut concealer = Concealer::new(SampleRate::NARROW);
            let (mut lost_sound, mut made_up) = (Vec::new(), Vec::new());
            let frames = ours.chunks_exact_mut(80).zip(sound.chunks_exact(80));
            for ((frame, whole), lost) in frames.zip(lost.iter().cycle()) {
                if *lost == LOST {
                    concealer.conceal_into(frame);
                    lost_sound.extend_from_slice(whole);
                    made_up.extend_from_slice(frame);
                } else {
                    concealer.receive(frame);
                }
            }
            let [ours, theirs] = [&ours, &theirs].map(|it| off(it, &sound));
            let level = rms(&made_up) / rms(&lost_sound);
            println!("off by {ours:.4}, the Appendix by {theirs:.4}; {level:.2} as loud");
            assert!(ours < theirs * 1.1);
            assert!((0.7..1.3).contains(&level), "{level} as loud as what was lost");
        }
    }
}
