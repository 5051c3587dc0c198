//! What the end-to-end tests share: a pipeline in a folder of its own, the real binary as a process, lines as servers write
//! them, and a judge that shares no code with lakefront.

#![allow(dead_code, reason = "each test binary uses its own part")]

pub(crate) mod lines;
pub(crate) mod oracle;
pub(crate) mod pipeline;
pub(crate) mod process;
pub(crate) mod random;
pub(crate) mod wait;

pub(crate) use lines::Lines;
pub(crate) use pipeline::Pipeline;
pub(crate) use process::{Ended, Running};
pub(crate) use random::Random;
