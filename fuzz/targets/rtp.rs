//! Datagrams at a media port: RTP, and the keys that some of it carries.
#![no_main]

use std::time::Duration;

use cordboard_sip::dtmf::KeyReceiver;
use cordboard_sip::latch::Latch;
use cordboard_sip::rtp::Packet;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|datagrams: Vec<(u8, &[u8])>| {
    let Ok(signalled) = "192.0.2.1:4000".parse() else { return };
    let mut latch = Latch::new(signalled);
    let mut keys = KeyReceiver::default();
    let mut now = Duration::ZERO;
    let mut pressed = 0_usize;
    for (wait_ms, datagram) in &datagrams {
        now += Duration::from_millis(u64::from(*wait_ms));
        pressed += usize::from(keys.poll(now).is_some());
        if let Ok(packet) = Packet::parse(datagram) {
            assert!(packet.payload.len() <= datagram.len());
            latch.packet(signalled, packet.ssrc);
            keys.packet(now, packet.timestamp, packet.payload, |_| pressed += 1);
        }
    }
    pressed += usize::from(keys.poll(now + Duration::from_secs(9)).is_some());
    // A key that is held while another begins ends with it.
    assert!(pressed <= 2 * datagrams.len());
});
