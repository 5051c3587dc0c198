//! The pages, and the blocks of code in them.

use std::fs;
use std::path::{Path, PathBuf};

/// A block between two lines of three backticks.
pub(crate) struct Block {
    /// The line of the page at which it opens.
    pub(crate) line: usize,
    /// What stands behind the opening backticks: the language, and who runs it.
    pub(crate) kind: String,
    pub(crate) text: String,
}

pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The README and all that lies in `docs`, by path from the root.
pub(crate) fn all() -> Vec<PathBuf> {
    let folder = fs::read_dir(root().join("docs")).expect("the folder of documents");
    let mut pages: Vec<PathBuf> = folder
        .map(|entry| Path::new("docs").join(entry.expect("an entry").file_name()))
        .filter(|path| path.extension().is_some_and(|end| end == "md"))
        .chain(["README.md", "ARCHITECTURE.md", "CHANGELOG.md"].map(PathBuf::from))
        .collect();
    pages.sort();
    pages
}

pub(crate) fn read(page: &Path) -> String {
    fs::read_to_string(root().join(page)).unwrap_or_else(|e| panic!("{}: {e}", page.display()))
}

pub(crate) fn blocks(page: &Path) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut open: Option<Block> = None;
    for (number, line) in read(page).lines().enumerate() {
        match (line.strip_prefix("```"), &mut open) {
            (Some(kind), None) => {
                open = Some(Block { line: number + 1, kind: kind.to_owned(), text: String::new() });
            }
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (None, Some(block)) => {
                block.text.push_str(line);
                block.text.push('\n');
            }
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "{}: a block has no end", page.display());
    blocks
}
