//! The pages of one column of a row group, compressed, until the row group is closed.

use std::io::Write;

use parquet::basic::{Compression, Encoding, EncodingMask, PageType};
use parquet::column::page::{CompressedPage, Page, PageWriter};
use parquet::errors::ParquetError;
use parquet::file::metadata::{ColumnChunkMetaData, PageEncodingStats};
use parquet::file::statistics::Statistics;
use parquet::file::writer::{SerializedPageWriter, TrackedWrite};
use parquet::schema::types::ColumnDescPtr;

/// A page is closed when it has this many rows,
pub(super) const PAGE_ROWS: usize = 20_000;
/// or when its values take this many bytes.
pub(super) const PAGE_BYTES: usize = 1 << 20;

/// Snappy compresses so many bytes at a time, and nothing refers from one such block to another.
const BLOCK: usize = 1 << 16;
/// A page of at least so many blocks is judged by one of them.
const JUDGED: usize = 4;
/// The head of a literal of up to a whole block: its length less one follows in two bytes.
const LITERAL: u8 = 61 << 2;

/// Compresses pages; serves all columns of a file.
///
/// What hardly gets smaller takes the longest: texts of hexadecimal digits have matches of four
/// bytes everywhere, which are worth nothing. So a long page is judged by a block in its middle. If
/// that does not shrink by a twentieth, the page is stored as it is, in snappy's own format.
pub(super) struct Press {
    snappy: snap::raw::Encoder,
    scratch: Vec<u8>,
}

impl Press {
    pub(super) fn new() -> Self {
        Press { snappy: snap::raw::Encoder::new(), scratch: Vec::new() }
    }

    fn compress(&mut self, page: &[u8]) -> Result<Vec<u8>, ParquetError> {
        if page.len() >= JUDGED * BLOCK {
            let middle = page.len() / 2 - BLOCK / 2;
            let pressed = self.press(&page[middle..middle + BLOCK])?;
            if pressed > BLOCK - BLOCK / 20 {
                return Ok(stored(page));
            }
        }
        let length = self.press(page)?;
        let compressed = self.scratch[..length].to_vec();
        // A long value must not keep its memory for ever.
        self.scratch.truncate(2 * PAGE_BYTES);
        self.scratch.shrink_to(2 * PAGE_BYTES);
        Ok(compressed)
    }

    /// Compresses into the beginning of the scratch; how many bytes that takes.
    fn press(&mut self, bytes: &[u8]) -> Result<usize, ParquetError> {
        let most = snap::raw::max_compress_len(bytes.len());
        if self.scratch.len() < most {
            self.scratch.resize(most, 0);
        }
        self.snappy.compress(bytes, &mut self.scratch).map_err(|e| ParquetError::External(e.into()))
    }

    /// Memory in use, in bytes.
    pub(super) fn memory(&self) -> usize {
        self.scratch.capacity()
    }
}

