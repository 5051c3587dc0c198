//! A value, read as the type of its lake column has it.

use std::borrow::Cow;

use arrow_array::ArrayRef;

use super::super::json::{self, Members};
use super::super::reason::Reason;
use super::super::row::Field;
use super::super::types::{Type, Unit};
use super::super::{binary, decimal, time, value};
use super::column::Column;
use super::kind::LakeType;
use super::moment;
use super::rows::MOST_ROW;
use super::unfit::Odd;

/// A value on its way into a column. Texts are borrowed where they have no escapes.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value<'a> {
    Null,
    Boolean(bool),
    /// Whole numbers, days, and microseconds.
    Integer(i64),
    Float(f32),
    Double(f64),
    /// The digits, without the point.
    Decimal(i128),
    Text(Cow<'a, str>),
    Bytes(Vec<u8>),
    Point(f64, f64),
    List(Vec<Value<'a>>),
}

/// What a value takes at least, in bytes.
const LEAST: usize = size_of::<Value<'_>>();

/// Reads `raw`, which is JSON and means `ty`, as `of`. Without a type, `of` says what is meant.
/// There is `room` for so many bytes, of which it takes its own: a number of a few bytes may have
/// more than a hundred thousand digits.
pub(super) fn read<'a>(raw: &'a str, ty: Option<&Type>, of: &LakeType, room: &mut usize) -> Result<Value<'a>, Odd> {
    let value = if raw == "null" { Value::Null } else { read_some(raw, ty, of, room)? };
    let length = match &value {
        Value::Text(text) => text.len(),
        Value::Bytes(bytes) => bytes.len(),
        _ => 0,
    };
    *room = room.checked_sub(LEAST + length).ok_or(Odd::Event(Reason::TooLarge { most: MOST_ROW }))?;
    Ok(value)
}

/// Whether the value of `field` is a number with more digits than `of` has.
pub fn exceeds(field: &Field<'_, '_>, of: &LakeType) -> bool {
    let ty = field.column.map(|column| &column.ty);
    !field.is_unavailable() && matches!(read(field.raw, ty, of, &mut MOST_ROW.clone()), Err(Odd::Bounds))
}

/// The one value of an array, as PostgreSQL's JSON has it; none if it is none of `of`.
pub fn value_of(raw: &str, of: &LakeType) -> Option<ArrayRef> {
    let mut column = Column::new(of);
    column.push(&read(raw, None, of, &mut MOST_ROW.clone()).ok()?);
    Some(column.finish())
}

fn read_some<'a>(raw: &'a str, ty: Option<&Type>, of: &LakeType, room: &mut usize) -> Result<Value<'a>, Odd> {
    Ok(match of {
        LakeType::Boolean => match raw {
            "true" => Value::Boolean(true),
            "false" => Value::Boolean(false),
            _ => return Err(Odd::Type("boolean")),
        },
        LakeType::Integer(bits) => Value::Integer(integer(raw, *bits)?),
        LakeType::Float => Value::Float(float(raw)?),
        // Its digits are the shortest that mean a number of 32 bits, and mean another of 64.
        LakeType::Double if matches!(ty, Some(Type::Float(32))) => Value::Double(float::<f32>(raw)?.into()),
        LakeType::Double => Value::Double(float(raw)?),
        LakeType::Decimal(precision, scale) => Value::Decimal(number(raw, ty, *precision, *scale)?),
        LakeType::Text => Value::Text(text(raw, ty)?),
        LakeType::Bytes => Value::Bytes(binary::decode(&string(raw, "base64")?).ok_or(Odd::Type("base64"))?),
        LakeType::Date if raw.starts_with('"') => Value::Integer(moment::date_of_text(&string(raw, "date")?)?),
        LakeType::Date => Value::Integer(moment::date(json::integer(raw).map_err(|_| Odd::Type("date"))?)?),
        LakeType::Timestamp { .. } => Value::Integer(timestamp(raw, ty)?),
        LakeType::Point => point(raw)?,
        LakeType::List(items) => {
            let elements = json::elements(raw).map_err(|_| Odd::Type("array"))?;
            let ty = match ty {
                Some(Type::Array(items)) => Some(&**items),
                _ => None,
            };
            Value::List(elements.into_iter().map(|element| read(element, ty, items, room)).collect::<Result<_, _>>()?)
        }
    })
}

