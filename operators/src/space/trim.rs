//! Memory that the allocator keeps for later, given back to the system.
//!
//! Files on a tmpfs are memory of the same machine or container: what the allocator keeps without use cannot hold them, and what it
//! gives back can.

/// Gives the allocator's free memory back.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[expect(unsafe_code, reason = "glibc has no safe interface for it, and no crate of ours wraps it")]
pub(super) fn give_memory_back() {
    // SAFETY: malloc_trim takes no pointer, may be called from any thread, locks each arena while it works on it, and releases only
    // pages that no allocation is on.
    unsafe { libc::malloc_trim(0) };
}

/// Other allocators give back by themselves, or cannot be asked.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub(super) fn give_memory_back() {}
