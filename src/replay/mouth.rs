//! What a phone says and presses, 20 ms at a time: the scripted phone's, a load's caller's, a
//! human's of ours. Pure: where it goes, and what is laid over it, is the phone's.

use std::sync::Arc;

use cordboard_audio::SampleRate;
use cordboard_audio::codec::{Codec, Encoder};
use cordboard_audio::halfband::Doubler;

use crate::call::EncodedFrame;

/// How long a key is pressed.
pub(super) const KEY_MS: u32 = 120;
/// Ticks between two keys.
const KEY_SPACING: u32 = 12;
/// Samples of 20 ms at 8 kHz.
pub(super) const FRAME: usize = 160;

/// See the module.
pub(super) struct Mouth {
    saying: Option<(Arc<[f32]>, usize)>,
    /// The last one first.
    keying: Vec<char>,
    key_in: u32,
    encoder: Encoder,
    /// To the rate of a wide codec.
    doubler: Doubler,
}

impl Mouth {
    pub(super) fn new() -> Self {
        Self {
            saying: None,
            keying: Vec::new(),
            key_in: 0,
            encoder: Encoder::new(Codec::Pcmu),
            doubler: Doubler::new(),
        }
    }

    /// Whether something is still to be said or pressed.
    pub(super) fn is_busy(&self) -> bool {
        self.saying.is_some() || !self.keying.is_empty()
    }

    /// Says this from now on: 8 kHz, [-1, 1].
    pub(super) fn say(&mut self, sound: Arc<[f32]>) {
        self.saying = Some((sound, 0));
    }

    /// Presses these from now on.
    pub(super) fn key(&mut self, keys: &str) {
        self.keying = keys.chars().rev().collect();
    }

    /// The next 20 ms, and where what is said ends in them, samples.
    pub(super) fn speak(&mut self) -> ([f32; FRAME], Option<usize>) {
        let mut frame = [0.0; FRAME];
        let Some((sound, at)) = self.saying.as_mut() else { return (frame, None) };
        let rest = &sound[*at..];
        let count = rest.len().min(FRAME);
        frame[..count].copy_from_slice(&rest[..count]);
        *at += count;
        let ends = *at == sound.len();
        if ends {
            self.saying = None;
        }
        (frame, ends.then_some(count))
    }

    /// Codes 20 ms.
    pub(super) fn encode(&mut self, frame: &[f32; FRAME], codec: Codec) -> EncodedFrame {
        if codec != self.encoder.codec() {
            self.encoder = Encoder::new(codec);
        }
        let mut encoded = EncodedFrame { len: 0, payload: [0; 320] };
        encoded.len = match codec.rate() {
            SampleRate::WIDE => {
                let mut wide = [0.0; 2 * FRAME];
                self.doubler.push_into(frame, &mut wide);
                self.encoder.encode_into(&wide, &mut encoded.payload)
            }
            _ => self.encoder.encode_into(frame, &mut encoded.payload),
        };
        encoded
    }

    /// The key that is pressed in these 20 ms.
    pub(super) fn press(&mut self) -> Option<char> {
        if self.key_in > 0 {
            self.key_in -= 1;
            return None;
        }
        let digit = self.keying.pop()?;
        self.key_in = KEY_SPACING;
        Some(digit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_ends_where_its_sound_does_and_keys_are_apart() {
        let mut mouth = Mouth::new();
        mouth.say([0.5; 400].into());
        mouth.key("1#");
        let ends: Vec<Option<usize>> = (0..4).map(|_| mouth.speak().1).collect();
        assert_eq!(ends, [None, None, Some(80), None]);
        let pressed: String = (0..40).filter_map(|_| mouth.press()).collect();
        assert_eq!(pressed, "1#");
        assert!(!mouth.is_busy());
    }
}
