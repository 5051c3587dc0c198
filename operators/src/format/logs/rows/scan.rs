//! The scan of any line: from text to the raw JSON text of each column, and the unknown keys.
//!
//! The whole line is checked against the grammar, but values are only delimited here, neither
//! decoded nor judged. So the last of duplicate keys wins without the earlier ones being judged,
//! and a value costs one pass. Values are skipped iteratively: nesting, however deep, costs no
//! stack. Keys of the line and of `properties` are decoded, and so is a `properties` that is a
//! string or a number: if that is impossible (half a surrogate pair, a number beyond any float),
//! the line is not JSON, even if a later `properties` replaces the value.
//!
//! Most lines never come here, see `trail`. This file decides about the others, and so about every
//! line that is rejected because it is not JSON, not an object, or has a `properties` of a wrong
//! type.

use std::borrow::Cow;
use std::fmt;

use serde::Deserializer;
use serde::de::{DeserializeSeed, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::format::logs::record::Reason;

use super::columns::{Filled, Keys, Scope};
use super::line::{Known, Line, Raw, ScanRules};
use super::rest::Rest;
use super::wrapper::Hints;

/// Scans `text`. Unknown keys go to `rest`, unless they are dropped.
pub(super) fn scan<'line>(text: &'line str, rules: ScanRules, rest: &mut Rest) -> Result<Line<'line>, Reason> {
    rest.clear();
    let mut line = Line::empty();
    if !text.trim_start_matches([' ', '\t', '\n', '\r']).starts_with('{') {
        let is_json = serde_json::from_str::<IgnoredAny>(text).is_ok();
        return Err(if is_json { Reason::NotAnObject } else { Reason::InvalidJson });
    }
    let mut parser = serde_json::Deserializer::from_str(text);
    let object = Object { scope: Scope::Top, rules, line: &mut line, rest };
    object.deserialize(&mut parser).and_then(|()| parser.end()).map_err(|_| Reason::InvalidJson)?;
    Ok(line)
}

/// The object of one scope; deserializing it fills the line.
struct Object<'a, 'line> {
    scope: Scope,
    rules: ScanRules,
    line: &'a mut Line<'line>,
    rest: &'a mut Rest,
}

impl<'line> Object<'_, 'line> {
    fn keys(&self) -> &Keys {
        match self.scope {
            Scope::Top => &self.rules.layout.top,
            Scope::Properties => &self.rules.layout.properties,
        }
    }

    fn unknown<M: MapAccess<'line>>(&mut self, name: &str, map: &mut M) -> Result<(), M::Error> {
        let value: &RawValue = map.next_value()?;
        self.line.hints |= Hints::of(self.scope, name);
        self.rules.unknown(self.rest, self.scope, name, value.get());
        Ok(())
    }

    /// The object of a `properties`; the values of an earlier `properties` are forgotten.
    fn properties(&mut self) -> Object<'_, 'line> {
        for (value, column) in self.line.values.iter_mut().zip(self.rules.layout.columns) {
            if column.scope == Scope::Properties {
                *value = None;
            }
        }
        self.line.properties_mistyped = None;
        self.rest.begin_properties();
        Object { scope: Scope::Properties, rules: self.rules, line: self.line, rest: self.rest }
    }

    fn mistyped<E>(self, found: &'static str) -> Result<(), E> {
        self.line.properties_mistyped = Some(found);
        Ok(())
    }
}

impl<'line> DeserializeSeed<'line> for Object<'_, 'line> {
    type Value = ();

    fn deserialize<D: Deserializer<'line>>(self, parser: D) -> Result<(), D::Error> {
        parser.deserialize_any(self)
    }
}

/// The line itself is known to be an object; the methods other than `visit_map` are for a
/// `properties` that is not an object.
impl<'line> Visitor<'line> for Object<'_, 'line> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("any value")
    }

    fn visit_map<M: MapAccess<'line>>(mut self, mut map: M) -> Result<(), M::Error> {
        while let Some(key) = map.next_key_seed(Key(self.keys()))? {
            match key {
                Ok(Filled::Column(place)) => {
                    let text = map.next_value::<&RawValue>()?.get();
                    self.line.values[place] = Some(Raw { text, known: Known::Nothing });
                }
                Ok(Filled::Properties) => map.next_value_seed(self.properties())?,
                Err(unknown) => self.unknown(&unknown, &mut map)?,
            }
        }
        Ok(())
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<(), E> {
        self.mistyped("boolean")
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<(), E> {
        self.mistyped("number")
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<(), E> {
        self.mistyped("number")
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<(), E> {
        self.mistyped("number")
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<(), E> {
        self.mistyped("string")
    }

    fn visit_seq<S: SeqAccess<'line>>(self, mut elements: S) -> Result<(), S::Error> {
        while elements.next_element::<IgnoredAny>()?.is_some() {}
        self.mistyped("array")
    }
}

/// Looks up a key while the parser still holds it: what it fills, or else its name.
struct Key<'a>(&'a Keys);

impl<'line> DeserializeSeed<'line> for Key<'_> {
    type Value = Result<Filled, Cow<'line, str>>;

    fn deserialize<D: Deserializer<'line>>(self, parser: D) -> Result<Self::Value, D::Error> {
        parser.deserialize_str(self)
    }
}

impl<'line> Visitor<'line> for Key<'_> {
    type Value = Result<Filled, Cow<'line, str>>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a key")
    }

    fn visit_borrowed_str<E: Error>(self, key: &'line str) -> Result<Self::Value, E> {
        Ok(self.0.find(key).ok_or(Cow::Borrowed(key)))
    }

    fn visit_str<E: Error>(self, key: &str) -> Result<Self::Value, E> {
        Ok(self.0.find(key).ok_or_else(|| Cow::Owned(key.to_owned())))
    }
}
