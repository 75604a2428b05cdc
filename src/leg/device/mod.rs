//! This machine's sound card as a leg: samples cross to and from the card's own threads by
//! lock-free rings.
//!
//! ```text
//! microphone ──ring──► 16 kHz ─► echo cancelled ─► G.722 ──queue──► the call
//! loudspeaker ◄─ring── card's rate ◄─ G.722 decoded ◄─────────────── the call
//!      └───────ring──► 16 kHz ─► what the echo is of
//! ```
//!
//! The upper way is [`ears`]' thread, since the canceller allocates, the middle one the worker's.
//! A full ring takes no more, a full queue loses its oldest, both counted as garbage. The card's
//! clock is not ours: where the loudspeaker lags, frames without sound are left out. Absent:
//! opening the card ([`card`]), the terminal (`cli/talk`).

pub(crate) mod card;
mod ears;
mod ends;
#[cfg(test)]
mod tests;

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::Thread;
use std::time::Duration;

use cordboard_audio::{Codec, Decoder, Resampler, SampleRate, level};
use crossbeam_channel::{Receiver, Sender, bounded};
use ringbuf::traits::{Observer, Producer, Split};
use ringbuf::{HeapProd, HeapRb};
use tokio_util::sync::CancellationToken;

use crate::call::{EncodedFrame, EndCause, LegCommand, LegEvent, MediaPacket};
pub(crate) use ears::Ears;
pub(crate) use ends::{Loudspeaker, Microphone};

/// What is spoken towards the call: the widest band that needs no look-ahead.
const CODEC: Codec = Codec::G722;
/// Bytes, and samples, of 20 ms of it.
const FRAME_BYTES: usize = 160;
const FRAME_SAMPLES: usize = SampleRate::WIDE.frame_samples();
/// Frames that a ring holds: half a second.
const RING_FRAMES: usize = 25;
/// Frames of the microphone that wait for the worker: 200 ms.
const WAITING: usize = 10;
/// Frames taken in one tick.
const FRAMES_A_TICK: u32 = 8;
/// From so many waiting frames on, the loudspeaker is not given silence.
const LAGGING: usize = 6;
/// What is no sound, dBov.
const SILENT_DBOV: f32 = -60.0;
/// Frames between two looks at how much the card holds, and what change of it is told.
const LOOK_EVERY: u32 = 25;
const CHANGE_TOLD: Duration = Duration::from_millis(10);
/// Keys that wait for the worker; a terminal that brings more loses them.
const WORDS: usize = 64;

/// Rates of the card, Hz; each a multiple of 50.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CardRates {
    /// Of the microphone.
    pub(crate) microphone_hz: u32,
    /// Of the loudspeaker.
    pub(crate) loudspeaker_hz: u32,
}

/// What the person at the card does beside speaking.
#[derive(Clone, Copy, Debug)]
enum Word {
    Key(char),
    HangUp,
}

/// 20 ms for the call, and how many came before.
type Numbered = (u32, [u8; FRAME_BYTES]);

/// What the worker and the card's threads know of each other.
#[derive(Debug, Default)]
struct Shared {
    /// Samples of a ring, and frames of the queue, that found no room.
    dropped_samples: AtomicU64,
    dropped_frames: AtomicU64,
    /// Samples given to the loudspeaker up to the last flush: those not yet played shall not be.
    flushed: AtomicU64,
    /// How long the card itself holds what it was given, µs.
    held_us: AtomicU32,
    /// Whether nothing waits for the loudspeaker.
    is_played_out: AtomicBool,
    /// Whether the card is gone.
    is_lost: AtomicBool,
    /// The thread that works on what the microphone brings.
    ears: OnceLock<Thread>,
}

/// The call's end of a sound card.
pub(crate) struct DeviceLeg {
    frames: Receiver<Numbered>,
    loudspeaker: HeapProd<f32>,
    shared: Arc<Shared>,
    words: Receiver<Word>,
    over: CancellationToken,
    voice: Resampler,
    decoder: Decoder,
    /// 20 ms at the loudspeaker's rate.
    spoken: Vec<f32>,
    ssrc: u32,
    budget: u32,
    answered: bool,
    lost_told: bool,
    /// Samples given to the loudspeaker, frames since its state was looked at, what was told.
    given: u64,
    since_look: u32,
    held_told: Duration,
    held: Option<Duration>,
}

