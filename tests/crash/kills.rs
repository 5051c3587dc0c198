//! The real binary is killed at random instants, in backfill and tail, while a writer appends torn
//! pieces to its files.

use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::support::pipeline::append;
use crate::support::{Lines, Pipeline, Random, wait};

/// How many kills each of the four stories has.
const KILLS: usize = 25;
/// The most bytes that a writer appends.
const MOST_BYTES: usize = 3 << 20;
/// An instant is drawn from this many milliseconds: enough for the start, the claims, and some
/// cuts.
const INSTANTS_MS: u64 = 400;

#[test]
fn kills_in_a_backfill_lose_and_double_nothing() {
    story(1, &["backfill"]);
}

#[test]
fn kills_in_a_tail_lose_and_double_nothing() {
    story(2, &["tail"]);
}

#[test]
fn kills_while_modes_alternate_lose_and_double_nothing() {
    story(3, &["backfill", "tail"]);
}

#[test]
fn kills_with_a_wiped_state_file_lose_and_double_nothing() {
    let pipeline = story(4, &["tail", "backfill"]);
    pipeline.forget_state();
    assert_eq!(pipeline.land()["bytes"], 0, "the tables remember what the state file forgot");
    pipeline.is_exact();
}

/// Kills a pipeline again and again under a writer, then lets it finish.
fn story(seed: u64, modes: &[&str]) -> Pipeline {
    let (mut pipeline, mut random) = (Pipeline::new(), Random::new(seed));
    let files = ["a.json", "b.json", "2026/11/21/c.json", "2026/11/21/d.json"].map(|name| {
        pipeline.write(name, b"");
        pipeline.path("logs").join(name)
    });
    let writer = Writer::start(seed, files.to_vec());
    let (mut kills, mut claims) = (0, 0);
    while kills < KILLS {
        vary(&mut pipeline, &mut random);
        if random.one_in(8) {
            pipeline.forget_state();
        }
        let workers = random.below(1..4).to_string();
        let mode = random.pick(modes);
        let mut run = pipeline.start(&["run", "p.toml", "--mode", mode, "--workers", &workers]);
        wait::pause(Duration::from_millis(random.below(0..INSTANTS_MS)));
        let early = run.has_ended();
        let ended = run.kill();
        match ended.code {
            None => kills += 1,
            Some(0) => assert!(early || *mode == "backfill", "a tail does not end by itself:\n{}", ended.stderr),
            Some(_) => panic!("seed {seed}, after {kills} kills, it stopped:\n{}", ended.stderr),
        }
        claims += usize::from(ended.stderr.contains("claimed the tables"));
    }
    assert!(claims > 0, "no run lived long enough to be worth a kill");
    writer.finish();
    pipeline.land();
    let held = pipeline.is_exact();
    pipeline.is_proved();
    println!("seed {seed}: {kills} kills, {claims} after the claim; {held}");
    pipeline
}

/// Sets other chunks, cuts and bounds than before: what is in the tables must not depend on them.
fn vary(pipeline: &mut Pipeline, random: &mut Random) {
    pipeline.set("source", "chunk", format!("{} B", random.below(1 << 10..1 << 16)));
    pipeline.set("commit", "bytes", format!("{} B", random.below(1 << 12..1 << 18)));
    pipeline.set("commit", "interval", format!("{}ms", random.below(10..200)));
    pipeline.set("limits", "ahead", format!("{} B", random.below(1 << 17..1 << 20)));
}

/// Appends lines in torn pieces to random files, until it is told to finish the lines it began.
struct Writer {
    finish: Sender<()>,
    thread: JoinHandle<()>,
}

impl Writer {
    fn start(seed: u64, files: Vec<PathBuf>) -> Writer {
        let (finish, told) = channel();
        Writer { finish, thread: thread::spawn(move || write(seed, &files, &told)) }
    }

    fn finish(self) {
        self.finish.send(()).expect("the writer waits for this");
        self.thread.join().expect("the writer is done");
    }
}

fn write(seed: u64, files: &[PathBuf], told: &Receiver<()>) {
    let (mut random, mut lines) = (Random::new(!seed), Lines::new(seed));
    let mut rest = vec![Vec::new(); files.len()];
    let mut left = MOST_BYTES;
    while told.recv_timeout(Duration::from_millis(random.below(0..6))) == Err(RecvTimeoutError::Timeout) {
        let file = usize::try_from(random.below(0..files.len() as u64)).expect("a small number");
        if rest[file].is_empty() {
            let some = usize::try_from(random.below(1..8)).expect("a small number");
            rest[file] = lines.take(some);
        }
        let most = rest[file].len().min(left) as u64;
        let piece = usize::try_from(random.below(0..most + 1)).expect("a small number");
        append(&files[file], &rest[file][..piece]);
        rest[file].drain(..piece);
        left -= piece;
    }
    for (file, rest) in files.iter().zip(&rest) {
        append(file, rest);
    }
}
