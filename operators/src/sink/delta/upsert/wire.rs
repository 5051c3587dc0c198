//! Changes on their way between workers: rows as a stream of Arrow's own, and the rest beside it.

use std::collections::BTreeMap;

use arrow_buffer::BooleanBuffer;
use arrow_ipc::reader::StreamReader;
use arrow_ipc::writer::StreamWriter;
use arrow_schema::ArrowError;
use serde::de::Error as _;
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::changes::{Changes, Operation, Order};

/// Changes as they travel.
#[derive(Serialize, Deserialize)]
struct Wire {
    rows: Vec<u8>,
    operations: Vec<Operation>,
    unavailable: BTreeMap<usize, Vec<bool>>,
    order: Vec<Order>,
}

impl Serialize for Changes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let wire = Wire {
            rows: write(self).map_err(S::Error::custom)?,
            operations: self.operations.clone(),
            unavailable: self.unavailable.iter().map(|(column, rows)| (*column, rows.iter().collect())).collect(),
            order: self.order.clone(),
        };
        wire.serialize(serializer)
    }
}

impl<'d> Deserialize<'d> for Changes {
    fn deserialize<D: Deserializer<'d>>(deserializer: D) -> Result<Self, D::Error> {
        let Wire { rows, operations, unavailable, order } = Wire::deserialize(deserializer)?;
        let mut reader = StreamReader::try_new(&rows[..], None).map_err(D::Error::custom)?;
        let rows = reader.next().ok_or_else(|| D::Error::custom("changes came without rows"))?;
        Ok(Changes {
            rows: rows.map_err(D::Error::custom)?,
            operations,
            unavailable: unavailable.into_iter().map(|(column, rows)| (column, BooleanBuffer::from(rows))).collect(),
            order,
        })
    }
}

fn write(changes: &Changes) -> Result<Vec<u8>, ArrowError> {
    let mut writer = StreamWriter::try_new(Vec::new(), &changes.rows.schema())?;
    writer.write(&changes.rows)?;
    writer.finish()?;
    writer.into_inner()
}
