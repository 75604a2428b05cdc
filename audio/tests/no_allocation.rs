//! The 20 ms path allocates nothing once it is set up: proved by counting.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use cordboard_audio::{
    Clip, Codec, Decoder, Encoder, Frame, MediaTime, Packet, Playout, Receiver, Resampler,
    SampleRate, level, mix,
};

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

struct Counting;

// SAFETY: every call goes to the system's allocator unchanged; the count is a thread's own cell
// that is initialised without allocating.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller's promises are passed on.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn allocations(run: impl FnOnce()) -> u64 {
    let before = ALLOCATIONS.with(Cell::get);
    run();
    ALLOCATIONS.with(Cell::get) - before
}

#[test]
fn the_counter_counts() {
    assert!(allocations(|| drop(std::hint::black_box(vec![0_u8; 100]))) > 0);
}

#[test]
fn receiving_allocates_nothing_even_with_loss_disorder_and_resyncs() {
    let mut receiver = Receiver::new(Codec::Pcma);
    let mut frame = Frame::silence(MediaTime::ZERO, SampleRate::NARROW);
    let payload = [0x31; 160];
    let counted = allocations(|| {
        for n in 0..2_000_u32 {
            let arrived = MediaTime::from_millis(20 * u64::from(n));
            let leap = if n > 1_000 { 77_000_000 } else { 0 };
            // Every seventh is lost, every other pair changes places.
            let sent = if n % 4 == 1 {
                n + 1
            } else if n % 4 == 2 {
                n - 1
            } else {
                n
            };
            if n % 7 != 3 {
                receiver.insert(Packet {
                    sequence: sent as u16,
                    timestamp: sent * 160 + leap,
                    marker: false,
                    payload: &payload,
                    arrived,
                });
            }
            if n % 100 == 0 {
                receiver.pass(n as u16 + 1);
            }
            receiver.pull_into(arrived, &mut frame);
        }
    });
    assert_eq!(counted, 0);
    assert!(receiver.counters().lost > 0 && receiver.counters().resyncs > 0);
}

#[test]
fn playing_mixing_and_encoding_allocate_nothing() {
    let rate = SampleRate::NARROW;
    let mut playout = Playout::new(rate);
    let samples: Arc<[f32]> = vec![0.2; 1_000].into();
    let clips: Vec<Clip> = (0..60)
        .map(|id| Clip {
            id,
            samples: Arc::clone(&samples).into(),
            words: [].into(),
            rate,
            gap: Duration::from_millis(7),
        })
        .collect();
    let mut frame = Frame::silence(MediaTime::ZERO, rate);
    let other = frame;
    let mut payload = [0; 160];
    let mut encoder = Encoder::new(Codec::Pcmu);
    let mut decoder = Decoder::new(Codec::Pcmu);
    let counted = allocations(|| {
        let mut clips = clips.into_iter();
        for n in 0..1_000_u64 {
            if n % 5 == 0
                && let Some(clip) = clips.next()
            {
                assert!(playout.enqueue(clip).is_ok());
            }
            playout.pull_into(MediaTime::from_millis(20 * n), &mut frame);
            while playout.poll_event().is_some() {}
            std::hint::black_box(playout.heard(3, Duration::from_millis(60)));
            mix::add_frame(&mut frame, &other, 0.5);
            encoder.encode_into(frame.samples(), &mut payload);
            decoder.decode_into(&payload, frame.samples_mut());
            std::hint::black_box(level::level_wire(frame.samples()));
        }
    });
    assert_eq!(counted, 0);
}

#[test]
fn resampling_a_stream_allocates_nothing() {
    let mut resampler = Resampler::new(SampleRate::NARROW, SampleRate::WIDE);
    let mut wide = [0.0; 640];
    let counted = allocations(|| {
        for n in 0..500 {
            let narrow = [n as f32 / 1_000.0; 170];
            resampler.push_into(&narrow, &mut wide);
        }
    });
    assert_eq!(counted, 0);
}
