from io import StringIO

import numpy as np
import pytest
from rich.console import Console

from micro_rl.cli.display import Display
from micro_rl.core.wording import clock
from micro_rl.policy import Policy

POLICY = Policy(
    [(np.zeros((3, 2)), np.zeros(2))],
    observation_mean=np.zeros(3),
    observation_std=np.ones(3),
    action_mid=np.zeros(1),
    action_half=np.ones(1),
)
FITTED = {"epoch": 1.0, "loss": 1.0, "holdout/mean": 0.125}
ROW = {
    "epoch": 1.0,
    "q/model": -2.5,
    "conservative_term": 0.25,
    "loss/critic": 0.5,
    "loss/actor": 1.5,
    "temperature": 0.9,
    "eval/return": -150.0,
    "time/seconds": 2.0,
    "time/updates_per_second": 500.0,
}


def shown(console: Console, rows: list[dict[str, float]], epochs: int = 4) -> str:
    with Display(1, epochs, console) as display:
        display.note("a column never changes")
        run = display.of_run()
        run.fitted(FITTED)
        for row in rows:
            run.trained(row, POLICY)
    assert isinstance(console.file, StringIO)
    return console.file.getvalue()


def piped() -> Console:
    return Console(file=StringIO(), width=200)


def terminal() -> Console:
    return Console(file=StringIO(), force_terminal=True, width=100, height=30, legacy_windows=False)


def test_piped_it_is_plain_lines():
    lines = shown(piped(), [ROW, ROW | {"epoch": 2.0}]).splitlines()
    assert lines[0] == "note: a column never changes"
    assert lines[1].split() == ["model", "epoch", "1", "holdout", "error", "0.12500"]
    assert lines[2].startswith(
        "policy  epoch    1/4   return -150.0   Q on model rows -2.50   conservative term f 0.250"
    )
    assert lines[2].endswith("updates per second 500   0m06s left")
    assert lines[3].startswith("policy  epoch    2/4") and len(lines) == 4
    assert all("\x1b" not in line for line in lines)


def test_piped_the_fit_says_every_tenth_epoch():
    console = piped()
    with Display(1, 4, console) as display:
        run = display.of_run()
        for epoch in range(1, 31):
            run.fitted(FITTED | {"epoch": float(epoch)})
    assert isinstance(console.file, StringIO)
    assert [line.split()[2] for line in console.file.getvalue().splitlines()] == ["1", "11", "21"]


def test_on_a_terminal_it_is_a_live_table():
    text = shown(terminal(), [ROW, ROW | {"epoch": 2.0}])
    assert "\x1b[" in text
    last = text[text.rindex("epoch") :]
    assert "2 of 4" in last
    for words in ("model's holdout error", "0.12500", "conservative term f", "0.250", "updates per second", "500"):
        assert words in last


def test_an_epoch_without_an_evaluation_keeps_the_last_one_in_the_table():
    unscored = {name: value for name, value in ROW.items() if name != "eval/return"} | {"epoch": 2.0}
    text = shown(terminal(), [ROW, unscored])
    assert "-150.0" in text[text.rindex("2 of 4") :]
    assert "return" not in shown(piped(), [unscored])


def test_time_left_counts_only_this_process():
    """A run resumed after epoch 2 has done one epoch, not three."""
    assert shown(piped(), [ROW | {"epoch": 3.0}]).endswith("0m02s left\n")


def test_the_terminal_is_given_back_after_a_failure():
    console = terminal()
    with pytest.raises(RuntimeError), Display(1, 4, console) as display:
        display.of_run().fitted(FITTED)
        raise RuntimeError
    assert isinstance(console.file, StringIO)
    assert console.file.getvalue().endswith("\x1b[?25h")


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.0, "0m00s"), (59.6, "1m00s"), (61.0, "1m01s"), (3599.0, "59m59s"), (7260.0, "2h01m")]
)
def test_clock(seconds, text):
    assert clock(seconds) == text
