//! HTTP/1.1 messages as they come over a connection: split into head and body, but otherwise
//! unchanged.

use std::io::{self, ErrorKind, Read};
use std::net::TcpStream;

use httparse::{EMPTY_HEADER, Header, Status};

/// Far more than any client of ours sends.
const MOST_HEADERS: usize = 64;

/// A request with its body.
pub(super) struct Request {
    pub(super) method: String,
    /// Path and query, as sent.
    pub(super) target: String,
    /// The value of `Range` or `x-ms-range`.
    pub(super) range: Option<String>,
    pub(super) head: Vec<u8>,
    /// As sent: a chunked body keeps the lengths of its chunks.
    pub(super) body: Vec<u8>,
}

/// A response with its body.
pub(super) struct Response {
    pub(super) status: u16,
    pub(super) head: Vec<u8>,
    /// As sent: a chunked body keeps the lengths of its chunks.
    pub(super) body: Vec<u8>,
}

impl Request {
    /// The head without the headers for a range.
    pub(super) fn without_range(&self) -> Vec<u8> {
        (without(&self.head, &["range", "x-ms-range"]) + "\r\n").into_bytes()
    }
}

impl Response {
    /// Removes the body, and the headers for its length and range.
    pub(super) fn empty(&mut self) {
        let head = without(&self.head, &["content-length", "content-range", "transfer-encoding"]);
        (self.head, self.body) = ((head + "Content-Length: 0\r\n\r\n").into_bytes(), Vec::new());
    }
}

/// The lines of `head` except those of the headers `names`.
fn without(head: &[u8], names: &[&str]) -> String {
    let head = String::from_utf8_lossy(head).into_owned();
    let lines = head.split_terminator("\r\n").filter(|line| !line.is_empty());
    let kept = lines.filter(|line| {
        let name = line.split(':').next().unwrap_or_default();
        !names.iter().any(|other| name.eq_ignore_ascii_case(other))
    });
    kept.flat_map(|line| [line, "\r\n"]).collect()
}

/// How the end of a body is found.
enum Framing {
    Length(usize),
    Chunks,
    /// It ends with the connection.
    End,
}

/// Reads messages from a connection.
pub(super) struct Reader<'a> {
    stream: &'a TcpStream,
    /// What was read beyond the last message.
    rest: Vec<u8>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(stream: &'a TcpStream) -> Self {
        Reader { stream, rest: Vec::new() }
    }

    /// The next request; `None` if the client has gone.
    pub(super) fn request(&mut self) -> io::Result<Option<Request>> {
        let (mut request, framing) = loop {
            let mut headers = [EMPTY_HEADER; MOST_HEADERS];
            let mut parsed = httparse::Request::new(&mut headers);
            if let Status::Complete(length) = parsed.parse(&self.rest).map_err(io::Error::other)? {
                let framing = framing(parsed.headers).unwrap_or(Framing::Length(0));
                let range = header(parsed.headers, "x-ms-range").or(header(parsed.headers, "range"));
                let (method, target) = (parsed.method.unwrap_or_default(), parsed.path.unwrap_or_default());
                let (method, target) = (method.to_owned(), target.to_owned());
                break (Request { method, target, range, head: self.take(length), body: Vec::new() }, framing);
            }
            if !self.more()? {
                return Ok(None);
            }
        };
        request.body = self.body(framing)?;
        Ok(Some(request))
    }

    /// The response to a request of this method.
    pub(super) fn response(&mut self, method: &str) -> io::Result<Response> {
        let (mut response, framing) = loop {
            let mut headers = [EMPTY_HEADER; MOST_HEADERS];
            let mut parsed = httparse::Response::new(&mut headers);
            if let Status::Complete(length) = parsed.parse(&self.rest).map_err(io::Error::other)? {
                let status = parsed.code.unwrap_or_default();
                let framing = match method == "HEAD" || status == 204 || status == 304 {
                    true => Framing::Length(0),
                    false => framing(parsed.headers).unwrap_or(Framing::End),
                };
                break (Response { status, head: self.take(length), body: Vec::new() }, framing);
            }
            self.must_have_more()?;
        };
        response.body = self.body(framing)?;
        Ok(response)
    }

    fn body(&mut self, framing: Framing) -> io::Result<Vec<u8>> {
        let length = match framing {
            Framing::Length(length) => length,
            Framing::Chunks => self.length_of_chunks()?,
            Framing::End => {
                while self.more()? {}
                self.rest.len()
            }
        };
        while self.rest.len() < length {
            self.must_have_more()?;
        }
        Ok(self.take(length))
    }

    /// Includes the lengths and line ends of the chunks, but no trailers, because nobody here sends
    /// any.
    fn length_of_chunks(&mut self) -> io::Result<usize> {
        let mut length = 0;
        loop {
            let chunk = self.rest.get(length..).unwrap_or_default();
            let parsed = httparse::parse_chunk_size(chunk);
            match parsed.map_err(|_| io::Error::from(ErrorKind::InvalidData))? {
                Status::Partial => self.must_have_more()?,
                Status::Complete((head, size)) => {
                    length += head + usize::try_from(size).map_err(io::Error::other)? + 2;
                    if size == 0 {
                        return Ok(length);
                    }
                }
            }
        }
    }

    fn take(&mut self, length: usize) -> Vec<u8> {
        let rest = self.rest.split_off(length);
        std::mem::replace(&mut self.rest, rest)
    }

    fn must_have_more(&mut self) -> io::Result<()> {
        self.more()?.then_some(()).ok_or(ErrorKind::UnexpectedEof.into())
    }

    fn more(&mut self) -> io::Result<bool> {
        let mut piece = [0; 64 << 10];
        let length = self.stream.read(&mut piece)?;
        self.rest.extend_from_slice(&piece[..length]);
        Ok(length > 0)
    }
}

fn framing(headers: &[Header<'_>]) -> Option<Framing> {
    if header(headers, "transfer-encoding").is_some_and(|value| value.eq_ignore_ascii_case("chunked")) {
        return Some(Framing::Chunks);
    }
    header(headers, "content-length")?.parse().ok().map(Framing::Length)
}

fn header(headers: &[Header<'_>], name: &str) -> Option<String> {
    let header = headers.iter().find(|header| header.name.eq_ignore_ascii_case(name))?;
    Some(String::from_utf8_lossy(header.value).trim().to_owned())
}
