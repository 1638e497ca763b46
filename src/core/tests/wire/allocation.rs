//! Counts what a thread asks the allocator for, so that "bounded allocation" is a number.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

struct Counting;

thread_local! {
    static REQUESTED: Cell<usize> = const { Cell::new(0) };
}

fn count(bytes: usize) {
    // A thread that is ending has no counter any more, and nothing to measure. Where addresses have 32 bits the count of
    // a whole run passes them; differences stay right.
    let _ = REQUESTED.try_with(|requested| requested.set(requested.get().wrapping_add(bytes)));
}

// SAFETY: every call goes to the system allocator unchanged; counting touches only a thread-local integer.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise is passed on.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Runs `work` and says how many bytes it asked for in all, freed or not.
pub fn measure<T>(work: impl FnOnce() -> T) -> (T, usize) {
    let before = REQUESTED.with(Cell::get);
    let value = work();
    (value, REQUESTED.with(Cell::get).wrapping_sub(before))
}

#[test]
fn the_counter_counts() {
    let (kept, bytes) = measure(|| vec![0u8; 1000]);
    assert_eq!((kept.len(), bytes), (1000, 1000));
}
