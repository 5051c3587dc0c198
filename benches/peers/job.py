"""What the peers' jobs share: `JOB LOGS OUT_DIR --threads N` lands `LOGS` below `OUT_DIR`, by role.

It prints how many rows, as `{"primary": N, "replica": N}`.

The peers do not do what lakefront does: keep each line's place in its source and unknown keys, set
bad lines aside, sync what they have written, or go on after a crash.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

Land = Callable[[Path, Path, int], dict[str, int]]


def main(description: str, land: Land) -> None:
    """Runs `land(logs, out, threads)`.

    It imports its libraries itself, because they read the environment when they are loaded.
    """
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("logs", type=Path)
    parser.add_argument("out", type=Path, help="a directory; what it holds is removed first")
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    shutil.rmtree(args.out, ignore_errors=True)
    os.environ |= {"POLARS_MAX_THREADS": str(args.threads), "TOKIO_WORKER_THREADS": str(args.threads)}
    print(json.dumps(land(args.logs, args.out, args.threads)))


def delta_rows(out: Path) -> dict[str, int]:
    """The rows by the tables' logs: what was committed, not what was intended."""
    from deltalake import DeltaTable

    return {role: DeltaTable(out / role).count() for role in ("primary", "replica")}
