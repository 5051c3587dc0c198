//! Describes lines that are not records themselves: at the end of a run, and before one.

use lakefront_operators::error::StoreError;
use lakefront_operators::format::logs::rows::look::{Looked, Looks};
use lakefront_operators::format::logs::rows::shape::{Count, Opened, Shape};
use lakefront_operators::format::logs::settings::{Envelope, Format, RowSettings};
use lakefront_operators::run::metrics::shapes::LineShapes;
use lakefront_operators::source::files::identity::Fingerprint;
use lakefront_operators::source::files::{ByteSource, Listed};
use serde_json::{Map, Value, json};

/// What a file is that is not NDJSON.
const DOCUMENT: &str = "one JSON document over many lines, which is not NDJSON (a record a line)";
/// What to do about it.
const ONE_LINE: &str = "jq -c . FILE makes one line of it, which is opened";
/// How many files are examined before a run.
const FILES: usize = 3;
/// Bytes read of each.
const BYTES: u64 = 64 << 10;

/// A sentence per finding.
pub(crate) fn told(seen: &LineShapes) -> Vec<String> {
    let mut told: Vec<String> = seen.opened.iter().map(|(shape, count)| opened(shape, count)).collect();
    told.extend(seen.documents.first().map(|first| first.escape_debug()).map(|first| match seen.documents.len() - 1 {
        0 => format!("{first} looks like {DOCUMENT}: {ONE_LINE}"),
        more => format!("{first} and {more} more look like {DOCUMENT}: {ONE_LINE}"),
    }));
    told.extend(seen.looks.iter().filter_map(|(looks, rejects)| match rejects {
        1 => Some(format!("1 reject looks like {}", like(*looks)?)),
        _ => Some(format!("{rejects} rejects look like {}", like(*looks)?)),
    }));
    told
}

/// What was opened, and the documents, for programs.
pub(crate) fn json(seen: &LineShapes) -> Value {
    let count = |(shape, Count { lines, records }): (Shape, Count)| {
        (shape.as_str().to_owned(), json!({"lines": lines, "records": records}))
    };
    let opened: Map<String, Value> = seen.opened.iter().map(count).collect();
    json!({"opened": opened, "documents": seen.documents})
}

/// What the first lines of some files look like, and what to do if they are not rows.
pub(crate) struct First {
    /// What is fine.
    pub(crate) good: Vec<String>,
    /// What will be rejected, and what to do about it.
    pub(crate) bad: Vec<(String, String)>,
}

/// Examines the first lines of the first files. A file that cannot be read is skipped: other checks
/// report why.
pub(crate) async fn first(source: &dyn ByteSource, files: &[Listed], settings: &RowSettings) -> First {
    let is_text = |file: &&Listed| file.length > 0 && !file.name.ends_with(".gz");
    let mut names: Vec<&Listed> = files.iter().filter(is_text).collect();
    names.sort_unstable_by(|a, b| a.name.cmp(&b.name));
    let (mut first, mut opened) = (First { good: Vec::new(), bad: Vec::new() }, Opened::default());
    for file in names.into_iter().take(FILES) {
        let Ok(bytes) = beginning(source, file).await else { continue };
        let looked = Looked::at(&bytes, settings);
        opened += looked.opened;
        let at = |what: &str| format!("{}: {what}", file.name.escape_debug());
        for looks in &looked.looks {
            let found = match like(*looks) {
                Some(like) => format!("its first lines look like {like}"),
                None => "objects without a key of the format, which are rejected".to_owned(),
            };
            first.bad.push((at(&found), advice(*looks, settings.envelope)));
        }
        if looked.rows == 0 && looked.rejects > 0 && looked.looks.is_empty() {
            first.bad.push((at("none of its first lines is a row"), "check source.url and source.format".to_owned()));
        }
    }
    let shown = opened.iter().map(|(shape, _)| format!("first lines look like {}, and are opened", shape.name()));
    first.good.extend(shown);
    first
}

/// The first bytes of a file.
async fn beginning(source: &dyn ByteSource, file: &Listed) -> Result<Vec<u8>, StoreError> {
    let fingerprint = Fingerprint::default();
    let identity = file.identity(fingerprint);
    source.read(&file.name, &identity, 0..file.length.min(BYTES), Vec::new()).await
}

fn opened(shape: Shape, Count { lines, records }: Count) -> String {
    let name = if lines == 1 { shape.one() } else { shape.name() };
    let were = if lines == 1 { "line was" } else { "lines were" };
    match (shape.is_envelope(), records) {
        (false, _) => format!("{lines} {were} {name}"),
        (true, 1) => format!("{lines} {were} {name} with 1 record"),
        (true, _) => format!("{lines} {were} {name} with {records} records"),
    }
}

/// A description of rejects that look like this; `None` if their reason is enough.
fn like(looks: Looks) -> Option<String> {
    Some(match looks {
        Looks::Strange => return None,
        Looks::Document => DOCUMENT.to_owned(),
        Looks::Closed(shape) => format!("{} that are not opened", shape.name()),
        Looks::Of(format) => format!("lines of format = {:?}", word(format)),
    })
}

fn advice(looks: Looks, envelope: Envelope) -> String {
    match (looks, envelope) {
        (Looks::Document, _) => ONE_LINE.to_owned(),
        (Looks::Closed(_), Envelope::None) => "rows.envelope = \"auto\" opens them".to_owned(),
        (Looks::Closed(_), Envelope::Auto) => {
            "they hold plain text, or what is not a record of this format: check source.format, and what the server logs"
                .to_owned()
        }
        (Looks::Of(format), _) => format!("set source.format = {:?}", word(format)),
        (Looks::Strange, _) => "check that source.url names PostgreSQL logs, and that source.format is their format".to_owned(),
    }
}

fn word(format: Format) -> &'static str {
    match format {
        Format::Azure => "azure",
        Format::Jsonlog => "jsonlog",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_opened_is_told_in_words() {
        let count = |lines, records| Count { lines, records };
        for (shape, count, expected) in [
            (Shape::Records, count(12, 240), "12 lines were Event Hub envelopes with 240 records"),
            (Shape::Array, count(1, 1), "1 line was a JSON array with 1 record"),
            (Shape::CloudNativePg, count(7, 7), "7 lines were CloudNativePG records"),
            (Shape::Docker, count(1, 1), "1 line was a Docker log entry"),
        ] {
            assert_eq!(opened(shape, count), expected);
        }
    }

    #[test]
    fn documents_and_other_formats_are_named() {
        let mut seen = LineShapes::default();
        seen.documents.extend(["b.json".to_owned(), "a.json".to_owned()]);
        seen.looks.insert(Looks::Of(Format::Azure), 3);
        seen.looks.insert(Looks::Strange, 4);
        let expected = [
            format!("a.json and 1 more look like {DOCUMENT}: {ONE_LINE}"),
            "3 rejects look like lines of format = \"azure\"".to_owned(),
        ];
        assert_eq!(told(&seen), expected);
    }
}
