//! A value in its plain form: what a person expects to see, as JSON, with nothing lost that the
//! event had.

use std::borrow::Cow;

use super::binary;
use super::decimal;
use super::json::{self, Members};
use super::reason::Reason;
use super::time;
use super::types::Type;

/// The most bytes of an event in its plain form. A few bytes of an event may stand for many: zeros
/// of bits, or digits of a number.
const MOST: usize = 128 << 20;

/// Appends the plain form of the value `raw`, which is JSON. Without a type, it is the value.
///
/// # Errors
/// If the value is none of its type, or the text becomes longer than any event should.
pub fn write(raw: &str, ty: Option<&Type>, out: &mut String) -> Result<(), Reason> {
    if out.len() > MOST {
        return Err(Reason::TooLarge { most: MOST });
    }
    match ty {
        _ if raw == "null" => out.push_str(raw),
        None => json::push_compact(raw, out)?,
        Some(Type::Array(items)) => array(raw, items, out)?,
        Some(Type::Map(values)) => map(raw, values, out)?,
        Some(Type::Struct(columns)) => {
            let members = Members::read(raw, "value").map_err(|_| Reason::value("object"))?;
            object(&members, |at, name| columns.get(name, at).map(|column| &column.ty), out)?;
        }
        Some(ty) => scalar(raw, ty, out)?,
    }
    Ok(())
}

fn scalar(raw: &str, ty: &Type, out: &mut String) -> Result<(), Reason> {
    match ty {
        Type::Boolean if raw == "true" || raw == "false" => out.push_str(raw),
        Type::Boolean => return Err(Reason::value("boolean")),
        Type::Integer(bits) => {
            whole(raw, *bits)?;
            out.push_str(raw);
        }
        Type::Float(_) => float(raw, out)?,
        Type::Text | Type::Json | Type::ZonedTime | Type::ZonedTimestamp | Type::Interval => {
            string(raw, "text")?;
            json::push_compact(raw, out)?;
        }
        Type::Bytes => {
            bytes(raw, "base64")?;
            json::push_compact(raw, out)?;
        }
        Type::Bits(length) => json::push_text(&binary::bits(&bytes(raw, "bits")?, *length), out),
        Type::Decimal { scale, .. } => decimal(raw, *scale, out)?,
        Type::VariableScaleDecimal => variable(raw, out)?,
        // Where `time.precision.mode` is `isostring`, these are texts already.
        Type::Date | Type::Time(_) | Type::Timestamp(_) if raw.starts_with('"') => json::push_compact(raw, out)?,
        Type::Date => json::push_text(&time::date(whole(raw, 32).map_err(|_| Reason::value("date"))?), out),
        Type::Time(unit) => {
            let text = whole(raw, 64).ok().and_then(|units| time::time(units, *unit));
            json::push_text(&text.ok_or_else(|| Reason::value("time of day"))?, out);
        }
        Type::Timestamp(unit) => {
            let units = whole(raw, 64).map_err(|_| Reason::value("timestamp"))?;
            json::push_text(&time::timestamp(units, *unit), out);
        }
        Type::Duration(_) => {
            whole(raw, 64).map_err(|_| Reason::value("interval"))?;
            out.push_str(raw);
        }
        Type::Point => point(raw, out)?,
        Type::Geometry | Type::Other | Type::Array(_) | Type::Map(_) | Type::Struct(_) => json::push_compact(raw, out)?,
    }
    Ok(())
}

/// A whole number that fits into so many bits.
fn whole(raw: &str, bits: u32) -> Result<i64, Reason> {
    let number = json::integer(raw).map_err(|_| Reason::value("whole number"))?;
    let fits = bits >= 64 || (-(1 << (bits - 1))..1 << (bits - 1)).contains(&number);
    fits.then_some(number).ok_or_else(|| Reason::value("whole number of its width"))
}

/// A number as it is written, or the text of one that JSON cannot write.
fn float(raw: &str, out: &mut String) -> Result<(), Reason> {
    let is_number = raw.starts_with(|c: char| c == '-' || c.is_ascii_digit());
    if !is_number && !matches!(raw, "\"NaN\"" | "\"Infinity\"" | "\"-Infinity\"") {
        return Err(Reason::value("floating-point number"));
    }
    out.push_str(raw);
    Ok(())
}

/// A number as text. `decimal.format=NUMERIC` of Connect's converter sends a number in place of its
/// bytes.
fn decimal(raw: &str, scale: i32, out: &mut String) -> Result<(), Reason> {
    let text = match raw.starts_with('"') {
        true => decimal::text(&bytes(raw, "decimal")?, scale),
        false => {
            (raw.len() <= 1 << 20 && raw.starts_with(|c: char| c == '-' || c.is_ascii_digit())).then(|| raw.to_owned())
        }
    };
    json::push_text(&text.ok_or_else(|| Reason::value("decimal"))?, out);
    Ok(())
}

/// A number with its own scale.
fn variable(raw: &str, out: &mut String) -> Result<(), Reason> {
    let no = || Reason::value("decimal");
    let members = Members::read(raw, "value").map_err(|_| no())?;
    let scale = members.integer("scale").ok().flatten().and_then(|scale| i32::try_from(scale).ok()).ok_or_else(no)?;
    decimal(members.some("value").ok_or_else(no)?, scale, out)
}

/// The two coordinates. That the same point is there once more as WKB tells nothing.
fn point(raw: &str, out: &mut String) -> Result<(), Reason> {
    let members = Members::read(raw, "value").map_err(|_| Reason::value("point"))?;
    for (name, before) in [("x", "{\"x\":"), ("y", ",\"y\":")] {
        out.push_str(before);
        float(members.some(name).unwrap_or_default(), out).map_err(|_| Reason::value("point"))?;
    }
    out.push('}');
    Ok(())
}

fn array(raw: &str, items: &Type, out: &mut String) -> Result<(), Reason> {
    let elements = json::elements(raw).map_err(|_| Reason::value("array"))?;
    out.push('[');
    for (at, element) in elements.into_iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        write(element, Some(items), out)?;
    }
    out.push(']');
    Ok(())
}

/// An object; a map whose keys are no texts is an array of pairs, and stays that.
fn map(raw: &str, values: &Type, out: &mut String) -> Result<(), Reason> {
    if raw.starts_with('[') {
        return json::push_compact(raw, out);
    }
    let members = Members::read(raw, "value").map_err(|_| Reason::value("map"))?;
    object(&members, |_, _| Some(values), out)
}

fn object<'t>(
    members: &Members<'_>,
    ty: impl Fn(usize, &str) -> Option<&'t Type>,
    out: &mut String,
) -> Result<(), Reason> {
    out.push('{');
    for (at, (name, raw)) in members.0.iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        json::push_text(name, out);
        out.push(':');
        write(raw, ty(at, name), out)?;
    }
    out.push('}');
    Ok(())
}

fn string<'a>(raw: &'a str, expected: &'static str) -> Result<Cow<'a, str>, Reason> {
    match json::text(raw) {
        Err(Reason::Unlike { .. }) => Err(Reason::value(expected)),
        text => text,
    }
}

fn bytes(raw: &str, expected: &'static str) -> Result<Vec<u8>, Reason> {
    binary::decode(&string(raw, expected)?).ok_or_else(|| Reason::value(expected))
}
