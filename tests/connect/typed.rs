//! `docs/debezium.md`, as it is typed: in this order, by whoever has a pipeline file and no
//! connector yet.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::pages::blocks;
use crate::world::{PASSWORD, World};

#[test]
fn the_page_works() {
    let world = World::new("typed");
    // Writes the file, which the page calls by another name.
    world.debezium(&["config"]).exits_with(0);
    fs::copy(world.path("p.toml"), world.path("shop.toml")).expect("the page's file");
    let program = Path::new(env!("CARGO_BIN_EXE_lakefront")).parent().expect("a folder");
    let path = format!("{}:{}", program.display(), std::env::var("PATH").expect("a path"));
    let page = blocks(Path::new("docs/debezium.md"));
    let lines: Vec<&str> =
        page.iter().filter(|block| block.kind == "sh").flat_map(|block| block.text.lines()).collect();
    assert!(lines.len() > 8, "{lines:?}");
    for line in lines {
        let mut command = Command::new("bash");
        command.args(["-c", line]).current_dir(world.path(".")).env("PATH", &path).env("PGPASSWORD", PASSWORD);
        let output = command.output().expect("a shell");
        let said = [output.stdout, output.stderr].concat();
        assert!(output.status.success(), "{line}\n{}", String::from_utf8_lossy(&said));
    }
}
