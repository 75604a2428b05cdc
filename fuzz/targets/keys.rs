//! Keys as telephone events: packets of presses, lost, doubled and out of order, and packets that
//! nobody sends; and keys in the sound itself. A press is told once at most.
#![no_main]

use std::time::Duration;

use arbitrary::Arbitrary;
use cordboard_audio::codec::g711::decode_ulaw_into;
use cordboard_audio::dtmf::KeyDetector;
use cordboard_sip::dtmf::{END_AFTER, KeyReceiver};
use cordboard_sip::rtp::Packet;
use cordboard_sip::sender::Sender;
use libfuzzer_sys::fuzz_target;

const EVENTS: u8 = 101;
const SIGNS: &str = "0123456789*#ABCD";

#[derive(Arbitrary, Debug)]
enum Act<'a> {
    /// One of ours, of whose packets those are lost whose bit is set, and the others come so often.
    Press {
        event: u8,
        ms: u16,
        lost: u32,
        times: u8,
    },
    Packet {
        timestamp: u32,
        payload: &'a [u8],
    },
    /// A press that goes on and on.
    Segment {
        event: u8,
        samples: u16,
        end: bool,
    },
    Wait(u16),
    Clock(u32),
    Restart,
    Sound(&'a [u8]),
}

fuzz_target!(|acts: Vec<Act<'_>>| {
    let mut receiver = KeyReceiver::default();
    let mut sender = Sender::new(0, 20, 7);
    let mut detector = KeyDetector::new();
    let (mut now, mut timestamp) = (Duration::ZERO, 0_u32);
    // Presses that are told, and those that may be.
    let (mut told, mut most) = (0_usize, 0_usize);
    let mut hear = |digit: cordboard_sip::dtmf::Digit| {
        assert!(SIGNS.contains(digit.key.sign()));
        assert!(digit.duration <= Duration::from_secs(1 << 32));
        told += 1;
    };
    for act in acts.into_iter().take(64) {
        match act {
            Act::Press { event, ms, lost, times } => {
                let ms = 40 + ms % 4_000;
                sender.key(event % 16, EVENTS, ms);
                let (mut packets, mut number) = (Vec::new(), 0);
                while sender.is_keying() && number < 1_000 {
                    sender.push(&[0xff; 160], |packet| packets.push(packet.to_vec()));
                    number += 1;
                }
                for (index, packet) in packets.iter().enumerate() {
                    now += Duration::from_millis(20);
                    if lost >> (index % 32) & 1 == 1 {
                        continue;
                    }
                    receiver.poll(now).into_iter().for_each(&mut hear);
                    let packet = Packet::parse(packet).expect("ours can be read");
                    for _ in 0..=times % 3 {
                        receiver.packet(now, packet.timestamp, packet.payload, &mut hear);
                    }
                }
                // Gaps of more than the end's silence make several of one press.
                most += 1 + packets.len() / 5;
            }
            Act::Packet { timestamp, payload } => {
                receiver.packet(now, timestamp, payload, &mut hear);
                most += 1;
            }
            Act::Segment { event, samples, end } => {
                let [high, low] = samples.to_be_bytes();
                let payload = [event, u8::from(end) << 7, high, low];
                receiver.packet(now, timestamp, &payload, &mut hear);
                timestamp = timestamp.wrapping_add(u32::from(samples));
                most += 1;
            }
            Act::Wait(ms) => {
                now += Duration::from_millis(u64::from(ms));
                receiver.poll(now).into_iter().for_each(&mut hear);
                assert!(receiver.deadline().is_none_or(|it| it > now), "what is due was told");
            }
            Act::Clock(hz) => receiver.set_clock(hz),
            Act::Restart => receiver.restart(),
            Act::Sound(samples) => {
                let mut sound = [0.0; 160];
                let heard = decode_ulaw_into(&samples[..samples.len().min(160)], &mut sound);
                if let Some(pressed) = detector.hear(&sound[..heard]) {
                    assert!(SIGNS.contains(pressed.sign) && pressed.lasting_ms >= 40);
                }
            }
        }
    }
    receiver.poll(now + END_AFTER).into_iter().for_each(&mut hear);
    assert!(told <= most, "{told} told of {most}");
});
