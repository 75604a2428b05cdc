//! Where in its stream the buffer is: extended sequence and timestamp, what has been had, and
//! whether it plays.
//!
//! Follows RFC 3550 A.1 in what it believes of a sequence number.

use super::{Packet, SLOTS};

/// Sequence numbers ahead that are still of the stream (RFC 3550 A.1, `MAX_DROPOUT`).
const DROPOUT_MAX: i64 = 3_000;
/// Sequence numbers behind that are still of the stream (RFC 3550 A.1, `MAX_MISORDER`).
const MISORDER_MAX: i64 = 100;

/// What the play-out is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Nothing played yet: the first packets wait for their time.
    Fresh,
    /// Packets are given, `play` is the timestamp of the next sample due.
    Playing {
        play: i64,
        /// Ticks given as lost since the last packet.
        made_up: i64,
        /// Length of the last packet, in ticks.
        ticks_each: i64,
    },
    /// The sender is silent.
    Resting,
    /// Packets are due and none is there.
    Dry,
}

/// Where a packet belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// In the stream, at these extended numbers.
    Here { sequence: i64, timestamp: i64 },
    /// Next in sequence, but its timestamp leapt: the sender began a new clock.
    Continued,
    /// Far off.
    Strange,
}

/// The stream being received.
#[derive(Clone, Debug)]
pub(super) struct Stream {
    /// Where it began.
    first: i64,
    /// Next sequence number to play.
    pub(super) next: i64,
    /// Highest sequence number seen, of sound or other.
    pub(super) highest: i64,
    /// Highest sequence number of sound, with its timestamp and arrival.
    pub(super) highest_sound: i64,
    pub(super) highest_timestamp: i64,
    highest_arrived: i64,
    pub(super) phase: Phase,
    /// Bit n: whether sequence number `next - 1 - n` came.
    came: u128,
}

impl Stream {
    pub(super) fn begin(packet: &Packet<'_>, arrived: i64) -> Self {
        let sequence = i64::from(packet.sequence);
        Self {
            first: sequence,
            next: sequence,
            highest: sequence,
            highest_sound: sequence,
            highest_timestamp: i64::from(packet.timestamp),
            highest_arrived: arrived,
            phase: Phase::Fresh,
            came: 0,
        }
    }

    /// Extends a sequence number to the one nearest to the highest seen; none where it is far off.
    pub(super) fn extend_sequence(&self, sequence: u16) -> Option<i64> {
        let ahead = i64::from(sequence.wrapping_sub(self.highest as u16) as i16);
        (-MISORDER_MAX..=DROPOUT_MAX).contains(&ahead).then_some(self.highest + ahead)
    }

    /// Finds a packet's place. Its timestamp is of the stream where it is within `leap` ticks of
    /// what the time since the newest packet lets expect.
    pub(super) fn place(&self, packet: &Packet<'_>, arrived: i64, leap: i64) -> Place {
        let Some(sequence) = self.extend_sequence(packet.sequence) else { return Place::Strange };
        let ahead = packet.timestamp.wrapping_sub(self.highest_timestamp as u32) as i32;
        let expected = arrived - self.highest_arrived;
        let off = (i64::from(ahead) - expected).abs();
        if off <= leap && (i64::from(ahead) > 0) == (sequence > self.highest_sound)
            || sequence == self.highest_sound
        {
            let timestamp = self.highest_timestamp + i64::from(ahead);
            return Place::Here { sequence, timestamp };
        }
        if sequence == self.highest + 1 { Place::Continued } else { Place::Strange }
    }

    /// Takes note of a packet of sound kept.
    pub(super) fn saw(&mut self, sequence: i64, timestamp: i64, arrived: i64) {
        self.highest = self.highest.max(sequence);
        if sequence > self.highest_sound {
            self.highest_sound = sequence;
            self.highest_timestamp = timestamp;
            self.highest_arrived = arrived;
        }
    }

    /// Moves on by one sequence number.
    pub(super) const fn step(&mut self, came: bool) {
        self.came = self.came << 1 | came as u128;
        self.next += 1;
    }

    /// Moves on to a sequence number; none between came. What came before that is forgotten: it is
    /// further behind than [`MISORDER_MAX`].
    pub(super) const fn leap(&mut self, next: i64) {
        self.came = 0;
        self.next = next;
    }

    /// What was not sound was reached: from here the sender is silent.
    pub(super) const fn rest(&mut self) {
        self.phase = Phase::Resting;
    }

    /// Packets were skipped: the play-out position is to be found anew.
    pub(super) fn stumble(&mut self) {
        self.phase = if self.phase == Phase::Fresh { Phase::Resting } else { Phase::Dry };
    }

    /// Whether a number already passed had come.
    pub(super) fn has_had(&self, sequence: i64) -> bool {
        self.behind(sequence).is_some_and(|bit| self.came >> bit & 1 == 1)
    }

    /// Marks a number already passed as come; says whether it was remembered as lost.
    pub(super) fn comes_after_all(&mut self, sequence: i64) -> bool {
        let Some(bit) = self.behind(sequence) else { return false };
        self.came |= 1 << bit;
        sequence >= self.first
    }

    /// Before anything was played an earlier packet moves the beginning; says whether it did.
    pub(super) fn begins_earlier(&mut self, sequence: i64) -> bool {
        let earlier = self.phase == Phase::Fresh && self.highest - sequence < SLOTS as i64;
        if earlier {
            self.first = sequence;
            self.next = sequence;
        }
        earlier
    }

    fn behind(&self, sequence: i64) -> Option<u32> {
        let bit = u32::try_from(self.next - 1 - sequence).ok()?;
        (bit < u128::BITS).then_some(bit)
    }
}
