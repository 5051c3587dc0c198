//! Where a partition is being read: its queue, and what has come of it.
//!
//! Promises: a record is given to one read, in order; whatever goes wrong, the queue can be begun
//! anew where the records end that were given.

use std::sync::Arc;
use std::time::Duration;

use rdkafka::error::RDKafkaErrorCode;

use super::records::{Records, bytes_of};
use crate::error::StoreError;
use crate::kafka::client::Client;
use crate::kafka::failure::{Outcome, told};
use crate::kafka::native::queue::{Given, Queue};
use crate::run::clock::Stopwatch;

/// How long a read waits for a queue before it looks around.
const SLICE: Duration = Duration::from_millis(100);
/// How many records are asked for while nobody knows how large they are.
const FIRST: u64 = 16;

/// A partition that is being read.
pub(super) struct Cursor {
    queue: Queue,
    client: Arc<Client>,
    topic: String,
    partition: i32,
    /// Where the last read has ended; `None` while one is under way, so that nobody goes on from
    /// the middle of a read that was given up.
    at: Option<u64>,
    come: Come,
}

/// What has come of a partition.
struct Come {
    /// No record below this offset is still to come.
    next: u64,
    /// Records that have come, and belong to later reads.
    ahead: Records,
}

/// How much a block may have.
#[derive(Clone, Copy, Debug)]
pub(super) struct Room {
    /// Its bytes.
    pub(super) bytes: u64,
    /// Whether its first record may be longer than that.
    pub(super) has_turn: bool,
}

/// How a read has gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Went {
    /// All records up to the end of the range are there.
    Whole,
    /// All records up to the end of the block are there, and there is no room for the next.
    Full,
    /// The first record needs more room than the block has.
    Long,
    /// It still waits.
    Waits,
}

/// What a queue has reported, in librdkafka's words.
pub(super) type Trouble = (RDKafkaErrorCode, String);

impl Cursor {
    pub(super) fn open(client: &Arc<Client>, topic: &str, partition: i32, from: u64) -> Result<Cursor, StoreError> {
        let queue = Queue::of(client.consumer.clone(), topic, partition).ok_or_else(|| {
            let attempt = format!("read partition {partition} of topic {topic:?}");
            told(attempt, Outcome::UnknownTopic, "there can be no such partition", "")
        })?;
        client.assign((topic, partition), from)?;
        let come = Come { next: from, ahead: Records::new(topic, partition, from..from) };
        let (client, topic) = (client.clone(), topic.to_owned());
        Ok(Cursor { queue, client, topic, partition, at: None, come })
    }

    /// Goes on at `from`, if the last read has ended there.
    pub(super) fn goes_on(&mut self, from: u64) -> bool {
        self.at.take_if(|at| *at == from).is_some()
    }

    /// The offset below which all that is there was given to reads, as far as `to`.
    pub(super) fn next(&self, to: u64) -> u64 {
        self.come.given_below().min(to)
    }

    /// Reads records up to `to` into `block`, for as long as `patience` and while there is `room`.
    /// The block's offsets then end where it ends.
    ///
    /// The range is whole once a record behind it has come, or the partition was seen to end at
    /// `to` or behind: before that, records may still come, because not every offset has one.
    ///
    /// # Errors
    /// What the queue has reported. Records behind that are not there: the partition must be begun
    /// anew at [`Self::next`].
    pub(super) fn read(
        &mut self,
        block: &mut Records,
        to: u64,
        room: Room,
        patience: Duration,
    ) -> Result<Went, Trouble> {
        let begun = Stopwatch::start();
        let come = &mut self.come;
        loop {
            if let Some(went) = come.take(block, to, room) {
                if matches!(went, Went::Whole | Went::Full) {
                    self.at = Some(block.offsets.end);
                }
                return Ok(went);
            }
            let left = patience.saturating_sub(begun.elapsed());
            if left.is_zero() {
                return Ok(Went::Waits);
            }
            let mut trouble = None;
            self.queue.take(left.min(SLICE), wanted(block, room).min(to - come.next), |given| {
                // What comes behind it in the same batch may lack records.
                if trouble.is_none() {
                    trouble = come.give(given, block, to, room).err();
                }
            });
            if let Some(trouble) = trouble {
                return Err(trouble);
            }
        }
    }
}

impl Drop for Cursor {
    fn drop(&mut self) {
        if let Err(error) = self.client.unassign((&self.topic, self.partition)) {
            tracing::debug!(error = %crate::error::chain(&error), "a partition is still fetched");
        }
    }
}

impl Room {
    fn is_for(self, block: &Records, bytes: u64) -> bool {
        block.bytes().saturating_add(bytes) <= self.bytes || (self.has_turn && block.is_empty())
    }
}

impl Come {
    fn given_below(&self) -> u64 {
        self.ahead.first().unwrap_or(self.next)
    }

    /// Takes what has come ahead. Returns how the read has gone, if nothing more has to come.
    fn take(&mut self, block: &mut Records, to: u64, room: Room) -> Option<Went> {
        block.take_from(&mut self.ahead, to, |block, bytes| room.is_for(block, bytes));
        let (end, went) = match self.ahead.first() {
            Some(_) if block.is_empty() && self.given_below() < to => return Some(Went::Long),
            Some(first) if first < to => (first, Went::Full),
            _ if self.next >= to => (to, Went::Whole),
            _ => return None,
        };
        block.offsets.end = end;
        Some(went)
    }

