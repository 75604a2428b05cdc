//! The fields of which records are made.

use std::time::Duration;

use super::{LONGEST, RecordError};

/// Writes fields.
#[derive(Debug, Default)]
pub(super) struct Writer(Vec<u8>);

impl Writer {
    pub(super) fn byte(&mut self, value: u8) {
        self.0.push(value);
    }

    /// Seven bits a byte, the lowest first.
    pub(super) fn number(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push((value & 0x7f) as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }

    pub(super) fn float(&mut self, value: f32) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    pub(super) fn duration(&mut self, value: Duration) {
        self.number(u64::try_from(value.min(LONGEST).as_nanos()).unwrap_or(u64::MAX));
    }

    pub(super) fn bytes(&mut self, value: &[u8]) {
        self.number(value.len() as u64);
        self.0.extend_from_slice(value);
    }

    pub(super) fn text(&mut self, value: &str) {
        self.bytes(value.as_bytes());
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}

/// Reads fields.
#[derive(Debug)]
pub(super) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(super) fn byte(&mut self) -> Result<u8, RecordError> {
        let (first, rest) = self.0.split_first().ok_or(RecordError::Short)?;
        self.0 = rest;
        Ok(*first)
    }

    pub(super) fn number(&mut self) -> Result<u64, RecordError> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(RecordError::Broken { place: "number" })
    }

    /// A number that must fit a smaller type.
    pub(super) fn small<T: TryFrom<u64>>(&mut self) -> Result<T, RecordError> {
        T::try_from(self.number()?).map_err(|_| RecordError::Broken { place: "number" })
    }

    pub(super) fn float(&mut self) -> Result<f32, RecordError> {
        let (first, rest) = self.0.split_first_chunk::<4>().ok_or(RecordError::Short)?;
        self.0 = rest;
        Ok(f32::from_le_bytes(*first))
    }

    pub(super) fn duration(&mut self) -> Result<Duration, RecordError> {
        Ok(Duration::from_nanos(self.number()?))
    }

    pub(super) fn bytes(&mut self) -> Result<&'a [u8], RecordError> {
        let len: usize = self.small()?;
        let (taken, rest) = self.0.split_at_checked(len).ok_or(RecordError::Short)?;
        self.0 = rest;
        Ok(taken)
    }

    pub(super) fn text(&mut self) -> Result<&'a str, RecordError> {
        let broken = |_| RecordError::Broken { place: "text" };
        std::str::from_utf8(self.bytes()?).map_err(broken)
    }

    pub(super) fn list<T>(
        &mut self,
        mut one: impl FnMut(&mut Self) -> Result<T, RecordError>,
    ) -> Result<Vec<T>, RecordError> {
        let count: usize = self.small()?;
        // Each item is a byte at least: a length that lies cannot ask for much room.
        if count > self.0.len() {
            return Err(RecordError::Short);
        }
        (0..count).map(|_| one(self)).collect()
    }
}
