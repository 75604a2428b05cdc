//! A caller's browser: the leg, and the far end of it on the control runtime.
//!
//! The connection ([`peer`]: ICE, DTLS, SRTP) lives on the control runtime. Its packets cross to
//! the media worker by a lock-free ring, undecoded, so that the jitter buffer and the concealment
//! of a telephone call do their work on them; where the worker lags, the oldest makes room and is
//! counted. What is sent goes to the connection's own queue, and is dropped where that is full.

mod door;
pub(crate) mod fragment;
mod keys;
mod peer;
mod reports;
mod socket;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use cordboard_audio::MediaTime;
use cordboard_audio::codec::Codec;
use cordboard_sip::dtmf::{Digit, KeyReceiver};
use crossbeam_channel::{Receiver, Sender, bounded};
use crossbeam_queue::ArrayQueue;
use futures_util::FutureExt;
use rtc::rtp::header::Header;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use webrtc::media_stream::track_local::TrackLocal;
use webrtc::media_stream::track_local::static_rtp::TrackLocalStaticRTP;

use self::socket::Gate;
use crate::call::{EncodedFrame, EndCause, LegCommand, LegEvent, MediaPacket, Network, Shown};

pub(crate) use peer::{Opened, Peer, PeerEvent, PeerFault, PeerSettings, Reach};

/// Packets that wait for the worker: two seconds.
const WAITING: usize = 100;
/// Words that wait for the worker.
const WORDS: usize = 256;
/// What waits to be shown; what finds no room is shown by what comes after it.
const SHOWN: usize = 256;
/// Packets taken in one tick.
const PACKETS_A_TICK: u32 = 32;
/// RTP clock of Opus (RFC 7587 §4.1), and of the telephone events beside it, mostly.
const CLOCK_HZ: u32 = 48_000;
/// Ticks of 20 ms.
const FRAME_TICKS: u32 = 960;
/// How long a key of the page's is taken to be pressed.
const KEY_MS: u32 = 100;

/// What a browser tells beside sound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Word {
    /// Sound may flow, for the first time.
    Connected,
    /// A key of the page's keypad.
    Key(char),
    /// The caller has put us on hold, or cannot be reached for the moment; or is back.
    Held(bool),
    /// The caller asked for a human.
    WantsPerson,
    /// The browser holds so much that it has not played.
    FarBuffer(Duration),
    /// What both ends know of the way between them.
    Network(Network),
    /// The caller is gone.
    Ended(EndCause),
}

/// What both ends of the leg know of each other's payload types: 0 while nothing is agreed on.
#[derive(Debug, Default)]
struct PayloadTypes {
    sound: AtomicU32,
    keys: AtomicU32,
    /// Clock of the keys.
    keys_hz: AtomicU32,
}

/// The call's end.
#[derive(Debug)]
pub(crate) struct BrowserLeg {
    packets: Arc<ArrayQueue<rtc::rtp::Packet>>,
    words: Receiver<Word>,
    page: mpsc::Sender<Shown>,
    track: Track,
    types: Arc<PayloadTypes>,
    dropped: Arc<AtomicU64>,
    gate: Arc<Gate>,
    over: CancellationToken,
    keys: KeyReceiver,
    pressed: [Option<Digit>; 2],
    /// Whether sound has flowed, and the call has said that it takes the caller.
    connected: bool,
    taken: bool,
    answered: bool,
    header: Header,
    garbage: u64,
    budget: u32,
}

/// The connection's end.
#[derive(Debug)]
pub(crate) struct BrowserEnd {
    packets: Arc<ArrayQueue<rtc::rtp::Packet>>,
    words: Sender<Word>,
    types: Arc<PayloadTypes>,
    dropped: Arc<AtomicU64>,
    /// What is asked of all that comes.
    gate: Arc<Gate>,
    /// Cancelled when the call hangs up.
    pub(crate) over: CancellationToken,
}

/// Where the leg's sound goes.
struct Track(Arc<TrackLocalStaticRTP>);

impl std::fmt::Debug for Track {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Track")
    }
}

