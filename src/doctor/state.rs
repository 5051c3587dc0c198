//! The state file, and whether a run on this host holds its lock. The lock is looked up, not taken,
//! so that a run that starts meanwhile does not find it held.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use lakefront_operators::error::chain;
use lakefront_operators::position::Position;
use lakefront_operators::protocol::clock::Clock;

use super::clock;
use super::findings::Findings;
use crate::config::Common;
use crate::lock;
use crate::pipeline::state_of;
use crate::run::last_stop;

/// Checks the state file; the position in it.
pub(super) fn look(findings: &mut Findings, common: &Common, clock: &dyn Clock) -> Option<Position> {
    let path = &common.state_file;
    let other = lock::owner(path).filter(|owner| *owner != common.pipeline);
    match holder(&lock::path(path)) {
        Some(process) if other.is_some() => findings.problem(
            "run",
            format!("a run of pipeline {:?} uses the same state file, process {process}", other.unwrap_or_default()),
            "give each pipeline a state file of its own in source.state_file",
        ),
        Some(process) => findings.warn(
            "run",
            format!("a run of this pipeline is alive on this host, process {process}"),
            "let it run; another run would end with exit code 4, unless started with --take-over",
        ),
        None => findings.ok("run", "no run of this pipeline holds its lock on this host"),
    }
    if let Some(stop) = last_stop::read(path, &common.pipeline) {
        let minutes = clock.now_ms().saturating_sub(stop.at_ms) / 60_000;
        findings.warn(
            "run",
            format!("the last run stopped {minutes} minutes ago: {}", stop.error),
            "do as it says and start again; this warning ends once a run has claimed the tables",
        );
    }
    let shown = path.display();
    let state = match state_of(common) {
        Ok(Some(state)) => state,
        Ok(None) => {
            findings.ok("state", format!("{shown} is missing: before the first run, or deleted, which is harmless"));
            return None;
        }
        Err(stop) => {
            let advice = "do as it says: this loses nothing, because the tables are the checkpoint";
            findings.problem("state", chain(&stop), advice);
            return None;
        }
    };
    if let Ok(metadata) = fs::metadata(path) {
        let written_ms = metadata.mtime() * 1000 + metadata.mtime_nsec() / 1_000_000;
        clock::stepped_back(findings, u64::try_from(written_ms).unwrap_or_default(), clock.now_ms());
    }
    findings.ok("state", format!("{shown} says position {} of run {}", state.position, state.run.run));
    Some(state.position)
}

/// The process that holds the lock in `path`, as the kernel lists it; `None` if nothing holds it,
/// or a process in another container does.
fn holder(path: &Path) -> Option<u64> {
    let inode = fs::metadata(path).ok()?.ino();
    holder_of(inode, &fs::read_to_string("/proc/locks").ok()?)
}

/// Reads lines such as `1: FLOCK  ADVISORY  WRITE 4711 08:01:393259 0 EOF`; those of waiting
/// processes have an arrow.
fn holder_of(inode: u64, locks: &str) -> Option<u64> {
    locks.lines().find_map(|line| {
        let mut fields = line.split_whitespace().skip(1);
        let (kind, _advisory, access) = (fields.next()?, fields.next()?, fields.next()?);
        let (process, file) = (fields.next()?, fields.next()?);
        let same = file.rsplit(':').next()?.parse() == Ok(inode);
        (kind == "FLOCK" && access == "WRITE" && same).then(|| process.parse().ok())?
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_holder_of_the_file_is_found() {
        let locks = "1: POSIX  ADVISORY  WRITE 11 08:01:7 0 EOF\n2: -> FLOCK  ADVISORY  WRITE 12 08:01:7 0 EOF\n\
                     3: FLOCK  ADVISORY  READ 13 08:01:7 0 EOF\n4: FLOCK  ADVISORY  WRITE 14 08:01:77 0 EOF\n\
                     5: FLOCK  ADVISORY  WRITE 15 08:01:7 0 EOF\n";
        assert_eq!(holder_of(7, locks), Some(15));
        assert_eq!(holder_of(8, locks), None);
        assert_eq!(holder_of(7, ""), None);
    }
}
