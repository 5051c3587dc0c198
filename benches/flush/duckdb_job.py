#!/usr/bin/env python3
"""DuckDB flushes hot tables into a DuckLake: `INSERT … SELECT` from each, then DELETE there.

Its argument is a JSON object: `hot`, how libpq reaches the hot tables and the catalog; `tables`,
each name with the column that numbers its rows; `meta` and `data`, where catalog and files are;
`create`, whether to make the tables first. It prints what the flush alone took: `wall_s`, `cpu_s`.

As other flushers do it, and not exactly once: what a row becomes between the two is lost, and a
crash there doubles all. One transaction for all inserts took a tenth less CPU time than one for
each table. PostgreSQL itself deletes, because DuckDB's own DELETE would ask for every row's place
first.
"""

from __future__ import annotations

import importlib
import json
import resource
import sys
import time
from pathlib import Path

import duckdb

# In the order of their needs. Nothing is fetched: the files come with the wheels.
EXTENSIONS = ["icu", "json", "parquet", "postgres_scanner", "ducklake"]


def connect(request: dict) -> duckdb.DuckDBPyConnection:
    off = {"autoinstall_known_extensions": "false", "autoload_known_extensions": "false"}
    # As its documentation advises for bulk loads.
    connection = duckdb.connect(config={**off, "preserve_insertion_order": "false"})
    for name in EXTENSIONS:
        module = importlib.import_module(f"duckdb_extension_{name}")
        file = next(Path(module.__path__[0]).rglob("*.duckdb_extension"))
        connection.execute(f"LOAD {quoted(str(file))}")
    lake = quoted("ducklake:postgres:" + request["hot"])
    given = f"DATA_PATH {quoted(request['data'])}, METADATA_SCHEMA {quoted(request['meta'])}"
    connection.execute(f"ATTACH {lake} AS lake ({given})")
    connection.execute(f"ATTACH {quoted(request['hot'])} AS hot (TYPE postgres)")
    return connection


def flush(connection: duckdb.DuckDBPyConnection, request: dict) -> None:
    (mark,) = connection.execute("SELECT * FROM postgres_query('hot', 'SELECT max(sequence) FROM mark')").fetchone()
    connection.execute("BEGIN")
    for table, column in request["tables"].items():
        scan = f"postgres_scan({quoted(request['hot'])}, 'public', {quoted(table)})"
        connection.execute(f'INSERT INTO lake.bronze.{table} SELECT * FROM {scan} WHERE "{column}" <= {mark}')
    connection.execute("COMMIT")
    # Not before, because a transaction of DuckDB writes to one database alone.
    for table, column in request["tables"].items():
        delete = f'DELETE FROM {table} WHERE "{column}" <= {mark}'
        connection.execute(f"CALL postgres_execute('hot', {quoted(delete)})")


def create(connection: duckdb.DuckDBPyConnection, request: dict) -> None:
    connection.execute("CREATE SCHEMA IF NOT EXISTS lake.bronze")
    for table in request["tables"]:
        connection.execute(f"CREATE TABLE lake.bronze.{table} AS FROM hot.public.{table} LIMIT 0")


def quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def cpu_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def main() -> None:
    request = json.loads(sys.argv[1])
    connection = connect(request)
    if request["create"]:
        create(connection, request)
    started, before = time.monotonic(), cpu_s()
    flush(connection, request)
    print(json.dumps({"wall_s": time.monotonic() - started, "cpu_s": cpu_s() - before}))


if __name__ == "__main__":
    main()
