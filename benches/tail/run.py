#!/usr/bin/env python3
"""How long after its append a line is visible in the tables, at a steady rate.

    cargo build --release && python3 benches/tail/run.py

It writes a file of log lines below cargo's target directory, starts `lakefront run` on an empty
folder and an empty lake, and lets `lakefront replay --watch` append those lines at a steady pace
and follow the Delta logs as a reader would. It prints a table of one row: percentiles of
append-to-visible, the most that was behind, CPU seconds and peak memory of the run. It exits with
code 1 if a line was not visible, the pace was not held, or a target was missed. With `--prove`,
`lakefront prove` reads source and tables once more.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent

PIPELINE = """\
pipeline = "tail"
topology = "pg_logs"
workers = {workers}
[source]
url = "file:{place}/logs/"
format = "azure"
mode = "tail"
poll = "{poll}"
state_file = "{place}/state/tail.offset.json"
[lake]
root = "file:{place}/lake"
catalog = "tail"
schema = "pg_logs"
[tables]
primary = "primary_logs"
replica = "replica_logs"
rejects = "rejected_logs"
[commit]
interval = "{interval}"
"""


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def set_up_logs(binary: Path, work: Path, size: str) -> Path:
    """The log file; its name shows what made it."""
    logs = work / f"azure-{size.replace(' ', '')}-rejects.json"
    if not logs.is_file():
        say(f"generating {logs.name}")
        # A file that is only half written must not look like a finished one.
        unfinished = logs.with_name(logs.name + ".tmp")
        unfinished.unlink(missing_ok=True)
        command = [binary, "generate", "--size", size, "--rejects", "0.001", unfinished]
        subprocess.run([str(part) for part in command], check=True)
        unfinished.rename(logs)
    return logs


def replay(args: argparse.Namespace, logs: Path, place: Path) -> dict:
    """Runs the pipeline while lines are appended; returns the replay's report."""
    (place / "logs").mkdir(parents=True)
    pipeline = place / "tail.toml"
    pipeline.write_text(PIPELINE.format(place=place, workers=args.workers, poll=args.poll, interval=args.interval))
    with (place / "run.log").open("wb") as log:
        run = subprocess.Popen([str(args.run_binary), "run", str(pipeline)], stdout=log, stderr=log)
        try:
            command = [args.binary, "replay", logs, "--to", f"{place}/logs/", "--rate", args.rate, "--append", args.append]
            command += ["--for", args.lasting, "--watch", pipeline, "--json", "--histogram", place.with_suffix(".hlog")]
            told = subprocess.run([str(part) for part in command], stdout=subprocess.PIPE, check=False)
            if run.poll() is not None or told.returncode != 0:
                sys.exit(f"the run or its replay failed, see {log.name}\n{told.stdout.decode()}")
        finally:
            run.send_signal(signal.SIGTERM)
            run.wait(timeout=60)
    if args.prove:
        subprocess.run([str(args.binary), "prove", str(pipeline)], check=True)
    return json.loads(told.stdout)


def row(told: dict) -> tuple[list[str], list[str]]:
    """The table's head, and the measured values."""
    watch, ms = told["watch"], lambda seconds: f"{seconds * 1000:.0f}"
    latency, used = watch["latency_seconds"], watch["run"] or {"cpu_seconds": float("nan"), "peak_bytes": float("nan")}
    cells = {
        "MB/s": f"{told['bytes_per_second'] / 1e6:.1f}",
        "rows/s": f"{watch['rows_per_second']:.0f}",
        "p50 ms": ms(latency["p50"]),
        "p90 ms": ms(latency["p90"]),
        "p99 ms": ms(latency["p99"]),
        "p99.9 ms": ms(latency["p999"]),
        "max ms": ms(latency["max"]),
        "behind MiB": f"{watch['behind_bytes']['most'] / 2**20:.1f}",
        "CPU s": f"{used['cpu_seconds']:.1f}",
        "CPU share": f"{used['cpu_seconds'] / watch['seconds']:.2f}",
        "peak MiB": f"{used['peak_bytes'] / 2**20:.0f}",
    }
    return list(cells), list(cells.values())


def missed(args: argparse.Namespace, told: dict) -> list[str]:
    """What was missed."""
    latency = told["watch"]["latency_seconds"]
    wanted = {"p50": args.p50_ms, "p99": args.p99_ms}
    late = [f"{name} is {latency[name] * 1000:.0f} ms, above {ms} ms" for name, ms in wanted.items() if latency[name] * 1000 > ms]
    if told["pace"]["held"] is False:
        late.append("the pace was not held")
    if told["watch"]["rows"] != told["lines"]:
        late.append(f"{told['lines']} lines became {told['watch']['rows']} rows")
    return late


def arguments() -> argparse.Namespace:
    target = Path(os.environ.get("CARGO_TARGET_DIR") or ROOT / "target").resolve()
    parser = argparse.ArgumentParser(description="measures how long appended lines take to be visible")
    parser.add_argument("binary", type=Path, nargs="?", default=target / "release/lakefront", help="default: %(default)s")
    parser.add_argument("--run-binary", type=Path, help="another lakefront that runs the pipeline; default: the same")
    parser.add_argument("--rate", default="20MB/s")
    parser.add_argument("--append", default="64KiB")
    parser.add_argument("--for", dest="lasting", default="30s")
    parser.add_argument("--interval", default="500ms", help="of commits; default: %(default)s")
    parser.add_argument("--poll", default="20ms", help="between two looks at the source; default: %(default)s")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--size", default="64MiB", help="of the file that is replayed over and over; default: %(default)s")
    parser.add_argument("--p50-ms", type=float, default=500, help="target; default: %(default)s")
    parser.add_argument("--p99-ms", type=float, default=1200, help="target; default: %(default)s")
    parser.add_argument("--prove", action="store_true", help="prove the tables at the end")
    parser.add_argument("--keep", action="store_true", help="leave the lake where it is")
    parser.add_argument("--work", type=Path, default=target / "tail", help="default: %(default)s")
    parser.add_argument("--json", action="store_true", help="print what the replay told instead of the table")
    args = parser.parse_args()
    args.work = args.work.resolve()
    if not args.binary.is_file():
        parser.error(f"there is no {args.binary}: cargo build --release makes it")
    args.binary = args.binary.resolve()
    args.run_binary = (args.run_binary or args.binary).resolve()
    return args


def main() -> None:
    args = arguments()
    args.work.mkdir(parents=True, exist_ok=True)
    logs = set_up_logs(args.binary, args.work, args.size)
    place = args.work / "round"
    shutil.rmtree(place, ignore_errors=True)
    told = replay(args, logs, place)
    if not args.keep:
        shutil.rmtree(place, ignore_errors=True)
    if args.json:
        print(json.dumps(told))
    else:
        head, cells = row(told)
        widths = [max(len(a), len(b)) for a, b in zip(head, cells)]
        print(f"{args.rate} for {args.lasting}, appends of {args.append}, a commit each {args.interval}, {args.workers} workers\n")
        print("\n".join("  ".join(f"{cell:>{width}}" for cell, width in zip(line, widths)) for line in (head, cells)))
    late = missed(args, told)
    if late:
        sys.exit("missed: " + "; ".join(late))


if __name__ == "__main__":
    main()
