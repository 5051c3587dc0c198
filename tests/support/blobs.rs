//! What a writer of logs does to blobs, in blocking calls, and what opens its container. Every test
//! has its own container.

use std::future::Future;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use azure_core::Bytes;
use azure_core::hmac::hmac_sha256;
use azure_core::http::{Etag, Url};
use azure_core::time::OffsetDateTime;
use azure_storage_blob::clients::{BlobClient, BlobContainerClient};
use azure_storage_blob::models::BlobContainerClientListBlobsOptions;
use futures::TryStreamExt;
use lakefront_operators::azure::{Account, Credential, Location, Secret, client};
use tokio::runtime::Runtime;

use super::azurite::{ACCOUNT, Azurite, KEY};

/// The most bytes of one append: the service's older limit, and Azurite's.
const BLOCK: usize = 4 << 20;
/// The version of signatures made here.
const SAS_VERSION: &str = "2020-12-06";

/// A container of Azurite, opened with the account's key.
pub(crate) struct Container {
    name: String,
    client: BlobContainerClient,
}

/// A blob as a list shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Blob {
    pub(crate) name: String,
    pub(crate) length: u64,
    pub(crate) etag: Etag,
    pub(crate) created: OffsetDateTime,
}

impl Container {
    /// A new one, in the Azurite that the tests share.
    pub(crate) fn create() -> Container {
        static NUMBER: AtomicUsize = AtomicUsize::new(1);
        let container = Container::open(format!("logs-{}", NUMBER.fetch_add(1, Ordering::Relaxed)));
        done("create a container", container.client.create(None));
        container
    }

    /// The same container, for another thread.
    pub(crate) fn again(&self) -> Container {
        Container::open(self.name.clone())
    }

    fn open(name: String) -> Container {
        let location = location(&Azurite::shared().endpoint(), &name, with_key());
        Container { name, client: client::container(&location).expect("a client") }
    }

    /// Deletes the container and everything in it.
    pub(crate) fn remove(&self) {
        done("delete a container", self.client.delete(None));
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Creates an append blob without content; an existing one is overwritten.
    pub(crate) fn begin(&self, name: &str) {
        done("create an append blob", self.blob(name).append_blob_client().create(None));
    }

    /// Appends to an append blob that exists, in as few blocks as possible.
    pub(crate) fn append(&self, name: &str, content: impl AsRef<[u8]>) {
        let blob = self.blob(name).append_blob_client();
        for block in content.as_ref().chunks(BLOCK) {
            let body = Bytes::copy_from_slice(block);
            done("append a block", blob.append_block(body.into(), block.len() as u64, None));
        }
    }

    /// Writes an append blob with this content.
    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        self.begin(name);
        self.append(name, content);
    }

    /// Writes a block blob with this content.
    pub(crate) fn put(&self, name: &str, content: impl AsRef<[u8]>) {
        let body = Bytes::copy_from_slice(content.as_ref());
        done("put a block blob", self.blob(name).upload(body.into(), None));
    }

    pub(crate) fn delete(&self, name: &str) {
        done("delete a blob", self.blob(name).delete(None));
    }

    /// Deletes an append blob and creates it anew with this content.
    pub(crate) fn recreate(&self, name: &str, content: impl AsRef<[u8]>) {
        self.delete(name);
        self.write(name, content);
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        done("read a blob", async { self.blob(name).download(None).await?.body.collect().await }).to_vec()
    }

    /// The blobs whose names begin with `prefix`, by name.
    pub(crate) fn list(&self, prefix: &str) -> Vec<Blob> {
        // Azurite does not sign an empty prefix as we do.
        let prefix = Some(prefix.to_owned()).filter(|prefix| !prefix.is_empty());
        let options = BlobContainerClientListBlobsOptions { prefix, ..Default::default() };
        let items = async { self.client.list_blobs(Some(options))?.try_collect::<Vec<_>>().await };
        let blobs = done("list blobs", items).into_iter().map(|item| {
            let properties = item.properties?;
            let (length, etag) = (properties.content_length?, properties.etag?);
            Some(Blob { name: item.name?, length, etag, created: properties.creation_time? })
        });
        blobs.map(|blob| blob.expect("a list shows name, length, ETag and creation")).collect()
    }

    /// The SDK's client for a blob, for calls that are missing here.
    pub(crate) fn blob(&self, name: &str) -> BlobClient {
        self.client.blob_client(name)
    }

    /// A shared access signature for this container: the query of a URL. `permissions` is some of
    /// "racwdl", in this order.
    pub(crate) fn sas(&self, permissions: &str) -> String {
        self.sas_until("2099-01-01T00:00:00Z", permissions)
    }

    /// The same, valid until `to`.
    pub(crate) fn sas_until(&self, to: &str, permissions: &str) -> String {
        let from = "2020-01-01T00:00:00Z";
        let resource = format!("/blob/{ACCOUNT}/{}", self.name);
        // Permissions, start, end, resource, identifier, addresses, protocol, version, kind,
        // snapshot, encryption scope, and five headers for the response to a read.
        let signed = [permissions, from, to, &resource, "", "", "", SAS_VERSION, "c", "", "", "", "", "", "", ""];
        let signature = hmac_sha256(&signed.join("\n"), &KEY.into()).expect("a signature");
        let fields =
            [("sv", SAS_VERSION), ("st", from), ("se", to), ("sr", "c"), ("sp", permissions), ("sig", &signature)];
        let url = Url::parse_with_params("http://localhost", fields).expect("a URL");
        url.query().expect("there are fields").to_owned()
    }
}

/// A container seen through an endpoint: Azurite's own or a proxy's.
pub(crate) fn location(endpoint: &str, container: &str, credential: Credential) -> Location {
    let endpoint = Url::parse(endpoint).expect("a URL");
    let account = Account { name: ACCOUNT.to_owned(), endpoint, credential };
    Location { account, container: container.to_owned(), path: String::new() }
}

pub(crate) fn with_key() -> Credential {
    Credential::Key(Secret::new(KEY))
}

/// A connection string as the portal shows it.
pub(crate) fn connection_string(endpoint: &str) -> String {
    let endpoint = endpoint.trim_end_matches('/');
    format!("DefaultEndpointsProtocol=http;AccountName={ACCOUNT};AccountKey={KEY};BlobEndpoint={endpoint};")
}

/// Waits for a call of the SDK.
pub(crate) fn run<F: Future>(future: F) -> F::Output {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    let build = || tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    RUNTIME.get_or_init(|| build().expect("a runtime")).block_on(future)
}

/// Waits for a call that must succeed.
fn done<T>(what: &str, future: impl Future<Output = azure_core::Result<T>>) -> T {
    run(future).unwrap_or_else(|e| panic!("could not {what}: {e}"))
}
