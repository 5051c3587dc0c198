//! `lakefront init`: writes a pipeline file with comments, after a few questions or from flags.
//!
//! Promises: `run` can read what it writes, because that is parsed before it is written; no secret
//! is asked for or written; an existing file is replaced only if that was asked for.

mod answers;
mod ask;

use std::fs::OpenOptions;
use std::io::{self, ErrorKind, IsTerminal, Write};
use std::path::Path;

use anyhow::Context;

use self::answers::Field;
pub(crate) use self::answers::{Answers, is_azure, is_s3};
use crate::cli::InitArgs;
use crate::exit::Usage;
use crate::pipeline;
use crate::report::print;

/// The file's name, the same for every pipeline, because each has a directory of its own.
const NAME: &str = "lakefront.toml";

/// Writes a pipeline file.
pub(crate) fn init(args: &InitArgs) -> anyhow::Result<()> {
    let path = args.dir.join(NAME);
    // Checked before the user answers questions; the write below cannot overwrite a file either.
    if !args.force && path.exists() {
        return Err(already_there(&path).into());
    }
    let answers = match !args.yes && io::stdin().is_terminal() && io::stderr().is_terminal() {
        true => ask::ask(args, &mut io::stdin().lock(), &mut io::stderr())?,
        false => Answers::of(args),
    };
    let fields = [
        (Field::Source, "--source"),
        (Field::Lake, "--lake"),
        (Field::Account, "--account"),
        (Field::Pipeline, "--pipeline"),
    ];
    for (field, flag) in fields {
        if let Some(complaint) = answers.complaint(field) {
            return Err(Usage(format!("{flag}: {complaint}")).into());
        }
    }
    write(&path, &pipeline::template(&answers), args.force)?;
    print(next(args, &answers))
}

fn already_there(path: &Path) -> Usage {
    Usage(format!("{} is there already: name another directory, or replace it with --force", path.display()))
}

fn write(path: &Path, text: &str, force: bool) -> anyhow::Result<()> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::create_dir_all(directory)
        .with_context(|| format!("could not create the directory {}", directory.display()))?;
    let mut how = OpenOptions::new();
    how.write(true).create(force).truncate(force).create_new(!force);
    let written = how.open(path).and_then(|mut file| file.write_all(text.as_bytes()));
    match written {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Err(already_there(path).into()),
        written => written.with_context(|| format!("could not write {}", path.display())),
    }
}

/// What was done, and what to type next.
fn next(args: &InitArgs, answers: &Answers) -> String {
    let mut text = format!("wrote {}\n\nnext:\n", args.dir.join(NAME).display());
    let mut step = |command: String, why: &str| {
        text.push_str(format!("  {command:<52}{why}").trim_end());
        text.push('\n');
    };
    if args.dir != Path::new(".") {
        step(format!("cd {}", shell(&args.dir.display().to_string())), "");
    }
    if is_azure(&answers.source) || is_azure(&answers.lake) {
        step("export AZURE_STORAGE_CONNECTION_STRING=…".to_owned(), "or log in: the file says how");
    }
    if is_s3(&answers.lake) {
        step("export AWS_REGION=… AWS_ACCESS_KEY_ID=… AWS_SECRET_ACCESS_KEY=…".to_owned(), " or a role: see the file");
    }
    if let Some(folder) = missing_folder(args, answers) {
        let format = answers.format.word();
        step(format!("lakefront generate --format {format} --files 3 {}", shell(folder)), "lines to try it with");
    }
    step(format!("lakefront doctor {NAME}"), "is everything in place?");
    step(format!("lakefront run {NAME}"), "");
    text
}

/// The directory that the source names, if it does not exist.
fn missing_folder<'a>(args: &InitArgs, answers: &'a Answers) -> Option<&'a str> {
    let folder = answers.source.strip_prefix("file:")?;
    let plain = folder.ends_with('/') && !folder.starts_with("//") && !folder.contains(['*', '?', '[', '{', '$']);
    (plain && !args.dir.join(folder).exists()).then_some(folder)
}

/// `text` quoted so that a shell takes it as one word.
fn shell(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+=:@%,".contains(c);
    match !text.is_empty() && text.chars().all(plain) {
        true => text.to_owned(),
        false => format!("'{}'", text.replace('\'', "'\\''")),
    }
}
