//! A column that grows value by value.

use std::sync::Arc;

use arrow_array::builder::{
    BinaryBuilder, BooleanBuilder, Date32Builder, Decimal128Builder, Float32Builder, Float64Builder, Int8Builder,
    Int16Builder, Int32Builder, Int64Builder, StringBuilder, TimestampMicrosecondBuilder,
};
use arrow_array::{ArrayRef, ListArray, StructArray};
use arrow_buffer::{NullBufferBuilder, OffsetBuffer, ScalarBuffer};
use arrow_schema::{DataType, Field};

use super::kind::{LakeType, coordinates};
use super::read::Value;

/// The values of one column.
pub(super) enum Column {
    Boolean(BooleanBuilder),
    Int8(Int8Builder),
    Int16(Int16Builder),
    Int32(Int32Builder),
    Int64(Int64Builder),
    Float(Float32Builder),
    Double(Float64Builder),
    Decimal(Decimal128Builder),
    Text(StringBuilder),
    Bytes(BinaryBuilder),
    Date(Date32Builder),
    Timestamp(TimestampMicrosecondBuilder),
    Point { x: Float64Builder, y: Float64Builder, present: NullBufferBuilder },
    List { ends: Vec<i32>, present: NullBufferBuilder, items: Box<Column> },
}

impl Column {
    /// An empty column of `of`.
    pub(super) fn new(of: &LakeType) -> Column {
        let of_type = of.arrow();
        match of {
            LakeType::Boolean => Column::Boolean(BooleanBuilder::new()),
            LakeType::Integer(8) => Column::Int8(Int8Builder::new()),
            LakeType::Integer(16) => Column::Int16(Int16Builder::new()),
            LakeType::Integer(32) => Column::Int32(Int32Builder::new()),
            LakeType::Integer(_) => Column::Int64(Int64Builder::new()),
            LakeType::Float => Column::Float(Float32Builder::new()),
            LakeType::Double => Column::Double(Float64Builder::new()),
            LakeType::Decimal(..) => Column::Decimal(Decimal128Builder::new().with_data_type(of_type)),
            LakeType::Text => Column::Text(StringBuilder::new()),
            LakeType::Bytes => Column::Bytes(BinaryBuilder::new()),
            LakeType::Date => Column::Date(Date32Builder::new()),
            LakeType::Timestamp { .. } => Column::Timestamp(TimestampMicrosecondBuilder::new().with_data_type(of_type)),
            LakeType::Point => {
                Column::Point { x: Float64Builder::new(), y: Float64Builder::new(), present: NullBufferBuilder::new(0) }
            }
            LakeType::List(items) => {
                Column::List { ends: vec![0], present: NullBufferBuilder::new(0), items: Box::new(Column::new(items)) }
            }
        }
    }

    /// Appends a value that was read for the column's type. It cannot fail.
    pub(super) fn push(&mut self, value: &Value<'_>) {
        // Days and the narrow integers were checked when they were read.
        match (self, value) {
            (Column::Boolean(of), Value::Boolean(value)) => of.append_value(*value),
            (Column::Int8(of), Value::Integer(value)) => of.append_value(*value as i8),
            (Column::Int16(of), Value::Integer(value)) => of.append_value(*value as i16),
            (Column::Int32(of), Value::Integer(value)) => of.append_value(*value as i32),
            (Column::Int64(of), Value::Integer(value)) => of.append_value(*value),
            (Column::Float(of), Value::Float(value)) => of.append_value(*value),
            (Column::Double(of), Value::Double(value)) => of.append_value(*value),
            (Column::Decimal(of), Value::Decimal(value)) => of.append_value(*value),
            (Column::Text(of), Value::Text(value)) => of.append_value(value),
            (Column::Bytes(of), Value::Bytes(value)) => of.append_value(value),
            (Column::Date(of), Value::Integer(value)) => of.append_value(*value as i32),
            (Column::Timestamp(of), Value::Integer(value)) => of.append_value(*value),
            (Column::Point { x, y, present }, Value::Point(of_x, of_y)) => {
                x.append_value(*of_x);
                y.append_value(*of_y);
                present.append_non_null();
            }
            (Column::List { ends, present, items }, Value::List(values)) => {
                values.iter().for_each(|value| items.push(value));
                ends.push(ends.last().copied().unwrap_or_default() + values.len() as i32);
                present.append_non_null();
            }
            (column, Value::Null) => column.push_null(),
            (_, value) => unreachable!("{value:?} was read for another column"),
        }
    }

    fn push_null(&mut self) {
        match self {
            Column::Boolean(of) => of.append_null(),
            Column::Int8(of) => of.append_null(),
            Column::Int16(of) => of.append_null(),
            Column::Int32(of) => of.append_null(),
            Column::Int64(of) => of.append_null(),
            Column::Float(of) => of.append_null(),
            Column::Double(of) => of.append_null(),
            Column::Decimal(of) => of.append_null(),
            Column::Text(of) => of.append_null(),
            Column::Bytes(of) => of.append_null(),
            Column::Date(of) => of.append_null(),
            Column::Timestamp(of) => of.append_null(),
            Column::Point { x, y, present } => {
                x.append_null();
                y.append_null();
                present.append_null();
            }
            Column::List { ends, present, .. } => {
                ends.push(ends.last().copied().unwrap_or_default());
                present.append_null();
            }
        }
    }

    /// The values so far; the column is empty then.
    pub(super) fn finish(&mut self) -> ArrayRef {
        match self {
            Column::Boolean(of) => Arc::new(of.finish()),
            Column::Int8(of) => Arc::new(of.finish()),
            Column::Int16(of) => Arc::new(of.finish()),
            Column::Int32(of) => Arc::new(of.finish()),
            Column::Int64(of) => Arc::new(of.finish()),
            Column::Float(of) => Arc::new(of.finish()),
            Column::Double(of) => Arc::new(of.finish()),
            Column::Decimal(of) => Arc::new(of.finish()),
            Column::Text(of) => Arc::new(of.finish()),
            Column::Bytes(of) => Arc::new(of.finish()),
            Column::Date(of) => Arc::new(of.finish()),
            Column::Timestamp(of) => Arc::new(of.finish()),
            Column::Point { x, y, present } => {
                let of: Vec<ArrayRef> = vec![Arc::new(x.finish()), Arc::new(y.finish())];
                Arc::new(StructArray::new(coordinates(), of, present.finish()))
            }
            Column::List { ends, present, items } => {
                let ends = OffsetBuffer::new(ScalarBuffer::from(std::mem::replace(ends, vec![0])));
                let items = items.finish();
                let of: DataType = items.data_type().clone();
                let field = Arc::new(Field::new("element", of, true));
                Arc::new(ListArray::new(field, ends, items, present.finish()))
            }
        }
    }
}
