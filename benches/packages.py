"""Virtual environments with exactly the packages of a lock, for the programs that measure."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path


def python_with(requirements: Path, venv: Path) -> Path:
    """Its Python. The environment is made if need be, and anew when the lock changes."""
    lock = hashlib.sha256(requirements.read_bytes()).hexdigest()
    stamp, python = venv / "lock.sha256", venv / "bin/python"
    if stamp.is_file() and stamp.read_text() == lock:
        return python
    print(f"setting up {venv}", file=sys.stderr, flush=True)
    shutil.rmtree(venv, ignore_errors=True)
    subprocess.run([sys.executable, "-m", "venv", venv], check=True)
    pip = [python, "-m", "pip", "install", "--quiet", "--require-hashes", "--only-binary", ":all:"]
    subprocess.run([*pip, "--requirement", requirements], check=True)
    stamp.write_text(lock)
    return python
