#!/usr/bin/env python3
"""The peer's side of the comparison: DuckDB reads the same lines, keeps the same columns, and writes Parquet by role.

`duckdb_job.py LOGS OUT_DIR` prints `{"primary": N, "replica": N}`. What it does not do, and lakefront does: commit to a table,
keep each line's place in its source and unknown keys, set bad lines aside, or go on after a crash. Settings are those that
DuckDB's documentation gives for bulk loads: the columns are named, so nothing is guessed, and the order of rows is free.
"""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path

import duckdb

# Column: key.
TOP = {
    "time": "time",
    "resource_id": "resourceId",
    "location": "location",
    "category": "category",
    "operation_name": "operationName",
    "server_type": "ServerType",
    "logical_server_name": "LogicalServerName",
    "server_version": "ServerVersion",
    "server_location": "ServerLocation",
    "replica_role": "ReplicaRole",
    "original_primary_server_name": "OriginalPrimaryServerName",
    "app_image": "AppImage",
    "app_type": "AppType",
    "app_version": "AppVersion",
    "region": "Region",
}
PROPERTIES = {
    "log_timestamp": "timestamp",
    "process_id": "processId",
    "error_level": "errorLevel",
    "sqlerrcode": "sqlerrcode",
    "backend_type": "backend_type",
    "message": "message",
    "detail": "detail",
}
# DuckDB reads both spellings of UTC (`...Z` and `... UTC`) as TIMESTAMP, in UTC, while it reads the JSON.
TYPES = {"time": "TIMESTAMP", "timestamp": "TIMESTAMP", "processId": "BIGINT"}


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


def main() -> None:
    parser = argparse.ArgumentParser(description="lands Azure PostgreSQL log lines as Parquet with DuckDB")
    parser.add_argument("logs", type=Path)
    parser.add_argument("out", type=Path, help="a directory; what it holds is removed first")
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    shutil.rmtree(args.out, ignore_errors=True)
    connection = duckdb.connect(config={"threads": args.threads, "preserve_insertion_order": False})
    connection.execute(query(args.logs, args.out))
    # From the files' footers: what was written, not what was meant.
    counts = connection.execute(
        "SELECT regexp_extract(file_name, 'role=(\\w+)', 1) AS role, sum(num_rows) FROM parquet_file_metadata(?) GROUP BY role",
        [f"{args.out}/**/*.parquet"],
    ).fetchall()
    print(json.dumps({role: int(rows) for role, rows in sorted(counts)}))


if __name__ == "__main__":
    main()
