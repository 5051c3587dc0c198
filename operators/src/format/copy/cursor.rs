//! Checked reads of big-endian bytes. A read beyond the end gives nothing and never panics.

/// The bytes that are still to be read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cursor<'a>(&'a [u8]);

/// Why there is no field to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoField {
    /// The bytes end before the field does.
    Ends,
    /// The length is negative, but not that of NULL.
    Length,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Cursor(bytes)
    }

    /// How many bytes are still to be read.
    #[inline]
    pub(super) fn left(&self) -> usize {
        self.0.len()
    }

    #[inline]
    pub(super) fn i16(&mut self) -> Option<i16> {
        let (number, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(i16::from_be_bytes(*number))
    }

    #[inline]
    pub(super) fn i32(&mut self) -> Option<i32> {
        let (number, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(i32::from_be_bytes(*number))
    }

    /// The next `length` bytes.
    #[inline]
    pub(super) fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (bytes, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(bytes)
    }

    /// The next field of a tuple or element of an array, which is a length of 32 bits and as many
    /// bytes. NULL is `None`: its length is -1.
    #[inline]
    pub(super) fn field(&mut self) -> Result<Option<&'a [u8]>, NoField> {
        let length = self.i32().ok_or(NoField::Ends)?;
        match usize::try_from(length) {
            Ok(length) => self.take(length).map(Some).ok_or(NoField::Ends),
            Err(_) if length == -1 => Ok(None),
            Err(_) => Err(NoField::Length),
        }
    }
}
