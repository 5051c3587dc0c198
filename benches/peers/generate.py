#!/usr/bin/env python3
"""Writes Azure PostgreSQL log lines for measurements: `generate.py 1GiB logs.json`.

The lines have the shape of the samples in `examples/data/azure`, with 18 keys and about 800 bytes each: thirteen kinds of
messages, a detail now and then, escapes and multi-byte characters, two lines of the primary server to one of a replica,
times that grow. The same seed gives the same bytes. Every key has a column of its own, so that a peer with a fixed list of
columns loses nothing.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import sys
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path

START = datetime(2026, 11, 21, 7, tzinfo=timezone.utc)
LINES_PER_SECOND = 380  # so that 1 GiB is an hour of a busy server
TEXTS_PER_KIND = 2_000
BATCH_LINES = 20_000

# Line: envelope, then properties. Filled with % because that is the fastest that plain Python has.
ENVELOPE = (
    '{ <app>"category": "PostgreSQLLogs", "location": "westeurope", "operationName": "LogEvent", "properties": '
    '<properties>, "resourceId": '
    '"/SUBSCRIPTIONS/0F1E2D3C-4B5A-6978-8796-A5B4C3D2E1F0/RESOURCEGROUPS/RG-ORDERS-UAT/PROVIDERS/'
    'MICROSOFT.DBFORPOSTGRESQL/FLEXIBLESERVERS/<UPPERCASE>", "time": "%sT%s.%03dZ", '
    '"ServerType": "PostgreSQL", "LogicalServerName": "<server>", '
    '"ServerVersion": "17.6", "ServerLocation": "prod:westeurope", "ReplicaRole": "<role>", '
    '"OriginalPrimaryServerName": "orders-uat-pg"}\n'
)
# Newer images add these four, 170 bytes a line.
APP_KEYS = (
    '"AppImage": "azurelinux/postgres_standalone_17_azl3:63.0.2609150", "AppType": "PostgreSQL", '
    '"AppVersion": "breadthpg17_2026-09-10-06-02-11", "Region": "westeurope", '
)
PROPERTIES = (
    '{"timestamp": "%%s %%s.%%03d UTC","processId": %%d,"errorLevel": "%s","sqlerrcode": "%s","backend_type": "%s",'
    '"message": "%%s %%s UTC-6b01%%04x.%%x-%s:  %s"%s}'
)
BLOB_DATA = "[227B blob data]"  # what PostgreSQL really writes now and then, and no JSON

PRIMARY = ("orders-uat-pg", "Primary")
REPLICAS = [("orders-uat-pg-ro1", "AsyncReplica"), ("orders-uat-pg-ro2", "GeoAsyncReplica"), ("orders-uat-pg-ro1", "Secondary")]

# (weight, level, sqlstate, backend, message, detail). In the texts <n>, <port>, <ms> and <word> vary.
CLIENT = "client backend"
KINDS = [
    (45, "LOG", "00000", "not initialized", "connection received: host=10.4.<b>.<b> port=<port>", None),
    (6, "LOG", "00000", CLIENT, "connection authorized: user=orders_app database=orders application_name=orders-<word> "
     "SSL enabled (protocol=TLSv1.3, cipher=TLS_AES_256_GCM_SHA384, bits=256)", None),
    (16, "LOG", "00000", CLIENT, "disconnection: session time: 0:00:<mm>.<ms> user=orders_app database=orders "
     "host=10.4.<b>.<b> port=<port>", None),
    (7, "LOG", "00000", CLIENT, "duration: <n>.<ms> ms  execute <unnamed>: SELECT o.id, o.total FROM orders o\n"
     "\tWHERE o.customer_id = $1\n\tORDER BY o.created_at DESC LIMIT <b>", "Parameters: $1 = '<n>'"),
    (10, "LOG", "00000", CLIENT, "duration: <n>.<ms> ms  statement: UPDATE <word> SET total = total + <b>.<mm> WHERE id = <n>",
     None),
    (4, "ERROR", "23505", CLIENT, 'duplicate key value violates unique constraint "<word>_pkey"',
     "Key (id)=(<n>) already exists."),
    (3, "FATAL", "28P01", CLIENT, 'password authentication failed for user "<word>"',
     'Connection matched file "/datadrive/pg/data/pg_hba.conf" line <mm>: "hostssl all all 0.0.0.0/0 scram-sha-256"'),
    (3, "ERROR", "42601", CLIENT, 'syntax error at or near "<word>" at character <b>', None),
    (1, "LOG", "00000", "checkpointer", "checkpoint complete: wrote <n> buffers (<mm>.6%); 0 WAL file(s) added, 0 removed, "
     "1 recycled; write=<b>.<ms> s, sync=0.011 s, total=<b>.<ms> s; sync files=<b>, longest=0.004 s, average=0.001 s; "
     "distance=<n> kB, estimate=<n> kB; lsn=1A/<n>, redo lsn=1A/<n>", None),
    (1, "LOG", "00000", "autovacuum worker", 'automatic vacuum of table "orders.public.<word>": index scans: 0\n'
     "pages: 0 removed, <n> remain, <b> scanned (<mm>.42% of total)\ntuples: <b> removed, <n> remain, 0 are dead but not yet "
     "removable\nsystem usage: CPU: user: 0.<ms> s, system: 0.<ms> s, elapsed: <b>.<mm> s", None),
    (4, "LOG", "00000", CLIENT, "AUDIT: SESSION,<b>,1,WRITE,UPDATE,TABLE,public.<word>,\"UPDATE <word> SET note = "
     "'café ☃ 😀 \\\\ \"\"q\"\"' WHERE id = <n>\",<not logged>", None),
    (2, "WARNING", "01000", CLIENT, "there is already a transaction in progress in job C:\\jobs\\<word>\\<n>", None),
    (8, "LOG", "00000", CLIENT, "temporary file: path \"base/pgsql_tmp/pgsql_tmp<n>.<b>\", size <n>",
     "The sort of table \"<word>\" did not fit in work_mem."),
]  # fmt: skip
WORDS = ["orders", "customers", "order_lines", "invoices", "api", "worker", "płatności", "FORM", "stock", "events"]


def size(text: str) -> int:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT]?)(?:i?B)?", text.strip(), re.IGNORECASE)
    if not match:
        raise argparse.ArgumentTypeError(f"{text!r} is not a size such as 64MiB or 1GiB")
    return int(float(match[1]) * 1024 ** " KMGT".index(match[2].upper() or " "))


def fill(text: str, rng: random.Random) -> str:
    """Replaces the varying parts, and escapes what remains for JSON and for a % template."""
    parts = {
        "<n>": lambda: str(rng.randrange(10_000, 10_000_000)),
        "<b>": lambda: str(rng.randrange(1, 250)),
        "<mm>": lambda: f"{rng.randrange(60):02}",
        "<ms>": lambda: f"{rng.randrange(1000):03}",
        "<port>": lambda: str(rng.randrange(32_768, 61_000)),
        "<word>": lambda: rng.choice(WORDS),
    }
    filled = re.sub("|".join(parts), lambda match: parts[match[0]](), text)
    return json.dumps(filled, ensure_ascii=False)[1:-1].replace("%", "%%")


def envelope(app: str, server: str, role: str, properties: str) -> str:
    """A line of one server, still to be filled with its times."""
    line = ENVELOPE.replace("<UPPERCASE>", server.upper()).replace("<server>", server).replace("<role>", role)
    return line.replace("<app>", app).replace("<properties>", properties)


def templates(rng: random.Random, app: str) -> list[str]:
    """Lines ready but for their times, process and session; as many of a kind as its weight says."""
    lines = []
    for weight, level, state, backend, message, detail in KINDS:
        for _ in range(TEXTS_PER_KIND * weight // 10):
            more = "" if detail is None else f',"detail": "{fill(detail, rng)}"'
            properties = PROPERTIES % (level, state, backend, level, fill(message, rng), more)
            server, role = PRIMARY if rng.random() < 2 / 3 else rng.choice(REPLICAS)
            lines.append(envelope(app, server, role, properties))
    rng.shuffle(lines)
    return lines


def write(path: Path, wanted: int, seed: int, rejects: float, app: str = "") -> tuple[int, int]:
    """Writes whole lines until `wanted` bytes are reached; returns bytes and lines."""
    rng = random.Random(seed)
    pool = templates(rng, app)
    blob_line = envelope(app, *PRIMARY, BLOB_DATA)
    choose, uniform = rng.choices, rng.random
    written = count = 0
    second = START
    batch: list[str] = []
    with path.open("wb") as out:
        while written < wanted:
            day, clock = second.strftime("%Y-%m-%d"), second.strftime("%H:%M:%S")
            session = int(second.timestamp()) & 0xFFFF
            for index, line in enumerate(choose(pool, k=LINES_PER_SECOND)):
                ms = index * 998 // LINES_PER_SECOND
                pid = 20_000 + int(uniform() * 2_000)
                if rejects and uniform() < rejects:
                    batch.append(blob_line % (day, clock, ms + 1))
                else:
                    batch.append(line % (day, clock, ms, pid, day, clock, session, pid, day, clock, ms + 1))
            second += timedelta(seconds=1)
            if len(batch) >= BATCH_LINES or written + len(batch) * 700 > wanted:
                for line in batch if written + len(batch) * 1_000 > wanted else ("".join(batch),):
                    data = line.encode()
                    written += out.write(data)
                    count += data.count(b"\n")
                    if written >= wanted:
                        break
                batch = []
    return written, count


def main() -> None:
    parser = argparse.ArgumentParser(description="writes Azure PostgreSQL log lines")
    parser.add_argument("size", type=size, metavar="SIZE", help="such as 64MiB or 1GiB, reached with whole lines")
    parser.add_argument("out", type=Path, metavar="OUT")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rejects", type=float, default=0.0, metavar="SHARE", help="share of lines that are not JSON, 0 to 1")
    parser.add_argument("--app-keys", action="store_true", help="with the four keys that newer images add")
    args = parser.parse_args()
    started = time.monotonic()
    args.out.parent.mkdir(parents=True, exist_ok=True)
    # A file that is only half written must not look like a finished one.
    unfinished = args.out.with_name(args.out.name + ".tmp")
    written, count = write(unfinished, args.size, args.seed, args.rejects, APP_KEYS if args.app_keys else "")
    unfinished.rename(args.out)
    seconds = time.monotonic() - started
    print(f"{count} lines, {written} bytes, {written / max(count, 1):.1f} bytes a line, {seconds:.1f} s", file=sys.stderr)


if __name__ == "__main__":
    main()
