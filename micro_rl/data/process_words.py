"""`fill` and `resample`: what a table's holes are filled with, and how its rows become longer steps.

Flags and TOML say the same: `--fill T_air=linear limit=3` is `fill = {T_air = "linear", limit = 3}`, and
`--resample 5min energy=sum` is `resample = {step = "5min", energy = "sum"}`; `resample = "5min"` alone does as well.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple, get_args

from micro_rl.errors import UserError, did_you_mean

FillKind = Literal["linear", "previous"]
ResampleKind = Literal["mean", "last", "sum"]
REWARD = "reward"
"""Under this name `resample` says how the rewards of a step are put together."""
SECONDS: Mapping[str, float] = {"ms": 1e-3, "s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_STEP = re.compile(r"(\d{1,12}(?:\.\d{0,12})?)\s{0,3}(ms|s|min|h|d)")

IN_TOML: Mapping[str, Any] = {"fill": dict[str, str | int], "resample": str | dict[str, str]}
"""The types of these words in a TOML."""
EXPECTED: Mapping[Any, str] = {
    str | int: '"linear", "previous" or, for limit, a whole number',
    str | dict[str, str]: 'text, as in "5min", or a table, as in {step = "5min", energy = "sum"}',
}


class Filling(NamedTuple):
    """Columns, or patterns of them, with what fills their holes; holes of more than `limit` rows stay."""

    kinds: Mapping[str, FillKind]
    limit: int


class Resampling(NamedTuple):
    """The length of a step in seconds, as it was written, and the columns that are not averaged over it."""

    seconds: float
    text: str
    kinds: Mapping[str, ResampleKind]


def entries(values: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """Lists the words of a TOML as flags give them."""
    words = {}
    if "fill" in values:
        words["fill"] = tuple(f"{name}={kind}" for name, kind in values["fill"].items())
    if "resample" in values:
        table = values["resample"] if isinstance(values["resample"], dict) else {"step": values["resample"]}
        others = {name: kind for name, kind in table.items() if name != "step"}
        words["resample"] = (table.get("step", ""), *(f"{name}={kind}" for name, kind in others.items()))
    return words


def filling(words: Sequence[str], where: str) -> Filling:
    """Reads the words of `fill`.

    Args:
        words: NAME=KIND, and limit=ROWS.
        where: what messages begin with.

    Returns:
        What they say.

    Raises:
        UserError: a word cannot be read, or there is no limit.
    """
    pairs = _pairs(words, "fill", where)
    limits = [kind for name, kind in pairs if name == "limit" and kind.isdecimal()]
    kinds = _kinds([(name, kind) for name, kind in pairs if name != "limit" or kind not in limits], "fill", where)
    if len(limits) != 1 or len(limits[0]) > 7 or not 1 <= int(limits[0]) <= 1_000_000:
        raise UserError(f"{where}: fill: say how many rows a hole may have at most, as in limit = 3 (--fill limit=3)")
    if not kinds:
        raise UserError(f"{where}: fill: names no column: say for each what fills its holes, linear or previous")
    return Filling(kinds, int(limits[0]))


def resampling(words: Sequence[str], where: str) -> Resampling:
    """Reads the words of `resample`.

    Args:
        words: the step's length, then NAME=KIND.
        where: what messages begin with.

    Returns:
        What they say.

    Raises:
        UserError: a word cannot be read.
    """
    text = words[0].strip()
    match = _STEP.fullmatch(text)
    seconds = float(match[1]) * SECONDS[match[2]] if match else 0.0
    if not 0 < seconds < 1e9:
        raise UserError(f"{where}: resample: {text[:40]!r} is no length of a step: write it as 30s, 5min or 1h")
    return Resampling(seconds, text, _kinds(_pairs(words[1:], "resample", where), "resample", where))


def _pairs(words: Sequence[str], what: str, where: str) -> list[tuple[str, str]]:
    pairs = [(name, kind) for name, sign, kind in (word.rpartition("=") for word in words) if sign and name]
    if len(pairs) < len(words):
        odd = next(word for word in words if not word.rpartition("=")[0])
        raise UserError(f"{where}: {what}: {odd[:40]!r} says nothing of a column: write NAME=KIND")
    if twice := [name for name, _ in pairs if [other for other, _ in pairs].count(name) > 1]:
        raise UserError(f"{where}: {what}: {twice[0][:40]!r} is named twice: leave one out")
    return pairs


def _kinds(pairs: Sequence[tuple[str, str]], what: str, where: str) -> dict[str, Any]:
    known = get_args(FillKind if what == "fill" else ResampleKind)
    for name, kind in pairs:
        if kind not in known:
            near = did_you_mean(kind, known)
            shown = name if name.isprintable() and len(name) <= 40 else repr(name[:40])
            raise UserError(f"{where}: {what}: {shown} is {kind[:40]!r}{near}: choose {' or '.join(known)}")
    return dict(pairs)
