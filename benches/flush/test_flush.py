"""`python3 -m unittest discover benches/flush`: how rounds and logs are read, without a server."""

from __future__ import annotations

import unittest

from catalog import Held, held
from measure import Sample, Spread, ratios, table
from tools import flush_alone

# Two sessions, of which 7 holds the lock; 8 reads meanwhile, and parsing is no statement.
LOG = """\
100.000 7 LOG:  duration: 0.1 ms  statement: SAVEPOINT lakefront
100.001 7 LOG:  duration: 0.1 ms  statement: LOCK TABLE "m".ducklake_snapshot IN SHARE ROW EXCLUSIVE MODE
100.002 8 LOG:  duration: 0.1 ms  parse s1: SELECT 1
100.002 8 LOG:  duration: 0.1 ms  execute s1: SELECT 1
100.003 8 LOG:  duration: 0.1 ms  statement: COMMIT
100.005 7 LOG:  duration: 0.1 ms  execute s2: INSERT INTO "m".ducklake_snapshot (snapshot_id)
100.005 7 DETAIL:  parameters: $1 = '1'
100.009 7 LOG:  duration: 3.9 ms  statement: COMMIT
100.010 7 LOG:  duration: 0.1 ms  statement: COMMIT
"""
OURS = [Sample(1.0, 2.0, 0.5, 100, 10), Sample(2.0, 2.0, 0.5, 100, 10), Sample(10.0, 4.0, 0.5, 100, 10)]
THEIRS = [Sample(2.0, 4.0, 0.5, 100, 10), Sample(2.0, 2.0, 0.5, 100, 10), Sample(40.0, 2.0, 0.5, 100, 10)]


class Locks(unittest.TestCase):
    def test_are_held_until_their_own_session_commits(self) -> None:
        (only,) = held(LOG)
        self.assertEqual(Held(round(only.ms, 3), only.statements), Held(8.0, 4))

    def test_that_are_never_given_back_do_not_count(self) -> None:
        self.assertEqual(held("\n".join(LOG.splitlines()[:4])), [])


class Rounds(unittest.TestCase):
    def test_are_compared_each_with_its_own(self) -> None:
        self.assertEqual(ratios(OURS, THEIRS, "wall_s"), Spread(0.5, 0.25, 1.0))
        with self.assertRaises(ValueError):
            ratios(OURS, THEIRS[:2], "wall_s")

    def test_make_a_table(self) -> None:
        heads, rule, ours, theirs = table({"lakefront": OURS, "a peer": THEIRS}).splitlines()
        self.assertEqual({len(heads), len(rule)}, {len(heads)}, "columns are aligned")
        self.assertEqual(ours.split(), "lakefront 5 2.00 2.00 0.50 100".split())
        self.assertEqual(theirs.split(), "a peer 5 2.00 0.50 (0.25–1.00) 2.00 1.00 (0.50–2.00) 0.50 100".split())

    def test_of_a_flush_alone_are_what_it_printed(self) -> None:
        whole = Sample(5.0, 6.0, 1.0, 100, 10, report={"wall_s": 3.0, "cpu_s": 4.0})
        self.assertEqual(flush_alone(whole), Sample(3.0, 4.0, rows=10))


if __name__ == "__main__":
    unittest.main()
