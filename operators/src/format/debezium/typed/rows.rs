//! Rows that grow event by event, and become a batch of Arrow.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::builder::BooleanBufferBuilder;
use arrow_array::{RecordBatch, RecordBatchOptions};
use arrow_buffer::BooleanBuffer;
use arrow_schema::{Field as ArrowField, Schema, SchemaRef};

use super::super::row::{Field, Row};
use super::column::Column;
use super::kind::LakeType;
use super::plan::Plan;
use super::read::{Value, read};
use super::unfit::{Odd, Unfit};

/// The most bytes of the values of a row.
pub(super) const MOST_ROW: usize = 64 << 20;

/// A column of a lake's table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LakeColumn {
    /// The column's name.
    pub name: String,
    /// Its type.
    pub of: LakeType,
    /// Whether it is a text by somebody's wish, whatever PostgreSQL has.
    pub as_text: bool,
}

/// What becomes of a value that the lake has none for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Unrepresentable {
    /// The row is rejected.
    #[default]
    Reject,
    /// It is null.
    Null,
}

/// Rows of one table, column by column.
///
/// ```
/// use lakefront_operators::format::debezium::typed::{
///     LakeColumn, LakeType, Plan, Rows, Unrepresentable,
/// };
/// use lakefront_operators::format::debezium::{Decoded, Decoder, Line};
///
/// let line = br#"{"topic": "shop.public.orders", "key": {"id": 1}, "value":
///     {"op": "c", "source": {"schema": "public", "table": "orders"}, "before": null,
///      "after": {"id": 1, "amount": "10.50"}}}"#;
/// let line = Line::read(line)?;
/// let decoded = Decoder::default().decode(&line.record())?;
/// let Decoded::Event(event) = decoded else { panic!("a change") };
/// let after = event.after.expect("a row");
///
/// let column = |name: &str, of| LakeColumn { name: name.to_owned(), of, as_text: false };
/// let columns = [column("id", LakeType::Integer(64)), column("amount", LakeType::Decimal(12, 2))];
/// let plan = Plan::new(&columns, &after);
/// let mut rows = Rows::new(columns.into(), Unrepresentable::Reject);
/// rows.push(&after, &plan, |_| None)?;
/// assert_eq!(rows.finish().rows.num_rows(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Rows {
    lake: Arc<[LakeColumn]>,
    schema: SchemaRef,
    unrepresentable: Unrepresentable,
    /// By column, whether it is of the key.
    is_key: Vec<bool>,
    columns: Vec<Column>,
    /// By column, rows whose value was not sent; begun with the first of them.
    unavailable: Vec<Option<BooleanBufferBuilder>>,
    rows: usize,
    bytes: usize,
}

/// A batch.
#[derive(Clone, Debug)]
pub struct Taken {
    /// The rows, with the columns of the table in their order. All may be null.
    pub rows: RecordBatch,
    /// By the place of a column, the rows whose value PostgreSQL has not sent, because it did not
    /// change; it is null in `rows`. Columns without such rows are left out.
    pub unavailable: BTreeMap<usize, BooleanBuffer>,
}

impl Rows {
    /// No rows yet of a table with the columns `lake`.
    pub fn new(lake: Arc<[LakeColumn]>, unrepresentable: Unrepresentable) -> Rows {
        let fields = lake.iter().map(|column| ArrowField::new(&column.name, column.of.arrow(), true));
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        let columns = lake.iter().map(|column| Column::new(&column.of)).collect();
        let unavailable = lake.iter().map(|_| None).collect();
        let is_key = vec![false; lake.len()];
        Rows { lake, schema, unrepresentable, is_key, columns, unavailable, rows: 0, bytes: 0 }
    }

    /// The same, whose rows are told apart by these columns: a value of theirs that the lake has
    /// none for rejects the row in any case, because two keys that are null would be one.
    #[must_use]
    pub fn keyed(mut self, key: &[String]) -> Rows {
        self.is_key = self.lake.iter().map(|column| key.contains(&column.name)).collect();
        self
    }

    /// Appends `row`, which has the shape of `plan`. In a column that it lacks it has what
    /// `lacking` says of it, as JSON, or null. A column of which the table has none is left out.
    /// Returns whether all of its values were sent.
    ///
    /// # Errors
    /// If a value does not fit. Nothing of the row is appended then.
    pub fn push<'l>(
        &mut self,
        row: &Row<'_>,
        plan: &Plan,
        lacking: impl Fn(&str) -> Option<&'l str>,
    ) -> Result<bool, Unfit> {
        let (mut values, mut room) = (Vec::with_capacity(plan.fields.len()), MOST_ROW);
        for (planned, field) in plan.fields.iter().zip(row.fields()) {
            let Some(to) = planned.to else { continue };
            values.push((to, self.read(to, &field, &mut room)?));
        }
        for (to, value) in &values {
            let is_kept = value.is_none();
            self.columns[*to].push(value.as_ref().unwrap_or(&Value::Null));
            if is_kept {
                let rows = self.unavailable[*to].get_or_insert_with(|| BooleanBufferBuilder::new(0));
                rows.append_n(self.rows - rows.len(), false);
                rows.append(true);
            }
        }
        self.bytes += MOST_ROW - room;
        for at in &plan.missing {
            let LakeColumn { name, of, .. } = &self.lake[*at];
            let value = lacking(name).and_then(|raw| read(raw, None, of, &mut MOST_ROW.clone()).ok());
            self.columns[*at].push(value.as_ref().unwrap_or(&Value::Null));
        }
        self.rows += 1;
        Ok(values.iter().all(|(_, value)| value.is_some()))
    }

    /// The value of a field; none if it was not sent.
    fn read<'a>(&self, to: usize, field: &Field<'_, 'a>, room: &mut usize) -> Result<Option<Value<'a>>, Unfit> {
        if field.is_unavailable() {
            return Ok(None);
        }
        let ty = field.column.map(|column| &column.ty);
        match read(field.raw, ty, &self.lake[to].of, room) {
            Err(Odd::Unrepresentable(_)) if self.unrepresentable == Unrepresentable::Null && !self.is_key[to] => {
                Ok(Some(Value::Null))
            }
            read => read.map(Some).map_err(|odd| odd.of(field.name)),
        }
    }

    /// The columns of the table.
    pub fn columns(&self) -> &[LakeColumn] {
        &self.lake
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.rows
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// About how many bytes their values take.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// The rows so far; there are none then.
    pub fn finish(&mut self) -> Taken {
        let count = std::mem::take(&mut self.rows);
        self.bytes = 0;
        let columns = self.columns.iter_mut().map(Column::finish).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(count));
        let rows = RecordBatch::try_new_with_options(self.schema.clone(), columns, &options);
        let mut unavailable = BTreeMap::new();
        for (at, mut rows) in self.unavailable.iter_mut().map(Option::take).enumerate() {
            if let Some(rows) = &mut rows {
                rows.append_n(count - rows.len(), false);
                unavailable.insert(at, rows.finish());
            }
        }
        Taken { rows: rows.expect("every row has a value in every column"), unavailable }
    }
}