    /// Takes what a queue gives.
    fn give(&mut self, given: Given<'_>, block: &mut Records, to: u64, room: Room) -> Result<(), Trouble> {
        match given {
            Given::Record(message) => {
                // A block of records is fetched whole: what is before `next` was read already.
                let Some(offset) = u64::try_from(message.offset).ok().filter(|offset| *offset >= self.next) else {
                    return Ok(());
                };
                let is_next = offset < to && self.ahead.is_empty() && room.is_for(block, bytes_of(&message));
                if is_next { block } else { &mut self.ahead }.push(offset, &message);
                self.next = offset + 1;
            }
            Given::End { offset } => self.next = self.next.max(u64::try_from(offset).unwrap_or_default()),
            Given::Failed { code, words } => return Err((code, words)),
        }
        Ok(())
    }
}

/// About how many more records there is room for, by those that are there.
fn wanted(block: &Records, room: Room) -> u64 {
    match block.bytes().checked_div(block.len() as u64) {
        Some(size) => room.bytes.saturating_sub(block.bytes()) / size.max(1) + 1,
        None => FIRST,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kafka::native::queue::Message;

    const ALL: Room = Room { bytes: u64::MAX, has_turn: false };

    fn come(next: u64) -> Come {
        Come { next, ahead: Records::new("t", 0, next..next) }
    }

    fn block(from: u64, to: u64) -> Records {
        Records::new("t", 0, from..to)
    }

    fn message(offset: i64, value: &[u8]) -> Given<'_> {
        Given::Record(Message { offset, value: Some(value), ..Message::default() })
    }

    fn failed() -> Given<'static> {
        Given::Failed { code: RDKafkaErrorCode::BadMessage, words: "damaged".to_owned() }
    }

    fn offsets(block: &Records) -> Vec<u64> {
        block.iter().map(|record| record.offset()).collect()
    }

    #[test]
    fn after_a_failure_nothing_is_left_out_that_was_read_ahead() {
        // Offsets 8 and 9 were compacted away, and an error comes right behind the record at 12.
        let (mut come, mut block) = (come(0), block(0, 10));
        for at in [7, 12] {
            come.give(message(at, b"v"), &mut block, 10, ALL).expect("a record");
        }
        come.give(failed(), &mut block, 10, ALL).expect_err("the error");
        assert_eq!((offsets(&block), come.next), (vec![7], 13));
        assert_eq!(come.given_below(), 12, "it is read again, because the cursor is dropped with it");
        assert_eq!(come.given_below().min(10), 10, "and never from behind the range");
        assert_eq!(come.take(&mut block, 10, ALL), Some(Went::Whole));
    }

    #[test]
    fn a_record_that_has_no_room_is_the_first_of_the_next_block() {
        let value = [b'v'; 100];
        let size = bytes_of(&Message { value: Some(&value), ..Message::default() });
        let (mut come, mut first, room) = (come(3), block(3, 10), Room { bytes: 2 * size, has_turn: false });
        for at in 3..7 {
            come.give(message(at, &value), &mut first, 10, room).expect("a record");
        }
        assert_eq!(come.take(&mut first, 10, room), Some(Went::Full));
        assert_eq!((offsets(&first), first.offsets.clone(), come.given_below()), (vec![3, 4], 3..5, 5));
        // Nothing goes past those that wait.
        come.give(message(7, b""), &mut first, 10, room).expect("a record");
        assert_eq!(offsets(&first), [3, 4]);
        let mut second = block(5, 10);
        assert_eq!(come.take(&mut second, 10, room), Some(Went::Full));
        assert_eq!((offsets(&second), second.offsets.clone()), (vec![5, 6], 5..7));
        let mut third = block(7, 10);
        assert_eq!(come.take(&mut third, 10, room), None, "more may come");
        come.give(Given::End { offset: 10 }, &mut third, 10, room).expect("the end");
        assert_eq!(come.take(&mut third, 10, room), Some(Went::Whole));
        assert_eq!((offsets(&third), third.offsets.clone()), (vec![7], 7..10));
    }

    #[test]
    fn a_long_record_is_taken_alone_by_who_has_the_turn() {
        let value = [b'v'; 1000];
        let (mut come, mut block, room) = (come(0), block(0, 9), Room { bytes: 500, has_turn: false });
        for at in [2, 3] {
            come.give(message(at, &value), &mut block, 9, room).expect("a record");
        }
        assert_eq!(come.take(&mut block, 9, room), Some(Went::Long));
        assert!(block.is_empty());
        assert_eq!(come.take(&mut block, 9, Room { has_turn: true, ..room }), Some(Went::Full));
        assert_eq!((offsets(&block), block.offsets), (vec![2], 0..3));
    }

    #[test]
    fn about_as_many_are_asked_for_as_there_is_room_for() {
        let mut block = block(0, 100);
        let size = bytes_of(&Message { value: Some(b"v"), ..Message::default() });
        let room = Room { bytes: 10 * size, has_turn: false };
        assert_eq!(wanted(&block, room), FIRST);
        block.push(0, &Message { value: Some(b"v"), ..Message::default() });
        assert_eq!(wanted(&block, room), 10);
    }
}
