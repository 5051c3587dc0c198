#!/usr/bin/env python3
"""DuckDB with its ducklake extension, as a reader and a co-writer that shares no code with us.

It runs as long as its standard input is open. A line there is a request, a line of standard output
is its answer; both are JSON.

    {"attach": {"catalog": "host=… port=… user=… dbname=…", "data_path": "…",
                "metadata_schema": "…", "options": {"READ_ONLY": "true"}},
     "hot": "host=… port=… user=… dbname=…"}

attaches a lake as `lake`, and makes it if it is not there. All but `catalog` may be left out;
`options` are those of DuckLake's ATTACH. `hot`, which may stand alone, attaches a database of
PostgreSQL as `hot`. What bore these names is detached first.

    {"sql": "…"}

runs statements. The answer, `{"rows": [[…], …]}`, has the rows of the last one; what has none
answers with what DuckDB returns for it, such as a count. A transaction may span requests. What
fails answers `{"error": "…"}` and rolls an open transaction back; the next request is served, even
if DuckDB itself broke, which is said by `FatalException` or `InternalException`.

Values are text or null: a float as repr() has it, bytes as lower-case hex, true and false, a
decimal in full, dates and times in ISO 8601 (a zoned one in UTC, with `+00:00`), and what is nested
as JSON whose leaves are such texts. What Python cannot hold (`infinity`, years BC) and what it
changes (intervals of months) is for the statement to cast to VARCHAR.
"""

from __future__ import annotations

import importlib
import json
import sys
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb

# In the order of their needs. Nothing is fetched: the files come with the wheels.
EXTENSIONS = ["icu", "json", "parquet", "httpfs", "postgres_scanner", "ducklake"]


def connect() -> duckdb.DuckDBPyConnection:
    config = {"autoinstall_known_extensions": "false", "autoload_known_extensions": "false"}
    connection = duckdb.connect(config=config)
    for name in EXTENSIONS:
        module = importlib.import_module(f"duckdb_extension_{name}")
        file = next(Path(module.__path__[0]).rglob("*.duckdb_extension"))
        connection.execute(f"LOAD {quoted(str(file))}")
    connection.execute("SET TimeZone = 'UTC'")
    return connection


def quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def attach(connection: duckdb.DuckDBPyConnection, request: dict[str, Any]) -> None:
    if lake := request.get("attach"):
        options = dict(lake.get("options", {}))
        for name in ["data_path", "metadata_schema"]:
            if name in lake:
                options[name.upper()] = lake[name]
        given = ", ".join(f"{name} {quoted(str(value))}" for name, value in options.items())
        connection.execute("DETACH DATABASE IF EXISTS lake")
        target = quoted("ducklake:postgres:" + lake["catalog"])
        connection.execute(f"ATTACH {target} AS lake" + (f" ({given})" if given else ""))
    if hot := request.get("hot"):
        connection.execute("DETACH DATABASE IF EXISTS hot")
        connection.execute(f"ATTACH {quoted(hot)} AS hot (TYPE postgres)")


def text(value: Any) -> str | None:
    match value:
        case None:
            return None
        case bool():
            return str(value).lower()
        case float():
            return repr(value)
        case Decimal():
            return format(value, "f")
        case bytes() | bytearray() | memoryview():
            return bytes(value).hex()
        case datetime() | date() | time():
            return value.isoformat()
        case list() | tuple() | dict():
            return json.dumps(leaves(value), ensure_ascii=False)
    return str(value)


def leaves(value: Any) -> Any:
    match value:
        case list() | tuple():
            return [leaves(each) for each in value]
        case dict():
            return {text(key): leaves(each) for key, each in value.items()}
    return text(value)


class Reader:
    """A connection, and what to attach again if DuckDB breaks it."""

    def __init__(self) -> None:
        self.connection = connect()
        self.attached: dict[str, Any] = {}

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        try:
            attach(self.connection, request)
            self.attached |= {name: request[name] for name in ["attach", "hot"] if name in request}
            if "sql" not in request:
                return {"rows": []}
            rows = self.connection.execute(request["sql"]).fetchall()
            return {"rows": [[text(value) for value in row] for row in rows]}
        # After these DuckDB refuses all that comes.
        except (duckdb.FatalException, duckdb.InternalException) as error:
            said = failure(error)
            self.connection.close()
            self.connection = connect()
            attach(self.connection, self.attached)
            return said
        except Exception as error:
            # A statement that fails in a transaction of its own leaves it open.
            self.roll_back()
            return failure(error)

    def roll_back(self) -> None:
        try:
            self.connection.execute("ROLLBACK")
        except duckdb.TransactionException:
            pass


def failure(error: Exception) -> dict[str, Any]:
    said, _, _ = str(error).partition("\n\nStack Trace:")
    return {"error": f"{type(error).__name__}: {said}"}


def main() -> None:
    reader = Reader()
    for line in sys.stdin:
        print(json.dumps(reader.answer(json.loads(line)), ensure_ascii=False), flush=True)


if __name__ == "__main__":
    sys.stdin.reconfigure(encoding="utf-8")
    sys.stdout.reconfigure(encoding="utf-8")
    main()
