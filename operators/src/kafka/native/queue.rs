//! The queue of one partition: its records in order, and where it ends.
//!
//! `rdkafka` has such a queue too, but leaves out at which offset a partition ended, without which
//! nobody can tell that a range of offsets has no more records; and it panics at a header whose
//! name is not UTF-8.

use std::ffi::{CStr, CString, c_int};
use std::sync::Arc;
use std::time::Duration;
use std::{ptr, slice};

use rdkafka::bindings as rd;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::types::RDKafkaMessage;

use super::{error_of, words};
use crate::kafka::context::Context;

/// The most records that are taken from a queue at once.
const BATCH: usize = 1000;

// As in `rdkafka`'s bindings, but for the error, which there is an enum.
unsafe extern "C" {
    fn rd_kafka_message_headers(message: *const RDKafkaMessage, headers: *mut *mut rd::rd_kafka_headers_t) -> c_int;
    fn rd_kafka_header_get_all(
        headers: *const rd::rd_kafka_headers_t,
        at: usize,
        name: *mut *const std::ffi::c_char,
        value: *mut *const std::ffi::c_void,
        length: *mut usize,
    ) -> c_int;
}

/// There is nothing of the kind, or no more.
const NONE: c_int = rd::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR__NOENT as c_int;
/// The end of a partition.
const END: c_int = rd::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR__PARTITION_EOF as c_int;

/// The queue of a partition.
pub(crate) struct Queue {
    queue: *mut rd::rd_kafka_queue_t,
    /// Room for one batch; what it holds between calls means nothing.
    batch: Vec<*mut RDKafkaMessage>,
    /// The queue is the client's, which therefore stays until it has gone.
    _consumer: Arc<BaseConsumer<Context>>,
}

// SAFETY: librdkafka's queues may be used from any thread, and the batch is the queue's alone.
unsafe impl Send for Queue {}

/// What a queue gives.
pub(crate) enum Given<'a> {
    Record(Message<'a>),
    /// There is no record from here on, for the time being: those before it were given.
    End {
        offset: i64,
    },
    /// Something went wrong, in librdkafka's words. It may have gone on by itself, behind records
    /// that it does not give.
    Failed {
        code: RDKafkaErrorCode,
        words: String,
    },
}

/// A record, as long as its batch is there.
#[derive(Clone, Debug, Default)]
pub(crate) struct Message<'a> {
    /// Its offset in the partition.
    pub(crate) offset: i64,
    pub(crate) key: Option<&'a [u8]>,
    pub(crate) value: Option<&'a [u8]>,
    /// When it was written, in milliseconds since 1970, by whichever clock the topic takes it from.
    pub(crate) timestamp_ms: Option<i64>,
    /// Its headers in order, each a name and perhaps a value. A name ends at its first null byte.
    pub(crate) headers: Vec<Header<'a>>,
}

/// The name of a header, and its value.
pub(crate) type Header<'a> = (&'a [u8], Option<&'a [u8]>);

impl Queue {
    /// The queue of a partition, apart from that of all others. Must be made before the partition
    /// is assigned, so that no record goes elsewhere. `None` if there can be no such partition.
    pub(crate) fn of(consumer: Arc<BaseConsumer<Context>>, topic: &str, partition: i32) -> Option<Queue> {
        let topic = CString::new(topic).ok()?;
        let client = consumer.client().native_ptr();
        // SAFETY: the client lives, because the consumer does.
        let queue = unsafe { rd::rd_kafka_queue_get_partition(client, topic.as_ptr(), partition) };
        if queue.is_null() {
            return None;
        }
        // SAFETY: the queue was just made. Null means that nothing is forwarded.
        unsafe { rd::rd_kafka_queue_forward(queue, ptr::null_mut()) };
        Some(Queue { queue, batch: vec![ptr::null_mut(); BATCH], _consumer: consumer })
    }

