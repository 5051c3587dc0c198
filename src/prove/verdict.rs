//! The result over all tables of a pipeline.

use lakefront_operators::prove::Proof;

use super::text::rows;

/// The result over the proofs of all tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Every row that has landed is there, once.
    Proved,
    /// Nothing differs, but some rows cannot be verified.
    InPart,
    /// No row can be verified.
    NotVerifiable,
    /// No row has landed.
    Nothing,
    /// Something differs.
    Differs,
}

impl Verdict {
    pub(super) fn of(proofs: &[Proof]) -> Verdict {
        let any = |is: &dyn Fn(&Proof) -> bool| proofs.iter().any(is);
        match () {
            () if any(&|proof| !proof.is_ok()) => Verdict::Differs,
            () if any(&|proof| !proof.unverifiable.is_empty()) => match any(&|proof| proof.source_rows > 0) {
                true => Verdict::InPart,
                false => Verdict::NotVerifiable,
            },
            () if any(&|proof| proof.totals_rows > 0) => Verdict::Proved,
            () => Verdict::Nothing,
        }
    }

    /// The first line of the report, which states the result.
    pub(super) fn told(self, pipeline: &str, proofs: &[Proof]) -> String {
        let position = proofs.iter().map(|proof| proof.position).min().unwrap_or_default();
        let unverifiable = rows(proofs.iter().map(Proof::unverifiable_rows).sum());
        match self {
            Verdict::Proved if is_followed(proofs) => {
                format!("pipeline {pipeline} is proved: every row is as PostgreSQL has it, at {}", lsn(proofs))
            }
            Verdict::InPart | Verdict::NotVerifiable if is_followed(proofs) => {
                format!("pipeline {pipeline}: nothing differs, BUT NOT ALL IS PROVED: what is not stands below")
            }
            Verdict::Differs if is_followed(proofs) => {
                format!("pipeline {pipeline} is NOT proved: the lake is not what PostgreSQL has, at {}", lsn(proofs))
            }
            // A table without new rows moves its position some cuts later than the others.
            Verdict::Proved if proofs.iter().any(|proof| proof.position != position) => {
                format!("pipeline {pipeline} is proved: up to the position of each table, every row is there, once")
            }
            Verdict::Proved => {
                format!("pipeline {pipeline} is proved: up to position {position}, every row is there, once")
            }
            Verdict::InPart if is_flushed(proofs) => format!(
                "pipeline {pipeline}: nothing differs, BUT NOT ALL IS PROVED: {unverifiable} not verifiable, because snapshots \
                 that would tell have expired"
            ),
            Verdict::InPart => format!(
                "pipeline {pipeline}: nothing differs, BUT NOT ALL IS PROVED: {unverifiable} not verifiable, the source can no \
                 longer confirm all rows"
            ),
            Verdict::NotVerifiable if is_flushed(proofs) => {
                format!("pipeline {pipeline}: NOTHING IS PROVED: {unverifiable} not verifiable")
            }
            Verdict::NotVerifiable => format!(
                "pipeline {pipeline}: NOTHING IS PROVED: {unverifiable} not verifiable; tables and totals agree, but the source can \
                 no longer confirm any row"
            ),
            Verdict::Nothing => {
                format!("pipeline {pipeline}: NOTHING TO PROVE: no row has landed, up to position {position}")
            }
            Verdict::Differs if is_flushed(proofs) => {
                format!("pipeline {pipeline} is NOT proved: the lake is not what was flushed")
            }
            Verdict::Differs => format!("pipeline {pipeline} is NOT proved: source, totals and tables differ"),
        }
    }
}

/// Whether the rows have left their source for the lake.
pub(super) fn is_flushed(proofs: &[Proof]) -> bool {
    proofs.iter().any(|proof| proof.flushed.is_some())
}

/// Whether the tables follow those of PostgreSQL.
fn is_followed(proofs: &[Proof]) -> bool {
    proofs.iter().any(|proof| proof.followed.is_some())
}

/// The place in PostgreSQL's log at which rows were read.
fn lsn(proofs: &[Proof]) -> &str {
    proofs.iter().find_map(|proof| proof.followed.as_ref()).map_or("", |followed| &followed.lsn)
}
