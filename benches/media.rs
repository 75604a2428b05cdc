//! What one tick of one call costs: a frame in, a frame out, a window judged.
//!
//! A frame is 20 ms, so a cost over 20 ms is the share of a core that a call takes for it. Weights
//! of Silero are not in the repository: without them earshot alone is measured, and that is said.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use cordboard_audio::jitter::{JitterBuffer, Packet};
use cordboard_audio::receive::Receiver;
use cordboard_audio::vad::{Earshot, Silero, SileroWeights, Vad};
use cordboard_audio::{
    Clip, Codec, Decoder, Encoder, Frame, MediaTime, Playout, Resampler, SampleRate, mix,
};
use cordboard_sip::srtp::{MAX_OVERHEAD_BYTES, MasterKey, Opener, Sealer, Suite};
use criterion::{Criterion, criterion_group, criterion_main};

const WEIGHTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/models/weights/silero_vad.onnx");
/// Samples of a frame.
const FRAME: usize = 160;

/// A voice of one note.
fn tone(samples: usize) -> Vec<f32> {
    (0..samples).map(|n| 0.3 * (n as f32 * 0.2).sin()).collect()
}

/// The packets of a stream without end, 20 ms apart.
struct Stream {
    number: u32,
    payload: [u8; FRAME],
}

impl Stream {
    fn new() -> Self {
        let mut payload = [0; FRAME];
        Encoder::new(Codec::Pcmu).encode_into(&tone(FRAME), &mut payload);
        Self { number: 0, payload }
    }

    fn next(&mut self) -> Packet<'_> {
        let number = self.number;
        self.number = number.wrapping_add(1);
        Packet {
            sequence: number as u16,
            timestamp: number.wrapping_mul(FRAME as u32),
            marker: number == 0,
            payload: &self.payload,
            arrived: MediaTime::from_millis(20 * u64::from(number)),
        }
    }
}

fn uplink(bench: &mut Criterion) {
    let mut group = bench.benchmark_group("uplink");
    let payload = Stream::new().payload;
    for (name, codec) in [("pcmu_20ms", Codec::Pcmu), ("pcma_20ms", Codec::Pcma)] {
        let mut decoder = Decoder::new(codec);
        let mut samples = [0.0; FRAME];
        group.bench_function(name, |it| {
            it.iter(|| decoder.decode_into(black_box(&payload), &mut samples));
        });
    }
    let mut receiver = Receiver::new(Codec::Pcmu);
    let mut stream = Stream::new();
    let mut frame = Frame::silence(MediaTime::ZERO, SampleRate::NARROW);
    group.bench_function("receive_20ms", |it| {
        it.iter(|| {
            let packet = stream.next();
            let now = packet.arrived;
            receiver.insert(packet);
            receiver.pull_into(now, black_box(&mut frame))
        });
    });
    group.finish();
}

fn downlink(bench: &mut Criterion) {
    let mut group = bench.benchmark_group("downlink");
    let mut encoder = Encoder::new(Codec::Pcmu);
    let (samples, mut payload) = (tone(FRAME), [0; FRAME]);
    group.bench_function("pcmu_20ms", |it| {
        it.iter(|| encoder.encode_into(black_box(&samples), &mut payload));
    });
    let mut playout = Playout::new(SampleRate::NARROW);
    let clip = Clip {
        id: 1,
        samples: tone(FRAME * 500).into(),
        words: [].into(),
        rate: SampleRate::NARROW,
        gap: Duration::ZERO,
    };
    playout.enqueue_loop(clip).expect("an empty queue has room");
    let (mut tick, mut frame) = (0_u64, Frame::silence(MediaTime::ZERO, SampleRate::NARROW));
    group.bench_function("play_and_encode_20ms", |it| {
        it.iter(|| {
            tick += 1;
            playout.pull_into(MediaTime::from_millis(20 * tick), &mut frame);
            encoder.encode_into(frame.samples(), black_box(&mut payload))
        });
    });
    group.finish();
}

fn vad(bench: &mut Criterion) {
    let mut group = bench.benchmark_group("vad");
    let mut judge = |name: &str, vad: &mut dyn Vad| {
        let window = tone(vad.window_samples());
        let name = format!("{name}_{}ms", window.len() / 8);
        group.bench_function(name, |it| it.iter(|| vad.probability(black_box(&window))));
    };
    judge("earshot", &mut Earshot::new());
    match std::fs::read(WEIGHTS) {
        Ok(bytes) => {
            let weights = SileroWeights::from_onnx(&bytes).expect("weights that make weights made");
            judge("silero", &mut Silero::new(Arc::new(weights)));
        }
        Err(fault) => eprintln!("without Silero: {WEIGHTS}: {fault}; run make weights"),
    }
    group.finish();
}

fn jitter(bench: &mut Criterion) {
    let mut group = bench.benchmark_group("jitter");
    let mut buffer = JitterBuffer::new(Codec::Pcmu);
    let mut stream = Stream::new();
    group.bench_function("insert_and_pop_20ms", |it| {
        it.iter(|| {
            let packet = stream.next();
            let now = packet.arrived;
            buffer.insert(packet);
            black_box(buffer.pop(now));
        });
    });
    group.finish();
}

/// A packet of 20 ms sealed, and one opened, in each suite that is offered.
fn srtp(bench: &mut Criterion) {
    const LEN: usize = 12 + FRAME;
    let mut group = bench.benchmark_group("srtp");
    let plain = |sequence: u16| {
        let mut packet = [0; LEN + MAX_OVERHEAD_BYTES];
        packet[0] = 0x80;
        packet[2..4].copy_from_slice(&sequence.to_be_bytes());
        packet
    };
    for suite in Suite::OFFERED {
        let key = vec![7; suite.key_bytes() + suite.salt_bytes()];
        let key = MasterKey::from_bytes(suite, &key).expect("a key of the right length");
        let (mut sealer, mut sequence) = (Sealer::new(&key).expect("a known suite"), 0_u16);
        group.bench_function(format!("seal_{}_20ms", suite.name()), |it| {
            it.iter(|| {
                sequence = sequence.wrapping_add(1);
                sealer.seal_rtp(black_box(&mut plain(sequence)), LEN)
            });
        });
        let (mut sealer, mut sequence) = (Sealer::new(&key).expect("a known suite"), 0_u16);
        let mut opener = Opener::new(&key).expect("a known suite");
        group.bench_function(format!("seal_and_open_{}_20ms", suite.name()), |it| {
            it.iter(|| {
                sequence = sequence.wrapping_add(1);
                let mut packet = plain(sequence);
                let len = sealer.seal_rtp(&mut packet, LEN).expect("room for the tag");
                opener.open_rtp(black_box(&mut packet[..len]))
            });
        });
    }
    group.finish();
}

fn sound(bench: &mut Criterion) {
    let mut group = bench.benchmark_group("sound");
    let (mut onto, add) = (tone(FRAME), tone(FRAME));
    group.bench_function("mix_20ms", |it| {
        it.iter(|| mix::add_into(black_box(&mut onto), black_box(&add), 0.5));
    });
    let mut wide = Resampler::new(SampleRate::NARROW, SampleRate::WIDE);
    let mut out = [0.0; 2 * FRAME];
    group.bench_function("resample_8_to_16_20ms", |it| {
        it.iter(|| wide.push_into(black_box(&add), &mut out));
    });
    group.finish();
}

criterion_group!(benches, uplink, downlink, vad, jitter, srtp, sound);
criterion_main!(benches);
