//! A run that begins anew: it has met what it does not know, such as a new table, noted it, and
//! goes on as a new program in the same process, with the same arguments.
//!
//! The dataflow is not torn down for that: it would see its inputs end, and take that for
//! completion. A program that takes another's place has none of it, nor its locks and connections.

use std::os::unix::process::CommandExt;
use std::process::Command;

use lakefront_operators::error::Stop;
use lakefront_operators::shown::one_line;

/// Tells the next program why it was begun.
const WHY: &str = "LAKEFRONT_BEGUN_ANEW";

/// Whether a run that ended with `error` is to begin anew.
pub(crate) fn is_wanted(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref::<Stop>(), Some(Stop::Anew(_)))
}

/// Begins anew, if that is what `error` wants. Returns what is in the way otherwise.
pub(crate) fn begin(error: anyhow::Error) -> anyhow::Error {
    let Some(Stop::Anew(why)) = error.downcast_ref::<Stop>() else { return error };
    if std::env::var(WHY).is_ok_and(|before| before == *why) {
        let again = format!("a run was begun anew, and has met the same again: {}", one_line(why));
        return Stop::Bug(again).into();
    }
    tracing::info!(met = %one_line(why), "the run begins anew");
    // The same program, also where an upgrade has taken its file away.
    let mut command = Command::new("/proc/self/exe");
    let mut arguments = std::env::args_os();
    if let Some(name) = arguments.next() {
        command.arg0(name);
    }
    let error = command.args(arguments).env(WHY, why).exec();
    anyhow::Error::from(error).context("could not begin anew: start again")
}
