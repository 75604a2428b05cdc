//! A call that a carrier brings over a WebSocket: the leg, and the carrier's end of it.
//!
//! The connection lives on the control runtime (`api/media_stream`); sound crosses by bounded
//! queues. What comes is dropped at its oldest where the worker lags, and is then missing in the
//! sequence; what goes is dropped where the carrier does not read. The carrier buffers what we
//! send: marks tell how much of it has been played, and a clear throws the rest away. What a
//! stalled connection has left in that buffer would delay all that follows: silence is not sent
//! until it has been played.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use cordboard_audio::codec::{Codec, Decoder};
use cordboard_audio::level;
use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::call::{EncodedFrame, EndCause, LegCommand, LegEvent, MediaPacket};

/// Bytes of 20 ms of PCMU.
pub(crate) const FRAME_BYTES: usize = 160;
/// Frames that wait for the worker: two seconds, for what a connection that stalled brings at once.
const WAITING: usize = 100;
/// Keys, marks and the end that wait for the worker.
const WORDS: usize = 256;
/// Frames that wait for the carrier: five seconds.
const LEAVING: usize = 250;
/// Frames taken in one tick.
const FRAMES_A_TICK: u32 = 32;
/// Frames between two marks.
const MARK_EVERY: u32 = 10;
/// From so many frames on that the carrier holds, it is not sent silence: 200 ms, what a mark is
/// late by itself.
const LAGGING: u32 = 10;
/// What is no sound, dBov.
const SILENT_DBOV: f32 = -60.0;
/// More than this is not believed of a carrier's buffer.
const FAR_BUFFER_MAX: Duration = Duration::from_secs(5);

/// 20 ms of PCMU, and how many came before.
type Numbered = (u32, [u8; FRAME_BYTES]);

/// What a carrier tells beside sound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Word {
    /// A key was pressed.
    Key(char),
    /// All that was sent before this mark has been played, or cleared.
    Mark(u32),
    /// The stream is over.
    Ended(EndCause),
}

/// What a carrier is told.
#[derive(Clone, Copy, Debug)]
pub(crate) enum ToCarrier {
    /// 20 ms of PCMU; not to be sent where a clear has come since.
    Sound {
        /// How many clears there had been.
        clears: u32,
        /// The sound.
        payload: [u8; FRAME_BYTES],
    },
    /// To be given back once all before it has been played.
    Mark(u32),
    /// Throw away what has not been played.
    Clear,
}

/// The call's end of a stream.
#[derive(Debug)]
pub(crate) struct StreamLeg {
    sound: Receiver<Numbered>,
    words: Receiver<Word>,
    carrier: mpsc::Sender<ToCarrier>,
    clears: Arc<AtomicU32>,
    garbage: Arc<AtomicU64>,
    over: CancellationToken,
    ssrc: u32,
    /// Whether the call has taken the stream and is to be told so.
    answered: bool,
    /// Frames sent, and how many of them had been when the last clear was.
    sent: u32,
    cleared_at: u32,
    /// Frames that the carrier holds, as of the last mark and of the silence not sent since.
    held: u32,
    /// What has become of that, where the call has yet to be told.
    told: Option<Duration>,
    decoder: Decoder,
    budget: u32,
}

/// The carrier's end of a stream.
#[derive(Debug)]
pub(crate) struct CarrierEnd {
    sound: (Sender<Numbered>, Receiver<Numbered>),
    words: Sender<Word>,
    /// What the carrier is to be told.
    pub(crate) leaving: mpsc::Receiver<ToCarrier>,
    clears: Arc<AtomicU32>,
    garbage: Arc<AtomicU64>,
    /// Cancelled when the call hangs up.
    pub(crate) over: CancellationToken,
    frames: u32,
    /// Sound that does not fill a frame yet.
    part: Vec<u8>,
}

