//! Where the rows of a `COPY` go that were taken out of a connection's stream.

use std::future::poll_fn;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

/// The rows of the `COPY` that is under way on one connection.
#[derive(Default)]
pub(super) struct Rows(Mutex<Taking>);

/// What is taken at the moment.
#[derive(Default)]
pub(super) struct Taking {
    /// What was taken; none if nothing is to be.
    bytes: Option<Vec<u8>>,
    /// Nothing more is read once there are so many bytes.
    most: usize,
    /// Whoever reads, if there is no room.
    reads: Option<Waker>,
    /// Whoever waits for there to be no room.
    waits: Option<Waker>,
}

impl Rows {
    pub(super) fn taking(&self) -> MutexGuard<'_, Taking> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on, rows go behind `bytes`, until there are `most` of them or more.
    pub(super) fn begin(&self, bytes: Vec<u8>, most: usize) {
        *self.taking() = Taking { bytes: Some(bytes), most, reads: None, waits: None };
    }

    /// Waits until there is no more room.
    pub(super) async fn full(&self) {
        poll_fn(|cx| {
            let mut taking = self.taking();
            if taking.has_room() {
                taking.waits = Some(cx.waker().clone());
                return Poll::Pending;
            }
            Poll::Ready(())
        })
        .await;
    }

    /// There is room for whatever comes.
    pub(super) fn make_room(&self) {
        let mut taking = self.taking();
        taking.most = usize::MAX;
        if let Some(reads) = taking.reads.take() {
            reads.wake();
        }
    }

    /// What was taken. Nothing is any more.
    pub(super) fn end(&self) -> Vec<u8> {
        let taken = std::mem::take(&mut *self.taking());
        if let Some(reads) = taken.reads {
            reads.wake();
        }
        taken.bytes.unwrap_or_default()
    }
}

impl Taking {
    /// Whether rows are taken.
    pub(super) fn is_wanted(&self) -> bool {
        self.bytes.is_some()
    }

    pub(super) fn take(&mut self, part: &[u8]) {
        if let Some(bytes) = &mut self.bytes {
            bytes.extend_from_slice(part);
        }
    }

    fn has_room(&self) -> bool {
        self.bytes.as_ref().is_none_or(|bytes| bytes.len() < self.most)
    }

    /// Whether there is no room. Then the reader is woken once there is.
    pub(super) fn is_full(&mut self, cx: &Context<'_>) -> bool {
        if self.has_room() {
            return false;
        }
        self.reads = Some(cx.waker().clone());
        if let Some(waits) = self.waits.take() {
            waits.wake();
        }
        true
    }
}
