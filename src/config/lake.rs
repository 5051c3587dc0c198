//! Where a lake's files lie: a folder on this machine, in Azure or in S3, with what opens it.

use std::path::PathBuf;

use super::azure::{self, Keys};
use super::places::{self, LakeAddress};
use super::raw::Section;
use super::{LakeRoot, s3};

/// Reads `key` of `[lake]`, with `[lake.azure]` and `[lake.s3]`. `source` are the credentials of
/// the source's account; they also hold for the lake if `[lake.azure]` is missing.
pub(super) fn root(
    section: &mut Section<'_>,
    key: &'static str,
    example: &str,
    source: Option<Keys>,
) -> Option<LakeRoot> {
    let place = section.required(key, example, places::lake);
    let mut own = section.section("azure");
    let keys = azure::keys(&mut own, "[lake.azure]");
    own.finish();
    let keys = if section.given("azure") { keys } else { source };
    let mut bucket = section.section("s3");
    let bucket_keys = s3::keys(&mut bucket);
    if matches!(place, Some(LakeAddress::File(_) | LakeAddress::Azure(_))) {
        s3::refuse(&bucket, key);
    }
    bucket.finish();
    match place? {
        LakeAddress::File(path) => Some(LakeRoot::File(PathBuf::from(path))),
        LakeAddress::Azure(address) => {
            azure::located(section, key, &address, keys.as_ref()).map(|location| LakeRoot::Azure(Box::new(location)))
        }
        LakeAddress::S3(address) => {
            s3::located(section, key, &address, bucket_keys).map(|location| LakeRoot::S3(Box::new(location)))
        }
    }
}
