//! The definition of a table that is changed by key: what a new one gets, and whether an existing
//! one can be changed in this way.
//!
//! Deletion vectors need reader version 3 and writer version 7, whose features are named one by
//! one; the change feed is a feature of writers alone. See "Table Features" in the Delta
//! transaction log protocol.

use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema, SchemaRef};
use serde_json::{Value, json};

use crate::error::Stop;
use crate::sink::delta::schema::{self, Fit};
use crate::sink::delta::{Snapshot, TableSpec, types};
use crate::sink::parquet;

/// The column of the change feed that says what happened to a row.
pub(super) const CHANGE_TYPE: &str = "_change_type";
/// What readers of the change feed add. A table with the feed can have no column of these names.
const FEED_COLUMNS: [&str; 3] = [CHANGE_TYPE, "_commit_version", "_commit_timestamp"];
const VECTORS: &str = "delta.enableDeletionVectors";
pub(super) const FEED: &str = "delta.enableChangeDataFeed";

/// A table that is changed by key.
#[derive(Clone)]
pub struct UpsertSpec {
    /// Where it is, and all of its columns. It has no partitions. Columns that the table has beside
    /// these are null in rows that are written.
    pub table: TableSpec,
    /// The columns that tell rows apart, at least one.
    pub key: Vec<String>,
    /// Whether its log tells each change to readers of the change feed.
    pub feed: bool,
}

impl UpsertSpec {
    /// Where the key's columns are among the table's.
    pub(super) fn key_columns(&self) -> Vec<usize> {
        self.key.iter().filter_map(|name| self.table.schema.index_of(name).ok()).collect()
    }

    /// All columns of the table, each of which may be null.
    pub(super) fn columns(&self) -> SchemaRef {
        let fields = self.table.schema.fields().iter();
        let fields: Vec<_> = fields.map(|field| Arc::new(field.as_ref().clone().with_nullable(true))).collect();
        Arc::new(Schema::new(fields))
    }

    /// Whether there can be such a table.
    pub(super) fn can_be(&self) -> Result<(), Stop> {
        let refuse = |obstacle: String| Err(self.refused(&obstacle));
        if self.table.partition.is_some() {
            return refuse("would have partitions, and rows are changed by key only without".to_owned());
        }
        if let Some(missing) = self.key.iter().find(|name| self.table.schema.index_of(name).is_err()) {
            return refuse(format!("would have the key column {missing:?}, which is none of its columns"));
        }
        if self.key.is_empty() {
            return refuse("has no key by which its rows could be changed".to_owned());
        }
        let taken = |name: &&str| self.table.schema.fields().iter().any(|f| f.name().eq_ignore_ascii_case(name));
        if let Some(name) = FEED_COLUMNS.iter().find(|name| self.feed && taken(name)) {
            return refuse(format!("would have a column {name:?}, which is the change feed's: set cdf = false"));
        }
        let columns = self.table.schema.fields();
        let can_be = parquet::check(&self.table.schema).and_then(|()| types::fields(columns, None));
        let can_be =
            can_be.and_then(|_| columns.iter().try_for_each(|field| comes_back(field.name(), field.data_type())));
        can_be.map_err(|column| self.refused(&format!("would have {column}")))
    }

    pub(super) fn refused(&self, obstacle: &str) -> Stop {
        Stop::Refused(format!("table {:?} ({}) {obstacle}", self.table.name, self.table.place))
    }

    /// The features that readers must know.
    fn features(&self) -> Vec<&'static str> {
        let has_local_moments = |field: &Arc<Field>| types::has_local_moments(field.data_type());
        let moments = self.table.schema.fields().iter().any(has_local_moments).then_some("timestampNtz");
        ["deletionVectors"].into_iter().chain(moments).collect()
    }

    /// The protocol of a new table.
    pub(super) fn protocol(&self) -> Value {
        let feed = self.feed.then_some("changeDataFeed");
        let writer: Vec<_> = feed.into_iter().chain(self.features()).collect();
        json!({
            "minReaderVersion": 3,
            "minWriterVersion": 7,
            "readerFeatures": self.features(),
            "writerFeatures": writer,
        })
    }

    /// The metadata of a new table with this id; the error is as [`schema::metadata`] has it.
    pub(super) fn metadata(&self, id: &str, now_ms: u64) -> Result<Value, String> {
        let mut metadata = schema::metadata(id, &self.table.schema, &[], now_ms)?;
        let configuration = &mut metadata["configuration"];
        configuration[VECTORS] = "true".into();
        if self.feed {
            configuration[FEED] = "true".into();
        }
        Ok(metadata)
    }

    /// Whether the table can be changed by key. The error says what is in the way, in words that
    /// follow "table x".
    pub(super) fn check(&self, snapshot: &Snapshot) -> Result<Fit, String> {
        let is_on = |key: &str| {
            let value = snapshot.metadata["configuration"][key].as_str().unwrap_or_default();
            value.eq_ignore_ascii_case("true")
        };
        let has = |kind: &str, feature: &str| {
            snapshot.protocol[kind].as_array().is_some_and(|features| features.iter().any(|one| one == feature))
        };
        if !is_on(VECTORS) {
            return Err(format!("has no deletion vectors: set its property {VECTORS} to true"));
        }
        let lacks = |feature: &&&str| !has("readerFeatures", feature) || !has("writerFeatures", feature);
        if let Some(feature) = self.features().iter().find(lacks) {
            return Err(format!("lacks the feature {feature}: set its property delta.feature.{feature} to supported"));
        }
        if is_on("delta.appendOnly") {
            return Err("has the property delta.appendOnly, so its rows cannot change: unset it".to_owned());
        }
        if is_on(FEED) != self.feed {
            let (is, wanted) = (is_on(FEED), self.feed);
            return Err(format!(
                "has the property {FEED} = {is}, but the pipeline has cdf = {wanted}: make them agree"
            ));
        }
        self.table.check(snapshot)
    }
}

