"""What a run takes, and what the rounds come to.

The machine's speed drifts, so a ratio is taken within a round, in which all tools ran one after
the other. Its least and its greatest value show how far to trust the median.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from server import Server


@dataclass
class Sample:
    """One run of one tool. CPU seconds are user and system."""

    wall_s: float
    cpu_s: float
    # Of PostgreSQL meanwhile.
    server_s: float = 0.0
    peak_mib: float = 0.0
    rows: int = 0
    # What the run added to the lake, as its catalog has it.
    files_mib: float = 0.0
    # What it says of itself, in JSON.
    report: dict = field(default_factory=dict)


@dataclass
class Spread:
    """A number that was measured once per round."""

    median: float
    least: float
    greatest: float

    @staticmethod
    def of(values: list[float]) -> Spread:
        return Spread(median(values), min(values), max(values))

    def told(self, digits: int) -> str:
        return f"{self.median:.{digits}f} ({self.least:.{digits}f}–{self.greatest:.{digits}f})"


def measure(server: Server, commands: list[list[str]], log: Path, stdout: int | None = None) -> Sample:
    """Runs programs side by side, to the end of the last one. Their output goes into files named
    after `log`, unless `stdout` says where else; what the first prints, a JSON object, is its
    report.
    """
    before, started = server.cpu_s(), time.monotonic()
    children = []
    for number, command in enumerate(commands):
        with log.with_suffix(f".{number}.out").open("wb") as out, log.with_suffix(f".{number}.log").open("wb") as err:
            children.append(subprocess.Popen(command, stdout=stdout or out, stderr=err, env=server.environment))
    cpu, peak = 0.0, 0.0
    for child in children:
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        cpu, peak = cpu + usage.ru_utime + usage.ru_stime, max(peak, usage.ru_maxrss / 1024)
    wall = time.monotonic() - started
    for number, child in enumerate(children):
        if child.returncode != 0:
            said = log.with_suffix(f".{number}.log").read_text()[-3000:]
            sys.exit(f"{commands[number][0]} ended with exit code {child.returncode}:\n{said}")
    printed = log.with_suffix(".0.out").read_text()
    # The postmaster counts the CPU time of a process of its own once that has ended.
    time.sleep(0.1)
    return Sample(wall, cpu, server.cpu_s() - before, peak, report=json.loads(printed or "{}"))


def ratios(ours: list[Sample], theirs: list[Sample], name: str) -> Spread:
    """Our measure as a multiple of theirs, round by round."""
    return Spread.of(
        [getattr(we, name) / max(getattr(they, name), 1e-9) for we, they in zip(ours, theirs, strict=True)]
    )


def table(samples: dict[str, list[Sample]]) -> str:
    """One line per tool, ours first: the medians, and ours as multiples of the others'."""
    ours = next(iter(samples.values()))
    heads = [
        "",
        "rows/s",
        "wall s",
        "ours/it (min–max)",
        "CPU s",
        "ours/it (min–max)",
        "server CPU s",
        "peak MiB",
        "files MiB",
    ]
    rows = [heads]
    for label, theirs in samples.items():
        of = {name: median(getattr(sample, name) for sample in theirs) for name in SHOWN}
        rate = median(sample.rows / sample.wall_s for sample in theirs)
        wall, cpu = ["" if theirs is ours else ratios(ours, theirs, name).told(2) for name in ("wall_s", "cpu_s")]
        # A part of another tool's run has no server, memory or files of its own.
        rest = [
            f"{of[name]:.{digits}f}" if of[name] else ""
            for name, digits in (("server_s", 2), ("peak_mib", 0), ("files_mib", 1))
        ]
        rows.append([label, f"{rate:,.0f}", f"{of['wall_s']:.2f}", wall, f"{of['cpu_s']:.2f}", cpu, *rest])
    return "\n".join(aligned(rows))


SHOWN = ("wall_s", "cpu_s", "server_s", "peak_mib", "files_mib")


def aligned(rows: list[list[str]]) -> list[str]:
    """Aligns the first column left and all others right, and puts a rule below the heads."""
    widths = [max(map(len, column)) for column in zip(*rows)]
    cells = [
        [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:]))] for row in rows
    ]
    lines = ["  ".join(row).rstrip() for row in cells]
    return [lines[0], "-" * max(map(len, lines)), *lines[1:]]


def say(text: str) -> None:
    """Reports progress on standard error."""
    print(text, file=sys.stderr, flush=True)
