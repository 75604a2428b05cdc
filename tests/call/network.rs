//! The way from the caller's phone to us, packet by packet: lost, late, out of order, by a clock
//! that is not ours, or all at once after a machine that slept. Keys go as telephone events (RFC
//! 4733) among the sound.

use std::collections::BTreeMap;
use std::time::Duration;

use cordboard::call::{Input, LegEvent, MediaPacket};
use cordboard::timeline::LegRole;
use cordboard_audio::MediaTime;
use cordboard_audio::codec::Codec;
use cordboard_sip::dtmf::{Key, KeyReceiver};
use cordboard_sip::rtp::Packet;
use cordboard_sip::sender::Sender;

use super::world::World;

/// Payload type of the keys.
const KEYS: u8 = 101;
const KEY_MS: u16 = 100;
/// A whole packet, in millionths.
const PACKET_PPM: i32 = 1_000_000;

/// A line that loses and delays.
#[derive(Debug)]
pub(crate) struct Line {
    loss_percent: u64,
    jitter_ms: u64,
    /// How much faster than ours the phone's clock is, in millionths, and how much of a packet it
    /// has ready.
    drift_ppm: i32,
    ready_ppm: i32,
    random: u64,
    sender: Sender,
    keys: KeyReceiver,
    on_the_way: BTreeMap<(MediaTime, u64), Vec<u8>>,
    sent: u64,
    pub(crate) lost: u64,
}

impl Line {
    pub(crate) fn new(loss_percent: u64, jitter_ms: u64, seed: u64) -> Self {
        Self {
            loss_percent,
            jitter_ms,
            drift_ppm: 0,
            ready_ppm: PACKET_PPM / 2,
            random: seed,
            sender: Sender::new(0, 20, seed),
            keys: KeyReceiver::default(),
            on_the_way: BTreeMap::new(),
            sent: 0,
            lost: 0,
        }
    }

    /// The same line from a phone whose clock is so much faster than ours.
    pub(crate) const fn drifting(mut self, ppm: i32) -> Self {
        self.drift_ppm = ppm;
        self
    }

    /// The same line from another source, as a phone or a gateway begins one anew.
    pub(crate) fn changes_source(&mut self, seed: u64) {
        self.sender = Sender::new(0, 20, seed);
        self.keys.restart();
    }

    /// Packets that the phone sends in a tick of ours: one, and now and then none or two.
    const fn due(&mut self) -> i32 {
        self.ready_ppm += PACKET_PPM + self.drift_ppm;
        let due = self.ready_ppm / PACKET_PPM;
        self.ready_ppm %= PACKET_PPM;
        due
    }

    /// Sends 20 ms.
    fn send(&mut self, now: MediaTime, payload: &[u8]) {
        let mut sent = vec![];
        self.sender.push(payload, |datagram| sent.push(datagram.to_vec()));
        for datagram in sent {
            self.sent += 1;
            if self.dice(100) < self.loss_percent {
                self.lost += 1;
                continue;
            }
            let late = Duration::from_millis(self.dice(self.jitter_ms + 1));
            self.on_the_way.insert((now + late, self.sent), datagram);
        }
    }

    /// What has arrived by now.
    fn arrived(&mut self, now: MediaTime) -> Vec<Vec<u8>> {
        let later = self.on_the_way.split_off(&(now, u64::MAX));
        std::mem::replace(&mut self.on_the_way, later).into_values().collect()
    }

    /// SplitMix64: good enough for dice, the same each time.
    fn dice(&mut self, sides: u64) -> u64 {
        self.random = self.random.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.random;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % sides.max(1)
    }
}

impl World {
    /// Sends the phone's sound by way of its line, and gives the call what arrives.
    pub(super) fn send_over_line(&mut self, payload: &[u8]) {
        let Some(mut line) = self.line.take() else { return };
        let due = line.due();
        if due > 0 {
            line.send(self.now, payload);
        }
        if due > 1 {
            let more = self.caller.send(self.now);
            more.into_iter().for_each(|payload| line.send(self.now, &payload));
        }
        for datagram in line.arrived(self.now) {
            let packet = Packet::parse(&datagram).expect("we made it");
            let at = self.now.since(MediaTime::ZERO);
            let mut pressed = vec![];
            let event = if packet.payload_type == KEYS {
                line.keys.packet(at, packet.timestamp, packet.payload, |it| pressed.push(it));
                LegEvent::Passed { sequence: packet.sequence }
            } else {
                LegEvent::Packet(MediaPacket {
                    sequence: packet.sequence,
                    timestamp: packet.timestamp,
                    marker: packet.marker,
                    ssrc: packet.ssrc,
                    codec: Codec::Pcmu,
                    payload: packet.payload,
                })
            };
            self.give(Input::Leg(LegRole::Caller, event));
            pressed.into_iter().for_each(|it| self.key_arrived(it));
        }
        let ended = line.keys.poll(self.now.since(MediaTime::ZERO));
        ended.into_iter().for_each(|it| self.key_arrived(it));
        self.line = Some(line);
    }

    fn key_arrived(&mut self, digit: cordboard_sip::dtmf::Digit) {
        let duration_ms = u32::try_from(digit.duration.as_millis()).expect("seconds at most");
        if let Some(tick) = self.caller.ticks.last_mut() {
            tick.keyed = true;
        }
        self.caller_event(LegEvent::Digit { digit: digit.key.sign(), duration_ms });
    }

    /// The caller presses keys on a phone that sends them as telephone events.
    pub(crate) fn presses(&mut self, digits: &str) {
        for digit in digits.chars() {
            let line = self.line.as_mut().expect("a line was laid");
            let key = Key::from_sign(digit).expect("a key of the telephone");
            line.sender.key(key.event(), KEYS, KEY_MS);
            self.run(400);
        }
    }

    /// The machine stands still for so long: no tick, and what was sent meanwhile waits for it.
    pub(crate) fn stands_still(&mut self, ms: u64) {
        let mut waiting = vec![];
        for _ in 0..ms / 20 {
            self.now = self.now + Duration::from_millis(20);
            let payload = self.caller.send(self.now);
            if let Some(payload) = payload {
                let MediaPacket { sequence, timestamp, ssrc, .. } = self.caller.packet(&payload);
                waiting.push((sequence, timestamp, ssrc, payload));
            }
        }
        for (sequence, timestamp, ssrc, payload) in waiting {
            let codec = Codec::Pcmu;
            let packet =
                MediaPacket { sequence, timestamp, marker: false, ssrc, codec, payload: &payload };
            self.give(Input::Leg(LegRole::Caller, LegEvent::Packet(packet)));
        }
    }
}
