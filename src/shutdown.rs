//! SIGTERM and SIGINT: the first closes the open cut and ends the run cleanly, the second ends the process at once.

use lakefront_operators::fatal::StopRequest;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::exit::Exit;
use crate::logging;

/// Watches for signals from now on. Ending at once is safe: what is not committed is staged again by the next run.
pub(crate) fn watch(runtime: &tokio::runtime::Runtime, stop: StopRequest) -> std::io::Result<()> {
    let mut signals = Signals::new(runtime)?;
    runtime.spawn(async move {
        signals.next().await;
        tracing::info!("stopping: closing the open cut and committing it; a second signal ends the process at once");
        stop.request();
        signals.next().await;
        logging::say("stopped at once: what was not committed will be staged again");
        std::process::exit(Exit::Fatal as i32);
    });
    Ok(())
}

/// The wishes to end, one after the other.
pub(crate) struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// Signals end the process no more: whoever asks for this is to look at them.
    pub(crate) fn new(runtime: &tokio::runtime::Runtime) -> std::io::Result<Signals> {
        let _entered = runtime.enter();
        Ok(Signals { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    /// Waits for the next.
    pub(crate) async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
