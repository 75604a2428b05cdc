//! Which packet is which: indices behind wrapping sequence numbers, and a window against replay.

/// Packets that may overtake one another: 2.5 s at 20 ms.
const WIDTH: u64 = 128;

/// The indices seen of one source (RFC 3711 §3.3.2). Changes only by packets that authenticated.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Window {
    /// Highest index, and a bit for each at and below it.
    highest: u64,
    seen: u128,
}

impl Window {
    /// The index that a sequence number most likely stands for (RFC 3711 appendix A); `None`
    /// before the first of the stream.
    pub(super) fn estimate(&self, sequence: u16) -> Option<u64> {
        let (rollover, last) = (self.highest >> 16, self.highest as u16);
        let rollover = match last.checked_sub(0x8000) {
            _ if self.seen == 0 => 0,
            None if sequence > last && sequence - last > 0x8000 => rollover.checked_sub(1)?,
            Some(behind) if behind > sequence => rollover + 1,
            None | Some(_) => rollover,
        };
        Some((rollover << 16) | u64::from(sequence))
    }

    /// Whether an index is neither seen nor too old to know.
    pub(super) fn is_new(&self, index: u64) -> bool {
        match self.highest.checked_sub(index) {
            None => true,
            _ if self.seen == 0 => true,
            Some(age) => age < WIDTH && self.seen >> age & 1 == 0,
        }
    }

    /// Notes an index that authenticated and was new.
    pub(super) fn note(&mut self, index: u64) {
        if self.seen == 0 {
            *self = Self { highest: index, seen: 1 };
            return;
        }
        match index.checked_sub(self.highest) {
            Some(ahead) => {
                let moved = u32::try_from(ahead).ok().and_then(|it| self.seen.checked_shl(it));
                *self = Self { highest: index, seen: moved.unwrap_or(0) | 1 };
            }
            None => self.seen |= 1 << (self.highest - index).min(WIDTH - 1),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_packet_counts_once_and_very_old_ones_never() {
        let mut window = Window::default();
        for index in [1_000, 1_002, 1_001, 1_100] {
            assert!(window.is_new(index), "{index}");
            window.note(index);
            assert!(!window.is_new(index), "{index}");
        }
        assert!(window.is_new(1_003) && window.is_new(1_100 - 127));
        assert!(!window.is_new(1_100 - 128) && !window.is_new(0));
        window.note(1_000_000);
        assert!(!window.is_new(1_100) && window.is_new(1_000_001) && window.is_new(999_900));
    }

    #[test]
    fn a_late_packet_does_not_move_the_rollover() {
        let mut window = Window::default();
        for (sequence, index) in
            [(65_534, 65_534), (0, 65_536), (65_535, 65_535), (1, 65_537), (40_000, 40_000)]
        {
            assert_eq!(window.estimate(sequence), Some(index), "{sequence}");
            if window.is_new(index) {
                window.note(index);
            }
        }
        assert_eq!(window.estimate(2), Some(65_538));
        let mut fresh = Window::default();
        fresh.note(3);
        assert_eq!(fresh.estimate(65_000), None, "it was sent before the stream began");
    }

    proptest! {
        #[test]
        fn every_index_is_found_again_from_its_sequence_number(
            first in 0_u16.., steps in proptest::collection::vec(-60_i64..4_000, 1..400),
        ) {
            let mut window = Window::default();
            let mut at = i64::from(first);
            window.note(at as u64);
            for step in steps {
                at = (at + step).max(0);
                let highest = window.highest;
                let found = window.estimate(at as u16);
                if (at as u64) + 30_000 > highest {
                    prop_assert_eq!(found, Some(at as u64));
                    if window.is_new(at as u64) {
                        window.note(at as u64);
                        prop_assert!(!window.is_new(at as u64));
                    }
                }
            }
        }
    }
}
