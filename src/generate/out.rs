//! Where generated lines go: one file, standard output, or a folder laid out like a server's.
//!
//! Existing files are never overwritten. A file grows under its final name, as a log does, so that
//! a tail can read along.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;

use super::lines::{Author, Lines};
use crate::cli::FormatArg;
use crate::exit::Usage;

/// Bytes written at once.
const BLOCK: usize = 1 << 20;

/// Writes `size` bytes of whole lines to standard output. If the reader closes the pipe, it has
/// read enough.
pub(super) fn stdout(lines: &mut Lines, size: u64) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    lines.tally.files += 1;
    match write(lines, size, Author::Primary, &mut out) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => written.context("could not write to standard output"),
    }
}

/// Writes `size` bytes of whole lines to one file.
pub(super) fn file(lines: &mut Lines, size: u64, path: &Path, author: Author) -> anyhow::Result<()> {
    let mut file = create(path)?;
    lines.tally.files += 1;
    write(lines, size, author, &mut file).with_context(|| {
        format!("could not write {}: make room or name another disk, and remove the partial file", path.display())
    })
}

/// Spreads `size` bytes over `files` files below `root`, each an hour, or for `jsonlog` an hour of
/// one server.
pub(super) fn folder(lines: &mut Lines, size: u64, root: &Path, files: u32, format: FormatArg) -> anyhow::Result<()> {
    for n in 0..u64::from(files) {
        // A file exceeds its share to end its last line. The targets are cumulative, so that the
        // excess does not add up.
        let target = u128::from(size) * u128::from(n + 1) / u128::from(files);
        let share = u64::try_from(target).expect("it is at most the size").saturating_sub(lines.tally.bytes);
        let (path, author) = match format {
            FormatArg::Azure => {
                let hour = lines.begin_hour(n, share).hour_folder();
                (PathBuf::from(hour).join("PT1H.json"), Author::Primary)
            }
            FormatArg::Jsonlog => {
                let (server, author) = SERVERS[usize::try_from(n % 3).expect("a small number")];
                let hour = lines.begin_hour(n / 3, share);
                let name = format!("postgresql-{server}-{}_{}.json", hour.date, hour.time[..2].to_owned() + "0000");
                (PathBuf::from(name), author)
            }
        };
        file(lines, share, &root.join(path), author)?;
    }
    Ok(())
}

/// The servers that write `jsonlog`, in turn. File names give the role, because the lines do not.
const SERVERS: [(&str, Author); 3] =
    [("primary", Author::Primary), ("replica1", Author::Replica), ("replica2", Author::Replica)];

fn create(path: &Path) -> anyhow::Result<File> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).with_context(|| format!("could not create the folder {}", parent.display()))?;
    }
    match OpenOptions::new().write(true).create_new(true).open(path) {
        Ok(file) => Ok(file),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            Err(Usage(format!("{} is there already: remove it, or name another OUT", path.display())).into())
        }
        Err(error) => Err(error).with_context(|| format!("could not create {}", path.display())),
    }
}

/// Writes whole lines until `size` bytes are reached.
fn write(lines: &mut Lines, size: u64, author: Author, out: &mut impl Write) -> io::Result<()> {
    let mut block = Vec::with_capacity(2 * BLOCK);
    let mut left = size;
    while left > 0 {
        while block.len() < BLOCK && (block.len() as u64) < left {
            lines.append(&mut block, author);
        }
        out.write_all(&block)?;
        left = left.saturating_sub(block.len() as u64);
        block.clear();
    }
    out.flush()
}
