"""Pipelines, the lines that they read, and what has to become of each. Nothing here knows Spark."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

Rows = list[dict[str, Any]]

TABLES = ("primary", "replica", "rejects")
SERVERS = {"Primary": "primary", "AsyncReplica": "replica", "GeoAsyncReplica": "replica"}
EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
MICROSECOND = timedelta(microseconds=1)
BEGAN = time.monotonic()
# No wait takes so long, unless something hangs.
PATIENCE_S = 120

# Column: (key, type), of the line's own object and of the one under `properties`.
TOP = {
    "time": ("time", "timestamp"),
    "resource_id": ("resourceId", "string"),
    "location": ("location", "string"),
    "category": ("category", "string"),
    "operation_name": ("operationName", "string"),
    "server_type": ("ServerType", "string"),
    "logical_server_name": ("LogicalServerName", "string"),
    "server_version": ("ServerVersion", "string"),
    "server_location": ("ServerLocation", "string"),
    "replica_role": ("ReplicaRole", "string"),
    "original_primary_server_name": ("OriginalPrimaryServerName", "string"),
    "app_image": ("AppImage", "string"),
    "app_type": ("AppType", "string"),
    "app_version": ("AppVersion", "string"),
    "region": ("Region", "string"),
}
PROPERTIES = {
    "log_timestamp": ("timestamp", "timestamp"),
    "process_id": ("processId", "bigint"),
    "error_level": ("errorLevel", "string"),
    "sqlerrcode": ("sqlerrcode", "string"),
    "backend_type": ("backend_type", "string"),
    "message": ("message", "string"),
    "detail": ("detail", "string"),
}
PLACE = {"_rest": "string", "_source": "string", "_offset": "bigint", "_item": "bigint"}
ROW_TYPES = {column: kind for column, (_, kind) in (TOP | PROPERTIES).items()} | PLACE
REJECT_TYPES = {
    "_source": "string", "_offset": "bigint", "reason": "string", "raw": "binary", "length": "bigint",
    "rejected_at": "timestamp", "detail": "string", "_item": "bigint",
}  # fmt: skip
JSONLOG_NAMES = {
    "timestamp": "timestamp session_start",
    "bigint": "pid remote_port line_num txid internal_position cursor_position file_line_num leader_pid query_id",
    "string": "user dbname remote_host session_id ps vxid error_severity state_code message detail hint internal_query"
    " context statement func_name file_name application_name backend_type",
}
JSONLOG_TYPES = {name: kind for kind, names in JSONLOG_NAMES.items() for name in names.split()} | PLACE


def so(what: str) -> None:
    print(f"{time.monotonic() - BEGAN:6.1f} s  {what}", flush=True)


def same(found: Any, expected: Any, what: str) -> None:
    assert found == expected, f"{what}:\n  found    {found!r}\n  expected {expected!r}"


def until(what: str, condition: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end, f"never: {what}"
        time.sleep(0.05)


# ---- Pipelines -----------------------------------------------------------------------------------------------------


class Pipeline:
    """A pipeline from `logs/` to `lake/` in a folder of its own, with small cuts."""

    def __init__(self, lakefront: Path, folder: Path, **settings: dict[str, str]) -> None:
        self.lakefront, self.folder, self.logs = lakefront, folder, folder / "logs"
        self.logs.mkdir(parents=True)
        self.state = folder / "state.json"
        sections: dict[str, dict[str, Any]] = {
            "": {"pipeline": folder.name, "topology": "pg_logs", "workers": 2},
            "source": {"url": "file:logs/", "format": "azure", "poll": "50ms", "chunk": "32 KiB"},
            "lake": {"root": "file:lake", "catalog": "lakehouse", "schema": "logs"},
            "tables": {table: table for table in TABLES},
            "commit": {"bytes": "64 KiB", "interval": "1m"},
            "limits": {"reject_ratio": 1.0},
        }
        sections["source"]["state_file"] = self.state.name
        for section, keys in settings.items():
            sections.setdefault(section, {}).update(keys)
        lines = []
        for section, keys in sections.items():
            lines += [f"[{section}]"] if section else []
            # TOML writes names, texts and numbers as JSON does.
            lines += [f"{json.dumps(key)} = {json.dumps(value)}" for key, value in keys.items()]
        (folder / "p.toml").write_text("\n".join(lines) + "\n")

    def table(self, name: str) -> str:
        return str(self.folder / "lake/lakehouse/logs" / name)

    def call(self, *arguments: str) -> Any:
        """Runs lakefront to its end, which has to be a good one; the JSON that it prints."""
        command = [self.lakefront, *arguments, "--json"]
        done = subprocess.run(command, cwd=self.folder, capture_output=True, text=True)
        assert done.returncode == 0, f"{arguments} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}"
        return json.loads(done.stdout)

    def generate(self, *flags: str) -> dict[str, int]:
        """Writes lines; how many will land in each table."""
        return self.call("generate", *flags, "logs")["tables"]

    def land(self) -> None:
        self.call("run", "p.toml")

    def prove(self) -> dict[str, Any]:
        """Every row is there, once; the proof of each table."""
        said = self.call("prove", "p.toml")
        assert said["ok"] and said["all_proved"], said
        return dict(zip(TABLES, said["tables"], strict=True))

    def write(self, name: str, content: bytes) -> None:
        (self.logs / name).write_bytes(content)

    @contextmanager
    def tail(self) -> Iterator[subprocess.Popen]:
        """A run that follows the logs. It has to be stopped, and to end cleanly."""
        said = self.folder / "tail.err"
        with said.open("w") as errors:
            command = [self.lakefront, "run", "p.toml", "--mode", "tail"]
            process = subprocess.Popen(command, cwd=self.folder, stdout=subprocess.DEVNULL, stderr=errors)
        try:
            yield process
            same(process.returncode, 0, "the exit code of the tail")
        except BaseException:
            process.kill()
            process.wait()
            print(f"the tail said:\n{said.read_text()[-10_000:]}", file=sys.stderr)
            raise


# ---- Lines, and what becomes of them -------------------------------------------------------------------------------


def micros(text: str | None) -> int | None:
    return None if text is None else (datetime.fromisoformat(text.replace(" UTC", "+00:00")) - EPOCH) // MICROSECOND


def row_of(record: dict[str, Any], source: str, offset: int, item: int | None = None) -> dict[str, Any]:
    """The row of a good record. Moments are microseconds, `_rest` is an object."""
    properties = record.get("properties", {})
    row = {column: record.get(key) for column, (key, _) in TOP.items()}
    row |= {column: properties.get(key) for column, (key, _) in PROPERTIES.items()}
    row |= {"time": micros(row["time"]), "log_timestamp": micros(row["log_timestamp"])}
    known = {key for key, _ in TOP.values()} | {"properties"}
    rest = {key: value for key, value in record.items() if key not in known}
    known = {key for key, _ in PROPERTIES.values()}
    rest |= {f"properties.{key}": value for key, value in properties.items() if key not in known}
    logged = row["time"] if row["log_timestamp"] is None else row["log_timestamp"]
    day = None if logged is None else (EPOCH + logged * MICROSECOND).date()
    return row | {"_rest": rest or None, "_source": source, "_offset": offset, "_item": item, "log_date": day}


def reject_of(raw: bytes, reason: str, detail: str | None, source: str, offset: int, item: int | None = None) -> dict:
    place = {"_source": source, "_offset": offset, "_item": item}
    return place | {"reason": reason, "detail": detail, "raw": raw, "length": len(raw)}


def rows_of(folder: Path) -> dict[str, Rows]:
    """The rows of all files of a folder, in which every line is a good record of Azure."""
    rows: dict[str, Rows] = {table: [] for table in TABLES}
    for path in sorted(folder.rglob("*.json")):
        offset = 0
        for text in path.read_bytes().splitlines(keepends=True):
            record = json.loads(text)
            rows[SERVERS[record["ReplicaRole"]]].append(row_of(record, str(path.relative_to(folder)), offset))
            offset += len(text)
    return rows


def line(record: Any) -> bytes:
    return json.dumps(record, ensure_ascii=False).encode() + b"\n"


# Statistics of a long text end before it does. Behind this one there is no next character.
LAST_CHARACTERS = "\U0010ffff" * 5_000
# The ends of what integers and moments may be, and days that calendars have counted otherwise.
ODD: list[tuple[str, dict[str, Any]]] = [
    ("primary", {"ReplicaRole": "Primary"}),
    ("primary", {
        "time": "2026-11-21T07:00:01.123456Z", "ReplicaRole": "None", "Tenant": "t-1", "Tags": ["a", {"b": None}],
        "properties": {
            "timestamp": "2026-11-21 07:00:00.999999 UTC", "processId": -(1 << 63), "message": LAST_CHARACTERS,
            "query_id": (1 << 63) - 1,
        },
    }),
    ("primary", {
        "time": "0001-01-01T00:00:00.000000Z", "ReplicaRole": "Primary",
        "properties": {"timestamp": "9999-12-31 23:59:59.999999 UTC", "processId": (1 << 63) - 1, "message": ""},
    }),
    ("replica", {
        "time": "1582-10-10T00:00:00.000001Z", "ReplicaRole": "AsyncReplica",
        "properties": {"timestamp": "1899-12-31 23:59:59.999999 UTC", "message": "ä🚀" * 5_000},
    }),
    ("replica", {
        "time": "1969-12-31T23:59:59.999999Z", "ReplicaRole": "Replica",
        "properties": {"message": "\uffff \"quoted\"\n\t\\"},
    }),
]  # fmt: skip
MANY = [
    {"time": "2026-11-21T07:00:02.000001Z", "ReplicaRole": "Primary", "properties": {"message": "one"}},
    {"time": "2026-11-21T07:00:02.000002Z", "ReplicaRole": "Replica", "properties": {"message": "two"}, "x": 1},
    7,
]
BAD: list[tuple[bytes, str, str | None]] = [
    (b'{"time": [227B blob data]}', "invalid_json", None),
    (b'"text"', "not_an_object", None),
    (b'{"ReplicaRole": "Primary", "location": "\xff\xfe"}', "invalid_utf8", None),
    (b'{"ReplicaRole": "Primary", "properties": {"processId": true}}', "wrong_type",
     "properties.processId: boolean, expected integer"),
    (b'{"time": "2026-11-21T07:00:03Z", "properties": {}}', "no_role", None),
]  # fmt: skip


def odd_lines(name: str) -> tuple[bytes, dict[str, Rows]]:
    """A file of lines that are not like others, and what becomes of them."""
    content, rows = b"", {table: [] for table in TABLES}
    for table, record in ODD:
        rows[table].append(row_of(record, name, len(content)))
        content += line(record)
    rows["primary"].append(row_of(MANY[0], name, len(content), 0))
    rows["replica"].append(row_of(MANY[1], name, len(content), 1))
    rows["rejects"].append(reject_of(b"7", "not_an_object", None, name, len(content), 2))
    content += line({"records": MANY})
    for bad, reason, detail in BAD:
        rows["rejects"].append(reject_of(bad, reason, detail, name, len(content)))
        content += bad + b"\n"
    return content, rows
