"""Numbers, counts and times in words, as pages, terminals and messages write them."""

import math
from collections.abc import Sequence


def number(value: float) -> str:
    """Three significant digits, all digits from 1,000 on, a true minus sign; 'not finite' for NaN and infinity."""
    if not math.isfinite(value):
        return "not finite"
    if value == 0:
        return "0"
    if not 1e-3 <= abs(value) < 1e7:
        text = f"{value:.2e}"
    else:
        text = f"{value:,.{max(0, 2 - math.floor(math.log10(abs(value))))}f}"
    return text.replace("-", "−")


def figure(value: float, sign: str = "") -> str:
    """A return or score in a line: one decimal from 10 on, three significant digits below; `sign` may be "+"."""
    if value == 0:
        return "0"
    return f"{value:{sign}.1f}" if abs(value) >= 10 else f"{value:{sign}#.3g}"


def plural(count: int, thing: str, things: str = "") -> str:
    """'1 episode', '20 episodes', '1,000 episodes'; `things` where an s is not enough."""
    return f"{count:,} {thing if count == 1 else things or thing + 's'}"


def with_verb(count: int, thing: str, singular: str, plural_form: str) -> str:
    """'1 row is', '20 rows are'."""
    return f"{plural(count, thing)} {singular if count == 1 else plural_form}"


def first_few(names: Sequence[str], most: int = 3) -> str:
    """'a, b', 'a, b, c and 5 more'."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return f"{', '.join(names[:most])}{more}"


def duration(seconds: float) -> str:
    """In the unit a person would use: '1.5 seconds', '12 minutes', '3 hours'."""
    if seconds < 120:
        return f"{number(seconds)} seconds"
    return f"{number(seconds / 60)} minutes" if seconds < 7200 else f"{number(seconds / 3600)} hours"


def clock(seconds: float) -> str:
    """Time left or spent, as short as it can be: '0m06s', '2h05m'."""
    minutes, left = divmod(round(seconds), 60)
    return f"{minutes // 60}h{minutes % 60:02d}m" if minutes >= 60 else f"{minutes}m{left:02d}s"
