//! `[source.decode]` and `[source.registry]`: what form keys and values of records have, and where
//! their schemas are.

use std::time::Duration;

use lakefront_operators::web::Service;

use super::raw::Section;
use super::service::{About, service};
use super::values::choice;

/// The section with the schema registry.
pub(super) const REGISTRY: &str = "source.registry";
const ABOUT: About = About {
    section: REGISTRY,
    what: "schema registry",
    example: "http://localhost:8081",
    timeout: Duration::from_secs(10),
    has_token: true,
};

/// The form of keys and values.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Format {
    Json,
    Avro,
}

/// Reads both sections; `Some(None)` if nothing is in Avro.
pub(super) fn registry(source: &mut Section<'_>) -> Option<Option<Service>> {
    let mut section = source.section("decode");
    let format =
        section.optional("format", Format::Json, |v| choice(v, &[("json", Format::Json), ("avro", Format::Avro)]));
    section.finish();
    let mut section = source.section("registry");
    let (format, is_given) = (format?, source.given("registry"));
    match format {
        Format::Json if is_given => {
            source.refuse("registry", "is for source.decode.format = \"avro\" only".to_owned());
        }
        Format::Avro if !is_given => {
            source.refuse("registry", "must be given: it says where the schemas of records in Avro are".to_owned());
        }
        Format::Json | Format::Avro => {}
    }
    if !is_given {
        return Some(None);
    }
    let service = service(&mut section, &ABOUT);
    section.finish();
    service.map(Some)
}
