//! Exit codes: what a supervisor learns without reading the output.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::process::ExitCode;

use lakefront_operators::error::Stop;

use crate::config::ConfigError;
use crate::lock::HeldElsewhere;

/// Arguments that are valid one by one, but do not fit together or do not fit what already exists.
#[derive(Debug)]
pub(crate) struct Usage(pub(crate) String);

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Usage {}

/// How the program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Done, or stopped cleanly.
    Done = 0,
    /// `prove` has found that source, totals and tables differ, or `changes` has met lines that are
    /// no events.
    Mismatch = 1,
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
        let fenced = error.downcast_ref::<Stop>().is_some_and(Stop::is_fenced) || error.is::<HeldElsewhere>();
        let abandoned = matches!(error.downcast_ref::<Stop>(), Some(Stop::Abandoned(_)));
        match () {
            () if abandoned => Exit::Done,
            () if fenced => Exit::Fenced,
            () if error.is::<ConfigError>() || error.is::<Usage>() || error.is::<Unavailable>() => Exit::Usage,
            () => Exit::Fatal,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(exit as u8)
    }
}

/// The pipeline file names an address that this process cannot have.
#[derive(Debug)]
pub(crate) struct Unavailable {
    /// The address.
    pub(crate) address: SocketAddr,
    /// The system's error.
    pub(crate) error: io::Error,
}

impl fmt::Display for Unavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Unavailable { address, .. } = self;
        write!(f, "could not listen on http.listen = \"{address}\": set another address or port, or leave [http] out")
    }
}

impl std::error::Error for Unavailable {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.error)
    }
}
