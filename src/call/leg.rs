//! One leg of a call, as the call sees it: its ears, its mouth, and its footing.

use std::time::Duration;

use cordboard_audio::codec::Codec;
use cordboard_audio::jitter::Packet;
use cordboard_audio::receive::Receiver;
use cordboard_audio::{Frame, MediaTime, SampleRate};

use super::footing::Footing;
use super::voice::Voice;
use super::{EncodedFrame, MediaPacket, Network};
use crate::timeline::{LegRole, What};

/// One leg.
#[derive(Debug)]
pub(super) struct Leg {
    role: LegRole,
    codec: Codec,
    receiver: Receiver,
    /// What the assistant says on it.
    pub(super) voice: Voice,
    /// Whether the far end has us on hold.
    pub(super) held: bool,
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

impl Leg {
    /// Makes a leg whose media begins at `now`.
    pub(super) fn new(role: LegRole, now: MediaTime) -> Self {
        Self {
            role,
            codec: Codec::Pcmu,
            receiver: Receiver::new(Codec::Pcmu),
            voice: Voice::new(SampleRate::NARROW),
            held: false,
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

    /// Changes what is sent; what comes is told by each packet.
    pub(super) const fn send_with(&mut self, codec: Codec) {
        self.codec = codec;
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

    /// Takes what the ends have reported. A far end that reports is there, though it be silent.
    pub(super) const fn reported(&mut self, now: MediaTime, network: Network) {
        self.network = Some(network);
        if network.from_far_end {
            self.fed(now);
        }
    }

    /// The far end's sound of this tick.
    ///
    /// # Real-time
    /// No allocation.
    pub(super) fn listen(&mut self, now: MediaTime) -> Frame {
        let mut frame = Frame::silence(now, SampleRate::NARROW);
        self.receiver.pull_into(now, &mut frame);
        frame
    }

    /// Encodes a tick's sound for the far end.
    ///
    /// # Real-time
    /// No allocation.
    pub(super) fn encode(&mut self, frame: &Frame) -> EncodedFrame {
        let mut encoded = EncodedFrame { len: 0, payload: [0; 320] };
        encoded.len = self.codec.encode_into(frame.samples(), &mut encoded.payload);
        self.sent += 1;
        encoded
    }

    /// How long nothing has come, where something should: not on hold.
    pub(super) fn starved(&self, now: MediaTime) -> Duration {
        if self.held { Duration::ZERO } else { now.since(self.last_sound) }
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
