//! The real binary is killed at random instants while blobs grow by torn lines, through a proxy
//! that fails requests now and then.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::storms::one_in_twenty;
use crate::support::{Container, Lines, Random, wait};
use crate::world::{World, below};

/// How many kills each story has.
const KILLS: usize = 12;
/// The most bytes that a writer appends.
const MOST_BYTES: usize = 2 << 20;
/// An instant is drawn from this many milliseconds: enough for the start, the claims, and some
/// cuts.
const INSTANTS_MS: u64 = 500;

#[test]
fn kills_in_a_tail_lose_and_double_nothing() {
    story(1, &["tail"]);
}

#[test]
fn kills_while_modes_alternate_lose_and_double_nothing() {
    let world = story(2, &["backfill", "tail"]);
    world.pipeline.forget_state();
    assert_eq!(world.pipeline.land()["bytes"], 0, "the tables remember what the state file forgot");
}

/// Kills a pipeline again and again under a writer, then lets it finish.
fn story(seed: u64, modes: &[&str]) -> World {
    let (mut world, mut random) = (World::with_seed(seed), Random::new(seed));
    let names = ["a.json", "b.json", "h=07/c.json", "h=08/d.json"];
    names.iter().for_each(|name| world.write(name, ""));
    let writer = Writer::start(seed, &world, names.iter().map(|name| below(name)).collect());
    let (mut kills, mut claims) = (0, 0);
    while kills < KILLS {
        if random.one_in(2) {
            one_in_twenty(&world.proxy);
        }
        vary(&mut world, &mut random);
        let mode = random.pick(modes);
        let mut run = world.pipeline.start(&["run", "p.toml", "--mode", mode]);
        wait::pause(Duration::from_millis(random.below(0..INSTANTS_MS)));
        let early = run.has_ended();
        let ended = run.kill();
        match ended.code {
            None => kills += 1,
            Some(0) => assert!(early || *mode == "backfill", "a tail does not end by itself:\n{}", ended.stderr),
            Some(_) => panic!("seed {seed}, after {kills} kills, it stopped:\n{}", ended.stderr),
        }
        claims += usize::from(ended.stderr.contains("claimed the tables"));
        world.proxy.calm();
    }
    assert!(claims > 0, "no run lived long enough to be worth a kill");
    writer.finish();
    world.pipeline.land();
    let held = world.is_exact();
    world.pipeline.is_proved();
    let failed = world.proxy.count(|seen| seen.fault.is_some());
    println!("seed {seed}: {kills} kills, {claims} after the claim, {failed} failed requests; {held}");
    world
}

/// Sets other chunks and cuts than before.
fn vary(world: &mut World, random: &mut Random) {
    let pipeline = &mut world.pipeline;
    pipeline.set("source", "chunk", format!("{} B", random.below(1 << 10..1 << 16)));
    pipeline.set("source", "in_flight", random.below(1..6)).set("", "workers", random.below(1..4));
    pipeline.set("commit", "bytes", format!("{} B", random.below(1 << 12..1 << 18)));
    pipeline.set("commit", "interval", format!("{}ms", random.below(10..200)));
}

/// Appends lines in torn pieces to random blobs, until it is told to finish the lines it began.
struct Writer {
    finish: Sender<()>,
    thread: JoinHandle<()>,
}

impl Writer {
    fn start(seed: u64, world: &World, names: Vec<String>) -> Writer {
        let ((finish, told), container) = (channel(), world.container.again());
        Writer { finish, thread: thread::spawn(move || write(seed, &container, &names, &told)) }
    }

    fn finish(self) {
        self.finish.send(()).expect("the writer waits for this");
        self.thread.join().expect("the writer is done");
    }
}

fn write(seed: u64, container: &Container, names: &[String], told: &Receiver<()>) {
    let (mut random, mut lines) = (Random::new(!seed), Lines::new(seed));
    let mut rest = vec![Vec::new(); names.len()];
    let mut left = MOST_BYTES;
    while told.recv_timeout(Duration::from_millis(random.below(0..10))) == Err(RecvTimeoutError::Timeout) {
        let blob = usize::try_from(random.below(0..names.len() as u64)).expect("a small number");
        if rest[blob].is_empty() {
            let some = usize::try_from(random.below(1..8)).expect("a small number");
            rest[blob] = lines.take(some);
        }
        let most = rest[blob].len().min(left) as u64;
        let piece = usize::try_from(random.below(0..most + 1)).expect("a small number");
        container.append(&names[blob], &rest[blob][..piece]);
        rest[blob].drain(..piece);
        left -= piece;
    }
    for (name, rest) in names.iter().zip(&rest) {
        container.append(name, rest);
    }
}
