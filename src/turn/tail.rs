//! Where a turn was last to be heard: later than its last voice where a word ends in a hiss ("six",
//! "complaint"), which no detector of speech takes for one.
//!
//! Pure. It says when the turn ended, for whoever counts from there; the pause that ends a turn
//! counts from the voice.

use std::time::Duration;

use cordboard_audio::MediaTime;

/// The closure of a stop within a word ("six", "that's") is no longer.
const CLOSURE: Duration = Duration::from_millis(100);
/// No word hisses for longer: that is the line.
const LONGEST: Duration = Duration::from_millis(300);

/// What comes after the last voice.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Tail {
    sound: MediaTime,
}

impl Tail {
    /// Takes a voice that was last heard at this time.
    pub(super) const fn voice(&mut self, at: MediaTime) {
        self.sound = at;
    }

    /// Takes a stretch from `begin` on without a voice, the first part of which is to be heard.
    pub(super) fn sound(&mut self, begin: MediaTime, heard: Duration) {
        if !heard.is_zero() && begin.since(self.sound) <= CLOSURE {
            self.sound = begin + heard;
        }
    }

    /// When the turn was last to be heard whose voice was last heard at `voice`.
    pub(super) fn end(&self, voice: MediaTime) -> MediaTime {
        if self.sound.since(voice) > LONGEST { voice } else { self.sound.max(voice) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME_MS: u64 = 20;

    /// The end after a voice up to 1 s and these 20 ms, so much of each heard.
    fn end_ms(heard_ms: &[u64]) -> u64 {
        let voice = MediaTime::from_millis(1_000);
        let mut tail = Tail::default();
        tail.voice(voice);
        for (frame, heard) in heard_ms.iter().enumerate() {
            let begin = voice + Duration::from_millis(FRAME_MS * frame as u64);
            tail.sound(begin, Duration::from_millis(*heard));
        }
        tail.end(voice).as_millis()
    }

    #[test]
    fn a_hiss_after_the_last_voice_is_of_the_word_and_one_that_stays_is_of_the_line() {
        for (heard_ms, end) in [
            (vec![], 1_000),
            (vec![0; 20], 1_000),
            (vec![20, 20, 20, 10, 0, 0, 0], 1_070),
            ([vec![0; 4], vec![20, 20, 10], vec![0; 9]].concat(), 1_130),
            ([vec![0; 7], vec![20, 20, 10], vec![0; 9]].concat(), 1_000),
            (vec![20; 15], 1_300),
            (vec![20; 16], 1_000),
        ] {
            assert_eq!(end_ms(&heard_ms), end, "{heard_ms:?}");
        }
    }
}
