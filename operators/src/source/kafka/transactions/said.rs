//! What records say of transactions.

/// What a record says of transactions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Said {
    /// Nothing: it goes with what is before it.
    Nothing,
    /// It is a change.
    Change(Change),
    /// A transaction has ended.
    End(End),
}

/// A change of a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Change {
    /// The transaction's number.
    pub(crate) tx: u64,
    /// The table, as `schema.table`.
    pub(crate) table: String,
    /// Which change of its table within the transaction, from 1.
    pub(crate) order: u32,
    /// Where in PostgreSQL's log (LSN) the transaction before it was committed, or else its own
    /// place, of the first that a connector has read.
    pub(crate) after: u64,
}

/// The end of a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct End {
    /// Its number.
    pub(crate) tx: u64,
    /// Where in PostgreSQL's log it was committed (LSN).
    pub(crate) lsn: u64,
    /// How many changes it has, by table as `schema.table`.
    pub(crate) counts: Vec<(String, u64)>,
}
