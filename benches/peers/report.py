"""What the rounds come to: medians, ratios to ours paired by round, and the table of them.

The machine's speed drifts, so a ratio is taken within a round, in which all tools ran one after the
other. Its least and its greatest value show how far to trust the median.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median

from tools import Sample

MEASURES = {"wall_s": "wall s", "cpu_s": "CPU s", "peak_mib": "peak MiB", "output_mib": "output MiB"}
# Measures that drift, and so have a spread worth showing.
TIMES = ("wall_s", "cpu_s")


@dataclass
class Spread:
    """A number that was measured once per round."""

    median: float
    least: float
    greatest: float

    @staticmethod
    def of(values: list[float]) -> Spread:
        return Spread(median(values), min(values), max(values))


def spreads(samples: list[Sample], logs_bytes: int) -> dict[str, Spread]:
    """Every measure, and the rates: MB of the source per second of wall time and of CPU time."""
    result = {name: Spread.of([getattr(sample, name) for sample in samples]) for name in MEASURES}
    result["mb_per_s"] = Spread.of([logs_bytes / 1e6 / sample.wall_s for sample in samples])
    result["mb_per_cpu_s"] = Spread.of([logs_bytes / 1e6 / sample.cpu_s for sample in samples])
    return result


def ratios(theirs: list[Sample], ours: list[Sample]) -> dict[str, Spread]:
    """Their measures as multiples of ours, round by round."""
    pairs = list(zip(theirs, ours, strict=True))
    return {name: Spread.of([getattr(they, name) / getattr(we, name) for they, we in pairs]) for name in MEASURES}


def table(samples: dict[str, list[Sample]], labels: dict[str, str], logs_bytes: int) -> str:
    """One line per tool: the medians, each with its multiple of the first tool's."""
    ours = next(iter(samples.values()))
    heads = ["tool"]
    for name, head in MEASURES.items():
        heads += [head, "× (min–max)" if name in TIMES else "×"]
    rows = [[*heads, "MB/s", "MB/CPU s"]]
    for tool, theirs in samples.items():
        values, times = spreads(theirs, logs_bytes), ratios(theirs, ours)
        row = [labels[tool]]
        for name in MEASURES:
            row += [f"{values[name].median:.1f}", times_ours(times[name], name in TIMES and theirs is not ours)]
        rows.append([*row, f"{values['mb_per_s'].median:.0f}", f"{values['mb_per_cpu_s'].median:.0f}"])
    return "\n".join(aligned(rows))


def times_ours(ratio: Spread, with_spread: bool) -> str:
    spread = f" ({ratio.least:.2f}–{ratio.greatest:.2f})" if with_spread else ""
    return f"{ratio.median:.2f}{spread}"


def aligned(rows: list[list[str]]) -> list[str]:
    """Aligns the first column left and all others right, and puts a rule below the heads."""
    widths = [max(map(len, column)) for column in zip(*rows)]
    cells = [[row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:]))] for row in rows]
    lines = ["  ".join(row) for row in cells]
    return [lines[0], "-" * len(lines[0]), *lines[1:]]
