//! A stream of speech through a network that is given, into a receiver.

use std::f32::consts::TAU;

use cordboard_audio::{
    Codec, Encoder, Frame, JitterCounters, MediaTime, Packet, Pulled, Receiver, SampleRate,
};

/// A packet's arrival.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arrival {
    /// Its number in the stream.
    pub(crate) number: u64,
    /// When it comes, ns.
    pub(crate) at_ns: u64,
}

/// What the receiver did in one tick.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tick {
    pub(crate) pulled: Pulled,
    pub(crate) counters: JitterCounters,
    /// Delay over that of the fastest packet, ms; none while it rests.
    pub(crate) added_ms: Option<i64>,
    /// Largest step between two samples.
    pub(crate) steepest: f32,
}

/// One second of syllables of a voice of 140 Hz, and a short pause after them, in 20 ms payloads.
fn speech(codec: Codec) -> Vec<Vec<u8>> {
    let rate_hz = codec.rate().hz() as f32;
    let samples = 60 * codec.rate().frame_samples();
    let sound: Vec<f32> = (0..samples)
        .map(|n| {
            let t = n as f32 / rate_hz;
            let voice: f32 = (1..8).map(|k| (TAU * 140.0 * k as f32 * t).sin() / k as f32).sum();
            let loud = if t < 1.0 { (TAU * 2.0 * t).sin().abs() } else { 0.002 };
            0.15 * loud * voice
        })
        .collect();
    let mut encoder = Encoder::new(codec);
    sound
        .chunks_exact(codec.rate().frame_samples())
        .map(|frame| {
            let mut payload = [0; 320];
            let len = encoder.encode_into(frame, &mut payload);
            payload[..len].to_vec()
        })
        .collect()
}

/// Plays the arrivals, which are in the order in which they come, for so many ticks.
pub(crate) fn play(
    codec: Codec,
    arrivals: impl Iterator<Item = Arrival>,
    ticks: u64,
    mut each: impl FnMut(u64, Tick),
) {
    let payloads = speech(codec);
    let step = u64::from(codec.clock_hz()) / 50;
    let mut receiver = Receiver::new(codec);
    let mut frame = Frame::silence(MediaTime::ZERO, SampleRate::NARROW);
    let mut arrivals = arrivals.peekable();
    let mut last = 0.0;
    for tick in 0..ticks {
        let now_ns = tick * 20_000_000;
        while let Some(arrival) = arrivals.next_if(|it| it.at_ns <= now_ns) {
            receiver.insert(Packet {
                sequence: arrival.number as u16,
                timestamp: (arrival.number * step) as u32,
                marker: arrival.number == 0,
                payload: &payloads[arrival.number as usize % payloads.len()],
                arrived: MediaTime::from_nanos(arrival.at_ns),
            });
        }
        let now = MediaTime::from_nanos(now_ns);
        let pulled = receiver.pull_into(now, &mut frame);
        let mut steepest = 0.0_f32;
        for sample in frame.samples() {
            steepest = steepest.max((sample - last).abs());
            last = *sample;
        }
        let target_ms = receiver.jitter().target().as_millis() as i64;
        // What is played next is the next tick's.
        let next = MediaTime::from_nanos(now_ns + 20_000_000);
        let added_ms = receiver.later_ms(next).map(|later| later + target_ms);
        each(tick, Tick { pulled, counters: receiver.counters(), added_ms, steepest });
    }
}
