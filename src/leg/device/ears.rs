//! From the microphone to the call: on a thread of its own, because the echo canceller allocates.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use cordboard_audio::echo::EchoCanceller;
use cordboard_audio::level::rms;
use cordboard_audio::{Encoder, Resampler, SampleRate};
use crossbeam_channel::{Receiver, Sender, TrySendError};
use ringbuf::HeapCons;
use ringbuf::traits::{Consumer, Observer};
use tokio_util::sync::CancellationToken;

use super::{CODEC, CardRates, FRAME_BYTES, FRAME_SAMPLES, Numbered, Shared, frame_of};

/// How long it rests at most where the microphone brings nothing; then it looks whether the call
/// is over.
const REST_MOST: Duration = Duration::from_millis(100);

/// Frames of the loudspeaker's sound after which the canceller knows the room: 2 s. Before, the
/// first words of a greeting came back and stopped it.
const LEARNED: u32 = 100;
/// Frames within which an echo dies away: 300 ms.
const ECHO_LASTS: u32 = 15;
/// The microphone until then, while there is an echo: -26 dB.
const TURNED_DOWN: f32 = 0.05;
/// -50 dBov: what the loudspeaker plays more softly has no echo.
const AUDIBLE_RMS: f32 = 0.003;

/// Makes the call's frames of what the microphone brings.
pub(crate) struct Ears {
    microphone: HeapCons<f32>,
    played: HeapCons<f32>,
    queue: (Sender<Numbered>, Receiver<Numbered>),
    shared: Arc<Shared>,
    over: CancellationToken,
    hearing: Resampler,
    reference: Resampler,
    canceller: EchoCanceller,
    encoder: Encoder,
    /// 20 ms at each rate of the card.
    heard: Vec<f32>,
    spoken: Vec<f32>,
    /// Frames of sound that the loudspeaker played, as far as it matters.
    learned: u32,
    /// Frames for which there may be an echo.
    echoing: u32,
    /// Frames made.
    made: u32,
}

impl Ears {
    /// None where a rate has no whole frames.
    pub(super) fn new(
        rates: CardRates,
        (microphone, played): (HeapCons<f32>, HeapCons<f32>),
        queue: (Sender<Numbered>, Receiver<Numbered>),
        shared: Arc<Shared>,
        over: CancellationToken,
    ) -> Option<Self> {
        let CardRates { microphone_hz, loudspeaker_hz } = rates;
        let wide_hz = SampleRate::WIDE.hz();
        Some(Self {
            microphone,
            played,
            queue,
            shared,
            over,
            hearing: Resampler::between(microphone_hz, wide_hz)?,
            reference: Resampler::between(loudspeaker_hz, wide_hz)?,
            canceller: EchoCanceller::new(SampleRate::WIDE),
            encoder: Encoder::new(CODEC),
            heard: vec![0.0; frame_of(microphone_hz)],
            spoken: vec![0.0; frame_of(loudspeaker_hz)],
            learned: 0,
            echoing: 0,
            made: 0,
        })
    }

    /// Works until the call is over; the microphone's thread wakes this one.
    pub(crate) fn run(mut self) {
        let _ = self.shared.ears.set(std::thread::current());
        while !self.over.is_cancelled() {
            self.step();
            std::thread::park_timeout(REST_MOST);
        }
    }

    /// Works on all that has come.
    pub(super) fn step(&mut self) {
        // What is played comes before its echo.
        while self.played.occupied_len() >= self.spoken.len() {
            self.played.pop_slice(&mut self.spoken);
            let mut wide = [0.0; 2 * FRAME_SAMPLES];
            let made = self.reference.push_into(&self.spoken, &mut wide);
            if rms(&wide[..made]) > AUDIBLE_RMS {
                self.learned = self.learned.saturating_add(1);
                self.echoing = ECHO_LASTS;
            }
            self.canceller.hear_played(&wide[..made]);
        }
        while self.microphone.occupied_len() >= self.heard.len() {
            self.microphone.pop_slice(&mut self.heard);
            let mut wide = [0.0; 2 * FRAME_SAMPLES];
            let made = self.hearing.push_into(&self.heard, &mut wide);
            let wide = &mut wide[..made];
            self.canceller.cancel(wide);
            if self.learned < LEARNED && self.echoing > 0 {
                wide.iter_mut().for_each(|sample| *sample *= TURNED_DOWN);
            }
            self.echoing = self.echoing.saturating_sub(1);
            let mut frame = [0; FRAME_BYTES];
            self.encoder.encode_into(wide, &mut frame);
            self.give((self.made, frame));
            self.made = self.made.wrapping_add(1);
        }
    }

    /// Passes a frame on; where the worker lags, the oldest makes room.
    fn give(&self, frame: Numbered) {
        let (queue, oldest) = &self.queue;
        if let Err(TrySendError::Full(frame)) = queue.try_send(frame) {
            self.shared.dropped_frames.fetch_add(1, Ordering::Relaxed);
            let _ = oldest.try_recv();
            let _ = queue.try_send(frame);
        }
    }
}
