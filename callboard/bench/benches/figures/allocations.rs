//! An allocator that counts while it is told to: how often memory is taken, and how much.

use mimalloc::MiMalloc;
use std::alloc::{GlobalAlloc, Layout};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

static IS_COUNTING: AtomicBool = AtomicBool::new(false);
static COUNT: AtomicU64 = AtomicU64::new(0);
static SIZE_BYTES: AtomicU64 = AtomicU64::new(0);

struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn count(size_bytes: usize) {
    if IS_COUNTING.load(Ordering::Relaxed) {
        COUNT.fetch_add(1, Ordering::Relaxed);
        SIZE_BYTES.fetch_add(size_bytes as u64, Ordering::Relaxed);
    }
}

#[expect(unsafe_code, reason = "an allocator can be written in no other way; this one only counts and hands on")]
// SAFETY: every call goes to the allocator of the product with the arguments it came with.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        // SAFETY: the caller keeps the promises that `MiMalloc` asks for.
        unsafe { MiMalloc.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        // SAFETY: as above.
        unsafe { MiMalloc.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size_bytes: usize) -> *mut u8 {
        count(size_bytes);
        // SAFETY: as above.
        unsafe { MiMalloc.realloc(pointer, layout, size_bytes) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { MiMalloc.dealloc(pointer, layout) }
    }
}

/// Runs work and gives how often it took memory, and how many bytes. Other threads must rest.
pub(crate) fn counted(work: impl FnOnce()) -> (u64, u64) {
    COUNT.store(0, Ordering::Relaxed);
    SIZE_BYTES.store(0, Ordering::Relaxed);
    IS_COUNTING.store(true, Ordering::Relaxed);
    work();
    IS_COUNTING.store(false, Ordering::Relaxed);
    (COUNT.load(Ordering::Relaxed), SIZE_BYTES.load(Ordering::Relaxed))
}
