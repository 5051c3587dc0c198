#!/usr/bin/env python3
"""DuckDB reads the lines and writes Parquet files by role; it commits to no table.

The settings are those that its documentation gives for bulk loads: the columns are named, so
nothing is guessed, and the order of rows is free.
"""

from __future__ import annotations

from pathlib import Path

import job
from columns import INTEGER, LOG_TIME, PROPERTIES, TIME, TOP

# DuckDB reads both spellings of a moment in UTC while it reads the JSON.
TYPES = {TIME: "TIMESTAMP", LOG_TIME: "TIMESTAMP", INTEGER: "BIGINT"}


def query(logs: Path, out: Path) -> str:
    def typed(keys: dict[str, str]) -> list[tuple[str, str]]:
        return [(key, TYPES.get(key, "VARCHAR")) for key in keys.values()]

    struct = ", ".join(f'"{key}" {kind}' for key, kind in typed(PROPERTIES))
    columns = ", ".join(f"'{key}': '{kind}'" for key, kind in [*typed(TOP), ("properties", f"STRUCT({struct})")])
    selected = [f'"{key}" AS {column}' for column, key in TOP.items()]
    selected += [f'properties."{key}" AS {column}' for column, key in PROPERTIES.items()]
    return f"""
        COPY (
            SELECT {", ".join(selected)}, CASE "ReplicaRole" WHEN 'Primary' THEN 'primary' ELSE 'replica' END AS role
            FROM read_ndjson('{quoted(logs)}', columns = {{{columns}}})
        ) TO '{quoted(out)}' (FORMAT parquet, COMPRESSION snappy, PARTITION_BY (role))
    """


def quoted(path: Path) -> str:
    return str(path).replace("'", "''")


def land(logs: Path, out: Path, threads: int) -> dict[str, int]:
    import duckdb

    connection = duckdb.connect(config={"threads": threads, "preserve_insertion_order": False})
    connection.execute(query(logs, out))
    # From the files' footers: what was written, not what was intended.
    counts = connection.execute(
        "SELECT regexp_extract(file_name, 'role=(\\w+)', 1) AS role, sum(num_rows) FROM parquet_file_metadata(?) GROUP BY role",
        [f"{out}/**/*.parquet"],
    ).fetchall()
    return {role: int(rows) for role, rows in sorted(counts)}


if __name__ == "__main__":
    job.main("lands Azure PostgreSQL log lines as Parquet with DuckDB", land)
