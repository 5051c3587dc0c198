//! Offsets files, as rows of a table.

use super::group::LakeGroup;
use super::log::{held, is_there, signed};
use crate::error::StoreError;
use crate::postgres::{self, Ask};
use crate::protocol::Pending;
use crate::protocol::group::Created;
use crate::protocol::names::OffsetsName;
use crate::protocol::offsets_store::{Neighbour, OffsetsStore};

impl OffsetsStore for LakeGroup {
    fn name(&self) -> &str {
        &self.name
    }

    fn shown(&self) -> String {
        self.lake.shown()
    }

    fn write_offsets<'a>(&'a self, name: OffsetsName, content: &'a [u8]) -> Pending<'a, Result<Created, StoreError>> {
        Box::pin(async move {
            let sql = format!(
                "INSERT INTO {}.lakefront_offsets (pipeline, position, run, content) VALUES ($1, $2, $3, $4) \
                 ON CONFLICT DO NOTHING",
                self.lake.schema
            );
            let (position, run) = (signed(name.0.position.0), signed(name.0.run.0));
            let written = self.lake.reader().await?.tell(&sql, &[&self.pipeline, &position, &run, &content]).await;
            match written.map_err(|e| self.failed("write offsets into", e))? {
                0 => Ok(Created::No),
                _ => Ok(Created::Yes),
            }
        })
    }

    fn read_offsets(&self, name: OffsetsName) -> Pending<'_, Result<Option<Vec<u8>>, StoreError>> {
        Box::pin(async move {
            let sql = format!(
                "SELECT content FROM {}.lakefront_offsets WHERE pipeline = $1 AND position = $2 AND run = $3",
                self.lake.schema
            );
            let (position, run) = (signed(name.0.position.0), signed(name.0.run.0));
            let row = self.lake.reader().await?.ask_opt(&sql, &[&self.pipeline, &position, &run]).await;
            Ok(row.map_err(|e| self.failed("read offsets of", e))?.map(|row| row.get(0)))
        })
    }

    fn list_offsets(&self) -> Pending<'_, Result<Vec<OffsetsName>, StoreError>> {
        Box::pin(async move {
            let sql = format!("SELECT position, run FROM {}.lakefront_offsets WHERE pipeline = $1", self.lake.schema);
            let client = self.lake.reader().await?;
            if !is_there(&self.lake, &client).await? {
                return Ok(Vec::new());
            }
            let rows = client.ask(&sql, &[&self.pipeline]).await;
            let rows = rows.map_err(|e| self.failed("list the offsets of", e))?;
            Ok(rows.iter().map(|row| OffsetsName(held(row.get(0), row.get(1)))).collect())
        })
    }

    fn delete_offsets(&self, name: OffsetsName) -> Pending<'_, Result<(), StoreError>> {
        Box::pin(async move {
            let sql = format!(
                "DELETE FROM {}.lakefront_offsets WHERE pipeline = $1 AND position = $2 AND run = $3",
                self.lake.schema
            );
            let (position, run) = (signed(name.0.position.0), signed(name.0.run.0));
            let deleted = self.lake.reader().await?.tell(&sql, &[&self.pipeline, &position, &run]).await;
            deleted.map(drop).map_err(|e| postgres::failed(format!("delete old offsets of {}", self.lake.shown()), e))
        })
    }

    fn others(&self) -> Pending<'_, Result<Vec<Neighbour>, StoreError>> {
        Box::pin(async move {
            let client = self.lake.reader().await?;
            if !is_there(&self.lake, &client).await? {
                return Ok(Vec::new());
            }
            let sql =
                format!("SELECT DISTINCT pipeline FROM {}.lakefront_commits WHERE pipeline <> $1", self.lake.schema);
            let rows = client.ask(&sql, &[&self.pipeline]).await;
            let rows = rows.map_err(|e| self.failed("list the pipelines of", e))?;
            let neighbour = |row: &tokio_postgres::Row| -> Neighbour {
                let pipeline: String = row.get(0);
                (pipeline.clone(), Box::new(self.of(pipeline)))
            };
            Ok(rows.iter().map(neighbour).collect())
        })
    }
}
