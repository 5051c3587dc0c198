"""The tools, and what one run takes.

That is wall time, CPU seconds (user and system) and peak memory, each of the whole process.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent

PIPELINE = """\
pipeline = "peers"
topology = "pg_logs"
workers = {workers}
[source]
url = "file:{logs}"
format = "azure"
mode = "backfill"
state_file = "{place}/state/peers.offset.json"
[lake]
root = "file:{place}/lake"
catalog = "peers"
schema = "pg_logs"
[tables]
primary = "primary_logs"
replica = "replica_logs"
rejects = "rejected_logs"
[roles]
primary = ["Primary"]
replica = ["*"]
default = "reject"
"""


@dataclass
class Sample:
    """One run of one tool."""

    wall_s: float
    cpu_s: float
    peak_mib: float
    output_mib: float
    rows: dict[str, int]


@dataclass
class Settings:
    """The settings of all tools."""

    binary: Path
    python: Path
    workers: int


@dataclass
class Tool:
    """A tool, and its label in the table and the plot."""

    label: str
    run: Callable[[Settings, Path, Path], Sample]


def measure(command: list[str | Path], out: Path) -> tuple[Sample, dict]:
    """Runs `command`, which writes below `out`.

    Returns what it took, without rows, and the JSON object that it printed last.
    """
    log = out.with_name(out.name + ".stdout")
    with log.open("wb") as stdout:
        started = time.monotonic()
        child = subprocess.Popen([str(part) for part in command], stdout=stdout)
        _, status, usage = os.wait4(child.pid, 0)
        wall = time.monotonic() - started
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode != 0:
        sys.exit(f"{command[0]} ended with exit code {child.returncode}")
    written = sum(path.stat().st_size for path in out.rglob("*") if path.is_file())
    sample = Sample(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, written / 2**20, {})
    return sample, last_object(log.read_text())


def last_object(printed: str) -> dict:
    """The JSON object that ends a program's output."""
    lines = printed.rstrip().splitlines()
    for start in range(len(lines) - 1, -1, -1):
        if lines[start].startswith("{"):
            return json.loads("\n".join(lines[start:]))
    sys.exit("the program printed no JSON object")


def run_lakefront(settings: Settings, logs: Path, place: Path) -> Sample:
    place.mkdir(parents=True)
    pipeline = place.with_suffix(".toml")
    pipeline.write_text(PIPELINE.format(workers=settings.workers, logs=logs, place=place))
    sample, printed = measure([settings.binary, "run", pipeline, "--json"], place)
    sample.rows = {name: table["rows"] for name, table in printed["tables"].items()}
    return sample


def peer(label: str, job: str) -> Tool:
    """A peer, whose `job` does what lakefront does as well as the peer can."""

    def run(settings: Settings, logs: Path, place: Path) -> Sample:
        command = [settings.python, HERE / job, logs, place, "--threads", str(settings.workers)]
        sample, printed = measure(command, place)
        sample.rows = {"primary": 0, "replica": 0, "rejects": 0} | printed
        return sample

    return Tool(label, run)


# Ours is the first: all others are compared with it.
TOOLS = {
    "lakefront": Tool("lakefront", run_lakefront),
    "duckdb": peer("DuckDB (Parquet)", "duckdb_job.py"),
    "polars": peer("Polars", "polars_job.py"),
    "pyarrow": peer("pyarrow + deltalake", "pyarrow_job.py"),
}
