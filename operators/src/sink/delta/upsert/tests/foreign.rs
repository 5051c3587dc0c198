//! Other writers, whose commits are made by hand.

use std::fs::File;

use parquet::arrow::ArrowWriter;
use serde_json::{Value, json};

use super::feed::read;
use super::model::{Row, batch, rows, schema};
use super::world::World;
use crate::protocol::group::Created;
use crate::protocol::names::Version;
use crate::sink::delta::log;
use crate::sink::delta::upsert::files::{Files, LakeFile};

/// What becomes of the rows of files that are rewritten.
pub(super) enum Rewrite {
    /// They stay what they are.
    Compact,
    /// Those that are even die.
    DeleteEven,
}

impl World {
    /// Another writer rewrites all files into one, in another order. Returns the version that it
    /// makes.
    pub(super) async fn rewrite(&self, how: Rewrite) -> Version {
        let files = Files::load(self.place(), None).await.unwrap();
        let dead = files.dead(|_, _| true).await.unwrap();
        let mut alive: Vec<Row> = Vec::new();
        for path in files.active.keys() {
            let all = read(&self.folder.path().join(path)).iter().flat_map(rows).collect::<Vec<_>>();
            let is_alive = |row: &u64| !dead[path].contains(*row);
            alive.extend((0..).zip(all).filter(|(row, _)| is_alive(row)).map(|(_, row)| row));
        }
        let is_change = matches!(how, Rewrite::DeleteEven);
        alive.retain(|row| !is_change || row.id % 2 != 0);
        alive.reverse();
        self.replace(&alive, is_change).await
    }

    /// Another writer puts a file with `rows` in the place of all files.
    pub(in crate::sink::delta::upsert) async fn replace(&self, rows: &[Row], is_change: bool) -> Version {
        let files = Files::load(self.place(), None).await.unwrap();
        let mut actions = vec![json!({"commitInfo": {"operation": "OPTIMIZE"}})];
        for file in files.active.values() {
            let mut remove = json!({"path": file.add["path"], "dataChange": is_change, "deletionTimestamp": 1});
            if let Some(vector) = file.vector() {
                remove["deletionVector"] = vector.clone();
            }
            actions.push(json!({"remove": remove}));
        }
        actions.push(self.add(rows, is_change));
        self.foreign(&actions).await
    }

    /// The action that adds a file with `rows`.
    fn add(&self, rows: &[Row], is_change: bool) -> Value {
        let name = format!("part-{}.parquet", uuid::Uuid::new_v4());
        let path = self.folder.path().join(&name);
        let mut writer = ArrowWriter::try_new(File::create(&path).unwrap(), schema(), None).unwrap();
        writer.write(&batch(&rows.iter().collect::<Vec<_>>())).unwrap();
        writer.close().unwrap();
        let size = std::fs::metadata(&path).unwrap().len();
        json!({"add": {"path": name, "partitionValues": {}, "size": size, "modificationTime": 1, "dataChange": is_change,
            "stats": json!({"numRecords": rows.len()}).to_string()}})
    }

    /// Another writer makes the files of `version` the table's again, as RESTORE does.
    pub(super) async fn restore(&self, version: Version) {
        let (now, then) =
            (Files::load(self.place(), None).await.unwrap(), Files::load(self.place(), Some(version)).await);
        let then = then.unwrap();
        let is_other = |of: &Files, path: &String, file: &LakeFile| {
            of.active.get(path).is_none_or(|other| other.vector() != file.vector())
        };
        let mut actions = vec![json!({"commitInfo": {"operation": "RESTORE"}})];
        for (path, file) in now.active.iter().filter(|(path, file)| is_other(&then, path, file)) {
            let mut remove = json!({"path": path, "dataChange": true, "deletionTimestamp": 1});
            remove["deletionVector"] = file.vector().cloned().unwrap_or_default();
            actions.push(json!({"remove": remove}));
        }
        let back = then.active.iter().filter(|(path, file)| is_other(&now, path, file));
        actions.extend(back.map(|(_, file)| json!({"add": file.add})));
        self.foreign(&actions).await;
    }

    /// Another writer appends `rows`.
    pub(super) async fn append(&self, rows: &[Row]) -> Version {
        self.foreign(&[json!({"commitInfo": {"operation": "WRITE"}}), self.add(rows, true)]).await
    }

    /// Commits actions as the newest version.
    pub(in crate::sink::delta::upsert) async fn foreign(&self, actions: &[Value]) -> Version {
        let mut version = self.version.next();
        loop {
            let file = self.place().join("_delta_log").join(&log::file_name(version));
            match file.create(log::to_lines(actions)).await.unwrap() {
                Created::Yes => return version,
                _ => version = version.next(),
            }
        }
    }
}
