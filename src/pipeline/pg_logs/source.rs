//! The source: whether it can be opened, listed and read, and by which credential.

use std::fs::File;
use std::sync::Arc;

use lakefront_operators::error::chain;
use lakefront_operators::protocol::clock::Clock;
use lakefront_operators::source::files::file::FileSource;
use lakefront_operators::source::files::{ByteSource, Listed};

use crate::config::{PgLogs, SourceUrl, show_size};
use crate::doctor::{Findings, PATIENCE, account};
use crate::shapes::{self, First};

/// At most this many files are opened to check that they can be.
const OPENED: usize = 1_000;

/// Checks a source that could be opened.
pub(super) async fn look(findings: &mut Findings, config: &PgLogs, source: &Arc<dyn ByteSource>, clock: &dyn Clock) {
    if let SourceUrl::Azure(location) = &config.source.url
        && !account::look(findings, "source", location, clock).await
    {
        return;
    }
    let identity = source.identity();
    let listed = match tokio::time::timeout(PATIENCE, source.list()).await {
        Ok(Ok(listing)) => listing.files,
        Ok(Err(error)) => {
            return findings.problem("source", chain(&error), "check that it is there, and that this user may list it");
        }
        Err(_) => {
            let found = format!("{identity} was not listed within {} s", PATIENCE.as_secs());
            return findings.problem("source", found, "check that the service is up and can be reached from here");
        }
    };
    let bytes: u64 = listed.iter().map(|file| file.length).sum();
    let found = format!("{identity}: {} files, {}", listed.len(), show_size(bytes));
    match listed.is_empty() {
        true => {
            findings.warn("source", found, "check that source.url is the right folder, if there should be logs already")
        }
        false => findings.ok("source", found),
    }
    if let SourceUrl::File(path) = &config.source.url {
        readable(findings, path, &listed);
    }
    let First { good, bad } = shapes::first(source.as_ref(), &listed, &config.rows).await;
    good.into_iter().for_each(|found| findings.ok("lines", found));
    bad.into_iter().for_each(|(found, advice)| findings.warn("lines", found, advice));
}

/// Opens files as a run would.
fn readable(findings: &mut Findings, path: &str, listed: &[Listed]) {
    let Ok(source) = FileSource::open(path) else { return };
    let refused = listed.iter().take(OPENED).find_map(|file| {
        let path = source.path(&file.name);
        File::open(&path).err().map(|error| (path, error))
    });
    if let Some((path, error)) = refused {
        findings.problem(
            "source",
            format!("{} cannot be read: {error}", path.display()),
            "let the user who runs lakefront read the logs: by its group, or log_file_mode = 0640 in PostgreSQL",
        );
    }
}
