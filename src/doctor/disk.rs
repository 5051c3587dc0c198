//! Folders of this machine: whether they are writable, how much room they have, and what kind of
//! file system they lie on.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use lakefront_operators::error::chain;
use lakefront_operators::protocol::clock::Clock;
use rustix::fs::{Access, access, statvfs};

use super::clock;
use super::filesystem::{Kind, kind};
use super::findings::Findings;
use crate::config::{DiskConfig, show_size};
use crate::pipeline::Described;

const MIB: u64 = 1 << 20;
/// The file system must have room for this many more files.
const INODES: u64 = 1_000;
/// The state file takes some megabytes for a hundred thousand blobs.
const STATE: u64 = 64 * MIB;
/// Starts like the lake's own temporary files, which readers and vacuum skip.
const TRIAL: &str = "_lakefront_tmp_doctor";

/// Checks the folders of this machine that a run uses: those of the pipeline's kind, and that of
/// the state file.
pub(super) fn look(findings: &mut Findings, described: &dyn Described) {
    described.look_at_folders(findings);
    let common = described.common();
    let there = existing(&common.state_folder());
    let waits = described.appetite().waits;
    space(findings, "state", &there, &Room { disk: &common.disk, waits, least: STATE, good: STATE });
    if let Some(kind) = kind(&there).filter(|kind| kind.is_remote()) {
        findings.warn(
            "state",
            format!("{} lies on {}", there.display(), kind.name()),
            "put source.state_file on a local disk: its lock, which refuses a second run at once, may not work there",
        );
    }
    let kept = described.kept();
    for refused in common.disk.clean.iter().filter_map(|clean| clean.look(&kept).err()) {
        findings.warn("disk", chain(&refused), "fix disk.clean: a run that is low on space would delete nothing there");
    }
}

/// Checks the folder of a lake on this machine.
pub(crate) fn lake(findings: &mut Findings, folder: &Path, needed: &Room<'_>, clock: &dyn Clock) {
    let there = existing(folder);
    lake_kind(findings, &there);
    if space(findings, "lake", &there, needed) {
        trial(findings, &there, clock);
    }
}

/// Bytes that a disk should have free for a pipeline.
pub(crate) struct Room<'a> {
    /// What is to stay free.
    pub(crate) disk: &'a DiskConfig,
    /// Whether a run only waits when space is low.
    pub(crate) waits: bool,
    /// With less, a run fails soon.
    pub(crate) least: u64,
    /// With less, it may fail some day.
    pub(crate) good: u64,
}

/// The folder, or its nearest ancestor that exists, in which the missing ones will be created.
fn existing(folder: &Path) -> PathBuf {
    let there = folder.ancestors().find(|folder| folder.is_dir());
    there.filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new(".")).to_owned()
}

/// Whether `folder` is writable. If so, its room is checked.
fn space(findings: &mut Findings, check: &'static str, folder: &Path, needed: &Room<'_>) -> bool {
    let accessible = access(folder, Access::WRITE_OK | Access::EXEC_OK);
    match accessible {
        Ok(()) => room(findings, check, folder, needed),
        Err(error) => findings.problem(
            check,
            format!("{} is not writable: {error}", folder.display()),
            "let the user who runs lakefront write there, or name another folder; in a systemd unit it must be in ReadWritePaths=",
        ),
    }
    accessible.is_ok()
}

/// Checks how much room the disk has.
fn room(findings: &mut Findings, check: &'static str, folder: &Path, needed: &Room<'_>) {
    let shown = folder.display();
    let disk = match statvfs(folder) {
        Ok(disk) => disk,
        Err(error) => {
            return findings.warn(check, format!("{shown} does not report its free space: {error}"), "check with df");
        }
    };
    // Some file systems have no fixed number of files, and report zero.
    if disk.f_files > 0 && disk.f_favail < INODES {
        findings.problem(check, format!("{shown} has room for {} more files", disk.f_favail), "make room: see df -i");
    } else if disk.f_blocks == 0 {
        findings.ok(check, format!("{shown} does not report a size"));
    } else {
        judge(findings, check, &shown.to_string(), disk.f_bavail.saturating_mul(disk.f_frsize), needed);
    }
}

/// Judges `shown`, which has `free` bytes left.
fn judge(findings: &mut Findings, check: &'static str, shown: &str, free: u64, needed: &Room<'_>) {
    let disk = needed.disk;
    let has = format!("{shown} has {} free", show_size(free / MIB * MIB));
    if free < disk.min_free {
        let found = format!("{has}, less than disk.min_free = {}", show_size(disk.min_free));
        let lower = "make room, or set disk.min_free lower";
        if !disk.clean.is_empty() {
            findings.warn(check, found, format!("{lower}: a run would first delete old files in disk.clean"));
        } else if needed.waits {
            findings.problem(check, found, format!("{lower}: a run would only wait"));
        } else {
            findings.problem(check, found, format!("{lower}: a run would stop at once"));
        }
    } else if free < needed.least {
        findings.problem(check, format!("{has}, and one commit may need more"), "make room, or name another disk");
    } else if free - disk.min_free < needed.good {
        let advice =
            "make room: data read ahead of the tables may take up to limits.ahead, and disk.min_free stays free";
        findings.warn(check, has, advice);
    } else {
        findings.ok(check, has);
    }
}

/// Files for a lake in Azure or S3 are first encoded into unnamed files here.
pub(crate) fn scratch(findings: &mut Findings, needed: &Room<'_>) {
    let folder = std::env::temp_dir();
    space(findings, "scratch", &folder, needed);
    if kind(&folder).is_some_and(|kind| kind == Kind::TMPFS) {
        findings.warn(
            "scratch",
            format!("{} is in memory, and files wait there to be uploaded", folder.display()),
            "set TMPDIR to a folder on a disk",
        );
    }
}

fn lake_kind(findings: &mut Findings, folder: &Path) {
    let Some(kind) = kind(folder) else { return };
    let advice = match kind {
        Kind::TMPFS => "name a folder on a disk, unless the tables may be lost at the next restart",
        Kind::OVERLAY => "mount a volume there: the container's own layer is deleted with the container",
        kind if kind.is_remote() => {
            "it works if hard links are atomic and synced files are durable, which only its makers can promise; az:// and s3:// \
             are the safe ways to a lake that other machines reach"
        }
        _ => return,
    };
    findings.warn("lake", format!("{} lies on {}", folder.display(), kind.name()), advice);
}

/// Creates a file and a hard link to it, as every commit does, and checks its time.
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
                format!("no file can be created in {}: {error}", folder.display()),
                "let the user who runs lakefront write there, make room, or name another folder",
            );
        }
    };
    if let Err(error) = fs::hard_link(&names[0], &names[1]) {
        return findings.problem(
            "lake",
            format!("no hard link can be created in {}: {error}", folder.display()),
            "name a folder on another file system: a commit is a hard link, which makes it happen exactly once",
        );
    }
    findings.ok("lake", format!("{} takes files and hard links", folder.display()));
    let at_ms = metadata.mtime() * 1000 + metadata.mtime_nsec() / 1_000_000;
    clock::disk(findings, at_ms, clock.now_ms());
}

/// Removes the files when it is dropped, if they are there.
struct Removed<'a>(&'a [PathBuf]);

impl Drop for Removed<'_> {
    fn drop(&mut self) {
        for path in self.0 {
            // The file may never have been created.
            let _ = fs::remove_file(path);
        }
    }
}

#[cfg(test)]
mod tests;
