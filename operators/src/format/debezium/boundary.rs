//! Where transactions begin and end: the records of `<prefix>.transaction`.

use std::borrow::Cow;

use super::json::{self, Members};
use super::reason::Reason;

/// Which boundary it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// The transaction begins.
    Begin,
    /// The transaction has ended.
    End,
}

/// The boundary of a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Boundary<'a> {
    /// Which one.
    pub status: Status,
    /// `txId:lsn`: only the number before the colon is common to all of the transaction's events.
    pub id: Cow<'a, str>,
    /// How many events the transaction has; at its end.
    pub event_count: Option<i64>,
    /// How many by table, as `schema.table`; at its end.
    pub data_collections: Vec<(Cow<'a, str>, i64)>,
    /// When it was committed, in milliseconds.
    pub ts_ms: Option<i64>,
}

impl<'a> Boundary<'a> {
    /// The boundary that `members` are, if they have exactly its fields.
    pub(super) fn read(members: &Members<'a>) -> Result<Option<Boundary<'a>>, Reason> {
        const FIELDS: [&str; 5] = ["status", "id", "event_count", "data_collections", "ts_ms"];
        let status = match members.get("status") {
            Some("\"BEGIN\"") => Status::Begin,
            Some("\"END\"") => Status::End,
            _ => return Ok(None),
        };
        if !members.has_only(&FIELDS) || members.get("event_count").is_none() {
            return Ok(None);
        }
        let collections = members.some("data_collections").map(json::elements).transpose();
        let collections = collections.map_err(|reason| reason.of("data_collections"))?.unwrap_or_default();
        let collection = |raw| {
            let members = Members::read(raw, "data_collections")?;
            let name = members.text("data_collection")?.ok_or(Reason::Missing { name: "data_collection" })?;
            Ok((name, members.integer("event_count")?.ok_or(Reason::Missing { name: "event_count" })?))
        };
        Ok(Some(Boundary {
            status,
            id: members.text("id")?.ok_or(Reason::Missing { name: "id" })?,
            event_count: members.integer("event_count")?,
            data_collections: collections.into_iter().map(collection).collect::<Result<_, Reason>>()?,
            ts_ms: members.integer("ts_ms")?,
        }))
    }
}
