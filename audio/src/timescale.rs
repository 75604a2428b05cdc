//! Making sound shorter or longer without changing its pitch: a period is left out or repeated,
//! faded over the one beside it (overlap-add at the pitch; W. Verhelst, M. Roelands, "WSOLA",
//! ICASSP 1993).
//!
//! The two stretches that are faded are those that are most alike. Where none are alike, as in
//! the begin of a word, nothing is done. Absent: any choice of when, which is the receiver's.

use crate::SampleRate;

/// Shortest stretch, as a frequency.
const SHORTEST_HZ: usize = 400;
/// Longest stretch, as a frequency: 20 ms.
const LONGEST_HZ: usize = 50;
/// How much more alike a stretch must be for each ms by which it is shorter.
const FAVOUR_PER_MS: f32 = 0.004;

/// Longest stretch that is left out or repeated, samples.
#[must_use]
pub(crate) const fn longest(rate: SampleRate) -> usize {
    rate.hz() as usize / LONGEST_HZ
}

/// Looks for the period, of at most `most` samples, at which the begin of the sound is most like
/// what follows it, and at least `alike` (1 is the same). `sound` has two such periods or more.
///
/// # Real-time
/// No allocation; some 6 000 multiplications, at most.
pub(crate) fn period(sound: &[f32], rate: SampleRate, most: usize, alike: f32) -> Option<usize> {
    let shortest = rate.hz() as usize / SHORTEST_HZ;
    let most = most.min(longest(rate)).min(sound.len() / 2);
    let per_ms = rate.hz() as usize / 1_000;
    let stride = per_ms / 4;
    let score = |period: usize, stride: usize| {
        let alikeness = alikeness(&sound[..period], &sound[period..2 * period], stride);
        (alikeness, alikeness + FAVOUR_PER_MS * (period / per_ms) as f32)
    };
    let best = |periods: &mut dyn Iterator<Item = usize>, stride: usize| {
        periods
            .map(|period| (period, score(period, stride)))
            .max_by(|(_, (_, a)), (_, (_, b))| a.total_cmp(b))
    };
    let (coarse, _) = best(&mut (shortest..=most).step_by(per_ms / 4), stride)?;
    let around = coarse.saturating_sub(per_ms / 4).max(shortest)..=(coarse + per_ms / 4).min(most);
    let (period, (alikeness, _)) = best(&mut around.into_iter(), stride / 2)?;
    (alikeness >= alike).then_some(period)
}

/// Leaves the first period out, faded into the second; returns how much shorter the sound is.
pub(crate) fn shorten(sound: &mut [f32], period: usize) -> usize {
    for n in 0..period {
        let rise = (n + 1) as f32 / (period + 1) as f32;
        sound[n] = sound[n] * (1.0 - rise) + sound[n + period] * rise;
    }
    sound.copy_within(2 * period.., period);
    period
}

/// Plays the first period twice, the second time in place of where the second one begins, faded
/// into it; `sound` has room behind its `len` samples. Returns how much longer the sound is.
pub(crate) fn lengthen(sound: &mut [f32], len: usize, period: usize) -> usize {
    sound.copy_within(period..len, 2 * period);
    for n in 0..period {
        // The second period, faded into the first, after which comes the second again.
        let rise = (n + 1) as f32 / (period + 1) as f32;
        sound[period + n] = sound[2 * period + n] * (1.0 - rise) + sound[n] * rise;
    }
    period
}

/// 1 where both are the same or silent, less where they differ in shape or in level.
fn alikeness(one: &[f32], other: &[f32], stride: usize) -> f32 {
    let (mut product, mut energies) = (0.0, (0.0, 0.0));
    for (a, b) in one.iter().zip(other).step_by(stride.max(1)) {
        product += a * b;
        energies = (energies.0 + a * a, energies.1 + b * b);
    }
    let energy = energies.0 + energies.1;
    if energy < 1e-9 { 1.0 } else { 2.0 * product / energy }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn voice(hz: f32, rate: SampleRate, samples: usize) -> Vec<f32> {
        let step = std::f32::consts::TAU * hz / rate.hz() as f32;
        (0..samples)
            .map(|n| (1..7).map(|k| (n as f32 * step * k as f32).sin() / k as f32).sum::<f32>())
            .map(|sample| sample * 0.2)
            .collect()
    }

    fn steepest(samples: &[f32]) -> f32 {
        samples.windows(2).map(|pair| (pair[1] - pair[0]).abs()).fold(0.0, f32::max)
    }

    #[test]
    fn a_voice_is_cut_and_repeated_at_its_pitch_and_nothing_is_heard_of_it() {
        for rate in [SampleRate::NARROW, SampleRate::WIDE] {
            for hz in [70.0, 110.0, 230.0] {
                let whole = voice(hz, rate, 5 * rate.frame_samples());
                let found = period(&whole, rate, longest(rate), 0.9);
                let Some(period) = found else { panic!("no period at {hz} Hz") };
                let pitch = rate.hz() as f32 / hz;
                let periods = period as f32 / pitch;
                assert!((periods - periods.round()).abs() < 0.1, "{hz} Hz: {period} samples");

                let mut shorter = whole.clone();
                let cut = shorten(&mut shorter, period);
                shorter.truncate(whole.len() - cut);
                assert!(steepest(&shorter) < 1.2 * steepest(&whole), "{hz} Hz");

                let mut longer = [&whole[..], &vec![0.0; period]].concat();
                assert_eq!(lengthen(&mut longer, whole.len(), period), period);
                assert!(steepest(&longer) < 1.2 * steepest(&whole), "{hz} Hz");
                assert_eq!(longer[longer.len() - 10..], whole[whole.len() - 10..]);
            }
        }
    }

    #[test]
    fn what_is_not_alike_has_no_period() {
        let mut noise = crate::comfort::ComfortNoise::new(1);
        noise.describe(&[20]);
        let mut sound = [0.0; 320];
        noise.fill(&mut sound);
        assert_eq!(period(&sound, SampleRate::NARROW, 160, 0.8), None);
        assert!(period(&sound, SampleRate::NARROW, 160, -1.0).is_some());
        assert_eq!(period(&sound[..30], SampleRate::NARROW, 160, -1.0), None);
    }

    #[test]
    fn silence_is_like_itself_and_cut_as_far_as_may_be() {
        assert_eq!(period(&[0.0; 320], SampleRate::NARROW, 160, 0.9), Some(160));
        assert_eq!(period(&[0.0; 320], SampleRate::NARROW, 75, 0.9), Some(75));
    }
}
