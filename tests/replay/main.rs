//! `lakefront replay`: what it writes, and what it says of when that is visible.

#[path = "../support/mod.rs"]
mod support;

mod azure;
mod refusals;
mod target;
mod watch;

/// The rows that `lines` become: one each, but for the array of two among them that is opened.
fn rows_of(lines: u64, content: &[u8]) -> u64 {
    let arrays = content.split(|byte| *byte == b'\n').filter(|line| line.trim_ascii() == b"[1, 2]").count();
    lines + arrays as u64
}
