#!/usr/bin/env python3
"""What others do to a table: what they may do, and what they should not have done.

    tamper.py ACTION TABLE [SOURCE OFFSET] [OTHER_TABLE]
"""

from __future__ import annotations

import json
import os
import struct
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
from deltalake import DeltaTable, Field, write_deltalake
from deltalake.schema import PrimitiveType

DELETION_VECTOR_MAGIC = 1681511377
ROARING_COOKIE = 12346
Z85 = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#"


def where(source: str, offset: str) -> str:
    return f"_source = '{source}' and _offset = {offset}"


def row(table: str, source: str, offset: str) -> pa.Table:
    wanted = (pc.field("_source") == source) & (pc.field("_offset") == int(offset))
    rows = DeltaTable(table).to_pyarrow_table(filters=wanted)
    assert rows.num_rows == 1, rows
    return rows


# ---- What anybody may do -------------------------------------------------------------------------


def compact(table: str) -> None:
    DeltaTable(table).optimize.compact()


def cluster(table: str) -> None:
    DeltaTable(table).optimize.z_order(["_offset"])


def vacuum(table: str) -> None:
    DeltaTable(table).vacuum(retention_hours=0, enforce_retention_duration=False, dry_run=False)


def add_column(table: str) -> None:
    DeltaTable(table).alter.add_columns([Field("reviewed_by", PrimitiveType("string"))])
    DeltaTable(table).update(updates={"reviewed_by": "'somebody'"})


def clean_log(table: str) -> None:
    DeltaTable(table).create_checkpoint()
    log = Path(table) / "_delta_log"
    checkpoint = max(path.name[:20] for path in log.glob("*.checkpoint.parquet"))
    for commit in log.glob("*.json"):
        if commit.name[:20] < checkpoint:
            commit.unlink()


# ---- What nobody should have done ----------------------------------------------------------------


def delete(table: str, source: str, offset: str) -> None:
    assert DeltaTable(table).delete(where(source, offset))["num_deleted_rows"] == 1


def delete_by_vector(table: str, source: str, offset: str) -> None:
    """Deletes by a deletion vector in the log, as Spark and others do: the file stays as it is."""
    for add in adds(table):
        rows = ds.dataset(str(Path(table) / add["path"]), format="parquet").to_table(["_source", "_offset"]).to_pylist()
        found = [i for i, held in enumerate(rows) if (held["_source"], held["_offset"]) == (source, int(offset))]
        if found:
            break
    bitmap = struct.pack("<IIHHIH", ROARING_COOKIE, 1, found[0] >> 16, 0, 16, found[0] & 0xFFFF)
    content = struct.pack("<IQI", DELETION_VECTOR_MAGIC, 1, 0) + bitmap
    content += bytes(-len(content) % 4)
    vector = {"storageType": "i", "pathOrInlineDv": z85(content), "sizeInBytes": len(content), "cardinality": 1}
    now = int(time.time() * 1000)
    features = {"readerFeatures": ["deletionVectors"], "writerFeatures": ["deletionVectors"]}
    actions = [
        {"protocol": {"minReaderVersion": 3, "minWriterVersion": 7, **features}},
        {"remove": {"path": add["path"], "deletionTimestamp": now, "dataChange": True}},
        {"add": add | {"deletionVector": vector, "modificationTime": now, "dataChange": True}},
    ]
    commit(table, actions)


def adds(table: str) -> list[dict]:
    live: dict[str, dict] = {}
    for path in sorted((Path(table) / "_delta_log").glob("*.json")):
        for action in map(json.loads, path.read_text().splitlines()):
            if "add" in action:
                live[action["add"]["path"]] = action["add"]
            elif "remove" in action:
                live.pop(action["remove"]["path"], None)
    return list(live.values())


def commit(table: str, actions: list[dict]) -> None:
    version = DeltaTable(table).version() + 1
    text = "".join(json.dumps(action) + "\n" for action in actions)
    (Path(table) / "_delta_log" / f"{version:020}.json").write_text(text)


def z85(content: bytes) -> str:
    words = struct.unpack(f">{len(content) // 4}I", content)
    return "".join(Z85[word // 85**place % 85] for word in words for place in (4, 3, 2, 1, 0))


def double(table: str, source: str, offset: str) -> None:
    write_deltalake(table, row(table, source, offset), mode="append")


def change(table: str, source: str, offset: str) -> None:
    """Adds a character to a row's message, or to a reject's reason."""
    column = "reason" if table.endswith("rejects") else "message"
    DeltaTable(table).update(updates={column: f"concat({column}, '.')"}, predicate=where(source, offset))


def move_day(table: str, source: str, offset: str) -> None:
    DeltaTable(table).update(updates={"log_date": "date '2001-01-01'"}, predicate=where(source, offset))


def swap(table: str, source: str, offset: str, other: str) -> None:
    """Swaps a row with the row behind it, which is in the other table."""
    behind = str(int(offset) + 64)
    one, two = row(table, source, offset), row(other, source, behind)
    delete(table, source, offset)
    delete(other, source, behind)
    write_deltalake(table, two, mode="append")
    write_deltalake(other, one, mode="append")


def append(table: str, source: str, offset: str) -> None:
    """Appends a row that belongs to no file, or to no place in one."""
    key = {"_source": pa.array([source or None], pa.string()), "_offset": pa.array([int(offset)], pa.int64())}
    write_deltalake(table, pa.table(key), mode="append", schema_mode="merge")


ACTIONS: dict[str, Callable[..., None]] = {
    action.__name__: action
    for action in [
        compact, cluster, vacuum, add_column, clean_log, delete, delete_by_vector, double, change, move_day, swap, append,
    ]
}  # fmt: skip

if __name__ == "__main__":
    ACTIONS[sys.argv[1]](*sys.argv[2:])
    # Not sys.exit, because the table reader's threads now and then abort the process while Python
    # shuts down.
    sys.stdout.flush()
    os._exit(0)
