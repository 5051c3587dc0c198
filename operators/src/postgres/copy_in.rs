//! COPY into a table.

use std::io::Cursor;
use std::pin::pin;

use futures::SinkExt;
use tokio_postgres::{Client, Error, Statement};

/// Sends `rows`, in the form that the prepared `COPY … FROM STDIN` expects. Returns how many rows
/// they were.
pub async fn copy_in(client: &Client, statement: &Statement, rows: Vec<u8>) -> Result<u64, Error> {
    let mut sink = pin!(client.copy_in::<_, Cursor<Vec<u8>>>(statement).await?);
    sink.send(Cursor::new(rows)).await?;
    sink.finish().await
}
