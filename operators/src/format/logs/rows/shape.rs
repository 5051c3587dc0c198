//! Shapes: what holds the records of a line that is not a record itself.
//!
//! | shape | line | opened |
//! |---|---|---|
//! | [`Records`] | `{"records":[{…},{…}]}`, no other key | each element, its number in `_item` |
//! | [`Array`] | `[{…},{…}]` | each element, its number in `_item` |
//! | [`Listed`] | `{…},`, or `[` or `]` alone: an array over many lines | the object; none |
//! | [`CloudNativePg`] | an object with an object `record` | the object |
//! | [`GoogleCloud`] | an object with an object `jsonPayload` | the object |
//! | | an object with a text `textPayload` | the text, if it is an object |
//! | [`Docker`] | an object with a text `log` and a `stream` | the text, if it is an object |
//! | [`Cri`] | `<time> <stream> F {…}` | the object |
//!
//! Wrappers may be nested, and may be elements of an envelope; nothing may contain an envelope. The
//! keys beside a record are kept in `_rest` as unknown keys, with `envelope.` before their names.
//! What cannot be opened exactly is rejected as [`Reason::UnknownShape`].
//!
//! [`Reason::UnknownShape`]: crate::format::logs::record::Reason::UnknownShape
//! [`Records`]: Shape::Records
//! [`Array`]: Shape::Array
//! [`Listed`]: Shape::Listed
//! [`CloudNativePg`]: Shape::CloudNativePg
//! [`GoogleCloud`]: Shape::GoogleCloud
//! [`Docker`]: Shape::Docker
//! [`Cri`]: Shape::Cri

use std::ops::AddAssign;

/// What holds the records of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Shape {
    /// A batch of Azure's Event Hubs.
    Records,
    /// A JSON array.
    Array,
    /// A line of a JSON array that has one element per line.
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
    /// All shapes, in the order of the variants.
    pub const ALL: [Shape; 7] = [
        Shape::Records,
        Shape::Array,
        Shape::Listed,
        Shape::CloudNativePg,
        Shape::GoogleCloud,
        Shape::Docker,
        Shape::Cri,
    ];

    /// Its name for programs.
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

    /// Its name for people, in the plural.
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

    /// Its name for people, in the singular.
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

    /// Whether a line holds any number of records, not exactly one.
    pub fn is_envelope(self) -> bool {
        matches!(self, Shape::Records | Shape::Array)
    }
}

/// How often a shape was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// Lines of this shape, or elements.
    pub lines: u64,
    /// Records in them.
    pub records: u64,
}

/// How often each shape was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Opened([Count; Shape::ALL.len()]);

impl Opened {
    /// How often `shape` was opened.
    pub fn of(&self, shape: Shape) -> Count {
        self.0[shape as usize]
    }

    /// Whether nothing was opened.
    pub fn is_empty(&self) -> bool {
        *self == Opened::default()
    }

    /// The shapes that were opened at all.
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
