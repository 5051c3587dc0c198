"""`python3 -m unittest discover benches/peers`: how the rounds are evaluated, without any peer."""

from __future__ import annotations

import unittest
import xml.etree.ElementTree as ElementTree

from plot import nice_step, svg
from report import Spread, ratios, spreads, table
from run import agreed_rows, as_json
from tools import Sample, last_object

SVG = "{http://www.w3.org/2000/svg}"
ROWS = {"primary": 2, "replica": 1, "rejects": 0}


def sample(wall_s: float, cpu_s: float, peak_mib: float = 100.0, output_mib: float = 50.0, rows: dict | None = None) -> Sample:
    return Sample(wall_s, cpu_s, peak_mib, output_mib, rows or ROWS)


# The third round was slow for both.
OURS = [sample(1.0, 2.0), sample(2.0, 2.0), sample(10.0, 4.0)]
THEIRS = [sample(3.0, 4.0, 400.0), sample(4.0, 3.0, 300.0), sample(20.0, 12.0, 500.0)]
BOTH = {"ours": OURS, "theirs": THEIRS}
LABELS = {"ours": "lakefront", "theirs": "A & B"}


class Ratios(unittest.TestCase):
    def test_are_taken_within_a_round(self) -> None:
        wall = ratios(THEIRS, OURS)["wall_s"]
        self.assertEqual(wall, Spread(2.0, 2.0, 3.0))

    def test_need_as_many_rounds_of_both(self) -> None:
        with self.assertRaises(ValueError):
            ratios(THEIRS, OURS[:2])


class Rates(unittest.TestCase):
    def test_are_of_the_source_in_decimal_megabytes(self) -> None:
        rates = spreads(OURS, 4_000_000)
        self.assertEqual(rates["mb_per_s"], Spread(2.0, 0.4, 4.0))
        self.assertEqual(rates["mb_per_cpu_s"], Spread(2.0, 1.0, 2.0))


class Table(unittest.TestCase):
    def test_shows_medians_and_ratios_with_their_spread(self) -> None:
        heads, rule, ours, theirs = table(BOTH, LABELS, 4_000_000).splitlines()
        self.assertEqual(heads.split()[:3], ["tool", "wall", "s"])
        self.assertEqual({len(line) for line in (heads, rule, ours, theirs)}, {len(heads)}, "columns are aligned")
        self.assertEqual(ours.split(), "lakefront 2.0 1.00 2.0 1.00 100.0 1.00 50.0 1.00 2 2".split())
        expected = "A & B 4.0 2.00 (2.00–3.00) 4.0 2.00 (1.50–3.00) 400.0 4.00 50.0 1.00 1 1"
        self.assertEqual(theirs.split(), expected.split())


class Rounds(unittest.TestCase):
    def test_that_landed_other_rows_are_no_comparison(self) -> None:
        other = {"theirs": [sample(1.0, 1.0, rows=ROWS | {"primary": 3})]}
        self.assertEqual(agreed_rows(BOTH), ROWS)
        with self.assertRaisesRegex(SystemExit, "row counts differ"):
            agreed_rows(BOTH | other)

    def test_as_json_has_ratios_only_where_ours_ran(self) -> None:
        told = last_object(as_json({"lakefront": OURS, "duckdb": THEIRS}, ROWS, 4_000_000))
        self.assertEqual(told["medians"]["duckdb"]["wall_s"], 4.0)
        self.assertEqual(told["ratios"], {"duckdb": told["ratios"]["duckdb"]})
        self.assertEqual(told["ratios"]["duckdb"]["wall_s"], {"median": 2.0, "least": 2.0, "greatest": 3.0})
        self.assertEqual(last_object(as_json({"duckdb": THEIRS}, ROWS, 4_000_000))["ratios"], {})


class Output(unittest.TestCase):
    def test_ends_with_an_object_on_one_line_or_several(self) -> None:
        self.assertEqual(last_object('noise\n{"a": 1}\n'), {"a": 1})
        self.assertEqual(last_object('{"old": 1}\n{\n  "a": 1\n}'), {"a": 1})
        with self.assertRaises(SystemExit):
            last_object("noise\n")


class Plot(unittest.TestCase):
    def setUp(self) -> None:
        rates = {LABELS[tool]: spreads(rounds, 4_000_000_000) for tool, rounds in BOTH.items()}
        self.root = ElementTree.fromstring(svg("1 < 2", rates))

    def test_has_a_bar_and_a_whisker_for_each_rate_to_one_scale(self) -> None:
        bars = [rect for rect in self.root.iter(f"{SVG}rect") if rect.get("height") == "14"]
        widths = [float(bar.get("width")) for bar in bars]
        rates = [2000, 2000, 1000, 1000]
        for width, rate in zip(widths, rates, strict=True):
            self.assertAlmostEqual(width / widths[0], rate / rates[0], places=2)
        whiskers = [line for line in self.root.iter(f"{SVG}line") if line.get("class") == "whisker"]
        self.assertEqual(len(whiskers), len(bars))
        for bar, whisker in zip(bars, whiskers):
            end = float(bar.get("x")) + float(bar.get("width"))
            self.assertTrue(float(whisker.get("x1")) <= end + 0.1 and end - 0.1 <= float(whisker.get("x2")))

    def test_stays_within_its_edges_and_names_every_tool(self) -> None:
        _, _, width, height = map(float, self.root.get("viewBox").split())
        for text in self.root.iter(f"{SVG}text"):
            self.assertTrue(0 <= float(text.get("x")) <= width and 0 <= float(text.get("y")) <= height, text.text)
        texts = [text.text for text in self.root.iter(f"{SVG}text")]
        self.assertLessEqual({"1 < 2", "lakefront", "A & B"}, set(texts))

    def test_needs_nothing_from_elsewhere_and_knows_dark(self) -> None:
        style = self.root.find(f"{SVG}style").text
        self.assertIn("prefers-color-scheme: dark", style)
        self.assertNotIn("url(", style)

    def test_grids_have_round_numbers(self) -> None:
        steps = {most: nice_step(most) for most in (3, 47, 99, 217, 480, 1000, 9999)}
        self.assertEqual(steps, {3: 1, 47: 5, 99: 10, 217: 50, 480: 50, 1000: 100, 9999: 1000})


if __name__ == "__main__":
    unittest.main()
