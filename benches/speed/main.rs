//! What each operator can do alone, and what the whole pipeline does, in bytes of the source a second.
//!
//! `cargo bench --workspace` measures everything, `cargo bench --workspace -- parse` what is called so. `cargo test --workspace --benches` runs
//! each once, to see that it works.
//!
//! Every operator is the one that runs, in a dataflow of its own on one worker, and gets what the operator before it made of the
//! same file; `commit` is measured in commits. The pipeline is the whole of it, on one worker and on two. Each measurement ends when the
//! frontier has passed what was put in, so `stage` includes syncing, and `commit` all that makes it durable. Fail points are compiled in
//! here, as in every test, and cost a look into an empty map where one is passed: a batch, a file, a commit, never a line.

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
    // A worker that panics would be waited for; so would a dataflow that holds what it failed to do.
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
