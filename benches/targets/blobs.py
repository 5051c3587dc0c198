"""Azurite as in the tests: npm installs it from its lock file; in memory, on its own port."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from measure import clear, say

ROOT = Path(__file__).resolve().parent.parent.parent
SOURCES = ROOT / "examples/azurite"
LISTENS = "Azurite Blob service successfully listens on "
ACCOUNT = "devstoreaccount1"
# The key of every Azurite, which Microsoft published.
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
CONTAINER = "logs"


class Azurite:
    """An Azurite that runs until it is closed, or until this process ends."""

    def __init__(self, work: Path) -> None:
        self.folder = install(work / "azurite")
        serve, program = ROOT / "tests/support/azurite.js", self.folder / "node_modules/azurite/dist/src/blob/main.js"
        flags = "--blobHost 127.0.0.1 --blobPort 0 --inMemoryPersistence --extentMemoryLimit 2048 --disableTelemetry --skipApiVersionCheck --silent"  # noqa: E501
        command = ["node", serve, program, *flags.split()]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        self.process = subprocess.Popen(command, cwd=work, text=True, **pipes)
        endpoint = next(line.removeprefix(LISTENS).strip() for line in self.process.stdout if line.startswith(LISTENS))
        self.connection = f"DefaultEndpointsProtocol=http;BlobEndpoint={endpoint}/{ACCOUNT};AccountName={ACCOUNT};AccountKey={KEY}"

    def upload(self, folder: Path) -> str:
        """Uploads the files of a flat folder as blobs; returns the URL of a source over them."""
        environment = os.environ | {"AZURE_STORAGE_CONNECTION_STRING": self.connection}
        command = ["node", self.folder / "upload.js", folder, CONTAINER]
        subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL)
        return f"az://{CONTAINER}/"

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait()


def install(folder: Path) -> Path:
    """Installs Azurite and its client, once for each lock file."""
    lock, marker = (SOURCES / "package-lock.json").read_bytes(), folder / "complete"
    if marker.is_file() and marker.read_bytes() == lock:
        return folder
    say("installing Azurite")
    clear(folder)
    folder.mkdir(parents=True)
    for name in ["package.json", "package-lock.json", "upload.js"]:
        shutil.copy(SOURCES / name, folder / name)
    command = "npm ci --ignore-scripts --no-audit --no-fund --omit=dev --omit=optional".split()
    subprocess.run(command, check=True, cwd=folder, stdout=subprocess.DEVNULL)
    marker.write_bytes(lock)
    return folder
