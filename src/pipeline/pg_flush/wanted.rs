//! What the file wants, compared with what is there: which hot tables, what becomes of their rows,
//! and which lake.

use lakefront_operators::error::Stop;
use lakefront_operators::sink::ducklake::LakeSpec;
use lakefront_operators::sink::files::Place;
use lakefront_operators::source::postgres::{HotTable, KNOWN_SEQUENCES, Late};

use crate::config::{FlushLake, LakeRoot, NamedTable, PgFlush};

/// The columns that may number rows: those that the file names first.
pub(super) fn sequences(config: &PgFlush) -> Vec<String> {
    let named = config.tables.iter().flatten().filter_map(|table| table.column.clone());
    named.chain([config.watermark.1.clone()]).chain(KNOWN_SEQUENCES.map(str::to_owned)).collect()
}

/// The tables that the file names, or all.
pub(super) fn chosen(config: &PgFlush, mut there: Vec<HotTable>) -> Result<Vec<HotTable>, Stop> {
    let Some(wanted) = &config.tables else {
        return match there.is_empty() {
            true => Err(Stop::Refused(format!(
                "schema {:?} has no table with a column that numbers its rows: check source.schema, or name the tables in \
                 source.tables",
                config.schema
            ))),
            false => Ok(there),
        };
    };
    let take = |NamedTable { name, column, .. }: &NamedTable| {
        let at = there.iter().position(|table| table.name == *name);
        let table = at.map(|at| there.swap_remove(at));
        let has = |table: &HotTable, column: &String| table.columns.iter().any(|known| known.name == *column);
        match (table, column) {
            (Some(table), None) => Ok(table),
            (Some(table), Some(column)) if has(&table, column) => Ok(HotTable { sequence: column.clone(), ..table }),
            (Some(_), Some(column)) => {
                Err(Stop::Refused(format!("source.tables: table {name:?} has no column {column:?}")))
            }
            (None, _) => Err(Stop::Refused(format!(
                "source.tables: schema {:?} has no table {name:?} with a column that numbers its rows",
                config.schema
            ))),
        }
    };
    wanted.iter().map(take).collect()
}

/// What happens to rows of each table that come back. Only a table with a primary key can skip
/// or replace them.
pub(super) fn late(config: &PgFlush, hot: &[HotTable]) -> Result<Vec<Late>, Stop> {
    let of = |table: &HotTable| {
        let named = config.tables.iter().flatten().find(|named| named.name == table.name);
        match named.and_then(|named| named.late).or(config.late) {
            None if table.key.is_empty() => Ok(Late::Append),
            None => Ok(Late::Skip),
            Some(late @ (Late::Skip | Late::Replace)) if table.key.is_empty() => Err(Stop::Refused(format!(
                "late = {1:?} finds rows by their primary key, and table {0:?} has none: give it one, or say \
                 {{ name = {0:?}, late = \"append\" }} in source.tables",
                table.name,
                late.word()
            ))),
            Some(late) => Ok(late),
        }
    };
    hot.iter().map(of).collect()
}

/// The lake that the file names. Nothing is read or written.
pub(super) fn spec(lake: &FlushLake) -> Result<LakeSpec, Stop> {
    let (data, data_path) = match &lake.root {
        LakeRoot::File(path) => {
            let path = std::path::absolute(path).map_err(|error| Stop::Refused(format!("lake.data_path: {error}")))?;
            (Place::Disk(path.clone()), format!("{}/", path.display().to_string().trim_end_matches('/')))
        }
        LakeRoot::Azure(location) => {
            let path = with_slash(&location.path);
            (Place::azure(location)?, format!("az://{}/{path}", location.container))
        }
        LakeRoot::S3(location) => {
            let path = with_slash(&location.path);
            (Place::s3(location)?, format!("s3://{}/{path}", location.bucket.name))
        }
    };
    Ok(LakeSpec {
        catalog: lake.catalog.clone(),
        metadata_schema: lake.metadata_schema.clone(),
        schema: lake.schema.clone(),
        data,
        data_path,
        create: lake.create,
    })
}

fn with_slash(path: &str) -> String {
    match path.trim_matches('/') {
        "" => String::new(),
        path => format!("{path}/"),
    }
}
