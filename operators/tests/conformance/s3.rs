//! A lake in a bucket of a server that speaks S3. Other writers use the server's files; other
//! readers connect with a client of their own.

use std::sync::Arc;

use deltalake::DeltaTable;
use deltalake::logstore::{StorageConfig, default_logstore};
use lakefront_operators::protocol::Pending;
use lakefront_operators::s3::Location;
use lakefront_operators::sink::files::Place;
use object_store::ObjectStore;
use object_store::aws::AmazonS3Builder;
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use tokio::task::block_in_place;
use url::Url;

use crate::lake::Lake;
use crate::support::bucket::{Bucket, endpoint, location};
use crate::support::gateway::{Gateway, KEY_ID, REGION, SECRET};

/// The lake's folder. Its name has characters that URLs, the library and the store each encode in
/// their own way.
const FOLDER: &str = "a lake/100% ö+~";

/// A lake in its own bucket.
pub(crate) struct S3(pub(crate) Bucket);

/// Whether there is a server.
pub(crate) fn is_here() -> bool {
    gateway().is_some()
}

fn gateway() -> Option<&'static Gateway> {
    block_in_place(Gateway::shared)
}

impl S3 {
    /// The lake behind `address`.
    pub(crate) fn location(&self, address: std::net::SocketAddr) -> Location {
        location(address, &self.0.name, FOLDER)
    }
}

fn key(path: &str) -> String {
    format!("{FOLDER}/{path}")
}

impl Lake for S3 {
    fn new() -> Self {
        S3(block_in_place(Bucket::create).expect("a server, which was looked for before"))
    }

    fn place(&self) -> Place {
        Place::s3(&self.location(gateway().unwrap().address())).unwrap()
    }

    fn open<'a>(&'a self, folder: &'a str) -> Pending<'a, DeltaTable> {
        let client = AmazonS3Builder::new()
            .with_bucket_name(&self.0.name)
            .with_endpoint(endpoint(gateway().unwrap().address()))
            .with_region(REGION)
            .with_access_key_id(KEY_ID)
            .with_secret_access_key(SECRET)
            .with_allow_http(true);
        let root: Arc<dyn ObjectStore> = Arc::new(client.build().unwrap());
        let table = Arc::new(PrefixStore::new(root.clone(), Path::parse(key(folder)).unwrap()));
        let mut url = Url::parse(&format!("s3://{}", self.0.name)).unwrap();
        url.path_segments_mut().unwrap().extend(key(folder).split('/'));
        Box::pin(async move {
            let mut table = DeltaTable::new(default_logstore(table, root, &url, &StorageConfig::default()));
            table.load().await.unwrap();
            table
        })
    }

    fn files(&self, folder: &str) -> Vec<String> {
        let below = |name: String| name.strip_prefix(&key("")).unwrap().to_owned();
        self.0.list(&key(folder)).into_iter().map(below).collect()
    }

    fn read(&self, path: &str) -> Vec<u8> {
        self.0.read(&key(path))
    }

    fn write(&self, path: &str, content: &[u8]) {
        self.0.write(&key(path), content);
    }

    fn delete(&self, path: &str) {
        self.0.delete(&key(path));
    }

    fn delete_folder(&self, folder: &str) {
        self.0.delete_all(&key(folder));
    }
}
