"""Times that are numbers: dates written as digits, and numbers that cannot count what they are taken to count."""

import numpy as np
from jaxtyping import Float64

from micro_rl.data.checks import findings
from micro_rl.data.checks.findings import Finding

DAY = "%Y%m%d"
WRITTEN = {14: "%Y%m%d%H%M%S", 12: "%Y%m%d%H%M", 8: DAY}
"""Of dates as one whole number, by how many digits it has."""
UNITS = {"ns": 1e17, "us": 1e14, "ms": 1e11, "s": 0.0}
"""Of times since 1970, which from 1973 on are larger than this."""
LATEST = 7_258_118_400.0
"""Seconds from 1970 to the year 2200: no log is of later."""
_PARTS = ((10, 1950, 2100), (8, 1, 12), (6, 1, 31), (4, 0, 23), (2, 0, 59), (0, 0, 59))
"""Year, month, day, hour, minute, second: digits behind it, the least, the greatest."""


def written(numbers: Float64[np.ndarray, " row"]) -> str | None:
    """Tells how dates are written that stand there as whole numbers; None where not all of them are dates."""
    known = numbers[~np.isnan(numbers)]
    if not len(known) or (known != np.floor(known)).any():
        return None
    for digits, form in WRITTEN.items():
        if known.min() > 0 and known.max() < 10**digits and _are_dates(known.astype(np.int64) * 10 ** (14 - digits)):
            return form
    return None


def _are_dates(numbers: np.ndarray) -> bool:
    """Whether fourteen digits are years, months, days, hours, minutes and seconds."""
    parts = [(numbers // 10**behind % (10_000 if behind == 10 else 100), least, most) for behind, least, most in _PARTS]
    return all(bool(((least <= part) & (part <= most)).all()) for part, least, most in parts)


def unit_of(time: float) -> str:
    """Guesses in which unit a time since 1970 counts."""
    return next((unit for unit, least in UNITS.items() if time > least), "s")


def doubted(name: str, times: Float64[np.ndarray, " row"], unit: str | None) -> list[Finding]:
    """Gives a warning where the first times of a column cannot be what they are read as: numbers in that unit."""
    latest = float(times.max())
    if form := written(times):
        text = f"the time column {name!r} holds dates in digits ({times[0]:.0f}, {form}), read as a count of "
        text += f"{unit or 'seconds'}: say how it is written with time_format (--time-format)"
    elif unit in (None, "s") and latest > (UNITS["ms"] if unit else LATEST):
        finer = unit_of(latest)
        text = (
            f"the time column {name!r} holds {latest:.15g}, read as seconds, which since 1970 would be after the year "
        )
        text += f"2200: say in which unit it counts, as in time_unit = {finer!r} (--time-unit)"
    else:
        return []
    return [findings.warning("time-odd", text)]
