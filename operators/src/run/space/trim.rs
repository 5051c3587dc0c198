//! Returns memory that the allocator keeps for later to the system.
//!
//! Files on a tmpfs are memory of the same machine or container: they cannot use what the allocator
//! keeps without need, but they can use what it returns.

/// Returns the allocator's free memory to the system.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[expect(unsafe_code, reason = "glibc has no safe interface for it, and no crate of ours wraps it")]
pub(super) fn give_memory_back() {
    // SAFETY: malloc_trim takes no pointer, may be called from any thread, locks each arena while
    // it works on it, and releases only pages that hold no allocation.
    unsafe { libc::malloc_trim(0) };
}

/// Other allocators return memory by themselves, or cannot be asked to.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub(super) fn give_memory_back() {}
