//! Packets in, frames out, of any codec, with comfort noise and stretching: every pull gives a frame
//! of the codec's rate with sound within full scale.
#![no_main]

use arbitrary::Arbitrary;
use cordboard_audio::codec::Codec;
use cordboard_audio::jitter::Packet;
use cordboard_audio::receive::Receiver;
use cordboard_audio::{Frame, MediaTime, SampleRate};
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
enum Act<'a> {
    Insert {
        sequence: u16,
        timestamp: u32,
        marker: bool,
        payload: &'a [u8],
    },
    Next {
        lost: u8,
        late: bool,
        payload: &'a [u8],
    },
    Pass(u16),
    Pull(u8),
    /// What the sender's room sounds like while it is silent.
    Comfort(&'a [u8]),
    Switch(u8),
    Reset,
}

fuzz_target!(|input: (u8, Vec<Act<'_>>)| {
    let (codec, acts) = input;
    let mut receiver = Receiver::new(Codec::ALL[usize::from(codec) % Codec::ALL.len()]);
    Codec::ALL.into_iter().for_each(|codec| receiver.prepare(codec));
    let mut frame = Frame::silence(MediaTime::ZERO, SampleRate::NARROW);
    let mut now_ms = 0_u64;
    let (mut sequence, mut timestamp) = (0_u16, 0_u32);
    for act in acts {
        let now = MediaTime::from_millis(now_ms);
        match act {
            Act::Insert { sequence, timestamp, marker, payload } => {
                receiver.insert(Packet { sequence, timestamp, marker, payload, arrived: now });
            }
            Act::Next { lost, late, payload } => {
                let steps = u16::from(lost % 4) + 1;
                sequence = sequence.wrapping_add(steps);
                timestamp = timestamp.wrapping_add(160 * u32::from(steps));
                let arrived = MediaTime::from_millis(now_ms + u64::from(late) * 60);
                receiver.insert(Packet { sequence, timestamp, marker: false, payload, arrived });
            }
            Act::Pass(sequence) => receiver.pass(sequence),
            Act::Pull(times) => {
                for _ in 0..=times % 8 {
                    receiver.pull_into(MediaTime::from_millis(now_ms), &mut frame);
                    assert_eq!(frame.rate(), receiver.codec().rate());
                    assert!(frame.samples().iter().all(|it| (-1.5..=1.5).contains(it)));
                    now_ms += 20;
                }
            }
            Act::Comfort(payload) => {
                sequence = sequence.wrapping_add(1);
                receiver.comfort(sequence, payload);
            }
            Act::Switch(codec) => {
                receiver.set_codec(Codec::ALL[usize::from(codec) % Codec::ALL.len()]);
            }
            Act::Reset => receiver.reset(),
        }
    }
});
