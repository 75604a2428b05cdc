//! Operations on the jitter buffer: it holds what it may, and no more.
#![no_main]

use arbitrary::Arbitrary;
use cordboard_audio::MediaTime;
use cordboard_audio::codec::Codec;
use cordboard_audio::jitter::{JitterBuffer, Packet, SLOTS};
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
enum Act<'a> {
    Insert {
        sequence: u16,
        timestamp: u32,
        marker: bool,
        payload: &'a [u8],
    },
    /// As a phone sends: one after the other.
    Next {
        lost: u8,
        payload_bytes: u8,
    },
    Pass(u16),
    Pop,
    Wait(u16),
    Switch(u8),
    Reset,
}

fuzz_target!(|input: (u8, Vec<Act<'_>>)| {
    let (codec, acts) = input;
    let mut buffer = JitterBuffer::new(Codec::ALL[usize::from(codec) % Codec::ALL.len()]);
    let mut now_ms = 0_u64;
    let (mut sequence, mut timestamp) = (65_000_u16, u32::MAX - 4_000);
    let sound = [0xff_u8; 256];
    for act in acts {
        let now = MediaTime::from_millis(now_ms);
        match act {
            Act::Insert { sequence, timestamp, marker, payload } => {
                buffer.insert(Packet { sequence, timestamp, marker, payload, arrived: now });
            }
            Act::Next { lost, payload_bytes } => {
                let steps = u16::from(lost % 8) + 1;
                sequence = sequence.wrapping_add(steps);
                timestamp = timestamp.wrapping_add(160 * u32::from(steps));
                let payload = &sound[..usize::from(payload_bytes)];
                let packet = Packet { sequence, timestamp, marker: false, payload, arrived: now };
                buffer.insert(packet);
            }
            Act::Pass(sequence) => buffer.pass(sequence),
            Act::Pop => {
                buffer.pop(now);
                now_ms += 20;
            }
            Act::Wait(ms) => now_ms += u64::from(ms),
            Act::Switch(codec) => {
                buffer.set_codec(Codec::ALL[usize::from(codec) % Codec::ALL.len()]);
            }
            Act::Reset => buffer.reset(),
        }
        assert!(buffer.held() <= SLOTS);
    }
});
