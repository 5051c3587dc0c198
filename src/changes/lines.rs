//! Lines of bounded length.

use std::io::{self, BufRead};

use lakefront_operators::format::debezium::Reason;

/// The longest line, in bytes. Kafka's own bound for a record is 1 MiB unless it is raised.
const MOST: usize = 64 << 20;

/// Reads lines one by one into one buffer.
pub(super) struct Lines<R> {
    from: R,
    line: Vec<u8>,
    most: usize,
    /// Whether the next read may have to wait for whoever writes.
    is_empty: bool,
}

impl<R: BufRead> Lines<R> {
    pub(super) fn new(from: R) -> Lines<R> {
        Lines { from, line: Vec::new(), most: MOST, is_empty: true }
    }

    /// Whether nothing is left of what has been read.
    pub(super) fn would_wait(&self) -> bool {
        self.is_empty
    }

    /// The next line without its end; a reason if it is too long, and then it is skipped. `None` at
    /// the end.
    pub(super) fn next(&mut self) -> io::Result<Option<Result<&[u8], Reason>>> {
        self.line.clear();
        let (mut is_long, mut is_there) = (false, false);
        loop {
            let bytes = match self.from.fill_buf() {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                bytes => bytes?,
            };
            if bytes.is_empty() {
                break;
            }
            is_there = true;
            let end = bytes.iter().position(|byte| *byte == b'\n');
            let part = &bytes[..end.unwrap_or(bytes.len())];
            is_long |= self.line.len() + part.len() > self.most;
            if !is_long {
                self.line.extend_from_slice(part);
            }
            let used = part.len() + usize::from(end.is_some());
            self.is_empty = used == bytes.len();
            self.from.consume(used);
            if end.is_some() {
                break;
            }
        }
        Ok(match is_long {
            _ if !is_there => None,
            true => Some(Err(Reason::TooLong { most: self.most })),
            false => Some(Ok(self.line.as_slice())),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use super::*;

    fn all(bytes: &[u8], most: usize, capacity: usize) -> Vec<Result<String, Reason>> {
        let mut lines = Lines { most, ..Lines::new(BufReader::with_capacity(capacity, bytes)) };
        let mut found = Vec::new();
        while let Some(line) = lines.next().expect("bytes in memory") {
            found.push(line.map(|line| String::from_utf8_lossy(line).into_owned()));
        }
        found
    }

    #[test]
    fn lines_end_with_a_line_feed_or_the_input() {
        for capacity in [1, 3, 100] {
            let found = all(b"a\n\nbcd\ne", 3, capacity);
            assert_eq!(found, ["a", "", "bcd", "e"].map(|line| Ok(line.to_owned())), "{capacity}");
            assert!(all(b"", 3, capacity).is_empty());
        }
    }

    #[test]
    fn a_line_that_is_too_long_is_skipped_and_the_next_is_read() {
        for capacity in [1, 3, 100] {
            let long = Err(Reason::TooLong { most: 3 });
            assert_eq!(all(b"abcd\nx\nabcdef", 3, capacity), [long.clone(), Ok("x".to_owned()), long], "{capacity}");
        }
    }
}
