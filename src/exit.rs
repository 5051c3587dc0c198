//! Exit codes: what a supervisor can tell without reading.

use std::process::ExitCode;

use lakefront_operators::error::Stop;

use crate::config::ConfigError;
use crate::lock::Held;

/// How the program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Done, or stopped cleanly.
    Done = 0,
    /// Wrong usage or configuration.
    Usage = 2,
    /// Stopped on a fatal error.
    Fatal = 3,
    /// Another run has the pipeline.
    Fenced = 4,
}

impl Exit {
    /// The code for an error.
    pub(crate) fn of(error: &anyhow::Error) -> Exit {
        let fenced = error.downcast_ref::<Stop>().is_some_and(Stop::is_fenced) || error.is::<Held>();
        match () {
            () if fenced => Exit::Fenced,
            () if error.is::<ConfigError>() => Exit::Usage,
            () => Exit::Fatal,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(exit as u8)
    }
}
