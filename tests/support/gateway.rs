//! versitygw, a server that speaks S3 and keeps its objects as files of a folder: one for each test
//! binary, which ends with it. Go builds it once. Where there is no Go, what needs it is skipped.

use std::fs::{self, File};
use std::io::{self, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use super::wait;

/// What Go builds.
const VERSION: &str = "1.8.0";
const MODULE: &str = "github.com/versity/versitygw/cmd/versitygw";
/// The oldest Go that builds it, without the 1 before the point.
const GO: u32 = 26;

/// The key of its only user.
pub(crate) const KEY_ID: &str = "lakefront-tests";
pub(crate) const SECRET: &str = "c2VjcmV0IG9mIHRoZSBsYWtlZnJvbnQgdGVzdHM";
/// The region that it believes to be in.
pub(crate) const REGION: &str = "eu-test-1";

/// A server that does not answer after this many looks, some seconds, has not started.
const MOST_LOOKS: u32 = 5_000;

/// Runs the server until its own standard input closes, which is when the tests have ended, however
/// they did. Then it removes what the server has kept.
const SUPERVISE: &str = r#""$@" & read -r _; kill $!; wait; rm -rf "$0""#;

/// A running server. It ends when dropped.
pub(crate) struct Gateway {
    process: Child,
    address: SocketAddr,
    folder: PathBuf,
}

impl Gateway {
    /// The one that the tests of this binary share; `None` where it cannot be built, which is said
    /// once.
    pub(crate) fn shared() -> Option<&'static Gateway> {
        static SHARED: OnceLock<Option<Gateway>> = OnceLock::new();
        SHARED.get_or_init(Gateway::start).as_ref()
    }

    fn start() -> Option<Gateway> {
        let program = match installed() {
            Ok(program) => program,
            Err(why) => {
                // Not `eprintln!`, which is shown for tests that fail.
                let _ = writeln!(io::stderr(), "SKIPPED: what needs a server that speaks S3, because {why}");
                return None;
            }
        };
        // Another process may take a free port before the server does.
        let started = (0..5).find_map(|_| Gateway::start_on(&program, free_address()));
        Some(started.expect("versitygw starts"))
    }

    fn start_on(program: &Path, address: SocketAddr) -> Option<Gateway> {
        // In cargo's folder, because the server needs a file system with extended attributes.
        let folder = tempfile::Builder::new().prefix("versitygw-").tempdir_in(env!("CARGO_TARGET_TMPDIR"));
        let folder = folder.expect("a folder").keep();
        for name in ["data", "users"] {
            fs::create_dir(folder.join(name)).expect("a folder");
        }
        let mut command = Command::new("sh");
        command.args(["-c", SUPERVISE]).arg(&folder).arg(program);
        command.args(["--port", &address.to_string(), "--region", REGION, "--quiet"]);
        command.arg("--iam-dir").arg(folder.join("users")).arg("posix").arg(folder.join("data"));
        command.env("ROOT_ACCESS_KEY", KEY_ID).env("ROOT_SECRET_KEY", SECRET);
        command.stdin(Stdio::piped()).stdout(Stdio::null());
        command.stderr(File::create(folder.join("errors")).expect("a file"));
        let gateway = Gateway { process: command.spawn().expect("a shell"), address, folder };
        let (mut looks, mut answers) = (0, false);
        wait::until(|| {
            looks += 1;
            answers = TcpStream::connect(address).is_ok();
            answers || looks > MOST_LOOKS
        });
        answers.then_some(gateway)
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The folder of a bucket's objects.
    pub(crate) fn folder(&self, bucket: &str) -> PathBuf {
        self.folder.join("data").join(bucket)
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        let _ = self.process.wait();
    }
}

fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port")
}

/// The server's program, or why there is none. One test binary builds it, the others wait.
fn installed() -> Result<PathBuf, String> {
    let tmp = Path::new(env!("CARGO_TARGET_TMPDIR"));
    fs::create_dir_all(tmp).expect("cargo's folder for tests");
    let lock = File::create(tmp.join("versitygw.lock")).expect("a lock file");
    lock.lock().expect("the lock");
    let folder = tmp.join(format!("versitygw-{VERSION}"));
    let (program, build) = (folder.join("versitygw"), folder.join("build"));
    if program.exists() {
        return Ok(program);
    }
    go()?;
    let mut command = Command::new("go");
    command.args(["install", &format!("{MODULE}@v{VERSION}")]).current_dir(tmp);
    command.env("GOBIN", build.join("bin")).env("GOPATH", build.join("modules")).env("GOCACHE", build.join("cache"));
    let output = command.env("GOFLAGS", "-modcacherw").output().expect("Go runs");
    assert!(output.status.success(), "{command:?}:\n{}", String::from_utf8_lossy(&output.stderr));
    fs::rename(build.join("bin/versitygw"), &program).expect("what was built");
    fs::remove_dir_all(build).expect("what is no longer needed goes away");
    Ok(program)
}

/// Why Go cannot build it.
fn go() -> Result<(), String> {
    let output = Command::new("go").arg("version").output().map_err(|error| format!("there is no Go: {error}"))?;
    let said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    let minor = said.split_once("go1.").and_then(|(_, rest)| rest.split(|c: char| !c.is_ascii_digit()).next());
    match minor.and_then(|minor| minor.parse::<u32>().ok()).is_some_and(|minor| minor >= GO) {
        true => Ok(()),
        false => Err(format!("Go must be 1.{GO} or newer, and says {said:?}")),
    }
}
