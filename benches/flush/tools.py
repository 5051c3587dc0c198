"""The tools: lakefront, plain COPY, and DuckDB."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from hot import Hot
from measure import Sample, measure, say

HERE = Path(__file__).resolve().parent
sys.path.append(str(HERE.parent))

from packages import python_with  # noqa: E402

# DuckDB and its extensions are those of the tests, which read the lakes with them.
REQUIREMENTS = HERE.parent.parent / "tests/lakes/requirements.txt"

PIPELINE = """\
pipeline = "flush"
topology = "pg_flush"
workers = {workers}
[source]
url = "{url}"
watermark = {{ table = "mark", column = "sequence" }}
tables = [{tables}]
interval = "{interval}"
late = "append"
connections = {connections}
state_file = "{place}/state/flush.offset.json"
[lake]
metadata_schema = "{meta}"
schema = "bronze"
data_path = "file:{place}/lake"
"""


@dataclass
class Lake:
    """A lake of one tool: where its files are, and the schema of its catalog's tables."""

    hot: Hot
    place: Path
    meta: str

    def __post_init__(self) -> None:
        shutil.rmtree(self.place, ignore_errors=True)
        self.place.mkdir(parents=True)

    def held(self) -> tuple[int, int]:
        """The rows and the bytes that the catalog has."""
        statistics = f"{self.meta}.ducklake_table_stats"
        there = self.hot.server.psql(f"SELECT to_regclass('{statistics}') IS NOT NULL") == "t"
        sql = f"SELECT coalesce(sum(record_count), 0), coalesce(sum(file_size_bytes), 0) FROM {statistics}"
        rows, size = self.hot.server.psql(sql).split("|") if there else (0, 0)
        return int(rows), int(size)

    def measured(self, command: list[str], rows: int) -> Sample:
        """Runs what flushes `rows` rows into this lake. All must be in it, and no more be hot."""
        before = self.held()
        sample = measure(self.hot.server, [command], self.place / "run")
        after = self.held()
        sample.rows, sample.files_mib = after[0] - before[0], (after[1] - before[1]) / 2**20
        left = self.hot.rows()
        if sample.rows != rows or left:
            sys.exit(f"{command[0]} landed {sample.rows:,} of {rows:,} rows, and {left:,} are still hot")
        return sample


@dataclass
class Ours(Lake):
    """lakefront, and a lake of its own."""

    binary: Path
    workers: int
    connections: int
    interval: str = "600s"

    def file(self) -> Path:
        """The pipeline file."""
        tables = ", ".join(f'{{ name = "{name}", column = "{column}" }}' for name, column in self.hot.tables.items())
        given = {name: getattr(self, name) for name in ("workers", "connections", "interval", "meta", "place")}
        file = self.place / "flush.toml"
        file.write_text(PIPELINE.format(url=self.hot.server.url(), tables=tables, **given))
        return file

    def flush(self, rows: int) -> Sample:
        return self.measured([str(self.binary), "run", str(self.file()), "--once", "--json"], rows)


@dataclass
class DuckDB(Lake):
    """DuckDB in one process, and a lake of its own."""

    python: Path

    def flush(self, rows: int, *, create: bool = False) -> Sample:
        given = {"hot": self.hot.server.conninfo(), "tables": self.hot.tables, "meta": self.meta, "create": create}
        request = json.dumps(given | {"data": f"{self.place}/lake/"})
        return self.measured([str(self.python), str(HERE / "duckdb_job.py"), request], rows)


def flush_alone(sample: Sample) -> Sample:
    """The part of DuckDB's run that is the flush: without the start of Python and DuckDB, which one
    that stays up pays once.
    """
    return Sample(sample.report["wall_s"], sample.report["cpu_s"], rows=sample.rows)


def copy(hot: Hot, connections: int, logs: Path, rows: int) -> Sample:
    """What nobody who copies can beat: the rows in binary over some connections into nothing."""
    (table,) = hot.tables
    server = hot.server
    pages = server.number(f"SELECT pg_relation_size('{table}') / current_setting('block_size')::bigint")
    ends = [pages * number // connections for number in range(connections + 1)]
    commands = []
    for first, end in zip(ends, ends[1:]):
        pages_sql = f"ctid >= '({first},0)'::tid AND ctid < '({end},0)'::tid"
        commands.append(
            server.command("-c", f"COPY (SELECT * FROM {table} WHERE {pages_sql}) TO STDOUT (FORMAT binary)")
        )
    sample = measure(server, commands, logs / "copy", stdout=subprocess.DEVNULL)
    sample.rows = rows
    return sample


def set_up_venv(venv: Path) -> Path:
    """The Python that runs DuckDB."""
    return python_with(REQUIREMENTS, venv)
