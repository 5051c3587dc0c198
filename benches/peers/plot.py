"""A plot of the rates as plain SVG: two bars per tool, with whiskers from slowest to fastest round.

The picture has no background, and its colours follow the reader's scheme, light or dark.
"""

from __future__ import annotations

from math import floor, log10
from xml.sax.saxutils import escape

from report import Spread

# In pixels.
WIDTH, LEFT, RIGHT, BAR, GAP, TOP = 760, 170, 60, 16, 22, 64
RATES = {"mb_per_s": ("wall", "MB/s"), "mb_per_cpu_s": ("cpu", "MB per CPU second")}
STYLE = """\
text { font: 13px system-ui, sans-serif; fill: #24292f }
.small { font-size: 11px; fill: #57606a }
.title { font-weight: 600 }
.grid { stroke: #d0d7de }
.wall { fill: #0969da }
.cpu { fill: #8250df }
.whisker { stroke: #24292f; stroke-width: 1.5 }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 }
  .small { fill: #9198a1 }
  .grid { stroke: #3d444d }
  .wall { fill: #4493f8 }
  .cpu { fill: #ab7df8 }
  .whisker { stroke: #e6edf3 }
}"""


def svg(title: str, tools: dict[str, dict[str, Spread]]) -> str:
    """The rates of `tools`, by label and by the keys of `RATES`, under `title`."""
    most = max(rates[rate].greatest for rates in tools.values() for rate in RATES)
    step = nice_step(most)
    scale = (WIDTH - LEFT - RIGHT) / most
    group = len(RATES) * BAR + GAP
    bottom = TOP + group * len(tools)
    parts = [f'<text class="title" x="8" y="20">{escape(title)}</text>', *legend()]
    for tick in range(0, int(most) + 1, step):
        x = LEFT + tick * scale
        parts.append(f'<line class="grid" x1="{x:.1f}" y1="{TOP - 8}" x2="{x:.1f}" y2="{bottom - GAP + 6}"/>')
        parts.append(f'<text class="small" x="{x:.1f}" y="{bottom}" text-anchor="middle">{tick}</text>')
    for place, (label, rates) in enumerate(tools.items()):
        y = TOP + place * group
        parts.append(f'<text x="{LEFT - 10}" y="{y + BAR + 4}" text-anchor="end">{escape(label)}</text>')
        for row, (rate, (css, _)) in enumerate(RATES.items()):
            parts += bar(rates[rate], css, y + row * BAR, scale)
    body = "\n".join(parts)
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {bottom + 10}" width="{WIDTH}" height="{bottom + 10}" role="img">'
    return f"{head}\n<title>{escape(title)}</title>\n<style>\n{STYLE}\n</style>\n{body}\n</svg>\n"


def legend() -> list[str]:
    parts, x = [], LEFT
    for css, label in RATES.values():
        parts.append(f'<rect class="{css}" x="{x}" y="32" width="11" height="11"/>')
        parts.append(f'<text class="small" x="{x + 17}" y="42">{label}</text>')
        x += 90
    return [*parts, f'<text class="small" x="{x + 60}" y="42">line: slowest to fastest round</text>']


def bar(rate: Spread, css: str, y: int, scale: float) -> list[str]:
    low, high, middle = LEFT + rate.least * scale, LEFT + rate.greatest * scale, y + BAR / 2 - 1
    return [
        f'<rect class="{css}" x="{LEFT}" y="{y}" width="{rate.median * scale:.1f}" height="{BAR - 2}"/>',
        f'<line class="whisker" x1="{low:.1f}" y1="{middle}" x2="{high:.1f}" y2="{middle}"/>',
        f'<text class="small" x="{high + 6:.1f}" y="{middle + 4}">{rate.median:.0f}</text>',
    ]


def nice_step(most: float) -> int:
    """The step between grid lines: a round number that gives between four and ten of them."""
    magnitude = 10 ** floor(log10(most))
    return max(1, next(int(step) for step in (magnitude / 10, magnitude / 5, magnitude / 2, magnitude) if most / step <= 10))