/// The two ends of a stream.
pub(crate) fn stream(ssrc: u32) -> (StreamLeg, CarrierEnd) {
    let (sound, heard) = bounded(WAITING);
    let (say_word, words) = bounded(WORDS);
    let (carrier, leaving) = mpsc::channel(LEAVING);
    let (clears, garbage) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU64::new(0)));
    let over = CancellationToken::new();
    let end = CarrierEnd {
        sound: (sound, heard.clone()),
        words: say_word,
        leaving,
        clears: clears.clone(),
        garbage: garbage.clone(),
        over: over.clone(),
        frames: 0,
        part: Vec::with_capacity(FRAME_BYTES),
    };
    let leg = StreamLeg {
        sound: heard,
        words,
        carrier,
        clears,
        garbage,
        over,
        ssrc,
        answered: false,
        sent: 0,
        cleared_at: 0,
        held: 0,
        told: None,
        decoder: Decoder::new(Codec::Pcmu),
        budget: 0,
    };
    (leg, end)
}

impl CarrierEnd {
    /// Takes PCMU as it comes, in pieces of any length.
    pub(crate) fn hear(&mut self, mut sound: &[u8]) {
        while !sound.is_empty() {
            let taken = sound.len().min(FRAME_BYTES - self.part.len());
            self.part.extend_from_slice(&sound[..taken]);
            sound = &sound[taken..];
            if let Ok(frame) = <[u8; FRAME_BYTES]>::try_from(self.part.as_slice()) {
                self.part.clear();
                self.give(frame);
            }
        }
    }

    /// Passes a frame on; where the worker lags, the oldest makes room and counts as garbage.
    fn give(&mut self, frame: [u8; FRAME_BYTES]) {
        let numbered = (self.frames, frame);
        self.frames = self.frames.wrapping_add(1);
        if let Err(TrySendError::Full(numbered)) = self.sound.0.try_send(numbered) {
            self.garbage.fetch_add(1, Ordering::Relaxed);
            let _ = self.sound.1.try_recv();
            let _ = self.sound.0.try_send(numbered);
        }
    }

    /// Passes a word on; whether there was room.
    pub(crate) fn tell(&self, word: Word) -> bool {
        self.words.try_send(word).is_ok()
    }

    /// Whether sound of this many clears ago is not wanted any more.
    pub(crate) fn is_stale(&self, clears: u32) -> bool {
        clears != self.clears.load(Ordering::Acquire)
    }
}

impl StreamLeg {
    /// What is spoken.
    pub(crate) const fn codec(&self) -> Codec {
        Codec::Pcmu
    }

    /// Frames that came and found no room.
    pub(crate) fn garbage(&self) -> u64 {
        self.garbage.load(Ordering::Relaxed)
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
        if let Some(held) = self.told.take() {
            return Some(LegEvent::FarBuffer(held));
        }
        if self.budget == 0 {
            return None;
        }
        self.budget -= 1;
        if let Ok((number, frame)) = self.sound.try_recv() {
            let payload = buffer.get_mut(..FRAME_BYTES)?;
            payload.copy_from_slice(&frame);
            return Some(LegEvent::Packet(MediaPacket {
                sequence: (number & 0xffff) as u16,
                timestamp: number.wrapping_mul(FRAME_BYTES as u32),
                marker: false,
                ssrc: self.ssrc,
                codec: Codec::Pcmu,
                payload,
            }));
        }
        while let Ok(word) = self.words.try_recv() {
            match word {
                Word::Key(digit) => return Some(LegEvent::Digit { digit, duration_ms: 100 }),
                Word::Mark(sent) => match self.played(sent) {
                    Some(buffer) => return Some(LegEvent::FarBuffer(buffer)),
                    None => continue,
                },
                Word::Ended(cause) => return Some(LegEvent::Ended { cause }),
            }
        }
        None
    }

    /// A mark has come back: what was sent since is the carrier's buffer and the way there and
    /// back. One that a clear gave back tells nothing.
    fn played(&mut self, mark: u32) -> Option<Duration> {
        let told = mark > self.cleared_at && mark <= self.sent;
        told.then(|| {
            self.held = self.sent - mark;
            far_buffer(self.held)
        })
    }

