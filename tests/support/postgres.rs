//! PostgreSQL: a server of its own for a test, on a free loopback port, in a temporary folder that
//! ends with it. Whoever is on this machine may enter as `postgres`, which is nobody's secret.
//!
//! It runs without fsync, so a kill is one of its processes and never a loss of power. A test that
//! is killed leaves nothing behind either: a shell waits for that.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::thread;

use super::wait;

mod machine;

pub(crate) use machine::free_port;
use machine::{programs, without_settings};

/// What makes a server quick, and reachable over TCP alone.
const SETTINGS: [(&str, &str); 5] = [
    ("listen_addresses", "127.0.0.1"),
    ("unix_socket_directories", ""),
    ("fsync", "off"),
    ("full_page_writes", "off"),
    ("shared_buffers", "32MB"),
];

/// The line of `postmaster.pid` that says how far the server is, counted from 0
/// (`LOCK_FILE_LINE_PM_STATUS` in PostgreSQL's `pidfile.h`).
const STATUS_LINE: usize = 7;

/// Waits until its own standard input closes, which is when the test has ended, however it did;
/// then ends a server that still runs, and removes its folder.
const WATCH: &str = r#"
trap '' HUP INT TERM
read -r _
file="$0/data/postmaster.pid"
pid=$(head -n 1 "$file" 2>/dev/null) && kill -QUIT "$pid"
looks=0
while [ -e "$file" ] && [ $((looks += 1)) -le 100 ]; do sleep 0.1; done
rm -rf "$0"
"#;

/// A server. It is killed, and forgets everything, when dropped.
pub(crate) struct Server {
    programs: PathBuf,
    folder: PathBuf,
    settings: Vec<String>,
    owner: Option<(u32, u32)>,
    port: u16,
    /// `None` between a kill and a restart.
    process: Option<Child>,
    watch: Child,
}

