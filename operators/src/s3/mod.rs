//! Buckets of S3, and of stores that speak its protocol: where a bucket is, and the credential that
//! opens it. A sink writes tables into it.
//!
//! Promises: no `Debug` output contains a secret, and a refusal is a fixed text. Leaves to others:
//! where the values come from, and connections (`sink/files/blobs/`).

pub mod address;
pub(crate) mod keys;
pub mod service;

use std::fmt;

use url::Url;

use crate::secret::Secret;

/// A bucket, how it is reached, and its credential.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bucket {
    /// Its name.
    pub name: String,
    /// Where requests for it go, without a trailing slash: `https://NAME.s3.REGION.amazonaws.com`,
    /// or `https://HOST/NAME` in path style. [`service::bucket`] makes it.
    pub url: String,
    /// The region that requests are signed for.
    pub region: String,
    /// The credential that opens it.
    pub credential: Credential,
}

/// What opens a bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credential {
    /// An access key.
    Key {
        /// Its id.
        id: Secret,
        /// Its secret part.
        secret: Secret,
        /// The token that belongs to a temporary key.
        token: Option<Secret>,
    },
    /// The token of a Kubernetes service account, which a token service exchanges for a key.
    WebIdentity {
        /// A file with the token.
        token_file: String,
        /// The role that the key is for.
        role_arn: String,
        /// A name for the session in the service's own logs.
        session_name: Option<String>,
        /// The token service; `None` means AWS's in the bucket's region.
        service: Option<Url>,
    },
    /// A key of the container's role, from its host.
    Container {
        /// The path at the host's address for such requests.
        path: String,
    },
    /// A key of the pod's role, from an agent on its machine.
    Pod {
        /// The agent.
        agent: Url,
        /// A file with the token that the agent asks for.
        token_file: String,
    },
    /// A key of the machine's role, from the metadata of the instance.
    Instance {
        /// The metadata service; `None` means the usual address.
        service: Option<Url>,
    },
}

impl Credential {
    /// A description for people.
    pub fn describe(&self) -> &'static str {
        match self {
            Credential::Key { token: None, .. } => "an access key",
            Credential::Key { token: Some(_), .. } => "an access key with a session token",
            Credential::WebIdentity { .. } => "a web identity token",
            Credential::Container { .. } => "the role of the container",
            Credential::Pod { .. } => "the role of the pod",
            Credential::Instance { .. } => "the role of the machine",
        }
    }
}

/// An object, or a prefix of objects, in a bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location {
    /// The bucket.
    pub bucket: Bucket,
    /// The prefix, without slashes at its ends; empty for the bucket itself.
    pub path: String,
}

impl fmt::Display for Location {
    /// The location's identity. It names no endpoint, because one bucket can be reached in several
    /// ways.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s3://{}/{}", self.bucket.name, self.path)
    }
}
