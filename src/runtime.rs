//! The process around a dataflow: the runtime, the workers, and the supervisor that ends them all
//! on a fatal error.

use std::sync::Arc;

use anyhow::Context;
use lakefront_operators::error::Stop;
use lakefront_topologies::Topology;

use crate::exit::Exit;
use crate::logging::{self, LogFormat};

/// A panic in any thread ends the process: the other workers would wait for it forever, and no
/// destructor may finish a file.
pub(crate) fn end_process_on_panic() {
    let print = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        match logging::format() {
            LogFormat::Text => print(panic),
            LogFormat::Json => logging::error(&panic.to_string()),
        }
        logging::error("this is a bug in lakefront; nothing uncommitted was acknowledged, start again");
        std::process::exit(Exit::Fatal as i32);
    }));
}

/// The runtime that reads, uploads and commits; workers compute on threads of their own.
///
/// It is leaked, so that it lives until the process ends: if it were torn down during a log
/// checkpoint, the library that writes the checkpoint would panic, and a run that stops for a good
/// reason would report a bug instead.
pub(crate) fn tokio() -> anyhow::Result<&'static tokio::runtime::Runtime> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("lakefront-io")
        .enable_all()
        .build()
        .context("could not start the runtime")?;
    Ok(Box::leak(Box::new(runtime)))
}

/// Runs the dataflow on `workers` threads until it is complete, or until the first fatal error.
///
/// On a fatal error the workers are left as they are, and the caller must end the process: a
/// dataflow that is torn down would see its inputs end, and take that for completion.
pub(crate) fn execute(
    workers: usize,
    topology: Topology,
    supervisor: &crossbeam_channel::Receiver<Stop>,
) -> anyhow::Result<()> {
    let (topology, (done, finished)) = (Arc::new(topology), crossbeam_channel::bounded::<Result<(), String>>(1));
    std::thread::Builder::new()
        .name("lakefront-workers".to_owned())
        .spawn(move || {
            let guards = timely::execute(timely::Config::process(workers), move |worker| {
                topology.build(worker);
                while worker.step_or_park(None) {}
            });
            let joined = guards.and_then(|guards| guards.join().into_iter().collect::<Result<Vec<()>, String>>());
            // Sending fails only while the process is ending.
            let _ = done.send(joined.map(drop));
        })
        .context("could not start the workers")?;
    crossbeam_channel::select! {
        recv(supervisor) -> stop => match stop {
            Ok(stop) => return Err(stop.into()),
            // Everything that could raise an error is gone: the dataflow is complete.
            Err(_) => finished.recv(),
        },
        recv(finished) -> joined => joined,
    }
    .context("the workers ended without a result")?
    .map_err(|error| anyhow::anyhow!("a worker failed: {error}"))?;
    supervisor.try_recv().map_or(Ok(()), |stop| Err(stop.into()))
}
