//! Neither detector allocates once it stands: a counting allocator, not prose.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use cordboard_audio::vad::SpeechMeter;

use crate::{shared, signal};

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

/// The system's allocator, counting per thread.
struct Counting;

// SAFETY: every call is the system allocator's own; counting touches a thread-local cell only.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // A thread that is ending has no counter left, and needs none.
        let _ = ALLOCATIONS.try_with(|count| count.set(count.get() + 1));
        // SAFETY: the caller keeps `alloc`'s contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps `dealloc`'s contract, and `at` came from `System`.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

fn allocations_while_hearing(mut meter: SpeechMeter) -> usize {
    let signal = signal::made_up();
    let before = ALLOCATIONS.get();
    for frame in signal.chunks(160) {
        meter.hear(frame);
    }
    ALLOCATIONS.get() - before
}

#[test]
fn the_counter_counts() {
    let before = ALLOCATIONS.get();
    drop(std::hint::black_box(vec![0_u8; 100]));
    assert_eq!(ALLOCATIONS.get() - before, 1);
}

#[test]
fn earshot_hears_without_allocating() {
    assert_eq!(allocations_while_hearing(SpeechMeter::earshot()), 0);
}

#[test]
fn silero_hears_without_allocating() {
    let Some(weights) = shared::weights() else { return };
    assert_eq!(allocations_while_hearing(SpeechMeter::silero(weights)), 0);
}
