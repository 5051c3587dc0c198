//! The identities of topics: the id that a cluster gives to a topic when it is created, which no
//! other topic ever has (KIP-516). `rd_kafka_DescribeTopics` asks for it with a metadata request
//! that names the topics.

use std::ffi::{CString, c_char, c_int};
use std::ptr;
use std::time::Duration;

use rdkafka::bindings::{self as rd, rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBETOPICS};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::RDKafkaErrorCode;

use super::{error_of, words};
use crate::kafka::context::Context;

// As in `rdkafka`'s bindings, but for the error, which there is an enum.
unsafe extern "C" {
    fn rd_kafka_event_error(event: *mut rd::rd_kafka_event_t) -> c_int;
    fn rd_kafka_error_code(error: *const rd::rd_kafka_error_t) -> c_int;
}

/// A topic, as its cluster describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Described {
    pub(crate) name: String,
    /// Its id as Kafka's tools show it; empty if the cluster has none for it, as those before 2.8.
    pub(crate) id: String,
    /// Its partitions in order: whether each has a leader.
    pub(crate) partitions: Vec<bool>,
}

/// Why a topic could not be described, in librdkafka's words.
pub(crate) type Refused = (RDKafkaErrorCode, String);

/// Frees what librdkafka has allocated.
struct Owned<T>(*mut T, unsafe extern "C" fn(*mut T));

impl<T> Drop for Owned<T> {
    fn drop(&mut self) {
        if !self.0.is_null() {
            // SAFETY: each is made once, by the constructor that belongs to this destructor.
            unsafe { self.1(self.0) }
        }
    }
}

/// Asks for the topics of these names, and waits for the answer: one for each, in their order.
/// Fails as a whole if no broker answers.
pub(crate) fn describe(
    consumer: &BaseConsumer<Context>,
    names: &[&str],
    patience: Duration,
) -> Result<Vec<Result<Described, Refused>>, Refused> {
    let client = consumer.client().native_ptr();
    let millis = i32::try_from(patience.as_millis()).unwrap_or(i32::MAX);
    let no_name = |_| (RDKafkaErrorCode::InvalidTopic, "a name has a null byte".to_owned());
    let names = names.iter().map(|name| CString::new(*name)).collect::<Result<Vec<CString>, _>>().map_err(no_name)?;
    let mut pointers: Vec<*const c_char> = names.iter().map(|name| name.as_ptr()).collect();
    // SAFETY: the client lives as long as its consumer, and the names live until the request has
    // copied them. The queue is new, so that its only event is the answer, which owns all that is
    // read of it below.
    unsafe {
        let topics = rd::rd_kafka_TopicCollection_of_topic_names(pointers.as_mut_ptr(), pointers.len());
        let topics = Owned(topics, rd::rd_kafka_TopicCollection_destroy);
        let options = rd::rd_kafka_AdminOptions_new(client, RD_KAFKA_ADMIN_OP_DESCRIBETOPICS);
        let options = Owned(options, rd::rd_kafka_AdminOptions_destroy);
        rd::rd_kafka_AdminOptions_set_request_timeout(options.0, millis, ptr::null_mut(), 0);
        let queue = Owned(rd::rd_kafka_queue_new(client), rd::rd_kafka_queue_destroy);
        rd::rd_kafka_DescribeTopics(client, topics.0, options.0, queue.0);
        // The request ends by its own timeout, and then there is an event that says so.
        let event = Owned(rd::rd_kafka_queue_poll(queue.0, millis.saturating_add(1000)), rd::rd_kafka_event_destroy);
        if event.0.is_null() {
            return Err((RDKafkaErrorCode::OperationTimedOut, String::new()));
        }
        if let Some(code) = error_of(rd_kafka_event_error(event.0)) {
            return Err((code, words(rd::rd_kafka_event_error_string(event.0))));
        }
        let result = rd::rd_kafka_event_DescribeTopics_result(event.0);
        if result.is_null() {
            return Err((RDKafkaErrorCode::Fail, "the answer is of another kind".to_owned()));
        }
        let mut count = 0;
        let first = rd::rd_kafka_DescribeTopics_result_topics(result, &mut count);
        // A broker may leave topics out: then there is a null in their place, or nothing.
        let topic = |at| if at < count { *first.add(at) } else { ptr::null() };
        Ok((0..names.len()).map(|at| described(topic(at))).collect())
    }
}

/// One topic of an answer.
///
/// # Safety
/// It is null, or points into an answer that lives while this runs.
unsafe fn described(topic: *const rd::rd_kafka_TopicDescription_t) -> Result<Described, Refused> {
    if topic.is_null() {
        return Err((RDKafkaErrorCode::UnknownTopicOrPartition, "the answer leaves it out".to_owned()));
    }
    // SAFETY: all of it is part of the answer.
    unsafe {
        let error = rd::rd_kafka_TopicDescription_error(topic);
        if !error.is_null()
            && let Some(code) = error_of(rd_kafka_error_code(error))
        {
            return Err((code, words(rd::rd_kafka_error_string(error))));
        }
        let id = rd::rd_kafka_TopicDescription_topic_id(topic);
        let is_none = id.is_null()
            || (rd::rd_kafka_Uuid_most_significant_bits(id), rd::rd_kafka_Uuid_least_significant_bits(id)) == (0, 0);
        let id = if is_none { String::new() } else { words(rd::rd_kafka_Uuid_base64str(id)) };
        let mut count = 0;
        let first = rd::rd_kafka_TopicDescription_partitions(topic, &mut count);
        let has_leader = |at| !rd::rd_kafka_TopicPartitionInfo_leader(*first.add(at)).is_null();
        let name = words(rd::rd_kafka_TopicDescription_name(topic));
        Ok(Described { name, id, partitions: (0..count).map(has_leader).collect() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_that_an_answer_leaves_out_is_not_there() {
        // SAFETY: null is allowed.
        let refused = unsafe { described(ptr::null()) };
        assert_eq!(refused.expect_err("no topic").0, RDKafkaErrorCode::UnknownTopicOrPartition);
    }
}
