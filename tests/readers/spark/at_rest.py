"""Tables that nobody writes just then: every value, older versions, files kept shut, a clean-up."""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

from pyspark.sql import SparkSession
from pyspark.sql.functions import input_file_name

from given import (
    JSONLOG_TYPES,
    LAST_CHARACTERS,
    REJECT_TYPES,
    ROW_TYPES,
    TABLES,
    Pipeline,
    Rows,
    micros,
    odd_lines,
    rows_of,
    same,
    so,
)
from reading import MOMENTS, equal, files_read, history, one, plain, readable, rows, types

DAYS = ROW_TYPES | {"log_date": "date"}
TYPES = {"primary": DAYS, "replica": DAYS, "rejects": REJECT_TYPES}
LONGER_THAN_A_WEEK_S = 8 * 24 * 3600


def tables_at_rest(spark: SparkSession, lakefront: Path, folder: Path) -> None:
    pipeline = Pipeline(lakefront, folder, lake={"partition_by": "day"})
    # Twenty hours of a log, of two days.
    made = pipeline.generate("--size", "2MiB", "--files", "20", "--app-keys", "--seed", "5")
    expected = rows_of(pipeline.logs)
    same({table: len(expected[table]) for table in TABLES}, made, "lines")
    began = time.time()
    pipeline.land()
    first = {table: proof["version"] for table, proof in pipeline.prove().items()}
    content, more = odd_lines("odd.json")
    pipeline.write("odd.json", content)
    pipeline.land()
    run = (began - 1, time.time() + 1)
    now = {table: proof["version"] for table, proof in pipeline.prove().items()}
    expected = {table: expected[table] + more[table] for table in TABLES}

    details(spark, pipeline)
    every_value(spark, pipeline, expected, run)
    sums(spark, pipeline, expected)
    texts(spark, pipeline)
    for table in TABLES:
        versions(spark, pipeline.table(table), (first[table], made[table]), (now[table], len(expected[table])))
    so("time travel by version and by time, and the history")
    for table in ("primary", "replica"):
        skipping(spark, pipeline.table(table), expected[table])
    so("statistics and partitions keep files shut, and none that holds what is asked for")
    by_name(spark, pipeline.table("primary"), expected["primary"])
    clean_up(spark, pipeline, expected)


def details(spark: SparkSession, pipeline: Pipeline) -> None:
    for table in TABLES:
        path = pipeline.table(table)
        files = [file.stat().st_size for file in Path(path).rglob("*.parquet")]
        wanted = {
            "format": "delta", "minReaderVersion": 1, "minWriterVersion": 2, "properties": {},
            "partitionColumns": [] if table == "rejects" else ["log_date"],
            "numFiles": len(files), "sizeInBytes": sum(files),
        }  # fmt: skip
        (detail,) = spark.sql(f"DESCRIBE DETAIL delta.`{path}`").collect()
        same({key: detail[key] for key in wanted}, wanted, f"details of {table}")
    so("DESCRIBE DETAIL: reader 1, writer 2")


def every_value(spark: SparkSession, pipeline: Pipeline, expected: dict[str, Rows], run: tuple[float, float]) -> None:
    for table in TABLES:
        frame = spark.read.format("delta").load(pipeline.table(table))
        same(types(frame), TYPES[table], f"types of {table}")
        assert all(field.nullable for field in frame.schema), f"every column of {table} may be null"
        found = rows(frame)
        for row in found if table == "rejects" else []:
            at = row.pop("rejected_at") / 1e6
            assert run[0] <= at <= run[1], f"rejected_at is {at}, and the runs were in {run}"
            row["raw"] = bytes(row["raw"])
        equal(found, expected[table], table)
    so(f"every name, type and value of {', '.join(f'{len(expected[table])} {table}' for table in TABLES)}")


def sums(spark: SparkSession, pipeline: Pipeline, expected: dict[str, Rows]) -> None:
    for table in ("primary", "replica"):
        found = spark.sql(
            "SELECT count(*) AS rows, count(detail) AS details, count(_rest) AS rests,"
            " count(DISTINCT message) AS messages, sum(length(message)) AS characters, sum(_offset) AS offsets,"
            " cast(sum(cast(process_id AS decimal(38, 0))) AS string) AS processes,"
            " unix_micros(min(time)) AS first, unix_micros(max(log_timestamp)) AS last"
            f" FROM delta.`{pipeline.table(table)}`"
        )
        columns = expected[table][0].keys()
        values = {column: [row[column] for row in expected[table] if row[column] is not None] for column in columns}
        wanted = {
            "rows": len(expected[table]), "details": len(values["detail"]), "rests": len(values["_rest"]),
            "messages": len(set(values["message"])), "characters": sum(map(len, values["message"])),
            "offsets": sum(values["_offset"]), "processes": str(sum(values["process_id"])),
            "first": min(values["time"]), "last": max(values["log_timestamp"]),
        }  # fmt: skip
        same(found.collect()[0].asDict(), wanted, f"sums of {table}")
    found = spark.sql(f"SELECT reason, count(*) FROM delta.`{pipeline.table('rejects')}` GROUP BY reason").collect()
    same(dict(map(tuple, found)), Counter(row["reason"] for row in expected["rejects"]), "rejects by reason")
    so("counts and sums")


