//! One leg of a call, as the call sees it: its ears, its mouth, and its footing.
//!
//! What comes and what goes have each the rate of their codec, 8 or 16 kHz. Voice, recognizer and
//! recording are 8 kHz; two legs of 16 kHz that are bridged hear each other at that.

use std::time::Duration;

use cordboard_audio::codec::{Codec, Encoder};
use cordboard_audio::dtmf::{KeyDetector, Pressed};
use cordboard_audio::halfband::{Doubler, Halver};
use cordboard_audio::jitter::Packet;
use cordboard_audio::receive::Receiver;
use cordboard_audio::{Frame, MediaTime, SampleRate, mix};

use super::footing::Footing;
use super::voice::Voice;
use super::{EncodedFrame, MediaPacket, Network};
use crate::timeline::{LegRole, What};

/// Bytes of an Opus packet without sound, at most: a header alone, and one byte of its length. A
/// sender that is silent sends nothing behind it (DTX).
const OPUS_DTX_BYTES: usize = 2;

/// One leg.
#[derive(Debug)]
pub(super) struct Leg {
    role: LegRole,
    encoder: Encoder,
    receiver: Receiver,
    /// What came, to 8 kHz and to 16 kHz.
    ears: (Halver, Doubler),
    /// What is said, to 16 kHz.
    mouth: Doubler,
    keys: KeyDetector,
    key_source: KeySource,
    /// What the assistant says on it.
    pub(super) voice: Voice,
    /// Whether the far end has us on hold.
    pub(super) held: bool,
    /// Whether the far end has said that it is silent from here on, and sends nothing meanwhile.
    resting: bool,
    /// Whether media flows.
    pub(super) sending: bool,
    /// Datagrams that were not of this leg.
    pub(super) garbage: u64,
    /// Whether sound flows, and since when not.
    pub(super) footing: Footing,
    network: Option<Network>,
    ssrc: Option<u32>,
    last_sound: MediaTime,
    received: u64,
    sent: u64,
}

/// Where the keys of a leg come from; the first that is used is the only one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum KeySource {
    /// None has come, and they may be in the sound.
    Unknown,
    /// In the sound.
    Sound,
    /// Signalled, by telephone events or INFO.
    Signalled,
}

/// A tick's sound of a far end, at both rates.
#[derive(Debug)]
pub(super) struct Heard {
    /// 8 kHz.
    pub(super) narrow: Frame,
    /// 16 kHz; silence where it was not asked for and did not come so.
    pub(super) wide: Frame,
    /// Whether it came so.
    pub(super) came_wide: bool,
    /// A key that was let go in it.
    pub(super) key: Option<Pressed>,
}

impl Leg {
    /// Makes a leg whose media begins at `now`.
    pub(super) fn new(role: LegRole, now: MediaTime) -> Self {
        Self {
            role,
            encoder: Encoder::new(Codec::Pcmu),
            receiver: Receiver::new(Codec::Pcmu),
            ears: (Halver::new(), Doubler::new()),
            mouth: Doubler::new(),
            keys: KeyDetector::new(),
            key_source: KeySource::Signalled,
            voice: Voice::new(SampleRate::NARROW),
            held: false,
            resting: false,
            sending: false,
            garbage: 0,
            footing: Footing::default(),
            network: None,
            ssrc: None,
            last_sound: now,
            received: 0,
            sent: 0,
        }
    }

    /// Makes the leg that goes on for one that was lost to a panic: with its codec and its counts.
    pub(super) fn after(lost: &Self, now: MediaTime) -> Self {
        let mut leg = Self::new(lost.role, now);
        leg.send_with(lost.encoder.codec());
        leg.key_source = lost.key_source;
        leg.held = lost.held;
        leg.resting = lost.resting;
        leg.footing.held(now, lost.held);
        leg.sending = lost.sending;
        leg.garbage = lost.garbage;
        leg.network = lost.network;
        (leg.received, leg.sent) = (lost.received, lost.sent);
        leg
    }

    /// Changes what is sent, and makes ready for what will most likely come; what comes is told by
    /// each packet.
    pub(super) fn send_with(&mut self, codec: Codec) {
        if codec != self.encoder.codec() {
            self.encoder = Encoder::new(codec);
        }
        self.receiver.prepare(codec);
    }

    /// Takes a packet.
    ///
    /// # Real-time
    /// No allocation.
    pub(super) fn insert(&mut self, now: MediaTime, packet: &MediaPacket<'_>) {
        if self.ssrc != Some(packet.ssrc) {
            self.ssrc = Some(packet.ssrc);
            self.receiver.reset();
        }
        self.received += 1;
        self.last_sound = now;
        self.resting = packet.codec == Codec::Opus && packet.payload.len() <= OPUS_DTX_BYTES;
        self.receiver.set_codec(packet.codec);
        self.receiver.insert(Packet {
            sequence: packet.sequence,
            timestamp: packet.timestamp,
            marker: packet.marker,
            payload: packet.payload,
            arrived: now,
        });
    }

    /// Takes a packet of the stream that carried no sound.
    pub(super) fn pass(&mut self, now: MediaTime, sequence: u16) {
        self.last_sound = now;
        self.receiver.pass(sequence);
    }

    /// Takes a packet of comfort noise: the far end is silent, and there.
    pub(super) fn comfort(&mut self, now: MediaTime, sequence: u16, payload: &[u8]) {
        self.last_sound = now;
        self.resting = true;
        self.receiver.comfort(sequence, payload);
    }

