//! A pipeline with its own container as the source, seen through its own proxy, and what the oracle
//! needs to judge it.

use std::ops::Sub;

use serde_json::Value;

use crate::support::blobs::connection_string;
use crate::support::proxy::Kind;
use crate::support::{Container, Pipeline, Proxy};

/// The folder that is read, unless a test says otherwise.
const BELOW: &str = "logs/";

/// The pipeline, its container, and the proxy between them.
pub(crate) struct World {
    pub(crate) pipeline: Pipeline,
    pub(crate) container: Container,
    pub(crate) proxy: Proxy,
}

/// How many requests there were.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Requests {
    pub(crate) lists: usize,
    pub(crate) reads: usize,
    pub(crate) heads: usize,
}

impl Requests {
    pub(crate) fn all(self) -> usize {
        self.lists + self.reads + self.heads
    }
}

impl Sub for Requests {
    type Output = Requests;

    fn sub(self, before: Requests) -> Requests {
        let Requests { lists, reads, heads } = before;
        Requests { lists: self.lists - lists, reads: self.reads - reads, heads: self.heads - heads }
    }
}

impl World {
    /// Reads everything below a folder of an empty container.
    pub(crate) fn new() -> World {
        World::with_seed(0)
    }

    /// The same, with a seed for the proxy's chances.
    pub(crate) fn with_seed(seed: u64) -> World {
        let (mut pipeline, container, proxy) = (Pipeline::new(), Container::create(), Proxy::start(seed));
        pipeline.set("source", "url", format!("az://{}/{BELOW}", container.name())).set("source", "poll", "20ms");
        pipeline.set("source.azure", "connection_string", connection_string(&proxy.endpoint()));
        // Longer than a busy machine delays an answer: only tests about silence have a shorter
        // timeout.
        pipeline.set("source.retry", "timeout", "10s").set("source.retry", "max_time", "20s");
        pipeline.set("source.retry", "first", "10ms").set("source.retry", "cap", "200ms");
        World { pipeline, container, proxy }
    }

    /// Sets the part of `source.url` after the container.
    pub(crate) fn read_from(&mut self, path: &str) -> &mut Self {
        self.pipeline.set("source", "url", format!("az://{}/{path}", self.container.name()));
        self
    }

    /// Writes an append blob below the folder.
    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        self.container.write(&below(name), content);
    }

    pub(crate) fn append(&self, name: &str, content: impl AsRef<[u8]>) {
        self.container.append(&below(name), content);
    }

    pub(crate) fn recreate(&self, name: &str, content: impl AsRef<[u8]>) {
        self.container.recreate(&below(name), content);
    }

    /// Writes a block blob below the folder.
    pub(crate) fn put(&self, name: &str, content: impl AsRef<[u8]>) {
        self.container.put(&below(name), content);
    }

    /// Deletes a blob; the oracle goes on judging its rows by what it held.
    pub(crate) fn delete(&self, name: &str) {
        self.pipeline.write(name, self.container.read(&below(name)));
        self.container.delete(&below(name));
    }

    /// The requests so far.
    pub(crate) fn requests(&self) -> Requests {
        let count = |kind| self.proxy.count(|seen| seen.kind == kind);
        let requests = Requests { lists: count(Kind::List), reads: count(Kind::Read), heads: count(Kind::Head) };
        assert_eq!(requests.all(), self.proxy.count(|_| true), "a source only lists, reads and looks");
        requests
    }

    /// The tables hold the folder's blobs exactly, deleted ones included. Returns what the oracle
    /// says.
    #[track_caller]
    pub(crate) fn is_exact(&self) -> String {
        self.is_exact_with(&[])
    }

    /// The same, with more arguments for the oracle.
    #[track_caller]
    pub(crate) fn is_exact_with(&self, more: &[&str]) -> String {
        self.mirror(BELOW, |name| name.strip_prefix(BELOW).map(str::to_owned));
        self.pipeline.is_exact_with(more)
    }

    /// Copies blobs to where the oracle reads, each under its name in the source.
    pub(crate) fn mirror(&self, prefix: &str, name: impl Fn(&str) -> Option<String>) {
        for blob in self.container.list(prefix) {
            if let Some(name) = name(&blob.name) {
                self.pipeline.write(&name, self.container.read(&blob.name));
            }
        }
    }

    /// The partitions in the state file.
    pub(crate) fn partitions(&self) -> Vec<Value> {
        let partitions = self.pipeline.state().map(|state| state["offsets"]["partitions"].clone());
        partitions.and_then(|partitions| partitions.as_array().cloned()).unwrap_or_default()
    }

    /// The size of the source.
    pub(crate) fn bytes(&self) -> u64 {
        self.container.list(BELOW).iter().map(|blob| blob.length).sum()
    }
}

/// A blob's name in the container.
pub(crate) fn below(name: &str) -> String {
    format!("{BELOW}{name}")
}
