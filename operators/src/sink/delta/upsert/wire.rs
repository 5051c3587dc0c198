//! Changes on their way between workers: rows as a stream of Arrow's own, and the rest beside it.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{ArrayRef, RecordBatch};
use arrow_buffer::BooleanBuffer;
use arrow_ipc::reader::StreamReader;
use arrow_ipc::writer::StreamWriter;
use arrow_schema::ArrowError;
use serde::de::Error as _;
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::changes::{Changes, Operation};
use super::order::Order;

/// Changes as they travel.
#[derive(Serialize, Deserialize)]
struct Wire {
    rows: Vec<u8>,
    operations: Vec<Operation>,
    unavailable: BTreeMap<usize, Vec<bool>>,
    order: Vec<Order>,
    origins: Option<Vec<u8>>,
    truncations: Vec<Order>,
}

impl Serialize for Changes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let origins = self.origins.as_ref().map(|origins| {
            let column = Arc::new(origins.clone()) as ArrayRef;
            write(&RecordBatch::try_from_iter([("origin", column)])?)
        });
        let wire = Wire {
            rows: write(&self.rows).map_err(S::Error::custom)?,
            operations: self.operations.clone(),
            unavailable: self.unavailable.iter().map(|(column, rows)| (*column, rows.iter().collect())).collect(),
            order: self.order.clone(),
            origins: origins.transpose().map_err(S::Error::custom)?,
            truncations: self.truncations.clone(),
        };
        wire.serialize(serializer)
    }
}

impl<'d> Deserialize<'d> for Changes {
    fn deserialize<D: Deserializer<'d>>(deserializer: D) -> Result<Self, D::Error> {
        let Wire { rows, operations, unavailable, order, origins, truncations } = Wire::deserialize(deserializer)?;
        let origins = origins.map(|origins| read(&origins)).transpose().map_err(D::Error::custom)?;
        let column = |batch: RecordBatch| batch.column(0).as_binary_opt().cloned();
        Ok(Changes {
            rows: read(&rows).map_err(D::Error::custom)?,
            operations,
            unavailable: unavailable.into_iter().map(|(column, rows)| (column, BooleanBuffer::from(rows))).collect(),
            order,
            origins: origins.and_then(column),
            truncations,
        })
    }
}

fn write(batch: &RecordBatch) -> Result<Vec<u8>, ArrowError> {
    let mut writer = StreamWriter::try_new(Vec::new(), &batch.schema())?;
    writer.write(batch)?;
    writer.finish()?;
    writer.into_inner()
}

fn read(bytes: &[u8]) -> Result<RecordBatch, ArrowError> {
    let mut reader = StreamReader::try_new(bytes, None)?;
    reader.next().unwrap_or_else(|| Err(ArrowError::IpcError("changes came without rows".to_owned())))
}
