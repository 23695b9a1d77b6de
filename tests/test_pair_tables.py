"""The table of pairs of methods: which are compared, and what their few seeds can show."""

from pathlib import Path

import pytest

from micro_rl.reports.compare.compared_runs import collect
from micro_rl.reports.compare.comparison import compare
from micro_rl.reports.compare.pair_tables import table
from micro_rl.reports.compare.table import Entry, Table
from tests.compared_runs import make_run


def pairs(home: Path, methods: dict[str, list[float]]) -> Table | str:
    """Of methods whose seeds have these scores on one log."""
    for method, scores in methods.items():
        for seed, score in enumerate(scores):
            make_run(home / f"{method}-{seed}", method, seed=seed, scores=[score])
    return table(compare(collect([home])))


@pytest.mark.parametrize(
    ("micro", "sac", "better", "caution", "difference"),
    [  # Student's reach: 12.706 and 4.303 standard errors of the differences 0 and 2, and of 0, 1 and 2
        ([1.0, 3.0], [1.0, 1.0], Entry("0.75"), 0.5, Entry("1.00", "−11.7 to 13.7")),
        ([1.0, 3.0, 2.0], [1.0] * 3, Entry("0.83"), 0.25, Entry("1.00", "−1.48 to 3.48")),
        ([2.0] * 5, [1.0] * 5, Entry("1.00"), 0.0625, Entry("1.00", "1.00 to 1.00")),
        ([2.0] * 4 + [0.0], [1.0] * 5, Entry("0.80", "0.40 to 1.00"), 0.0625, Entry("0.600", "−0.511 to 1.71")),
    ],
)
def test_few_seeds_have_no_intervals_that_are_too_narrow(
    tmp_path: Path, micro: list[float], sac: list[float], better: Entry, caution: float, difference: Entry
):
    rows = pairs(tmp_path, {"micro": micro, "sac": sac})
    assert isinstance(rows, Table)
    [[_, p, count, apart, *_]] = rows.rows
    assert (p, apart) == (better, difference)
    words = f"{len(micro)} pairs: p cannot be below {caution:g}, however large the difference"
    assert count == Entry(str(len(micro)), words)


@pytest.mark.parametrize(
    ("others", "expected", "many"),
    [("bcd", ["b over c", "b over d", "c over d"], False), ("bcdefg", [f"{other} over b" for other in "cdefg"], True)],
)
def test_many_methods_are_compared_with_the_first_that_has_the_seeds(
    tmp_path: Path, others: str, expected: list[str], many: bool
):
    rows = pairs(tmp_path, {"a": [1.0]} | {method: [1.0, 2.0] for method in others})
    assert isinstance(rows, Table)
    assert [row[0].value for row in rows.rows] == expected
    assert rows.caption.endswith("each is compared with b only.") is many