def texts(spark: SparkSession, pipeline: Pipeline) -> None:
    """Moments as people read them, and what the keys are in `_rest`."""
    found = spark.sql(
        "SELECT cast(time AS string), cast(log_timestamp AS string), get_json_object(_rest, '$.Tenant'),"
        " from_json(_rest, 'Tags ARRAY<STRING>').Tags, get_json_object(_rest, '$[\\'properties.query_id\\']')"
        f" FROM delta.`{pipeline.table('primary')}` WHERE _source = 'odd.json' AND _rest IS NOT NULL"
    )
    moments = ("2026-11-21 07:00:01.123456", "2026-11-21 07:00:00.999999")
    rest = ("t-1", ["a", '{"b":null}'], str((1 << 63) - 1))
    same([tuple(row) for row in found.collect()], [moments + rest], "moments as text, and keys of _rest")
    so("moments as text, and keys of _rest")


def versions(spark: SparkSession, path: str, then: tuple[int, int], now: tuple[int, int]) -> None:
    """Each of the two is a version, and how many rows it has."""
    for version, count in (then, now):
        same(one(spark.sql(f"SELECT count(*) FROM delta.`{path}` VERSION AS OF {version}")), count, f"{path} {version}")
    same(one(spark.sql(f"SELECT count(*) FROM delta.`{path}`")), now[1], f"{path} now")
    commits = history(spark, path)
    same([commit["version"] for commit in commits], list(range(now[0] + 1)), f"versions of {path}")
    at = commits[then[0]]["timestamp"]
    # Not `TIMESTAMP AS OF`: Delta 4.1.0 shifts that where the session's zone is not Java's.
    same(spark.read.format("delta").option("timestampAsOf", at).load(path).count(), then[1], f"{path} at {at}")
    assert all(commit["engineInfo"].startswith("lakefront/") for commit in commits), commits
    same({commit["operation"] for commit in commits[1:]}, {"STREAMING UPDATE"}, f"what was done to {path}")
    landed = [int(commit["operationMetrics"]["numOutputRows"]) for commit in commits[1:]]
    same((sum(landed[: then[0]]), sum(landed)), (then[1], now[1]), f"rows by the history of {path}")


