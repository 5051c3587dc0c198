//! What a line that is no row looks like.

use super::*;
use crate::format::logs::settings::Envelope;

fn looks(format: Format, text: &str, reason: Reason) -> Option<Looks> {
    Looks::like(text.as_bytes(), reason, &RowSettings { format, ..RowSettings::example() })
}

#[test]
fn a_line_that_is_no_row_looks_like_something() {
    use Format::{Azure, Jsonlog};
    use Reason::{InvalidJson, NotAnObject, UnknownShape};
    let cases = [
        (Azure, "{", InvalidJson, Some(Looks::Document)),
        (Azure, "  \"properties\": {", InvalidJson, Some(Looks::Document)),
        (Azure, "\"records\": [\r", InvalidJson, Some(Looks::Document)),
        (Azure, r#"{"time":"2026-11-21T07:00:01Z","properties":{"#, InvalidJson, None),
        (Azure, "}", InvalidJson, None),
        (Azure, "[{}]", NotAnObject, Some(Looks::Closed(Shape::Array))),
        (Azure, "7", NotAnObject, None),
        (Azure, r#"{"records":[]}"#, UnknownShape, Some(Looks::Closed(Shape::Records))),
        (Jsonlog, r#"{"textPayload":"LOG: x"}"#, UnknownShape, Some(Looks::Closed(Shape::GoogleCloud))),
        (Jsonlog, r#"{"properties":{"message":"m"}}"#, UnknownShape, Some(Looks::Of(Azure))),
        (Azure, r#"{"message":"m","pid":1}"#, UnknownShape, Some(Looks::Of(Jsonlog))),
        (Azure, r#"{"TenantId":"0f0f"}"#, UnknownShape, Some(Looks::Strange)),
        (Azure, r#"{"time":1}"#, Reason::WrongType, None),
    ];
    for (format, text, reason, expected) in cases {
        assert_eq!(looks(format, text, reason), expected, "{text}");
    }
}

#[test]
fn the_beginning_of_a_file_tells_what_it_is() {
    let bytes = b"\xef\xbb\xbf{\"Region\":\"a\"}\r\n\n[{\"Region\":\"a\"},7]\n{\n\xff\n{\"torn";
    let settings = RowSettings { envelope: Envelope::Auto, ..RowSettings::example() };
    let looked = Looked::at(bytes, &settings);
    assert_eq!((looked.rows, looked.rejects, looked.looks), (2, 3, vec![Looks::Document]));
    assert_eq!(looked.opened.of(Shape::Array).records, 2);
    let looked = Looked::at(bytes, &RowSettings::example());
    assert_eq!(looked.looks, [Looks::Closed(Shape::Array), Looks::Document], "opened only if the settings say so");
    assert_eq!(Looked::at(b"{\"Region\":\"a\"}", &RowSettings::example()), Looked::default());
}
