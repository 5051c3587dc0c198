//! The checks of the fuzz targets, over the corpus that they have gathered. They run with every
//! test run, on any toolchain.

#[expect(unreachable_pub, reason = "the fuzz crate exports it")]
#[path = "../../fuzz/src/changes.rs"]
mod changes;
#[expect(unreachable_pub, reason = "the fuzz crate exports it")]
#[path = "../../fuzz/src/parse.rs"]
mod parse;
#[expect(unreachable_pub, reason = "the fuzz crate exports it")]
#[path = "../../fuzz/src/split.rs"]
mod split;

use std::path::Path;

fn each(target: &str, check: impl Fn(&[u8])) {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus").join(target);
    let inputs: Vec<_> =
        std::fs::read_dir(corpus).expect("the corpus").map(|entry| entry.expect("an entry").path()).collect();
    assert!(inputs.len() > 10, "the corpus of {target} has {} inputs", inputs.len());
    for path in inputs {
        let input = std::fs::read(&path).expect("an input");
        println!("{}", path.display());
        check(&input);
    }
}

#[test]
fn changes_are_lines_of_json_or_reasons() {
    each("changes", changes::check);
}

#[test]
fn parse_agrees_with_serde_json() {
    each("parse", parse::check);
}

#[test]
fn split_finds_each_line_once() {
    each("split", split::check);
}
