//! Lists what is in a container, with as few requests as possible.

use std::collections::BTreeSet;

use azure_core::http::{Etag, Response};
use azure_storage_blob::models::{
    BlobClientGetPropertiesOptions, BlobClientGetPropertiesResultHeaders, BlobContainerClientListBlobsOptions,
    BlobItem, ListBlobsResponse,
};
use futures::TryStreamExt;

use super::failure::Failure;
use super::hours::Hours;
use super::names::Named;
use super::{AzureSource, created, millis, revision};
use crate::azure::client;
use crate::error::StoreError;
use crate::source::files::{Listed, Listing, PassedOver, Why};

/// What earlier listings have shown.
#[derive(Default)]
pub(super) struct Known {
    /// The one blob that the path names, as it was last seen.
    pub(super) single: Option<Listed>,
    /// The parts of names before the hour folders.
    heads: BTreeSet<String>,
    /// How many requests the last listing of all blobs took.
    pages: usize,
    /// When that listing began, on the steady clock.
    whole_at_ms: u64,
    /// A listing that `list` has not returned yet.
    pub(super) looked: Option<Listing>,
}

/// One page of a listing.
struct Page {
    blobs: Vec<BlobItem>,
    next: Option<String>,
    at_ms: Option<u64>,
}

/// The cost and time of a listing.
struct Took {
    /// How many requests it took.
    pages: usize,
    /// The service's clock at the first of them.
    at_ms: Option<u64>,
}

impl AzureSource {
    /// Lists what the source's path names.
    pub(super) async fn look_around(&self) -> Result<Listing, StoreError> {
        let single = self.known().single.clone();
        if let Some(before) = single {
            let now = self.changed(&before).await?;
            let files: Vec<Listed> = now.into_iter().collect();
            if let Some(now) = files.first() {
                self.known().single = Some(now.clone());
            }
            return Ok(Listing { files, whole: true, ..Listing::default() });
        }
        match self.recent_folders() {
            Some(folders) => self.list_folders(folders).await,
            None => self.list_all().await,
        }
    }

    /// All blobs, page by page.
    async fn list_all(&self) -> Result<Listing, StoreError> {
        let began_ms = self.clock.steady_ms();
        let (mut files, mut single, mut heads) = (Vec::new(), None, BTreeSet::new());
        let mut passed_over = Vec::new();
        let hours = self.how.hour_folders.as_deref().map(Hours::new);
        let each = |blob: &BlobItem| {
            let name = blob.name.as_deref().unwrap_or_default();
            let Some(named) = self.names.name(name) else { return };
            if self.names.is_temporary(&named) {
                passed_over.push(temporary(named));
                return;
            }
            if let Some(head) = hours.as_ref().and_then(|hours| hours.head(name)).filter(|head| !heads.contains(*head))
            {
                heads.insert(head.to_owned());
            }
            let file = listed(&named, blob);
            match named {
                // In an account with real folders, a folder is listed as an empty blob; what is
                // below it counts.
                Named::Single(_) if file.length == 0 => {}
                Named::Single(_) => single = Some(file),
                Named::Below(_) => files.push(file),
            }
        };
        let Took { pages, at_ms } = self.list_below(self.names.prefix(), each).await?;
        if single.is_some() && !files.is_empty() {
            return Err(StoreError::definite(
                format!("list {}", self.identity),
                "it is a blob and a folder: end source.url with a slash to read the folder",
            ));
        }
        files.extend(single.clone());
        *self.known() = Known { single, heads, pages, whole_at_ms: began_ms, looked: None };
        Ok(Listing { files, whole: true, at_ms, passed_over })
    }

    /// The folders of the last hours, if listing them is cheaper than listing all blobs, and all
    /// were listed a short while ago.
    fn recent_folders(&self) -> Option<Vec<String>> {
        let hours = Hours::new(self.how.hour_folders.as_deref()?);
        let (known, now_ms) = (self.known(), self.clock.now_ms());
        let relist_ms = u64::try_from(self.how.relist.as_millis()).unwrap_or(u64::MAX);
        let recent = hours.recent(now_ms);
        let folders: Vec<_> =
            known.heads.iter().flat_map(|head| recent.iter().map(move |hour| format!("{head}{hour}"))).collect();
        let due = self.clock.steady_ms().saturating_sub(known.whole_at_ms) >= relist_ms;
        (!due && !folders.is_empty() && folders.len() < known.pages).then_some(folders)
    }

    async fn list_folders(&self, folders: Vec<String>) -> Result<Listing, StoreError> {
        let (mut files, mut passed_over) = (Vec::new(), Vec::new());
        for folder in folders {
            let each = |blob: &BlobItem| match self.names.name(blob.name.as_deref().unwrap_or_default()) {
                Some(named) if self.names.is_temporary(&named) => passed_over.push(temporary(named)),
                Some(named) => files.push(listed(&named, blob)),
                None => {}
            };
            self.list_below(&folder, each).await?;
        }
        Ok(Listing { files, passed_over, ..Listing::default() })
    }

