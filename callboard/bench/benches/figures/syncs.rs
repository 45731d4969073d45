//! How often this process waits for the disk, and how long: the system's calls are counted on their way, whoever makes them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::ffi::{c_int, c_long};
use std::ops::Sub;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

static COUNT: AtomicU64 = AtomicU64::new(0);
static TIME_NS: AtomicU64 = AtomicU64::new(0);

/// Waits for the disk since the process began, or between two looks.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Syncs {
    pub(crate) count: u64,
    pub(crate) time_us: u64,
}

impl Sub for Syncs {
    type Output = Self;

    fn sub(self, before: Self) -> Self {
        Self { count: self.count - before.count, time_us: self.time_us - before.time_us }
    }
}

/// All so far.
pub(crate) fn so_far() -> Syncs {
    Syncs { count: COUNT.load(Ordering::Relaxed), time_us: TIME_NS.load(Ordering::Relaxed) / 1000 }
}

/// SQLite and Rust's own files are linked to these instead of those of the C library, which do nothing else but the call.
#[expect(unsafe_code, reason = "only a function of the same name stands in the way of every call to it")]
// SAFETY: it has the signature and the meaning of the C library's function.
#[unsafe(no_mangle)]
extern "C" fn fsync(file: c_int) -> c_int {
    counted(libc::SYS_fsync, file)
}

#[expect(unsafe_code, reason = "only a function of the same name stands in the way of every call to it")]
// SAFETY: it has the signature and the meaning of the C library's function.
#[unsafe(no_mangle)]
extern "C" fn fdatasync(file: c_int) -> c_int {
    counted(libc::SYS_fdatasync, file)
}

#[expect(unsafe_code, reason = "a system call is foreign code")]
fn counted(call: c_long, file: c_int) -> c_int {
    let start = Instant::now();
    // SAFETY: the call takes one number and touches no memory of ours; its error is in `errno`, as callers expect.
    let result = unsafe { libc::syscall(call, file) };
    COUNT.fetch_add(1, Ordering::Relaxed);
    TIME_NS.fetch_add(u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
    if result == 0 { 0 } else { -1 }
}
