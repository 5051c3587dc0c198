//! The documents are true: what they say is typed works, what they name is there, and nobody needs
//! to scroll sideways to read them.

mod pages;
mod paper;
mod reference;
mod typed;

#[path = "../support/mod.rs"]
mod support;