/// `page` in snappy's format, as literals: its length in groups of seven bits, the lowest first,
/// then each block behind its head. See `format_description.txt` of google/snappy.
fn stored(page: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(page.len() + 3 * page.len().div_ceil(BLOCK) + 10);
    let mut rest = page.len();
    while rest >= 0x80 {
        bytes.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    bytes.push(rest as u8);
    for block in page.chunks(BLOCK) {
        bytes.push(LITERAL);
        bytes.extend_from_slice(&((block.len() - 1) as u16).to_le_bytes());
        bytes.extend_from_slice(block);
    }
    bytes
}

/// The data pages of one chunk.
#[derive(Default)]
pub(super) struct ColumnChunk {
    pages: Vec<CompressedPage>,
    bytes: usize,
    rows: usize,
    nulls: usize,
    encodings: Vec<PageEncodingStats>,
}

impl ColumnChunk {
    /// Appends a page of `rows`; `page` is its content before compression, in `encoding`.
    pub(super) fn push(
        &mut self,
        page: &[u8],
        encoding: Encoding,
        (rows, nulls): (usize, usize),
        press: &mut Press,
    ) -> Result<(), ParquetError> {
        let compressed = press.compress(page)?;
        self.bytes += compressed.len();
        self.rows += rows;
        self.nulls += nulls;
        self.count(PageType::DATA_PAGE, encoding);
        let data = Page::DataPage {
            buf: compressed.into(),
            num_values: rows as u32,
            encoding,
            def_level_encoding: Encoding::RLE,
            rep_level_encoding: Encoding::RLE,
            statistics: None,
        };
        self.pages.push(CompressedPage::new(data, page.len()));
        Ok(())
    }

    /// How many rows are null.
    pub(super) fn nulls(&self) -> u64 {
        self.nulls as u64
    }

    /// What the pages take in memory, in bytes.
    pub(super) fn memory(&self) -> usize {
        self.bytes + self.pages.capacity() * size_of::<CompressedPage>()
    }

    /// Writes the chunk to a file: its dictionary with the number of its values, if it has one, and
    /// its pages.
    pub(super) fn write<W: Write + Send>(
        mut self,
        dictionary: Option<(usize, &[u8])>,
        statistics: Statistics,
        column: ColumnDescPtr,
        press: &mut Press,
        out: &mut TrackedWrite<W>,
    ) -> Result<ColumnChunkMetaData, ParquetError> {
        let start = out.bytes_written();
        let mut uncompressed = 0;
        if let Some((values, page)) = dictionary {
            let buf = press.compress(page)?.into();
            let encoding = Encoding::PLAIN;
            let dictionary = Page::DictionaryPage { buf, num_values: values as u32, encoding, is_sorted: false };
            let dictionary = CompressedPage::new(dictionary, page.len());
            self.count(PageType::DICTIONARY_PAGE, encoding);
            uncompressed += SerializedPageWriter::new(out).write_page(dictionary)?.uncompressed_size;
        }
        let data = out.bytes_written();
        for page in self.pages {
            uncompressed += SerializedPageWriter::new(out).write_page(page)?.uncompressed_size;
        }
        let mut encodings: Vec<Encoding> = self.encodings.iter().map(|stats| stats.encoding).collect();
        encodings.push(Encoding::RLE);
        ColumnChunkMetaData::builder(column)
            .set_compression(Compression::SNAPPY)
            .set_encodings_mask(EncodingMask::new_from_encodings(encodings.iter()))
            .set_page_encoding_stats(self.encodings)
            .set_dictionary_page_offset(dictionary.is_some().then_some(start as i64))
            .set_data_page_offset(data as i64)
            .set_total_compressed_size((out.bytes_written() - start) as i64)
            .set_total_uncompressed_size(uncompressed as i64)
            .set_num_values(self.rows as i64)
            .set_statistics(statistics)
            .build()
    }

    fn count(&mut self, page_type: PageType, encoding: Encoding) {
        match self.encodings.last_mut() {
            Some(last) if last.page_type == page_type && last.encoding == encoding => last.count += 1,
            _ => self.encodings.push(PageEncodingStats { page_type, encoding, count: 1 }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Texts of hexadecimal digits, from a generator of its own.
    fn digits(count: usize) -> Vec<u8> {
        let mut state = 7_u32;
        let next = |_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            b"0123456789abcdef"[(state >> 28) as usize]
        };
        (0..count).map(next).collect()
    }

    fn pressed(page: &[u8]) -> Vec<u8> {
        let pressed = Press::new().compress(page).expect("no page is too long");
        assert_eq!(snap::raw::Decoder::new().decompress_vec(&pressed).expect("snappy"), page);
        pressed
    }

    #[test]
    fn a_long_page_that_does_not_shrink_is_stored() {
        for length in [JUDGED * BLOCK, JUDGED * BLOCK + 1, PAGE_BYTES - 1, PAGE_BYTES, 5 * PAGE_BYTES + 7] {
            let blocks = length.div_ceil(BLOCK);
            let (head, of_length) = (3 * blocks, 3 + usize::from(length >= 1 << 21));
            assert_eq!(pressed(&digits(length)).len(), length + head + of_length, "{length}");
        }
    }

    #[test]
    fn a_page_that_shrinks_is_compressed() {
        let page = digits(40).repeat(PAGE_BYTES / 40);
        assert!(pressed(&page).len() < page.len() / 10);
        // A short page is not worth a judgement.
        let page = [digits(JUDGED * BLOCK / 2), vec![b'0'; JUDGED * BLOCK / 2 - 1]].concat();
        assert!(pressed(&page).len() < page.len() * 2 / 3);
        assert_eq!(pressed(&[]), [0]);
    }
}
