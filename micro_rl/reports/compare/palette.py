"""How a method looks in every figure: a colour that all kinds of colour vision tell apart, and a dash for print."""

from typing import Any, Literal, NamedTuple

from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, NullLocator

from micro_rl.reports.run.figures import BLUE, DASHED, DOTTED, GREEN, PURPLE, SOLID, VERMILION, pattern

COLOURS = (BLUE, VERMILION, GREEN, PURPLE, "#E69F00", "#56B4E9")
DASHES = (SOLID, DASHED, DOTTED, "8 2 1.5 2")
MARKERS = "os^Dv*P"
LONGEST = 30
"""Characters of a name in a figure."""


class Style(NamedTuple):
    """A line's look."""

    colour: str
    dash: str
    marker: str

    @property
    def line(self) -> dict[str, Any]:
        """As matplotlib takes it."""
        return {"color": self.colour, "linestyle": pattern(self.dash)}


def styles(methods: list[str]) -> dict[str, Style]:
    """Different for the first 24; colours come back after six, with another dash."""
    return {
        method: Style(
            COLOURS[place % len(COLOURS)],
            DASHES[(place + place // len(COLOURS)) % len(DASHES)],
            MARKERS[place % len(MARKERS)],
        )
        for place, method in enumerate(methods)
    }


def drawable(name: str) -> str:
    """A name that matplotlib sets letter by letter: short enough, in letters that its font has, no mathematics."""
    short = name if len(name) <= LONGEST else f"{name[: LONGEST - 1]}…"
    known = (letter if letter == "…" or (letter.isprintable() and ord(letter) < 0x250) else "?" for letter in short)
    return "".join(known).replace("$", r"\$")


def bend(axes: Axes, values: list[float], usual: float, axis: Literal["x", "y"] = "y") -> str:
    """Make an axis logarithmic beyond ±`usual` where a value lies farther out than twice that.

    Returns what the reader must be told of it, "" where the axis is straight.
    """
    low, high = min(values, default=0.0), max(values, default=0.0)
    if usual <= 0 or max(-low, high) <= 2 * usual:
        return ""
    scale: dict[str, Any] = {"linthresh": usual, "linscale": 2.0}
    (axes.set_yscale if axis == "y" else axes.set_xscale)("symlog", **scale)
    bent = axes.yaxis if axis == "y" else axes.xaxis
    bent.set_major_locator(FixedLocator(_ticks(low, high, usual)))
    bent.set_minor_locator(NullLocator())
    return f"Beyond ±{usual:,.3g} the axis is logarithmic."


def _ticks(low: float, high: float, usual: float) -> list[float]:
    """Halves of the straight part, then powers of ten times its end, or three times it where the data end before."""
    inner = [-usual, -usual / 2, 0.0, usual / 2, usual]
    tens = [usual * 10.0**power for power in range(1, 12) if usual * 10.0**power <= max(-low, high)]
    ends = tens or [usual * 3]
    outer = [sign * end for end in ends for sign in (-1, 1)]
    return sorted(tick for tick in inner + outer if min(low, 0) * 1.5 <= tick <= max(high, usual) * 1.5)
