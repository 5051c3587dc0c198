//! What the C library's allocator keeps, and how it is made to keep less.
//!
//! It has arenas, so that threads need not wait for each other, and by default up to eight for each
//! core. A run has many threads that wait for files and stores, and what one of them has freed in
//! its arena is of no use to the others: buffers of a cut came to be held several times over.

#[cfg(all(target_os = "linux", target_env = "gnu"))]
use std::thread::available_parallelism;

/// As many threads as this can allocate at a time, also where there is one core.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const LEAST: usize = 2;

/// Gives the allocator an arena for each core, unless `MALLOC_ARENA_MAX` says how many. It is
/// called before there are other threads.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[expect(unsafe_code, reason = "glibc has no safe interface for it, and no crate of ours wraps it")]
pub fn keep_few_arenas() {
    if std::env::var_os("MALLOC_ARENA_MAX").is_some() {
        return;
    }
    let cores = available_parallelism().map_or(LEAST, |cores| cores.get().max(LEAST));
    // SAFETY: mallopt takes no pointer, and sets a number that later allocations go by.
    unsafe { libc::mallopt(libc::M_ARENA_MAX, i32::try_from(cores).unwrap_or(i32::MAX)) };
}

/// Returns the allocator's free memory to the system. Files on a tmpfs are memory of the same
/// machine or container: they cannot use what the allocator keeps without need, but they can use
/// what it returns.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[expect(unsafe_code, reason = "glibc has no safe interface for it, and no crate of ours wraps it")]
pub(super) fn give_memory_back() {
    // SAFETY: malloc_trim takes no pointer, may be called from any thread, locks each arena while
    // it works on it, and releases only pages that hold no allocation.
    unsafe { libc::malloc_trim(0) };
}

/// Other allocators have no such arenas.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub fn keep_few_arenas() {}

/// Other allocators return memory by themselves, or cannot be asked to.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub(super) fn give_memory_back() {}
