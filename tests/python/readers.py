"""Prints the rows of a Delta table as one of its readers has them, each as a line, in order.

    readers.py READER TABLE

READER is deltalake, polars or duckdb, which reads by its delta extension."""

import os
import sys
from datetime import date, datetime, timezone
from decimal import Decimal


def rows_of_deltalake(table):
    import pyarrow
    from deltalake import DeltaTable, QueryBuilder

    query = QueryBuilder().register("t", DeltaTable(table)).execute("select * from t")
    return pyarrow.table(query.read_all()).to_pylist()


def rows_of_polars(table):
    import polars

    return polars.scan_delta(table).collect().to_dicts()


def rows_of_duckdb(table):
    import glob

    import duckdb
    import duckdb_extension_delta

    folder = os.path.dirname(duckdb_extension_delta.__file__)
    (extension,) = glob.glob(folder + "/extensions/*/delta.duckdb_extension")
    connection = duckdb.connect(config={"allow_unsigned_extensions": "true"})
    connection.execute(f"LOAD '{extension}'")
    found = connection.execute("select * from delta_scan(?)", [table])
    names = [column[0] for column in found.description]
    return [dict(zip(names, row)) for row in found.fetchall()]


def shown(value):
    """A value in one form, whatever type a reader has for it."""
    match value:
        case datetime():
            return (value.astimezone(timezone.utc) if value.tzinfo else value).strftime("%Y-%m-%d %H:%M:%S.%f")
        case date():
            return value.isoformat()
        case Decimal():
            return format(value, "f")
        case float():
            return repr(value)
        case bytes() | bytearray():
            return value.hex()
        case list():
            return [shown(item) for item in value]
        case dict():
            return {name: shown(item) for name, item in value.items()}
        case _:
            return value


reader, table = sys.argv[1:]
rows = globals()[f"rows_of_{reader}"](table)
for line in sorted(repr(sorted(shown(row).items())) for row in rows):
    print(line)
sys.stdout.flush()
# The readers' threads outlive the program, and now and then that crashes the interpreter.
os._exit(0)
