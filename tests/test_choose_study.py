"""The study of choosing: what it records, and the page that is made of it."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from micro_rl.trust import trial
from runs import choose, choose_page, choose_trial, records

TRUTHS = {
    "good": {"difference": 8.0, "difference_se": 1.0},
    "chosen": {"difference": 4.0, "difference_se": 1.0},
    "bad": {"difference": -2.0, "difference_se": 1.0},
}
ABOUT: dict[str, Any] = {
    "world": "tanks",
    "decision": "try it, under watch",
    "tried": True,
    "chosen": "chosen",
    "candidates": {"bc": "bad", "micro": "chosen", "iql": None},
    "intervals": {"chosen": [1.0, 3.0], "bad": [1.0, 2.0]},
    "widening": 1.4,
    "explained": 0.9,
    "window": 20,
    "minutes": 30.0,
    "seconds": 1500.0,
    "truths": TRUTHS,
}
MADE = {"date": "2026-11-29", "commit": "abc", "processor": "one"}


def test_regret_is_what_is_lacking_of_the_range_and_an_interval_has_the_measurements_error():
    outcome = choose_page.Outcome(ABOUT)
    assert (outcome.decided, outcome.best, outcome.span) == (4.0, 8.0, 10.0)
    assert outcome.regret(outcome.decided) == pytest.approx(0.4)
    assert outcome.right  # better by four standard errors
    assert outcome.held() == (1, 2)  # 4 is within 3 and two errors; -2 is not within 1 and two errors
    kept = choose_page.Outcome(ABOUT | {"tried": False})
    assert kept.decided == 0.0 and kept.regret(kept.decided) == pytest.approx(0.8) and not kept.right


def test_a_recorded_choice_is_not_made_again_and_stands_on_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(records, "FOLDER", tmp_path)
    monkeypatch.setattr(choose_page, "PAGE", tmp_path / "choose.md")
    monkeypatch.setattr(choose_page, "FIGURE", tmp_path / "choose.svg")
    monkeypatch.setattr(choose, "worlds", lambda *_: {"tanks": None})
    monkeypatch.setattr(choose, "tried", lambda *_: ABOUT)
    monkeypatch.setattr("sys.argv", ["choose", "data", "worlds", str(tmp_path)])
    choose.main()
    monkeypatch.setattr(choose, "tried", pytest.fail)
    choose.main()
    assert list(records.recorded("choose")) == ["tanks-30min"]
    records.record(
        "choose", "arm-30min", {"figures": ABOUT | {"world": "arm", "chosen": None, "reason": "Too few."}} | MADE
    )
    (tmp_path / "choose.md").write_text("old\n\n**Answer.** Yes.\n\n## Remarks\n\n* Kept.\n")
    choose_page.main()
    text = (tmp_path / "choose.md").read_text()
    assert "tanks: try it, under watch" in (tmp_path / "choose.svg").read_text()
    assert "| tanks | 20 | 90 % | try it, under watch | `chosen` |" in text
    assert "| tanks | −2.00 |  | 4.00 |" in text and text.endswith("* Kept.\n")
    assert "30 minutes on two cores" in text and "2 cells" in text and "**Answer.** Yes." in text
    assert "Without anything to judge, and not in the tables: arm (Too few)." in text


def test_a_trial_of_what_is_better_shows_it_and_one_of_what_is_worse_stops_early():
    plan = trial.plan(1.0, 10.0, 2.0)
    spread = np.random.default_rng(1).normal(0.0, 2.0, 300)
    better, worse = (choose_trial.trials("own", plan, 10.0 + gain + spread) for gain in (2.0, -6.0))
    assert better.better > 0.9 and better.worse < 0.01 and better.windows and better.windows < plan.most_windows
    assert worse.worse == 1.0 and worse.better == 0.0 and worse.windows and worse.windows < 10
    assert -60 < worse.collected < -6


def test_the_page_counts_the_regret_after_trials():
    kept = ABOUT | {"tried": False, "decision": "keep what you have"}
    ended = choose_trial.Tried("chosen", 80, 0.75, 0.0, 12.0, 40.0)._asdict()
    outcome = choose_page.Outcome(kept | {"trial": ended})
    assert outcome.after_trial == 3.0 and outcome.trial().startswith("`chosen`: better 75 %, worse 0 % after 12 of 80")
    assert choose_page.Outcome(kept).trial() == "not recorded" and choose_page.Outcome(kept).after_trial == 0.0
    assert choose_page.Outcome(kept | {"trial": None}).trial() == "none" and choose_page.Outcome(ABOUT).trial() == ""
    text = choose_page.after_trials([outcome, choose_page.Outcome(ABOUT | {"trial": None}), choose_page.Outcome(ABOUT)])
    assert text.startswith("2 choices recorded them") and "is 60 % for the decision, and 45 % where" in text