/// Whether files give back values of the column at `path` in its own type, as rows that change are
/// read; the error is in words that follow "would have".
fn comes_back(path: &str, data_type: &DataType) -> Result<(), String> {
    let other = match data_type {
        DataType::LargeUtf8 => "Utf8",
        DataType::LargeBinary => "Binary",
        DataType::LargeList(_) => "List",
        DataType::Timestamp(_, Some(zone)) if zone.is_empty() => "Timestamp without a zone",
        DataType::List(items) => return comes_back(&format!("{path}.element"), items.data_type()),
        DataType::Struct(fields) => {
            let inner = |field: &Arc<Field>| comes_back(&format!("{path}.{}", field.name()), field.data_type());
            return fields.iter().try_for_each(inner);
        }
        _ => return Ok(()),
    };
    Err(format!("column {path:?} of type {data_type}, which rows that change do not come back in: use {other}"))
}

#[cfg(test)]
mod tests {
    use arrow_schema::TimeUnit;

    use super::*;
    use crate::protocol::group::{GroupState, Retention};
    use crate::protocol::names::Version;
    use crate::sink::files::Place;

    fn spec(fields: Vec<Field>) -> UpsertSpec {
        let (place, schema) = (Place::Disk("lake".into()), Arc::new(Schema::new(fields)));
        let table = TableSpec { place, name: "orders".to_owned(), schema, partition: None };
        UpsertSpec { table, key: vec!["id".to_owned()], feed: true }
    }

    fn orders() -> UpsertSpec {
        spec(vec![Field::new("id", DataType::Int64, false), Field::new("note", DataType::Utf8, true)])
    }

    /// The table as it is made new, after `change`.
    fn there(spec: &UpsertSpec, change: impl FnOnce(&mut Value, &mut Value)) -> Snapshot {
        let (mut protocol, mut metadata) = (spec.protocol(), spec.metadata("id", 1).unwrap());
        change(&mut protocol, &mut metadata);
        let retention = Retention { log_ms: u64::MAX, files_ms: u64::MAX };
        let state = GroupState { head: Version(0), held: None, retention };
        Snapshot::of(state, protocol, metadata)
    }

    #[test]
    fn a_new_table_can_be_changed() {
        let spec = orders();
        spec.can_be().unwrap();
        assert_eq!(spec.check(&there(&spec, |_, _| {})), Ok(Fit::Fits));
        assert_eq!(spec.protocol()["writerFeatures"], json!(["changeDataFeed", "deletionVectors"]));
        let plain = UpsertSpec { feed: false, ..orders() };
        assert_eq!(plain.check(&there(&plain, |_, _| {})), Ok(Fit::Fits));
        assert_eq!(plain.protocol()["writerFeatures"], json!(["deletionVectors"]));
    }

    #[test]
    fn moments_without_a_zone_need_their_feature() {
        let local = DataType::Timestamp(TimeUnit::Microsecond, None);
        let spec = spec(vec![Field::new("id", DataType::Int64, false), Field::new("at", local, true)]);
        assert_eq!(spec.protocol()["readerFeatures"], json!(["deletionVectors", "timestampNtz"]));
        let older = there(&spec, |protocol, _| protocol["readerFeatures"] = json!(["deletionVectors"]));
        assert!(spec.check(&older).unwrap_err().contains("delta.feature.timestampNtz"));
    }

    #[test]
    fn a_table_whose_rows_cannot_change_is_refused_in_words() {
        let set = |key: &'static str, value: &'static str| {
            there(&orders(), |_, metadata| metadata["configuration"][key] = value.into())
        };
        let without = there(&orders(), |protocol, _| protocol["writerFeatures"] = json!(["changeDataFeed"]));
        for (table, word) in [
            (set(VECTORS, "false"), VECTORS),
            (set(FEED, "false"), FEED),
            (set("delta.appendOnly", "true"), "delta.appendOnly"),
            (set("delta.columnMapping.mode", "name"), "delta.columnMapping.mode"),
            (without, "deletionVectors"),
        ] {
            let error = orders().check(&table).unwrap_err();
            assert!(error.contains(word), "{error}");
        }
    }

    #[test]
    fn what_no_table_can_be_is_refused_in_words() {
        let id = || Field::new("id", DataType::Int64, false);
        let texts = Field::new_list("texts", Field::new("element", DataType::LargeUtf8, true), true);
        let nested = Field::new_struct("in", vec![texts], true);
        let feed = spec(vec![id(), Field::new("_Change_Type", DataType::Utf8, true)]);
        for (spec, word) in [
            (UpsertSpec { key: vec![], ..orders() }, "no key"),
            (UpsertSpec { key: vec!["nr".to_owned()], ..orders() }, "\"nr\""),
            (spec(vec![id(), Field::new("n", DataType::UInt64, true)]), "UInt64"),
            (feed, "cdf = false"),
            (spec(vec![id(), Field::new("t", DataType::LargeUtf8, true)]), "use Utf8"),
            (spec(vec![id(), Field::new("b", DataType::LargeBinary, true)]), "use Binary"),
            (
                spec(vec![id(), Field::new("at", DataType::Timestamp(TimeUnit::Microsecond, Some("".into())), true)]),
                "zone",
            ),
            (spec(vec![id(), nested]), "\"in.texts.element\""),
        ] {
            let error = spec.can_be().unwrap_err().to_string();
            assert!(error.contains(word) && error.starts_with("table \"orders\" (lake) "), "{error}");
        }
    }
}
