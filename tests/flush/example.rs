//! The example, as `docs/pg_flush.md` has it typed.

use std::path::Path;
use std::process::{Command, Output};

fn runs(command: &mut Command) -> Output {
    let output = command.output().expect("it starts");
    assert!(output.status.success(), "{command:?}:\n{}", String::from_utf8_lossy(&output.stderr));
    output
}

#[test]
fn the_example_runs_as_typed() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = tempfile::tempdir().expect("a folder");
    // The server drops its rights, and must still reach its folder.
    let server = tempfile::Builder::new().prefix("lakefront-hot-").tempdir_in("/tmp").expect("a folder").keep();
    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = free.local_addr().expect("an address").port().to_string();
    drop(free);
    let script = root.join("examples/hot/start.sh");
    std::fs::remove_dir(&server).expect("the script makes it");
    let started = runs(Command::new("sh").arg(&script).arg(&server).arg(&port));
    let stop = || runs(Command::new("sh").arg(&script).arg(&server).arg("stop"));
    let text = std::fs::read_to_string(root.join("examples/pg_flush.toml")).expect("the example");
    assert!(text.contains(":5434/"), "the port that the script uses by itself");
    std::fs::write(folder.path().join("p.toml"), text.replace(":5434/", &format!(":{port}/"))).expect("a file");
    let mut run = Command::new(env!("CARGO_BIN_EXE_lakefront"));
    let output = run.args(["run", "p.toml", "--once", "--json"]).current_dir(folder.path()).output().expect("it runs");
    stop();
    std::fs::remove_dir_all(&server).expect("the server's folder");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).expect("a report");
    assert_eq!(report["flushes"], 1, "{report}");
    assert_eq!(report["tables"].as_object().map(|tables| tables.len()), Some(21), "{report}");
    assert!(String::from_utf8_lossy(&started.stdout).contains(&format!(":{port}/stellar_hot")));
}
