//! What the bytes of a source mean, and the rows that they become.

pub mod avro;
pub mod copy;
pub mod debezium;
pub mod logs;
