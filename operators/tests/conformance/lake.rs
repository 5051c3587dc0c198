//! Where the Delta tables under test lie, and how other writers reach their files without the sink.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use deltalake::DeltaTable;
use lakefront_operators::protocol::Pending;
use lakefront_operators::sink::files::Place;
use url::Url;

/// Each world has its own lake. Paths are relative to it.
pub(crate) trait Lake: Send + Sync + 'static {
    fn new() -> Self;
    /// The lake as the sink sees it.
    fn place(&self) -> Place;
    /// The table in a folder, opened by another reader.
    fn open<'a>(&'a self, folder: &'a str) -> Pending<'a, DeltaTable>;
    /// Every file below a folder.
    fn files(&self, folder: &str) -> Vec<String>;
    fn read(&self, path: &str) -> Vec<u8>;
    fn write(&self, path: &str, content: &[u8]);
    fn delete(&self, path: &str);
    /// Deletes a folder and everything in it.
    fn delete_folder(&self, folder: &str);

    /// Every file below a folder, with its content.
    fn contents(&self, folder: &str) -> BTreeMap<String, Vec<u8>> {
        self.files(folder).into_iter().map(|path| (path.clone(), self.read(&path))).collect()
    }
}

/// A temporary folder.
pub(crate) struct Disk(tempfile::TempDir);

impl Lake for Disk {
    fn new() -> Self {
        Disk(tempfile::tempdir().unwrap())
    }

    fn place(&self) -> Place {
        Place::Disk(self.0.path().to_owned())
    }

    fn open<'a>(&'a self, folder: &'a str) -> Pending<'a, DeltaTable> {
        let url = Url::from_directory_path(self.0.path().join(folder)).unwrap();
        Box::pin(async { deltalake::open_table(url).await.unwrap() })
    }

    fn files(&self, folder: &str) -> Vec<String> {
        let mut found = Vec::new();
        let mut folders = vec![self.0.path().join(folder)];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(&folder).into_iter().flatten() {
                let path = entry.unwrap().path();
                let name = |path: &Path| path.strip_prefix(self.0.path()).unwrap().to_str().unwrap().to_owned();
                if path.is_dir() { folders.push(path) } else { found.push(name(&path)) }
            }
        }
        found
    }

    fn read(&self, path: &str) -> Vec<u8> {
        fs::read(self.0.path().join(path)).unwrap()
    }

    fn write(&self, path: &str, content: &[u8]) {
        fs::write(self.0.path().join(path), content).unwrap();
    }

    fn delete(&self, path: &str) {
        fs::remove_file(self.0.path().join(path)).unwrap();
    }

    fn delete_folder(&self, folder: &str) {
        fs::remove_dir_all(self.0.path().join(folder)).unwrap();
    }
}
