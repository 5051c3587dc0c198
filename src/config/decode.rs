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

/// How keys and values are read.
pub(super) enum Decode {
    /// As JSON.
    Json,
    /// As Avro, with schemas from here.
    Avro(Service),
}

impl Decode {
    /// The registry, if there is one.
    pub(super) fn registry(self) -> Option<Service> {
        match self {
            Decode::Json => None,
            Decode::Avro(registry) => Some(registry),
        }
    }
}

/// Reads both sections.
pub(super) fn decode(source: &mut Section<'_>) -> Option<Decode> {
    let mut section = source.section("decode");
    let format =
        section.optional("format", Format::Json, |v| choice(v, &[("json", Format::Json), ("avro", Format::Avro)]));
    section.finish();
    let mut section = source.section("registry");
    let (format, is_given) = (format?, source.given("registry"));
    let service = is_given.then(|| {
        let service = service(&mut section, &ABOUT);
        section.finish();
        service
    });
    match (format, is_given) {
        (Format::Json, true) => {
            source.refuse("registry", "is for source.decode.format = \"avro\" only".to_owned());
            None
        }
        (Format::Avro, false) => {
            source.refuse("registry", "must be given: it says where the schemas of records in Avro are".to_owned());
            None
        }
        (Format::Json, false) => Some(Decode::Json),
        (Format::Avro, true) => service.flatten().map(Decode::Avro),
    }
}
