//! The recorded workload as a converter of Avro has written it: the same changes as in JSON.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::Value;

use super::super::binary;
use super::super::typed::{LakeColumn, Novelty, Plan};
use super::super::{Columned, Event, Header, Part, Record, Schemas, Texts};
use super::*;
use crate::format::avro::Schema;

/// The schemas that the registry had.
pub(in crate::format::debezium) fn schemas() -> Schemas {
    let line = |line: &str| {
        let line: Value = serde_json::from_str(line).expect("JSON");
        let schema = Schema::parse(&line["schema"].to_string(), &[]).expect("a schema");
        let id = line["id"].as_u64().and_then(|id| u32::try_from(id).ok()).expect("an id");
        (id, Ok(Arc::new(Columned::from(schema))))
    };
    sample("avro_schemas").lines().map(line).collect()
}

/// A recorded record.
struct Recorded {
    topic: String,
    key: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
    headers: Vec<(String, String)>,
}

fn recorded() -> Vec<Recorded> {
    let bytes = |value: &Value| value.as_str().map(|text| binary::decode(text).expect("base64"));
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let header = |header: &Value| {
        let value = String::from_utf8(bytes(&header["value"]).expect("a value")).expect("text");
        (text(&header["key"]), value)
    };
    let line = |line: &str| {
        let line: Value = serde_json::from_str(line).expect("JSON");
        let headers = line["headers"].as_array().expect("headers").iter().map(header).collect();
        Recorded { topic: text(&line["topic"]), key: bytes(&line["key"]), value: bytes(&line["value"]), headers }
    };
    sample("avro").lines().map(line).collect()
}

impl Recorded {
    /// Calls `each` with the record, as it is decoded.
    fn with<T>(&self, schemas: Option<&Schemas>, each: impl FnOnce(&Record<'_>) -> T) -> Result<T, Reason> {
        let mut texts = Texts::default();
        let [key, value] = texts.read([self.key.as_deref(), self.value.as_deref()], schemas)?;
        let headers = self.headers.iter().map(|(name, value)| Header { name, value }).collect();
        Ok(each(&Record { topic: Some(&self.topic), key, value, headers, ..Record::default() }))
    }
}

/// What a change says of rows, without the time and place of its recording. Numbers with a point
/// are compared as numbers: two writers need not write as many digits.
fn of_rows(plain: &str) -> String {
    let event: Value = serde_json::from_str(plain).expect("JSON");
    let part = |name: &str| event[name].clone();
    let mut row = [part("operation"), part("table"), part("data"), part("before"), part("primary_key")];
    for value in row.iter_mut().filter_map(Value::as_object_mut).flat_map(|row| row.values_mut()) {
        // A column's default, now(), which is the day of the recording.
        if value.as_str().is_some_and(|text| text.starts_with("2026-11-")) {
            *value = Value::from("now");
        }
        if let Some(number) = value.as_f64().filter(|_| !value.is_i64()) {
            *value = Value::from(format!("{number:e}"));
        }
    }
    Value::from(row.to_vec()).to_string()
}

#[test]
fn changes_in_avro_are_those_in_json() {
    let (schemas, mut decoder) = (schemas(), Decoder::default());
    let (mut avro, mut others) = (Vec::new(), HashMap::new());
    for recorded in recorded() {
        let told = recorded.with(Some(&schemas), |record| match decoder.decode(record).expect("an event") {
            Decoded::Boundary(_) => Told::Boundary,
            Decoded::Aside(aside) => Told::Aside(aside),
            Decoded::Event(event) => {
                let mut plain = String::new();
                write_plain(&event, record, &mut plain).expect("a plain form");
                Told::Plain(plain)
            }
        });
        match told.expect("values of their schemas") {
            Told::Plain(plain) => avro.push(of_rows(&plain)),
            other => *others.entry(format!("{other:?}")).or_insert(0) += 1,
        }
    }
    let mut json: Vec<String> = plain(&sample("envelope_schema")).iter().map(|plain| of_rows(plain)).collect();
    // Avro's names have no other letters than these; Connect's converter replaces them.
    let names = |text: &String| text.replace("weird col!", "weird_col_").replace("sélect", "s_lect");
    json = json.iter().map(names).collect();
    avro.sort();
    json.sort();
    assert_eq!(avro.len(), json.len());
    for (avro, json) in avro.iter().zip(&json) {
        assert_eq!(avro, json);
    }
    let count = |told: Told| others.get(&format!("{told:?}")).copied().unwrap_or_default();
    let aside = |kind| count(Told::Aside(kind));
    assert_eq!([count(Told::Boundary), aside(Aside::Heartbeat), aside(Aside::Message)], [6, 2, 2]);
    assert_eq!(aside(Aside::Tombstone), 13);
}

#[test]
fn columns_in_avro_have_the_types_of_those_in_json() {
    let columns = |event: &Event<'_>| {
        let mut columns = Vec::new();
        for novelty in Plan::new(&[], event.after.as_ref().expect("a row")).novelties() {
            let Novelty::Added { name, of: Some(of) } = novelty else { panic!("{novelty:?}") };
            columns.push(LakeColumn { name: name.clone(), of: of.clone(), as_text: false });
        }
        columns
    };
    let (schemas, mut decoder, mut avro) = (schemas(), Decoder::default(), None);
    for recorded in recorded().iter().filter(|recorded| recorded.topic == "lake.public.typezoo") {
        let _ = recorded.with(Some(&schemas), |record| match decoder.decode(record).expect("an event") {
            Decoded::Event(event) if event.after.is_some() => avro = Some(columns(&event)),
            _ => {}
        });
    }
    let (mut decoder, mut json) = (Decoder::default(), None);
    for line in sample("envelope_schema").lines().filter(|line| line.contains("\"topic\":\"lake.public.typezoo\"")) {
        let line = Line::read(line.as_bytes()).expect("a line");
        if let Decoded::Event(event) = decoder.decode(&line.record()).expect("an event")
            && event.after.is_some()
        {
            json = Some(columns(&event));
        }
    }
    assert!(avro.as_ref().is_some_and(|columns| columns.len() > 60), "{avro:?}");
    assert_eq!(avro, json);
}