/// The two ends of a leg whose sound goes to `track`, and what its page is to be shown.
fn ends(
    track: Arc<TrackLocalStaticRTP>,
    ssrc: u32,
    seed: u64,
) -> (BrowserLeg, BrowserEnd, mpsc::Receiver<Shown>) {
    let packets = Arc::new(ArrayQueue::new(WAITING));
    let (say, words) = bounded(WORDS);
    let (page, shown) = mpsc::channel(SHOWN);
    let (types, dropped) = (Arc::new(PayloadTypes::default()), Arc::new(AtomicU64::new(0)));
    let (over, gate) = (CancellationToken::new(), Arc::new(Gate::default()));
    let end = BrowserEnd {
        packets: packets.clone(),
        words: say,
        types: types.clone(),
        dropped: dropped.clone(),
        gate: gate.clone(),
        over: over.clone(),
    };
    let leg = BrowserLeg {
        packets,
        words,
        page,
        track: Track(track),
        types,
        dropped,
        gate,
        over,
        keys: KeyReceiver::default(),
        pressed: [None; 2],
        connected: false,
        taken: false,
        answered: false,
        // The begin of each counter is a secret to who guesses packets (RFC 3550 §5.1).
        header: Header {
            version: 2,
            ssrc,
            sequence_number: (seed & 0xffff) as u16,
            timestamp: ((seed >> 16) & 0xffff_ffff) as u32,
            ..Header::default()
        },
        garbage: 0,
        budget: 0,
    };
    (leg, end, shown)
}

impl BrowserEnd {
    /// Passes a packet on; where the worker lags, the oldest makes room and is counted.
    fn give(&self, packet: rtc::rtp::Packet) {
        if self.packets.force_push(packet).is_some() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Passes a word on; whether there was room.
    pub(crate) fn tell(&self, word: Word) -> bool {
        self.words.try_send(word).is_ok()
    }

    /// How long nothing has come from the browser.
    pub(crate) fn silent_for(&self) -> Duration {
        self.gate.silent_for()
    }

    /// What was agreed on.
    fn agreed(&self, sound: u8, keys: Option<(u8, u32)>) {
        let (keys, keys_hz) = keys.unwrap_or_default();
        self.types.sound.store(sound.into(), Ordering::Release);
        self.types.keys_hz.store(keys_hz, Ordering::Release);
        self.types.keys.store(keys.into(), Ordering::Release);
    }
}

impl BrowserLeg {
    /// What is spoken.
    pub(crate) const fn codec(&self) -> Codec {
        Codec::Opus
    }

    /// Packets that came and were of no use, and datagrams that were none of the call's.
    pub(crate) fn garbage(&self) -> u64 {
        self.garbage + self.dropped.load(Ordering::Relaxed) + self.gate.refused()
    }

    /// Begins a tick's reading.
    pub(crate) const fn refill(&mut self) {
        self.budget = PACKETS_A_TICK;
    }