fn integer(raw: &str, bits: u32) -> Result<i64, Odd> {
    let number = json::integer(raw).map_err(|_| Odd::Type("whole number of 64 bits"))?;
    let is_in = match bits {
        8 => i8::try_from(number).is_ok(),
        16 => i16::try_from(number).is_ok(),
        32 => i32::try_from(number).is_ok(),
        _ => true,
    };
    if is_in { Ok(number) } else { Err(Odd::Bounds) }
}

/// A binary number. Debezium writes the shortest digits that mean it, so nothing is rounded.
trait Binary: std::str::FromStr + Copy {
    const NAN: Self;
    const INFINITY: Self;
    const MINUS_INFINITY: Self;
    fn is_finite(self) -> bool;
}

impl Binary for f32 {
    const NAN: f32 = f32::NAN;
    const INFINITY: f32 = f32::INFINITY;
    const MINUS_INFINITY: f32 = f32::NEG_INFINITY;
    fn is_finite(self) -> bool {
        f32::is_finite(self)
    }
}

impl Binary for f64 {
    const NAN: f64 = f64::NAN;
    const INFINITY: f64 = f64::INFINITY;
    const MINUS_INFINITY: f64 = f64::NEG_INFINITY;
    fn is_finite(self) -> bool {
        f64::is_finite(self)
    }
}

fn float<F: Binary>(raw: &str) -> Result<F, Odd> {
    match raw {
        "\"NaN\"" => Ok(F::NAN),
        "\"Infinity\"" => Ok(F::INFINITY),
        "\"-Infinity\"" => Ok(F::MINUS_INFINITY),
        // Other texts of Rust's floats, such as "inf", are no JSON.
        _ => raw.parse::<F>().ok().filter(|number| number.is_finite()).ok_or(Odd::Type("floating-point number")),
    }
}

/// The digits of a number with `scale` of them after the point.
fn number(raw: &str, ty: Option<&Type>, precision: u8, scale: i8) -> Result<i128, Odd> {
    const EXPECTED: Odd = Odd::Type("decimal");
    let digits = match ty {
        Some(Type::Decimal { scale: from, .. }) if raw.starts_with('"') => {
            let bytes = binary::decode(&string(raw, "decimal")?).ok_or(Odd::Type("decimal"))?;
            if let Some(digits) = small(&bytes).filter(|_| *from == i32::from(scale)) {
                return within(digits, precision).ok_or(Odd::Bounds);
            }
            Cow::Owned(decimal::text(&bytes, *from).ok_or(Odd::Type("decimal"))?)
        }
        Some(ty @ Type::VariableScaleDecimal) => text(raw, Some(ty))?,
        _ if raw.starts_with('"') => string(raw, "decimal")?,
        _ => Cow::Borrowed(raw),
    };
    match &*digits {
        // PostgreSQL's words, and Debezium's for them.
        "NaN" | "NAN" => Err(Odd::Unrepresentable("NaN")),
        "Infinity" | "POSITIVE_INFINITY" => Err(Odd::Unrepresentable("Infinity")),
        "-Infinity" | "NEGATIVE_INFINITY" => Err(Odd::Unrepresentable("-Infinity")),
        // Where a text is told, numbers arrive so, and this is none: the column is a text by now.
        digits if !is_number(digits) => Err(if ty == Some(&Type::Text) { Odd::Bounds } else { EXPECTED }),
        digits => unscaled(digits, scale).and_then(|digits| within(digits, precision)).ok_or(Odd::Bounds),
    }
}

/// Whether these are digits, with a sign or a point among them.
fn is_number(digits: &str) -> bool {
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let magnitude = whole.strip_prefix('-').unwrap_or(whole);
    !magnitude.is_empty() && magnitude.bytes().chain(fraction.bytes()).all(|b| b.is_ascii_digit())
}

/// A big-endian integer in two's complement that fits into 128 bits.
fn small(bytes: &[u8]) -> Option<i128> {
    let first = *bytes.first()?;
    let fill = if first >= 0x80 { 0xff } else { 0 };
    let mut all = [fill; 16];
    all.get_mut(16_usize.checked_sub(bytes.len())?..)?.copy_from_slice(bytes);
    Some(i128::from_be_bytes(all))
}