#[test]
fn a_record_that_cannot_be_read_says_what_it_lacks() {
    let all = recorded();
    let record = all.iter().find(|recorded| recorded.topic == "lake.public.orders").expect("an order");
    let why = |schemas: Option<&Schemas>| record.with(schemas, |_| ()).expect_err("it lacks something").to_string();
    assert!(why(None).contains("set source.decode.format = \"avro\""), "{}", why(None));
    let mut schemas = schemas();
    let id = crate::format::avro::framed(record.value.as_deref().expect("a value")).expect("an id").0;
    schemas.insert(id, Err("which the schema registry at http://r does not have".into()));
    assert_eq!(
        why(Some(&schemas)),
        format!("the value is in Avro, with schema {id}, which the schema registry at http://r does not have")
    );
    // Another registry's schema of the same id.
    let other = Schema::parse("\"int\"", &[]).expect("a schema");
    schemas.insert(id, Ok(Arc::new(other.into())));
    assert!(why(Some(&schemas)).starts_with(&format!("the value is no value of its Avro schema {id}: ")));
}

#[test]
fn a_number_of_eight_bytes_may_be_a_key() {
    let mut texts = Texts::default();
    let schemas = schemas();
    for schemas in [None, Some(&schemas)] {
        let read = texts.read([Some(&[0, 0, 0, 0, 0, 0, 0, 5]), Some(b"{}")], schemas);
        assert_eq!(read.map(|[_, value]| value), Ok(Part::Text("{}")));
    }
    let wide = Texts::default().read([None, Some(&[0, 0, 0, 0, 0, 0, 0, 0, 5, 2])], Some(&schemas)).map(drop);
    assert!(wide.is_err_and(|why| why.to_string().contains("as-confluent = true")));
}

#[test]
fn a_schema_that_would_unfold_without_end_is_read_at_once() {
    let level = |at: usize| {
        let of = if at == 0 { "\"int\"".to_owned() } else { format!("\"R{}\"", at - 1) };
        format!(
            r#"{{"type":"record","name":"R{at}","fields":[{{"name":"a","type":{of}}},{{"name":"b","type":{of}}}]}}"#
        )
    };
    let mut others: Vec<String> = (0..40).map(level).collect();
    let last = others.pop().expect("a level");
    let _ = Columned::from(Schema::parse(&last, &others).expect("a schema"));
    let itself =
        r#"{"type":"record","name":"L","fields":[{"name":"a","type":["null","L"]},{"name":"b","type":["null","L"]}]}"#;
    let _ = Columned::from(Schema::parse(itself, &[]).expect("a schema"));
}

#[test]
fn no_bytes_make_it_panic() {
    let (schemas, mut decoder) = (schemas(), Decoder::default());
    for recorded in recorded().iter().step_by(3) {
        let Some(value) = &recorded.value else { continue };
        for end in (5..value.len().min(600)).step_by(7) {
            let cut =
                Recorded { value: Some(value[..end].to_vec()), key: None, topic: String::new(), headers: Vec::new() };
            assert!(cut.with(Some(&schemas), |_| ()).is_err(), "a part of a value is none");
            let mut bytes = value.clone();
            bytes[end] ^= 0x55;
            let spoilt = Recorded { value: Some(bytes), ..cut };
            let _ = spoilt.with(Some(&schemas), |record| decoder.decode(record).map(drop));
        }
    }
}
