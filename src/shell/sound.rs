//! The last seconds of a caller's sound, for a judge that wants to hear a turn again.
//!
//! Kept as μ-law: an eighth of its samples' room, and nothing is lost of what came by G.711.

use std::time::Duration;

use cordboard_audio::codec::g711;

/// 8 s at 8 kHz.
const KEPT: usize = 64_000;

/// What the caller sounded like of late.
#[derive(Debug)]
pub(super) struct Sound {
    ring: Box<[u8]>,
    /// Where the next sample goes.
    next: usize,
    /// How many are there.
    len: usize,
}

impl Default for Sound {
    fn default() -> Self {
        Self { ring: vec![0; KEPT].into(), next: 0, len: 0 }
    }
}

impl Sound {
    /// Takes samples at 8 kHz, not more than are kept.
    ///
    /// # Real-time
    /// No allocation.
    pub(super) fn keep(&mut self, samples: &[f32]) {
        let until_end = samples.len().min(KEPT - self.next);
        let (now, after) = samples.split_at(until_end);
        g711::encode_ulaw_into(now, &mut self.ring[self.next..self.next + now.len()]);
        g711::encode_ulaw_into(after, &mut self.ring[..after.len()]);
        self.next = (self.next + samples.len()) % KEPT;
        self.len = (self.len + samples.len()).min(KEPT);
    }

    /// The last so much of it, or what there is.
    pub(super) fn last(&self, lasting: Duration) -> Vec<u8> {
        let wanted = usize::try_from(lasting.as_millis()).unwrap_or(KEPT).saturating_mul(8);
        let count = wanted.min(self.len);
        let from = (self.next + KEPT - count) % KEPT;
        let until_end = count.min(KEPT - from);
        [&self.ring[from..from + until_end], &self.ring[..count - until_end]].concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Samples that are told apart, each a value of μ-law.
    fn samples(from: usize, count: usize) -> (Vec<u8>, Vec<f32>) {
        let bytes: Vec<u8> = (from..from + count).map(|n| (n % 127) as u8).collect();
        let mut samples = vec![0.0; count];
        g711::decode_ulaw_into(&bytes, &mut samples);
        (bytes, samples)
    }

    #[test]
    fn what_is_asked_for_is_the_last_of_it() {
        let mut sound = Sound::default();
        assert!(sound.last(Duration::from_secs(1)).is_empty());
        let (bytes, kept) = samples(0, 320);
        sound.keep(&kept);
        assert_eq!(sound.last(Duration::from_millis(20)), bytes[160..]);
        assert_eq!(sound.last(Duration::from_secs(60)), bytes);
    }

    #[test]
    fn what_is_older_than_eight_seconds_is_forgotten() {
        let mut sound = Sound::default();
        let (bytes, kept) = samples(0, 96_000);
        for frame in kept.chunks(150) {
            sound.keep(frame);
        }
        assert_eq!(sound.last(Duration::from_secs(9)), bytes[32_000..]);
        assert_eq!(sound.last(Duration::from_millis(10)), bytes[95_920..]);
    }
}
