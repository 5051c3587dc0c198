//! A server in a process of its own, with a folder that ends with it.
//!
//! A test that is killed leaves nothing behind: a shell waits for that.

use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use super::wait;

/// Waits until its own standard input closes, which is when the test has ended, however it did;
/// then ends a server that still runs, and removes its folder.
const WATCH: &str = r#"
trap '' HUP INT TERM
read -r _
pid=$(cat "$0/pid" 2>/dev/null) && kill -KILL "$pid" 2>/dev/null
rm -rf "$0"
"#;

/// A server. It is killed, and its folder goes, when dropped.
pub(crate) struct Daemon {
    folder: PathBuf,
    /// `None` before a launch, and after a kill.
    process: Option<Child>,
    watch: Child,
}

impl Daemon {
    /// A folder for a server, whose name begins like this.
    pub(crate) fn new(prefix: &str) -> Daemon {
        let folder = tempfile::Builder::new().prefix(prefix).tempdir().expect("a folder").keep();
        let mut watch = Command::new("sh");
        watch.args(["-c", WATCH]).arg(&folder).process_group(0);
        watch.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        Daemon { folder, process: None, watch: watch.spawn().expect("a shell") }
    }

    /// A file of its folder.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// What it has said.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.file("log")).unwrap_or_default()
    }

    /// Starts it, and waits until it `serves`; false if it ends instead.
    pub(crate) fn launch(&mut self, mut command: Command, mut serves: impl FnMut() -> bool) -> bool {
        assert!(self.process.is_none(), "it was killed");
        let log = File::options().create(true).append(true).open(self.file("log")).expect("a log");
        command.stdout(log.try_clone().expect("the log")).stderr(log);
        let mut process = command.spawn().expect("the server's program");
        fs::write(self.file("pid"), process.id().to_string()).expect("a file");
        let mut has_ended = false;
        let is_up = wait::until(|| {
            has_ended = process.try_wait().expect("a child of ours").is_some();
            has_ended || serves()
        });
        if has_ended {
            return false;
        }
        self.process = Some(process);
        is_up
    }

    /// SIGKILL: what it has not written is lost to it, and who it serves hears nothing.
    pub(crate) fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().expect("a child of ours");
            process.wait().expect("a child of ours");
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.kill();
        // Closes its standard input, at which it removes the folder.
        drop(self.watch.stdin.take());
        let _ = self.watch.wait();
    }
}
