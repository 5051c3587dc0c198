//! The kind of a source of flushes: what marks a place in a hot table, and what two pipelines
//! share.

use std::num::NonZeroU64;

use serde::{Deserialize, Serialize};

use crate::error::Stop;
use crate::position::Position;
use crate::protocol::Pending;
use crate::protocol::document::{Origin, Recorded};
use crate::protocol::kind::{Kind, Mark, TooNew};
use crate::protocol::neighbours::Reading;
use crate::protocol::offsets::{Offsets, Partitions};

/// Flushes of hot tables. The position counts them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flushes;

/// Up to which sequence a table was flushed. Rows at or below it that are seen later are late.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watermark {
    /// The highest sequence of a flush; it does not go back when the table's sequence does.
    pub watermark: i64,
    /// Whether rows at or below it may be hot although the lake has them.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub keeps: bool,
}

impl Mark for Watermark {
    fn precedes(&self, later: &Watermark) -> bool {
        self.watermark <= later.watermark
    }
}

/// How many sequences have a sum of their own in each flush, for a proof.
pub const RANGE: NonZeroU64 = NonZeroU64::new(10_000).expect("it is not zero");

/// The version of the rules by which hot rows become rows of the lake.
const RULES: u32 = 1;

impl Kind for Flushes {
    const NAME: &'static str = "flushes";
    const MAY_BE_EMPTY: bool = false;
    const TABLES_MAY_LEAVE: bool = true;
    const RANGE: Option<NonZeroU64> = Some(RANGE);
    type Mark = Watermark;
    type Retired = ();
    type Settings = u32;

    fn sum(_partitions: &Partitions<Watermark>, (): &()) -> Option<Position> {
        None
    }

    fn adds_up(_lower: &Offsets<Flushes>, _higher: &Offsets<Flushes>) -> bool {
        // Tables come and go.
        true
    }

    fn check(settings: &u32) -> Result<(), TooNew> {
        match *settings <= RULES {
            true => Ok(()),
            false => Err(TooNew { version: *settings, known: RULES }),
        }
    }
}

/// The hot tables that a pipeline reads: a schema of a database.
pub struct HotSource {
    source: String,
}

impl HotSource {
    /// The rules by which this build makes rows.
    pub const SETTINGS: u32 = RULES;

    /// The tables of `schema` in the database that is `shown` like this.
    pub fn new(shown: &str, schema: &str) -> HotSource {
        HotSource { source: format!("{shown}/{schema}") }
    }
}

impl Reading<Flushes> for HotSource {
    fn source(&self) -> &str {
        &self.source
    }

    fn root(&self) -> &str {
        &self.source
    }

    fn continues(&self, _origin: &Origin) -> Result<(), String> {
        // A server moves to another host or port, and a standby becomes the primary. Watermarks are
        // not taken from the source, so another one does no harm: what it has is flushed.
        Ok(())
    }

    fn shared<'a>(&'a self, others: &'a [Recorded<Flushes>]) -> Pending<'a, Result<Vec<Option<String>>, Stop>> {
        let what = |theirs: &Recorded<Flushes>| (theirs.origin.source == self.source).then(|| self.source.clone());
        Box::pin(async move { Ok(others.iter().map(what).collect()) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_says_only_what_is_unusual() {
        let text = |mark: &Watermark| serde_json::to_string(mark).expect("JSON");
        let marks = [Watermark { watermark: 7, keeps: false }, Watermark { watermark: 7, keeps: true }];
        assert_eq!(marks.each_ref().map(text), [r#"{"watermark":7}"#, r#"{"watermark":7,"keeps":true}"#]);
        for mark in marks {
            assert_eq!(serde_json::from_str::<Watermark>(&text(&mark)).expect("a mark"), mark);
        }
    }
}
