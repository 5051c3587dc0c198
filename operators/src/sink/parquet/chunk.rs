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

/// Compresses pages; serves all columns of a file.
pub(super) struct Press {
    snappy: snap::raw::Encoder,
    scratch: Vec<u8>,
}

impl Press {
    pub(super) fn new() -> Self {
        Press { snappy: snap::raw::Encoder::new(), scratch: Vec::new() }
    }

    fn compress(&mut self, page: &[u8]) -> Result<Vec<u8>, ParquetError> {
        let most = snap::raw::max_compress_len(page.len());
        if self.scratch.len() < most {
            self.scratch.resize(most, 0);
        }
        let length = self.snappy.compress(page, &mut self.scratch).map_err(|e| ParquetError::External(e.into()))?;
        let compressed = self.scratch[..length].to_vec();
        // A long value must not keep its memory for ever.
        self.scratch.truncate(2 * PAGE_BYTES);
        self.scratch.shrink_to(2 * PAGE_BYTES);
        Ok(compressed)
    }

    /// Memory in use, in bytes.
    pub(super) fn memory(&self) -> usize {
        self.scratch.capacity()
    }
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
