"""What the page on tables shows for Spark is typed as it stands, but for the table's place and the time."""

from __future__ import annotations

import re
from datetime import datetime, timezone
from pathlib import Path

from pyspark.sql import SparkSession

from given import Pipeline, line, so

PAGE = Path(__file__).resolve().parents[3] / "docs/tables.md"
BLOCK = re.compile(r"^```(python|sql) spark\n(.*?)^```$", re.M | re.S)
TABLE = "/srv/lake/lakehouse/postgresql_logs/primary_postgresql_logs"
# In the page, a time between two commits.
MOMENT = "2026-11-21 12:00:00"


def typed_as_the_page_says(spark: SparkSession, lakefront: Path, folder: Path) -> None:
    pipeline = Pipeline(lakefront, folder, lake={"partition_by": "day"})
    pipeline.generate("--size", "1MiB", "--files", "4", "--app-keys")
    pipeline.land()
    between = datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M:%S.%f")
    pipeline.write("later.json", line({"ReplicaRole": "Primary", "time": "2026-11-21T12:00:00Z"}))
    pipeline.land()
    blocks = BLOCK.findall(PAGE.read_text())
    assert len(blocks) > 12, f"{len(blocks)} blocks are too few: they were not found"
    names: dict[str, object] = {}
    for language, text in blocks:
        text = text.replace(TABLE, pipeline.table("primary")).replace(MOMENT, between)
        # Spark would make these where it was started.
        text = text.replace('"followed', f'"{folder}/followed')
        if language == "python":
            exec(text, names)
        else:
            spark.sql(text).collect()
    spark.sql("DROP TABLE primary_logs")
    rows = sum(proof["lake_rows"] for proof in pipeline.prove().values())
    assert rows > 0, "there are rows, and they are those of the lines"
    so(f"{len(blocks)} blocks of the page")
