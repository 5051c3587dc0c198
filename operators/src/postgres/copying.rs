//! A session that copies fast: the rows of a `COPY` go from the socket into one buffer.

use std::ops::Deref;
use std::pin::pin;
use std::sync::Arc;

use futures::TryStreamExt;
use futures::future::{Either, select};
use tokio_postgres::{Client, Error};

use super::rows::Rows;

/// A prepared session whose rows of a `COPY` are taken before the client library sees them.
pub struct CopySession {
    client: Client,
    rows: Arc<Rows>,
}

/// Ends the taking of rows, also if nobody waits for them any more.
struct Taken<'a>(&'a Rows);

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        self.0.end();
    }
}

impl CopySession {
    pub(super) fn new(client: Client, rows: Arc<Rows>) -> CopySession {
        CopySession { client, rows }
    }

    /// Appends what `sql`, a `COPY … TO STDOUT`, sends to `bytes`, and returns them. Once there are
    /// `most` bytes or more, the rest waits until `room` has ended.
    ///
    /// # Errors
    ///
    /// If the server or the connection fails. What was copied by then is lost.
    pub async fn copy(
        &self,
        sql: &str,
        bytes: Vec<u8>,
        most: usize,
        room: impl Future<Output = ()>,
    ) -> Result<Vec<u8>, Error> {
        self.rows.begin(bytes, most);
        let taking = Taken(&self.rows);
        self.copy_taken(sql, room).await?;
        Ok(taking.0.end())
    }

    async fn copy_taken(&self, sql: &str, room: impl Future<Output = ()>) -> Result<(), Error> {
        let mut copied = pin!(async {
            // It ends when the last row was taken, and has none itself.
            self.client.copy_out(sql).await?.try_for_each(|_| async { Ok(()) }).await
        });
        match select(copied.as_mut(), pin!(self.rows.full())).await {
            Either::Left((outcome, _)) => return outcome,
            Either::Right(((), _)) => {}
        }
        room.await;
        self.rows.make_room();
        copied.await
    }
}

impl Deref for CopySession {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}