    /// Waits until there is something, but no longer than `patience`, and hands over at most `most`
    /// of it. Returns how many things were given.
    pub(crate) fn take(&mut self, patience: Duration, most: u64, mut each: impl FnMut(Given<'_>)) -> usize {
        let millis = i32::try_from(patience.as_millis()).unwrap_or(i32::MAX);
        // The call waits until the batch is full or the time has passed, so it first asks for one.
        let mut count = self.fill(millis, 1);
        for at in 0..count {
            self.give(at, &mut each);
        }
        if count == 1 {
            let more = self.fill(0, BATCH.min(usize::try_from(most - 1).unwrap_or(BATCH)));
            for at in 0..more {
                self.give(at, &mut each);
            }
            count += more;
        }
        count
    }

    fn fill(&mut self, millis: i32, most: usize) -> usize {
        assert!(most <= self.batch.len(), "librdkafka fills in so many");
        // SAFETY: the queue lives, and the batch has room for `most`.
        let count = unsafe { rd::rd_kafka_consume_batch_queue(self.queue, millis, self.batch.as_mut_ptr(), most) };
        // It is negative only for a queue that cannot be.
        usize::try_from(count).unwrap_or(0)
    }

    /// Hands over what is at this place of the batch, and frees it.
    fn give(&mut self, at: usize, each: &mut impl FnMut(Given<'_>)) {
        /// Frees the message also if the callee panics.
        struct Freed(*mut RDKafkaMessage);
        impl Drop for Freed {
            fn drop(&mut self) {
                // SAFETY: the message was filled in, and is freed once.
                unsafe { rd::rd_kafka_message_destroy(self.0) };
            }
        }
        let message = Freed(self.batch[at]);
        // SAFETY: it was filled in, and lives until it is freed below.
        each(unsafe { given(message.0) });
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        // SAFETY: it was made once, by `of`, and the consumer is still there.
        unsafe { rd::rd_kafka_queue_destroy(self.queue) };
    }
}

/// What a message is.
///
/// # Safety
/// It was filled in by librdkafka, and lives as long as what is returned.
unsafe fn given<'a>(message: *mut RDKafkaMessage) -> Given<'a> {
    // SAFETY: the message lives, and its error has the size of a number.
    let (offset, code) = unsafe { ((*message).offset, (&raw const (*message).err).cast::<c_int>().read()) };
    if code == END {
        return Given::End { offset };
    }
    if let Some(code) = error_of(code) {
        // SAFETY: the text is the message's own.
        return Given::Failed { code, words: unsafe { words(rd::rd_kafka_message_errstr(message)) } };
    }
    // SAFETY: as the caller promises.
    let headers = match unsafe { headers(message) } {
        Ok(headers) => headers,
        Err(code) => {
            return Given::Failed { code, words: format!("the headers of the record at {offset} are damaged") };
        }
    };
    // SAFETY: librdkafka says that there are so many bytes, for as long as the message lives.
    let (key, value) = unsafe {
        let (key, value) = ((*message).key.cast(), (*message).payload.cast());
        (bytes(key, (*message).key_len), bytes(value, (*message).len))
    };
    let mut kind = rd::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
    // SAFETY: the message lives, and the kind is ours.
    let timestamp = unsafe { rd::rd_kafka_message_timestamp(message, &mut kind) };
    let is_known = kind != rd::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
    Given::Record(Message { offset, key, value, timestamp_ms: is_known.then_some(timestamp), headers })
}

/// The headers of a message. That they cannot be read is not that there are none.
///
/// # Safety
/// As for [`given`].
unsafe fn headers<'a>(message: *mut RDKafkaMessage) -> Result<Vec<Header<'a>>, RDKafkaErrorCode> {
    let (mut parsed, mut found) = (ptr::null_mut(), Vec::new());
    // SAFETY: the message lives; its headers are parsed once, and are its own.
    match unsafe { rd_kafka_message_headers(message, &mut parsed) } {
        NONE => return Ok(found),
        code => error_of(code).map_or(Ok(()), Err)?,
    }
    for at in 0.. {
        let (mut name, mut value, mut length) = (ptr::null(), ptr::null(), 0);
        // SAFETY: the headers live as long as the message, and the places are ours.
        match unsafe { rd_kafka_header_get_all(parsed, at, &mut name, &mut value, &mut length) } {
            NONE => break,
            code => error_of(code).map_or(Ok(()), Err)?,
        }
        // SAFETY: the name ends with a null byte, and both live as long as the message.
        found.push(unsafe { (CStr::from_ptr(name).to_bytes(), bytes(value.cast(), length)) });
    }
    Ok(found)
}

/// So many bytes; `None` at a null pointer.
///
/// # Safety
/// They are there, and stay for this lifetime.
unsafe fn bytes<'a>(first: *const u8, length: usize) -> Option<&'a [u8]> {
    // SAFETY: as the caller promises.
    (!first.is_null()).then(|| unsafe { slice::from_raw_parts(first, length) })
}
