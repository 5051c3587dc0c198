//! What DuckDB does to a lake's tables beside us. As it usually does, it keeps small inserts in the
//! catalog (DuckLake calls that inlining), and not in files.

use crate::ducklake::TABLES;
use crate::harness::Foreign;

/// The statements by which it does that, each in a transaction of its own unless it says otherwise.
pub(crate) fn statements(what: Foreign) -> Vec<String> {
    let each = |statement: &str| TABLES.map(|table| statement.replace("{table}", &format!("lake.bronze.{table}")));
    let insert = |rows: &[u64]| {
        let values = |row: &u64| {
            let table = TABLES[usize::try_from(*row).unwrap() % TABLES.len()];
            format!("INSERT INTO lake.bronze.{table} (n, small) VALUES ({row}, NULL);")
        };
        format!("BEGIN; {} COMMIT", rows.iter().map(values).collect::<String>())
    };
    match what {
        Foreign::Append(rows) => vec![insert(rows)],
        Foreign::Compact => {
            // A row more in each table, so that there are files to merge, and then one to rewrite.
            let merge = ["CALL ducklake_flush_inlined_data('lake')", "CALL ducklake_merge_adjacent_files('lake')"];
            let before = [insert(&[1000, 1001])].into_iter().chain(merge.map(str::to_owned));
            let delete = each("DELETE FROM {table} WHERE n >= 1000");
            let rewrite = "CALL ducklake_rewrite_data_files('lake', delete_threshold => 0)".to_owned();
            before.chain(delete).chain([rewrite]).collect()
        }
        Foreign::Delete => vec![format!("BEGIN; {}; COMMIT", each("DELETE FROM {table}").join("; "))],
        Foreign::AddColumn => each("ALTER TABLE {table} ADD COLUMN note VARCHAR").to_vec(),
        Foreign::Retype => each("ALTER TABLE {table} ALTER COLUMN small SET DATA TYPE BIGINT").to_vec(),
    }
}
