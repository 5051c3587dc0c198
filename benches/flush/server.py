"""A PostgreSQL of the benchmark's own: on a free loopback port, in a folder that ends with it.

It has the settings that a new cluster has, so it syncs what it commits; `told` says so. Run by
root, it is handed to `postgres` or `nobody`, because PostgreSQL refuses to be run by root.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

PROGRAMS = ("initdb", "postgres", "psql")
# Whom root lets run the server.
OWNERS = ("postgres", "nobody")
DATABASE = "bench"
# What decides how quick a server is, and is shown with the figures.
SHOWN = ("fsync", "synchronous_commit", "full_page_writes", "shared_buffers", "max_wal_size")


class Server:
    """A server that runs until `close`, which removes its folder."""

    def __init__(self, folder: Path, settings: list[str]) -> None:
        self.folder, self.programs, self.port = folder, programs(), free_port()
        # Without what the caller's environment says to libpq.
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
        # `catalog.py` reads the log by its prefix.
        given = [
            "listen_addresses=127.0.0.1",
            "unix_socket_directories=",
            "log_line_prefix=%n %p ",
            f"port={self.port}",
        ]
        self.settings = [*given, *settings]
        self.owner = owner()
        self.process: subprocess.Popen | None = None
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        try:
            self.start()
        except BaseException:
            self.close()
            raise

    def start(self) -> None:
        if self.owner:
            os.chown(self.folder, self.owner["user"], self.owner["group"])
        if self.owner and subprocess.run(["test", "-w", self.folder / "."], **self.owner, check=False).returncode != 0:
            sys.exit(f"PostgreSQL's user cannot reach {self.folder}: choose another --work, such as one below /tmp")
        given = ["-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-locale", "-N"]
        self.run("initdb", "-D", self.folder / "data", *given)
        command = [self.programs / "postgres", "-D", self.folder / "data"]
        for setting in self.settings:
            command += ["-c", setting]
        self.log = self.folder / "log"
        with self.log.open("wb") as log:
            # In a group of its own, because a Ctrl-C is for us, and we stop it.
            self.process = subprocess.Popen(command, stdout=log, stderr=log, **self.child(), start_new_session=True)
        for _ in range(600):
            if self.psql("SELECT 1", "postgres", check=False) == "1":
                break
            if self.process.poll() is not None:
                sys.exit(f"PostgreSQL does not start:\n{self.log.read_text()[-2000:]}")
            time.sleep(0.1)
        self.psql(f"CREATE DATABASE {DATABASE}", "postgres")

    def child(self) -> dict:
        """How a program of the server is run."""
        return {"cwd": self.folder, "env": self.environment, **self.owner}

    def run(self, program: str, *arguments: str | Path) -> None:
        done = subprocess.run(
            [self.programs / program, *arguments], capture_output=True, text=True, **self.child(), check=False
        )
        if done.returncode != 0:
            sys.exit(f"{program} failed: {done.stderr}")

    def url(self) -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}/{DATABASE}"

    def conninfo(self) -> str:
        """The same as libpq's keywords, which is what DuckDB is given."""
        return f"host=127.0.0.1 port={self.port} user=postgres dbname={DATABASE}"

    def command(self, *flags: str, database: str = DATABASE) -> list[str]:
        """psql, which prints values alone and stops at the first error."""
        address = f"postgresql://postgres@127.0.0.1:{self.port}/{database}"
        return [str(self.programs / "psql"), "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", *flags, address]

    def psql(self, sql: str, database: str = DATABASE, *, check: bool = True) -> str:
        """Runs statements, each in its own transaction; what they print."""
        command = self.command("-f", "-", database=database)
        done = subprocess.run(command, input=sql, capture_output=True, text=True, env=self.environment, check=False)
        if check and done.returncode != 0:
            sys.exit(f"psql failed: {done.stderr}in\n{sql[:2000]}")
        return done.stdout.rstrip("\n")

    def number(self, sql: str) -> int:
        return int(self.psql(sql) or 0)

    def told(self) -> str:
        """Its version, and the settings that matter."""
        version, *values = [self.psql(f"SHOW {name}") for name in ("server_version", *SHOWN)]
        settings = ", ".join(f"{name} {value}" for name, value in zip(SHOWN, values))
        return f"PostgreSQL {version.split()[0]}: {settings}"

    def cpu_s(self) -> float:
        """CPU seconds of the server so far: all that have ended, and all that run."""
        postmaster = self.process.pid
        children = Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text().split()
        return ended_cpu_s(postmaster) + sum(process_cpu_s(int(process)) for process in [postmaster, *children])

    def close(self) -> None:
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(timeout=60)
            except subprocess.TimeoutExpired:
                self.process.send_signal(signal.SIGQUIT)
                self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


def process_cpu_s(process: int) -> float:
    """CPU seconds of a process so far, of all threads that it ever had, to the nanosecond: the
    clock that clock_getcpuclockid(3) names. Nothing if it has ended.
    """
    cpuclock_sched = 2
    try:
        return time.clock_gettime((~process << 3) | cpuclock_sched)
    except OSError:
        return 0.0


def ended_cpu_s(process: int) -> float:
    """CPU seconds of the children of a process that have ended: cutime and cstime of proc(5)."""
    stat = Path(f"/proc/{process}/stat").read_text()
    # The name, in brackets, may have spaces. They are fields 16 and 17, the name is the second.
    return sum(int(field) for field in stat.rpartition(")")[2].split()[13:15]) / os.sysconf("SC_CLK_TCK")


def programs() -> Path:
    """The folder of the server's programs: of one version, the newest that Debian has elsewhere."""
    debian = Path("/usr/lib/postgresql").glob("*/bin")
    newest = sorted(debian, key=lambda path: int(path.parent.name) if path.parent.name.isdigit() else 0, reverse=True)
    for folder in [*map(Path, os.get_exec_path()), *newest]:
        if all((folder / program).is_file() for program in PROGRAMS):
            return folder
    sys.exit(f"found no {', '.join(PROGRAMS)}: install PostgreSQL (the package `postgresql`)")


def owner() -> dict:
    """Whom the server's programs run as; nothing unless we are root."""
    if os.geteuid() != 0:
        return {}
    there = {entry.pw_name: entry for entry in pwd.getpwall()}
    found = next((there[name] for name in OWNERS if name in there), None)
    if not found:
        sys.exit(f"found no account of {', '.join(OWNERS)}: run it as another user than root")
    return {"user": found.pw_uid, "group": found.pw_gid, "extra_groups": []}


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]
