//! Small disks.

use std::path::{Path, PathBuf};
use std::process::Command;

/// A small file system; unmounted when dropped.
pub(crate) struct Mounted(PathBuf);

impl Mounted {
    /// `None` if this user may not mount.
    pub(crate) fn tmpfs(at: PathBuf, options: &str) -> Option<Mounted> {
        let status = Command::new("mount").args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(&at).output().ok()?.status;
        status.success().then_some(Mounted(at))
    }

    /// Mounts what is at `from` in a second place, `at`.
    pub(crate) fn bind(from: &Path, at: PathBuf) -> Mounted {
        let status = Command::new("mount").arg("--bind").arg(from).arg(&at).status().expect("mount runs");
        assert!(status.success(), "could not bind {}", from.display());
        Mounted(at)
    }

    pub(crate) fn remount(&self, options: &str) {
        let options = format!("remount,{options}");
        let status = Command::new("mount").args(["-o", &options]).arg(&self.0).status().expect("mount runs");
        assert!(status.success(), "could not remount with {options}");
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        // If it stays mounted, whoever removes the folder notices.
        let _ = Command::new("umount").arg(&self.0).status();
    }
}