/// The person's end: keys, and the end of the call.
#[derive(Clone, Debug)]
pub(crate) struct Handset {
    words: Sender<Word>,
    shared: Arc<Shared>,
}

/// All ends of a card.
pub(crate) struct Ends {
    /// For the call.
    pub(crate) leg: DeviceLeg,
    /// For a thread of its own.
    pub(crate) ears: Ears,
    /// For the card's thread that brings sound.
    pub(crate) microphone: Microphone,
    /// For the card's thread that takes sound.
    pub(crate) loudspeaker: Loudspeaker,
    /// For the person.
    pub(crate) handset: Handset,
}

/// The ends of a card of these rates; none where a rate has no whole frames.
pub(crate) fn device(rates: CardRates, ssrc: u32) -> Option<Ends> {
    let voice = Resampler::between(SampleRate::WIDE.hz(), rates.loudspeaker_hz)?;
    let (heard, spoken) = (frame_of(rates.microphone_hz), frame_of(rates.loudspeaker_hz));
    let ring = |frame: usize| HeapRb::<f32>::new(frame * RING_FRAMES).split();
    let (into_ears, microphone) = ring(heard);
    let (loudspeaker, to_play) = ring(spoken);
    let (into_reference, played) = ring(spoken);
    let ((give, frames), (say_word, words)) = (bounded(WAITING), bounded(WORDS));
    let (shared, over) = (Arc::new(Shared::default()), CancellationToken::new());
    let queue = (give, frames.clone());
    let ears = Ears::new(rates, (microphone, played), queue, shared.clone(), over.clone())?;
    let leg = DeviceLeg {
        frames,
        loudspeaker,
        shared: shared.clone(),
        words,
        over,
        voice,
        decoder: Decoder::new(CODEC),
        spoken: vec![0.0; spoken],
        ssrc,
        budget: 0,
        answered: false,
        lost_told: false,
        given: 0,
        since_look: 0,
        held_told: Duration::ZERO,
        held: None,
    };
    Some(Ends {
        leg,
        ears,
        microphone: Microphone::new(into_ears, shared.clone()),
        loudspeaker: Loudspeaker::new(to_play, into_reference, shared.clone(), spoken),
        handset: Handset { words: say_word, shared },
    })
}

/// Samples of 20 ms.
const fn frame_of(rate_hz: u32) -> usize {
    (rate_hz / 50) as usize
}

impl Handset {
    /// Presses a key: 0-9, *, #, A-D.
    pub(crate) fn press(&self, sign: char) {
        // Nobody types faster than the worker reads.
        let _ = self.words.try_send(Word::Key(sign));
    }

    /// Puts the receiver down.
    pub(crate) fn hang_up(&self) {
        let _ = self.words.try_send(Word::HangUp);
    }

    /// Whether all that the call said has been given to the card.
    pub(crate) fn is_played_out(&self) -> bool {
        self.shared.is_played_out.load(Ordering::Acquire)
    }
}

impl DeviceLeg {
    /// What is spoken.
    pub(crate) const fn codec(&self) -> Codec {
        CODEC
    }

    /// Frames that found no room on one of the ways.
    pub(crate) fn garbage(&self) -> u64 {
        let samples = self.shared.dropped_samples.load(Ordering::Relaxed);
        let frames = self.shared.dropped_frames.load(Ordering::Relaxed);
        frames + samples / self.spoken.len() as u64
    }

    /// Begins a tick's reading.
    pub(crate) const fn refill(&mut self) {
        self.budget = FRAMES_A_TICK;
    }

