//! The queue of one partition: its records in order, and where it ends.
//!
//! `rdkafka` has such a queue too, but leaves out at which offset a partition ended, without which
//! nobody can tell that a range of offsets has no more records; and it panics at a header whose
//! name is not UTF-8.

use std::ffi::{CStr, CString};
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;
use std::{ptr, slice};

use rdkafka::bindings as rd;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{IsError, RDKafkaErrorCode};
use rdkafka::types::RDKafkaMessage;

use super::words;
use crate::kafka::context::Context;

/// The most records that are taken from a queue at once.
const BATCH: usize = 1000;

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
    /// Something went wrong, in librdkafka's words. It may have gone on by itself.
    Failed {
        code: RDKafkaErrorCode,
        words: String,
    },
}

/// A record, as long as its batch is there.
pub(crate) struct Message<'a> {
    raw: *mut RDKafkaMessage,
    batch: PhantomData<&'a RDKafkaMessage>,
}

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
        let raw = unsafe { &*message.0 };
        each(match raw.err {
            rd::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR__PARTITION_EOF => Given::End { offset: raw.offset },
            code if code.is_error() => {
                // SAFETY: the text is the message's own.
                let words = unsafe { words(rd::rd_kafka_message_errstr(raw)) };
                Given::Failed { code: code.into(), words }
            }
            _ => Given::Record(Message { raw: message.0, batch: PhantomData }),
        });
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        // SAFETY: it was made once, by `of`, and the consumer is still there.
        unsafe { rd::rd_kafka_queue_destroy(self.queue) };
    }
}

impl<'a> Message<'a> {
    fn fields(&self) -> &'a RDKafkaMessage {
        // SAFETY: a message is made only of one that lives as long as its lifetime says.
        unsafe { &*self.raw }
    }

    /// Its offset in the partition.
    pub(crate) fn offset(&self) -> i64 {
        self.fields().offset
    }

    /// Its key.
    pub(crate) fn key(&self) -> Option<&'a [u8]> {
        // SAFETY: librdkafka says that there are so many bytes, for as long as the message lives.
        unsafe { bytes(self.fields().key.cast(), self.fields().key_len) }
    }

    /// Its value.
    pub(crate) fn value(&self) -> Option<&'a [u8]> {
        // SAFETY: as for the key.
        unsafe { bytes(self.fields().payload.cast(), self.fields().len) }
    }

    /// When it was written, in milliseconds since 1970, by whichever clock the topic takes it from.
    pub(crate) fn timestamp_ms(&self) -> Option<i64> {
        let mut kind = rd::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
        // SAFETY: the message lives, and the kind is ours.
        let timestamp = unsafe { rd::rd_kafka_message_timestamp(self.raw, &mut kind) };
        let is_there = kind != rd::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
        is_there.then_some(timestamp)
    }

    /// Its headers in order, each a name and perhaps a value. A name ends at its first null byte.
    pub(crate) fn headers(&self, mut each: impl FnMut(&'a [u8], Option<&'a [u8]>)) {
        let mut headers = ptr::null_mut();
        // SAFETY: the message lives; its headers are parsed once, and are its own.
        let found = unsafe { rd::rd_kafka_message_headers(self.raw, &mut headers) };
        if found.is_error() || headers.is_null() {
            return;
        }
        for at in 0.. {
            let (mut name, mut value, mut length) = (ptr::null(), ptr::null(), 0);
            // SAFETY: the headers live as long as the message, and the places are ours.
            let got = unsafe { rd::rd_kafka_header_get_all(headers, at, &mut name, &mut value, &mut length) };
            if got.is_error() || name.is_null() {
                return;
            }
            // SAFETY: the name ends with a null byte, and both live as long as the message.
            unsafe { each(CStr::from_ptr(name).to_bytes(), bytes(value.cast(), length)) };
        }
    }
}

/// So many bytes; `None` at a null pointer.
///
/// # Safety
/// They are there, and stay for this lifetime.
unsafe fn bytes<'a>(first: *const u8, length: usize) -> Option<&'a [u8]> {
    // SAFETY: as the caller promises.
    (!first.is_null()).then(|| unsafe { slice::from_raw_parts(first, length) })
}
