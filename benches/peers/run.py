#!/usr/bin/env python3
"""lakefront beside DuckDB, Polars and pyarrow: same file, same columns, same threads, one run.

    cargo build --release && python3 benches/peers/run.py

It sets up what it needs under cargo's target directory: a virtual environment with the peers, and a
file of log lines that `lakefront generate` writes. Then the tools take turns, each time into an
empty place, and one table shows what each took. The machine's speed drifts, so only figures of one
run are comparable, and ratios are more stable than times. The file is read once beforehand, so that
no tool waits for the disk.

`tools.py` runs the tools, `*_job.py` are the peers' jobs, `ground.py` sets up what they need,
`report.py` and `plot.py` show the results.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
from dataclasses import asdict
from pathlib import Path

import report
from ground import say, set_up_logs, set_up_venv
from plot import svg
from tools import TOOLS, Sample, Settings

ROOT = Path(__file__).resolve().parent.parent.parent
OURS = next(iter(TOOLS))


def arguments() -> argparse.Namespace:
    target = Path(os.environ.get("CARGO_TARGET_DIR") or ROOT / "target").resolve()
    parser = argparse.ArgumentParser(description="measures lakefront beside its peers, taking turns")
    parser.add_argument("binary", type=Path, nargs="?", default=target / "release/lakefront", help="default: %(default)s")
    parser.add_argument("--size", default="1GiB")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--workers", type=int, default=2, help="of lakefront, and threads of its peers")
    parser.add_argument("--only", choices=TOOLS, action="append", help="measure this tool; may be given more than once")
    parser.add_argument("--work", type=Path, default=target / "peers", help="default: %(default)s")
    parser.add_argument("--venv", type=Path, help="default: WORK/venv")
    parser.add_argument("--json", action="store_true", help="print one JSON object with every round instead of the table")
    parser.add_argument("--plot", type=Path, metavar="FILE.svg", help="draw the rates")
    args = parser.parse_args()
    args.work = args.work.resolve()
    args.venv = (args.venv or args.work / "venv").resolve()
    if args.rounds < 1:
        parser.error("--rounds: at least 1")
    if not args.binary.is_file():
        parser.error(f"there is no {args.binary}: cargo build --release makes it")
    args.binary = args.binary.resolve()
    return args


def take_turns(tools: list[str], rounds: int, settings: Settings, logs: Path, scratch: Path) -> dict[str, list[Sample]]:
    """Runs every tool once per round.

    The first one changes each round, because the others find the machine busy with its pages.
    """
    samples: dict[str, list[Sample]] = {tool: [] for tool in tools}
    for number in range(rounds):
        first = number % len(tools)
        for tool in tools[first:] + tools[:first]:
            shutil.rmtree(scratch, ignore_errors=True)
            scratch.mkdir()
            sample = TOOLS[tool].run(settings, logs, scratch / tool)
            samples[tool].append(sample)
            say(f"round {number + 1}: {tool} {sample.wall_s:.1f} s, {sample.cpu_s:.1f} CPU s, {sample.peak_mib:.0f} MiB")
    shutil.rmtree(scratch, ignore_errors=True)
    return samples


def agreed_rows(samples: dict[str, list[Sample]]) -> dict[str, int]:
    """The rows that landed in each table. Tools that disagree on them did not do the same work."""
    counts = [sample.rows for rounds in samples.values() for sample in rounds]
    if any(rows != counts[0] for rows in counts):
        sys.exit(f"the row counts differ: {json.dumps({tool: [s.rows for s in rounds] for tool, rounds in samples.items()})}")
    return counts[0]


def as_json(samples: dict[str, list[Sample]], rows: dict[str, int], logs_bytes: int) -> str:
    spreads = {tool: report.spreads(rounds, logs_bytes) for tool, rounds in samples.items()}
    medians = {tool: {name: spread.median for name, spread in all.items()} for tool, all in spreads.items()}
    ours = samples.get(OURS)
    ratios = {tool: report.ratios(rounds, ours) for tool, rounds in samples.items() if ours and tool != OURS}
    ratios = {tool: {name: asdict(spread) for name, spread in all.items()} for tool, all in ratios.items()}
    rounds = {tool: [asdict(sample) for sample in rounds] for tool, rounds in samples.items()}
    return json.dumps({"bytes": logs_bytes, "rows": rows, "medians": medians, "ratios": ratios, "rounds": rounds})


def main() -> None:
    args = arguments()
    args.work.mkdir(parents=True, exist_ok=True)
    tools = [tool for tool in TOOLS if not args.only or tool in args.only]
    if tools != [OURS]:
        set_up_venv(args.venv)
    logs = set_up_logs(args.binary, args.work, args.size, args.seed)
    settings = Settings(args.binary, args.venv / "bin/python", args.workers)
    samples = take_turns(tools, args.rounds, settings, logs, args.work / "rounds")
    rows, size = agreed_rows(samples), logs.stat().st_size
    what = f"{size / 2**20:.0f} MiB, {sum(rows.values()):,} lines, {args.workers} threads, medians of {args.rounds} rounds"
    labels = {tool: TOOLS[tool].label for tool in tools}
    if args.plot:
        rates = {labels[tool]: report.spreads(rounds, size) for tool, rounds in samples.items()}
        args.plot.write_text(svg(f"Throughput: {what}", rates))
    if args.json:
        print(as_json(samples, rows, size))
    else:
        print(f"{what}; {json.dumps(rows)}; × is {labels[tools[0]]}'s\n\n{report.table(samples, labels, size)}")


if __name__ == "__main__":
    main()
