//! Reports in any order, ours and theirs: ours can be read by the far side, and what is said of
//! the line stays within what a line can be.
#![no_main]

use std::time::Duration;

use arbitrary::Arbitrary;
use cordboard_sip::rtcp::{BufferDepth, MAX_REPORT_BYTES, Reports, is_rtcp};
use cordboard_sip::rtp::Packet;
use libfuzzer_sys::fuzz_target;

const OURS: u32 = 0x6f75_7273;
const THEIRS: u32 = 0x7468_6569;

#[derive(Arbitrary, Debug)]
enum Act<'a> {
    Wait(u16),
    Sent {
        timestamp: u32,
        payload: &'a [u8],
    },
    Received {
        sequence: u16,
        timestamp: u32,
        other: bool,
    },
    Next {
        lost: u8,
        late: u8,
    },
    /// A datagram of theirs.
    Heard(&'a [u8]),
    /// The same with a block about us in it.
    HeardOf {
        kind: bool,
        block: [u8; 20],
        more: &'a [u8],
    },
    Clock(u32),
    Buffer(u16, u16),
    Poll,
    Goodbye,
}

fn packet(ssrc: u32, sequence: u16, timestamp: u32, payload: &[u8]) -> Packet<'_> {
    Packet { marker: false, payload_type: 0, sequence, timestamp, ssrc, payload }
}

/// A report of theirs with one block about us, and whatever follows it.
fn report(sender: bool, block: &[u8], more: &[u8]) -> Vec<u8> {
    let (kind, words) = if sender { (200, 12) } else { (201, 7) };
    let mut out = vec![0x81, kind, 0, words];
    out.extend(THEIRS.to_be_bytes());
    out.resize(if sender { 28 } else { 8 }, 7);
    out.extend(OURS.to_be_bytes());
    out.extend(block);
    out.extend(more);
    out
}

fn check_ours(written: &[u8], now: Duration) {
    assert!(is_rtcp(written) && written.len().is_multiple_of(4));
    let mut far_side = Reports::new(THEIRS, 2, (Duration::ZERO, 0));
    let heard = far_side.heard(now, written).expect("ours can be read");
    assert_eq!(heard.ssrc, OURS);
}

fuzz_target!(|input: (u64, Vec<Act<'_>>)| {
    let (seed, acts) = input;
    let mut reports = Reports::new(OURS, seed, (Duration::ZERO, 1_700_000_000_000));
    let mut now = Duration::ZERO;
    let (mut sequence, mut timestamp) = (65_000_u16, 0_u32);
    let mut out = [0; MAX_REPORT_BYTES];
    for act in acts {
        match act {
            Act::Wait(ms) => now += Duration::from_millis(u64::from(ms)),
            Act::Sent { timestamp, payload } => {
                reports.sent(now, &packet(OURS, 1, timestamp, payload));
            }
            Act::Received { sequence, timestamp, other } => {
                let ssrc = if other { THEIRS ^ 1 } else { THEIRS };
                reports.received(now, &packet(ssrc, sequence, timestamp, &[]));
            }
            Act::Next { lost, late } => {
                sequence = sequence.wrapping_add(1 + u16::from(lost % 8));
                timestamp = timestamp.wrapping_add(160);
                now += Duration::from_millis(20 + u64::from(late % 4) * 20);
                reports.received(now, &packet(THEIRS, sequence, timestamp, &[]));
            }
            Act::Heard(datagram) => {
                if reports.heard(now, datagram).is_ok() {
                    assert!(!datagram.is_empty() && datagram[0] >> 6 == 2);
                }
            }
            Act::HeardOf { kind, block, more } => {
                let datagram = report(kind, &block, more);
                if let Ok(heard) = reports.heard(now, &datagram) {
                    assert!(heard.sender_report.is_some() || !kind, "it is a sender's");
                    assert!(heard.about_us.is_some(), "it has a block about us");
                }
            }
            Act::Clock(hz) => reports.set_clock_rate(hz),
            Act::Buffer(nominal_ms, maximum_ms) => {
                reports.set_buffer(BufferDepth { nominal_ms, maximum_ms });
            }
            Act::Poll => {
                if let Some(len) = reports.poll(now, &mut out) {
                    check_ours(&out[..len], now);
                    assert_eq!(reports.poll(now, &mut out), None, "one at a time");
                }
            }
            Act::Goodbye => {
                let len = reports.goodbye(now, &mut out);
                check_ours(&out[..len], now);
            }
        }
        let quality = reports.quality();
        assert!(quality.remote_loss_percent.is_none_or(|it| (0.0..=100.0).contains(&it)));
        assert!(quality.rtt_ms.is_none_or(|it| it <= 60_000));
        assert!(quality.remote_lost.is_none_or(|it| it < 1 << 23));
    }
});