/// The digits of a number without its point, if it needs no more of them after it.
fn unscaled(digits: &str, scale: i8) -> Option<i128> {
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let magnitude = whole.strip_prefix('-').unwrap_or(whole);
    let behind = usize::try_from(scale).ok()?;
    let (kept, beyond) = fraction.split_at_checked(behind).unwrap_or((fraction, ""));
    if beyond.bytes().any(|digit| digit != b'0') {
        return None;
    }
    let add = |sum: i128, digit: u8| sum.checked_mul(10)?.checked_add(i128::from(digit - b'0'));
    let digits = magnitude.bytes().chain(kept.bytes()).chain(std::iter::repeat_n(b'0', behind - kept.len()));
    let number = digits.into_iter().try_fold(0, add)?;
    Some(if whole.starts_with('-') { -number } else { number })
}

fn within(digits: i128, precision: u8) -> Option<i128> {
    let most = 10_u128.checked_pow(u32::from(precision))?;
    (digits.unsigned_abs() < most).then_some(digits)
}

fn timestamp(raw: &str, ty: Option<&Type>) -> Result<i64, Odd> {
    const EXPECTED: &str = "timestamp";
    if raw.starts_with('"') {
        return moment::timestamp_of_text(&string(raw, EXPECTED)?, EXPECTED);
    }
    // Without its unit, a number is no moment.
    let Some(Type::Timestamp(unit)) = ty else { return Err(Odd::Type(EXPECTED)) };
    moment::timestamp(json::integer(raw).map_err(|_| Odd::Type(EXPECTED))?, *unit)
}

fn point<'a>(raw: &str) -> Result<Value<'a>, Odd> {
    let members = Members::read(raw, "value").map_err(|_| Odd::Type("point"))?;
    let of = |name: &str| float(members.some(name).unwrap_or_default()).map_err(|_| Odd::Type("point"));
    Ok(Value::Point(of("x")?, of("y")?))
}

/// The value as a text: itself if it is one, or what PostgreSQL would show.
fn text<'a>(raw: &'a str, ty: Option<&Type>) -> Result<Cow<'a, str>, Odd> {
    match ty {
        Some(Type::Text | Type::Json | Type::ZonedTime | Type::ZonedTimestamp | Type::Interval) => string(raw, "text"),
        Some(Type::Time(unit)) if !raw.starts_with('"') => {
            let units = json::integer(raw).map_err(|_| Odd::Type("time of day"))?;
            time_of_day(units, *unit).map(Cow::Owned).ok_or(Odd::Type("time of day"))
        }
        None if raw.starts_with('"') => string(raw, "text"),
        ty => {
            let mut plain = String::new();
            value::write(raw, ty, &mut plain)?;
            match plain.starts_with('"') {
                true => Ok(Cow::Owned(json::text(&plain)?.into_owned())),
                false => Ok(Cow::Owned(plain)),
            }
        }
    }
}

/// `HH:MM:SS`, with six digits behind if it is not whole, and nine if these are not enough.
fn time_of_day(units: i64, unit: Unit) -> Option<String> {
    let text = time::time(units, unit)?;
    let (whole, fraction) = text.split_once('.')?;
    Some(match fraction.trim_end_matches('0') {
        "" => whole.to_owned(),
        digits if digits.len() <= 6 => format!("{whole}.{digits:0<6}"),
        _ => text,
    })
}

fn string<'a>(raw: &'a str, expected: &'static str) -> Result<Cow<'a, str>, Odd> {
    json::text(raw).map_err(|reason| match reason {
        Reason::Unlike { .. } => Odd::Type(expected),
        other => Odd::Event(other),
    })
}

#[cfg(test)]
mod tests {
    use arrow_array::cast::AsArray;
    use arrow_array::types::Int32Type;

    use super::*;

