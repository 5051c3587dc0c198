//! Tables on a disk are changed at random, by one shard or several, beside others that rewrite
//! files; after every commit the table is what a plain model has, and so is what its change feed
//! adds up to.

mod feed;
mod foreign;
mod large;
mod model;
mod plain;
mod returns;
mod rivals;
mod truncated;
mod workload;
mod world;

pub(super) use self::feed::Folded;
pub(super) use self::model::{Change, Row, changes};
pub(super) use self::world::World;
pub(super) use super::{Operation, Order};
