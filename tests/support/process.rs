//! The real binary as a process: started, watched, signalled and killed, with its output.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};

use serde_json::Value;

use super::wait;

/// A process that may still run. It is killed when dropped, so that a failing test leaves none
/// behind.
pub(crate) struct Running {
    child: Child,
    stdout: PathBuf,
    stderr: PathBuf,
}

/// A process that has ended.
#[derive(Debug)]
pub(crate) struct Ended {
    /// `None` if a signal ended it.
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Running {
    /// Starts `command`; its output goes to files in `folder`.
    pub(crate) fn start(mut command: Command, folder: &Path, number: usize) -> Running {
        let (stdout, stderr) = (folder.join(format!("{number}.out")), folder.join(format!("{number}.err")));
        let file = |path: &PathBuf| File::create(path).expect("an output file");
        let child = command.stdout(file(&stdout)).stderr(file(&stderr)).spawn().expect("the binary starts");
        Running { child, stdout, stderr }
    }

    /// Waits for `condition`; the process must live that long.
    pub(crate) fn until(&mut self, what: &str, mut condition: impl FnMut() -> bool) {
        let mut ended = false;
        let holds = wait::until(|| {
            // In this order, because a process may fulfil the condition and then end.
            ended = self.has_ended();
            condition() || ended
        });
        assert!(holds && (!ended || condition()), "it ended, or never {what}:\n{}", self.stderr());
    }

    /// Waits until standard error has `text`.
    pub(crate) fn until_it_says(&mut self, text: &str) {
        let path = self.stderr.clone();
        self.until(&format!("said {text:?}"), || read(&path).contains(text));
    }

    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.try_wait().expect("a child of ours").is_some()
    }

    /// Sends a signal, such as `TERM`.
    pub(crate) fn signal(&mut self, name: &str) {
        assert!(!self.has_ended(), "it ended before the signal:\n{}", self.stderr());
        let status = Command::new("sh").args(["-c", &format!("kill -{name} {}", self.child.id())]).status();
        assert!(status.expect("a shell").success(), "could not send SIG{name}");
    }

    /// Sends SIGKILL. The exit code shows whether that ended the process.
    pub(crate) fn kill(mut self) -> Ended {
        self.child.kill().expect("a child of ours");
        self.end()
    }

    /// Waits for the end.
    pub(crate) fn end(mut self) -> Ended {
        assert!(wait::until(|| self.has_ended()), "it hangs:\n{}", self.stderr());
        let status = self.child.wait().expect("a child of ours");
        Ended { code: status.code(), stdout: read(&self.stdout), stderr: self.stderr() }
    }

    /// Sends SIGTERM, and expects a clean end.
    pub(crate) fn stop(mut self) -> Ended {
        self.signal("TERM");
        self.end().exits_with(0)
    }

    pub(crate) fn stderr(&self) -> String {
        read(&self.stderr)
    }

    /// The peak of resident memory so far, in bytes; 0 if the process has ended.
    pub(crate) fn peak_memory(&self) -> u64 {
        let status = read(Path::new(&format!("/proc/{}/status", self.child.id())));
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
        kib.unwrap_or(0) * 1024
    }

    /// CPU seconds used so far, by all threads.
    pub(crate) fn cpu_seconds(&self) -> f64 {
        let stat = read(Path::new(&format!("/proc/{}/stat", self.child.id())));
        let (_, fields) = stat.rsplit_once(") ").expect("the process lives");
        // utime and stime, in ticks. Linux shows user space 100 ticks per second on every machine.
        let ticks: u64 = fields.split(' ').skip(11).take(2).map(|field| field.parse::<u64>().expect("a number")).sum();
        ticks as f64 / 100.0
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It has ended already, unless a test failed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Ended {
    #[track_caller]
    pub(crate) fn exits_with(self, code: i32) -> Ended {
        assert_eq!(self.code, Some(code), "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }

    /// What `--json` printed.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|e| panic!("{e} in:\n{}\n{}", self.stdout, self.stderr))
    }

    /// Standard error from `error: ` on, which comes last.
    pub(crate) fn error(&self) -> String {
        let start = self.stderr.find("error: ").unwrap_or_else(|| panic!("no error in:\n{}", self.stderr));
        self.stderr[start..].to_owned()
    }
}

fn read(path: &Path) -> String {
    fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
}
