//! Buckets of the server that speaks S3. Every test has its own. What others do to its objects is
//! done to the files that the server keeps, so that no client is needed.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use lakefront_operators::s3::service::{self, Endpoint};
use lakefront_operators::s3::{self, Credential, Location};
use lakefront_operators::secret::Secret;
use rustix::fs::{XattrFlags, setxattr};

use super::gateway::{Gateway, KEY_ID, REGION, SECRET};

/// A bucket.
pub(crate) struct Bucket {
    pub(crate) name: String,
    folder: PathBuf,
}

impl Bucket {
    /// A new one; `None` where there is no server.
    pub(crate) fn create() -> Option<Bucket> {
        static NUMBER: AtomicUsize = AtomicUsize::new(1);
        let gateway = Gateway::shared()?;
        let name = format!("lake-{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        let folder = gateway.folder(&name);
        fs::create_dir(&folder).expect("a folder");
        Some(Bucket { name, folder })
    }

    /// The objects below `prefix`, by name.
    pub(crate) fn list(&self, prefix: &str) -> Vec<String> {
        fn search(folder: &Path, below: &Path, found: &mut Vec<String>) {
            // A folder goes away with its last object.
            for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
                let path = entry.path();
                match path.is_dir() {
                    true => search(&path, below, found),
                    false => found.extend(path.strip_prefix(below).ok().and_then(Path::to_str).map(str::to_owned)),
                }
            }
        }
        let mut found = Vec::new();
        search(&self.folder.join(prefix), &self.folder, &mut found);
        found.sort();
        found
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.folder.join(name)).expect("an object")
    }

    /// Creates or replaces an object.
    pub(crate) fn write(&self, name: &str, content: &[u8]) {
        let path = self.folder.join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(&path, content).expect("an object is written");
        // The server marks its objects with this, and takes what is unmarked for absent when it is
        // asked to create one.
        setxattr(path, "user.etag", b"\"0\"", XattrFlags::empty()).expect("it is marked");
    }

    pub(crate) fn delete(&self, name: &str) {
        fs::remove_file(self.folder.join(name)).expect("an object");
    }

    /// Deletes everything below a prefix.
    pub(crate) fn delete_all(&self, prefix: &str) {
        fs::remove_dir_all(self.folder.join(prefix)).expect("a folder");
    }

    /// The parts of uploads that were neither completed nor aborted.
    pub(crate) fn unfinished(&self) -> Vec<String> {
        self.list(".sgwtmp/multipart")
    }
}

/// A place in a bucket, seen through `address`: the server's own or a proxy's.
pub(crate) fn location(address: SocketAddr, bucket: &str, path: &str) -> Location {
    let endpoint = Endpoint::parse(&endpoint(address), false).expect("an endpoint");
    let url = service::bucket(bucket, &endpoint, true).expect("a bucket");
    let bucket = s3::Bucket { name: bucket.to_owned(), url, region: REGION.to_owned(), credential: with_key() };
    Location { bucket, path: path.to_owned() }
}

pub(crate) fn endpoint(address: SocketAddr) -> String {
    format!("http://{address}")
}

pub(crate) fn with_key() -> Credential {
    Credential::Key { id: Secret::new(KEY_ID), secret: Secret::new(SECRET), token: None }
}
