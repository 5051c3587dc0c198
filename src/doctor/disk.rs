//! Folders of this machine: whether they may be written, how much room there is, and on what kind of file system they lie.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use lakefront_operators::protocol::table::Clock;
use rustix::fs::{Access, access, statvfs};

use super::clock;
use super::filesystem::{Kind, kind};
use super::findings::Findings;
use crate::config::{Config, LakeRoot, show_size};

const MIB: u64 = 1 << 20;
/// Files that a file system must still take.
const INODES: u64 = 1_000;
/// The state file is some megabytes with a hundred thousand blobs.
const STATE: u64 = 64 * MIB;
/// Begins like the lake's own temporary files, which readers and vacuum pass over.
const TRIAL: &str = "_lakefront_tmp_doctor";

/// Looks at the disks under the lake, the state file, and the scratch files of a lake in Azure.
pub(super) fn look(findings: &mut Findings, config: &Config, clock: &dyn Clock) {
    let state = config.source.state_file.parent().unwrap_or(Path::new("."));
    match &config.lake.root {
        LakeRoot::File(root) => {
            let folder = root.join(&config.lake.catalog).join(&config.lake.schema);
            let there = existing(&folder);
            lake_kind(findings, &there);
            if space(findings, "lake", &there, config.commit_bytes, config.ahead.saturating_add(config.commit_bytes)) {
                trial(findings, &there, clock);
            }
        }
        LakeRoot::Azure(_) => scratch(findings, config),
    }
    let there = existing(state);
    space(findings, "state", &there, STATE, STATE);
    if let Some(kind) = kind(&there).filter(|kind| kind.is_remote()) {
        findings.warn(
            "state",
            format!("{} lies on {}", there.display(), kind.name()),
            "put source.state_file on a local disk: its lock, which refuses a second start at once, may not work there",
        );
    }
}

/// The folder, or the nearest above it that is there: what is missing will be made in that.
fn existing(folder: &Path) -> PathBuf {
    let there = folder.ancestors().find(|folder| folder.is_dir());
    there.filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new(".")).to_owned()
}

/// Whether `folder` may be written. If so, its room is looked at.
fn space(findings: &mut Findings, check: &'static str, folder: &Path, least: u64, good: u64) -> bool {
    let accessible = access(folder, Access::WRITE_OK | Access::EXEC_OK);
    match accessible {
        Ok(()) => room(findings, check, folder, least, good),
        Err(error) => findings.problem(
            check,
            format!("{} may not be written: {error}", folder.display()),
            "give the user who runs lakefront this folder, or name another; in a systemd unit it must be in ReadWritePaths=",
        ),
    }
    accessible.is_ok()
}

/// Whether the disk has room: `least` bytes or a run fails soon, `good` or it may fail some day.
fn room(findings: &mut Findings, check: &'static str, folder: &Path, least: u64, good: u64) {
    let shown = folder.display();
    let disk = match statvfs(folder) {
        Ok(disk) => disk,
        Err(error) => {
            return findings.warn(check, format!("{shown} does not say how much room it has: {error}"), "look with df");
        }
    };
    let free = disk.f_bavail.saturating_mul(disk.f_frsize);
    let has = format!("{shown} has {} free", show_size(free / MIB * MIB));
    // Some file systems have no fixed number of files, and say none.
    if disk.f_files > 0 && disk.f_favail < INODES {
        findings.problem(check, format!("{shown} takes {} more files", disk.f_favail), "make room: df -i shows it");
    } else if free < least {
        findings.problem(check, format!("{has}, which a commit may need alone"), "make room, or name another disk");
    } else if free < good {
        let advice = "make room: what is read ahead of the tables may take as much as limits.ahead";
        findings.warn(check, has, advice);
    } else {
        findings.ok(check, has);
    }
}

/// What is written to a lake in Azure is encoded into unnamed files first.
fn scratch(findings: &mut Findings, config: &Config) {
    let folder = std::env::temp_dir();
    space(findings, "scratch", &folder, config.commit_bytes, config.ahead.saturating_add(config.commit_bytes));
    if kind(&folder).is_some_and(|kind| kind == Kind::TMPFS) {
        findings.warn(
            "scratch",
            format!("{} is in memory, and files wait there for their upload", folder.display()),
            "set TMPDIR to a folder on a disk",
        );
    }
}

