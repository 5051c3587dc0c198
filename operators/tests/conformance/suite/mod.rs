//! The stories that every sink must pass, by topic.

pub(crate) mod claim;
pub(crate) mod commits;
pub(crate) mod foreign;
pub(crate) mod offsets;
pub(crate) mod rivals;
