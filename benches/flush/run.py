#!/usr/bin/env python3
"""`pg_flush` beside plain COPY and DuckDB, on a PostgreSQL of its own with the settings of a new one.

    cargo build --release && python3 benches/flush/run.py

- rows: a table of twelve mixed columns, flushed; beside COPY in binary into nothing, which is the
  limit, and DuckDB's INSERT … SELECT with a DELETE; in turn, from the same rows
- tables: the 21 tables of examples/hot, with few rows each; beside DuckDB's loop over them
- memory: peak resident memory of a flush of very many rows
- nothing: CPU time of a flush that finds nothing, while the run goes on
- catalog: a flush into a lake with many snapshots and files beside one into a lake with few, in
  turn; and how long each holds the catalog's lock

Client and server share the machine. Ratios are of runs in turn, as medians, with the least and the
most beside them; wall times, and ratios of them, mean little while something else uses the cores.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import catalog as catalogs
import idle
from hot import ROOT, Hot
from measure import Sample, Spread, ratios, say, table
from server import Server
from tools import DuckDB, Ours, copy, flush_alone, set_up_venv

# Of `catalog`: snapshots of the lake that has few, and rows of a flush.
FEW, FLUSHED = 100, 1_000
# Of `tables`: some 86,000 rows.
LEDGERS = 2_110
ALONE = "DuckDB, flush alone"

Told = tuple[str, dict]


def ours(args: argparse.Namespace, hot: Hot, name: str = "ours", **more: str) -> Ours:
    return Ours(hot, args.place / name, f"{name}_meta", args.binary, args.workers, args.connections, **more)


def against_duckdb(args: argparse.Namespace, hot: Hot, what: str, *, with_copy: bool) -> Told:
    """Flushes the saved rows with each tool once per round.

    The first one changes each round, because the others find the machine busy with its pages.
    """
    lake, duck = ours(args, hot), DuckDB(hot, args.place / "duckdb", "duckdb_meta", set_up_venv(args.venv))
    # Lakes and tables are made beforehand, with a few rows.
    lake.flush(hot.refill(10))
    duck.flush(hot.refill(10), create=True)
    tools: dict[str, Callable[[int], Sample]] = {"lakefront": lake.flush, "DuckDB": duck.flush}
    if with_copy:
        tools["COPY into nothing"] = lambda rows: copy(hot, args.connections, args.place, rows)
    samples: dict[str, list[Sample]] = {tool: [] for tool in tools}
    for number in range(args.rounds):
        names = list(tools)
        first = number % len(names)
        for tool in names[first:] + names[:first]:
            sample = tools[tool](hot.refill())
            samples[tool].append(sample)
            taken = f"{sample.wall_s:.2f} s, {sample.cpu_s:.2f} CPU s, {sample.peak_mib:.0f} MiB"
            say(f"round {number + 1}: {tool} {taken}")
    samples[ALONE] = [flush_alone(sample) for sample in samples["DuckDB"]]
    rows = samples["lakefront"][0].rows
    settings = f"{args.workers} workers, {args.connections} connections"
    head = f"{rows:,} rows {what}, {settings}, medians of {args.rounds} rounds"
    rounds = {tool: list(map(asdict, all)) for tool, all in samples.items()}
    return f"{head}\n\n{table(samples)}", {"rows": rows, "rounds": rounds}


def rows(args: argparse.Namespace, server: Server) -> Told:
    hot = Hot.mixed(server)
    say(f"making {args.rows:,} rows")
    hot.make_mixed(args.rows)
    return against_duckdb(args, hot, "of 12 columns", with_copy=True)


def tables(args: argparse.Namespace, server: Server) -> Told:
    hot = Hot.example(server)
    hot.make_example(args.ledgers)
    return against_duckdb(args, hot, f"in {len(hot.tables)} tables", with_copy=False)


def memory(args: argparse.Namespace, server: Server) -> Told:
    hot = Hot.mixed(server)
    say(f"making {args.memory_rows:,} rows")
    # Not from a copy, which would need the room twice.
    hot.make_mixed(args.memory_rows, into="public.")
    hot.settle()
    sample = ours(args, hot).flush(args.memory_rows)
    took = f"peak {sample.peak_mib:.0f} MiB, {sample.wall_s:.1f} s, {sample.cpu_s:.1f} CPU s"
    text = f"{args.memory_rows:,} rows of 12 columns: {took}"
    return text, asdict(sample)


def nothing(args: argparse.Namespace, server: Server) -> Told:
    hot = Hot.example(server)
    hot.make_example(1)
    mine, servers = idle.windows(ours(args, hot, interval=f"{idle.INTERVAL_S}s"), args.windows)
    each, theirs = Spread.of(mine), Spread.of(servers)
    text = (
        f"a flush of nothing, {len(hot.tables)} tables, one each {idle.INTERVAL_S} s: {each.told(2)} ms CPU, with what "
        f"the process takes meanwhile ({each.median / idle.INTERVAL_S / 10:.3f} % of a core); "
        f"{theirs.told(2)} ms of PostgreSQL"
    )
    return text, {"cpu_ms": asdict(each), "server_cpu_ms": asdict(theirs)}


def catalog(args: argparse.Namespace, server: Server) -> Told:
    hot = Hot.mixed(server)
    hot.make_mixed(FLUSHED)
    sizes = {FEW: ours(args, hot, "few"), args.snapshots: ours(args, hot, "many")}
    for snapshots, lake in sizes.items():
        lake.flush(hot.refill())
        catalogs.grow(server, lake.meta, snapshots)
    samples: dict[int, list[Sample]] = {snapshots: [] for snapshots in sizes}
    holds: dict[int, list[catalogs.Held]] = {snapshots: [] for snapshots in sizes}
    catalogs.log_statements(server, on=True)
    for number in range(args.rounds):
        for snapshots in list(sizes) if number % 2 == 0 else reversed(sizes):
            count = hot.refill()
            before = server.log.stat().st_size
            samples[snapshots].append(sizes[snapshots].flush(count))
            with server.log.open("rb") as log:
                log.seek(before)
                holds[snapshots] += catalogs.held(log.read().decode(errors="replace"))
    catalogs.log_statements(server, on=False)
    by = ratios(samples[args.snapshots], samples[FEW], "wall_s")
    lines = [
        f"{FLUSHED:,} rows into a lake with so many snapshots, each with a file; medians of {args.rounds} rounds",
        "",
    ]
    told = {"ratio": asdict(by)}
    for snapshots in sizes:
        if len(holds[snapshots]) != args.rounds:
            sys.exit(f"{args.rounds} flushes held the lock {len(holds[snapshots])} times: the log is not as it was")
        held = Spread.of([hold.ms for hold in holds[snapshots]])
        wall = Spread.of([sample.wall_s for sample in samples[snapshots]])
        statements = max(hold.statements for hold in holds[snapshots])
        lines.append(f"{snapshots:>7,}: locked {held.told(1)} ms, {statements} statements; a run {wall.told(3)} s")
        told[str(snapshots)] = {"locked_ms": asdict(held), "statements": statements, "wall_s": asdict(wall)}
    lines.append(f"a run of the latter takes {by.told(2)} × as long as one of the former")
    return "\n".join(lines), told


TARGETS: dict[str, Callable[[argparse.Namespace, Server], Told]] = {
    "rows": rows,
    "tables": tables,
    "memory": memory,
    "nothing": nothing,
    "catalog": catalog,
}


def arguments() -> argparse.Namespace:
    target = Path(os.environ.get("CARGO_TARGET_DIR") or ROOT / "target").resolve()
    parser = argparse.ArgumentParser(description="measures pg_flush beside plain COPY and DuckDB")
    parser.add_argument(
        "binary", type=Path, nargs="?", default=target / "release/lakefront", help="default: the release build's"
    )
    parser.add_argument("target", nargs="?", choices=[*TARGETS, "all"], default="all")
    parser.add_argument("--rows", type=int, default=1_000_000, help="of target rows; default: %(default)s")
    parser.add_argument("--ledgers", type=int, default=LEDGERS, help="of target tables; default: %(default)s")
    parser.add_argument("--memory-rows", type=int, default=10_000_000, help="default: %(default)s")
    parser.add_argument("--snapshots", type=int, default=10_000, help="of target catalog; default: %(default)s")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--windows", type=int, default=3, help="of 10 s, of target nothing; default: %(default)s")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument(
        "--connections", type=int, default=4, help="that copy, ours and plain COPY's; default: %(default)s"
    )
    parser.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="a setting of the server; may be repeated"
    )
    parser.add_argument(
        "--work", type=Path, default=target / "flush", help="server, lakes and venv; default: %(default)s"
    )
    parser.add_argument("--venv", type=Path, help="default: WORK/venv")
    parser.add_argument("--json", action="store_true", help="print one JSON object a target instead of text")
    args = parser.parse_intermixed_args()
    args.binary, args.work = args.binary.resolve(), args.work.resolve()
    args.venv, args.place = (args.venv or args.work / "venv").resolve(), args.work / "round"
    if args.rounds < 1 or args.windows < 1:
        parser.error("--rounds and --windows: at least 1")
    if args.snapshots <= FEW:
        parser.error(f"--snapshots: more than {FEW}")
    if not args.binary.is_file():
        parser.error(f"there is no {args.binary}: cargo build --release makes it")
    return args


def main() -> None:
    args = arguments()
    # So that the server ends with us.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    args.work.mkdir(parents=True, exist_ok=True)
    for name in TARGETS if args.target == "all" else [args.target]:
        server = Server(args.work / "server", args.set)
        try:
            settings = server.told()
            text, told = TARGETS[name](args, server)
        finally:
            server.close()
            shutil.rmtree(args.place, ignore_errors=True)
        shown = (
            json.dumps({"target": name, "server": settings} | told) if args.json else f"{name}: {text}\n{settings}\n"
        )
        print(shown, flush=True)


if __name__ == "__main__":
    main()
