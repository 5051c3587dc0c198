#!/usr/bin/env python3
"""Apache Spark with Delta reads what lakefront landed, and tidies up tables that a run writes.

    reader.py LAKEFRONT JARS FOLDER

LAKEFRONT is the binary, JARS the folder with Delta's jars, FOLDER an empty one to work in. It prints
a line for each thing that it found to be so, and exits 0; or it says what is not so, and exits 1.

All of it is one session, for a start of Spark costs more than most of what is done here.
"""

from __future__ import annotations

import sys
from pathlib import Path

from at_rest import jsonlog, tables_at_rest
from beside_a_tail import tidying_beside_a_tail
from given import so
from page import typed_as_the_page_says
from reading import cost, session


def main() -> None:
    lakefront, jars, folder = (Path(argument).resolve() for argument in sys.argv[1:4])
    spark = session(jars, folder)
    try:
        so("Spark is there")
        tables_at_rest(spark, lakefront, folder / "rest")
        jsonlog(spark, lakefront, folder / "jsonlog")
        tidying_beside_a_tail(spark, lakefront, folder / "tail")
        typed_as_the_page_says(spark, lakefront, folder / "page")
        so(cost(spark))
    finally:
        spark.stop()


if __name__ == "__main__":
    main()
