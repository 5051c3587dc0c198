//! Which objects are wrappers, and what they hold.

use super::super::columns::layout;
use super::*;
use crate::format::logs::settings::Format;

fn shape(text: &str, format: Format) -> Option<(Option<Shape>, String)> {
    Some(match Wrapper::find(text, layout(format))? {
        Found::Batch(array) => (None, array.to_owned()),
        Found::Wrapper(wrapper) => (Some(wrapper.shape), wrapper.record().expect("no half pair").into_owned()),
    })
}

#[test]
fn a_wrapper_holds_one_record_and_no_key_of_the_format() {
    use Format::{Azure, Jsonlog};
    let told = |shape, record: &str| Some((shape, record.to_owned()));
    let cases = [
        (Azure, r#"{"records":[1]}"#, told(None, "[1]")),
        (Azure, r#"{"records":[1],"x":1}"#, None),
        (Azure, r#"{"records":{}}"#, None),
        (Jsonlog, r#"{"ts":1,"record":{"a":1}}"#, told(Some(Shape::CloudNativePg), r#"{"a":1}"#)),
        (Jsonlog, r#"{"record":{},"record":{}}"#, None),
        (Jsonlog, r#"{"record":{},"message":"m"}"#, None),
        (Jsonlog, r#"{"record":[]}"#, None),
        (Jsonlog, r#"{"jsonPayload":{},"timestamp":"t"}"#, told(Some(Shape::GoogleCloud), "{}")),
        (Jsonlog, r#"{"textPayload":"a\tb","timestamp":"t"}"#, told(Some(Shape::GoogleCloud), "a\tb")),
        (Jsonlog, r#"{"textPayload":"a","jsonPayload":{}}"#, None),
        (Jsonlog, r#"{"log":"x","stream":"stderr","time":"t"}"#, told(Some(Shape::Docker), "x")),
        (Azure, r#"{"log":"x","stream":"stderr","time":"t"}"#, told(Some(Shape::Docker), "x")),
        (Azure, r#"{"log":"x","time":"t"}"#, None),
        (Azure, r#"{"log":"x","stream":"stderr","time":"t","category":"c"}"#, None),
    ];
    for (format, text, expected) in cases {
        assert_eq!(shape(text, format), expected, "{text}");
    }
}

#[test]
fn a_line_of_a_container_has_a_time_a_stream_and_is_whole() {
    let time = "2026-11-21T07:00:03.130000001Z";
    assert_eq!(container_line(&format!("{time} stderr F {{}}")), Some([time, "stderr", "{}"]));
    for time in ["2026-11-21T07:00:03Z", "2026-11-21T07:00:03.1+01:00"] {
        assert!(container_line(&format!("{time} stdout F {{}} ")).is_some(), "{time}");
    }
    for line in [
        "2026-11-21T07:00:03.Z stderr F {}",
        "2026-11-21 07:00:03Z stderr F {}",
        "2026-11-21T07:00:03 stderr F {}",
        "2026-11-21T07:00:03Z stderr P {}",
        "2026-11-21T07:00:03Z stdin F {}",
        "2026-11-21T07:00:03Z stderr F text",
        "2026-11-21T07:00:03Z stderr F",
        "2026-11-21T07:00:0é stderr F {}",
    ] {
        assert_eq!(container_line(line), None, "{line}");
    }
}
