//! Azurite, Microsoft's emulator of the blob service: one for each test binary, which ends with it.
//! npm installs it once.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use super::npm;

/// The account that every Azurite has, and its key, which Microsoft published.
pub(crate) const ACCOUNT: &str = "devstoreaccount1";
pub(crate) const KEY: &str = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

/// What Azurite prints, followed by its address, once it answers.
const LISTENS: &str = "Azurite Blob service successfully listens on http://";

/// A running Azurite, with its blobs in memory. It is killed when dropped.
pub(crate) struct Azurite {
    process: Child,
    address: SocketAddr,
}

impl Azurite {
    /// The one that the tests of this binary share.
    pub(crate) fn shared() -> &'static Azurite {
        static SHARED: OnceLock<Azurite> = OnceLock::new();
        SHARED.get_or_init(Azurite::start)
    }

    /// Starts a separate one, on a free port.
    pub(crate) fn start() -> Azurite {
        let serve = workspace().join("tests/support/azurite.js");
        let program = installed().join("node_modules/azurite/dist/src/blob/main.js");
        let mut command = Command::new("node");
        command.arg(serve).arg(program).args(["--blobHost", "127.0.0.1", "--blobPort", "0"]);
        command.args(["--inMemoryPersistence", "--extentMemoryLimit", "2048"]);
        command.args(["--disableTelemetry", "--skipApiVersionCheck", "--silent"]);
        // Nobody writes to its standard input, a pipe that closes with this process.
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).current_dir(env!("CARGO_TARGET_TMPDIR"));
        let mut process =
            command.spawn().unwrap_or_else(|e| panic!("the tests need Node 20 or newer: {command:?}: {e}"));
        let mut said = BufReader::new(process.stdout.take().expect("a pipe")).lines().map_while(Result::ok);
        let address =
            said.find_map(|line| line.strip_prefix(LISTENS).map(|address| address.parse().expect("an address")));
        // Keeps the pipe open and empty; otherwise Azurite would fail when it prints more.
        std::thread::spawn(move || said.for_each(drop));
        Azurite { process, address: address.expect("Azurite starts") }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn endpoint(&self) -> String {
        endpoint(self.address)
    }
}

impl Drop for Azurite {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The account's endpoint at an address.
pub(crate) fn endpoint(address: SocketAddr) -> String {
    format!("http://{address}/{ACCOUNT}/")
}

/// The folder of npm's files. An example uses Azurite too.
fn sources() -> PathBuf {
    workspace().join("examples/azurite")
}

/// The workspace's folder. A member's tests search for it upwards from their own.
fn workspace() -> PathBuf {
    let mut folders = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
    folders.find(|folder| folder.join("examples").is_dir()).expect("the workspace has it").to_owned()
}

/// The folder in which npm has installed Azurite.
pub(crate) fn installed() -> PathBuf {
    npm::installed("azurite", &sources(), |_| {})
}
