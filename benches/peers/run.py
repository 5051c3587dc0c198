#!/usr/bin/env python3
"""lakefront beside DuckDB: the same file, the same columns, in one run.

    cargo build --release && python3 benches/peers/run.py

It sets up what it needs under cargo's target directory: a virtual environment with DuckDB, and a file of log lines that
`lakefront generate` writes. Then both
tools take turns, each time into an empty place, and one table says what each took: wall time, CPU seconds (user and system),
peak memory, all of the whole process. The machine's speed drifts, so only figures of one run compare, and the ratios hold
longer than the times. The file is read once before, so that nobody waits for the disk.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent

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


def measure(command: list[str | Path], out: Path) -> tuple[Sample, str]:
    """Runs `command`, which writes below `out`; returns what it took and what it printed."""
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
    return sample, log.read_text()


def run_lakefront(args: argparse.Namespace, logs: Path, place: Path) -> Sample:
    place.mkdir(parents=True)
    pipeline = place.with_suffix(".toml")
    pipeline.write_text(PIPELINE.format(workers=args.workers, logs=logs, place=place))
    sample, printed = measure([args.binary, "run", pipeline, "--json"], place)
    tables = last_object(printed)["tables"]
    sample.rows = {name: table["rows"] for name, table in tables.items()}
    return sample


def run_duckdb(args: argparse.Namespace, logs: Path, place: Path) -> Sample:
    command = [args.venv / "bin/python", HERE / "duckdb_job.py", logs, place, "--threads", str(args.workers)]
    sample, printed = measure(command, place)
    sample.rows = {"primary": 0, "replica": 0, "rejects": 0} | last_object(printed)
    return sample


def last_object(printed: str) -> dict:
    """The JSON object that ends a program's output."""
    lines = printed.rstrip().splitlines()
    for start in range(len(lines) - 1, -1, -1):
        if lines[start].startswith("{"):
            return json.loads("\n".join(lines[start:]))
    sys.exit("the program printed no JSON object")


TOOLS = {"lakefront": run_lakefront, "duckdb": run_duckdb}


def set_up_venv(venv: Path) -> None:
    """A virtual environment with exactly the locked packages; made again when the lock changes."""
    requirements = HERE / "requirements.txt"
    lock = hashlib.sha256(requirements.read_bytes()).hexdigest()
    stamp = venv / "lock.sha256"
    if stamp.is_file() and stamp.read_text() == lock:
        return
    say(f"setting up {venv}")
    shutil.rmtree(venv, ignore_errors=True)
    subprocess.run([sys.executable, "-m", "venv", venv], check=True)
    pip = [venv / "bin/python", "-m", "pip", "install", "--quiet", "--require-hashes", "--requirement", requirements]
    subprocess.run(pip, check=True)
    stamp.write_text(lock)


def set_up_logs(binary: Path, work: Path, size: str, seed: int) -> Path:
    """The log file; its name says what made it, so that another generator, or another seed, makes another file."""
    sample = subprocess.run([binary, "generate", "--size", "1MiB", "--seed", str(seed), "-"], check=True, capture_output=True)
    version = hashlib.sha256(sample.stdout).hexdigest()[:8]
    logs = work / f"azure-{size.replace(' ', '')}-{seed}-{version}.json"
    if not logs.is_file():
        say(f"generating {logs.name}")
        # A file that is only half written must not look like a finished one.
        unfinished = logs.with_name(logs.name + ".tmp")
        unfinished.unlink(missing_ok=True)
        subprocess.run([binary, "generate", "--size", size, "--seed", str(seed), unfinished], check=True)
        unfinished.rename(logs)
    with logs.open("rb") as file:  # warms the page cache
        while file.read(1 << 24):
            pass
    return logs


def summary(samples: list[Sample], logs_mib: float) -> dict[str, float]:
    """The medians, and the source bytes that one CPU second lands."""
    result = {name: median(getattr(s, name) for s in samples) for name in ("wall_s", "cpu_s", "peak_mib", "output_mib")}
    return result | {"mb_per_cpu_s": logs_mib * 2**20 / 1e6 / result["cpu_s"]}


