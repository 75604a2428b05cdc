//! What a call allocates for a frame of 20 ms: nothing, once it is set up and nothing happens.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use cordboard_audio::MediaTime;

use super::world::World;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

/// The system's allocator, counting per thread.
pub(crate) struct Counting;

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

/// How often this thread has allocated so far.
pub(crate) fn so_far() -> u64 {
    ALLOCATIONS.with(Cell::get)
}

/// What a call made of one input.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cost {
    /// When.
    pub(crate) at: MediaTime,
    /// Allocations in the call itself.
    pub(crate) allocations: u64,
    /// Whether it was more than a frame, or more came of it than sound: an entry, a job, a command,
    /// 100 ms of sound for the recognizer's thread.
    pub(crate) is_eventful: bool,
}

#[test]
fn a_frame_of_a_call_allocates_nothing_where_nothing_happens() {
    let mut world = World::ringing();
    world.connect();
    world.hears("How can I help you?");
    world.run(400);
    world.says("where is my order");
    world.hears("What is your order number?");
    world.run(1_000);
    world.says("one two three four five six");
    world.hears("Is that right?");
    let begun = MediaTime::from_millis(1_000);
    let frames = world.costs.iter().filter(|cost| cost.at > begun && !cost.is_eventful);
    let (mut count, mut all, mut worst) = (0_u64, 0_u64, Vec::new());
    for cost in frames {
        count += 1;
        all += cost.allocations;
        if cost.allocations > 0 {
            worst.push(*cost);
        }
    }
    eprintln!("{count} inputs in which nothing happened, {all} allocations");
    assert!(count > 1_000, "{count}");
    assert_eq!(all, 0, "{:?}", &worst[..worst.len().min(12)]);
}
