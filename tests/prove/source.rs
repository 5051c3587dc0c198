//! Sources that have changed.

use std::fs;

use serde_json::json;

use crate::{LINE, difference, found, landed, line, lines};

/// A line beyond the first bytes by which a file is recognised.
const FAR: u64 = 100;

#[test]
fn a_byte_that_was_changed_in_a_line_is_named() {
    let pipeline = landed(200);
    let mut content = lines(0..200).into_bytes();
    let message = format!("\"{FAR}\"");
    let at = (FAR * LINE) as usize;
    let text = content[at..].windows(message.len()).position(|bytes| bytes == message.as_bytes()).expect("its message");
    content[at + text + 1] = b'x';
    pipeline.write("a.json", &content);
    let said = pipeline.prove(1);
    assert_eq!(*found(&said, 0), difference("a.json", FAR * LINE, "altered", "source"));
    assert_eq!((found(&said, 1), found(&said, 2)), (&json!(null), &json!(null)));

    // What is no longer JSON is a row that the source lacks, and a reject that the lake lacks.
    content[at] = b'x';
    pipeline.write("a.json", &content);
    let said = pipeline.prove(1);
    assert_eq!(*found(&said, 0), difference("a.json", FAR * LINE, "unexpected", "source"));
    assert_eq!(*found(&said, 2), difference("a.json", FAR * LINE, "missing", "source"));
    pipeline.write("a.json", lines(0..200));
    pipeline.is_proved();
}

#[test]
fn what_has_come_since_is_not_compared() {
    let pipeline = landed(30);
    pipeline.append("a.json", lines(30..60));
    pipeline.append("a.json", "torn");
    pipeline.write("b.json", lines(0..10));
    pipeline.is_proved();
}

#[test]
fn a_file_that_is_gone_or_another_is_unverifiable_with_its_extent() {
    let pipeline = landed(50);
    for name in ["b.json", "c.json", "d.json"] {
        pipeline.write(name, lines(0..20));
    }
    pipeline.land();
    pipeline.is_proved();
    fs::remove_file(pipeline.path("logs/b.json")).expect("a file goes away");
    pipeline.write("c.json", lines(0..19));
    pipeline.write("d.json", lines(1..30));
    let said = pipeline.prove(0);
    assert_eq!(said["ok"], true);
    for (table, rows) in [12, 4, 4].into_iter().enumerate() {
        let gone =
            |source: &str, reason: &str| json!({"source": source, "reason": reason, "bytes": 20 * LINE, "rows": rows});
        let expected = json!([
            gone("b.json", "it is no longer in the source"),
            gone("c.json", "it is now shorter than the part that was read"),
            gone("d.json", "another file now has this name: its first bytes differ"),
        ]);
        assert_eq!(said["tables"][table]["unverifiable"], expected);
        assert_eq!(said["tables"][table]["source_rows"], [30, 10, 10][table], "what is there is proved");
    }
}

#[test]
fn a_later_generation_is_proved_and_the_one_before_is_not() {
    let mut pipeline = landed(50);
    pipeline.set("source", "on_rewrite", "restart").write("a.json", lines(5..40));
    pipeline.land();
    let said = pipeline.prove(0);
    assert_eq!(said["tables"][0]["unverifiable"][0]["source"], "a.json");
    assert_eq!(said["tables"][0]["unverifiable"][0]["reason"], "another file, a later generation, now has this name");
    assert_eq!(said["tables"][0]["unverifiable"][0]["bytes"], 50 * LINE);
    assert_eq!(said["tables"][0]["source_rows"], 21, "those of a.json#2");
}

#[test]
fn a_copy_in_its_place_is_as_good_as_the_file() {
    let pipeline = landed(50);
    let (file, copy) = (pipeline.path("logs/a.json"), pipeline.path("copy"));
    fs::copy(&file, &copy).expect("a copy");
    fs::rename(copy, file).expect("it takes the name");
    pipeline.is_proved();
    pipeline.append("a.json", line(50));
    pipeline.land();
    pipeline.is_proved();
}
