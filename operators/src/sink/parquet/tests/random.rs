//! Random schemas of all types, and random arrays for them.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::types::*;
use arrow_array::*;
use arrow_buffer::{NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow_schema::{DataType, Field, FieldRef, Fields, Schema, SchemaRef, TimeUnit};
use parquet::arrow::PARQUET_FIELD_ID_META_KEY;

use super::{Dice, Texts, text};

/// All types of leaves.
pub(super) fn leaf_types() -> Vec<DataType> {
    use DataType::*;
    use TimeUnit::{Microsecond, Millisecond, Nanosecond};
    let zone = |name: &str| Some(Arc::from(name));
    vec![
        Null,
        Boolean,
        Int8,
        Int16,
        Int32,
        Int64,
        UInt8,
        UInt16,
        UInt32,
        UInt64,
        Float32,
        Float64,
        Decimal128(1, 0),
        Decimal128(9, 2),
        Decimal128(18, 18),
        Decimal128(19, 3),
        Decimal128(28, 0),
        Decimal128(38, 37),
        Date32,
        Time32(Millisecond),
        Time64(Microsecond),
        Time64(Nanosecond),
        Timestamp(Millisecond, None),
        Timestamp(Microsecond, zone("UTC")),
        Timestamp(Microsecond, None),
        Timestamp(Nanosecond, zone("Europe/Warsaw")),
        Utf8,
        LargeUtf8,
        Binary,
        LargeBinary,
        FixedSizeBinary(16),
    ]
}

/// A schema with some columns; its fields have ids, or not.
pub(super) fn schema(dice: &mut Dice) -> SchemaRef {
    let mut ids = (dice.below(2) == 0).then_some(0);
    let fields: Vec<_> = (0..1 + dice.below(5)).map(|n| field(&format!("c{n}"), 3, &mut ids, dice)).collect();
    Arc::new(Schema::new(fields))
}

fn field(name: &str, depth: usize, ids: &mut Option<i32>, dice: &mut Dice) -> FieldRef {
    let metadata = ids.as_mut().map(|id| {
        *id += 1;
        HashMap::from([(PARQUET_FIELD_ID_META_KEY.to_owned(), id.to_string())])
    });
    let data_type = match dice.below(6) {
        0 | 1 if depth > 0 => {
            let items = field("element", depth - 1, ids, dice);
            if dice.below(4) == 0 { DataType::LargeList(items) } else { DataType::List(items) }
        }
        2 if depth > 0 => {
            let fields = (0..1 + dice.below(3)).map(|n| field(&format!("f{n}"), depth - 1, ids, dice));
            DataType::Struct(fields.collect())
        }
        _ => {
            let all = leaf_types();
            all[dice.below(all.len() as u64) as usize].clone()
        }
    };
    let nullable = data_type == DataType::Null || dice.below(4) > 0;
    Arc::new(Field::new(name, data_type, nullable).with_metadata(metadata.unwrap_or_default()))
}

/// A batch of this schema, whose arrays do not all begin at their buffers' beginning.
pub(super) fn batch(schema: &SchemaRef, rows: usize, dice: &mut Dice) -> RecordBatch {
    let before = dice.below(4) as usize;
    let columns = schema.fields().iter().map(|field| array(field, before + rows, dice)).collect();
    RecordBatch::try_new(schema.clone(), columns).unwrap().slice(before, rows)
}

/// How the values of an array are distributed.
#[derive(Clone, Copy)]
enum Spread {
    Few,
    Steps,
    Any,
    Ends,
}

impl Spread {
    fn of(dice: &mut Dice) -> Self {
        [Spread::Few, Spread::Steps, Spread::Any, Spread::Ends][dice.below(4) as usize]
    }

    fn number(self, row: usize, dice: &mut Dice) -> i128 {
        match self {
            Spread::Few => i128::from(dice.below(5)) - 2,
            Spread::Steps => 1_000 * row as i128 + i128::from(dice.below(900)),
            Spread::Any => {
                let wide = i128::from(dice.roll()) << 64 | i128::from(dice.roll());
                wide >> dice.below(128)
            }
            Spread::Ends => [i128::MIN, i128::MAX, 0, -1, i128::from(i64::MIN), 1 << 31][dice.below(6) as usize],
        }
    }

    fn float(self, row: usize, dice: &mut Dice) -> f64 {
        match self {
            Spread::Few => [0.0, -0.0, 1.5, -2.25][dice.below(4) as usize],
            Spread::Steps => row as f64 / 8.0,
            Spread::Any => f64::from_bits(dice.roll()),
            Spread::Ends => [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 0.0][dice.below(4) as usize],
        }
    }
}

fn nulls(nullable: bool, rows: usize, dice: &mut Dice) -> Option<NullBuffer> {
    match dice.below(4) {
        _ if !nullable => None,
        0 => None,
        1 if dice.below(3) == 0 => Some(NullBuffer::new_null(rows)),
        _ => Some((0..rows).map(|_| dice.below(4) > 0).collect()),
    }
}

fn primitive<T: ArrowPrimitiveType>(
    nulls: Option<NullBuffer>,
    data_type: &DataType,
    values: impl Iterator<Item = T::Native>,
) -> ArrayRef {
    let array = PrimitiveArray::<T>::new(ScalarBuffer::from_iter(values), nulls);
    Arc::new(array.with_data_type(data_type.clone()))
}

fn array(field: &Field, rows: usize, dice: &mut Dice) -> ArrayRef {
    let nulls = nulls(field.is_nullable(), rows, dice);
    match field.data_type() {
        DataType::Struct(fields) => structs(fields, nulls, rows, dice),
        DataType::List(items) => {
            let (offsets, values) = elements(items, rows, dice);
            let offsets = OffsetBuffer::<i32>::from_lengths(offsets);
            Arc::new(ListArray::new(items.clone(), offsets, values, nulls))
        }
        DataType::LargeList(items) => {
            let (offsets, values) = elements(items, rows, dice);
            let offsets = OffsetBuffer::<i64>::from_lengths(offsets);
            Arc::new(LargeListArray::new(items.clone(), offsets, values, nulls))
        }
        leaf => leaves(leaf, nulls, rows, dice),
    }
}

fn structs(fields: &Fields, nulls: Option<NullBuffer>, rows: usize, dice: &mut Dice) -> ArrayRef {
    let columns = fields.iter().map(|field| array(field, rows, dice)).collect();
    Arc::new(StructArray::new(fields.clone(), columns, nulls))
}

/// Lists of up to four elements, those that are null among them, and behind them one more element
/// that belongs to none.
fn elements(items: &Field, rows: usize, dice: &mut Dice) -> (Vec<usize>, ArrayRef) {
    let lengths: Vec<usize> = (0..rows).map(|_| dice.below(5) as usize).collect();
    let values = array(items, lengths.iter().sum::<usize>() + 1, dice);
    (lengths, values)
}

fn leaves(data_type: &DataType, nulls: Option<NullBuffer>, rows: usize, dice: &mut Dice) -> ArrayRef {
    use TimeUnit::{Microsecond, Millisecond, Nanosecond};
    let spread = Spread::of(dice);
    let kind = [Texts::One, Texts::Few, Texts::Runs, Texts::Distinct, Texts::Thousands][dice.below(5) as usize];
    let mut texts = |row| text(kind, row, dice).unwrap_or_default();
    match data_type {
        DataType::Utf8 => return Arc::new(StringArray::from_iter(with(&nulls, rows, &mut texts))),
        DataType::LargeUtf8 => return Arc::new(LargeStringArray::from_iter(with(&nulls, rows, &mut texts))),
        DataType::Binary => return Arc::new(BinaryArray::from_iter(with(&nulls, rows, &mut texts))),
        DataType::LargeBinary => return Arc::new(LargeBinaryArray::from_iter(with(&nulls, rows, &mut texts))),
        _ => {}
    }
    let mut floats = |row| spread.float(row, dice);
    match data_type {
        DataType::Float32 => {
            return primitive::<Float32Type>(nulls, data_type, (0..rows).map(|row| floats(row) as f32));
        }
        DataType::Float64 => return primitive::<Float64Type>(nulls, data_type, (0..rows).map(floats)),
        _ => {}
    }
    let numbers = (0..rows).map(|row| spread.number(row, dice));
    macro_rules! numbers {
        ($($pattern:pat => $array:ty as $native:ty),* $(,)?) => {
            match data_type {
                $($pattern => primitive::<$array>(nulls, data_type, numbers.map(|number| number as $native)),)*
                DataType::Decimal128(precision, _) => {
                    let digits = 10_i128.pow((*precision).into());
                    primitive::<Decimal128Type>(nulls, data_type, numbers.map(|number| number % digits))
                }
                DataType::Boolean => {
                    Arc::new(BooleanArray::new(numbers.map(|number| number % 2 != 0).collect(), nulls))
                }
                DataType::FixedSizeBinary(16) => {
                    let bytes: Vec<u8> = numbers.flat_map(i128::to_be_bytes).collect();
                    Arc::new(FixedSizeBinaryArray::new(16, bytes.into(), nulls))
                }
                _ => Arc::new(NullArray::new(rows)),
            }
        };
    }
    numbers! {
        DataType::Int8 => Int8Type as i8,
        DataType::Int16 => Int16Type as i16,
        DataType::Int32 => Int32Type as i32,
        DataType::Int64 => Int64Type as i64,
        DataType::UInt8 => UInt8Type as u8,
        DataType::UInt16 => UInt16Type as u16,
        DataType::UInt32 => UInt32Type as u32,
        DataType::UInt64 => UInt64Type as u64,
        DataType::Date32 => Date32Type as i32,
        DataType::Time32(Millisecond) => Time32MillisecondType as i32,
        DataType::Time64(Microsecond) => Time64MicrosecondType as i64,
        DataType::Time64(Nanosecond) => Time64NanosecondType as i64,
        DataType::Timestamp(Millisecond, _) => TimestampMillisecondType as i64,
        DataType::Timestamp(Microsecond, _) => TimestampMicrosecondType as i64,
        DataType::Timestamp(Nanosecond, _) => TimestampNanosecondType as i64,
    }
}

fn with<V>(
    nulls: &Option<NullBuffer>,
    rows: usize,
    mut value: impl FnMut(usize) -> V,
) -> impl Iterator<Item = Option<V>> {
    (0..rows).map(move |row| nulls.as_ref().is_none_or(|nulls| nulls.is_valid(row)).then(|| value(row)))
}
