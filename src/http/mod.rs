//! What a running pipeline shows of itself.

#[allow(dead_code, reason = "the server shows it")]
pub(crate) mod metrics;
mod process;
