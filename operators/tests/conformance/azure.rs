//! A lake in an Azurite container. Other writers use the SDK; other readers connect as the library
//! does by itself.

use std::collections::HashMap;

use deltalake::DeltaTable;
use lakefront_operators::azure::{Credential, Location};
use lakefront_operators::protocol::Pending;
use lakefront_operators::sink::files::Place;
use tokio::task::block_in_place;
use url::Url;

use crate::lake::Lake;
use crate::support::azurite::{ACCOUNT, Azurite, KEY};
use crate::support::blobs::{Container, location, with_key};

/// The lake's folder. Its name has characters that URLs, the library and the account each encode in
/// their own way.
const FOLDER: &str = "a lake/100% ö+~";

/// A lake in its own container.
pub(crate) struct Azure(pub(crate) Container);

impl Azure {
    /// The lake behind `endpoint`, opened with `credential`.
    pub(crate) fn location(&self, endpoint: &str, credential: Credential) -> Location {
        Location { path: format!("{FOLDER}/"), ..location(endpoint, self.0.name(), credential) }
    }
}

fn blob(path: &str) -> String {
    format!("{FOLDER}/{path}")
}

impl Lake for Azure {
    fn new() -> Self {
        Azure(block_in_place(Container::create))
    }

    fn place(&self) -> Place {
        Place::azure(&self.location(&Azurite::shared().endpoint(), with_key())).unwrap()
    }

    fn open<'a>(&'a self, folder: &'a str) -> Pending<'a, DeltaTable> {
        let mut url = Url::parse(&format!("az://{}", self.0.name())).unwrap();
        url.path_segments_mut().unwrap().extend(blob(folder).split('/'));
        let endpoint = Azurite::shared().endpoint();
        let options = [
            ("azure_storage_account_name", ACCOUNT),
            ("azure_storage_account_key", KEY),
            ("azure_storage_endpoint", endpoint.trim_end_matches('/')),
            ("azure_allow_http", "true"),
        ];
        let options: HashMap<_, _> = options.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
        Box::pin(async { deltalake::open_table_with_storage_options(url, options).await.unwrap() })
    }

    fn files(&self, folder: &str) -> Vec<String> {
        let listed = block_in_place(|| self.0.list(&blob(folder)));
        let below = |name: String| name.strip_prefix(&blob("")).unwrap().to_owned();
        listed.into_iter().map(|blob| below(blob.name)).collect()
    }

    fn read(&self, path: &str) -> Vec<u8> {
        block_in_place(|| self.0.read(&blob(path)))
    }

    fn write(&self, path: &str, content: &[u8]) {
        block_in_place(|| self.0.put(&blob(path), content));
    }

    fn delete(&self, path: &str) {
        block_in_place(|| self.0.delete(&blob(path)));
    }

    fn delete_folder(&self, folder: &str) {
        self.files(folder).iter().for_each(|path| self.delete(path));
    }
}