    /// Whether there is nothing to read. The listing made for this answers the next call of `list`,
    /// so that a start does not ask the service twice.
    pub(super) async fn has_nothing(&self) -> Result<bool, StoreError> {
        let listing = self.look_around().await?;
        let nothing = listing.files.is_empty();
        self.known().looked = Some(listing);
        Ok(nothing)
    }

    /// Passes the blobs whose names begin with `prefix` to `each`. Only one page is held in memory
    /// in the form that the service sends, because that takes several times what is kept of it.
    async fn list_below(&self, prefix: &str, mut each: impl FnMut(&BlobItem)) -> Result<Took, StoreError> {
        let (mut pages, mut at_ms, mut next) = (0, None, None);
        loop {
            let mut tries = self.retries.begin(format!("list {} below {prefix:?}", self.identity));
            let page = loop {
                match self.retries.timely(self.page(prefix, next.clone())).await {
                    Ok(page) => break page,
                    Err(failure) => tries.after(failure).await?,
                }
            };
            pages += 1;
            at_ms = at_ms.or(page.at_ms);
            page.blobs.iter().for_each(&mut each);
            next = page.next.filter(|next| !next.is_empty());
            if next.is_none() {
                return Ok(Took { pages, at_ms });
            }
        }
    }

    async fn page(&self, prefix: &str, marker: Option<String>) -> Result<Page, Failure> {
        let options = BlobContainerClientListBlobsOptions {
            prefix: (!prefix.is_empty()).then(|| prefix.to_owned()),
            marker,
            maxresults: i32::try_from(self.how.page).ok(),
            ..Default::default()
        };
        let pager = self.container.list_blobs(Some(options)).map_err(|e| Failure::of(&e))?;
        let answer: Option<Response<ListBlobsResponse, _>> =
            pager.into_pages().try_next().await.map_err(|e| Failure::of(&e))?;
        let answer = answer.ok_or_else(|| Failure::passing("the service sent no page"))?;
        let at_ms = client::clock_ms(answer.headers());
        // An answer that was cut off is not valid XML.
        let page = answer.into_model().map_err(|e| Failure::passing(format!("the page cannot be read: {e}")))?;
        Ok(Page { blobs: page.blob_items, next: page.next_marker, at_ms })
    }

    /// The single blob as it is now; `None` if it is gone. The answer is short if the blob did not
    /// change.
    async fn changed(&self, before: &Listed) -> Result<Option<Listed>, StoreError> {
        let mut tries = self.retries.begin(format!("look at {}", self.identity));
        loop {
            let if_none_match = (!before.revision.is_empty()).then(|| Etag::from(format!("\"{}\"", before.revision)));
            match self.retries.timely(self.head(&before.name, if_none_match)).await {
                Ok(now) => return Ok(Some(now)),
                Err(Failure::NotModified) => return Ok(Some(before.clone())),
                Err(Failure::Missing(_)) => return Ok(None),
                Err(failure) => tries.after(failure).await?,
            }
        }
    }

    /// A blob as it is now; `None` if it does not exist.
    pub(super) async fn properties(&self, name: &str) -> Result<Option<Listed>, StoreError> {
        let mut tries = self.retries.begin(format!("look at {name:?} in {}", self.identity));
        loop {
            match self.retries.timely(self.head(name, None)).await {
                Ok(now) => return Ok(Some(now)),
                Err(Failure::Missing(_)) => return Ok(None),
                Err(failure) => tries.after(failure).await?,
            }
        }
    }

    async fn head(&self, name: &str, if_none_match: Option<Etag>) -> Result<Listed, Failure> {
        let options = BlobClientGetPropertiesOptions { if_none_match, ..Default::default() };
        let answer = self.blob(name).get_properties(Some(options)).await.map_err(|e| Failure::of(&e))?;
        let headers = || -> azure_core::Result<Listed> {
            Ok(Listed {
                name: name.to_owned(),
                created: created(answer.creation_time()?),
                length: answer.content_length()?.unwrap_or_default(),
                revision: revision(answer.etag()?.as_ref()),
                modified_ms: answer.last_modified()?.map(millis),
            })
        };
        headers().map_err(|e| Failure::of(&e))
    }
}

fn listed(named: &Named, blob: &BlobItem) -> Listed {
    let (Named::Single(name) | Named::Below(name)) = named;
    let properties = blob.properties.as_ref();
    Listed {
        name: name.clone(),
        created: created(properties.and_then(|p| p.creation_time)),
        length: properties.and_then(|p| p.content_length).unwrap_or_default(),
        revision: revision(properties.and_then(|p| p.etag.as_ref())),
        modified_ms: properties.and_then(|p| p.last_modified).map(millis),
    }
}

fn temporary(named: Named) -> PassedOver {
    let (Named::Single(name) | Named::Below(name)) = named;
    PassedOver { name, why: Why::Temporary }
}
