//! Deletion vectors: which rows of a file are dead, as the log points at them.
//!
//! They are read by the kernel, which checks their checksums, from bytes that were fetched before:
//! the vectors of one commit lie in one file, which is read once. New ones are written into a file
//! `deletion_vector_<uuid>.bin` in the table's folder, never into the log.

use std::collections::BTreeMap;
use std::sync::Arc;

use delta_kernel::actions::deletion_vector::{DeletionVectorDescriptor, DeletionVectorStorageType};
use delta_kernel::actions::deletion_vector_writer::{KernelDeletionVector, StreamingDeletionVectorWriter};
use delta_kernel::{DeltaResult, Error, FileMeta, FileSlice, StorageHandler};
use futures::{StreamExt, TryStreamExt, stream};
use roaring::RoaringTreemap;
use serde_json::{Value, json};
use url::Url;
use uuid::Uuid;

use crate::error::StoreError;
use crate::sink::files::{Place, blocking};

/// Stands for the table's folder where only what is below it matters.
const FOLDER: &str = "table:///";

/// How many files of vectors are fetched at a time.
const READS: usize = 8;

/// The dead rows of files, by whatever names their descriptors come with.
pub(super) async fn read(
    table: &Place,
    descriptors: impl IntoIterator<Item = (String, Value)>,
) -> Result<BTreeMap<String, RoaringTreemap>, StoreError> {
    let folder = Url::parse(FOLDER).expect("a constant");
    let (mut vectors, mut files) = (Vec::new(), BTreeMap::<Url, String>::new());
    for (of, value) in descriptors {
        let attempt = format!("read deletion vector {value} of table {table}");
        let failed = |e: Error| StoreError::definite(attempt.clone(), e);
        let descriptor = descriptor(&value).map_err(failed)?;
        if let Some(file) = descriptor.absolute_path(&folder).map_err(failed)? {
            files.insert(file, attempt.clone());
        }
        vectors.push((of, descriptor, attempt));
    }
    let contents = files.into_iter().map(|(file, attempt)| async move {
        let content = content(table, &file, attempt).await?;
        Ok::<_, StoreError>((file, content))
    });
    let contents = stream::iter(contents.collect::<Vec<_>>()).buffered(READS).try_collect().await?;
    blocking(move || {
        let contents = Arc::new(Contents(contents));
        let read = |(of, descriptor, attempt): (_, DeletionVectorDescriptor, _)| {
            let rows = descriptor.read(contents.clone(), &folder);
            Ok((of, rows.map_err(|e| StoreError::definite(attempt, e))?))
        };
        vectors.into_iter().map(read).collect()
    })
    .await
}

/// The content of a file of vectors.
async fn content(table: &Place, file: &Url, attempt: String) -> Result<bytes::Bytes, StoreError> {
    let Some(name) = file.as_str().strip_prefix(FOLDER) else {
        let cause =
            "it is outside of the table's folder, as those of shallow clones are: lakefront reads none of these";
        return Err(StoreError::definite(attempt, cause));
    };
    let content = table.join(name).read().await?;
    Ok(content.ok_or_else(|| StoreError::definite(attempt, "its file is gone"))?.into())
}

fn descriptor(value: &Value) -> DeltaResult<DeletionVectorDescriptor> {
    let text = |key: &str| value[key].as_str().unwrap_or_default();
    let number = |key: &str| value[key].as_i64();
    let small = |key: &str| number(key).and_then(|number| i32::try_from(number).ok());
    let storage: DeletionVectorStorageType = text("storageType").parse()?;
    let (size, cardinality) = (small("sizeInBytes").unwrap_or(-1), number("cardinality").unwrap_or(-1));
    DeletionVectorDescriptor::try_new(storage, text("pathOrInlineDv"), small("offset"), size, cardinality)
}

/// Vectors that are to be written.
pub(super) struct Vectors {
    /// The name of their file.
    pub(super) name: String,
    /// Its content.
    pub(super) content: Vec<u8>,
    /// What the log says of each, in the order in which they were given.
    pub(super) descriptors: Vec<Value>,
}

/// The content of a file with these vectors.
pub(super) fn write<'a>(dead: impl IntoIterator<Item = &'a RoaringTreemap>) -> Result<Vectors, StoreError> {
    let failed = |e: Error| StoreError::definite("write deletion vectors", e);
    let id = Uuid::new_v4();
    let (mut content, mut descriptors) = (Vec::new(), Vec::new());
    let mut writer = StreamingDeletionVectorWriter::new(&mut content);
    for rows in dead {
        let mut vector = KernelDeletionVector::new();
        vector.add_deleted_row_indexes(rows.iter());
        let written = writer.write_deletion_vector(vector).map_err(failed)?;
        descriptors.push(json!({
            "storageType": "u",
            "pathOrInlineDv": z85::encode(id.as_bytes()),
            "offset": written.offset,
            "sizeInBytes": written.size_in_bytes,
            "cardinality": written.cardinality,
        }));
    }
    writer.finalize().map_err(failed)?;
    Ok(Vectors { name: format!("deletion_vector_{id}.bin"), content, descriptors })
}

/// Files that were fetched, as the kernel asks for them.
struct Contents(BTreeMap<Url, bytes::Bytes>);

impl StorageHandler for Contents {
    fn list_from(&self, _path: &Url) -> DeltaResult<Box<dyn Iterator<Item = DeltaResult<FileMeta>>>> {
        Err(only_reads())
    }

    fn read_files(&self, files: Vec<FileSlice>) -> DeltaResult<Box<dyn Iterator<Item = DeltaResult<bytes::Bytes>>>> {
        let read = |(file, _): FileSlice| self.0.get(&file).cloned().ok_or_else(|| Error::file_not_found(file));
        Ok(Box::new(files.into_iter().map(read).collect::<Vec<_>>().into_iter()))
    }

    fn copy_atomic(&self, _from: &Url, _to: &Url) -> DeltaResult<()> {
        Err(only_reads())
    }

    fn put(&self, _path: &Url, _content: bytes::Bytes, _overwrite: bool) -> DeltaResult<()> {
        Err(only_reads())
    }

    fn head(&self, _path: &Url) -> DeltaResult<FileMeta> {
        Err(only_reads())
    }

    fn delete(&self, _path: &Url) -> DeltaResult<()> {
        Err(only_reads())
    }
}

fn only_reads() -> Error {
    Error::generic("only files that were fetched can be read")
}