    /// Takes what the ends have reported. A far end that reports is there, though it be silent.
    pub(super) fn reported(&mut self, now: MediaTime, network: Network) {
        self.network = Some(network);
        if let Some(percent) = network.remote_loss_percent {
            self.encoder.set_expected_loss(percent);
        }
        if network.from_far_end {
            self.fed(now);
        }
    }

    /// The far end's sound of this tick. `wide` asks for 16 kHz beside the 8 kHz.
    ///
    /// # Real-time
    /// No allocation.
    pub(super) fn listen(&mut self, now: MediaTime, wide: bool) -> Heard {
        let mut own = Frame::silence(now, SampleRate::NARROW);
        self.receiver.pull_into(now, &mut own);
        let other = |rate| Frame::silence(now, rate);
        if own.rate() == SampleRate::WIDE {
            let mut narrow = other(SampleRate::NARROW);
            self.ears.0.push_into(own.samples(), narrow.samples_mut());
            return Heard { narrow, wide: own, came_wide: true, key: self.key_in(&narrow) };
        }
        let mut raised = other(SampleRate::WIDE);
        if wide {
            self.ears.1.push_into(own.samples(), raised.samples_mut());
        }
        Heard { narrow: own, wide: raised, came_wide: false, key: self.key_in(&own) }
    }

    /// Says whether keys may come in the sound.
    pub(super) fn keys_in_sound(&mut self, may: bool) {
        if may != (self.key_source != KeySource::Signalled) {
            self.key_source = if may { KeySource::Unknown } else { KeySource::Signalled };
            self.keys.reset();
        }
    }

    /// Takes note of a key that was signalled; whether it counts.
    pub(super) fn key_signalled(&mut self) -> bool {
        if self.key_source == KeySource::Unknown {
            self.key_source = KeySource::Signalled;
        }
        self.key_source == KeySource::Signalled
    }

    fn key_in(&mut self, narrow: &Frame) -> Option<Pressed> {
        if self.key_source == KeySource::Signalled {
            return None;
        }
        let pressed = self.keys.hear(narrow.samples())?;
        self.key_source = KeySource::Sound;
        Some(pressed)
    }

    /// Whether what is sent is 16 kHz.
    pub(super) fn speaks_wide(&self) -> bool {
        self.encoder.codec().rate() == SampleRate::WIDE
    }

    /// Encodes a tick's sound for the far end: what is said on this leg, 8 kHz, and beside it what
    /// came on another.
    ///
    /// # Real-time
    /// No allocation.
    pub(super) fn encode(&mut self, said: &Frame, other: Option<&Heard>) -> EncodedFrame {
        let mut frame = Frame::silence(said.at(), self.encoder.codec().rate());
        if self.speaks_wide() {
            self.mouth.push_into(said.samples(), frame.samples_mut());
        } else {
            frame.samples_mut().copy_from_slice(said.samples());
        }
        if let Some(other) = other {
            let heard = if self.speaks_wide() { &other.wide } else { &other.narrow };
            mix::add_into(frame.samples_mut(), heard.samples(), 1.0);
        }
        let mut encoded = EncodedFrame { len: 0, payload: [0; 320] };
        encoded.len = self.encoder.encode_into(frame.samples(), &mut encoded.payload);
        self.sent += 1;
        encoded
    }

    /// The far end holds us, or takes us back: what it said of its silence is of the time before.
    pub(super) fn hold(&mut self, now: MediaTime, held: bool) {
        (self.held, self.resting) = (held, false);
        self.footing.held(now, held);
        self.fed(now);
    }

    /// How long nothing has come, where something should: not on hold, and not after comfort noise.
    pub(super) fn starved(&self, now: MediaTime) -> Duration {
        if self.held || self.resting { Duration::ZERO } else { now.since(self.last_sound) }
    }

    /// Whether the far end is to be given up: nothing has come for so long where something should,
    /// or for `announced` since it said that it would be silent. Who listens may be silent for
    /// many minutes; whether it has vanished is then for the session timer to find, and for this
    /// limit where there is none.
    pub(super) fn is_gone(
        &self,
        now: MediaTime,
        unannounced: Duration,
        announced: Duration,
    ) -> bool {
        let rested = self.resting && !self.held && now.since(self.last_sound) >= announced;
        rested || self.starved(now) >= unannounced
    }

    /// How long what is heard now has waited in the jitter buffer, ms.
    pub(super) fn buffer_ms(&self, now: MediaTime) -> u32 {
        let delay = self.receiver.delay(now).unwrap_or_default();
        u32::try_from(delay.as_millis()).unwrap_or(u32::MAX)
    }

    /// Drops what came and was not played: it is of long ago.
    pub(super) fn drop_stale(&mut self) {
        self.receiver.reset();
    }

    /// Starts the count of starvation anew.
    pub(super) const fn fed(&mut self, now: MediaTime) {
        self.last_sound = now;
    }

    /// What the network did to it.
    pub(super) fn media(&self) -> What {
        let counters = self.receiver.counters();
        What::Media {
            role: self.role,
            received: self.received,
            sent: self.sent,
            lost: counters.lost,
            late: counters.late,
            garbage: self.garbage,
            concealed_ms: u64::try_from(self.receiver.concealed().as_millis()).unwrap_or(u64::MAX),
            jitter_ms: self.network.map(|it| it.jitter_ms),
            rtt_ms: self.network.and_then(|it| it.rtt_ms),
            remote_lost: self.network.and_then(|it| it.remote_lost),
        }
    }
}
