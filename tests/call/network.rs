//! The way from the caller's phone to us, packet by packet: lost, late, out of order, or all at
//! once after a machine that slept. Keys go as telephone events (RFC 4733) among the sound.

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

/// A line that loses and delays.
#[derive(Debug)]
pub(crate) struct Line {
    loss_percent: u64,
    jitter_ms: u64,
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
            random: seed,
            sender: Sender::new(0, 20, seed),
            keys: KeyReceiver::default(),
            on_the_way: BTreeMap::new(),
            sent: 0,
            lost: 0,
        }
    }

    /// The same line from another source, as a phone or a gateway begins one anew.
    pub(crate) fn changes_source(&mut self, seed: u64) {
        self.sender = Sender::new(0, 20, seed);
        self.keys.restart();
    }

    /// Sends 20 ms; gives what arrives meanwhile.
    fn tick(&mut self, now: MediaTime, payload: &[u8]) -> Vec<Vec<u8>> {
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
        for datagram in line.tick(self.now, payload) {
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
