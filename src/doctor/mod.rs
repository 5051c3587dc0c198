//! `lakefront doctor`: finds what keeps a pipeline from running, or will at the worst moment, and
//! says what to do.
//!
//! Promises: nothing lasting is written, nothing is claimed and no lock is taken, so that it may be
//! used during a run; if one thing is unreachable, the rest is still checked; no secret is shown.

mod address;
pub(crate) mod bucket;
mod clock;
mod disk;
mod filesystem;
mod findings;
mod lake;
mod machine;
mod source;
mod state;

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::path::Path;

use lakefront_operators::clock::SystemClock;
use lakefront_operators::error::chain;
use lakefront_operators::fatal::StopRequest;
use lakefront_operators::position::Position;

use self::findings::{Findings, Level};
use crate::cli::DoctorArgs;
use crate::config::{self, Config, LakeRoot};
use crate::pipeline::Pipeline;
use crate::report::{print, print_json};
use crate::{pipeline, runtime};

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
    machine::look(findings, Some(&config));
    disk::look(findings, &config, &SystemClock);
    let known = state::look(findings, &config, &SystemClock);
    runtime::tokio()?.block_on(connect(findings, config, known));
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

/// Checks what may be remote: the source, the lake, the tables.
async fn connect(findings: &mut Findings, config: Config, known: Option<Position>) {
    let (lake, name, tables) = (config.lake.root.clone(), config.pipeline.clone(), pipeline::tables(&config));
    let opened = Pipeline::open(config, StopRequest::default());
    match &opened {
        Ok(pipeline) => source::look(findings, &pipeline.config, &pipeline.source, &SystemClock).await,
        Err(stop) => findings.problem("source", chain(stop), "check that it is there, and that source.url is right"),
    }
    if let LakeRoot::Azure(location) = &lake
        && !source::account(findings, "lake", location, &SystemClock).await
    {
        return;
    }
    if let LakeRoot::S3(location) = &lake
        && !bucket::look(findings, location).await
    {
        return;
    }
    let opened = opened.as_ref().ok();
    if let Some(pipeline) = opened {
        address::look(findings, pipeline).await;
    }
    match tables {
        Ok(tables) => lake::Lake { pipeline: &name, opened, tables: &tables }.look(findings, known).await,
        Err(stop) => {
            findings.problem("lake", chain(&stop), "fix what it names in lake.root, [lake.azure] or [lake.s3]")
        }
    }
}
