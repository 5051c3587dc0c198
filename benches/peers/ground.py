"""What measuring needs beforehand: the peers' virtual environment, and the log lines."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.append(str(HERE.parent))

from packages import python_with  # noqa: E402


def set_up_venv(venv: Path) -> None:
    """The peers' virtual environment."""
    python_with(HERE / "requirements.txt", venv)


def set_up_logs(binary: Path, work: Path, size: str, seed: int) -> Path:
    """The log file; another generator, or another seed, makes a file with another name."""
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


def say(text: str) -> None:
    """Reports progress on standard error."""
    print(text, file=sys.stderr, flush=True)
