//! lakefront-operators
pub mod error;
pub mod offsets;
pub mod position;
pub mod protocol;
pub mod record;
pub mod settings;
