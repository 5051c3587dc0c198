//! Where rows come from. Each source is a folder: what it hands out ([`Supply`]), how it is looked
//! at ([`Feed`]), how its work is read ([`Reader`]), and what it is told once every group holds
//! something ([`Acknowledge`]).
//!
//! [`Supply`]: crate::protocol::supply::Supply
//! [`Feed`]: crate::plan::Feed
//! [`Reader`]: crate::fetch::Reader
//! [`Acknowledge`]: crate::acknowledge::Acknowledge

pub mod files;
#[cfg(feature = "kafka")]
pub mod kafka;
pub mod postgres;
