//! Lines as Azure's servers write them: the samples with other messages, and now and then lines
//! that should not be there.

use std::path::Path;

use super::Random;

/// A table without rows moves only now and then. After these lines, every table is level with the
/// source as soon as the cut is closed.
pub(crate) const ONE_FOR_EACH_TABLE: &str =
    "{\"ReplicaRole\": \"Primary\"}\n{\"ReplicaRole\": \"Replica\"}\nnot JSON\n";

/// Texts for messages, as JSON spells them: characters of several bytes, escapes, half a line of
/// SQL.
const TEXTS: [&str; 6] = [
    "duration: 0.042 ms",
    "Größe überschritten: käse €",
    "\\u00fc \\n\\t \\\"quoted\\\" \\\\ \\ud83d\\ude00",
    "日本語のログ 🚀",
    "could not serialize access due to concurrent update",
    "SELECT * FROM orders WHERE id = $1",
];

/// Lines that cannot be rows, or are blank.
const STRAY: [&[u8]; 8] = [
    b"",
    b"   \t",
    b"not JSON",
    b"[1, 2]",
    b"{\"time\": \"yesterday\", \"ReplicaRole\": \"Primary\"}",
    b"{\"properties\": [227B blob data]}",
    b"{\"ReplicaRole\": \"Primary\", \"properties\": {\"processId\": 9223372036854775808}}",
    b"{\"ReplicaRole\": \"Primary\", \"location\": \"\xff\xfe\"}",
];

/// An endless log.
pub(crate) struct Lines {
    random: Random,
    samples: Vec<Vec<u8>>,
    /// The most bytes of a long message.
    longest: u64,
}

impl Lines {
    pub(crate) fn new(seed: u64) -> Lines {
        let files = ["azure_flex_primary", "azure_flex_replica", "azure_single_server", "azure_flex_categories_other"];
        let read = |name: &str| std::fs::read(samples().join(format!("{name}.ndjson"))).expect("a sample");
        let lines =
            files.iter().flat_map(|name| read(name).split(|b| *b == b'\n').map(<[u8]>::to_vec).collect::<Vec<_>>());
        let samples = lines.filter(|line| !line.is_empty()).collect();
        Lines { random: Random::new(seed), samples, longest: 20_000 }
    }

    /// `count` whole lines, as bytes.
    pub(crate) fn take(&mut self, count: usize) -> Vec<u8> {
        (0..count).flat_map(|_| self.line()).collect()
    }

    /// A line with its newline.
    pub(crate) fn line(&mut self) -> Vec<u8> {
        let mut line = match self.random.one_in(12) {
            true => self.random.pick(&STRAY).to_vec(),
            false => self.sample(),
        };
        let end: &[u8] = if self.random.one_in(8) { b"\r\n" } else { b"\n" };
        line.extend_from_slice(end);
        line
    }

    fn sample(&mut self) -> Vec<u8> {
        let sample = self.random.pick(&self.samples).clone();
        let mut text = format!("{:x} {} ", self.random.next(), self.random.pick(&TEXTS));
        if self.random.one_in(25) {
            let times = self.random.below(1..self.longest) / text.len() as u64;
            text = text.repeat(usize::try_from(times + 1).expect("a short message"));
        }
        let message = b"\"message\": \"";
        match sample.windows(message.len()).position(|bytes| bytes == message) {
            Some(at) => [&sample[..at + message.len()], text.as_bytes(), &sample[at + message.len()..]].concat(),
            None => sample,
        }
    }
}

pub(crate) fn samples() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/samples"))
}
