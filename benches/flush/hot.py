"""The hot tables: one with twelve columns of mixed types, or the 21 of examples/hot.

Before each measurement they are filled anew from a saved copy, then vacuumed and analyzed, so that
every tool finds them alike: no dead rows, no hint bits to set, and pages that statistics know of,
by which DuckDB divides its scan. PostgreSQL's own vacuum is off for them, because it would run in
one tool's turn and not in another's.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from server import Server

ROOT = Path(__file__).resolve().parent.parent.parent
EXAMPLE = ROOT / "examples/hot"
# The first ledger of all rows.
FIRST = 60_000_000
LEDGER_ROWS = 40

MIXED = """
CREATE UNLOGGED TABLE mixed (
    ledger_sequence bigint NOT NULL,
    n int NOT NULL,
    name text,
    amount numeric(20, 7),
    closed_at timestamptz NOT NULL,
    body jsonb,
    ok boolean NOT NULL,
    ratio double precision,
    id uuid NOT NULL,
    day date,
    kind text,
    hash bytea,
    PRIMARY KEY (ledger_sequence, n)
);
"""
# Names have 20 to 60 characters; `kind` has six values.
MIXED_ROWS = """
INSERT INTO {into}mixed
SELECT {first} + i / {ledger_rows}, i, left(md5(i::text) || md5('n' || i), 20 + (i % 41)::int),
    CASE WHEN i % 50 > 0 THEN (i * 7919 % 100000000000)::numeric / 10000000 END,
    timestamptz '2026-11-01 00:00:00Z' + i * interval '137 ms' + (i % 1000) * interval '1 us',
    CASE WHEN i % 20 > 0 THEN jsonb_build_object('to', left(md5('t' || i), 12), 'depth', i % 5, 'n', i) END,
    i % 3 = 0, CASE WHEN i % 30 > 0 THEN sqrt(i) * 1.37 END, md5('u' || i)::uuid,
    date '2026-01-01' + (i % 365)::int,
    (ARRAY['payment', 'manage_sell_offer', 'invoke_host_function', 'manage_data', 'create_account', NULL])[1 + i % 6],
    decode(md5('b' || i), 'hex')
FROM generate_series(1, {rows}::bigint) AS i;
"""
# The watermark lies above all rows, in a table that is not flushed.
MARK = """
CREATE UNLOGGED TABLE mark (sequence bigint PRIMARY KEY);
INSERT INTO mark VALUES ({last});
"""


@dataclass
class Hot:
    """Hot tables by name, each with the column that numbers its rows."""

    server: Server
    tables: dict[str, str]

    @staticmethod
    def mixed(server: Server) -> Hot:
        """The table of twelve columns, without rows."""
        server.psql(MIXED + MARK.format(last=10 * FIRST))
        return Hot(server, {"mixed": "ledger_sequence"}).prepared()

    @staticmethod
    def example(server: Server) -> Hot:
        """The example's tables, without rows."""
        server.psql((EXAMPLE / "schema.sql").read_text() + MARK.format(last=10 * FIRST))
        named = server.psql(
            "SELECT table_name || ' ' || column_name FROM information_schema.columns WHERE table_schema = 'public' "
            "AND table_name <> 'mark' AND (column_name IN ('created_ledger', 'ledger_sequence') "
            "OR (table_name = 'ledgers_row_v2' AND column_name = 'sequence')) ORDER BY 1"
        )
        return Hot(server, dict(line.split() for line in named.splitlines())).prepared()

    def prepared(self) -> Hot:
        off = "".join(f"ALTER TABLE {table} SET (autovacuum_enabled = off);\n" for table in self.tables)
        saved = "".join(
            f"CREATE UNLOGGED TABLE saved.{table} (LIKE public.{table}) WITH (autovacuum_enabled = off);\n"
            for table in self.tables
        )
        self.server.psql(f"CREATE SCHEMA saved;\n{off}{saved}")
        return self

    def make_mixed(self, rows: int, into: str = "saved.") -> None:
        """Makes `rows` rows of the one table, in the copy unless said otherwise."""
        self.server.psql(MIXED_ROWS.format(rows=rows, into=into, first=FIRST, ledger_rows=LEDGER_ROWS))

    def make_example(self, ledgers: int) -> None:
        """Makes the example's rows of so many ledgers, in the copy."""
        numbers = f"\\set first {FIRST}\n\\set last {FIRST + ledgers - 1}\n"
        self.server.psql(numbers + (EXAMPLE / "rows.sql").read_text())
        self.server.psql("".join(f"TRUNCATE saved.{t}; INSERT INTO saved.{t} TABLE public.{t};\n" for t in self.tables))

    def rows(self) -> int:
        return self.server.number("SELECT " + " + ".join(f"(SELECT count(*) FROM {t})" for t in self.tables))

    def empty(self) -> None:
        self.server.psql("".join(f"TRUNCATE {table};\n" for table in self.tables))

    def refill(self, most: int | None = None) -> int:
        """Replaces all rows by those of the copy, or at most so many of each table."""
        limit = f" LIMIT {most}" if most is not None else ""
        self.empty()
        self.server.psql("".join(f"INSERT INTO {t} SELECT * FROM saved.{t}{limit};\n" for t in self.tables))
        self.settle()
        return self.rows()

    def settle(self) -> None:
        """Nothing of how the rows came is left to do."""
        self.server.psql("".join(f"VACUUM (ANALYZE) {table};\n" for table in self.tables) + "CHECKPOINT;\n")
