"""Reads a table of customers whose rows changed by key, as others do: with delta-rs, and with Polars
if there is one.

    upsert_reader.py check TABLE    prints the rows of the newest version as JSON
    upsert_reader.py compact TABLE  puts its files together

At every version, the table must be what its change feed adds up to."""

import collections
import json
import sys

import deltalake
import pyarrow as pa

try:
    import polars
except ImportError:
    polars = None

COLUMNS = ["id", "name", "note"]
GONE = ["delete", "update_preimage"]


def rows(table):
    """The rows of a table of Arrow, in order."""
    return sorted(tuple(row[name] for name in COLUMNS) for row in table.select(COLUMNS).to_pylist())


def at(table, version):
    """The table at a version, as delta-rs reads it."""
    opened = deltalake.DeltaTable(table, version=version)
    query = deltalake.QueryBuilder().register("customers", opened).execute("SELECT * FROM customers")
    return rows(pa.table(query.read_all()))


def changes(table, last):
    """What the feed tells of each version, what goes before what comes."""
    feed = pa.table(deltalake.DeltaTable(table).load_cdf(starting_version=0, ending_version=last).read_all())
    told = collections.defaultdict(list)
    for row in feed.to_pylist():
        told[row["_commit_version"]].append((row["_change_type"], tuple(row[name] for name in COLUMNS)))
    return {version: sorted(of, key=lambda change: change[0] not in GONE) for version, of in told.items()}


def check(table):
    """Folds the feed, and compares at every version."""
    last = deltalake.DeltaTable(table).version()
    told, there = changes(table, last), set()
    for version in range(1, last + 1):
        for kind, row in told.get(version, []):
            if kind in GONE:
                there.remove(row)
            else:
                assert row not in there, f"version {version} tells of {row} twice"
                there.add(row)
        assert at(table, version) == sorted(there), f"version {version} is not what the feed adds up to"
        if polars:
            frame = polars.read_delta(table, version=version)
            assert sorted(frame.select(COLUMNS).rows()) == sorted(there), f"Polars reads version {version} otherwise"
    print(json.dumps(sorted(there)))


def compact(table):
    """Another writer's OPTIMIZE."""
    assert deltalake.DeltaTable(table).optimize.compact()["numFilesRemoved"] > 1


if __name__ == "__main__":
    {"check": check, "compact": compact}[sys.argv[1]](sys.argv[2])
