//! The builder of one column, whatever its type.

use std::mem;
use std::sync::Arc;

use arrow_array::types::{
    ArrowPrimitiveType, Date32Type, Decimal128Type, Float32Type, Float64Type, Int16Type, Int32Type, Int64Type,
    Time64MicrosecondType, TimestampMicrosecondType,
};
use arrow_array::{ArrayRef, BooleanArray, FixedSizeBinaryArray, PrimitiveArray};
use arrow_buffer::{BooleanBufferBuilder, Buffer, NullBuffer, NullBufferBuilder};
use arrow_schema::{DataType, Field};

use super::array::Lists;
use super::bytes::Bytes;
use super::codec::Codec;
use super::error::BadValue;
use super::interval::{self, interval};
use super::numeric::Decimals;
use super::time::{date, time, timestamp};

/// A value that is found to be wrong when its batch is complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BadRow {
    /// The row in the batch, from 0.
    pub(super) index: usize,
    /// What is wrong with it.
    pub(super) wrong: BadValue,
}

/// The values of a column, up to now. After an error they are of no use.
#[derive(Debug)]
pub(super) struct Column {
    values: Values,
    /// Costs nothing until there is a NULL.
    nulls: NullBufferBuilder,
    nullable: bool,
}

impl Column {
    /// `field` is that of the column in the schema.
    pub(super) fn new(codec: &Codec, field: &Field) -> Self {
        let values = Values::new(codec, field.data_type());
        Column { values, nulls: NullBufferBuilder::new(0), nullable: field.is_nullable() }
    }

    /// How many values there are, NULLs included.
    pub(super) fn len(&self) -> usize {
        self.nulls.len()
    }

    /// Makes room for `rows` more values.
    pub(super) fn reserve(&mut self, rows: usize) {
        self.values.reserve(rows);
    }

    /// Appends the binary `value`.
    #[inline]
    pub(super) fn push(&mut self, value: &[u8]) -> Result<(), BadValue> {
        self.values.push(value)?;
        self.nulls.append_non_null();
        Ok(())
    }

    /// Appends NULL.
    #[inline]
    pub(super) fn push_null(&mut self) -> Result<(), BadValue> {
        if !self.nullable {
            return Err(BadValue::Null);
        }
        self.values.push_null();
        self.nulls.append_null();
        Ok(())
    }

    /// The values as an array; the builder is empty again.
    pub(super) fn finish(&mut self) -> Result<ArrayRef, BadRow> {
        let nulls = self.nulls.finish();
        self.values.finish(nulls)
    }
}

/// The values of a column. NULL has a place among them too, where anything may be.
#[derive(Debug)]
enum Values {
    Bool(BooleanBufferBuilder),
    Int16(Vec<i16>),
    Int32(Vec<i32>),
    Int64(Vec<i64>),
    Float32(Vec<f32>),
    Float64(Vec<f64>),
    Text(Bytes),
    Jsonb(Bytes),
    Bytes(Bytes),
    /// 16 bytes each.
    Uuid(Vec<u8>),
    /// 12 bytes each.
    Interval(Vec<u8>),
    Date(Vec<i32>),
    Time(Vec<i64>),
    /// With the type of the column, which tells the zone.
    Timestamp(Vec<i64>, DataType),
    Decimal(Vec<i128>, Decimals),
    List(Box<Lists>),
}

impl Values {
    fn new(codec: &Codec, data_type: &DataType) -> Self {
        match codec {
            Codec::Bool => Values::Bool(BooleanBufferBuilder::new(0)),
            Codec::Int16 => Values::Int16(Vec::new()),
            Codec::Int32 => Values::Int32(Vec::new()),
            Codec::Int64 => Values::Int64(Vec::new()),
            Codec::Float32 => Values::Float32(Vec::new()),
            Codec::Float64 => Values::Float64(Vec::new()),
            Codec::Text => Values::Text(Bytes::new()),
            Codec::Jsonb => Values::Jsonb(Bytes::new()),
            Codec::Bytes => Values::Bytes(Bytes::new()),
            Codec::Uuid => Values::Uuid(Vec::new()),
            Codec::Interval => Values::Interval(Vec::new()),
            Codec::Date => Values::Date(Vec::new()),
            Codec::Time => Values::Time(Vec::new()),
            Codec::Timestamp | Codec::Timestamptz => Values::Timestamp(Vec::new(), codec.data_type()),
            Codec::Decimal { precision, scale } => Values::Decimal(Vec::new(), Decimals::new(*precision, *scale)),
            // The schema's field has the name and metadata that the batch must have.
            Codec::List(element) => Values::List(Box::new(match data_type {
                DataType::List(field) => Lists::new(element, field.clone()),
                _ => Lists::new(element, element.as_element()),
            })),
        }
    }

    fn reserve(&mut self, rows: usize) {
        match self {
            Values::Bool(values) => values.reserve(rows),
            Values::Int16(values) => values.reserve(rows),
            Values::Int32(values) | Values::Date(values) => values.reserve(rows),
            Values::Int64(values) | Values::Time(values) | Values::Timestamp(values, _) => values.reserve(rows),
            Values::Float32(values) => values.reserve(rows),
            Values::Float64(values) => values.reserve(rows),
            Values::Text(values) | Values::Jsonb(values) | Values::Bytes(values) => values.reserve(rows),
            Values::Uuid(values) => values.reserve(rows.saturating_mul(16)),
            Values::Interval(values) => values.reserve(rows.saturating_mul(interval::BYTES)),
            Values::Decimal(values, _) => values.reserve(rows),
            Values::List(lists) => lists.reserve(rows),
        }
    }