def table(summaries: dict[str, dict[str, float]]) -> str:
    heads = ["tool", "wall s", "CPU s", "peak MiB", "output MiB", "MB per CPU s"]
    rows = [[tool, *(f"{value:.1f}" for value in summary.values())] for tool, summary in summaries.items()]
    if len(summaries) == 2:
        ours, theirs = summaries.values()
        rows.append([" / ".join(summaries), *(f"{ours[name] / theirs[name]:.2f}" for name in ours)])
    widths = [max(len(row[column]) for row in [heads, *rows]) for column in range(len(heads))]
    lines = ["  ".join(f"{cell:<{w}}" if i == 0 else f"{cell:>{w}}" for i, (cell, w) in enumerate(zip(row, widths)))
             for row in [heads, *rows]]  # fmt: skip
    return "\n".join([lines[0], "-" * len(lines[0]), *lines[1:]])


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def arguments() -> argparse.Namespace:
    target = Path(os.environ.get("CARGO_TARGET_DIR") or ROOT / "target").resolve()
    parser = argparse.ArgumentParser(description="measures lakefront beside DuckDB, taking turns")
    parser.add_argument("binary", type=Path, nargs="?", default=target / "release/lakefront", help="default: %(default)s")
    parser.add_argument("--size", default="1GiB")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=2, help="of lakefront, and threads of DuckDB")
    parser.add_argument("--only", choices=TOOLS, help="measure one tool alone")
    parser.add_argument("--work", type=Path, default=target / "peers", help="default: %(default)s")
    parser.add_argument("--venv", type=Path, help="default: WORK/venv")
    parser.add_argument("--json", action="store_true", help="print one JSON object with every round instead of the table")
    args = parser.parse_args()
    args.work = args.work.resolve()
    args.venv = (args.venv or args.work / "venv").resolve()
    if args.rounds < 1:
        parser.error("--rounds: at least 1")
    if not args.binary.is_file():
        parser.error(f"there is no {args.binary}: cargo build --release makes it")
    args.binary = args.binary.resolve()
    return args


def main() -> None:
    args = arguments()
    args.work.mkdir(parents=True, exist_ok=True)
    tools = [tool for tool in TOOLS if args.only in (None, tool)]
    if "duckdb" in tools:
        set_up_venv(args.venv)
    logs = set_up_logs(args.binary, args.work, args.size, args.seed)
    scratch = args.work / "rounds"
    samples: dict[str, list[Sample]] = {tool: [] for tool in tools}
    for number in range(args.rounds):
        # Who goes first changes each round: the second finds the disk busy with the first one's pages.
        for tool in tools if number % 2 == 0 else reversed(tools):
            shutil.rmtree(scratch, ignore_errors=True)
            scratch.mkdir()
            sample = TOOLS[tool](args, logs, scratch / tool)
            samples[tool].append(sample)
            say(f"round {number + 1}: {tool} {sample.wall_s:.1f} s, {sample.cpu_s:.1f} CPU s, {sample.peak_mib:.0f} MiB")
    shutil.rmtree(scratch, ignore_errors=True)

    counts = [sample.rows for rounds in samples.values() for sample in rounds]
    if any(rows != counts[0] for rows in counts):
        sys.exit(f"the row counts differ: {json.dumps({tool: [s.rows for s in rounds] for tool, rounds in samples.items()})}")
    logs_mib = logs.stat().st_size / 2**20
    summaries = {tool: summary(rounds, logs_mib) for tool, rounds in samples.items()}
    if args.json:
        rounds = {tool: [asdict(sample) for sample in rounds] for tool, rounds in samples.items()}
        print(json.dumps({"bytes": logs.stat().st_size, "rows": counts[0], "medians": summaries, "rounds": rounds}))
    else:
        print(f"{logs_mib:.0f} MiB, rows {counts[0]}, {args.workers} threads, medians of {args.rounds} rounds\n")
        print(table(summaries))


if __name__ == "__main__":
    main()
