//! Adding sounds: with gain, saturating at full scale.
//!
//! Absent: any gain control; who mixes says how loud.

use crate::Frame;

/// Adds `add` times `gain` onto `onto`, sample by sample over the shorter of the two; sums beyond
/// [-1, 1] saturate.
///
/// # Real-time
/// No allocation, O(n).
///
/// # Examples
/// ```
/// let mut onto = [0.5, 0.9];
/// cordboard_audio::mix::add_into(&mut onto, &[0.5, 0.5], 0.5);
/// assert_eq!(onto, [0.75, 1.0]);
/// ```
pub fn add_into(onto: &mut [f32], add: &[f32], gain: f32) {
    for (sum, sample) in onto.iter_mut().zip(add) {
        *sum = sample.mul_add(gain, *sum).clamp(-1.0, 1.0);
    }
}

/// Adds a frame times `gain` onto another.
///
/// # Panics
/// Where their rates differ: whoever joins legs resamples first.
///
/// # Examples
/// ```
/// use cordboard_audio::{Frame, MediaTime, SampleRate, mix};
///
/// let mut caller = Frame::silence(MediaTime::ZERO, SampleRate::NARROW);
/// let mut music = caller;
/// music.samples_mut().fill(0.5);
/// mix::add_frame(&mut caller, &music, 0.25);
/// assert_eq!(caller.samples()[0], 0.125);
/// ```
pub fn add_frame(onto: &mut Frame, add: &Frame, gain: f32) {
    assert_eq!(onto.rate(), add.rate(), "frames of one rate are mixed");
    add_into(onto.samples_mut(), add.samples(), gain);
}

/// Multiplies every sample by `gain`, saturating.
pub fn scale(samples: &mut [f32], gain: f32) {
    for sample in samples {
        *sample = (*sample * gain).clamp(-1.0, 1.0);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{MediaTime, SampleRate};

    #[test]
    fn a_frame_is_added_over_its_whole_length() {
        let mut onto = Frame::silence(MediaTime::ZERO, SampleRate::WIDE);
        let mut add = onto;
        add.samples_mut().fill(0.25);
        add_frame(&mut onto, &add, 2.0);
        assert!(onto.samples().iter().all(|sample| *sample == 0.5));
    }

    #[test]
    fn scaling_saturates() {
        let mut samples = [0.5, -0.9];
        scale(&mut samples, 2.0);
        assert_eq!(samples, [1.0, -1.0]);
    }

    proptest! {
        #[test]
        fn no_sum_leaves_full_scale(
            mut onto in prop::collection::vec(-1.0_f32..=1.0, 0..50),
            add in prop::collection::vec(-1.0_f32..=1.0, 0..50),
            gain in -4.0_f32..4.0,
        ) {
            let before = onto.clone();
            add_into(&mut onto, &add, gain);
            prop_assert!(onto.iter().all(|sum| sum.abs() <= 1.0));
            prop_assert_eq!(onto.get(add.len()..), before.get(add.len()..));
        }
    }
}
