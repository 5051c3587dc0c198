//! Files of a lake, wherever they are: on a local disk, as blobs of an Azure container, or as
//! objects of a bucket of S3.
//!
//! A file is created whole and durable or not at all, and never overwritten, so creating one is a
//! conditional write on which a sink can build its commits. Nothing here knows what the files hold.

mod blobs;
pub(super) mod disk;
mod place;
pub(super) mod scratch;

pub use blobs::{Blobs, UPLOADS};
pub use place::Place;
pub(super) use place::blocking;
