#!/usr/bin/env python3
"""Targets for lakefront on the side of its source, each measured by one command.

    cargo build --release && python3 benches/targets/run.py all

- scaling: one worker's wall time for a file, divided by that of two workers, in turn
- memory: peak resident memory, with a small source and with a large one
- idle: share of a core that a tail over many files takes when nothing is appended; with `--blobs`,
  over blobs in Azurite too
- commits: p50 of a commit into tables with many commits, divided by that into new tables, in turn;
  and the time of a start over the former
- files: the rate at which a folder of many small files lands, divided by that of one file with the
  same lines, in turn

The machine's speed drifts, and others may use it: ratios are of runs in turn, as medians, with the
least and the most beside them. Wall times, and ratios of them, mean little while something else
uses the cores.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from blobs import Azurite
from measure import Place, clear, cpu_seconds, say, set_up_logs, spread

ROOT = Path(__file__).resolve().parent.parent.parent


def scaling(args: argparse.Namespace) -> Iterator[dict]:
    logs = set_up_logs(args.binary, args.work, "one", args.size)
    ratios = []
    for number in range(args.rounds):
        taken = {}
        for workers in [1, 2] if number % 2 == 0 else [2, 1]:
            taken[workers] = Place.make(args.binary, args.place, f"file:{logs}", workers).land()
        ratios.append(taken[1].wall_s / taken[2].wall_s)
        say(f"scaling: {taken[1].wall_s:.2f} s / {taken[2].wall_s:.2f} s, {taken[1].cpu_s:.2f} and {taken[2].cpu_s:.2f} CPU s")
    yield {"target": "scaling", "what": "2 workers against 1", "unit": "x", "at_least": 1.85} | spread(ratios)


def memory(args: argparse.Namespace) -> Iterator[dict]:
    for name, size, files in [("one", args.size, 0), ("large", args.large, 4)]:
        logs = set_up_logs(args.binary, args.work, name, size, files=files)
        peaks = []
        for _ in range(1 if files else args.rounds):
            taken = Place.make(args.binary, args.place, f"file:{logs}").land()
            peaks.append(taken.peak_mib)
            say(f"memory: {size}: {taken.peak_mib:.0f} MiB, {taken.wall_s:.1f} s")
        yield {"target": "memory", "what": f"peak for {size}", "unit": "MiB", "at_most": 300} | spread(peaks)
        if files and not args.keep:
            clear(logs)


def idle(args: argparse.Namespace) -> Iterator[dict]:
    logs = divide(set_up_logs(args.binary, args.work, "idle", "16MiB"), args.idle_files)
    yield idle_tail(args, "files", f"file:{logs}", "")
    if args.blobs:
        azurite = Azurite(args.work)
        try:
            url = azurite.upload(logs)
            yield idle_tail(args, "blobs", url, f'azure = {{ connection_string = "{azurite.connection}" }}')
        finally:
            azurite.close()


def idle_tail(args: argparse.Namespace, kind: str, url: str, source: str) -> dict:
    """The CPU share in each window, after the tail has landed everything and come to rest."""
    place = Place.make(args.binary, args.place, url, mode="tail", source=f'poll = "1s"\n{source}')
    shares = []
    with (place.folder / "log").open("wb") as log:
        tail = subprocess.Popen([args.binary, "run", place.file], stdout=log, stderr=log)
        state = place.folder / "state/targets.offset.json"
        while not state.exists():
            time.sleep(0.1)
        time.sleep(args.rest_s)
        for _ in range(args.rounds):
            began, before = time.monotonic(), cpu_seconds(tail.pid)
            time.sleep(10)
            shares.append(100 * (cpu_seconds(tail.pid) - before) / (time.monotonic() - began))
            say(f"idle: {shares[-1]:.2f} % of a core for {args.idle_files} {kind}")
        tail.send_signal(signal.SIGTERM)
        tail.wait()
    return {"target": "idle", "what": f"a tail over {args.idle_files} {kind}", "unit": "% of a core", "at_most": 1} | spread(shares)


def commits(args: argparse.Namespace) -> Iterator[dict]:
    """Cuts of 16 KiB, in each of which every table gets rows."""
    hundred, cut = args.work / "hundred.json", 16 << 10
    logs = set_up_logs(args.binary, args.work, "commits", str((args.commits + 100 * args.rounds) * cut), "--rejects", "0.3")
    lines = logs.read_bytes()
    shape = {"source": 'chunk = "16 KiB"', "sections": '[commit]\nbytes = "16 KiB"\n[limits]\nahead = "1 MiB"\nreject_ratio = 1.0\n'}
    source = args.place.with_name("source.json")
    source.write_bytes(lines[: args.commits * cut])
    hundred.write_bytes(lines[: 100 * cut])
    old = Place.make(args.binary, args.place, f"file:{source}", **shape)
    taken = old.land()
    say(f"commits: {taken.report['cuts']} cuts in {taken.wall_s:.0f} s, {taken.cpu_s:.0f} CPU s, {taken.peak_mib:.0f} MiB")
    ratios, starts = [], []
    for number in range(args.rounds):
        starts.append(old.land().wall_s)
        new = Place.make(args.binary, args.place.with_name("new"), f"file:{hundred}", **shape)
        with source.open("ab") as file:
            file.write(lines[source.stat().st_size :][: 100 * cut])
        last, first = [place.land().report["latency_seconds"]["commit"]["p50"] for place in [old, new]]
        ratios.append(last / first)
        say(f"commits: p50 {1000 * last:.2f} ms / {1000 * first:.2f} ms, a start {starts[-1]:.2f} s")
    what = f"p50 of a commit after {args.commits} cuts over the first hundred's"
    yield {"target": "commits", "what": what, "unit": "x", "at_most": 1.2} | spread(ratios)
    yield {"target": "commits", "what": f"a start after {args.commits} cuts", "unit": "s", "at_most": 1} | spread(starts)
    clear(source)


def files(args: argparse.Namespace) -> Iterator[dict]:
    logs = set_up_logs(args.binary, args.work, "one", args.size)
    folder = divide(logs, args.files)
    ratios = []
    for number in range(args.rounds):
        taken = {}
        for url in [logs, folder] if number % 2 == 0 else [folder, logs]:
            taken[url] = Place.make(args.binary, args.place, f"file:{url}").land()
        one, many = taken[logs], taken[folder]
        ratios.append(one.wall_s / many.wall_s)
        say(f"files: {one.wall_s:.2f} s / {many.wall_s:.2f} s, {one.cpu_s:.2f} and {many.cpu_s:.2f} CPU s, {many.peak_mib:.0f} MiB")
        if one.report["tables"].keys() != many.report["tables"].keys() or rows(one.report) != rows(many.report):
            raise SystemExit("the folder's rows are not the file's")
    what = f"{args.files} files against one of the same {args.size}"
    yield {"target": "files", "what": what, "unit": "x", "at_least": 0.5} | spread(ratios)


def rows(report: dict) -> list[int]:
    return [table["rows"] for table in report["tables"].values()]


def divide(logs: Path, count: int) -> Path:
    """A folder of `count` files with the lines of `logs`, about equally many bytes each."""
    folder = logs.with_name(f"{logs.name}-in-{count}")
    if folder.is_dir():
        return folder
    say(f"dividing {logs.name} into {count} files")
    unfinished = folder.with_name(folder.name + ".tmp")
    clear(unfinished)
    unfinished.mkdir()
    size = logs.stat().st_size
    with logs.open("rb") as lines:
        for number in range(count):
            end = size * (number + 1) // count
            part = lines.read(max(end - lines.tell(), 0)) + (lines.readline() if number + 1 < count else b"")
            (unfinished / f"{number:06}.json").write_bytes(part)
    unfinished.rename(folder)
    return folder


TARGETS: dict[str, Callable[[argparse.Namespace], Iterator[dict]]] = {
    "scaling": scaling,
    "memory": memory,
    "idle": idle,
    "commits": commits,
    "files": files,
}


def told(result: dict) -> str:
    bound = f"at least {result['at_least']}" if "at_least" in result else f"at most {result['at_most']}"
    met = result["figure"] >= result["at_least"] if "at_least" in result else result["figure"] <= result["at_most"]
    spread = f"{result['least']:.2f} to {result['most']:.2f}"
    return f"{result['target']:<8} {result['what']:<62} {result['figure']:>8.2f} {result['unit']:<12} ({spread}; {bound}: {'met' if met else 'missed'})"  # noqa: E501


def arguments() -> argparse.Namespace:
    target = Path(os.environ.get("CARGO_TARGET_DIR") or ROOT / "target").resolve()
    parser = argparse.ArgumentParser(description="measures lakefront's targets on the side of its source")
    parser.add_argument("target", choices=[*TARGETS, "all"])
    parser.add_argument("binary", type=Path, nargs="?", default=target / "release/lakefront", help="default: %(default)s")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--size", default="1GiB", help="of scaling, files and the small source of memory; default: %(default)s")
    parser.add_argument("--large", default="4GiB", help="of the large source of memory; default: %(default)s")
    parser.add_argument("--keep", action="store_true", help="keep the large source for the next time")
    parser.add_argument("--files", type=int, default=10_000, help="default: %(default)s")
    parser.add_argument("--commits", type=int, default=20_000, help="default: %(default)s")
    parser.add_argument("--idle-files", type=int, default=1_000, help="default: %(default)s")
    parser.add_argument("--blobs", action="store_true", help="idle: over blobs too; needs Node and npm")
    parser.add_argument("--rest-s", type=float, default=45, help="idle: before the first window; default: %(default)s")
    parser.add_argument("--work", type=Path, default=target / "targets", help="default: %(default)s")
    parser.add_argument("--json", action="store_true", help="print one JSON object a figure instead of a line")
    args = parser.parse_args()
    if args.rounds < 1:
        parser.error("--rounds: at least 1")
    if not args.binary.is_file():
        parser.error(f"there is no {args.binary}: cargo build --release makes it")
    args.binary, args.work = args.binary.resolve(), args.work.resolve()
    args.place = args.work / "rounds/place"
    return args


def main() -> None:
    args = arguments()
    args.work.mkdir(parents=True, exist_ok=True)
    results = []
    for name in TARGETS if args.target == "all" else [args.target]:
        clear(args.place.parent)
        args.place.parent.mkdir()
        results += TARGETS[name](args)
    clear(args.place.parent)
    for result in results:
        print(json.dumps(result) if args.json else told(result))


if __name__ == "__main__":
    main()
