"""Tables that a run writes the whole time, and that Spark compacts, clusters, vacuums and follows."""

from __future__ import annotations

import json
import signal
import threading
from datetime import timedelta
from pathlib import Path

from pyspark.sql import DataFrame, SparkSession

from given import EPOCH, PATIENCE_S, TABLES, Pipeline, line, same, so, until
from reading import files_read, history

TIDYING = ("OPTIMIZE delta.`{}`", "OPTIMIZE delta.`{}` ZORDER BY (_offset)", "VACUUM delta.`{}` RETAIN 168 HOURS")
NUMBER = {table: "process_id" for table in TABLES} | {
    "rejects": "cast(substring(cast(raw AS string), 6) AS bigint)",
}


class Writer(threading.Thread):
    """Appends numbered lines to a log, by turns of the primary, of a replica, and no JSON."""

    def __init__(self, path: Path) -> None:
        super().__init__(daemon=True)
        self.path, self.written, self.enough = path, 0, threading.Event()

    def run(self) -> None:
        with self.path.open("ab", buffering=0) as file:
            while not self.enough.wait(0.05):
                file.write(b"".join(map(self.numbered, range(self.written, self.written + 21))))
                self.written += 21

    def numbered(self, number: int) -> bytes:
        if number % 3 == TABLES.index("rejects"):
            return f"line {number}\n".encode()
        moment = (EPOCH + timedelta(days=20_000, seconds=number)).isoformat()
        role = ("Primary", "Replica")[number % 3]
        return line({"time": moment, "ReplicaRole": role, "properties": {"processId": number}})


def numbers(frame: DataFrame, table: str) -> tuple[int, int, int]:
    """How many lines there are, how many different ones, and the sum of their numbers."""
    number = NUMBER[table]
    return tuple(frame.selectExpr("count(*)", f"count(DISTINCT {number})", f"coalesce(sum({number}), 0)").collect()[0])


def first_lines(count: int, table: str) -> tuple[int, int, int]:
    return count, count, sum(range(TABLES.index(table), 3 * count, 3))


def tidying_beside_a_tail(spark: SparkSession, lakefront: Path, folder: Path) -> None:
    pipeline = Pipeline(lakefront, folder, commit={"interval": "100ms"})
    logs = {table: Path(pipeline.table(table), "_delta_log") for table in TABLES}
    writer = Writer(pipeline.logs / "live.json")
    with pipeline.tail() as tail:
        writer.start()
        try:
            until("log checkpoints", lambda: all((log / "_last_checkpoint").exists() for log in logs.values()))
            for log in logs.values():
                clean(log)
            follow(spark, pipeline)
            for command in TIDYING:
                for table in TABLES:
                    spark.sql(command.format(pipeline.table(table)))
                for log in logs.values():
                    wait_for_commits(log)
                so(f"{command.format('…')} beside a tail, at line {writer.written}")
        finally:
            writer.enough.set()
            writer.join()
        size = writer.path.stat().st_size
        until("the end of the log", lambda: json.loads(pipeline.state.read_text())["position"] == size)
        tail.send_signal(signal.SIGTERM)
        tail.wait(PATIENCE_S)

    count = writer.written // 3
    for table, proof in pipeline.prove().items():
        same(proof["lake_rows"], count, f"rows of {table} by prove")
        frame = spark.read.format("delta").load(pipeline.table(table))
        same(numbers(frame, table), first_lines(count, table), f"lines of {table}")
        commits_of_both(spark, pipeline.table(table), table)
    same(follow(spark, pipeline), first_lines(count, "primary"), "lines that a stream has brought")
    so(f"{writer.written} lines, each once: by count, by stream, and by prove")


def newest(log: Path) -> int:
    return max(int(commit.stem) for commit in log.glob("*.json"))


def wait_for_commits(log: Path) -> None:
    then = newest(log)
    until("commits of the tail", lambda: newest(log) > then + 3)


def clean(log: Path) -> None:
    """As Delta cleans a log: Spark is left nothing but the checkpoint that lakefront wrote."""
    checkpoint = json.loads((log / "_last_checkpoint").read_text())["version"]
    for commit in log.glob("*.json"):
        if int(commit.stem) < checkpoint:
            commit.unlink()


def follow(spark: SparkSession, pipeline: Pipeline) -> tuple[int, int, int]:
    """What a stream over the primary's table has brought so far. It goes on where it stood."""
    out, at = str(pipeline.folder / "followed"), str(pipeline.folder / "followed.checkpoint")
    stream = spark.readStream.format("delta").load(pipeline.table("primary")).writeStream.format("parquet")
    stream.option("checkpointLocation", at).trigger(availableNow=True).start(out).awaitTermination()
    return numbers(spark.read.parquet(out), "primary")


def commits_of_both(spark: SparkSession, path: str, table: str) -> None:
    """Spark's commits lie between the tail's. The version before them is a beginning of the log."""
    commits = history(spark, path)
    others = {at: commit["operation"] for at, commit in enumerate(commits) if commit["operation"] != "STREAMING UPDATE"}
    same(list(others.values()), ["OPTIMIZE", "OPTIMIZE", "VACUUM START", "VACUUM END"], f"what was done to {table}")
    first, second, vacuum, last = others
    between = 0 < first < second - 1 and second < vacuum - 1 and last < len(commits) - 1
    assert between, f"the tail commits to {table} between Spark's commits: {others} of {len(commits)}"
    metrics = commits[first]["operationMetrics"]
    assert int(metrics["numRemovedFiles"]) > 10 * int(metrics["numAddedFiles"]), metrics

    before = spark.read.format("delta").option("versionAsOf", commits[first]["version"] - 1).load(path)
    found = numbers(before, table)
    same(found, first_lines(found[0], table), f"lines of {table} before Spark wrote")
    opened = []
    for frame in (before.select("_offset"), before.select("_offset").where("_offset < 1000")):
        frame.collect()
        opened.append(files_read(frame))
    assert opened[1] * 10 <= opened[0], f"files of {table} that are opened for all, and for few: {opened}"
    so(f"{table}: {len(commits)} commits, Spark's are {list(others)}; {opened[1]} of {opened[0]} files by _offset")