def skipping(spark: SparkSession, path: str, expected: Rows) -> None:
    noon, last_hour = micros("2026-11-21 12:00:00 UTC"), micros("2026-11-21 13:00:00 UTC")
    odd = {name: micros(f"{name} UTC") for name in ("1900-01-01 00:00:00", "9999-12-31 23:59:59.999999")}
    some = expected[len(expected) // 2]
    # What is asked for, which rows that is, and what part of the files it may open.
    cases: list[tuple[str, Callable[[dict[str, Any]], bool], float]] = [
        ("time >= '2026-11-21T12:00:00Z' AND time < '2026-11-21T13:00:00Z'",
         lambda row: row["time"] is not None and noon <= row["time"] < last_hour, 0.2),
        (f"_source = '{some['_source']}' AND _offset = {some['_offset']}", lambda row: row is some, 0.1),
        ("_offset < 20000", lambda row: row["_offset"] < 20_000, 0.7),
        ("_item IS NOT NULL", lambda row: row["_item"] is not None, 0.1),
        ("process_id = 9223372036854775807", lambda row: row["process_id"] == (1 << 63) - 1, 0.1),
        ("time < '1900-01-01T00:00:00Z'",
         lambda row: row["time"] is not None and row["time"] < odd["1900-01-01 00:00:00"], 0.1),
        ("log_timestamp = '1899-12-31T23:59:59.999999Z'",
         lambda row: row["log_timestamp"] == odd["1900-01-01 00:00:00"] - 1, 0.1),
        ("log_timestamp > '9999-12-31T23:59:59.999998Z'",
         lambda row: row["log_timestamp"] == odd["9999-12-31 23:59:59.999999"], 0.1),
        (f"message = '{LAST_CHARACTERS}'", lambda row: row["message"] == LAST_CHARACTERS, 0.1),
        (f"message = '{'ä🚀' * 5_000}'", lambda row: row["message"] == "ä🚀" * 5_000, 0.1),
        ("log_date = '2026-11-22'", lambda row: row["log_date"] == date(2026, 11, 22), 0.3),
        ("log_date < '1900-01-01'", lambda row: row["log_date"] is not None and row["log_date"].year < 1900, 0.1),
        ("log_date IS NULL", lambda row: row["log_date"] is None, 0.1),
    ]  # fmt: skip
    frame = spark.read.format("delta").load(path)
    whole = plain(frame.withColumn("file", input_file_name()))
    everything = len({row["file"] for row in whole.collect()})
    same(files_read(whole), everything, f"files of {path}")
    # A session in another place asks for the same moments.
    spark.conf.set("spark.sql.session.timeZone", "Asia/Kathmandu")
    for condition, holds, most in cases:
        # The other way round, Spark would have to see every row.
        asked = plain(frame.where(condition).withColumn("file", input_file_name()))
        found = [readable(row) for row in asked.collect()]
        holding, opened = {row.pop("file") for row in found}, files_read(asked)
        what = f"{path} where {condition[:60]}"
        equal(found, [row for row in expected if holds(row)], what)
        assert len(holding) <= opened <= everything * most, f"{what}: {opened} of {everything} files were opened"
    spark.conf.set("spark.sql.session.timeZone", "UTC")


def by_name(spark: SparkSession, path: str, expected: Rows) -> None:
    before = history(spark, path)
    spark.sql(f"CREATE TABLE primary_logs USING DELTA LOCATION '{path}'")
    same(types(spark.table("primary_logs")), DAYS, "types of a table with a name")
    found = spark.sql("SELECT error_level, count(*) FROM primary_logs GROUP BY error_level").collect()
    same(dict(map(tuple, found)), Counter(row["error_level"] for row in expected), "a table with a name")
    spark.sql("DROP TABLE primary_logs")
    same(history(spark, path), before, "commits behind a table that got a name and lost it")
    so("CREATE TABLE, and DROP TABLE, which leaves everything there")


def clean_up(spark: SparkSession, pipeline: Pipeline, expected: dict[str, Rows]) -> None:
    """VACUUM takes what no version has and is older than a week, and nothing else."""
    table = Path(pipeline.table("primary"))

    def files() -> set[Path]:
        return {file for file in table.rglob("*") if file.is_file() and "_delta_log" not in file.parts}

    # Spark's own default for moments. Delta's Rust library reads only ordinary years right from it.
    spark.conf.set(MOMENTS, "INT96")
    spark.sql(f"OPTIMIZE delta.`{table}` WHERE log_date = '2026-11-21'")
    spark.conf.set(MOMENTS, "TIMESTAMP_MICROS")
    orphan = table / "log_date=2026-11-21/orphan.parquet"
    orphan.write_bytes(b"PAR1")
    there = files()
    for file in there:
        os.utime(file, (time.time() - LONGER_THAN_A_WEEK_S,) * 2)
    spark.sql(f"VACUUM delta.`{table}` RETAIN 168 HOURS")
    same(there - files(), {orphan}, "what VACUUM took")
    pipeline.prove()
    so("OPTIMIZE of one day, and VACUUM, which takes what no version has, is old, and nothing else")

    content, more = odd_lines("more.json")
    pipeline.write("more.json", content)
    pipeline.land()
    count = one(spark.sql(f"DESCRIBE DETAIL delta.`{table}`").select("numFiles"))
    done = spark.sql(f"OPTIMIZE delta.`{table}` ZORDER BY (_offset)")
    same(one(done.select("metrics.numFilesRemoved")), count, "files that were written anew")
    pipeline.prove()
    equal(rows(spark.read.format("delta").load(str(table))), expected["primary"] + more["primary"], "rows behind it")
    so("every value of a table that Spark wrote anew")


def jsonlog(spark: SparkSession, lakefront: Path, folder: Path) -> None:
    sources = {"**/*replica*": "replica"}
    settings = {"source": {"format": "jsonlog"}, "roles": {"default": "primary"}, "roles.sources": sources}
    pipeline = Pipeline(lakefront, folder, **settings)
    made = pipeline.generate("--size", "256KiB", "--files", "3", "--format", "jsonlog")
    pipeline.land()
    (path,) = pipeline.logs.glob("*primary*")
    lines = [json.loads(text) for text in path.read_bytes().splitlines()]
    frame = spark.read.format("delta").load(pipeline.table("primary"))
    same(types(frame), JSONLOG_TYPES, "types of jsonlog")
    # No name needs quotes, not even those that Spark has for something else.
    found = frame.selectExpr(
        "count(*)", "sum(pid)", "sum(line_num)", "sum(unix_micros(timestamp))", "count(user)", "count(statement)"
    )
    wanted = (
        made["primary"], sum(line["pid"] for line in lines), sum(line["line_num"] for line in lines),
        sum(micros(line["timestamp"]) for line in lines), sum("user" in line for line in lines),
        sum("statement" in line for line in lines),
    )  # fmt: skip
    same(tuple(found.collect()[0]), wanted, "sums of jsonlog")
    so("tables of jsonlog")