    /// Reads on; `None` where nothing more has come, or the tick's share is used up.
    ///
    /// # Real-time
    /// No allocation, never waits.
    pub(crate) fn poll<'b>(&mut self, buffer: &'b mut [u8]) -> Option<LegEvent<'b>> {
        if std::mem::take(&mut self.answered) {
            return Some(LegEvent::Answered);
        }
        if self.budget == 0 {
            return None;
        }
        self.budget -= 1;
        if let Some(held) = self.held.take() {
            return Some(LegEvent::FarBuffer(held));
        }
        if let Ok(word) = self.words.try_recv() {
            return Some(match word {
                Word::Key(digit) => LegEvent::Digit { digit, duration_ms: 100 },
                Word::HangUp => LegEvent::Ended { cause: EndCause::Bye },
            });
        }
        if self.shared.is_lost.load(Ordering::Acquire) && !self.lost_told {
            self.lost_told = true;
            return Some(LegEvent::Ended { cause: EndCause::Lost });
        }
        let (number, frame) = self.frames.try_recv().ok()?;
        let payload = buffer.get_mut(..FRAME_BYTES)?;
        payload.copy_from_slice(&frame);
        Some(LegEvent::Packet(MediaPacket {
            sequence: (number & 0xffff) as u16,
            timestamp: number.wrapping_mul(FRAME_BYTES as u32),
            marker: false,
            ssrc: self.ssrc,
            codec: CODEC,
            payload,
        }))
    }

    /// Does what the call wants.
    pub(crate) fn command(&mut self, command: &LegCommand) {
        match command {
            LegCommand::Answer => self.answered = true,
            LegCommand::Send(frame) => self.speak(frame),
            LegCommand::Flush => self.shared.flushed.store(self.given, Ordering::Release),
            LegCommand::Hangup => self.over.cancel(),
            // A card takes no keys; there is nothing to agree on, and nobody to dial.
            LegCommand::SendDigit { .. }
            | LegCommand::Renegotiate
            | LegCommand::Dial(_)
            | LegCommand::Show(_) => {}
        }
    }

    /// Gives 20 ms to the loudspeaker.
    ///
    /// # Real-time
    /// No allocation, never waits.
    fn speak(&mut self, frame: &EncodedFrame) {
        let mut wide = [0.0; 2 * FRAME_SAMPLES];
        let made = self.decoder.decode_into(&frame.payload[..frame.len], &mut wide);
        let is_silent = level::level_dbov(&wide[..made]) < SILENT_DBOV;
        let made = self.voice.push_into(&wide[..made.min(FRAME_SAMPLES)], &mut self.spoken);
        self.look();
        if is_silent && self.waiting() >= LAGGING * self.spoken.len() {
            return;
        }
        self.shared.is_played_out.store(false, Ordering::Release);
        let taken = self.loudspeaker.push_slice(&self.spoken[..made]);
        self.given += taken as u64;
        // What waits is older and next: the newest finds no room.
        self.shared.dropped_samples.fetch_add((made - taken) as u64, Ordering::Relaxed);
    }

    /// Samples that are still to be played.
    fn waiting(&self) -> usize {
        let since_flush = self.given - self.shared.flushed.load(Ordering::Relaxed);
        self.loudspeaker.occupied_len().min(usize::try_from(since_flush).unwrap_or(usize::MAX))
    }

    /// Looks, now and then, how long what is given now will wait.
    fn look(&mut self) {
        self.since_look += 1;
        if self.since_look < LOOK_EVERY {
            return;
        }
        self.since_look = 0;
        let frames = self.waiting() as f64 / self.spoken.len() as f64;
        let card = u64::from(self.shared.held_us.load(Ordering::Relaxed));
        let held = Duration::from_secs_f64(frames * 0.02) + Duration::from_micros(card);
        if held.abs_diff(self.held_told) >= CHANGE_TOLD {
            self.held_told = held;
            self.held = Some(held);
        }
    }
}

impl Drop for DeviceLeg {
    fn drop(&mut self) {
        self.over.cancel();
    }
}

impl std::fmt::Debug for DeviceLeg {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DeviceLeg").field("given", &self.given).finish_non_exhaustive()
    }
}
