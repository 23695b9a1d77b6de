"""What is fuzzed beside the readers' files: formulas, the words of process data, and the guesses of `data init`."""

import shutil
import tempfile
import tomllib
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np

from micro_rl.core.expression import parse
from micro_rl.data import ReadOptions, load
from micro_rl.data.guesses.description import draft
from micro_rl.errors import UserError

LONGEST = 2000
"""Characters of a message; more is no sentence that helps."""
NAMES = ("o0", "o1", "tank level")
FORMULAS = (b"-abs(o0) + 0.5 * o1 ** 2", b"o0 > 3 or hypot(o0, o1) >= 5", b"not (`tank level` % 2 == 1) and 0 < o1 < 1")

TANK = """\
time,level,flow,valve,mode
0,1.5,0.25,10,AUTO
60,,0.5,20,AUTO
120,2.5,,30,MAN
180,2,0.75,,AUTO
240,,,40,AUTO
300,3,1,50,AUTO
600,1,0.5,60,AUTO
660,2,0.25,70,MAN
"""
"""Minutes of a tank with holes, a gap and two modes."""
TANK_TOML = """\
observations = ["level", "flow"]
actions = ["valve"]
reward = "-abs(level - 2)"
time = "time"
largest_gap = 250
action_bounds = [0, 100]
missing = "drop"
"""
PLANT = """\
Zeit;Level [m];Level SP [m];T_out (°C);Valve [%];Mode;Pump speed;Trip;Batch
01.03.2025 10:00:00;1,50;2,0;11,5;10,0;AUTO;1450;0;1
01.03.2025 10:01:00;1,75;2,0;Bad Input;20,5;AUTO;1450;0;1
01.03.2025 10:02:00;;2,5;12,0;30,0;MAN;1450;1;2
"""
"""An export as historians write it: a decimal comma, units in names, texts, a constant."""
PARTS = """\
Export of plant 3
Date,Time,level,u1,s
,,m,%,
2025-03-01,10:00,1,0.5,on
2025-03-01,10:01,2,0.25,off
"""
"""A title, a row of units, dates and times of day in columns of their own."""
CLOCK = "t|x|u\n1740823200000|1|0\n1740823260000|2|1\n1740823320000||1\n"
"""Times that are milliseconds."""

Word = Literal["where", "fill", "resample"]
WORDS: dict[Word, tuple[str, ...]] = {
    "where": ("mode == 'AUTO' and level < 3", "not (mode != 'MAN') or `flow` >= 0.5"),
    "fill": ("level=linear\nflow=previous\nvalve=previous\nlimit=1", "*=linear\nlimit=3"),
    "resample": ("5min\nlevel=last\nvalve=sum\nreward=sum", "90s", "0.1h\n*=mean"),
}


class Formula:
    """Any text as a formula, and its values where it is one."""

    seeds = FORMULAS
    values: ClassVar = {name: np.linspace(-2, 2, 5, dtype=np.float32) for name in NAMES}

    def __call__(self, data: bytes) -> None:
        """Parse the text and compute it."""
        expect_our_own(lambda: parse(data.decode(errors="surrogateescape"), NAMES)(self.values))

    def close(self) -> None:
        """Nothing is left behind."""


class Words:
    """One word of process data: what it says, or the table that it is said of; the first byte chooses."""

    def __init__(self, word: Word):
        self.home = Path(tempfile.mkdtemp(prefix=f"fuzz-{word}-"))
        self.word: Word = word
        self.log = self.home / "log.csv"
        self.log.with_suffix(".toml").write_text(TANK_TOML)
        self.seeds = [b"\0" + text.encode() for text in WORDS[word]] + [b"\1" + TANK.encode()]

    def __call__(self, data: bytes) -> None:
        """Read the table by the word."""
        in_table = bool(data[:1] and data[0] % 2)
        self.log.write_bytes(data[1:] if in_table else TANK.encode())
        text = WORDS[self.word][0] if in_table else data[1:].decode(errors="surrogateescape")
        expect_our_own(lambda: load(self.log, reading=self._options(text)), in_table)

    def _options(self, text: str) -> ReadOptions:
        if self.word == "where":
            return ReadOptions(where=text)
        words = tuple(text.split("\n"))
        return ReadOptions(fill=words) if self.word == "fill" else ReadOptions(resample=words)

    def close(self) -> None:
        """Leave nothing behind."""
        shutil.rmtree(self.home)


class Guesses:
    """Any bytes as a table to describe; the TOML is one, and with a reward the table is read or refused by it."""

    seeds = tuple(
        [text.encode(encoding) for text in (PLANT, PARTS) for encoding in ("utf-8", "cp1252", "utf-16")]
        + [CLOCK.encode(), TANK.encode()]
    )

    def __init__(self):
        self.home = Path(tempfile.mkdtemp(prefix="fuzz-init-"))

    def __call__(self, data: bytes) -> None:
        """Describe the table, and read it by its description."""
        log = self.home / "log.csv"
        log.write_bytes(data)

        def describe_and_load() -> None:
            text = 'reward = "0 * 1"\n' + draft(log).text
            tomllib.loads(text)
            log.with_suffix(".toml").write_text(text, encoding="utf-8")
            load(log)

        try:
            expect_our_own(describe_and_load)
        finally:
            log.with_suffix(".toml").unlink(missing_ok=True)

    def close(self) -> None:
        """Leave nothing behind."""
        shutil.rmtree(self.home)


def expect_our_own(work: Callable[[], object], may_be_unreadable: bool = True) -> None:
    """Do it; `UserError` in one line is as good as success, and nothing else is.

    That a table cannot be read, which any exception on the way becomes, is no answer where it can be.
    """
    try:
        with warnings.catch_warnings(action="error"):
            work()
    except UserError as error:
        message = str(error)
        assert "\n" not in message and "\r" not in message, message
        assert len(message) < LONGEST, message
        assert may_be_unreadable or "cannot be read as CSV" not in message, message
    except OSError as error:
        raise AssertionError(f"{type(error).__name__}: {error}") from error
