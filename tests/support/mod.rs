//! What the end-to-end tests share: a pipeline in its own folder, the real binary as a process,
//! lines as servers write them, a judge that shares no code with lakefront, a blob service and
//! buckets of S3 with their faults, and PostgreSQL, with certificates and a pooler of its own, and
//! a DuckDB that reads lakes.

#![allow(dead_code, unused_imports, reason = "each test binary uses its own part")]

pub(crate) mod azurite;
pub(crate) mod blobs;
pub(crate) mod bucket;
pub(crate) mod certificates;
pub(crate) mod connect;
pub(crate) mod crashes;
pub(crate) mod daemon;
pub(crate) mod duck;
pub(crate) mod gateway;
pub(crate) mod http;
pub(crate) mod java;
pub(crate) mod kafka;
pub(crate) mod lines;
pub(crate) mod mounted;
pub(crate) mod npm;
pub(crate) mod oracle;
pub(crate) mod pipeline;
pub(crate) mod pooler;
pub(crate) mod postgres;
pub(crate) mod process;
pub(crate) mod promtext;
pub(crate) mod proxy;
pub(crate) mod random;
pub(crate) mod readers;
pub(crate) mod registry;
pub(crate) mod venv;
pub(crate) mod wait;

pub(crate) use azurite::Azurite;
pub(crate) use blobs::Container;
pub(crate) use bucket::Bucket;
pub(crate) use gateway::Gateway;
pub(crate) use lines::Lines;
pub(crate) use mounted::Mounted;
pub(crate) use pipeline::Pipeline;
pub(crate) use process::{Ended, Running};
pub(crate) use proxy::Proxy;
pub(crate) use random::Random;
