//! Where waiting packets lie: a fixed number of slots, addressed by extended sequence number.
//!
//! All memory is taken when the buffer is made, or meets a codec with longer packets; a packet is
//! copied in once and read in place.

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

    /// Empties the slots and makes them as large as this, at the least.
    pub(super) fn refit(&mut self, room: usize) {
        self.clear();
        self.room = self.room.max(room);
        self.bytes.resize(SLOTS * self.room, 0);
    }

    /// Puts a packet in; the slot is free and the payload fits, as the caller has checked.
    pub(super) fn put(&mut self, entry: Entry, payload: &[u8]) {
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
