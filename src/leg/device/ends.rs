//! What the sound card's own threads hold of the rings: never waiting, never allocating.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use ringbuf::traits::{Consumer, Observer, Producer};
use ringbuf::{HeapCons, HeapProd};

use super::Shared;

/// Samples moved at a time.
const CHUNK: usize = 512;

/// Where the microphone's thread puts its sound.
pub(crate) struct Microphone {
    ring: HeapProd<f32>,
    shared: Arc<Shared>,
}

/// Where the loudspeaker's thread takes its sound.
pub(crate) struct Loudspeaker {
    ring: HeapCons<f32>,
    played: HeapProd<f32>,
    shared: Arc<Shared>,
    /// Samples of 20 ms.
    frame: usize,
    /// Samples taken out of the ring.
    taken: u64,
    /// Whether it waits until there is enough to go on without a gap.
    is_filling: bool,
}

/// Tells the call that the card is gone.
pub(crate) struct SignOfLoss(Arc<Shared>);

impl SignOfLoss {
    /// Tells it.
    pub(crate) fn raise(&self) {
        self.0.is_lost.store(true, Ordering::Release);
    }
}

impl Microphone {
    pub(super) const fn new(ring: HeapProd<f32>, shared: Arc<Shared>) -> Self {
        Self { ring, shared }
    }

    /// Takes mono samples of the card's rate.
    ///
    /// # Real-time
    /// No allocation, no lock; what finds no room is dropped and counted.
    pub(crate) fn hear(&mut self, samples: impl Iterator<Item = f32>) {
        let (mut taken, mut all) = (0_u64, 0_u64);
        let counted = samples.inspect(|_| all += 1);
        for sample in counted {
            taken += u64::from(self.ring.try_push(sample).is_ok());
        }
        if taken < all {
            self.shared.dropped_samples.fetch_add(all - taken, Ordering::Relaxed);
        }
        if let Some(ears) = self.shared.ears.get() {
            ears.unpark();
        }
    }

    /// For the thread that learns that the card is gone.
    pub(crate) fn sign_of_loss(&self) -> SignOfLoss {
        SignOfLoss(self.shared.clone())
    }
}

impl Loudspeaker {
    pub(super) const fn new(
        ring: HeapCons<f32>,
        played: HeapProd<f32>,
        shared: Arc<Shared>,
        frame: usize,
    ) -> Self {
        Self { ring, played, shared, frame, taken: 0, is_filling: true }
    }

    /// Gives the next `frames` samples to `write`, one after the other; silence where there are
    /// none. `held` is how long the card itself keeps what it is given.
    ///
    /// # Real-time
    /// No allocation, no lock.
    pub(crate) fn play(&mut self, frames: usize, held: Duration, mut write: impl FnMut(f32)) {
        let held_us = u32::try_from(held.as_micros()).unwrap_or(u32::MAX);
        self.shared.held_us.store(held_us, Ordering::Relaxed);
        self.skip_flushed();
        // A gap is better made once than at every second call: wait for what is asked, and a
        // frame and a half, since the worker brings one frame a tick.
        let enough = (frames + self.frame + self.frame / 2).min(self.ring.capacity().get());
        self.is_filling &= self.ring.occupied_len() < enough;
        let mut left = frames;
        while left > 0 {
            let mut chunk = [0.0; CHUNK];
            let chunk = &mut chunk[..left.min(CHUNK)];
            if !self.is_filling {
                let taken = self.ring.pop_slice(chunk);
                self.taken += taken as u64;
                self.is_filling = taken < chunk.len();
            }
            // Where it is not taken, the echo is not known: it hears a leap.
            self.played.push_slice(chunk);
            chunk.iter().for_each(|sample| write(*sample));
            left -= chunk.len();
        }
        let is_empty = self.ring.is_empty();
        self.shared.is_played_out.store(is_empty || self.is_filling, Ordering::Release);
    }

    /// Leaves out what was given before the last flush.
    fn skip_flushed(&mut self) {
        let flushed = self.shared.flushed.load(Ordering::Acquire);
        if let Some(stale) = flushed.checked_sub(self.taken).filter(|it| *it > 0) {
            self.taken += self.ring.skip(usize::try_from(stale).unwrap_or(usize::MAX)) as u64;
        }
    }

    /// For the thread that learns that the card is gone.
    pub(crate) fn sign_of_loss(&self) -> SignOfLoss {
        SignOfLoss(self.shared.clone())
    }
}
