//! Throughput of each operator alone and of the whole pipeline, in bytes of the source per second.
//!
//! `cargo bench --workspace` measures everything; `cargo bench --workspace -- parse` only what has
//! this in its name. `cargo test --workspace --benches` runs each once, to check that it works.
//!
//! Each operator is the one that runs in production, in its own dataflow on one worker. Its input
//! is what the operator before it made of the same file; `commit` is measured in commits. The
//! pipeline is measured whole, on one worker and on two. Each measurement ends when the frontier
//! has passed its input, so `stage` includes syncing, and `commit` includes all that makes it
//! durable. Fail points are compiled in here, as in every test. Passing one costs a lookup in an
//! empty map, once per batch, file or commit, never per line.

mod commit;
mod driven;
mod input;
mod lake;
mod operators;
mod pipeline;
mod prepared;
mod run;

use std::process::exit;
use std::time::Duration;

use criterion::Criterion;

use crate::input::Input;

fn main() {
    // Otherwise the program would wait for a panicked worker, or for a dataflow whose failed work
    // never completes.
    let print = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        print(panic);
        exit(101);
    }));
    let input = Input::generate();
    timely::execute_directly(move |worker| {
        let mut criterion = Criterion::default()
            .without_plots()
            .sample_size(20)
            .warm_up_time(Duration::from_secs(1))
            .configure_from_args();
        operators::bench(&mut criterion, worker, &input);
        commit::bench(&mut criterion, worker, &input);
        pipeline::bench(&mut criterion, &input);
        criterion.final_summary();
    });
}
