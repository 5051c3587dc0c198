"""Spark: its session, and what it says of a table."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql.functions import col

from given import Rows, same

# How Spark writes moments.
MOMENTS = "spark.sql.parquet.outputTimestampType"


def session(jars: Path, folder: Path) -> SparkSession:
    settings = {
        "spark.jars": ",".join(str(jar) for jar in sorted(jars.glob("*.jar"))),
        "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
        "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
        "spark.sql.session.timeZone": "UTC",
        MOMENTS: "TIMESTAMP_MICROS",
        # Small tables need few tasks and little optimised code, and nobody looks at the page.
        "spark.databricks.delta.snapshotPartitions": "2",
        "spark.sql.shuffle.partitions": "2",
        "spark.sql.sources.parallelPartitionDiscovery.parallelism": "2",
        "spark.driver.memory": "1g",
        "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:ReservedCodeCacheSize=240m -XX:+UseSerialGC",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        # Nothing is left elsewhere, and the machine need not know its own name.
        "spark.local.dir": str(folder / "scratch"),
        "spark.sql.warehouse.dir": str(folder / "warehouse"),
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
    }
    builder = SparkSession.builder.master("local[2]").appName("lakefront")
    for key, value in settings.items():
        builder = builder.config(key, value)
    spark = builder.getOrCreate()
    spark.sparkContext.setLogLevel("ERROR")
    return spark


def one(frame: DataFrame) -> Any:
    """The one value of the one row."""
    ((value,),) = frame.collect()
    return value


def types(frame: DataFrame) -> dict[str, str]:
    return dict(frame.dtypes)


def plain(frame: DataFrame) -> DataFrame:
    """Moments as microseconds, for Python's own are told in the place where it runs."""
    moments = {name for name, kind in frame.dtypes if kind == "timestamp"}
    return frame.selectExpr(*(f"unix_micros({name}) AS {name}" if name in moments else name for name in frame.columns))


def readable(row: Row) -> dict[str, Any]:
    values = row.asDict()
    if values.get("_rest") is not None:
        values["_rest"] = json.loads(values["_rest"])
    return values


def rows(frame: DataFrame) -> Rows:
    return [readable(row) for row in plain(frame).collect()]


def equal(found: Rows, expected: Rows, what: str) -> None:
    """The same rows, in any order."""

    def ordered(some: Rows) -> Rows:
        return sorted(
            some, key=lambda row: (row["_source"], row["_offset"], -1 if row["_item"] is None else row["_item"])
        )

    for row, wanted in zip(ordered(found), ordered(expected), strict=False):
        differ = sorted(key for key in row.keys() | wanted.keys() if row.get(key) != wanted.get(key))
        said = [f"{key} is {str(row.get(key))[:200]!r} and not {str(wanted.get(key))[:200]!r}" for key in differ]
        assert not said, f"{what}, {wanted['_source']}:{wanted['_offset']}: {'; '.join(said)}"
    same(len(found), len(expected), f"rows of {what}")


def files_read(frame: DataFrame) -> int:
    """How many files Spark has opened for a query that was collected, by its scan's metrics."""
    leaves = frame._jdf.queryExecution().executedPlan().collectLeaves()
    assert leaves.size() == 1, frame._jdf.queryExecution().toString()
    return leaves.head().metrics().get("numFiles").get().value()


def history(spark: SparkSession, table: str) -> list[dict[str, Any]]:
    """The commits, from the oldest to the newest, with their times as the session tells them."""
    frame = spark.sql(f"DESCRIBE HISTORY delta.`{table}`")
    frame = frame.withColumn("timestamp", col("timestamp").cast("string"))
    return [row.asDict() for row in frame.sort("version").collect()]


def cost(spark: SparkSession) -> str:
    """What Spark has taken so far."""
    process = Path("/proc", str(spark.sparkContext._gateway.proc.pid))
    # Ticks of the process itself, and of the kernel for it.
    ticks = sum(map(int, (process / "stat").read_text().rpartition(") ")[2].split()[11:13]))
    peak = next(line.split()[1] for line in (process / "status").read_text().splitlines() if line.startswith("VmHWM"))
    return f"Spark took {ticks / os.sysconf('SC_CLK_TCK'):.0f} CPU seconds and {int(peak) >> 10} MiB"