    fn read<'a>(raw: &'a str, ty: Option<&Type>, of: &LakeType) -> Result<Value<'a>, Odd> {
        super::read(raw, ty, of, &mut MOST_ROW.clone())
    }

    #[test]
    fn a_few_bytes_do_not_become_more_than_a_row_may_have() {
        let number = "{\"scale\":-131000,\"value\":\"AQ==\"}";
        let ty = Type::Array(Box::new(Type::VariableScaleDecimal));
        let of = LakeType::List(Box::new(LakeType::Text));
        let raw = |count: usize| format!("[{}]", vec![number; count].join(","));
        assert!(read(&raw(3), Some(&ty), &of).is_ok());
        assert_eq!(read(&raw(1000), Some(&ty), &of), Err(Odd::Event(Reason::TooLarge { most: MOST_ROW })));
    }

    #[test]
    fn one_value_is_an_array_of_one() {
        let number = value_of("5", &LakeType::Integer(32)).expect("a value");
        assert_eq!(number.as_primitive::<Int32Type>().values(), &[5]);
        let text = value_of("1.50", &LakeType::Text).expect("a value");
        assert_eq!(text.as_string::<i32>().value(0), "1.50");
        assert!(value_of("\"x\"", &LakeType::Boolean).is_none());
    }

    #[test]
    fn decimals_keep_every_digit_or_are_none() {
        let of = |raw: &str| number(raw, None, 5, 2);
        assert_eq!(
            (of("\"10.50\""), of("\"-0.01\""), of("7"), of("\"999.99\"")),
            (Ok(1050), Ok(-1), Ok(700), Ok(99_999))
        );
        assert_eq!(of("\"1.2000\""), Ok(120), "zeros need no room");
        for raw in ["\"1000.00\"", "\"-0.001\"", "1000"] {
            assert_eq!(of(raw), Err(Odd::Bounds), "{raw}");
        }
        let of_text = |raw: &str| number(raw, Some(&Type::Text), 5, 2);
        assert_eq!([of_text("\"cheap\""), of_text("\"1.5\"")], [Err(Odd::Bounds), Ok(150)]);
        for raw in ["\"\"", "\"-\"", "\"1e2\"", "\".5\"", "\"1.2.3\"", "\" 1\"", "\"+1\"", "{}"] {
            assert!(matches!(of(raw), Err(Odd::Type(_))), "{raw}");
        }
        assert_eq!(of("\"NaN\""), Err(Odd::Unrepresentable("NaN")));
        let most = "9".repeat(38);
        assert_eq!(number(&format!("\"{most}\""), None, 38, 0), Ok(10_i128.pow(38) - 1));
        assert!(number(&format!("\"{most}0\""), None, 38, 0).is_err());
    }

    #[test]
    fn decimals_of_bytes_change_their_scale_without_rounding() {
        let of = |scale| number("\"BBo=\"", Some(&Type::Decimal { scale, precision: None }), 6, 2);
        assert_eq!((of(2), of(1), of(0)), (Ok(1050), Ok(10_500), Ok(105_000)));
        assert_eq!(of(3), Ok(105), "1.050");
        assert!(of(4).is_err(), "0.1050 has a digit too many");
        assert_eq!((small(&[0xff]), small(&[0x80]), small(&[]), small(&[0; 17])), (Some(-1), Some(-128), None, None));
    }

    #[test]
    fn times_of_day_have_the_digits_that_they_need() {
        assert_eq!(time_of_day(0, Unit::Micros).as_deref(), Some("00:00:00"));
        assert_eq!(time_of_day(123, Unit::Millis).as_deref(), Some("00:00:00.123000"));
        assert_eq!(time_of_day(86_400_000_000, Unit::Micros).as_deref(), Some("24:00:00"));
        assert_eq!(time_of_day(1_000, Unit::Nanos).as_deref(), Some("00:00:00.000001"));
        assert_eq!(time_of_day(1, Unit::Nanos).as_deref(), Some("00:00:00.000000001"));
    }

    #[test]
    fn numbers_that_only_a_float_would_take_are_none() {
        assert!(matches!(read("1e400", None, &LakeType::Double), Err(Odd::Type(_))));
        assert!(matches!(read("1e39", None, &LakeType::Float), Err(Odd::Type(_))));
        assert_eq!(read("0.1", None, &LakeType::Float), Ok(Value::Float(0.1)));
        assert_eq!(read("0.1", None, &LakeType::Double), Ok(Value::Double(0.1)));
        assert_eq!(read("0.1", Some(&Type::Float(32)), &LakeType::Double), Ok(Value::Double(f64::from(0.1_f32))));
        assert_eq!(read("128", None, &LakeType::Integer(8)), Err(Odd::Bounds));
        assert!(matches!(read("0", Some(&Type::Integer(32)), &LakeType::Boolean), Err(Odd::Type(_))), "never false");
    }
}
