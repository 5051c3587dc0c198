//! Follows a table's log as a reader does: version by version, each as soon as its file exists.
//!
//! What it reports is in the log, so any reader sees it too. While nothing happens, it costs one
//! request for one file, however long the log is. It steps over commits of others, compaction and
//! log checkpoints; where a clean-up has removed versions, it continues at the newest. It writes
//! nothing.

use super::log::{self, AppIds};
use super::snapshot;
use crate::error::StoreError;
use crate::position::Position;
use crate::protocol::names::{Held, RunId, Version};
use crate::sink::files::Place;

/// A reader of one table's log.
pub struct Follower {
    place: Place,
    pipeline: String,
    ids: AppIds,
    next: Version,
    position: Option<Position>,
    run: Option<RunId>,
}

impl Follower {
    /// Begins at the newest version of the table in `place`; none if there is no table yet.
    pub async fn open(place: &Place, pipeline: &str) -> Result<Option<Follower>, StoreError> {
        let Some(now) = snapshot::read(place, pipeline).await? else { return Ok(None) };
        let held = now.state.held;
        Ok(Some(Follower {
            place: place.clone(),
            pipeline: pipeline.to_owned(),
            ids: AppIds::of(pipeline),
            next: now.state.head.next(),
            position: held.map(|held| held.position),
            run: held.map(|held| held.run),
        }))
    }

    /// Where the pipeline stands in the part of the log read so far; none before its first claim.
    pub fn held(&self) -> Option<Held> {
        self.position.zip(self.run).map(|(position, run)| Held { position, run })
    }

    /// Reads on to the newest version, and returns whether there was a new one. After an error, it
    /// can be called again.
    pub async fn look(&mut self) -> Result<bool, StoreError> {
        let first = self.next;
        loop {
            let file = self.place.join("_delta_log").join(&log::file_name(self.next));
            let Some(content) = file.read().await? else { return Ok(self.next != first) };
            let told = log::told(&content, &self.ids).map_err(|error| {
                let (attempt, cause) = log::torn(&file, &error);
                StoreError::definite(attempt, cause)
            })?;
            self.position = told.position.or(self.position);
            self.run = told.run.or(self.run);
            self.next = self.next.next();
        }
    }

    /// Goes to the newest version, wherever that is, for a reader that was away for so long that
    /// versions may have been cleaned up.
    pub async fn catch_up(&mut self) -> Result<(), StoreError> {
        if let Some(newest) =
            Follower::open(&self.place, &self.pipeline).await?.filter(|newest| newest.next > self.next)
        {
            *self = newest;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::protocol::group::Commit;

    fn wait<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime").block_on(future)
    }

    /// A table with a definition and no rows, and its log's folder.
    fn table(folder: &std::path::Path) -> (Place, std::path::PathBuf) {
        let log = folder.join("_delta_log");
        std::fs::create_dir(&log).expect("a folder");
        let schema = arrow_schema::Schema::new(vec![arrow_schema::Field::new("a", arrow_schema::DataType::Utf8, true)]);
        let metadata = super::super::schema::metadata("id", &schema, &[], 1).expect("a type of Delta's");
        let definition = log::definition(Some(super::super::schema::protocol()), metadata, "CREATE TABLE", 1);
        std::fs::write(log.join(log::file_name(Version(0))), definition).expect("a version");
        (Place::Disk(folder.to_owned()), log)
    }

    fn commit(pipeline: &str, position: u64, run: u64) -> Vec<u8> {
        let held = Held { position: Position(position), run: RunId(run) };
        let commit = Commit { id: Uuid::new_v4(), held, files: Vec::new() };
        log::commit(&commit, &AppIds::of(pipeline), 1).expect("no files")
    }

    fn held(position: u64, run: u64) -> Option<Held> {
        Some(Held { position: Position(position), run: RunId(run) })
    }

    #[test]
    fn it_tells_where_the_pipeline_stands_and_steps_over_others() {
        let folder = tempfile::tempdir().expect("a temporary directory");
        assert!(wait(Follower::open(&Place::Disk(folder.path().to_owned()), "p")).expect("readable").is_none());
        let (place, log) = table(folder.path());
        let write = |version, content: Vec<u8>| {
            std::fs::write(log.join(log::file_name(Version(version))), content).expect("a version");
        };
        let mut follower = wait(Follower::open(&place, "p")).expect("readable").expect("a table");
        assert_eq!(follower.held(), None);
        assert!(!wait(follower.look()).expect("readable"));
        write(1, commit("p", 7, 3));
        write(2, commit("other", 99, 9));
        write(3, br#"{"remove":{"path":"a","dataChange":false}}"#.to_vec());
        assert!(wait(follower.look()).expect("readable"));
        assert_eq!(follower.held(), held(7, 3));
        write(4, commit("p", 12, 3));
        assert!(wait(follower.look()).expect("readable"));
        assert_eq!(follower.held(), held(12, 3));
    }

    #[test]
    fn versions_that_were_cleaned_up_are_passed_over() {
        let folder = tempfile::tempdir().expect("a temporary directory");
        let (place, log) = table(folder.path());
        let mut follower = wait(Follower::open(&place, "p")).expect("readable").expect("a table");
        // The log as a clean-up leaves it: its first version is a later one that contains
        // everything.
        std::fs::rename(log.join(log::file_name(Version(0))), log.join("definition")).expect("a rename");
        let whole = [std::fs::read(log.join("definition")).expect("a file"), commit("p", 12, 3)].concat();
        std::fs::write(log.join(log::file_name(Version(0))), whole).expect("a version");
        std::fs::write(log.join(log::file_name(Version(1))), commit("p", 20, 3)).expect("a version");
        follower.next = Version(1);
        std::fs::write(log.join(log::file_name(Version(2))), commit("p", 30, 3)).expect("a version");
        wait(follower.catch_up()).expect("readable");
        assert_eq!((follower.held(), follower.next), (held(30, 3), Version(3)));
    }
}
