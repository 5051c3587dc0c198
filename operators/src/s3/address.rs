//! Addresses: the bucket and the prefix in an `s3://` URL, and the names that stores allow for
//! them.
//!
//! Promises: an error is one of a few fixed texts, so it contains nothing of the URL.

/// A bucket and a prefix in it, before it is known how the bucket is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// The bucket.
    pub bucket: String,
    /// As in [`Location::path`](super::Location::path), but with the slashes that were given.
    pub path: String,
}

/// The schemes of URLs of buckets. Hadoop says `s3a`.
pub const SCHEMES: [&str; 2] = ["s3", "s3a"];

/// Ends the names of directory buckets.
const DIRECTORY: &str = "--x-s3";

impl Address {
    /// Parses `s3://bucket[/prefix]`. Nothing in it is an escape.
    pub fn parse(text: &str) -> Result<Address, &'static str> {
        let (_, rest) = text
            .split_once("://")
            .filter(|(scheme, _)| SCHEMES.contains(scheme))
            .ok_or("this is written s3://bucket/path")?;
        let (bucket, path) = rest.split_once('/').unwrap_or((rest, ""));
        if bucket.ends_with(DIRECTORY) {
            return Err(
                "a directory bucket lists its objects in no order, so it cannot hold the log of a table: use a \
                        general purpose bucket",
            );
        }
        if !is_bucket(bucket) {
            return Err(
                "a bucket's name has 3 to 63 lower case letters, digits, dots and hyphens, a letter or digit at \
                        its ends; keys and endpoints belong in [lake.s3]",
            );
        }
        if path.starts_with('/') || path.split('/').any(|folder| folder == "." || folder == "..") {
            return Err("a path in a bucket has no empty first folder and no folders . and ..");
        }
        if path.len() > 512 || path.contains(char::is_control) {
            return Err("the path of a lake in a bucket has at most 512 bytes and no control characters");
        }
        Ok(Address { bucket: bucket.to_owned(), path: path.to_owned() })
    }
}

/// Whether stores allow this name.
fn is_bucket(name: &str) -> bool {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    (3..=63).contains(&name.len())
        && name.bytes().all(|b| plain(b) || b == b'-' || b == b'.')
        && name.bytes().next().is_some_and(plain)
        && name.bytes().last().is_some_and(plain)
        && !name.contains("..")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        for (text, bucket, path) in [
            ("s3://lake", "lake", ""),
            ("s3://lake.example-1/a b/%20/", "lake.example-1", "a b/%20/"),
            ("s3a://lake/x", "lake", "x"),
        ] {
            let expected = Address { bucket: bucket.to_owned(), path: path.to_owned() };
            assert_eq!(Address::parse(text), Ok(expected), "{text}");
        }
        for (text, word) in [
            ("s3:lake", "s3://bucket"),
            ("s3://", "bucket's name"),
            ("s3://LAKE", "bucket's name"),
            ("s3://la", "bucket's name"),
            ("s3://-lake", "bucket's name"),
            ("s3://la..ke", "bucket's name"),
            ("s3://id:hunter2@lake/x", "bucket's name"),
            ("s3://lake--use1-az4--x-s3/x", "directory bucket"),
            ("s3://lake//x", "empty first folder"),
            ("s3://lake/a/../b", "no folders . and .."),
            ("s3://lake/a\nb", "control"),
        ] {
            let told = Address::parse(text).expect_err(text);
            assert!(told.contains(word) && !told.contains("hunter2"), "{text}: {told}");
        }
        assert!(Address::parse(&format!("s3://lake/{}", "x".repeat(513))).is_err());
    }
}