fn lake_kind(findings: &mut Findings, folder: &Path) {
    let Some(kind) = kind(folder) else { return };
    let advice = match kind {
        Kind::TMPFS => "name a folder on a disk, unless the tables may go with the next restart",
        Kind::OVERLAY => "mount a volume there: what lies in the container's own layer goes with the container",
        kind if kind.is_remote() => {
            "it works where hard links are atomic and syncing is honest, which only its makers can promise; az:// is the sure way \
             to a lake that others reach"
        }
        _ => return,
    };
    findings.warn("lake", format!("{} lies on {}", folder.display(), kind.name()), advice);
}

/// Makes a file under a second name, as every commit does, and looks at its time.
fn trial(findings: &mut Findings, folder: &Path, clock: &dyn Clock) {
    let names = ["", "-linked"].map(|end| folder.join(format!("{TRIAL}-{}{end}", std::process::id())));
    let _removed = Removed(&names);
    let written = OpenOptions::new().write(true).create_new(true).open(&names[0]).and_then(|mut file| {
        file.write_all(b"lakefront doctor")?;
        file.sync_all()?;
        file.metadata()
    });
    let metadata = match written {
        Ok(metadata) => metadata,
        Err(error) => {
            return findings.problem(
                "lake",
                format!("no file can be made in {}: {error}", folder.display()),
                "give the user who runs lakefront this folder, make room, or name another folder",
            );
        }
    };
    if let Err(error) = fs::hard_link(&names[0], &names[1]) {
        return findings.problem(
            "lake",
            format!("no hard link can be made in {}: {error}", folder.display()),
            "name a folder on another file system: a commit is a hard link, which is what makes it happen once",
        );
    }
    findings.ok("lake", format!("{} takes files and hard links", folder.display()));
    let at_ms = metadata.mtime() * 1000 + metadata.mtime_nsec() / 1_000_000;
    clock::disk(findings, at_ms, clock.now_ms());
}

/// Removes files that may be there when it is dropped.
struct Removed<'a>(&'a [PathBuf]);

impl Drop for Removed<'_> {
    fn drop(&mut self) {
        for path in self.0 {
            // It may never have been made.
            let _ = fs::remove_file(path);
        }
    }
}

#[cfg(test)]
mod tests {
    use lakefront_operators::clock::SystemClock;

    use super::super::findings::Level;
    use super::*;

    fn found(findings: &Findings) -> (usize, usize, String) {
        (findings.count(Level::Problem), findings.count(Level::Warning), findings.text())
    }

    #[test]
    fn room_is_judged_by_what_a_commit_needs() {
        let folder = tempfile::tempdir().expect("a folder");
        for (least, good, problems, warnings) in [(0, 0, 0, 0), (0, u64::MAX, 0, 1), (u64::MAX, u64::MAX, 1, 0)] {
            let mut findings = Findings::default();
            room(&mut findings, "lake", folder.path(), least, good);
            let (found_problems, found_warnings, text) = found(&findings);
            assert_eq!((found_problems, found_warnings), (problems, warnings), "{text}");
        }
    }

    #[test]
    fn a_trial_leaves_nothing_and_a_missing_folder_is_a_problem() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut findings = Findings::default();
        trial(&mut findings, folder.path(), &SystemClock);
        assert_eq!(found(&findings).0, 0, "{}", findings.text());
        assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 0);
        trial(&mut findings, &folder.path().join("gone"), &SystemClock);
        assert_eq!(found(&findings).0, 1, "{}", findings.text());
    }

    #[test]
    fn what_is_missing_will_be_made_in_what_is_there() {
        let folder = tempfile::tempdir().expect("a folder");
        assert_eq!(existing(&folder.path().join("a/b")), folder.path());
        assert_eq!(existing(Path::new("none-such")), Path::new("."));
    }
}
