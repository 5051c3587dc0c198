//! Shapes: what lines hold records in, when a line is not the record itself.
//!
//! | shape | line | opened |
//! |---|---|---|
//! | [`Records`](Shape::Records) | `{"records":[{…},{…}]}`, with nothing beside | each element, with its number in `_item` |
//! | [`Array`](Shape::Array) | `[{…},{…}]` | each element, with its number in `_item` |
//! | [`Listed`](Shape::Listed) | `{…},`, or `[` or `]` alone: an array over many lines | the object; a bracket is nothing |
//! | [`CloudNativePg`](Shape::CloudNativePg) | an object with an object `record` | the object |
//! | [`GoogleCloud`](Shape::GoogleCloud) | an object with an object `jsonPayload`, or a text `textPayload` | the object, or the text if it is one |
//! | [`Docker`](Shape::Docker) | an object with a text `log` and a `stream` | the text, if it is an object |
//! | [`Cri`](Shape::Cri) | `<time> <stream> F {…}` | the object |
//!
//! Wrappers may lie in each other, and in an envelope's elements; an envelope lies in nothing. What stands beside the record is kept in
//! `_rest`, as an unknown key, under its name behind `envelope.`. What cannot be opened exactly is [`Reason::UnknownShape`].
//!
//! [`Reason::UnknownShape`]: crate::record::Reason::UnknownShape

use std::ops::AddAssign;

/// What lines hold records in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Shape {
    /// A batch of Azure's Event Hubs.
    Records,
    /// A JSON array.
    Array,
    /// A line of a JSON array that has an element a line.
    Listed,
    /// The log of an instance manager of CloudNativePG.
    CloudNativePg,
    /// An entry of Google's Cloud Logging.
    GoogleCloud,
    /// Docker's `json-file` log.
    Docker,
    /// The log of a container of Kubernetes.
    Cri,
}

impl Shape {
    /// The list, in the order of the variants.
    pub const ALL: [Shape; 7] = [
        Shape::Records,
        Shape::Array,
        Shape::Listed,
        Shape::CloudNativePg,
        Shape::GoogleCloud,
        Shape::Docker,
        Shape::Cri,
    ];

    /// What a program calls it.
    pub fn as_str(self) -> &'static str {
        match self {
            Shape::Records => "records",
            Shape::Array => "array",
            Shape::Listed => "listed",
            Shape::CloudNativePg => "cloudnativepg",
            Shape::GoogleCloud => "google_cloud",
            Shape::Docker => "docker",
            Shape::Cri => "cri",
        }
    }

    /// What people call many of them.
    pub fn name(self) -> &'static str {
        match self {
            Shape::Records => "Event Hub envelopes",
            Shape::Array => "JSON arrays",
            Shape::Listed => "elements of a JSON array",
            Shape::CloudNativePg => "CloudNativePG records",
            Shape::GoogleCloud => "Google Cloud log entries",
            Shape::Docker => "Docker log entries",
            Shape::Cri => "container log lines (CRI)",
        }
    }

    /// What people call one of them.
    pub fn one(self) -> &'static str {
        match self {
            Shape::Records => "an Event Hub envelope",
            Shape::Array => "a JSON array",
            Shape::Listed => "an element of a JSON array",
            Shape::CloudNativePg => "a CloudNativePG record",
            Shape::GoogleCloud => "a Google Cloud log entry",
            Shape::Docker => "a Docker log entry",
            Shape::Cri => "a container log line (CRI)",
        }
    }

    /// Whether a line has any number of records, and not one.
    pub fn is_envelope(self) -> bool {
        matches!(self, Shape::Records | Shape::Array)
    }
}

/// How often a shape was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// Lines, or elements, of it.
    pub lines: u64,
    /// Records in them.
    pub records: u64,
}

/// How often each shape was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Opened([Count; Shape::ALL.len()]);

impl Opened {
    /// What was opened of a shape.
    pub fn of(&self, shape: Shape) -> Count {
        self.0[shape as usize]
    }

    /// Whether nothing was opened.
    pub fn is_empty(&self) -> bool {
        *self == Opened::default()
    }

    /// Those that were opened at all.
    pub fn iter(&self) -> impl Iterator<Item = (Shape, Count)> {
        Shape::ALL.into_iter().map(|shape| (shape, self.of(shape))).filter(|(_, count)| *count != Count::default())
    }

    pub(super) fn line(&mut self, shape: Shape) {
        self.0[shape as usize].lines += 1;
    }

    pub(super) fn record(&mut self, shape: Shape) {
        self.0[shape as usize].records += 1;
    }
}

impl AddAssign for Opened {
    fn add_assign(&mut self, other: Opened) {
        for (count, other) in self.0.iter_mut().zip(other.0) {
            count.lines += other.lines;
            count.records += other.records;
        }
    }
}
