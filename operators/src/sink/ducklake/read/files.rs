//! What the catalog says of a table's data files: which there are, and what of them is deleted.

use std::ops::RangeInclusive;
use std::path::Path;

use tokio_postgres::Row;

use super::Asking;
use crate::error::StoreError;
use crate::postgres::quoted;
use crate::sink::ducklake::tables::Column;
use crate::sink::files::Place;

/// A data file with the deletes of its rows.
pub(super) struct DataFile {
    pub(super) id: i64,
    pub(super) place: Place,
    /// Whether it has rows of later snapshots too.
    pub(super) is_partial: bool,
    /// The positions of rows whose deletes are inlined in the catalog.
    pub(super) deleted: Vec<i64>,
    /// The delete files; DuckDB leaves no more than one.
    pub(super) delete_files: Vec<Place>,
    /// The snapshot that added it.
    pub(super) begin: i64,
    /// The id of its first row, if those of the others follow from it.
    pub(super) row_id_start: Option<i64>,
    /// How many rows it has, according to the catalog.
    pub(super) rows: i64,
}

/// A column of a table of the catalog's database.
pub(super) struct Attribute {
    pub(super) name: String,
    /// Whether it is a `bytea`.
    pub(super) is_bytes: bool,
}

impl Asking<'_> {
    /// The data files of the table, in the order of their numbers, without those whose bounds lie
    /// outside of `within`.
    pub(super) async fn files(
        &self,
        within: Option<&(&Column, RangeInclusive<i64>)>,
    ) -> Result<Vec<DataFile>, StoreError> {
        let m = &self.lake.schema;
        let sql = format!(
            "SELECT f.data_file_id, COALESCE(f.path, ''), COALESCE(f.path_is_relative, true), \
             COALESCE(f.file_format, 'parquet'), COALESCE(f.encryption_key, '') <> '', f.mapping_id IS NOT NULL, \
             COALESCE(f.partial_max > $2, false), s.min_value, s.max_value, \
             f.begin_snapshot, f.row_id_start, COALESCE(f.record_count, 0) FROM {m}.ducklake_data_file f LEFT JOIN {m}.ducklake_file_column_stats s \
             ON s.data_file_id = f.data_file_id AND s.table_id = f.table_id AND s.column_id = $3 \
             WHERE f.table_id = $1 AND f.begin_snapshot <= $2 AND (f.end_snapshot IS NULL OR f.end_snapshot > $2) \
             ORDER BY f.data_file_id"
        );
        let column = within.map(|(column, _)| column.id);
        let mut files: Vec<DataFile> = Vec::new();
        for row in self.query(&sql, &[&self.table.id, &self.snapshot, &column]).await? {
            let is_outside = within.is_some_and(|(_, range)| is_outside(row.get(7), row.get(8), range));
            // A file whose statistics are there twice is still one file.
            if !is_outside && files.last().is_none_or(|last| last.id != row.get::<_, i64>(0)) {
                files.push(self.file(&row)?);
            }
        }
        let ids: Vec<i64> = files.iter().map(|file| file.id).collect();
        self.add_delete_files(&ids, &mut files).await?;
        self.add_inlined_deletes(&ids, &mut files).await?;
        Ok(files)
    }

    fn file(&self, row: &Row) -> Result<DataFile, StoreError> {
        let path: &str = row.get(1);
        self.require_parquet(path, row.get(3), row.get(4))?;
        if row.get(5) {
            return Err(self.refused(format!("file {path:?} is read by names of columns, which lakefront cannot do")));
        }
        let place = self.place(path, row.get(2))?;
        Ok(DataFile {
            id: row.get(0),
            place,
            is_partial: row.get(6),
            deleted: Vec::new(),
            delete_files: Vec::new(),
            begin: row.get(9),
            row_id_start: row.get(10),
            rows: row.get(11),
        })
    }

    pub(super) fn require_parquet(&self, path: &str, format: &str, is_encrypted: bool) -> Result<(), StoreError> {
        if is_encrypted {
            return Err(self.refused(format!("file {path:?} is encrypted, which lakefront cannot read")));
        }
        match format.eq_ignore_ascii_case("parquet") {
            true => Ok(()),
            false => Err(self.refused(format!("file {path:?} has format {format:?}, which lakefront cannot read"))),
        }
    }

    /// Where a file is: in the table's folder if its path is relative.
    pub(super) fn place(&self, path: &str, is_relative: bool) -> Result<Place, StoreError> {
        match &self.table.place {
            folder if is_relative => Ok(folder.join(path)),
            Place::Disk(_) if Path::new(path).is_absolute() => Ok(Place::Disk(path.into())),
            _ => Err(self.refused(format!("it has a file at {path:?}, which lies outside the lake's data path"))),
        }
    }

    /// Adds the delete files of `files`, whose numbers are `ids`, in order.
    async fn add_delete_files(&self, ids: &[i64], files: &mut [DataFile]) -> Result<(), StoreError> {
        let sql = format!(
            "SELECT data_file_id, COALESCE(path, ''), COALESCE(path_is_relative, true), COALESCE(format, 'parquet'), \
             COALESCE(encryption_key, '') <> '' FROM {}.ducklake_delete_file \
             WHERE table_id = $1 AND data_file_id = ANY($3) AND begin_snapshot <= $2 \
             AND (end_snapshot IS NULL OR end_snapshot > $2)",
            self.lake.schema
        );
        for row in self.query(&sql, &[&self.table.id, &self.snapshot, &ids]).await? {
            let path: &str = row.get(1);
            self.require_parquet(path, row.get(3), row.get(4))?;
            let place = self.place(path, row.get(2))?;
            if let Ok(at) = ids.binary_search(&row.get(0)) {
                files[at].delete_files.push(place);
            }
        }
        Ok(())
    }

    /// Adds the deletes of `files`, whose numbers are `ids`, in order, that are inlined. What they
    /// call `row_id` is a position in the file. Their table is made with the first of them.
    async fn add_inlined_deletes(&self, ids: &[i64], files: &mut [DataFile]) -> Result<(), StoreError> {
        let name = format!("ducklake_inlined_delete_{}", self.table.id);
        if self.attributes(&name).await?.is_empty() {
            return Ok(());
        }
        let sql = format!(
            "SELECT file_id, row_id FROM {}.{} \
             WHERE file_id = ANY($2) AND row_id IS NOT NULL AND begin_snapshot <= $1",
            self.lake.schema,
            quoted(&name)
        );
        for row in self.query(&sql, &[&self.snapshot, &ids]).await? {
            if let Ok(at) = ids.binary_search(&row.get(0)) {
                files[at].deleted.push(row.get(1));
            }
        }
        Ok(())
    }

    /// The columns of the table `name` beside the catalog's; none if there is no such table.
    pub(super) async fn attributes(&self, name: &str) -> Result<Vec<Attribute>, StoreError> {
        let sql = "SELECT attname::text, atttypid = 'bytea'::regtype FROM pg_attribute \
                   WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped ORDER BY attnum";
        let named = format!("{}.{}", self.lake.schema, quoted(name));
        let rows = self.query(sql, &[&named]).await?;
        Ok(rows.iter().map(|row| Attribute { name: row.get(0), is_bytes: row.get(1) }).collect())
    }
}

/// Whether no value of an integer column with these bounds is in `range`. What is missing or not
/// understood bounds nothing.
pub(super) fn is_outside(min: Option<&str>, max: Option<&str>, range: &RangeInclusive<i64>) -> bool {
    let number = |text: Option<&str>| text.and_then(|text| text.parse::<i128>().ok());
    number(min).is_some_and(|min| min > i128::from(*range.end()))
        || number(max).is_some_and(|max| max < i128::from(*range.start()))
}
