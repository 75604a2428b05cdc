//! Where waiting packets lie: a fixed number of slots, addressed by extended sequence number.
//!
//! Memory is taken for packets of a usual length when the buffer is made, and once more where
//! longer ones come; a packet is copied in once and read in place.

use super::SLOTS;

/// What a slot holds for its sequence number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Content {
    /// Sound to be played.
    Sound,
    /// It came when its time was over.
    Late,
    /// It was of another payload type.
    Other,
}

/// A packet in its slot.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    pub(super) content: Content,
    /// Extended sequence number.
    pub(super) sequence: i64,
    /// Extended RTP timestamp.
    pub(super) timestamp: i64,
    /// Bytes of payload.
    pub(super) len: usize,
    /// How long it lasts, in ticks.
    pub(super) ticks: i64,
}

/// The slots.
#[derive(Clone, Debug)]
pub(super) struct Slots {
    entries: [Option<Entry>; SLOTS],
    /// Room of each slot, bytes.
    room: usize,
    bytes: Vec<u8>,
    sounds: usize,
}

impl Slots {
    /// Makes slots of so many bytes each.
    pub(super) fn new(room: usize) -> Self {
        Self { entries: [None; SLOTS], room, bytes: vec![0; SLOTS * room], sounds: 0 }
    }

    /// Makes each slot as large as this; what lies in them stays.
    fn widen(&mut self, room: usize) {
        let mut bytes = vec![0; SLOTS * room];
        for (wide, narrow) in bytes.chunks_exact_mut(room).zip(self.bytes.chunks_exact(self.room)) {
            wide[..self.room].copy_from_slice(narrow);
        }
        (self.room, self.bytes) = (room, bytes);
    }

    /// Puts a packet in; the slot is free and the payload is no longer than its codec allows, as
    /// the caller has checked.
    ///
    /// # Real-time
    /// Allocates where the payload is longer than any before, to the next power of two.
    pub(super) fn put(&mut self, entry: Entry, payload: &[u8]) {
        if payload.len() > self.room {
            self.widen(payload.len().next_power_of_two());
        }
        let index = Self::index(entry.sequence);
        let begin = index * self.room;
        self.bytes[begin..begin + payload.len()].copy_from_slice(payload);
        self.sounds += usize::from(entry.content == Content::Sound);
        self.entries[index] = Some(entry);
    }

    /// Takes the entry out; its payload stays readable until the slot is filled again.
    pub(super) fn take(&mut self, sequence: i64) -> Option<Entry> {
        let entry = self.entries[Self::index(sequence)].take_if(|it| it.sequence == sequence)?;
        self.sounds -= usize::from(entry.content == Content::Sound);
        Some(entry)
    }

    pub(super) fn clear(&mut self) {
        self.entries = [None; SLOTS];
        self.sounds = 0;
    }

    pub(super) fn at(&self, sequence: i64) -> Option<&Entry> {
        self.entries[Self::index(sequence)].as_ref().filter(|it| it.sequence == sequence)
    }

    /// First sound at or after this sequence number.
    pub(super) fn first_sound(&self, from: i64) -> Option<Entry> {
        if self.sounds == 0 {
            return None;
        }
        (from..from + SLOTS as i64)
            .filter_map(|sequence| self.at(sequence))
            .find(|entry| entry.content == Content::Sound)
            .copied()
    }

    pub(super) fn payload(&self, entry: &Entry) -> &[u8] {
        let begin = Self::index(entry.sequence) * self.room;
        &self.bytes[begin..begin + entry.len]
    }

    /// Sounds waiting.
    pub(super) const fn sounds(&self) -> usize {
        self.sounds
    }

    const fn index(sequence: i64) -> usize {
        sequence.rem_euclid(SLOTS as i64) as usize
    }
}
