//! What a user of the command line sees: exit codes, reports, messages, signals. The messages are
//! snapshots, which `UPDATE_EXPECT=1 cargo test` rewrites.

#[path = "../support/mod.rs"]
mod support;

mod advice;
mod changes;
mod completions;
mod doctor;
mod examples;
mod foreign;
mod generate;
mod init;
mod inspect;
mod logs;
mod names;
mod peers;
mod progress;
mod rejects;
mod report;
mod rivals;
mod shapes;
mod signals;
mod stops;
mod usage;
mod values;

use expect_test::Expect;

use crate::support::{Ended, Pipeline};

/// The run stopped with `code` and these words.
#[track_caller]
fn stopped(pipeline: &Pipeline, ended: Ended, code: i32, words: &Expect) {
    let ended = ended.exits_with(code);
    assert_eq!(ended.stdout, "", "a run that stops reports nothing");
    words.assert_eq(&pipeline.normalised(&ended.error()));
}
