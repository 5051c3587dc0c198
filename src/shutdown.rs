//! SIGTERM and SIGINT: the first closes the open cut and ends the run cleanly, the second ends the process at once.

use lakefront_operators::fatal::StopRequest;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::exit::Exit;
use crate::logging;

/// Watches for signals from now on. Ending at once is safe: what is not committed is staged again by the next run.
pub(crate) fn watch(runtime: &tokio::runtime::Runtime, stop: StopRequest) -> std::io::Result<()> {
    let _entered = runtime.enter();
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    runtime.spawn(async move {
        either(&mut terminate, &mut interrupt).await;
        tracing::info!("stopping: closing the open cut and committing it; a second signal ends the process at once");
        stop.request();
        either(&mut terminate, &mut interrupt).await;
        logging::say("stopped at once: what was not committed will be staged again");
        std::process::exit(Exit::Fatal as i32);
    });
    Ok(())
}

async fn either(terminate: &mut Signal, interrupt: &mut Signal) {
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}
