//! `lakefront replay`: what it writes, and when it says that this became visible.

#[path = "../support/mod.rs"]
mod support;

mod azure;
mod refusals;
mod target;
mod watch;

/// The rows that `lines` become: one each, and one more for each array of two, which is opened.
fn rows_of(lines: u64, content: &[u8]) -> u64 {
    let arrays = content.split(|byte| *byte == b'\n').filter(|line| line.trim_ascii() == b"[1, 2]").count();
    lines + arrays as u64
}
