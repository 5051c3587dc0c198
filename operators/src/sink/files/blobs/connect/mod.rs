//! Makes clients of containers and buckets. Nothing comes from the environment, and nothing is sent
//! yet.

mod azure;
mod pages;
mod s3;

use std::time::Duration;

use object_store::{BackoffConfig, ClientOptions, RetryConfig};

pub(super) use self::azure::{NoToken, container};
pub(super) use self::pages::IsPage;
pub(super) use self::s3::{NoKey, bucket};

/// The timeout of a request: enough to upload a part at 140 kB/s.
const REQUEST: Duration = Duration::from_secs(60);
/// The timeout of making a connection, after which it is tried again.
const CONNECT: Duration = Duration::from_secs(5);
/// Retries end at whichever bound is reached first. The protocol, which knows what is at stake,
/// takes over from there.
const RETRIES: usize = 4;
const RETRYING: Duration = Duration::from_secs(60);
/// The longest pause between two tries.
const PAUSE: Duration = Duration::from_secs(5);

/// How requests are sent. They may be sent in plain text if that `is_plain`.
fn options(is_plain: bool) -> ClientOptions {
    ClientOptions::new().with_timeout(REQUEST).with_connect_timeout(CONNECT).with_allow_http(is_plain)
}

/// How requests are sent again.
fn retry() -> RetryConfig {
    RetryConfig {
        backoff: BackoffConfig { max_backoff: PAUSE, ..BackoffConfig::default() },
        max_retries: RETRIES,
        retry_timeout: RETRYING,
    }
}
