//! What librdkafka has and the crate `rdkafka` does not wrap: the identities of topics, the queue
//! of one partition with the offset of its end, and headers whose names are any bytes.
//!
//! Promises: this folder alone has `unsafe` for Kafka, and its types are safe: each owns what it
//! frees, borrows what it points into, and keeps the client alive that it belongs to. Inputs are
//! hostile: nothing of a record is taken for UTF-8.

#![expect(unsafe_code, reason = "rdkafka wraps neither DescribeTopics nor the offset of a partition's end")]

pub(crate) mod queue;
pub(crate) mod topics;

use std::ffi::{CStr, c_char};

/// The text at `text`, which may be null.
///
/// # Safety
/// It is null, or ends with a null byte and lives while this runs.
unsafe fn words(text: *const c_char) -> String {
    match text.is_null() {
        true => String::new(),
        // SAFETY: as the caller promises.
        false => unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned(),
    }
}