    #[inline]
    fn push(&mut self, value: &[u8]) -> Result<(), BadValue> {
        match self {
            Values::Bool(values) => values.append(boolean(value)?),
            Values::Int16(values) => values.push(i16::from_be_bytes(fixed(value)?)),
            Values::Int32(values) => values.push(i32::from_be_bytes(fixed(value)?)),
            Values::Int64(values) => values.push(i64::from_be_bytes(fixed(value)?)),
            Values::Float32(values) => values.push(f32::from_be_bytes(fixed(value)?)),
            Values::Float64(values) => values.push(f64::from_be_bytes(fixed(value)?)),
            Values::Text(values) | Values::Bytes(values) => values.push(value)?,
            Values::Jsonb(values) => match value {
                [1, text @ ..] => values.push(text)?,
                _ => return Err(BadValue::Jsonb),
            },
            Values::Uuid(values) => values.extend_from_slice(&fixed::<16>(value)?),
            Values::Interval(values) => values.extend_from_slice(&interval(fixed(value)?)?),
            Values::Date(values) => values.push(date(i32::from_be_bytes(fixed(value)?))?),
            Values::Time(values) => values.push(time(i64::from_be_bytes(fixed(value)?))?),
            Values::Timestamp(values, _) => values.push(timestamp(i64::from_be_bytes(fixed(value)?))?),
            Values::Decimal(values, decimals) => values.push(decimals.decode(value)?),
            Values::List(lists) => lists.push(value)?,
        }
        Ok(())
    }

    #[inline]
    fn push_null(&mut self) {
        match self {
            Values::Bool(values) => values.append(false),
            Values::Int16(values) => values.push(0),
            Values::Int32(values) | Values::Date(values) => values.push(0),
            Values::Int64(values) | Values::Time(values) | Values::Timestamp(values, _) => values.push(0),
            Values::Float32(values) => values.push(0.0),
            Values::Float64(values) => values.push(0.0),
            Values::Text(values) | Values::Jsonb(values) | Values::Bytes(values) => values.push_null(),
            Values::Uuid(values) => values.extend_from_slice(&[0; 16]),
            Values::Interval(values) => values.extend_from_slice(&[0; interval::BYTES]),
            Values::Decimal(values, _) => values.push(0),
            Values::List(lists) => lists.push_null(),
        }
    }

    fn finish(&mut self, nulls: Option<NullBuffer>) -> Result<ArrayRef, BadRow> {
        Ok(match self {
            Values::Bool(values) => Arc::new(BooleanArray::new(values.finish(), nulls)),
            Values::Int16(values) => Arc::new(primitive::<Int16Type>(values, nulls)),
            Values::Int32(values) => Arc::new(primitive::<Int32Type>(values, nulls)),
            Values::Int64(values) => Arc::new(primitive::<Int64Type>(values, nulls)),
            Values::Float32(values) => Arc::new(primitive::<Float32Type>(values, nulls)),
            Values::Float64(values) => Arc::new(primitive::<Float64Type>(values, nulls)),
            Values::Text(values) | Values::Jsonb(values) => Arc::new(values.finish_texts(nulls)?),
            Values::Bytes(values) => Arc::new(values.finish_bytes(nulls)),
            Values::Uuid(values) => Arc::new(FixedSizeBinaryArray::new(16, Buffer::from_vec(mem::take(values)), nulls)),
            Values::Interval(values) => {
                Arc::new(FixedSizeBinaryArray::new(12, Buffer::from_vec(mem::take(values)), nulls))
            }
            Values::Date(values) => Arc::new(primitive::<Date32Type>(values, nulls)),
            Values::Time(values) => Arc::new(primitive::<Time64MicrosecondType>(values, nulls)),
            Values::Timestamp(values, data_type) => {
                Arc::new(primitive::<TimestampMicrosecondType>(values, nulls).with_data_type(data_type.clone()))
            }
            Values::Decimal(values, decimals) => {
                let data_type = DataType::Decimal128(decimals.precision, decimals.scale);
                Arc::new(primitive::<Decimal128Type>(values, nulls).with_data_type(data_type))
            }
            Values::List(lists) => Arc::new(lists.finish(nulls)?),
        })
    }
}

/// The bytes of a value that always has `N` of them.
#[inline]
fn fixed<const N: usize>(value: &[u8]) -> Result<[u8; N], BadValue> {
    value.try_into().map_err(|_| BadValue::Length)
}

#[inline]
fn boolean(value: &[u8]) -> Result<bool, BadValue> {
    match fixed::<1>(value)? {
        [0] => Ok(false),
        [1] => Ok(true),
        [_] => Err(BadValue::Malformed),
    }
}

fn primitive<T: ArrowPrimitiveType>(values: &mut Vec<T::Native>, nulls: Option<NullBuffer>) -> PrimitiveArray<T> {
    PrimitiveArray::new(mem::take(values).into(), nulls)
}