    /// Reads on; `None` where nothing more has come, or the tick's share is used up.
    ///
    /// # Real-time
    /// No allocation, never waits.
    pub(crate) fn poll<'b>(
        &mut self,
        now: MediaTime,
        buffer: &'b mut [u8],
    ) -> Option<LegEvent<'b>> {
        if let Some(pressed) = self.pressed[0].take() {
            self.pressed.swap(0, 1);
            return Some(digit(pressed));
        }
        if let Some(event) = self.words.try_recv().ok().and_then(|word| self.word(word)) {
            return Some(event);
        }
        if self.connected && self.taken && !std::mem::replace(&mut self.answered, true) {
            return Some(LegEvent::Answered);
        }
        let elapsed = now.since(MediaTime::ZERO);
        while self.budget > 0 {
            self.budget -= 1;
            let Some(packet) = self.packets.pop() else { break };
            if let Some(event) = self.packet(elapsed, &packet, buffer) {
                // The borrow checker does not see that the buffer is free on the other path.
                return Some(with_payload(event, buffer));
            }
        }
        self.budget = 0;
        self.keys.poll(elapsed).map(digit)
    }

    /// What a word means to the call; nothing, where it is for this leg alone.
    fn word(&mut self, word: Word) -> Option<LegEvent<'static>> {
        Some(match word {
            Word::Connected => {
                self.connected = true;
                return None;
            }
            Word::Key(digit) => LegEvent::Digit { digit, duration_ms: KEY_MS },
            Word::Held(true) => LegEvent::Held,
            Word::Held(false) => LegEvent::Resumed,
            Word::WantsPerson => LegEvent::WantsPerson,
            Word::FarBuffer(held) => LegEvent::FarBuffer(held),
            Word::Network(network) => LegEvent::Network(network),
            Word::Ended(cause) => LegEvent::Ended { cause },
        })
    }

    /// Looks at a packet; its payload is copied where it is sound.
    fn packet(
        &mut self,
        elapsed: Duration,
        packet: &rtc::rtp::Packet,
        buffer: &mut [u8],
    ) -> Option<Came> {
        let payload_type = u32::from(packet.header.payload_type);
        let Header { sequence_number: sequence, timestamp, marker, ssrc, .. } = packet.header;
        if payload_type == self.types.keys.load(Ordering::Acquire) && payload_type != 0 {
            self.keys.set_clock(self.types.keys_hz.load(Ordering::Acquire));
            let [first, second] = &mut self.pressed;
            self.keys.packet(elapsed, timestamp, &packet.payload, |it| {
                *(if first.is_none() { &mut *first } else { &mut *second }) = Some(it);
            });
            return Some(Came::Key { sequence });
        }
        let is_sound = payload_type == self.types.sound.load(Ordering::Acquire);
        let room = buffer.get_mut(..packet.payload.len()).filter(|_| is_sound);
        let Some(room) = room else {
            self.garbage += 1;
            return None;
        };
        room.copy_from_slice(&packet.payload);
        let len = packet.payload.len();
        Some(Came::Sound { sequence, timestamp, marker, ssrc, len })
    }

    /// Does what the call wants.
    pub(crate) fn command(&mut self, command: &LegCommand) {
        match command {
            LegCommand::Answer => self.taken = true,
            LegCommand::Send(frame) => self.send(frame),
            LegCommand::Show(shown) => {
                // A page that does not keep up is shown what comes next.
                let _ = self.page.try_send(Shown::clone(shown));
            }
            LegCommand::Hangup => self.over.cancel(),
            // A browser plays what it has within its jitter buffer, has no keypad to be pressed,
            // and offers anew by itself.
            LegCommand::Flush
            | LegCommand::SendDigit { .. }
            | LegCommand::Renegotiate
            | LegCommand::Dial(_) => {}
        }
    }

    /// Sends 20 ms.
    ///
    /// # Real-time
    /// One allocation; takes a lock that the connection holds for moments; never waits.
    fn send(&mut self, frame: &EncodedFrame) {
        self.header.timestamp = self.header.timestamp.wrapping_add(FRAME_TICKS);
        let payload_type = self.types.sound.load(Ordering::Acquire);
        if !self.connected || payload_type == 0 || frame.len == 0 {
            return;
        }
        self.header.sequence_number = self.header.sequence_number.wrapping_add(1);
        self.header.payload_type = (payload_type & 0x7f) as u8;
        let payload = Bytes::copy_from_slice(&frame.payload[..frame.len]);
        let packet = rtc::rtp::Packet { header: self.header.clone(), payload };
        // Where its queue is full, or the connection is away, 20 ms are lost as any packet may be.
        let _ = self.track.0.write_rtp(packet).now_or_never();
    }
}

/// A packet that was of use.
#[derive(Clone, Copy)]
enum Came {
    Key { sequence: u16 },
    Sound { sequence: u16, timestamp: u32, marker: bool, ssrc: u32, len: usize },
}

fn with_payload(came: Came, buffer: &[u8]) -> LegEvent<'_> {
    match came {
        Came::Key { sequence } => LegEvent::Passed { sequence },
        Came::Sound { sequence, timestamp, marker, ssrc, len } => {
            let (codec, payload) = (Codec::Opus, &buffer[..len]);
            LegEvent::Packet(MediaPacket { sequence, timestamp, marker, ssrc, codec, payload })
        }
    }
}

fn digit(pressed: Digit) -> LegEvent<'static> {
    let duration_ms = u32::try_from(pressed.duration.as_millis()).unwrap_or(u32::MAX);
    LegEvent::Digit { digit: pressed.key.sign(), duration_ms }
}

impl Drop for BrowserLeg {
    fn drop(&mut self) {
        self.over.cancel();
    }
}
