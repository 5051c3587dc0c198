//! Recognises files whose first bytes are not text. Their bytes are not planned, because a newline
//! in them means nothing.

/// First bytes of files that are compressed, or in an encoding other than UTF-8.
const BEGINNINGS: [(&[u8], &str); 8] = [
    (&[0x1f, 0x8b], "gzip"),
    (&[0x28, 0xb5, 0x2f, 0xfd], "zstd"),
    (b"BZh", "bzip2"),
    (&[0xfd, b'7', b'z', b'X', b'Z', 0], "xz"),
    (b"PK\x03\x04", "a zip archive"),
    (b"PAR1", "Parquet"),
    (&[0xff, 0xfe], "UTF-16"),
    (&[0xfe, 0xff], "UTF-16"),
];

/// The format of a file that begins with `head`, if that is not text.
pub(super) fn encoded(head: &[u8]) -> Option<&'static str> {
    let known = BEGINNINGS.iter().find(|(beginning, _)| head.starts_with(beginning)).map(|(_, what)| *what);
    // UTF-16 without a byte order mark: a brace, bracket or blank, and a NUL before or after it.
    let is_utf16 = matches!(head, [b'{' | b'[' | b' ' | b'\r', 0, next, 0, ..] if *next != 0)
        || matches!(head, [0, b'{' | b'[' | b' ' | b'\r', 0, next, ..] if *next != 0);
    known.or(is_utf16.then_some("UTF-16"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_told_from_what_only_has_bytes_like_it() {
        for (head, what) in [
            (&b"\x1f\x8b\x08\x00"[..], Some("gzip")),
            (b"\xff\xfe{\0\"\0", Some("UTF-16")),
            (b"{\0\"\0t\0", Some("UTF-16")),
            (b"\0{\0\"\0t", Some("UTF-16")),
            (b"{\"time\":", None),
            (b"\xef\xbb\xbf{\"time\":", None),
            // What copytruncate leaves behind.
            (&[0; 64], None),
            (b"\0\0\0\0{\"time\":", None),
            (b"", None),
        ] {
            assert_eq!(encoded(head), what, "{head:?}");
        }
    }
}