impl Server {
    /// The one that tests of this binary may share, each with databases of its own.
    pub(crate) fn shared() -> &'static Server {
        static SHARED: OnceLock<Server> = OnceLock::new();
        SHARED.get_or_init(Server::start)
    }

    /// Starts a new one.
    pub(crate) fn start() -> Server {
        Server::with(&[])
    }

    /// Starts a new one with more settings, names and values as in `postgresql.conf`.
    pub(crate) fn with(settings: &[(&str, &str)]) -> Server {
        let programs = programs();
        let folder = tempfile::Builder::new().prefix("lakefront-postgres-").tempdir().expect("a folder").keep();
        let owner = machine::owner(&folder);
        let mut watch = Command::new("sh");
        watch.args(["-c", WATCH]).arg(&folder).process_group(0);
        watch.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let settings = SETTINGS.iter().chain(settings).map(|(name, value)| format!("{name}={value}")).collect();
        let watch = watch.spawn().expect("a shell");
        let mut server = Server { programs, folder, settings, owner, port: 0, process: None, watch };
        server.create();
        // Another process may take a free port before the server does.
        let started = (0..5).any(|_| {
            server.port = free_port();
            server.launch()
        });
        assert!(started, "PostgreSQL does not start:\n{}", server.log());
        server
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// The address of a database, which need not be there.
    pub(crate) fn url(&self, database: &str) -> String {
        format!("postgresql://postgres@127.0.0.1:{}/{database}", self.port)
    }

    /// The same as libpq's keywords, which is what DuckDB is given.
    pub(crate) fn conninfo(&self, database: &str) -> String {
        format!("host=127.0.0.1 port={} user=postgres dbname={database}", self.port)
    }

    #[track_caller]
    pub(crate) fn create_database(&self, name: &str) {
        self.psql("postgres", &format!(r#"CREATE DATABASE "{name}""#));
    }

    /// Runs statements, or commands of psql, each in a transaction of its own. Returns what they
    /// print: a row a line, with `|` between its values, and nothing for NULL.
    #[track_caller]
    pub(crate) fn psql(&self, database: &str, sql: &str) -> String {
        let mut printed = self.printed(database, sql);
        if printed.ends_with('\n') {
            printed.pop();
        }
        printed
    }

    /// The lines that `psql` prints: the rows, unless a value has a line break.
    #[track_caller]
    pub(crate) fn rows(&self, database: &str, sql: &str) -> Vec<String> {
        self.printed(database, sql).lines().map(str::to_owned).collect()
    }

    #[track_caller]
    fn printed(&self, database: &str, sql: &str) -> String {
        self.try_psql(database, sql).unwrap_or_else(|error| panic!("{error}in database {database:?}, from:\n{sql}"))
    }

    /// As `psql`, with the last line's end. The error is what psql says of the first statement that
    /// fails; those before it have been committed.
    pub(crate) fn try_psql(&self, database: &str, sql: &str) -> Result<String, String> {
        psql_at(&self.programs, &self.url(database), sql)
    }

    /// Whether psql gets in at `url` and its session is encrypted, or why not. Files that libpq
    /// looks for by itself are those below `home`.
    pub(crate) fn enters(&self, url: &str, home: &Path) -> Result<bool, String> {
        let mut command = Command::new(self.programs.join("psql"));
        without_settings(&mut command).args(["-X", "-q", "-A", "-t", "-w", "-c"]);
        command.arg("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()").arg(url);
        let output = command.env("HOME", home).stdin(Stdio::null()).output().expect("psql runs");
        match output.status.success() {
            true => Ok(output.stdout == b"t\n"),
            false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
        }
    }

    /// Writes a file into the cluster's folder, for the server alone, as it demands of a key.
    pub(crate) fn keep(&self, name: &str, content: &str) {
        let path = self.folder.join("data").join(name);
        fs::write(&path, content).expect("a file of the server");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("it is the server's alone");
        if let Some((user, group)) = self.owner {
            chown(path, Some(user), Some(group)).expect("the file is handed over");
        }
    }

    /// Has it read settings, rules of access and certificates again. Who connects from now on meets
    /// the new ones.
    #[track_caller]
    pub(crate) fn reload(&self) {
        let loaded = || self.psql("postgres", "SELECT pg_conf_load_time()");
        let before = loaded();
        self.psql("postgres", "SELECT pg_reload_conf()");
        assert!(wait::until(|| loaded() != before), "it does not reload:\n{}", self.log());
    }

    /// Stops it in an orderly way, if it runs, and starts it on the same port. All connections end.
    #[track_caller]
    pub(crate) fn restart(&mut self) {
        assert!(self.end("INT"), "PostgreSQL does not stop:\n{}", self.log());
        assert!(self.launch(), "PostgreSQL does not start again:\n{}", self.log());
    }

    /// Ends it as a crash does: at once, and with a recovery at the restart, which empties all
    /// UNLOGGED tables.
    #[track_caller]
    pub(crate) fn kill(&mut self) {
        assert!(self.end("QUIT"), "PostgreSQL does not stop:\n{}", self.log());
    }

    /// What the server has said.
    pub(crate) fn log(&self) -> String {
        fs::read(self.folder.join("log")).map(|log| String::from_utf8_lossy(&log).into_owned()).unwrap_or_default()
    }

    /// Makes the empty cluster.
    fn create(&self) {
        let mut command = self.command("initdb");
        command.args(["-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync"]);
        let output = command.output().expect("initdb runs");
        assert!(output.status.success(), "{command:?}:\n{}", String::from_utf8_lossy(&output.stderr));
    }

    /// Whether it came to take connections.
    fn launch(&mut self) -> bool {
        let log = File::options().create(true).append(true).open(self.folder.join("log")).expect("a log");
        let mut command = self.command("postgres");
        command.args(["-p", &self.port.to_string()]);
        for setting in &self.settings {
            command.arg("-c").arg(setting);
        }
        // In a group of its own, because a Ctrl-C is for the test, and the shell does the rest.
        command.process_group(0).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        let mut process = command.spawn().expect("PostgreSQL's program");
        let (status, pid) = (self.folder.join("data/postmaster.pid"), process.id().to_string());
        let mut ready = false;
        wait::until(|| {
            let said = fs::read_to_string(&status).unwrap_or_default();
            let mut lines = said.lines();
            // A killed server may leave its file, with another process id.
            ready = lines.next() == Some(pid.as_str())
                && lines.nth(STATUS_LINE - 1).is_some_and(|line| line.trim_end() == "ready");
            ready || process.try_wait().expect("a child of ours").is_some()
        });
        self.process = Some(process);
        if !ready {
            self.end("QUIT");
        }
        ready
    }

    /// A program that works on the cluster.
    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.programs.join(program));
        without_settings(&mut command).arg("-D").arg(self.folder.join("data"));
        // The tests' own folder may be closed to the owner.
        command.current_dir(&self.folder).env("TZ", "UTC");
        if let Some((user, group)) = self.owner {
            command.uid(user).gid(group);
        }
        command
    }

    /// Sends a signal to the server if it runs, and waits for its end; false if it needed SIGKILL.
    fn end(&mut self, signal: &str) -> bool {
        let Some(mut process) = self.process.take() else { return true };
        let send = format!("kill -{signal} {}", process.id());
        let mut has_ended = || matches!(process.try_wait(), Ok(Some(_)));
        if !has_ended() {
            let _ = Command::new("sh").args(["-c", &send]).status();
        }
        let obeyed = wait::until(has_ended);
        if !obeyed {
            let _ = process.kill();
            let _ = process.wait();
        }
        obeyed
    }
}

/// The rows of a statement at `url`, whoever has started the server there: a line each.
#[track_caller]
pub(crate) fn rows_at(url: &str, sql: &str) -> Vec<String> {
    let printed = psql_at(&programs(), url, sql).unwrap_or_else(|error| panic!("{error}at {url}, from:\n{sql}"));
    printed.lines().map(str::to_owned).collect()
}

/// What psql prints at `url`.
fn psql_at(programs: &Path, url: &str, sql: &str) -> Result<String, String> {
    let mut command = Command::new(programs.join("psql"));
    without_settings(&mut command).args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-f", "-"]);
    command.arg(url).env("PGCLIENTENCODING", "UTF8");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut process = command.spawn().expect("psql starts");
    let (mut input, sql) = (process.stdin.take().expect("a pipe"), sql.to_owned());
    // Beside the reading, because either pipe may fill up. psql stops reading after an error.
    let writer = thread::spawn(move || drop(input.write_all(sql.as_bytes())));
    let output = process.wait_with_output().expect("psql runs");
    writer.join().expect("the writer ends");
    match output.status.success() {
        true => Ok(String::from_utf8(output.stdout).expect("psql prints UTF-8")),
        false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end("QUIT");
        drop(self.watch.stdin.take());
        let _ = self.watch.wait();
    }
}
