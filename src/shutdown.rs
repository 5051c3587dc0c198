//! SIGTERM, SIGINT and SIGHUP: the first closes the open cut and ends the run cleanly, the second
//! ends the process at once.

use std::pin::pin;
use std::time::Duration;

use lakefront_operators::run::fatal::StopRequest;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::exit::Exit;
use crate::logging;

/// Watches for signals from now on. Ending at once is safe: what is not committed is staged again
/// by the next run.
pub(crate) fn watch(runtime: &tokio::runtime::Runtime, stop: StopRequest) -> std::io::Result<()> {
    let mut signals = Signals::new(runtime)?;
    runtime.spawn(async move {
        let first = signals.next().await;
        tracing::info!("stopping: closing the open cut and committing it; a second signal ends the process at once");
        stop.request();
        signals.second(first).await;
        logging::say("stopped at once: what was not committed will be staged again");
        std::process::exit(Exit::Fatal as i32);
    });
    Ok(())
}

/// The same signal within this time is an echo: `timeout` and terminals send it to the process and
/// to its group.
pub(crate) const ECHO: Duration = Duration::from_millis(500);

/// A request to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    Terminate,
    Interrupt,
    /// The terminal was closed.
    HangUp,
}

/// The requests to end, one after the other.
pub(crate) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    /// SIGHUP: a terminal was closed. `None` if the process was started to outlive that, as `nohup`
    /// does.
    hangup: Option<Signal>,
}

impl Signals {
    /// From now on signals do not end the process: the caller must watch for them.
    pub(crate) fn new(runtime: &tokio::runtime::Runtime) -> std::io::Result<Signals> {
        let _entered = runtime.enter();
        let hangup = (!ignores_hangup()).then(|| signal(SignalKind::hangup())).transpose()?;
        let (terminate, interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        Ok(Signals { terminate, interrupt, hangup })
    }

    /// Waits for the next request.
    pub(crate) async fn next(&mut self) -> Wish {
        let hangup = async {
            match &mut self.hangup {
                Some(hangup) => hangup.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = self.terminate.recv() => Wish::Terminate,
            _ = self.interrupt.recv() => Wish::Interrupt,
            _ = hangup => Wish::HangUp,
        }
    }

    /// Waits for a second request, which ends the process at once. An echo of the `first` does not
    /// count, nor does SIGHUP, which a closed terminal sends several times.
    async fn second(&mut self, first: Wish) {
        let mut echoes = pin!(tokio::time::sleep(ECHO));
        loop {
            tokio::select! {
                () = &mut echoes => break,
                wish = self.next() => match wish {
                    Wish::HangUp => {}
                    wish if wish == first => {}
                    _ => return,
                },
            }
        }
        while self.next().await == Wish::HangUp {}
    }
}

/// Whether this process was started with SIGHUP ignored. The kernel shows a mask in hexadecimal,
/// whose lowest bit is signal 1.
fn ignores_hangup() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_some_and(|mask| mask & 1 == 1)
}
