//! Watches a pipeline's tables as a reader does, to find what each holds of the target, one task
//! per table; and measures what the run that fills them uses.

use std::path::{Path, PathBuf};
use std::time::Duration;

use lakefront_operators::run::clock::Stopwatch;
use tokio::sync::mpsc::UnboundedSender;

use super::drive::Event;
use super::target::Destination;
use crate::config::{Common, Config};
use crate::exit::Usage;
use crate::pipeline::{self, Follow, Followed};
use crate::process::Resources;
use crate::{lock, process};

/// A pipeline that is watched.
pub(super) struct Watched {
    /// The pipeline's name.
    pub(super) pipeline: String,
    state_file: PathBuf,
    pub(super) file: PathBuf,
    /// The tables' names, in their order.
    pub(super) tables: Vec<String>,
    /// What is followed of each, until it is.
    follows: Vec<Box<dyn Follow>>,
    /// The process of its run, and what it had used when it was found; `None` if none was found on
    /// this machine.
    run: Option<(u32, Resources)>,
    /// What the run had used at the last look.
    used: Option<Resources>,
}

impl Watched {
    /// Watches the pipeline of `config`, which must read `target`.
    pub(super) fn new(config: Config, file: &Path, target: &Destination) -> anyhow::Result<Watched> {
        let described = pipeline::described(config);
        let Followed { source, tables } = described.followed(target)?;
        let follows = tables.ok_or_else(|| {
            Usage(format!(
                "{target} is not what {} reads, which is {source}: its lines would never be visible; name a target there \
                 with --to, or watch the pipeline that reads it",
                file.display()
            ))
        })?;
        let tables = follows.iter().map(|follow| follow.table().to_owned()).collect();
        let Common { pipeline, state_file, .. } = described.common();
        let (pipeline, state_file) = (pipeline.clone(), state_file.clone());
        Ok(Watched { pipeline, state_file, file: file.to_owned(), tables, follows, run: None, used: None })
    }

    /// Follows the tables from now on.
    pub(super) fn follow(&mut self, watch: Stopwatch, events: &UnboundedSender<Event>) {
        for (table, follow) in std::mem::take(&mut self.follows).into_iter().enumerate() {
            let events = events.clone();
            tokio::spawn(async move {
                let mut tell = |sighting| events.send(Event::Seen(table, sighting)).is_ok();
                if let Err(stop) = follow.follow(watch, &mut tell).await {
                    // Nobody listens once the replay has ended.
                    let _ = events.send(Event::Lost(stop));
                }
            });
        }
    }

    /// Looks for the run on this machine, and begins to count what it uses. Returns whether it was
    /// found.
    pub(super) fn find_run(&mut self) -> bool {
        let holder = lock::holder(&self.state_file);
        self.run = holder.and_then(|process| Some((process, process::usage_of(process)?)));
        self.run.is_some()
    }

    /// Looks at what the run uses. The run may have been started only now; if it has ended, the
    /// last look counts.
    pub(super) fn measure(&mut self) {
        if self.run.is_none() {
            self.find_run();
        }
        let now = self.run.and_then(|(process, _)| process::usage_of(process));
        self.used = now.or(self.used);
    }

    /// CPU time of the run since the replay began, or since the run was found if that was later;
    /// and its peak of memory in bytes.
    pub(super) fn used(&self) -> Option<(Duration, u64)> {
        let ((_, before), now) = self.run.zip(self.used)?;
        Some((now.cpu.saturating_sub(before.cpu), now.peak_bytes))
    }
}
