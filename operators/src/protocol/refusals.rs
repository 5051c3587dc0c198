//! Why a run refuses to go on, where several parts of the protocol say the same.

use crate::error::Stop;
use crate::position::Position;
use crate::protocol::supply::Lost;

/// A table has no position, though another table of the pipeline has one.
pub(crate) fn no_position(group: &str, pipeline: &str, other: &str) -> Stop {
    Stop::Refused(format!(
        "{group} holds no position of pipeline {pipeline:?}, though {other} does: it is new, renamed or \
         was deleted; restore it or set its old name in [tables], or start over with a new pipeline name and new tables"
    ))
}

/// A lagging table needs what other tables hold, but the source has lost or changed it.
pub(crate) fn lost(Lost { what, advice }: &Lost) -> Stop {
    let advice = advice.map_or_else(|| ": ".to_owned(), |advice| format!("; {advice}, or "));
    Stop::Refused(format!(
        "a table that lags behind needs {what}{advice}start over with a new pipeline name and new tables"
    ))
}

/// A table's offsets file is missing; without it, the position cannot be resolved.
pub(crate) fn offsets_missing(group: &str, position: Position, file: &str) -> Stop {
    Stop::Refused(format!(
        "{group} stands at position {position}, but its offsets file {file} is gone: restore the table's \
         _lakefront folder from a backup, or start over with a new pipeline name and new tables"
    ))
}