    /// Does what the call wants.
    pub(crate) fn command(&mut self, command: &LegCommand) {
        match command {
            LegCommand::Answer => self.answered = true,
            LegCommand::Send(frame) => self.send(frame),
            LegCommand::Flush => {
                self.clears.fetch_add(1, Ordering::AcqRel);
                self.cleared_at = self.sent;
                (self.held, self.told) = (0, None);
                // Finds no room only where the carrier does not read.
                let _ = self.carrier.try_send(ToCarrier::Clear);
            }
            LegCommand::Hangup => self.over.cancel(),
            // Carriers take no keys; there is nothing to agree on, and nobody to dial.
            LegCommand::SendDigit { .. }
            | LegCommand::Renegotiate
            | LegCommand::Dial(_)
            | LegCommand::Show(_) => {}
        }
    }

    /// Sends 20 ms, unless it is silence and the carrier holds enough: it plays on meanwhile.
    ///
    /// # Real-time
    /// No allocation, never waits.
    fn send(&mut self, frame: &EncodedFrame) {
        let Ok(payload) = <[u8; FRAME_BYTES]>::try_from(&frame.payload[..frame.len]) else {
            return;
        };
        if self.held > LAGGING && self.is_silent(&payload) {
            self.held -= 1;
            if self.held.is_multiple_of(MARK_EVERY) {
                self.told = Some(far_buffer(self.held));
            }
            return;
        }
        let clears = self.clears.load(Ordering::Acquire);
        if self.carrier.try_send(ToCarrier::Sound { clears, payload }).is_err() {
            // The carrier does not read: what waits is older and next, and this it never holds.
            return;
        }
        self.sent += 1;
        if self.sent.is_multiple_of(MARK_EVERY) {
            let _ = self.carrier.try_send(ToCarrier::Mark(self.sent));
        }
    }

    fn is_silent(&mut self, payload: &[u8; FRAME_BYTES]) -> bool {
        let mut sound = [0.0; FRAME_BYTES];
        let made = self.decoder.decode_into(payload, &mut sound);
        level::level_dbov(&sound[..made]) < SILENT_DBOV
    }
}

/// How long so many frames are, as far as it is believed.
fn far_buffer(frames: u32) -> Duration {
    (Duration::from_millis(20) * frames).min(FAR_BUFFER_MAX)
}

