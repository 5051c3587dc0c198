//! What a pipeline does with its settings and in a rough world: rewritten files, huge lines, other
//! writers, disks that fill up.

#[path = "../support/mod.rs"]
mod support;

mod aged;
mod bounds;
mod replaced;
mod rotation;
mod settings;
mod source;
mod space;
mod strays;
mod vanished;
mod world;
