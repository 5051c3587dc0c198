//! What a run has once, beside its operators.

pub mod allocator;
pub mod bridge;
pub mod clock;
pub mod env;
pub mod fatal;
pub mod memory;
pub mod metrics;
pub mod space;
pub mod state;
