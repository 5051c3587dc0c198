//! What librdkafka has and the crate `rdkafka` does not wrap: the identities of topics, the queue
//! of one partition with the offset of its end, and headers whose names are any bytes.
//!
//! Promises: this folder alone has `unsafe` for Kafka, and its types are safe: each owns what it
//! frees, borrows what it points into, and keeps the client alive that it belongs to. Inputs are
//! hostile: nothing of a record is taken for UTF-8.

#![expect(unsafe_code, reason = "rdkafka wraps neither DescribeTopics nor the offset of a partition's end")]

pub(crate) mod queue;
pub(crate) mod topics;

use std::ffi::{CStr, c_char, c_int};

use rdkafka::error::RDKafkaErrorCode;
use rdkafka::types::RDKafkaRespErr;

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

/// The error that a number stands for; `None` if it stands for none. Brokers may send numbers that
/// this build does not know, so none is ever taken for a variant of the enum unseen.
fn error_of(code: c_int) -> Option<RDKafkaErrorCode> {
    match RDKafkaRespErr::try_from(code) {
        Ok(RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR) => None,
        Ok(known) => Some(known.into()),
        Err(_) => Some(RDKafkaErrorCode::Unknown),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_that_is_not_known_is_an_error_all_the_same() {
        assert_eq!(error_of(0), None);
        assert_eq!(error_of(3), Some(RDKafkaErrorCode::UnknownTopicOrPartition));
        assert_eq!(error_of(-191), Some(RDKafkaErrorCode::PartitionEOF));
        for unknown in [30_000, -30_000, c_int::MAX] {
            assert_eq!(error_of(unknown), Some(RDKafkaErrorCode::Unknown));
        }
    }
}