impl Drop for StreamLeg {
    fn drop(&mut self) {
        self.over.cancel();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame() -> LegCommand {
        LegCommand::Send(EncodedFrame { len: FRAME_BYTES, payload: [0xff; 320] })
    }

    #[test]
    fn pieces_of_any_length_become_frames() {
        let (mut leg, mut end) = stream(1);
        for piece in [100, 60, 1, 319] {
            end.hear(&vec![0x55; piece]);
        }
        leg.refill();
        let mut buffer = [0; 1_500];
        for expected in 0..3 {
            match leg.poll(&mut buffer) {
                Some(LegEvent::Packet(it)) => {
                    assert_eq!((it.sequence, it.payload.len()), (expected, FRAME_BYTES));
                }
                other => panic!("{other:?}"),
            }
        }
        assert!(leg.poll(&mut buffer).is_none());
    }

    #[test]
    fn a_worker_that_lags_loses_the_oldest_and_it_is_counted() {
        let (mut leg, mut end) = stream(1);
        end.hear(&vec![0; FRAME_BYTES * (WAITING + 7)]);
        assert_eq!(leg.garbage(), 7);
        leg.refill();
        let mut buffer = [0; 1_500];
        let first = leg.poll(&mut buffer);
        assert!(matches!(first, Some(LegEvent::Packet(it)) if it.sequence == 7), "{first:?}");
    }

    #[test]
    fn a_mark_that_comes_back_tells_what_the_carrier_holds_and_a_cleared_one_nothing() {
        let (mut leg, end) = stream(1);
        let mut buffer = [0; 1_500];
        for _ in 0..15 {
            leg.command(&frame());
        }
        leg.refill();
        assert!(end.tell(Word::Mark(10)));
        let event = leg.poll(&mut buffer);
        let held = Duration::from_millis(100);
        assert!(matches!(event, Some(LegEvent::FarBuffer(it)) if it == held), "{event:?}");
        leg.command(&LegCommand::Flush);
        assert!(end.is_stale(0));
        // Neither one that was cleared nor one that never was counts.
        assert!(end.tell(Word::Mark(10)) && end.tell(Word::Mark(4_000_000)));
        assert!(leg.poll(&mut buffer).is_none());
    }

    #[test]
    fn a_hang_up_ends_the_carriers_end_too() {
        let (mut leg, end) = stream(1);
        assert!(!end.over.is_cancelled());
        leg.command(&LegCommand::Hangup);
        assert!(end.over.is_cancelled());
    }

    /// A carrier that plays a frame a tick, and gives marks back as it comes to them.
    struct Carrier {
        end: CarrierEnd,
        held: std::collections::VecDeque<ToCarrier>,
        spoken: u32,
    }

    impl Carrier {
        /// 20 ms of it; while the connection is stalled nothing comes.
        fn tick(&mut self, is_stalled: bool) {
            while !is_stalled && let Ok(word) = self.end.leaving.try_recv() {
                self.held.push_back(word);
            }
            while let Some(ToCarrier::Mark(mark)) = self.held.front() {
                // Nothing comes through a stalled connection in this direction either.
                if is_stalled {
                    break;
                }
                assert!(self.end.tell(Word::Mark(*mark)));
                self.held.pop_front();
            }
            if let Some(ToCarrier::Sound { payload, .. }) = self.held.pop_front() {
                self.spoken += u32::from(payload[0] == LOUD);
            }
        }

        fn frames(&self) -> usize {
            self.held.iter().filter(|it| matches!(it, ToCarrier::Sound { .. })).count()
        }
    }

    const LOUD: u8 = 0x05;

    /// Sends a frame of one byte throughout; gives what the call was told of the far buffer.
    fn say(leg: &mut StreamLeg, byte: u8) -> Option<Duration> {
        leg.command(&LegCommand::Send(EncodedFrame { len: FRAME_BYTES, payload: [byte; 320] }));
        leg.refill();
        let (mut buffer, mut told) = ([0; 1_500], None);
        while let Some(event) = leg.poll(&mut buffer) {
            if let LegEvent::FarBuffer(held) = event {
                told = Some(held);
            }
        }
        told
    }

    #[test]
    fn a_delay_that_a_stalled_connection_left_is_gone_after_the_next_silence() {
        // Three seconds, and twelve, of which the last are not even kept for the carrier.
        for (stalled_ticks, behind) in [(150, 149), (600, 220)] {
            let (mut leg, end) = stream(1);
            let mut carrier = Carrier { end, held: std::collections::VecDeque::new(), spoken: 0 };
            let (mut said, mut told) = (0, None);
            let mut run = |ticks: u32, byte: u8, is_stalled: bool| {
                for _ in 0..ticks {
                    said += u32::from(byte == LOUD);
                    told = say(&mut leg, byte).or(told);
                    carrier.tick(is_stalled);
                }
                (carrier.frames(), told)
            };
            let (held, _) = run(100, LOUD, false);
            assert!(held <= 1, "{held}");
            run(stalled_ticks, LOUD, true);
            let (held, _) = run(50, LOUD, false);
            assert!(held >= behind, "{held} frames are behind");
            let (held, told) = run(300, 0xff, false);
            assert!(held <= LAGGING as usize + 1, "{held} frames are held after a silence");
            let told = told.expect("marks come back");
            assert!(told <= Duration::from_millis(220), "the call knows: {told:?}");
            run(100, LOUD, false);
            let kept = carrier.spoken + carrier.frames() as u32;
            let is_short = stalled_ticks < LEAVING as u32;
            assert_eq!(kept == said, is_short, "{kept} of {said}: no sound is left out for it");
        }
    }
}
