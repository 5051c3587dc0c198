"""A catalog with many snapshots, and how long a flush holds it.

The snapshots are rows that SQL makes: as if each had added one file, alike the newest real one, to
the one table, and had been a flush of ours. The files themselves are not there, and nobody asks.

How long the lock is held comes from the server's log, which has every statement's end to the
millisecond: from the end of `LOCK TABLE … ducklake_snapshot` to the end of that session's COMMIT.
Sampling pg_locks would be no finer, and would take its own share of two cores.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from server import DATABASE, Server

GROW = """
BEGIN;
CREATE TEMPORARY TABLE head ON COMMIT DROP AS
    SELECT * FROM {meta}.ducklake_snapshot ORDER BY snapshot_id DESC LIMIT 1;
CREATE TEMPORARY TABLE last ON COMMIT DROP AS
    SELECT * FROM {meta}.ducklake_data_file ORDER BY data_file_id DESC LIMIT 1;
INSERT INTO {meta}.ducklake_snapshot (snapshot_id, snapshot_time, schema_version, next_catalog_id, next_file_id)
    SELECT snapshot_id + i, now(), schema_version, next_catalog_id, next_file_id + i
    FROM head, generate_series(1, {count}) i;
INSERT INTO {meta}.ducklake_snapshot_changes (snapshot_id, changes_made, author, commit_message, commit_extra_info)
    SELECT snapshot_id + i, 'inserted_into_table:' || table_id, 'lakefront', 'flush ' || i, NULL
    FROM head, last, generate_series(1, {count}) i;
INSERT INTO {meta}.ducklake_data_file (data_file_id, table_id, begin_snapshot, end_snapshot, file_order, path,
        path_is_relative, file_format, record_count, file_size_bytes, footer_size, row_id_start, partition_id,
        encryption_key, mapping_id, partial_max)
    SELECT next_file_id + i - 1, table_id, snapshot_id + i, NULL, NULL, i || '-' || path, path_is_relative, file_format,
        record_count, file_size_bytes, footer_size, row_id_start + i * record_count, partition_id, NULL, NULL, NULL
    FROM head, last, generate_series(1, {count}) i;
INSERT INTO {meta}.ducklake_file_column_stats (data_file_id, table_id, column_id, column_size_bytes, value_count,
        null_count, min_value, max_value, contains_nan, extra_stats)
    SELECT next_file_id + i - 1, s.table_id, column_id, column_size_bytes, value_count, null_count, min_value,
        max_value, contains_nan, extra_stats
    FROM head, last JOIN {meta}.ducklake_file_column_stats s USING (data_file_id), generate_series(1, {count}) i;
UPDATE {meta}.ducklake_table_stats s SET record_count = s.record_count + {count} * l.record_count,
        next_row_id = s.next_row_id + {count} * l.record_count,
        file_size_bytes = s.file_size_bytes + {count} * l.file_size_bytes
    FROM last l WHERE s.table_id = l.table_id;
-- Ours: the newest version stays what it is, and many come before it.
UPDATE {meta}.lakefront_commits SET version = -version;
UPDATE {meta}.lakefront_commits SET version = {count} - version;
INSERT INTO {meta}.lakefront_commits (pipeline, version, id, position, run, snapshot_id, tables)
    SELECT c.pipeline, i, gen_random_uuid(), c.position, c.run, h.snapshot_id + i, c.tables
    FROM (SELECT * FROM {meta}.lakefront_commits WHERE snapshot_id IS NOT NULL ORDER BY version DESC LIMIT 1) c,
        head h, generate_series(1, {count}) i;
COMMIT;
"""

# `log_line_prefix` is `%n %p `: seconds since 1970, and the process.
LINE = re.compile(r"^(\d+\.\d+) (\d+) LOG:  duration: [\d.]+ ms  (?:statement|execute [^:]*): (.*)")


@dataclass
class Held:
    """How long the lock was held, and how many statements of any session ended meanwhile."""

    ms: float
    statements: int


def grow(server: Server, meta: str, snapshots: int) -> None:
    """Adds snapshots until the catalog has so many, and lets PostgreSQL know."""
    there = server.number(f"SELECT count(*) FROM {meta}.ducklake_snapshot")
    server.psql(GROW.format(meta=meta, count=snapshots - there))
    tables = server.psql(
        f"SELECT oid::regclass FROM pg_class WHERE relnamespace = '{meta}'::regnamespace AND relkind = 'r'"
    )
    server.psql("".join(f"VACUUM (ANALYZE) {table};\n" for table in tables.splitlines()))


def log_statements(server: Server, *, on: bool) -> None:
    """Whether sessions that begin from now on log every statement."""
    value = "0" if on else "-1"
    server.psql(
        f"ALTER DATABASE {DATABASE} SET log_min_duration_statement = {value};"
        f"ALTER DATABASE {DATABASE} SET log_parameter_max_length = 0;"
    )


def held(log: str) -> list[Held]:
    """The times that the log's sessions held the lock."""
    found, begun, statements = [], {}, 0
    for line in log.splitlines():
        matched = LINE.match(line)
        if not matched:
            continue
        at, process, statement = float(matched[1]), matched[2], matched[3].lstrip()
        statements += 1
        if statement.startswith("LOCK TABLE") and "ducklake_snapshot " in statement:
            begun[process] = (at, statements)
        elif statement.startswith("COMMIT") and process in begun:
            since, first = begun.pop(process)
            found.append(Held(1000 * (at - since), statements - first))
    return found
