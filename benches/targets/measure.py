"""What the targets share: log files, pipelines, runs, and what a run takes.

Everything lies below one work folder.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median

PIPELINE = """\
pipeline = "targets"
topology = "pg_logs"
workers = {workers}
[source]
url = "{url}"
format = "azure"
mode = "{mode}"
state_file = "{place}/state/targets.offset.json"
{source}
[lake]
root = "file:{place}/lake"
catalog = "targets"
schema = "pg_logs"
[tables]
primary = "primary_logs"
replica = "replica_logs"
rejects = "rejected_logs"
[roles]
primary = ["Primary"]
replica = ["*"]
default = "reject"
{sections}
"""


@dataclass
class Taken:
    """What a run took, and its report."""

    wall_s: float
    cpu_s: float
    peak_mib: float
    report: dict


@dataclass
class Place:
    """A pipeline with its own lake, in a folder that nothing else uses."""

    binary: Path
    folder: Path
    file: Path

    @staticmethod
    def make(binary: Path, folder: Path, url: str, workers: int = 2, mode: str = "backfill", source: str = "", sections: str = "") -> Place:  # noqa: E501
        clear(folder)
        folder.mkdir(parents=True)
        file = folder / "pipeline.toml"
        text = PIPELINE.format(workers=workers, url=url, mode=mode, place=folder, source=source, sections=sections)
        file.write_text(text)
        return Place(binary, folder, file)

    def land(self) -> Taken:
        """Runs the pipeline to its end."""
        with (self.folder / "report").open("w+b") as out, (self.folder / "log").open("wb") as log:
            started = time.monotonic()
            child = subprocess.Popen([self.binary, "run", self.file, "--json"], stdout=out, stderr=log)
            _, status, usage = os.wait4(child.pid, 0)
            wall = time.monotonic() - started
            child.returncode = os.waitstatus_to_exitcode(status)
            if child.returncode != 0:
                sys.exit(f"lakefront ended with exit code {child.returncode}: {(self.folder / 'log').read_text()[-2000:]}")
            out.seek(0)
            report = json.load(out)
        return Taken(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, report)


def set_up_logs(binary: Path, work: Path, name: str, size: str, *flags: str, files: int = 0) -> Path:
    """The lines that `generate` writes, once for each generator, into one file or `files` files.

    They are read once, so that no run waits for the disk.
    """
    sample = subprocess.run([binary, "generate", "--size", "1MiB", *flags, "-"], check=True, capture_output=True)
    logs = work / f"{name}-{size}-{hashlib.sha256(sample.stdout).hexdigest()[:8]}"
    if not logs.exists():
        say(f"generating {logs.name}")
        # A file that is only half written must not look like a finished one.
        unfinished = logs.with_name(logs.name + ".tmp")
        clear(unfinished)
        spread = ["--files", str(files)] if files else []
        command = [binary, "generate", "--size", size, *flags, *spread, unfinished]
        made = subprocess.run(command, capture_output=True, text=True)
        if made.returncode != 0:
            sys.exit(made.stderr)
        unfinished.rename(logs)
    for path in sorted(logs.rglob("*")) if logs.is_dir() else [logs]:
        if path.is_file():
            with path.open("rb") as file:
                while file.read(1 << 24):
                    pass
    return logs


def cpu_seconds(process: int) -> float:
    """The CPU time of a process's live threads so far, to the nanosecond."""
    total = 0
    for task in Path(f"/proc/{process}/task").iterdir():
        try:
            total += int((task / "schedstat").read_text().split()[0])
        except FileNotFoundError:  # it has ended meanwhile
            pass
    return total / 1e9


def spread(figures: list[float]) -> dict[str, float]:
    """The median, and the least and the most of the rounds."""
    return {"figure": median(figures), "least": min(figures), "most": max(figures)}


def clear(path: Path) -> None:
    """Removes a file or a folder, if it is there."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
