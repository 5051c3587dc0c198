#!/usr/bin/env python3
"""What a build from nothing costs, crate by crate, so that the next dependency is weighed against it.

    python3 benches/build/run.py            # cargo build --release
    python3 benches/build/run.py --test     # cargo test --workspace, with all that the tests set up
    python3 benches/build/run.py --table    # of the last build: the table in docs/building.md

It builds into an empty folder below cargo's target directory, and counts the CPU seconds of all
processes. Crates are already downloaded, so the network does not count. A crate's seconds are those
between its start and its end while another crate is built beside it, as cargo reports them: they add
up to about the CPU seconds of the build.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import resource
import shutil
import subprocess
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
# Crates below this share of the build are one line.
LEAST_SHARE = 0.008


def units(report: Path) -> list[dict]:
    """The units of cargo's own report on timings."""
    data = re.search(r"UNIT_DATA = (\[.*?\]);\n", report.read_text(), re.S)
    assert data, f"{report} has no units: cargo writes another form now"
    return json.loads(data.group(1))


def table(report: Path) -> str:
    """Crates by their seconds, with build scripts and both sides of a proc macro counted in."""
    crates: dict[str, float] = {}
    found = units(report)
    for unit in found:
        crates[unit["name"]] = crates.get(unit["name"], 0) + unit["duration"]
    total = sum(crates.values())
    lines = ["| crate | seconds | share |", "|---|---|---|"]
    ranked = sorted(crates.items(), key=lambda crate: -crate[1])
    large = [crate for crate in ranked if crate[1] >= LEAST_SHARE * total]
    for name, seconds in large:
        lines.append(f"| `{name}` | {seconds:.1f} | {seconds / total:.1%} |")
    rest = total - sum(seconds for _, seconds in large)
    lines.append(f"| {len(ranked) - len(large)} others | {rest:.1f} | {rest / total:.1%} |")
    lines.append(f"| {len(ranked)} crates, {len(found)} units | {total:.1f} | |")
    return "\n".join(lines)


def cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> None:
    target = Path(os.environ.get("CARGO_TARGET_DIR") or ROOT / "target").resolve()
    parser = argparse.ArgumentParser(description="measures a build from nothing")
    parser.add_argument("--test", action="store_true", help="the tests instead of the release build")
    parser.add_argument("--table", action="store_true", help="print the table of the last build, and build nothing")
    parser.add_argument("--work", type=Path, default=target / "build-cost", help="default: %(default)s")
    args = parser.parse_args()
    report = args.work / "cargo-timings/cargo-timing.html"
    if args.table:
        print(table(report))
        return
    subprocess.run(["cargo", "fetch", "--locked"], cwd=ROOT, check=True)
    shutil.rmtree(args.work, ignore_errors=True)
    command = ["cargo", "test", "--workspace"] if args.test else ["cargo", "build", "--release"]
    command += ["--locked", "--timings"]
    environment = os.environ | {"CARGO_TARGET_DIR": str(args.work), "CARGO_INCREMENTAL": "0"}
    before, began = cpu_seconds(), time.monotonic()
    subprocess.run(command, cwd=ROOT, check=True, env=environment)
    took, used = time.monotonic() - began, cpu_seconds() - before
    print(table(report))
    print(f"\n{' '.join(command)}: {used:.0f} CPU seconds, {took:.0f} s on {os.cpu_count()} cores")


if __name__ == "__main__":
    main()
