//! `lakefront doctor`: finds what keeps a pipeline from running, or will at the worst moment, and
//! says what to do.
//!
//! Promises: nothing lasting is written, nothing is claimed and no lock is taken, so that it may be
//! used during a run; if one thing is unreachable, the rest is still checked; no secret is shown.

pub(crate) mod account;
pub(crate) mod address;
pub(crate) mod bucket;
#[cfg(feature = "pg_changes")]
pub(crate) mod capture;
mod clock;
pub(crate) mod disk;
mod filesystem;
mod findings;
mod machine;
mod state;

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use lakefront_operators::run::clock::SystemClock;

pub(crate) use self::findings::Findings;
use self::findings::Level;
use crate::cli::DoctorArgs;
use crate::config::{self, Config};
use crate::report::{print, print_json};
use crate::{pipeline, runtime};

/// What has not answered by then counts as unreachable.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Checks everything and prints the findings. Fails if there are problems.
pub(crate) fn doctor(args: &DoctorArgs) -> anyhow::Result<()> {
    let mut findings = Findings::default();
    let looked = match &args.file {
        None => {
            machine::look(&mut findings, None);
            Ok(())
        }
        Some(file) => look(&mut findings, file),
    };
    match args.json {
        true => print_json(&findings.json()),
        false => print(findings.text()),
    }?;
    looked?;
    match findings.count(Level::Problem) {
        0 => Ok(()),
        problems => Err(anyhow::anyhow!("problems found: {problems}; the list says what to do about each")),
    }
}

/// Checks the pipeline and all that it needs. Fails if its file is wrong.
fn look(findings: &mut Findings, file: &Path) -> anyhow::Result<()> {
    let config = match load(findings, file) {
        Ok(config) => config,
        Err(error) => {
            machine::look(findings, None);
            return Err(error);
        }
    };
    let pipeline = pipeline::described(config);
    machine::look(findings, Some(&*pipeline));
    disk::look(findings, &*pipeline);
    let known = state::look(findings, pipeline.common(), &SystemClock);
    runtime::tokio()?.block_on(pipeline.examine(findings, known));
    Ok(())
}

/// Reads the pipeline file, and reports which environment variables it uses.
fn load(findings: &mut Findings, file: &Path) -> anyhow::Result<Config> {
    let used = RefCell::new(BTreeSet::new());
    let env = |name: &str| {
        let value = std::env::var(name).ok();
        if value.is_some() {
            used.borrow_mut().insert(name.to_owned());
        }
        value
    };
    match config::load_in(file, &env) {
        Ok(config) => {
            findings.ok("file", format!("{} is good", file.display()));
            let used: Vec<String> = used.into_inner().into_iter().collect();
            if !used.is_empty() {
                findings.ok("file", format!("from the environment: {}", used.join(", ")));
            }
            Ok(config)
        }
        Err(error) => {
            let error = pipeline::naming(file, error);
            findings.problem_of_lines("file", format!("{error:#}"), "fix each line of it");
            Err(error)
        }
    }
}
