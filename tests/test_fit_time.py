"""The time that a fit may take, as a bound."""

from io import StringIO

from rich.console import Console

from micro_rl.cli.display import Display
from micro_rl.cli.fit_time import FitTime
from micro_rl.core.model_settings import ModelSettings

SETTINGS = ModelSettings(max_fit_epochs=100, patience=5, model_lr_drops=0)


def row(epoch: int, *errors: float) -> dict[str, float]:
    return {"epoch": epoch, "holdout/mean": 1.0} | {f"holdout/member{i}": error for i, error in enumerate(errors)}


def watched(rows: list[dict[str, float]]) -> FitTime:
    """A fit whose first epoch takes 30 seconds of compiling, and every later one two."""
    times = iter(range(30, 1000, 2))
    fit = FitTime(SETTINGS, lambda: next(times))
    for one in rows:
        fit.see(one)
    return fit


def test_bounds_by_hand():
    assert watched([row(1, 1.0, 1.0)]).left() == ""
    better = [row(1, 1.0, 1.0), row(2, 0.98, 1.0)]
    assert watched(better).left() == "at most 3m16s left, at least 0m10s"  # 98 and 5 epochs of 2 seconds
    worse = [*better, row(3, 0.975, 1.0), row(4, 2.0, 0.991)]  # less than a hundredth is no gain
    assert watched(worse).left() == "at most 3m12s left, at least 0m06s"


def test_the_limit_bounds_patience_and_a_resumed_fit_has_no_least():
    assert watched([row(epoch, 1 / epoch) for epoch in range(1, 99)]).left() == "at most 0m04s left, at least 0m04s"
    assert watched([row(50, 1.0), row(51, 1.0)]).left() == "at most 1m38s left"


def test_drops_of_the_learning_rate_begin_patience_anew():
    times = iter(range(30, 1000, 2))
    fit = FitTime(ModelSettings(max_fit_epochs=100, patience=2, model_lr_drops=1), lambda: next(times))
    left = []
    for epoch in range(1, 6):
        fit.see(row(epoch, 1.0))
        left.append(fit.left().rpartition("at least ")[2])
    # The first improves on nothing, two bring no gain and the rate drops, two more and the fit is over.
    assert left == ["", "0m06s", "0m04s", "0m02s", "0m00s"]


def test_the_display_tells_it():
    console = Console(file=StringIO(), width=200)
    with Display(1, 4, console) as display:
        run = display.of_run(settings=SETTINGS)
        for epoch in range(1, 12):
            run.fitted(row(epoch, 1.0))
    first, second = console.file.getvalue().splitlines()  # pyright: ignore[reportAttributeAccessIssue]
    assert first.endswith("1.00000") and second.endswith("   at most 0m00s left, at least 0m00s")
